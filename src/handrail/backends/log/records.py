"""The journal as `verify` and `export` read it: records by index, from either engine.

Verification is plain synchronous work, so it runs on a thread (`asyncio.to_thread`) and asks the event loop for rows.
"""

import asyncio
from typing import Any

from handrail.backends.rows import Reading
from handrail.ledger.read import Columns, Projection
from handrail.ledger.verify import Record

_COLUMNS = (
    "SELECT q.idx, e.facts, p.subject, e.id, e.kind, e.at_ms, i.interaction, i.at_ms, i.use_case, i.conversation, "
    "i.release, i.verdict, i.outcome, i.language, i.kinds, "
)
_FROM = (
    " FROM sequenced q JOIN entry e ON e.seq = q.seq LEFT JOIN payload p ON p.seq = e.seq "
    "LEFT JOIN interaction i ON i.seq = e.seq WHERE q.idx >= $1 AND q.idx < $2 ORDER BY q.idx"
)


class StoredRecords:
    """`ledger.verify.RecordReader` with index columns; give `verify` the projection `ledger.read.columns`. To be called
    from any thread but the loop's own."""

    def __init__(self, reading: Reading, loop: asyncio.AbstractEventLoop, *, payloads: bool = False) -> None:
        """`payloads`: read the ciphertexts too."""
        self._rows, self._loop = reading.rows, loop
        self._sql = _COLUMNS + ("p.sealed" if payloads else "NULL") + _FROM

    def records(self, first: int, limit: int) -> list[Record]:
        """Raises HandrailError JOURNAL_UNAVAILABLE."""
        found = asyncio.run_coroutine_threadsafe(self._rows(self._sql, (first, first + limit)), self._loop).result()
        return [_record(row) for row in found]


def _record(row: tuple[Any, ...]) -> Record:
    index, facts, subject, id_, kind, at_ms, *projected, sealed = row
    projection = None
    if projected[0] is not None:
        projected[4] = None if projected[4] is None else bytes(projected[4])  # release
        projection = Projection(*projected)
    payload = None if sealed is None else bytes(sealed)
    return Record(index, bytes(facts), payload, subject, Columns(id_, kind, at_ms, projection))
