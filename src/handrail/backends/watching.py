"""The watch in its tables: statements that both engines understand, on a command's transaction; and reads of what is
committed, beside the writer. Nothing personal stands in them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from handrail.backends.rows import Reading
from handrail.ledger.commitment import read_facts
from handrail.ledger.read import BIT, interaction_facts
from handrail.review.outcome import OutcomeFacts
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId
from handrail.watch.alert import Alert, AlertKind, AlertState, Silence
from handrail.watch.fold import FORCED
from handrail.watch.measure import Asked, Cell, Counts, Told, Used
from handrail.watch.series import Series
from handrail.watch.triggers import TOLD, TRIGGERS

_ALERT = msgspec.json.Decoder(Alert)
_SILENCE = msgspec.json.Decoder(Silence)
_SERIES = msgspec.json.Decoder(Series)
_COUNTS = msgspec.json.Decoder(dict[str, int])
PORTION = 500
"""Interactions whose facts are in memory at once."""
_MOST = 2**53
"""A count stands here: what a provider or a reporter claims cannot make a number that storage refuses."""
MEASURED = (
    "WITH RECURSIVE named (use_case) AS (SELECT min(use_case) FROM measure UNION ALL "
    "SELECT (SELECT min(use_case) FROM measure WHERE use_case > named.use_case) FROM named "
    "WHERE named.use_case IS NOT NULL) "
    "SELECT m.use_case, m.hour, m.release, m.language, m.channel, m.counts FROM named CROSS JOIN measure m "
    "WHERE m.use_case = named.use_case AND m.hour >= $1 AND m.hour < $2 "
    "ORDER BY m.use_case, m.hour, m.release, m.language, m.channel"
)
"""Hours of every use case, each found by the key, which begins with the use case: hours alone would read the table."""
_OUTCOME = msgspec.json.Decoder(OutcomeFacts)


_TRIGGERS = sum(BIT[kind] for kind in TRIGGERS)


class _Transaction(Protocol):
    @property
    def now_ms(self) -> int: ...

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Alerts:
    """`watch.alarm.AlertStore`."""

    def __init__(self, tx: _Transaction) -> None:
        self._tx = tx

    def open(self, cause: str) -> Alert | None:
        found = self._tx.fetch("SELECT body FROM alert WHERE cause = $1 AND state <> 'closed'", (cause,))
        return _ALERT.decode(bytes(found[0][0])) if found else None

    def unanswered(self, use_case: UseCaseId, kind: AlertKind) -> list[Alert]:
        found = self._tx.fetch(
            "SELECT body FROM alert WHERE use_case = $1 AND state = 'raised' ORDER BY id", (use_case,)
        )
        alerts = [_ALERT.decode(bytes(row[0])) for row in found]
        return [one for one in alerts if one.first.kind is kind]

    def get(self, alert: str) -> Alert:
        found = self._tx.fetch("SELECT body FROM alert WHERE id = $1", (alert,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no alert with this id; see handrail alerts list")
        return _ALERT.decode(bytes(found[0][0]))

    def add(self, alert: Alert) -> None:
        self._tx.fetch(
            "INSERT INTO alert (id, cause, use_case, state, version, due_at, body) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7)",
            (
                alert.id, alert.first.cause, alert.first.use_case, alert.state.value, alert.version, alert.due_at,
                msgspec.json.encode(alert),
            ),
        )  # fmt: skip

    def swap(self, before: Alert, after: Alert) -> None:
        values = (
            after.state.value, after.version, after.due_at, msgspec.json.encode(after), before.id, before.version,
        )  # fmt: skip
        sql = (
            "UPDATE alert SET state = $1, version = $2, due_at = $3, body = $4 WHERE id = $5 AND version = $6 "
            "RETURNING id"
        )
        if not self._tx.fetch(sql, values):
            raise HandrailError(Code.LOST_RACE, "this alert was moved meanwhile; look at it again")

    def due(self, *, limit: int) -> list[Alert]:
        sql = "SELECT body FROM alert WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY due_at, id LIMIT $2"
        return [_ALERT.decode(bytes(row[0])) for row in self._tx.fetch(sql, (self._tx.now_ms, limit))]

    def silences(self) -> list[Silence]:
        found = self._tx.fetch("SELECT body FROM silence WHERE until_ms > $1 ORDER BY id", (self._tx.now_ms,))
        return [_SILENCE.decode(bytes(row[0])) for row in found]

    def silence(self, silence: Silence) -> None:
        self._tx.fetch(
            "INSERT INTO silence (id, until_ms, body) VALUES ($1, $2, $3)",
            (silence.id, silence.until_ms, msgspec.json.encode(silence)),
        )

    def end(self, silence: str) -> Silence:
        sql = "SELECT body FROM silence WHERE id = $1 AND until_ms > $2"
        found = self._tx.fetch(sql, (silence, self._tx.now_ms))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "no such silence is in force; see handrail alerts list")
        ended = msgspec.structs.replace(_SILENCE.decode(bytes(found[0][0])), until_ms=self._tx.now_ms)
        sql = "UPDATE silence SET until_ms = $1, body = $2 WHERE id = $3"
        self._tx.fetch(sql, (ended.until_ms, msgspec.json.encode(ended), silence))
        return ended

    def hidden(self) -> list[Alert]:
        found = self._tx.fetch("SELECT body FROM alert WHERE state = 'raised' AND due_at IS NOT NULL ORDER BY id")
        return [one for row in found if (one := _ALERT.decode(bytes(row[0]))).silent]


class Watch:
    """`watch.fold.WatchStore`."""

    def __init__(self, tx: _Transaction) -> None:
        self._tx = tx

    def lead(self, holder: str, lease_ms: int) -> bool:
        now = self._tx.now_ms
        return bool(
            self._tx.fetch(
                "UPDATE watch_lead SET holder = $1, until = $2 WHERE one = 1 AND (holder = $1 OR until <= $3) "
                "RETURNING one",
                (holder, now + lease_ms, now),
            )
        )

    def cursor(self, stream: str) -> int | None:
        found = self._tx.fetch("SELECT until_ms FROM watch_cursor WHERE stream = $1", (stream,))
        return int(found[0][0]) if found else None

    def resign(self, holder: str) -> None:
        self._tx.fetch("UPDATE watch_lead SET until = 0 WHERE holder = $1", (holder,))

    def advance(self, stream: str, before_ms: int | None, until_ms: int) -> None:
        values: tuple[str | int, ...]
        if before_ms is None:
            sql, values = (
                "INSERT INTO watch_cursor (stream, until_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING stream",
                (stream, until_ms),
            )
        else:
            sql = "UPDATE watch_cursor SET until_ms = $1 WHERE stream = $2 AND until_ms = $3 RETURNING stream"
            values = (until_ms, stream, before_ms)
        if not self._tx.fetch(sql, values):
            raise HandrailError(Code.LOST_RACE, "another process counted this already")

    def count(self, cells: Mapping[Cell, Counts]) -> None:
        for cell, more in sorted(cells.items()):
            key = (cell.use_case, cell.hour, cell.release, cell.language, cell.channel)
            found = self._tx.fetch(
                "SELECT counts FROM measure WHERE use_case = $1 AND hour = $2 AND release = $3 AND language = $4 "
                "AND channel = $5",
                key,
            )
            total = Counts(_COUNTS.decode(bytes(found[0][0]))) if found else Counts()
            total.update(more)
            self._tx.fetch(
                "INSERT INTO measure (use_case, hour, release, language, channel, counts) "
                "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (use_case, hour, release, language, channel) "
                "DO UPDATE SET counts = excluded.counts",
                (*key, msgspec.json.encode({name: min(number, _MOST) for name, number in total.items()})),
            )

    def keep(self, series: Iterable[Series]) -> None:
        for one in series:
            self._tx.fetch(
                "INSERT INTO watched (use_case, metric, body) VALUES ($1, $2, $3) ON CONFLICT (use_case, metric) "
                "DO UPDATE SET body = excluded.body",
                (one.use_case, one.metric, msgspec.json.encode(one)),
            )

    def see(self, use_case: str, what: str, value: str) -> bool:
        return bool(
            self._tx.fetch(
                "INSERT INTO seen_value (use_case, what, value, at_ms) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT DO NOTHING RETURNING value",
                (use_case, what, value, self._tx.now_ms),
            )
        )

    def saw(self, use_case: str, what: str, value: str) -> bool:
        sql = "SELECT 1 FROM seen_value WHERE use_case = $1 AND what = $2 AND value = $3"
        return bool(self._tx.fetch(sql, (use_case, what, value)))

    def values(self, use_case: str, what: str, since_ms: int = 0) -> int:
        sql = "SELECT count(*) FROM seen_value WHERE use_case = $1 AND what = $2 AND at_ms >= $3"
        return int(self._tx.fetch(sql, (use_case, what, since_ms))[0][0])

    def forget(self, what: str, before_ms: int) -> None:
        self._tx.fetch("DELETE FROM seen_value WHERE what = $1 AND at_ms < $2", (what, before_ms))

    def series_of(self, use_case: str, metric: str) -> Series | None:
        found = self._tx.fetch("SELECT body FROM watched WHERE use_case = $1 AND metric = $2", (use_case, metric))
        return _SERIES.decode(bytes(found[0][0])) if found else None


class StoredWatch:
    """`watch.fold.WatchReader`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def cursors(self) -> dict[str, int]:
        return {str(row[0]): int(row[1]) for row in await self._rows("SELECT stream, until_ms FROM watch_cursor")}

    async def first_after(self, at_ms: int) -> int | None:
        found = await self._rows("SELECT min(at_ms) FROM interaction WHERE at_ms >= $1", (at_ms,))
        return None if found[0][0] is None else int(found[0][0])

    async def asked(self, since_ms: int, until_ms: int, *, portion: int = PORTION) -> AsyncIterator[list[Asked]]:
        """By time, in portions: the facts of a busy minute would take a hundred megabytes at once."""
        after = (since_ms, -1)
        while True:
            found = await self._rows(
                "SELECT i.at_ms, e.facts, i.seq FROM interaction i JOIN entry e ON e.seq = i.seq "
                "WHERE i.at_ms >= $1 AND i.at_ms < $2 AND (i.at_ms > $1 OR i.seq > $3) "
                "ORDER BY i.at_ms, i.seq LIMIT $4",
                (after[0], until_ms, after[1], portion),
            )
            if found:
                yield [Asked(int(at), interaction_facts(read_facts(bytes(facts)))) for at, facts, _ in found]
            if len(found) < portion:
                return
            after = (int(found[-1][0]), int(found[-1][2]))

    async def began(self, since_ms: int, until_ms: int) -> list[Asked]:
        """First interactions of their conversations, by time."""
        return [one async for some in self.asked(since_ms, until_ms) for one in some if one.facts.first]

    async def triggered(self, since_ms: int, limit: int) -> list[Asked]:
        found = await self._rows(
            "SELECT i.at_ms, e.facts FROM interaction i JOIN entry e ON e.seq = i.seq "
            "LEFT JOIN seen_value s ON s.use_case = i.use_case AND s.what = $1 AND s.value = i.interaction "
            "WHERE i.at_ms >= $2 AND i.kinds & $3 <> 0 AND s.value IS NULL ORDER BY i.at_ms, i.seq LIMIT $4",
            (TOLD, since_ms, _TRIGGERS, limit),
        )
        return [Asked(int(at), interaction_facts(read_facts(bytes(facts)))) for at, facts in found]

    async def forced(self, since_ms: int, until_ms: int) -> frozenset[str]:
        found = await self._rows(
            "SELECT DISTINCT i.conversation FROM interaction i JOIN seen_value s "
            "ON s.use_case = i.use_case AND s.what = $1 AND s.value = i.conversation "
            "WHERE i.at_ms >= $2 AND i.at_ms < $3",
            (FORCED, since_ms, until_ms),
        )
        return frozenset(str(row[0]) for row in found)

    async def told(self, since_ms: int, until_ms: int) -> list[Told]:
        found = await self._rows(
            "SELECT DISTINCT o.id, o.conversation, o.facts FROM interaction i "
            "JOIN outcome o ON o.conversation = i.conversation WHERE i.at_ms >= $1 AND i.at_ms < $2",
            (since_ms, until_ms),
        )
        return [Told(str(name), _OUTCOME.decode(bytes(facts))) for _, name, facts in sorted(found)]

    async def used(self, first: str, last: str) -> list[Used]:
        found = await self._rows("SELECT id, about FROM action WHERE id >= $1 AND id < $2 ORDER BY id", (first, last))
        used = []
        for name, about in found:
            row = msgspec.json.decode(bytes(about), type=_Used)
            used.append(Used(str(name), row.use_case, row.facts.tool, row.facts.drill, row.facts.verdict))
        return used

    async def series(self) -> list[Series]:
        found = await self._rows("SELECT body FROM watched ORDER BY use_case, metric")
        return [_SERIES.decode(bytes(row[0])) for row in found]

    async def measured(self, since_hour: int, until_hour: int) -> list[tuple[Cell, Counts]]:
        return _cells(await self._rows(MEASURED, (since_hour, until_hour)))

    async def counted(
        self, use_cases: Sequence[str], since_hour: int, until_hour: int, *, limit: int
    ) -> list[tuple[Cell, Counts]]:
        if not use_cases:
            return []
        found = await self._rows(
            "SELECT use_case, hour, release, language, channel, counts FROM measure "  # noqa: S608  places alone
            f"WHERE use_case IN ({_places(use_cases)}) AND hour >= ${len(use_cases) + 1} "
            f"AND hour < ${len(use_cases) + 2} "
            f"ORDER BY hour DESC, use_case, release, language, channel LIMIT ${len(use_cases) + 3}",
            (*use_cases, since_hour, until_hour, limit),
        )
        return await asyncio.to_thread(_cells, found)

    async def summed(self, use_cases: Sequence[str], since_hour: int, until_hour: int) -> Counts:
        total = Counts()
        if not use_cases:
            return total
        found = await self._rows(
            f"SELECT counts FROM measure WHERE use_case IN ({_places(use_cases)}) "  # noqa: S608  places alone
            f"AND hour >= ${len(use_cases) + 1} AND hour < ${len(use_cases) + 2}",
            (*use_cases, since_hour, until_hour),
        )
        for (counts,) in found:
            for name, count in _COUNTS.decode(bytes(counts)).items():
                total[name] = total.get(name, 0) + count
        return total

    async def series_of(self, use_cases: Sequence[str]) -> list[Series]:
        if not use_cases:
            return []
        found = await self._rows(
            f"SELECT body FROM watched WHERE use_case IN ({_places(use_cases)}) ORDER BY use_case, metric",  # noqa: S608  places alone
            tuple(use_cases),
        )
        return [_SERIES.decode(bytes(row[0])) for row in found]

    async def alerts(self, *, states: frozenset[AlertState], limit: int) -> list[Alert]:
        names = ", ".join(f"'{state.value}'" for state in sorted(states))
        sql = f"SELECT body FROM alert WHERE state IN ({names}) ORDER BY id DESC LIMIT $1"  # noqa: S608  ours
        return [_ALERT.decode(bytes(row[0])) for row in await self._rows(sql, (limit,))]

    async def alert(self, name: str) -> Alert:
        found = await self._rows("SELECT body FROM alert WHERE id = $1", (name,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no alert with this id; see handrail alerts list")
        return _ALERT.decode(bytes(found[0][0]))

    async def escalation_due(self) -> int | None:
        found = await self._rows("SELECT min(due_at) FROM alert WHERE due_at IS NOT NULL", ())
        return None if found[0][0] is None else int(found[0][0])

    async def silences(self, now_ms: int) -> list[Silence]:
        found = await self._rows("SELECT body FROM silence WHERE until_ms > $1 ORDER BY id", (now_ms,))
        return [_SILENCE.decode(bytes(row[0])) for row in found]


def _cells(found: Sequence[tuple[Any, ...]]) -> list[tuple[Cell, Counts]]:
    return [
        (Cell(use_case, int(hour), release, language, channel), Counts(_COUNTS.decode(bytes(counts))))
        for use_case, hour, release, language, channel, counts in found
    ]


def _places(values: Sequence[str]) -> str:
    return ", ".join(f"${at}" for at in range(1, len(values) + 1))


class _Facts(msgspec.Struct, kw_only=True):
    tool: str = ""
    drill: bool = False
    verdict: str = ""


class _Used(msgspec.Struct, kw_only=True):
    use_case: str
    facts: _Facts
