"""Cards whose groups stand apart by unusual signs, whole and in streams."""

import pytest

from handrail.detectors.normalise import normalise
from handrail.detectors.pii import find_personal
from handrail.detectors.window import Window
from handrail.terms.finding import Kind

FOURS = ("4111", "1111", "1111", "1111")
ONES = "4111111111111111"

PARTED = [
    "it is **{}** as you see".format("** **".join(FOURS)),
    "it is `{}` as you see".format("` `".join(FOURS)),
    "it is [{}] as you see".format("] [".join(FOURS)),
    "it is ({}) as you see".format(")(".join(FOURS)),
    "it is {} as you see".format("**".join(FOURS)),
    "it is {} as you see".format(" … ".join(FOURS)),
    "it is 3782 * 822463 * 10005 as you see",
    "my card is {} as you see".format(",".join(FOURS)),
    "my card is {} as you see".format(", ".join(FOURS)),
    "my card is {} as you see".format("|".join(FOURS)),
    "my card number: {} as you see".format("    ".join(FOURS)),
    "my card is {} as you see".format(", ".join(ONES)),
    "I read {}. as you see".format(". ".join(ONES)),
    f"my card #{ONES} as you see",
    "it is {} as you see".format("".join(f"{digit}\ufe0f\u20e3" for digit in ONES)),
    "it is {} as you see".format("".join(f"{digit}\u0336" for digit in ONES)),
]


@pytest.mark.parametrize("text", PARTED)
def test_a_card_in_groups_apart_is_found_whole(text: str) -> None:
    [card] = [each for each in find_personal(text) if each.kind is Kind.CARD]
    rest = normalise(text[: card.start] + text[card.end :]).text
    assert not any(letter.isdigit() for letter in rest)


@pytest.mark.parametrize("text", PARTED)
@pytest.mark.parametrize("step", [1, 5, 400])
def test_no_digit_of_a_card_in_groups_apart_leaves_a_stream(text: str, step: int) -> None:
    window = Window(lambda finding, value: f"[{finding.kind.value}]")
    sent = "".join(window.feed(text[at : at + step]).text for at in range(0, len(text), step))
    sent += window.feed("", True).text
    assert "[CARD]" in sent
    assert not any(letter.isdigit() for letter in normalise(sent).text)


@pytest.mark.parametrize(
    "text",
    [
        "prices: 4111, 1111, 1111, 1111",
        "4111 | 1111 | 1111 | 1111",
        "[4111,1111,1111,1111]",
        "order #4111111111111111",
        "4111 ** 1111 ** 1111 ** 1112",
        "4111 * 1111 * 1111 * 1111 * 1111",
    ],
)
def test_a_list_or_an_order_number_is_no_card(text: str) -> None:
    assert [each for each in find_personal(text) if each.kind is Kind.CARD] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"my card{ONES} ok", [(Kind.CARD, ONES)]),
        (f"card no{ONES} ok", [(Kind.CARD, ONES)]),
        (f"Kartennummer{ONES} ok", [(Kind.CARD, ONES)]),
        (f"Visa{ONES}, cvv123", [(Kind.CARD, ONES), (Kind.CVV, "123")]),
        ("CVV-1234 and pin4711", [(Kind.CVV, "1234"), (Kind.PIN, "4711")]),
        (f"%B{ONES}^DOE/JANE^2712101123456?", [(Kind.CARD, ONES), (Kind.CVV, "2712101123456")]),
        (f";{ONES}=2712101123456?", [(Kind.CARD, ONES), (Kind.CVV, "2712101123456")]),
        (f"order{ONES} and id{ONES}", []),
        ("card4111111111111112, pin12, spin1234, pin-1234-99", []),
    ],
)
def test_a_value_that_nothing_parts_from_its_name_is_found(text: str, found: list[tuple[Kind, str]]) -> None:
    assert [(each.kind, text[each.start : each.end]) for each in find_personal(text)] == found
    window = Window(lambda finding, value: f"[{finding.kind.value}]")
    sent = "".join(window.feed(letter).text for letter in text) + window.feed("", True).text
    assert not any(value in sent for _, value in found)
