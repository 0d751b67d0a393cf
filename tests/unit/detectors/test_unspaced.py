"""Values that prove themselves by a check digit, in scripts that set no space between words, whole and in streams."""

import pytest

from handrail.detectors.normalise import normalise
from handrail.detectors.pii import find_personal
from handrail.detectors.window import Window
from handrail.terms.finding import Kind

ONES = "4111111111111111"
APART = "4111 1111 1111 1111"
IBAN = "DE89370400440532013000"

SAID = [
    ("カード番号は{}です。", ONES, Kind.CARD),
    ("カード番号は{}です。", APART, Kind.CARD),
    ("カード番号は{}です。", "".join(chr(ord(digit) + 0xFEE0) for digit in ONES), Kind.CARD),
    ("我的卡号是{}，请帮我退款。", ONES, Kind.CARD),
    ("제 카드번호는{}입니다", "4111-1111-1111-1111", Kind.CARD),
    ("บัตรของฉันคือ{}ครับ", ONES, Kind.CARD),
    ("口座は{}です", IBAN, Kind.IBAN),
]


@pytest.mark.parametrize(("text", "value", "kind"), SAID)
def test_what_proves_itself_is_found_beside_a_letter_of_a_script_without_spaces(
    text: str, value: str, kind: Kind
) -> None:
    whole = text.format(value)
    [found] = find_personal(whole)
    assert (found.kind, whole[found.start : found.end]) == (kind, value)


@pytest.mark.parametrize(("text", "value", "kind"), SAID)
@pytest.mark.parametrize("step", [1, 5, 400])
def test_nothing_of_it_leaves_a_stream(text: str, value: str, kind: Kind, step: int) -> None:
    whole = text.format(value)
    window = Window(lambda finding, value: f"[{finding.kind.value}]")
    sent = "".join(window.feed(whole[at : at + step]).text for at in range(0, len(whole), step))
    sent += window.feed("", True).text
    assert sent == text.format(f"[{kind.value}]")
    assert not any(letter.isdigit() for letter in normalise(sent).text)


@pytest.mark.parametrize(
    "text", ["注文番号は1234567890123です", "订单4111111111111112已发货", "주문번호1234567890입니다"]
)
def test_a_number_without_a_check_digit_stays_there(text: str) -> None:
    assert find_personal(text) == []
