"""Rollouts and their units in tables: statements that both engines understand, on a command's transaction; and reads of
what is committed, beside the writer."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from handrail.backends.rows import Reading
from handrail.releases.assign import Arm, Drawn
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.past import Reported
from handrail.releases.unit import Signals, UnitRow, merged
from handrail.review.outcome import OutcomeFacts
from handrail.review.signals import signal_of
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId

_UNIT = (
    "use_case, release, run, unit, arm, share, stage, ordinal, assigned_at, conversations, outcomes, metrics, "
    "matured_at, folded"
)
TOGETHER = 50
"""Units folded by one statement."""
_ROLLOUT = msgspec.json.Decoder(Rollout)
_DRAWN = msgspec.json.Decoder(Drawn)
_SIGNALS = msgspec.json.Decoder(Signals)
_METRICS = msgspec.json.Decoder(dict[str, float | None])
_LATE = "SELECT count(*) FROM interaction WHERE at_ms >= $1 AND release = $2"


class RolloutsTransaction(Protocol):
    """What both concrete transactions have beside the port."""

    @property
    def now_ms(self) -> int: ...

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Rollouts:
    """`releases.store.RolloutStore`."""

    def __init__(self, tx: RolloutsTransaction) -> None:
        self._tx = tx

    def add(self, rollout: Rollout) -> None:
        values = (
            rollout.release, rollout.use_case, rollout.state.value, rollout.version, rollout.created_at,
            msgspec.json.encode(rollout),
        )  # fmt: skip
        if not self._tx.fetch(
            "INSERT INTO rollout (release, use_case, state, version, created_at, body) "
            "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING release",
            values,
        ):
            raise HandrailError(Code.ALREADY, "this release is known already; see handrail release list")

    def get(self, release: Digest) -> Rollout:
        found = self.find(release)
        if found is None:
            raise HandrailError(Code.NOT_FOUND, "there is no such release; see handrail release list")
        return found

    def find(self, release: Digest) -> Rollout | None:
        found = self._tx.fetch("SELECT body FROM rollout WHERE release = $1", (release,))
        return _ROLLOUT.decode(bytes(found[0][0])) if found else None

    def named(self, beginning: str) -> Rollout:
        if not beginning or set(beginning) - set("0123456789abcdef"):
            raise HandrailError(Code.NOT_FOUND, "name a release by its digest, or the first characters of it")
        found = self._tx.fetch("SELECT body FROM rollout WHERE release LIKE $1 LIMIT 2", (beginning + "%",))
        if len(found) != 1:
            what = "several releases begin so" if found else "there is no such release"
            raise HandrailError(Code.NOT_FOUND, f"{what}; see handrail release list")
        return _ROLLOUT.decode(bytes(found[0][0]))

    def swap(self, before: Rollout, after: Rollout) -> None:
        if after.state is State.CANARY and before.state is not State.CANARY:
            running = self._tx.fetch(
                "SELECT release FROM rollout WHERE use_case = $1 AND state = 'canary'", (after.use_case,)
            )
            if running:
                raise HandrailError(
                    Code.ALREADY,
                    f"release {running[0][0][:12]} is a canary of this use case; two at once could not be told apart: "
                    "promote it or roll it back first",
                )
        if not self._tx.fetch(
            "UPDATE rollout SET state = $1, version = $2, body = $3 WHERE release = $4 AND version = $5 "
            "RETURNING release",
            (after.state.value, after.version, msgspec.json.encode(after), before.release, before.version),
        ):
            raise HandrailError(Code.LOST_RACE, "this release was moved meanwhile; look again and repeat")

    def all(self, use_case: UseCaseId | None = None, states: frozenset[State] | None = None) -> list[Rollout]:
        found = [_ROLLOUT.decode(bytes(body)) for (body,) in self._tx.fetch(_EVERY)]
        return [
            one
            for one in found
            if (use_case is None or one.use_case == use_case) and (states is None or one.state in states)
        ]


_EVERY = "SELECT body FROM rollout ORDER BY created_at DESC, release"


class Units:
    """`releases.store.UnitStore`."""

    def __init__(self, tx: RolloutsTransaction) -> None:
        self._tx = tx

    def assign(self, use_case: UseCaseId, drawn: Drawn, conversation: str) -> None:
        key = (drawn.of, drawn.run, drawn.unit)
        known = self._tx.fetch("SELECT conversations FROM unit WHERE release = $1 AND run = $2 AND unit = $3", key)
        if known:
            names = known[0][0].split(",")
            if conversation not in names:
                self._tx.fetch(
                    "UPDATE unit SET conversations = $1 WHERE release = $2 AND run = $3 AND unit = $4",
                    (",".join([*names, conversation]), *key),
                )
            return
        ordinal = self._tx.fetch(
            "SELECT coalesce(max(ordinal), 0) + 1 FROM unit WHERE release = $1 AND run = $2", key[:2]
        )[0][0]
        values = (
            use_case, drawn.of, drawn.run, drawn.unit, drawn.arm.value, drawn.share, drawn.stage, ordinal,
            self._tx.now_ms, conversation, b"{}", None, None, None,
        )  # fmt: skip
        places = ", ".join(f"${at}" for at in range(1, len(values) + 1))
        self._tx.fetch(f"INSERT INTO unit ({_UNIT}) VALUES ({places})", values)  # noqa: S608  our own column names

    def signal(self, conversation: str, name: str, at_ms: int, value: float) -> bool:
        found = self._tx.fetch("SELECT drawn FROM conversation WHERE id = $1", (conversation,))
        if not found or found[0][0] is None:
            return False
        drawn = _DRAWN.decode(found[0][0])
        key = (drawn.of, drawn.run, drawn.unit)
        unit = self._tx.fetch("SELECT outcomes FROM unit WHERE release = $1 AND run = $2 AND unit = $3", key)
        if not unit:
            return False
        known = _SIGNALS.decode(bytes(unit[0][0]))
        after = merged(known, name, at_ms, value)
        if after is not known:
            self._tx.fetch(
                "UPDATE unit SET outcomes = $1 WHERE release = $2 AND run = $3 AND unit = $4",
                (msgspec.json.encode(after), *key),
            )
        return True

    def fold(self, units: Sequence[UnitRow]) -> bool:
        return all(self._fold(units[at : at + TOGETHER]) for at in range(0, len(units), TOGETHER))

    def _fold(self, units: Sequence[UnitRow]) -> bool:
        """In one statement: each one is a way to the server, during which nobody else writes. Values stand in the order
        in which the statement first names them, as SQLite counts them."""
        many = len(units)
        columns: dict[str, list[Any]] = {
            "metrics": [msgspec.json.encode(unit.metrics) for unit in units],
            "matured_at": [unit.matured_at for unit in units],
            "folded": [unit.folded for unit in units],
        }
        values: list[Any] = []
        changes = []
        names = [f"${at}" for at in range(1, 2 * many, 2)]
        for column, each in columns.items():
            if not values:
                values = [part for unit, value in zip(units, each, strict=True) for part in (unit.unit, value)]
                places = range(2, 2 * many + 1, 2)
            else:
                places = range(len(values) + 1, len(values) + many + 1)
                values += each
            branches = " ".join(f"WHEN {name} THEN ${place}" for name, place in zip(names, places, strict=True))
            changes.append(f"{column} = CASE unit {branches} ELSE {column} END")
        release, run = f"${len(values) + 1}", f"${len(values) + 2}"
        done = self._tx.fetch(
            f"UPDATE unit SET {', '.join(changes)} WHERE release = {release} AND run = {run} "  # noqa: S608  places alone
            f"AND folded IS NULL AND unit IN ({', '.join(names)}) RETURNING unit",
            [*values, units[0].of, units[0].run],
        )
        return len(done) == len(units)

    def last_folded(self, release: Digest, run: int) -> int:
        found = self._tx.fetch(
            "SELECT coalesce(max(folded), 0) FROM unit WHERE release = $1 AND run = $2 AND folded > 0", (release, run)
        )
        return int(found[0][0])

    def forget(self, release: Digest, *, limit: int) -> int:
        return len(
            self._tx.fetch(
                "DELETE FROM unit WHERE release = $1 AND (run, unit) IN "
                "(SELECT run, unit FROM unit WHERE release = $1 LIMIT $2) RETURNING run",
                (release, limit),
            )
        )

    def lead(self, holder: str, lease_ms: int) -> bool:
        return bool(
            self._tx.fetch(
                "UPDATE judge SET holder = $1, until = $2 WHERE holder = $1 OR until <= $3 RETURNING one",
                (holder, self._tx.now_ms + lease_ms, self._tx.now_ms),
            )
        )


class StoredUnits:
    """`releases.store.UnitReader`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def waiting(self, rollout: Rollout, *, limit: int) -> list[UnitRow]:
        return await self._units(rollout, "folded IS NULL ORDER BY stage, ordinal LIMIT $3", limit)

    async def folded(self, rollout: Rollout, *, after: int = 0, limit: int = 10_000) -> list[UnitRow]:
        return await self._units(rollout, "folded > $3 ORDER BY folded LIMIT $4", after, limit)

    async def reported(self, rollout: Rollout) -> list[UnitRow]:
        return await self._units(rollout, "folded IS NULL AND outcomes <> $3", b"{}")

    async def find(self, rollout: Rollout, unit: str) -> UnitRow | None:
        found = await self._units(rollout, "unit = $3", unit)
        return found[0] if found else None

    async def rollouts(self) -> list[Rollout]:
        return [_ROLLOUT.decode(bytes(body)) for (body,) in await self._rows(_EVERY)]

    async def rollout(self, release: Digest) -> Rollout | None:
        found = await self._rows("SELECT body FROM rollout WHERE release = $1", (release,))
        return _ROLLOUT.decode(bytes(found[0][0])) if found else None

    async def outcomes_of(self, use_case: UseCaseId, release: Digest, *, limit: int) -> list[Reported]:
        found = await self._rows(_OUTCOMES, (use_case, release, limit))
        return [reported for row in found if (reported := _reported(row)) is not None]

    async def late(self, release: Digest, since_ms: int) -> int:
        return int((await self._rows(_LATE, (since_ms, bytes.fromhex(release))))[0][0])

    async def counts(self, rollout: Rollout) -> list[tuple[int, str, int, int]]:
        """Stage, arm, units, of those judged."""
        found = await self._rows(
            "SELECT stage, arm, count(*), sum(CASE WHEN folded > 0 THEN 1 ELSE 0 END) FROM unit "
            "WHERE release = $1 AND run = $2 GROUP BY stage, arm ORDER BY stage, arm",
            (rollout.release, rollout.run),
        )
        return [(int(stage), str(arm), int(units), int(judged)) for stage, arm, units, judged in found]

    async def _units(self, rollout: Rollout, where: str, *values: Any) -> list[UnitRow]:
        found = await self._rows(
            f"SELECT {_UNIT} FROM unit WHERE release = $1 AND run = $2 AND {where}",  # noqa: S608  the conditions above
            (rollout.release, rollout.run, *values),
        )
        return [_unit(row) for row in found]


