"""Bodies of decisions, redeems and reports: what cannot be read is refused with its code."""

import pytest

from handrail.gateway.decisions import Outcome, Shown, Wanted, _read
from handrail.terms.errors import Code, HandrailError

DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b'{"action": "till.note", "arguments": {"a": ' + DEEP + b"}}", Wanted),
        (b'{"permit": "p", "audience": "a", "arguments": {"a": ' + DEEP + b"}}", Shown),
        (b'{"status": "done", "result": ' + DEEP + b"}", Outcome),
    ],
)
def test_a_body_that_is_nested_too_deeply_is_refused_by_its_code(body: bytes, form: type) -> None:
    with pytest.raises(HandrailError) as refused:
        _read(body, form)
    assert refused.value.code is Code.REQUEST_TOO_DEEP
