"""Incidents in their table, and whom they concern: statements that both engines understand."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from handrail.backends.rows import Reading
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import BIT
from handrail.review.incident import Incident, Scope
from handrail.review.incidents import Affected, Concerned
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import UseCaseId

_INCIDENT = msgspec.json.Decoder(Incident)
_AROUND = tuple(
    kind.value
    for kind in EntryKind
    if kind.value.split(".")[0] in ("release", "stop", "alert", "ruleset", "incident", "autonomy", "baseline")
)
"""Kinds of the timeline."""
_LISTED = ", ".join(f"'{kind}'" for kind in _AROUND)
_INCIDENTS = ", ".join(f"'{kind}'" for kind in _AROUND if kind.startswith("incident."))
_TIMELINE = (
    f"SELECT facts FROM entry WHERE kind IN ({_LISTED}) AND kind NOT IN ('interaction.opened', 'interaction.closed') "  # noqa: S608  ours
    f"AND at_ms >= $1 AND (kind IN ({_INCIDENTS}) OR at_ms < $2)"
)
"""The second condition is the index's, which holds no interactions."""


class _Transaction(Protocol):
    @property
    def now_ms(self) -> int: ...

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Incidents:
    """`review.incidents.IncidentStore`."""

    def __init__(self, tx: _Transaction) -> None:
        self._tx = tx

    def add(self, incident: Incident) -> None:
        self._tx.fetch(
            "INSERT INTO incident (id, use_case, state, version, body) VALUES ($1, $2, $3, $4, $5)",
            (
                incident.id, incident.use_case, incident.state.value, incident.version,
                msgspec.json.encode(incident),
            ),
        )  # fmt: skip

    def get(self, incident: str) -> Incident:
        found = self._tx.fetch("SELECT body FROM incident WHERE id = $1", (incident,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no incident with this id; see handrail incident list")
        return _INCIDENT.decode(bytes(found[0][0]))

    def swap(self, before: Incident, after: Incident) -> None:
        values = (after.state.value, after.version, msgspec.json.encode(after), before.id, before.version)
        sql = "UPDATE incident SET state = $1, version = $2, body = $3 WHERE id = $4 AND version = $5 RETURNING id"
        if not self._tx.fetch(sql, values):
            raise HandrailError(Code.LOST_RACE, "this incident was changed meanwhile; look at it again")

    def open_of(self, use_case: UseCaseId) -> list[Incident]:
        found = self._tx.fetch(
            "SELECT body FROM incident WHERE use_case = $1 AND state <> 'closed' ORDER BY id", (use_case,)
        )
        return [_INCIDENT.decode(bytes(row[0])) for row in found]

    def closed_of(self, use_case: UseCaseId) -> list[Incident]:
        found = self._tx.fetch(
            "SELECT body FROM incident WHERE use_case = $1 AND state = 'closed' ORDER BY id", (use_case,)
        )
        return [_INCIDENT.decode(bytes(row[0])) for row in found]


class StoredIncidents:
    """`review.incidents.IncidentReader`. Whom it concerns is found by one scan of the narrow table of interactions and
    a look-up for each conversation: an index by release would cost every interaction, and is not needed."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def get(self, incident: str) -> Incident:
        found = await self._rows("SELECT body FROM incident WHERE id = $1", (incident,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no incident with this id; see handrail incident list")
        return _INCIDENT.decode(bytes(found[0][0]))

    async def listed(self, *, all_states: bool, limit: int) -> list[Incident]:
        where = "" if all_states else "WHERE state <> 'closed' "
        sql = f"SELECT body FROM incident {where}ORDER BY id DESC LIMIT $1"  # noqa: S608  our own text
        return [_INCIDENT.decode(bytes(row[0])) for row in await self._rows(sql, (limit,))]

    async def releases(self, beginning: str) -> list[str]:
        found = await self._rows(
            "SELECT digest FROM release WHERE substr(digest, 1, $1) = $2 ORDER BY digest LIMIT 2",
            (len(beginning), beginning),
        )
        return [str(row[0]) for row in found]

    async def affected(self, use_case: UseCaseId, scope: Scope, *, limit: int | None = None) -> list[Affected]:
        where, values = _where(use_case, scope)
        cut = ""
        if limit is not None:
            values = (*values, limit)
            cut = f" ORDER BY first_ms, conversation LIMIT ${len(values)}"
        found = await self._rows(
            "SELECT a.conversation, a.times, a.first_ms, a.latest_ms, a.first, c.subject, s.person, s.wrapped IS NULL "  # noqa: S608  ours
            "FROM (SELECT conversation, count(*) AS times, min(at_ms) AS first_ms, max(at_ms) AS latest_ms, "
            f"min(interaction) AS first FROM interaction WHERE {where} GROUP BY conversation{cut}) a "
            "LEFT JOIN conversation c ON c.id = a.conversation LEFT JOIN subject s ON s.id = c.subject "
            "ORDER BY a.first_ms, a.conversation",
            values,
        )
        return [
            Affected(
                conversation=conversation, interactions=times, first_ms=first_ms, latest_ms=latest_ms,
                subject=subject or "", person=bool(person), erased=bool(erased), first=first,
            )
            for conversation, times, first_ms, latest_ms, first, subject, person, erased in found
        ]  # fmt: skip

    async def concerned(self, use_case: UseCaseId, scope: Scope) -> Concerned:
        where, values = _where(use_case, scope)
        found = await self._rows(
            "SELECT coalesce(sum(a.times), 0), count(*), count(DISTINCT CASE WHEN s.person = 1 THEN c.subject END), "  # noqa: S608  ours
            "coalesce(sum(CASE WHEN s.wrapped IS NOT NULL AND s.person = 0 THEN 1 ELSE 0 END), 0), "
            "coalesce(sum(CASE WHEN s.wrapped IS NULL THEN 1 ELSE 0 END), 0), min(a.first_ms), max(a.latest_ms) "
            "FROM (SELECT conversation, count(*) AS times, min(at_ms) AS first_ms, max(at_ms) AS latest_ms "
            f"FROM interaction WHERE {where} GROUP BY conversation) a "
            "LEFT JOIN conversation c ON c.id = a.conversation LEFT JOIN subject s ON s.id = c.subject",
            values,
        )
        interactions, conversations, customers, unknown, erased, first_ms, latest_ms = found[0]
        return Concerned(
            interactions=int(interactions), conversations=int(conversations), customers=int(customers),
            unknown=int(unknown), erased=int(erased), first_ms=first_ms, latest_ms=latest_ms,
        )  # fmt: skip

    async def timeline(self, about: str, use_case: UseCaseId, since_ms: int, until_ms: int) -> list[bytes]:
        found = await self._rows(f"{_TIMELINE} ORDER BY at_ms, seq", (since_ms, until_ms))
        return _own(found, about, use_case)

    async def history(
        self, about: str, use_case: UseCaseId, since_ms: int, until_ms: int, *, limit: int
    ) -> tuple[list[bytes], bool]:
        sql = f"{_TIMELINE} ORDER BY at_ms DESC, seq DESC LIMIT $3"
        found = await self._rows(sql, (since_ms, until_ms, limit + 1))
        return _own(found[:limit], about, use_case), len(found) > limit


def _own(rows: Sequence[tuple[Any, ...]], about: str, use_case: UseCaseId) -> list[bytes]:
    return [
        facts
        for row in rows
        if (recorded := read_facts(facts := bytes(row[0]))).use_case in (None, use_case)
        and (recorded.about == about or not recorded.kind.startswith("incident."))
    ]


def _where(use_case: UseCaseId, scope: Scope) -> tuple[str, tuple[Any, ...]]:
    values: list[Any] = [use_case]
    conditions = ["use_case = $1"]
    if scope.release is not None:
        values.append(bytes.fromhex(scope.release))
        conditions.append(f"release = ${len(values)}")
    if scope.finding:
        if scope.finding not in Kind.__members__.values():
            raise HandrailError(Code.REQUEST_INVALID, f"there is no kind of finding {scope.finding}")
        values.append(BIT[Kind(scope.finding)])
        conditions.append(f"kinds & ${len(values)} <> 0")
    for compared, at_ms in ((">=", scope.since_ms), ("<", scope.until_ms)):
        if at_ms is not None:
            values.append(at_ms)
            conditions.append(f"at_ms {compared} ${len(values)}")
    if len(conditions) == 1:
        raise HandrailError(
            Code.REQUEST_INVALID, "this incident names neither a release nor a finding nor a time: nothing to look for"
        )
    return " AND ".join(conditions), tuple(values)
