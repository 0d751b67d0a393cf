"""Who loses a race is answered from where the action is then."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from handrail.approvals.settle import settled
from handrail.terms.errors import Code, HandrailError


class Raced:
    """A journal whose first answers are these."""

    def __init__(self, *codes: Code) -> None:
        self.left = list(codes)
        self.runs = 0

    async def run(self, command: Callable[[Any], Any]) -> Any:
        self.runs += 1
        if self.left:
            raise HandrailError(self.left.pop(0), "as the command says")
        return command(None)


def run(journal: Any) -> Any:
    return asyncio.run(settled(journal, lambda tx: "done"))


@pytest.mark.promise("APR-3")
def test_a_lost_race_is_looked_at_once_more_and_says_who_decided() -> None:
    journal = Raced(Code.LOST_RACE, Code.ALREADY_DECIDED)
    with pytest.raises(HandrailError) as late:
        run(journal)
    assert (late.value.code, journal.runs) == (Code.ALREADY_DECIDED, 2)
    assert run(Raced(Code.LOST_RACE)) == "done"


def test_what_is_refused_is_not_tried_again() -> None:
    journal = Raced(Code.NOT_ALLOWED)
    with pytest.raises(HandrailError):
        run(journal)
    assert journal.runs == 1