_OUTCOMES = (
    "SELECT c.id, c.subject, s.person, c.at_ms, c.drawn, o.received_at_ms, o.facts FROM conversation c "
    "JOIN outcome o ON o.conversation = c.id JOIN subject s ON s.id = c.subject "
    "WHERE c.use_case = $1 AND c.release = $2 ORDER BY c.at_ms DESC, c.id LIMIT $3"
)
_FACTS = msgspec.json.Decoder(OutcomeFacts)
_COMPARED = frozenset({Arm.CANARY, Arm.CONTROL})


def _reported(row: Sequence[Any]) -> Reported | None:
    conversation, subject, person, began_at, drawn, received_at, raw = row
    facts = _FACTS.decode(bytes(raw))
    said = signal_of(facts)
    if said is None or (drawn is not None and _DRAWN.decode(drawn).arm not in _COMPARED):
        return None
    return Reported(
        conversation=conversation, customer=subject if person else None, began_at=began_at,
        occurred_at=facts.occurred_at_ms, received_at=received_at, name=said[0], value=said[1],
    )  # fmt: skip


def _unit(row: Sequence[Any]) -> UnitRow:
    use_case, of, run, unit, arm, share, stage, ordinal, assigned_at, names, signals, metrics, matured_at, folded = row
    return UnitRow(
        use_case=use_case, of=Digest(of), run=run, unit=unit, arm=arm, share=share, stage=stage, ordinal=ordinal,
        assigned_at=assigned_at, conversations=tuple(names.split(",")), signals=_SIGNALS.decode(bytes(signals)),
        metrics=None if metrics is None else _METRICS.decode(bytes(metrics)), matured_at=matured_at, folded=folded,
    )  # fmt: skip
