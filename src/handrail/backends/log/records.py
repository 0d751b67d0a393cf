"""The journal as `verify` and `export` read it: records by index, from either engine.

Verification is plain synchronous work, so it runs on a thread (`asyncio.to_thread`) and asks the event loop for rows.
"""

import asyncio
import struct
from typing import Any

import msgspec

from handrail.backends.rows import ERASED_ALONE, Reading
from handrail.ledger.commitment import payload_of, read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.erase import RetentionFacts
from handrail.ledger.read import Columns, Projection, derive
from handrail.ledger.verify import Absence, Record

_COLUMNS = (
    "SELECT q.idx, e.facts, p.subject, e.id, e.kind, e.at_ms, i.interaction, i.at_ms, i.use_case, i.conversation, "
    "i.release, i.verdict, i.outcome, i.language, i.kinds, i.channel, i.arm, "
)
_UNREAD = "NULL, 0, NULL, NULL"
_READ = (  # the ciphertext; where there is none: whether it was erased, an outcome's time, the leaf
    "p.sealed, CASE WHEN p.sealed IS NULL THEN "  # noqa: S608  our own text
    "(SELECT count(*) FROM subject s WHERE s.id = p.subject AND s.wrapped IS NULL) "
    f"+ CASE WHEN {ERASED_ALONE} THEN 1 ELSE 0 END ELSE 0 END, "
    "CASE WHEN p.sealed IS NULL THEN "
    "(SELECT min(o.received_at_ms) FROM outcome o WHERE o.subject = p.subject AND o.entry = e.id) END, "
    "CASE WHEN p.sealed IS NULL THEN e.commitment END"
)
_FROM = (
    " FROM sequenced q JOIN entry e ON e.seq = q.seq LEFT JOIN payload p ON p.seq = e.seq "
    "LEFT JOIN interaction i ON i.seq = e.seq WHERE q.idx >= $1 AND q.idx < $2 ORDER BY q.idx"
)
_RETENTIONS = "SELECT facts FROM entry WHERE kind = $1"


class StoredRecords:
    """`ledger.verify.RecordReader` with index columns; give `verify` the projection `ledger.read.columns`. To be called
    from any thread but the loop's own.

    Why a payload is absent: ERASED when its row is empty and the key of its subject is destroyed, or its conversation
    was erased by itself; EXPIRED when its row
    is empty and a retention of its use case (for an outcome: of any, as it may have had none then) reaches beyond its
    time; else MISSING. Neither an erasure nor a retention deletes the row."""

    def __init__(self, reading: Reading, loop: asyncio.AbstractEventLoop, *, payloads: bool = False) -> None:
        """`payloads`: read the ciphertexts too."""
        self._rows, self._loop = reading.rows, loop
        self._payloads = payloads
        self._sql = _COLUMNS + (_READ if payloads else _UNREAD) + _FROM
        self._reach: dict[str, int] = {}  # the latest time that retention reached, by use case

    def records(self, first: int, limit: int) -> list[Record]:
        """Raises HandrailError JOURNAL_UNAVAILABLE."""
        found = self._fetch(self._sql, (first, first + limit))
        records = [_record(row, self._absence(row)) for row in found]
        unexplained = any(
            record.absence is Absence.MISSING and record.payload is None and _commits(row[-1])
            for row, record in zip(found, records, strict=True)
        )
        if unexplained and self._look_again():
            records = [_record(row, self._absence(row)) for row in found]
        return records

    def _fetch(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return asyncio.run_coroutine_threadsafe(self._rows(sql, values), self._loop).result()

    def _absence(self, row: tuple[Any, ...]) -> Absence:
        subject, interaction_at, use_case, destroyed, outcome_at = row[2], row[7], row[8], row[-3], row[-2]
        if not self._payloads:
            return Absence.LEFT_OUT
        if subject is None or row[-4] is not None:
            return Absence.MISSING
        if destroyed:
            return Absence.ERASED
        at_ms, reach = interaction_at, self._reach.get(use_case, 0)
        if outcome_at is not None:
            at_ms, reach = outcome_at, max(self._reach.values(), default=0)
        return Absence.EXPIRED if at_ms is not None and at_ms < reach else Absence.MISSING

    def _look_again(self) -> bool:
        """Read how far retention reached; whether that is new. It may have run since the last look."""
        reach: dict[str, int] = {}
        for (facts,) in self._fetch(_RETENTIONS, (EntryKind.RETENTION_APPLIED.value,)):
            try:
                said = msgspec.json.decode(read_facts(bytes(facts)).facts, type=RetentionFacts)
            except ValueError:
                continue  # it explains nothing; `verify` names the entry
            reach[said.use_case] = max(said.before_ms, reach.get(said.use_case, 0))
        new, self._reach = reach != self._reach, reach
        return new


def _commits(leaf: bytes | None) -> bool:
    """Whether a stored leaf commits to a payload; a torn one may."""
    try:
        return leaf is not None and payload_of(bytes(leaf)) is not None
    except (IndexError, struct.error):
        return True


def _record(row: tuple[Any, ...], absence: Absence) -> Record:
    index, facts, subject, id_, kind, at_ms, *projected, sealed, _, _, _ = row
    projection = None
    if projected[0] is not None:
        projected[4] = None if projected[4] is None else bytes(projected[4])  # release
        if None in projected[-2:]:
            projected[-2:] = _filled(projected[-2], projected[-1], bytes(facts))
        projection = Projection(*projected)
    payload = None if sealed is None else bytes(sealed)
    return Record(index, bytes(facts), payload, subject, Columns(id_, kind, at_ms, projection), absence)


def _filled(channel: str | None, arm: str | None, facts: bytes) -> tuple[str | None, str | None]:
    """Channel and arm of a row of before migration 021: what it will be filled with; until then a search asks the facts
    themselves. Facts that cannot be read fill nothing: `verify` names the entry."""
    try:
        said = derive(facts)
    except ValueError:
        said = None
    if said is None:
        return channel, arm
    return said.channel if channel is None else channel, said.arm if arm is None else arm
