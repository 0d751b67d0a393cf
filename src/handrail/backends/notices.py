"""The outbox of notices in a table: statements that both engines understand. Nothing personal stands in it."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from handrail.approvals.notices import Notice, NoticeState, Posted
from handrail.backends.rows import Reading
from handrail.terms.errors import Code, HandrailError

_COLUMNS = "state, version, due_at, tries, lease_owner, code, notice"
LAST = f"SELECT {_COLUMNS} FROM notice WHERE id IN (SELECT max(id) FROM notice GROUP BY receiver, state) ORDER BY id"  # noqa: S608  ours
"""The newest notice of each receiver in each state: one pass over the outbox, which keeps thirty days."""


class _Transaction(Protocol):
    @property
    def now_ms(self) -> int: ...

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Outbox:
    """`approvals.notices.NoticeStore`."""

    def __init__(self, tx: _Transaction) -> None:
        self._tx = tx

    def add(self, notice: Notice) -> None:
        self._tx.fetch(
            "INSERT INTO notice (id, receiver, state, version, at_ms, due_at, tries, lease_owner, code, notice) "
            "VALUES ($1, $2, $3, 0, $4, $5, 0, '', '', $6)",
            (
                notice.id, notice.receiver, NoticeState.WAITING.value, notice.at_ms, notice.due_ms,
                msgspec.json.encode(notice),
            ),
        )  # fmt: skip

    def get(self, notice: str) -> Posted:
        found = self._tx.fetch(f"SELECT {_COLUMNS} FROM notice WHERE id = $1", (notice,))  # noqa: S608  ours
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no notice with this id; see handrail notices list")
        return posted(found[0])

    def swap(self, before: Posted, after: Posted) -> None:
        values = (
            after.state.value, after.version, after.due_at, after.tries, after.lease_owner, after.code,
            msgspec.json.encode(after.notice), before.notice.id, before.version,
        )  # fmt: skip
        sql = (
            "UPDATE notice SET state = $1, version = $2, due_at = $3, tries = $4, lease_owner = $5, code = $6, "
            "notice = $7 WHERE id = $8 AND version = $9 RETURNING id"
        )
        if not self._tx.fetch(sql, values):
            raise HandrailError(Code.LOST_RACE, "this notice was moved meanwhile; look at it again")

    def due_receivers(self) -> list[str]:
        found = self._tx.fetch(
            "SELECT DISTINCT receiver FROM notice WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY receiver",
            (self._tx.now_ms,),
        )
        return [str(row[0]) for row in found]

    def due(self, receiver: str, *, limit: int) -> list[Posted]:
        found = self._tx.fetch(
            f"SELECT {_COLUMNS} FROM notice WHERE receiver = $1 AND due_at IS NOT NULL AND due_at <= $2 "  # noqa: S608  ours
            "ORDER BY due_at, id LIMIT $3",
            (receiver, self._tx.now_ms, limit),
        )
        return [posted(row) for row in found]

    def forget(self, *, before_ms: int, limit: int) -> int:
        gone = self._tx.fetch(
            "DELETE FROM notice WHERE id IN "
            "(SELECT id FROM notice WHERE due_at IS NULL AND at_ms < $1 ORDER BY at_ms LIMIT $2) RETURNING id",
            (before_ms, limit),
        )
        return len(gone)


class StoredNotices:
    """`approvals.notices.NoticeReader`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def next_due(self) -> int | None:
        found = await self._rows("SELECT min(due_at) FROM notice WHERE due_at IS NOT NULL", ())
        return None if found[0][0] is None else int(found[0][0])

    async def listed(self, states: frozenset[NoticeState], *, limit: int) -> list[Posted]:
        names = ", ".join(f"'{state.value}'" for state in sorted(states))
        sql = f"SELECT {_COLUMNS} FROM notice WHERE state IN ({names}) ORDER BY id LIMIT $1"  # noqa: S608  ours
        return [posted(row) for row in await self._rows(sql, (limit,))]


def posted(row: Sequence[Any]) -> Posted:
    """A row of `_COLUMNS`."""
    state, version, due_at, tries, lease_owner, code, notice = row
    return Posted(
        notice=_NOTICE.decode(bytes(notice)), state=NoticeState(state), version=int(version),
        due_at=None if due_at is None else int(due_at), tries=int(tries), lease_owner=lease_owner, code=code,
    )  # fmt: skip


_NOTICE = msgspec.json.Decoder(Notice)
