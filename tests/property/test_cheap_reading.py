"""What makes the detectors cheap on ordinary text changes none of their answers."""

import json
import re
import unicodedata
from zlib import crc32

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handrail.detectors import declined, links
from handrail.detectors.cues import _END, fold
from handrail.detectors.data.languages import COMMON
from handrail.detectors.injection import injection_detector
from handrail.detectors.language import guess, vote
from handrail.detectors.linear import features
from handrail.detectors.mask import mask, normalised
from handrail.detectors.normalise import _ACCENTS, normalise, without_accents
from handrail.detectors.personal import answers, asked, bank, cards
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.asked import Asked
from handrail.detectors.personal.gates import Gate, gates_of
from handrail.detectors.personal.page import SHORTEST_UNNAMED, Page
from handrail.detectors.spoken import digits_view
from handrail.detectors.triggers import triggers_detector
from handrail.detectors.window import Window
from handrail.terms.finding import Finding, Kind, Role

WORDS = st.sampled_from([*" ".join(COMMON.values()).split(), *COMMON["en"].split(), "xx", "x", "48213", "don't", "a_b"])
GLUE = st.sampled_from([" ", " ", " ", ", ", "? ", "!", ": ", "\n", "_", "9", "#", " [", "] ", "é", "²", "٣", "\u2019"])
TALK = st.lists(st.tuples(WORDS, GLUE), max_size=40).map(lambda pairs: "".join(word + glue for word, glue in pairs))


@settings(max_examples=200, deadline=None)
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


@settings(max_examples=200, deadline=None)
@given(TALK | st.text(max_size=120) | st.text("ax0 ?[_.é²", max_size=30))
def test_the_features_of_a_text_are_those_the_model_was_trained_on(plain):
    assert features(plain, 15) == hashed_one_by_one(plain, 15)


def said_at_length(kind, value):
    """The shared form of two spellings, every step taken."""
    view = normalise(value)
    if kind is not Kind.EMAIL:
        view = digits_view(view) or view
        body = "".join(letter for letter in view.text if letter.isalnum()).upper()
        digits = "".join(letter for letter in body if letter.isdigit())
        return digits if kind is not Kind.IBAN and len(digits) >= 4 else body
    folded = unicodedata.normalize("NFKC", view.text).casefold()
    folded = re.sub(r"\s*(?:@|[\[({]at[\])}]|\bat\b)\s*", "@", folded, count=1)
    return " ".join(re.sub(r"\s*(?:[\[({]dot[\])}]|\bdot\b)\s*", ".", folded).split())


PIECES = [
    "at",
    "dot",
    " ",
    "@",
    ".",
    "(at)",
    "[dot]",
    "anna",
    "four ",
    "double ",
    "one",
    "4",
    "411",
    "-",
    "Ab",
    "é",
    "²",
    "٣",
]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([Kind.EMAIL, Kind.CARD, Kind.PHONE, Kind.IBAN]),
    st.lists(st.sampled_from(PIECES), max_size=10).map("".join) | st.text(max_size=20),
)
def test_two_spellings_share_the_form_they_always_shared(kind, value):
    assert normalised(kind, value) == said_at_length(kind, value)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["anna@x.de", "bo@y.de", "ANNA@x.de", "anna at x.de"]), min_size=1, max_size=6))
def test_a_token_made_before_is_the_token_made_now(values):
    key, made = b"k" * 32, {}
    for value in values:
        whole = [Finding(Kind.EMAIL, 0, len(value), 0.9, "form")]
        assert mask(value, whole, key, made=made) == mask(value, whole, key)


STOPS = re2.compile(r"[.!?。！？।…]+[\"'’”»)\]]*(?:\s|$)|\n\s*\n|[。！？।]")


@settings(max_examples=500, deadline=None)
@given(st.text('.!?。…"’)\n\r\t\x0b \u00a0ab', max_size=30))
def test_a_sentence_ends_where_re2_ends_it(text):
    assert [match.span() for match in _END.finditer(text)] == [match.span() for match in STOPS.finditer(text)]


