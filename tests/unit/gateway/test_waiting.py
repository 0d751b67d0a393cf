"""How long a caller of an action waits: what is no plain number is no time."""

import asyncio

import pytest
from fakes.storage import CLOCK

from handrail.approvals import lifecycle
from handrail.approvals.facts import About, ActionFacts
from handrail.approvals.lifecycle import Otherwise
from handrail.approvals.store import Stored
from handrail.gateway.actions import _waited, understood
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, SubjectId, UseCaseId


class Reader:
    looks = 0

    async def get(self, action: ActionId) -> Stored:
        self.looks += 1
        return held()


def held() -> Stored:
    progress = lifecycle.held(
        ActionId("ac_1"), Digest("0"), now=CLOCK.now_ms(), needs=1, route="r", decide_by=2**50,
        otherwise=Otherwise.DENY, excluded=frozenset(),
    )  # fmt: skip
    about = About(use_case=UseCaseId("u"), facts=ActionFacts(action="ac_1"))
    return Stored(progress=progress, about=about, subject=SubjectId("su"), request=None, business=b"")


@pytest.mark.parametrize("query", [b"wait=%C2%B2", b"wait=1e9", b"wait=-1", b"wait=nan", b"wait=", b"wait=1.2.3", b"x"])
def test_a_time_that_is_no_plain_number_is_none(query: bytes) -> None:
    reader = Reader()
    asyncio.run(_waited(reader, held(), query))  # type: ignore[arg-type]  one method is enough
    assert reader.looks == 0


def test_who_waits_long_looks_less_often() -> None:
    reader = Reader()
    asyncio.run(_waited(reader, held(), b"wait=2"))  # type: ignore[arg-type]  one method is enough
    assert 4 <= reader.looks <= 8


def test_a_body_that_is_nested_without_end_is_told_so() -> None:
    body = b'{"action": "a", "arguments": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    with pytest.raises(HandrailError) as error:
        understood(body)
    assert error.value.code is Code.REQUEST_TOO_DEEP
