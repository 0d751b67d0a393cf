"""Filling columns that older rows do not have yet, in steps that a running server does not feel.

Migration 021 gave `interaction` the columns `channel` and `arm`. A row of before has NULL there, and a search asks its
facts instead: right, but slow. `Filling` takes the rows newest first, so many at a time: facts are read beside the
writer, and one short command changes the rows and moves the mark, so that a step is done whole or not at all and two
servers do no step twice. What an older handrail records beside a newer one, after the migration, may stay NULL.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

from handrail.backends.journal import BatchedJournal
from handrail.backends.rows import Reading
from handrail.ledger.read import derive

STEP = 400
"""Rows of one step: a few milliseconds of the writer."""
_BELOW = "SELECT below FROM interaction_fill"
_UNFILLED = (
    "SELECT i.seq, e.facts FROM interaction i JOIN entry e ON e.seq = i.seq "
    "WHERE i.seq < $1 ORDER BY i.seq DESC LIMIT $2"
)
_MOVE = "UPDATE interaction_fill SET below = $1 WHERE below = $2 RETURNING below"


class _Transaction(Protocol):
    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Filling:
    """One for each process that fills."""

    def __init__(self, journal: BatchedJournal, reading: Reading) -> None:
        self._journal = journal
        self._rows = reading.rows

    async def step(self, limit: int = STEP) -> bool:
        """Whether more is left. Raises HandrailError JOURNAL_UNAVAILABLE; nothing of the step is done then."""
        below = int((await self._rows(_BELOW))[0][0])
        if not below:
            return False
        found = await self._rows(_UNFILLED, (below, limit))
        after = int(found[-1][0]) if len(found) == limit else 0
        said = _said(found)
        await self._journal.run(lambda tx: _fill(tx, said, before=below, after=after))
        return after > 0


def _said(rows: Sequence[tuple[Any, ...]]) -> dict[tuple[str, str], list[int]]:
    """Row numbers by channel and arm. Facts that cannot be read are left alone: `verify` names them."""
    said: dict[tuple[str, str], list[int]] = defaultdict(list)
    for seq, facts in rows:
        try:
            columns = derive(bytes(facts))
        except ValueError:
            continue
        if columns is not None:
            said[columns.channel, columns.arm].append(seq)
    return said


def _fill(tx: _Transaction, said: dict[tuple[str, str], list[int]], *, before: int, after: int) -> None:
    if not tx.fetch(_MOVE, (after, before)):
        return  # another server took this step
    for (channel, arm), numbers in said.items():
        places = ", ".join(f"${at}" for at in range(3, len(numbers) + 3))
        tx.fetch(
            f"UPDATE interaction SET channel = $1, arm = $2 WHERE seq IN ({places})",  # noqa: S608  places alone
            (channel, arm, *numbers),
        )