@settings(max_examples=300, deadline=None)
@given(TALK | st.text(max_size=40) | st.text("éßÀłęÿ¤²aZ İ", max_size=12))
def test_a_letter_loses_its_accent_in_latin_1_as_anywhere(text):
    assert without_accents(text) == text.translate(_ACCENTS)


PARTED_CARDS = (
    re.compile(
        r"(?<![0-9A-Za-z])[0-9]{4}(?P<gap>[^0-9A-Za-z]{1,8})[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{4}(?![0-9A-Za-z])"
    ),
    re.compile(r"(?<![0-9A-Za-z])3[0-9]{3}(?P<gap>[^0-9A-Za-z]{1,8})[0-9]{6}(?P=gap)[0-9]{5}(?![0-9A-Za-z])"),
    re.compile(r"(?<![0-9A-Za-z])[0-9](?P<gap>[^0-9A-Za-z]{1,8})[0-9](?:(?P=gap)[0-9]){11,17}(?![0-9A-Za-z])"),
)
GROUPS = st.lists(
    st.sampled_from(["4111", "1111", "3782", "822463", "10005", "4", "1", "x", "*", "**", " ", "é", "\n"])
)


@settings(max_examples=300, deadline=None)
@given(GROUPS.map("".join) | st.sampled_from(["*", "|", " - "]).flatmap(lambda gap: GROUPS.map(gap.join)))
def test_a_parted_card_is_seen_where_no_letter_or_digit_touches_it(text):
    for fast, plain in zip(cards._PARTED, PARTED_CARDS, strict=True):
        assert [match.span() for match in fast.finditer(text)] == [match.span() for match in plain.finditer(text)]


GLUED_CARDS = re.compile(
    r"(?<![a-z0-9])(?:(?:credit|debit|kredit|bank)?(?:card|karte|kaart)|visa|mastercard|amex|cc|pan|carte|tarjeta|carta|cartao|"
    r"karta|karten)[ _\-]?(?:no|nr|num|number|nummer|numero)?\.?(\d{13,19})(?![a-z0-9])"
)
GLUED = [
    "card",
    "credit",
    "visa",
    "pan",
    " ",
    "_",
    "-",
    "no",
    "nummer",
    ".",
    "4111111111111111",
    "378282246310005",
    "4",
    "x",
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(GLUED), max_size=8).map("".join))
def test_a_card_behind_its_name_is_seen_by_its_digits_first(text):
    named = [match.span(1) for match in GLUED_CARDS.finditer(text) if cards.luhn(match[1]) and match[1] in GLUED]
    found = [(hit.start, hit.end) for hit in cards.find_glued(Page(normalise(text))) if hit.reason == "luhn_named"]
    assert found == named


def collected(text, start, length):
    """An IBAN's letters and digits sign by sign, with at most two separators in a row, and where they end."""
    body, gap, at = "", 0, start
    while at < len(text) and len(body) < length:
        if text[at].isascii() and text[at].isalnum():
            body, gap = body + text[at], 0
        elif text[at] in " -.\n\t" and gap < 2:
            gap += 1
        else:
            return None
        at += 1
    if len(body) < length or text[at : at + 1].isalnum():
        return None
    return (body, at) if sum(map(str.isdigit, body)) * 2 >= length else None


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789AZaz -.\n\té,", max_size=30), st.integers(4, 12))
def test_an_iban_is_collected_as_sign_by_sign(text, length):
    if text[:1].isascii() and text[:1].isalnum():
        assert bank._collect(text, 0, length) == collected(text, 0, length)


ASKING = [
    "please",
    "?",
    "can you",
    "your",
    "full",
    " name",
    "names",
    "\nname",
    "bitte",
    "ihren",
    "vor- und nachnamen",
    "ваш",
]
ASKING += ["who am i speaking", "nome", "seu", "é", "²", "of", "_", "prosze", "s il vous plait", "with", ". ", "cyfry"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(ASKING) | GLUE, max_size=12).map("".join) | st.text(max_size=60))
def test_the_gate_of_questions_sees_every_request_and_every_name(low):
    seen = asked._GATE.Match(low) or ()
    assert asked._ASKS in seen or asked._REQUEST.search(low) is None
    assert asked._NAMES in seen or asked._NAME.search(low) is None


