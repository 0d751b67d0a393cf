"""Several values in one message: each is found, whichever side its name stands on."""

import pytest

from handrail.detectors.pii import find_personal
from handrail.terms.finding import Kind

CVV, PIN, OTP, SSN, DOB, ACCOUNT, CARD = Kind.CVV, Kind.PIN, Kind.OTP, Kind.SSN, Kind.DOB, Kind.ACCOUNT, Kind.CARD


def found(text: str) -> list[tuple[Kind, str]]:
    return [(finding.kind, text[finding.start : finding.end]) for finding in find_personal(text)]


@pytest.mark.promise("PII-1")
@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("My card is 4111111111111111 123 cvv 12/26 exp", [(CARD, "4111111111111111"), (CVV, "123")]),
        ("123 is the cvv, 12/27 the expiry date", [(CVV, "123")]),
        ("123 cvv, 4111 1111 1111 1111", [(CVV, "123"), (CARD, "4111 1111 1111 1111")]),
        ("123 is my cvc and 10 euros were taken", [(CVV, "123")]),
        ("1234 pin, 2 attempts left", [(PIN, "1234")]),
        ("4556 is my PIN. 3 times it failed", [(PIN, "4556")]),
        ("918273 is the otp and 3 of them did not work", [(OTP, "918273")]),
        ("078051120 is my ssn, 12/03/1984 my dob", [(SSN, "078051120"), (DOB, "12/03/1984")]),
        ("12345678 is my account, 2 of them are closed", [(ACCOUNT, "12345678")]),
        ("4556 is the account number, 2 cards", [(ACCOUNT, "4556")]),
        ("4556 is the pin, 1234 is the account number", [(PIN, "4556"), (ACCOUNT, "1234")]),
        ("4556 pin, 918273 otp, 123 cvv", [(PIN, "4556"), (OTP, "918273"), (CVV, "123")]),
        ("456 ist die Prüfnummer, 12/27 das Ablaufdatum", [(CVV, "456")]),
        ("4556 ist meine PIN, 3 Versuche", [(PIN, "4556")]),
        ("4556 est mon code pin, 3 essais", [(PIN, "4556")]),
        ("456 es el cvv, 12/27 la fecha", [(CVV, "456")]),
    ],
)  # fmt: skip
def test_a_value_named_behind_itself_is_found_though_another_number_follows(
    text: str, values: list[tuple[Kind, str]]
) -> None:
    assert found(text) == values


@pytest.mark.promise("PII-1")
@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("123, my cvc 415", [(CVV, "123"), (CVV, "415")]),
        ("123, my cvv 415-555-0132 is my phone", [(CVV, "123"), (Kind.PHONE, "415-555-0132")]),
        ("123: cvc - 12/03/1984", [(CVV, "123")]),
    ],
)
def test_a_name_between_two_numbers_means_each_that_may_be_a_code(text: str, values: list[tuple[Kind, str]]) -> None:
    assert found(text) == values


@pytest.mark.promise("PII-2")
@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("transfer 5000 to account 12345678", [(ACCOUNT, "12345678")]),
        ("I paid 1200, account 12345678", [(ACCOUNT, "12345678")]),
        ("84318931431, pin 1596", [(PIN, "1596")]),
        ("delivered on 12/03/2026 date of birth 03/04/1984", [(DOB, "03/04/1984")]),
        ("order 4821, pin 1596", [(PIN, "1596")]),
    ],
)
def test_a_name_before_its_number_does_not_name_an_amount_or_an_order_before_it(
    text: str, values: list[tuple[Kind, str]]
) -> None:
    assert found(text) == values


ONE, TWO = "4111 1111 1111 1111", "5500 0000 0000 0004"


@pytest.mark.promise("PII-1")
@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f"{ONE}\n{TWO}", [(CARD, ONE), (CARD, TWO)]),
        (f"{ONE}\r\n{TWO}", [(CARD, ONE), (CARD, TWO)]),
        (f"- {ONE}\n- {TWO}\n", [(CARD, ONE), (CARD, TWO)]),
        (f"{ONE}\n\n{TWO}", [(CARD, ONE), (CARD, TWO)]),
        (f"{ONE} {TWO}", [(CARD, ONE), (CARD, TWO)]),
        (f"{ONE}/{TWO}", [(CARD, ONE), (CARD, TWO)]),
        (f"{ONE},{TWO}", [(CARD, ONE), (CARD, TWO)]),
        (f"{ONE} 123 {TWO} 456", [(CARD, ONE), (CARD, TWO)]),
        (f"{ONE} 123\n{TWO} 456", [(CARD, ONE), (CARD, TWO)]),
        (f"{ONE} 12/26 123 {TWO} 11/27 456", [(CARD, ONE), (CVV, "123"), (CARD, TWO), (CVV, "456")]),
        ("4111111111111111,12/26,123", [(CARD, "4111111111111111"), (CVV, "123")]),
    ],
)  # fmt: skip
def test_each_card_of_a_run_is_found(text: str, values: list[tuple[Kind, str]]) -> None:
    assert found(text) == values


@pytest.mark.promise("PII-2")
@pytest.mark.parametrize("text", [f"{ONE} 99999", "4111111111111111,50 EUR", "0,4111111111111111", f"99999 {ONE}"])
def test_a_card_number_inside_a_longer_run_or_an_amount_is_left_alone(text: str) -> None:
    assert CARD not in [kind for kind, _ in found(text)]


PHONE = Kind.PHONE


@pytest.mark.promise("PII-1")
@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("+44 7700 900123 020 7946 0001", [(PHONE, "+44 7700 900123"), (PHONE, "020 7946 0001")]),
        ("020 7946 0001 / 020 7946 0002", [(PHONE, "020 7946 0001"), (PHONE, "020 7946 0002")]),
        ("415-555-0142,415-555-0143", [(PHONE, "415-555-0142"), (PHONE, "415-555-0143")]),
        ("1) 020 7946 0001\n2) 020 7946 0002", [(PHONE, "020 7946 0001"), (PHONE, "020 7946 0002")]),
        ("my account number is 12345678\n87654321", [(ACCOUNT, "12345678"), (ACCOUNT, "87654321")]),
        ("my account number is 12345678,87654321", [(ACCOUNT, "12345678"), (ACCOUNT, "87654321")]),
        ("my ssn is 078051120; 457-55-5462", [(SSN, "078051120"), (SSN, "457-55-5462")]),
    ],
)
def test_each_value_of_a_list_is_found(text: str, values: list[tuple[Kind, str]]) -> None:
    assert found(text) == values


@pytest.mark.promise("PII-2")
@pytest.mark.parametrize(
    "text",
    [
        "part 612 345 678 612 345 678 of the list", "order 020 7946 0001 020 7946 0002", "account 1,234,567",
        "it costs 12,3456789", "version 415.555,20", "1234 5678 1234 5678 1234", "2) 12",
    ],
)  # fmt: skip
def test_a_long_number_or_an_amount_is_no_list(text: str) -> None:
    assert found(text) == []


def test_the_name_of_an_account_does_not_reach_a_number_of_another_length_behind_a_break() -> None:
    assert found("my account number is 12345678.\n20261121 things") == [(ACCOUNT, "12345678"), (ACCOUNT, "20261121")]
    assert found("my account number is 12345678.\n482910 things") == [(ACCOUNT, "12345678")]
