"""What passwords, codes and recovery codes are taken: pure."""

import pyotp
import pytest

from handrail.people import totp
from handrail.people.account import Account, recovery_codes, without_recovery
from handrail.people.password import DUMMY, hashed, is_right, require_strong
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

SECRET = b"12345678901234567890"  # of RFC 6238, appendix B
ABOUT = ("Pat Lee", "pat.lee@example.com", "Example Shop")


@pytest.mark.parametrize(
    "password",
    [
        "blue lamp over the river", "4815162342108", "Tr0ub4dor&3 lamp", "ein Kessel pfeift um elf",
        "пароль не для всех",
    ],
)  # fmt: skip
def test_a_long_password_of_any_characters_is_taken(password: str) -> None:
    assert require_strong(password, about=ABOUT)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("eleven char", "12 to 200"), ("x" * 201, "12 to 200"), ("aaaaaaaaaaaaaaaa", "repeats"),
        ("password1234", "tried first"), ("P@ssw0rd1234", "tried first"), ("Sommer2026!!!!", "tried first"),
        ("qwertyuiop12", "tried first"), ("123456789012", "tried first"), ("pat.lee-2026-pat", "tried first"),
        ("handrail-admin-1", "tried first"), ("Example-Shop-24!", "tried first"),
    ],
)  # fmt: skip
def test_a_short_or_obvious_password_is_refused_with_a_way_out_and_never_repeated(password: str, why: str) -> None:
    with pytest.raises(HandrailError) as refused:
        require_strong(password, about=ABOUT)
    assert refused.value.code is Code.REQUEST_INVALID
    assert why in refused.value.message
    assert password not in refused.value.message


def test_a_password_is_right_however_its_letters_are_composed_and_wrong_otherwise() -> None:
    stored = hashed("caf\u00e9 lamp river", b"s" * 16)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert is_right(stored, "cafe\u0301 lamp river")
    assert not is_right(stored, "cafe lamp river")
    assert not is_right("", "nobody's password")  # what a missing hash is compared with
    assert not is_right("damaged", "x")
    assert is_right(DUMMY, "nobody's password")  # it is a real hash, so it takes as long


@pytest.mark.promise("SGN-5")
def test_codes_are_those_of_the_rfc() -> None:
    assert [totp.code_at(SECRET, at // 30) for at in (59, 1_111_111_109, 20_000_000_000)] == [
        "287082", "081804", "353130",
    ]  # fmt: skip
    assert totp.secret_text(SECRET) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    address = totp.address(SECRET, issuer="Example Shop", name="pat@example.com")
    assert pyotp.parse_uri(address).secret == totp.secret_text(SECRET)


@pytest.mark.promise("SGN-5")
@pytest.mark.parametrize(("away", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_taken_one_step_around_now(away: int, taken: bool) -> None:
    found = totp.accepted(SECRET, totp.code_at(SECRET, 100 + away), now_ms=100 * 30_000, last_step=0)
    assert (found is not None) is taken


@pytest.mark.promise("SGN-5")
def test_a_step_is_taken_once_and_no_older_one_after_it() -> None:
    now = 100 * 30_000
    first = totp.accepted(SECRET, totp.code_at(SECRET, 100), now_ms=now, last_step=0)
    assert first == 100
    for step in (99, 100):
        assert totp.accepted(SECRET, totp.code_at(SECRET, step), now_ms=now, last_step=first) is None
    assert totp.accepted(SECRET, totp.code_at(SECRET, 101), now_ms=now, last_step=first) == 101


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "٢٨٧٠٨٢", "28708 2 0"])
def test_what_is_no_six_digits_is_no_code(code: str) -> None:
    assert totp.accepted(SECRET, code, now_ms=59_000, last_step=0) is None


def test_a_recovery_code_works_once_however_it_is_typed() -> None:
    codes, hashes = recovery_codes(bytes(range(200)))
    assert len(set(codes)) == 10
    account = Account(id=PersonId("pe_a"), recovery=hashes)
    left = without_recovery(account, f" {codes[4].upper().replace('-', ' ')} ")
    assert left is not None
    assert len(left.recovery) == 9
    assert without_recovery(left, codes[4]) is None
    assert without_recovery(left, codes[5]) is not None
    assert without_recovery(account, "") is None