@settings(max_examples=200, deadline=None)
@given(TALK | st.text(":/\\.\u3002\uff0e\uff61 \n\u00a0ab", max_size=20))
def test_an_address_is_looked_for_wherever_a_sign_is_followed(text):
    followed = re.search(r"[:/\\.\u3002\uff0e\uff61]\S", text) is not None
    assert links._may_link(text) == followed


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*declined._ENGLISH_GATE, *declined._GERMAN_GATE, "I", "help"]) | GLUE, max_size=6))
def test_one_pass_sees_every_word_that_may_decline(parts):
    plain = "".join(parts).lower()
    seen = declined._GATE.Match(plain.encode()) or ()
    for place, (words, _) in enumerate(declined._WAYS):
        assert place in seen or not any(word in plain for word in words)


REPLIED = [
    "banana",
    "john",
    "Smith",
    "my",
    "is",
    "or",
    "i am",
    "it's",
    "password",
    "sunshine",
    "no",
    "can",
    "Ok.",
    '"',
    "-",
]
PARTED = [" ", " ", " ", ", ", ",", ":", "/", ". ", "! ", "\n", " and ", " y ", ""]


@settings(max_examples=500, deadline=None)
@example("I am Smith, no", True)
@example("can john\nbanana", False)
@given(st.lists(st.sampled_from(REPLIED) | st.sampled_from(PARTED), max_size=9).map("".join), st.booleans())
def test_a_message_without_a_digit_that_no_question_needs_answers_none(message, name):
    page = Page(normalise(message))
    if not answers.may_answer(page):
        for labels in ((), (Label.PASSWORD,), (Label.PASSWORD, Label.PIN), (Label.DOB, Label.CARD)):
            assert answers.find_answers(page, Asked(labels, name, things=False)) == []


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789 -/_().\t\nax٣", max_size=24))
def test_a_number_that_needs_no_name_is_announced(text):
    page = Page(normalise(text))
    if any(number.end - number.start >= SHORTEST_UNNAMED for number in page.numbers):
        assert Gate.LONG in gates_of(page.plain)


@settings(deadline=None)
@given(st.lists(st.text(" \nab", min_size=1, max_size=6), max_size=5))
def test_prose_waits_for_one_word(pieces):
    """What is sent of harmless pieces ends before the last complete word, whatever white space is between."""
    window, sent = Window(lambda finding, value: None), ""
    for piece in pieces:
        sent += window.feed(piece).text
    whole = "".join(pieces)
    words = [match.start() for match in re.finditer(r"\S+(?=\s)", whole)]
    assert whole.startswith(sent)
    assert len(sent) <= (words[-1] if words else 0)


@pytest.mark.packs("intents", "injections", "multilingual", "pii", "dialogues")
def test_on_real_texts_the_short_ways_answer_as_the_long_ones(packs):
    texts = sample(packs)
    assert len(texts) > 1_000
    detectors = [(injection_detector().cues, Role.USER), (injection_detector().cues, Role.TOOL)]
    detectors.append((triggers_detector().cues, Role.USER))
    found = 0
    for text in texts:
        assert guess(text) == vote(text[:150].lower())
        plain = fold(text)
        assert features(plain, 15) == hashed_one_by_one(plain, 15)
        for cues, role in detectors:
            hits = cues.hits(plain, frozenset(cues.families), role)
            assert cues.hits(plain, cues.present(plain, role), role) == hits
            found += len(hits)
    assert found > 50


def sample(packs):
    """Every 97th text of the packs, by its own hash."""
    found = set()
    for path in sorted(packs.rglob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                found.update(text for text in strings(json.loads(line)) if crc32(text.encode()) % 97 == 0)
    return sorted(found)


def strings(value):
    if isinstance(value, str):
        return [value] if 3 < len(value) < 2_000 else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inner for text in strings(part)]
