"""The streaming window: however the text is cut, the same comes out as from the whole text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.detectors.base import HOLD_BACK
from handrail.detectors.pii import find_personal
from handrail.detectors.window import Window
from handrail.terms.finding import Kind

VALUES = [
    ("my card is {} thanks", "4111 1111 1111 1111"),
    ("card: {}.", "5555-5555-5555-4444"),
    ("card {} exp 09/27", "378282246310005"),
    ("I read it out: {} and that was it", "four one one one double one one one, one one one one one one one one"),
    ("pay to {} please", "DE89 3704 0044 0532 0130 00"),
    ("pay to {} please", "GB29 NWBK 6016 1331 9268 19"),
    ("write to {} today", "anna.smith@example.com"),
    ("write to {} today", "anna dot smith at gmail dot com"),
    ("call {} after five", "+44 7700 900123"),
    ("call me on {} now", "(212) 555-0123"),
    ("{} is my mobile, call", "06 12 34 56 78"),
    ("ssn {} for the check", "123-45-6789"),
    ("my name is {} and I wait", "Anna Smith"),
    ("my password is {} since May", "Tr0ub4dor&3"),
    ("the cvv is {} on the back", "123"),
    ("the verification code is {} from the text", "482913"),
    ("NI number {} as asked", "AB 12 34 56 C"),
    ("born on {} in Rome", "May 3, 1980"),
    ("from {} last night", "203.0.113.77"),
    ("key {} leaked", "AKIAIOSFODNN7EXAMPLE"),
    ("karte ４１１１ {} ja", "１１１１ １１１１ １１１１"),
    ("meine Nummer ist {} danke", "0049 89 1234567"),
]
PROSE = [
    "Thank you for your message. ",
    "I'm sorry to hear that, let me have a look at it. ",
    "It's one of the two boxes, at the shop on Monday. ",
    "Your order 12345 has been shipped and should arrive soon. ",
    "Reset your password in the menu. ",
    "Das tut mir leid, ich sehe gleich nach. ",
    "Hi there, dear friends of ours, this is fine. ",
    "Prices: 12.99, 14.99 and 19.99 for the three of them. ",
    "😀 great – that’s it! ",
    "\n\n- first\n- second\n",
    "",
]


def whole(text):
    out, at = [], 0
    for finding in find_personal(text):
        out += [text[at : finding.start], f"<{finding.kind}>"]
        at = finding.end
    return "".join(out) + text[at:]


def streamed(text, cuts):
    window = Window(lambda finding, value: f"<{finding.kind}>")
    out, findings, at, most = [], [], 0, 0
    for cut in [*sorted(cuts), len(text)]:
        cleared = window.feed(text[at:cut])
        out.append(cleared.text)
        findings += cleared.findings
        most = max(most, window.held)
        at = cut
    cleared = window.feed("", final=True)
    return "".join([*out, cleared.text]), [*findings, *cleared.findings], most


texts = st.lists(
    st.one_of(st.sampled_from(PROSE), st.sampled_from(VALUES).map(lambda pair: pair[0].format(pair[1]) + ". ")),
    min_size=1,
    max_size=6,
).map("".join)


@pytest.mark.promise("PII-7")
@settings(max_examples=250, deadline=None)
@given(data=st.data(), text=texts)
def test_any_cutting_of_the_stream_gives_what_the_whole_text_gives(data, text):
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=40))
    out, findings, most = streamed(text, cuts)
    assert most <= HOLD_BACK
    assert out == whole(text)
    assert [(f.kind, f.start, f.end) for f in findings] == [(f.kind, f.start, f.end) for f in find_personal(text)]


@pytest.mark.promise("PII-7")
@pytest.mark.parametrize(("frame", "value"), VALUES)
def test_no_character_of_a_planted_value_is_sent_one_character_at_a_time(frame, value):
    text = "Hello. " + frame.format(value) + " Bye."
    first, last = text.index(value), text.index(value) + len(value)
    window = Window(lambda finding, value: "")
    sent = ""
    for place, letter in enumerate(text):
        sent += window.feed(letter).text
        if first <= place < last:
            assert len(sent) <= first
    sent += window.feed("", final=True).text
    assert value not in sent
    assert sent.startswith("Hello. ")


READ_OUT = [
    "four, three times the one, four times one, quadruple one, four times the one",
    "double four one one, four two two two, triple three three, four times four",
    "four triple one, four ones, four ones, two times one, double one, two ones",
    "vier, dreimal die eins, viermal die eins, viermal die eins, viermal die eins",
    "vier, drei mal die eins, vier mal die eins, vier mal die eins, viermal eins",
    "quatre, trois fois le un, quatre fois le un, quatre fois un, quatre fois le un",
    "cuatro, tres veces el uno, cuatro veces el uno, cuatro veces uno, cuatro veces el uno",
    "quattro, tre volte il uno, quattro volte il uno, quattro volte uno, quattro volte il uno",
    "quatro, três vezes o um, quatro vezes o um, quatro vezes um, quatro vezes o um",
    "vier, drie keer de een, vier keer de een, viermaal een, vier keer de een",
    "cztery, trzy razy jeden, cztery razy jedynka, cztery razy jeden, cztery razy jeden",
    # longer than the window
    "czterdzieści jeden, jedenaście, jedenaście, jedenaście, jedenaście, jedenaście, jedenaście, jedenaście",
    "vier, eins, zwei mal die eins, eins, zwei mal die eins, zwei mal die eins, zwei mal die eins, eins, viermal eins",
    "four, one, two times the one, one, one, two times the one, two times the one, two times the one, two times one",
    "quarante et un, deux fois le un, un, un, deux fois le un, deux fois le un, deux fois le un, deux fois le un",
    "cuarenta y uno, dos veces el uno, uno, dos veces el uno, dos veces el uno, dos veces el uno, cuatro veces el uno",
    "quattro, uno, due volte il uno, uno, uno, due volte il uno, due volte il uno, due volte il uno, tre volte il uno",
    "quatro, um, duas vezes o um, um, um, duas vezes o um, duas vezes o um, duas vezes o um, três vezes um",
    "vier, een, twee keer de een, een, een, twee keer de een, twee keer de een, driemaal de een, een, een",
]


@pytest.mark.promise("PII-7")
@settings(max_examples=250, deadline=None)
@given(data=st.data(), value=st.sampled_from(READ_OUT), before=st.sampled_from(["the card is ", "Karte: ", "karta "]))
def test_no_word_of_a_card_that_is_read_out_with_factors_is_sent_however_it_is_cut(data, value, before):
    text = f"Hello. {before}{value} thanks for that. Bye."
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=40))
    one = data.draw(st.integers(0, len(text)))
    for places in (cuts, [one], range(len(text))):
        out, _, most = streamed(text, list(places))
        assert most <= HOLD_BACK
        assert out == f"Hello. {before}<CARD> thanks for that. Bye."


@pytest.mark.promise("PII-7")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("my PIN is double four one one ok", "double four one one"),
        ("Meine PIN ist viermal die fünf danke", "viermal die fünf"),
        ("my pin is four fives thanks", "four fives"),
        ("my pin is two times four two times one ok", "two times four two times one"),
        ("PIN: zwei mal die vier, zwei mal die eins danke", "zwei mal die vier, zwei mal die eins"),
    ],
)
def test_a_code_said_with_factors_is_found_and_no_word_of_it_is_sent(text, value):
    out, findings, _ = streamed(text, list(range(len(text))))
    assert out == text.replace(value, "<PIN>")
    assert [text[f.start : f.end] for f in findings] == [value]


def test_plain_prose_waits_for_one_word_at_most():
    text = "Thank you for contacting us about your recent purchase, we are looking into the problem right now. " * 3
    window = Window(lambda finding, value: None)
    for letter in text:
        window.feed(letter)
        assert window.held <= 24


@pytest.mark.promise("PII-7")
def test_a_spoken_number_longer_than_the_window_is_treated_as_found_and_its_rest_is_swallowed():
    value = "sieben " * 30
    window = Window(lambda finding, value: "<CARD>")
    out = "".join(window.feed(letter).text for letter in f"Nummer {value}und danke schön") + window.feed("", True).text
    assert "sieben" not in out
    assert "<CARD>" in out
    assert out.endswith("danke schön")


def test_a_long_private_key_never_comes_out():
    body = "\n".join("MIIEowIBAAKCAQEA0Z3VS5JJcds3xfn" for _ in range(20))
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    for size in (1, 7, 64, 5000):
        window = Window(lambda finding, value: "<SECRET>")
        text = f"here: {key} done"
        out = "".join(window.feed(text[i : i + size]).text for i in range(0, len(text), size))
        out += window.feed("", True).text
        assert "MIIE" not in out
        assert "xfn" not in out


def test_a_blocking_kind_ends_the_stream_before_its_value():
    window = Window(lambda finding, value: None, blocking=frozenset({Kind.CARD}))
    out = window.feed("the card is 4111 1111 1111 1111 and so on and on and on it goes. ").text
    cleared = window.feed("", final=True)
    assert (out + cleared.text).strip() == "the card is"
    assert cleared.blocked is not None
    assert cleared.blocked.kind is Kind.CARD
    assert window.feed("more", final=True).text == ""


def test_a_marked_finding_leaves_the_text_and_has_its_place_in_the_stream():
    text = "mail a.b@example.com today please"
    window = Window(lambda finding, value: None)
    cleared = [window.feed(text[i : i + 5]) for i in range(0, len(text), 5)] + [window.feed("", True)]
    assert "".join(part.text for part in cleared) == text
    (finding,) = [finding for part in cleared for finding in part.findings]
    assert text[finding.start : finding.end] == "a.b@example.com"
