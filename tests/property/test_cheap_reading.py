"""What makes the detectors cheap on ordinary text changes none of their answers."""

import re
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.detectors.data.languages import COMMON
from handrail.detectors.language import guess, vote
from handrail.detectors.linear import features

WORDS = st.sampled_from([*" ".join(COMMON.values()).split(), *COMMON["en"].split(), "xx", "x", "48213", "don't", "a_b"])
GLUE = st.sampled_from([" ", " ", " ", ", ", "? ", "!", ": ", "\n", "_", "9", "#", " [", "] ", "é", "²", "٣", "\u2019"])
TALK = st.lists(st.tuples(WORDS, GLUE), max_size=40).map(lambda pairs: "".join(word + glue for word, glue in pairs))


@settings(max_examples=400)
@given(TALK | st.text(max_size=120))
def test_the_guess_is_what_the_vote_says(text):
    assert guess(text) == vote(text[:150].lower())


def hashed_one_by_one(plain, bits):
    """The features as the model was trained on them, word by word."""
    found, before = set(), 0
    for word in re.findall(r"[^\W\d_]+|\d+|[?!:<>{}\[\]|*#]", plain):
        if re.fullmatch("x{2,}", word):
            continue
        octets = b"0" if word.isdigit() else word.encode()
        found |= {crc32(octets) % 2**bits, crc32(octets, before) % 2**bits}
        before = crc32(octets)
    return found


@settings(max_examples=400)
@given(TALK | st.text(max_size=120) | st.text("ax0 ?[_.é²", max_size=30))
def test_the_features_of_a_text_are_those_the_model_was_trained_on(plain):
    assert features(plain, 15) == hashed_one_by_one(plain, 15)
