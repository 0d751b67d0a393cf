"""Numbers as words, per language."""

import pytest

from handrail.detectors.normalise import normalise
from handrail.detectors.pii import find_personal
from handrail.detectors.spoken import digits_view, runs
from handrail.terms.finding import Kind


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("four one one one", "4111"),
        ("four double one one", "4111"),
        ("oh seven triple nine", "07999"),
        ("forty two, eleven, oh five", "421105"),
        ("4 double one 1", "4111"),
        ("four uh one then one", "411"),
        ("two times four, four times the one", "441111"),
        ("four fives", "5555"),
        ("viermal die fünf", "5555"),
        ("quatre fois un, quatre fois le deux", "11112222"),
        ("viermaal een, viermaal de twee", "11112222"),
        ("trzy razy jedynka", "111"),
        ("vierzehn elf null zwo", "141102"),
        ("einundzwanzig dreiunddreißig", "2133"),
        ("fünf sechs sieben", "567"),
        ("zéro six quatre-vingt-dix", "0690"),
        ("soixante et onze quatre-vingts soixante-dix-sept", "718077"),
        ("seiscientos doce treinta y cuatro", "61234"),
        ("veintidós cero cinco", "2205"),
        ("quarantuno ventotto trentatre", "412833"),
        ("noventa e nove meia meia", "9966"),
        ("eenentwintig nul zes", "2106"),
        ("czterdzieści jeden zero siedem", "4107"),
    ],
)
def test_a_spoken_number_is_read(text, digits):
    assert [run.digits for run in runs(normalise(text))] == [digits]


@pytest.mark.parametrize(
    "text",
    [
        "I called two times, three times, four times",
        "two times a day",
        "twice the price",
        "three of the ones",
        "one of the two",
        "two or three of them",
        "un des deux",
        "one. I have two",
        "a six pack",
        "drei Tage",
        "I am 42",
    ],
)
def test_prose_is_no_spoken_number(text):
    assert runs(normalise(text)) == []


def test_each_digit_knows_its_words():
    text = "pin four double two one ok"
    view = digits_view(normalise(text))
    assert view is not None
    assert view.text == "pin 4221 ok"
    at = view.text.index("2")
    assert text[slice(*view.span(at, at + 1))] == "double two"
    assert text[slice(*view.span(4, 8))] == "four double two one"


def test_words_that_double_what_follows_may_stand_in_any_number():
    said = "double " * 5_000 + "four and then, my card is 4111 1111 1111 1111"
    assert [(each.kind, said[each.start : each.end]) for each in find_personal(said)] == [
        (Kind.CARD, "4111 1111 1111 1111")
    ]
