"""The QR code of an app's key: the picture says exactly the modules, and the page needs no script for it."""

import re

import pytest
import segno

from handrail.console.signin.qr import QUIET, Qr, drawn
from handrail.people import totp

ADDRESS = totp.address(bytes(range(20)), issuer="Köhler & Söhne", name="kim@example.com")
STEP = re.compile(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z")


def dark(code: Qr) -> set[tuple[int, int]]:
    """Column and line of each dark module, from the path alone."""
    assert STEP.sub("", code.path) == ""
    found = set()
    for at, line, length, back in STEP.findall(code.path):
        assert length == back
        found |= {(int(at) + step, int(line)) for step in range(int(length))}
    return found


@pytest.mark.promise("SGN-14")
def test_the_picture_is_the_code_of_the_address_with_its_quiet_zone() -> None:
    code = drawn(ADDRESS)
    assert code is not None
    found = dark(code)
    rows = segno.make_qr(ADDRESS, error="m", boost_error=False).matrix
    assert code.size == len(rows) + 2 * QUIET
    wanted = {(at + QUIET, line + QUIET) for line, row in enumerate(rows) for at, each in enumerate(row) if each}
    assert found == wanted
    assert min(min(each) for each in found) == QUIET
    assert max(max(each) for each in found) == code.size - QUIET - 1
    last = code.size - QUIET - 7
    for left, top in ((QUIET, QUIET), (last, QUIET), (QUIET, last)):  # the three corners that a phone looks for
        rim = [(at, line) for at in range(7) for line in range(7) if at in (0, 6) or line in (0, 6)]
        assert all((left + at, top + line) in found for at, line in rim)
        assert not any((left + at, top + 1) in found for at in range(1, 6))


@pytest.mark.promise("SGN-14")
def test_another_key_is_another_picture_and_what_is_too_long_is_none() -> None:
    other = drawn(totp.address(bytes(20), issuer="Köhler & Söhne", name="kim@example.com"))
    assert drawn(ADDRESS) == drawn(ADDRESS) != other
    assert drawn("x" * 1_001) is None
    assert drawn("ü" * 1_000) is None or len(dark(drawn("ü" * 1_000) or Qr(0, ""))) > 0
    assert "otpauth" not in repr(drawn(ADDRESS))
    assert "M" not in repr(drawn(ADDRESS))  # it is as secret as the key
