"""Actions, their limits and the stops in tables: statements that both engines understand, on a command's transaction.

A request and its result are sealed under the subject's key, so an erasure takes them too; what is needed to move an
action on stands beside them in clear and holds no personal data.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.approvals.facts import About
from handrail.approvals.lifecycle import Progress, State
from handrail.approvals.stop import Stop
from handrail.approvals.store import Stored
from handrail.backends.autonomy import StoredAutonomyStore
from handrail.backends.awaited import Awaited
from handrail.backends.drills import Drills
from handrail.backends.flags import Flags
from handrail.backends.incidents import Incidents
from handrail.backends.notices import Outbox
from handrail.backends.openings import Openings
from handrail.backends.rollouts import Rollouts, Units
from handrail.backends.trials import Trials
from handrail.backends.verdicts import Verdicts
from handrail.backends.watching import Alerts, Watch
from handrail.ledger.seal import NONCE_SIZE, Sealer, unseal
from handrail.terms.action import Action, ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, Ids, SubjectId

_COLUMNS = (
    "id, state, version, subject, conversation, business, created_at, due_at, progress, about, reserved, sealed, "
    "given, result"
)
_OPEN = (State.HELD, State.APPROVED, State.CLAIMED, State.UNKNOWN)
_ANSWERS = (*_OPEN, State.DONE, State.DRAFTED)
_EQUALS = 64
"""Equal calls that are looked at, the newest first."""


class ActionsTransaction(Protocol):
    """What both concrete transactions have beside the port."""

    @property
    def now_ms(self) -> int: ...

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def subject_key(self, subject: str) -> bytes:
        """Raises HandrailError NOT_FOUND when the subject was erased."""
        ...


class Actions:
    """`approvals.store.ActionStore`."""

    def __init__(self, tx: ActionsTransaction, ids: Ids, sealer: Sealer) -> None:
        self._tx = tx
        self._ids = ids
        self._sealer = sealer

    def add(self, stored: Stored) -> None:
        progress, request = stored.progress, stored.request
        if request is None:
            raise ValueError("a new action has its request")
        values = (
            progress.action, progress.state.value, progress.version, stored.subject, request.conversation,
            stored.business, progress.created_at, due_at(progress), msgspec.json.encode(progress),
            msgspec.json.encode(stored.about), msgspec.json.encode(stored.reserved),
            self._sealed_call(stored.subject, progress.action, "request", request),
            self._sealed(stored.subject, progress.action, "given", stored.given), None,
        )  # fmt: skip
        places = ", ".join(f"${at}" for at in range(1, len(values) + 1))
        added = self._tx.fetch(
            f"INSERT INTO action ({_COLUMNS}) VALUES ({places}) ON CONFLICT DO NOTHING RETURNING id",  # noqa: S608  ours
            values,
        )
        if not added:
            raise HandrailError(Code.ALREADY, "an action with this id exists")

    def get(self, action: ActionId) -> Stored:
        found = self._tx.fetch(f"SELECT {_COLUMNS} FROM action WHERE id = $1", (action,))  # noqa: S608  ours
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no action with this id; see handrail approvals list")
        return self._stored(found[0])

    def same(self, business: bytes, *, since_ms: int, conversation: ConversationId | None) -> Stored | None:
        states = ", ".join(f"'{state.value}'" for state in _ANSWERS)
        where = "business = $1"
        values: tuple[Any, ...] = (business,)
        if conversation is not None:
            where, values = f"{where} AND conversation = $2", (*values, conversation)
        found = self._tx.fetch(
            f"SELECT progress FROM action WHERE {where} AND state IN ({states}) "  # noqa: S608  our own text
            "ORDER BY created_at DESC, id DESC LIMIT $" + str(len(values) + 1),
            (*values, _EQUALS),
        )
        equals = [_PROGRESS.decode(bytes(row[0])) for row in found]
        open_first = sorted(equals, key=lambda progress: progress.state not in _OPEN)  # stable: the newest of each
        for progress in open_first:
            recent = not progress.undone_by and since_ms <= (progress.ended_at or progress.created_at)
            if progress.state in _OPEN or recent:
                return self.get(progress.action)
        return None

    def move(self, before: Progress, after: Progress, *, request: Action | None = None) -> None:
        values: tuple[Any, ...] = (after.state.value, after.version, due_at(after), msgspec.json.encode(after))
        sql = "UPDATE action SET state = $1, version = $2, due_at = $3, progress = $4"
        if request is not None:
            subject = self.get(before.action).subject
            values = (*values, self._sealed_call(subject, before.action, "request", request))
            sql += ", sealed = $5"
        at = len(values)
        sql += f" WHERE id = ${at + 1} AND version = ${at + 2} RETURNING id"
        if not self._tx.fetch(sql, (*values, before.action, before.version)):
            raise HandrailError(Code.LOST_RACE, "this action was moved meanwhile; look at it again")

    def rewrite(self, before: Progress, stored: Stored) -> None:
        after, request = stored.progress, stored.request
        if request is None:
            raise HandrailError(Code.NOT_FOUND, "the customer of this action was erased")
        sealed = self._sealed_call(stored.subject, after.action, "request", request)
        values = (
            after.state.value, after.version, due_at(after), msgspec.json.encode(after),
            msgspec.json.encode(stored.about), msgspec.json.encode(stored.reserved), sealed,
            self._sealed(stored.subject, after.action, "given", stored.given), before.action, before.version,
        )  # fmt: skip
        sql = (
            "UPDATE action SET state = $1, version = $2, due_at = $3, progress = $4, about = $5, reserved = $6, "
            "sealed = $7, given = $8 WHERE id = $9 AND version = $10 RETURNING id"
        )
        if not self._tx.fetch(sql, values):
            raise HandrailError(Code.LOST_RACE, "this action was moved meanwhile; look at it again")

    def keep_result(self, action: ActionId, result: bytes) -> None:
        found = self._tx.fetch("SELECT subject FROM action WHERE id = $1", (action,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no action with this id")
        sealed = self._seal(str(found[0][0]), action, "result", result)
        self._tx.fetch("UPDATE action SET result = $1 WHERE id = $2", (sealed, action))

    def waiting(self, states: frozenset[State], *, limit: int, after: ActionId | None = None) -> list[Stored]:
        names = ", ".join(f"'{state.value}'" for state in sorted(states))
        found = self._tx.fetch(
            f"SELECT {_COLUMNS} FROM action WHERE state IN ({names}) AND id > $1 ORDER BY id LIMIT $2",  # noqa: S608  ours
            (after or "", limit),
        )
        return [self._stored(row) for row in found]

    def waiting_about(
        self, states: frozenset[State], *, limit: int, after: ActionId | None = None
    ) -> list[tuple[Progress, About]]:
        names = ", ".join(f"'{state.value}'" for state in sorted(states))
        found = self._tx.fetch(
            f"SELECT progress, about FROM action WHERE state IN ({names}) AND id > $1 ORDER BY id LIMIT $2",  # noqa: S608  ours
            (after or "", limit),
        )
        return [(_PROGRESS.decode(bytes(progress)), _ABOUT.decode(bytes(about))) for progress, about in found]

    def due(self, *, limit: int) -> list[Progress]:
        found = self._tx.fetch(
            "SELECT progress FROM action WHERE due_at <= $1 ORDER BY due_at LIMIT $2", (self._tx.now_ms, limit)
        )
        return [_PROGRESS.decode(bytes(row[0])) for row in found]

    def _stored(self, row: Sequence[Any]) -> Stored:
        _, _, _, subject, _, business, _, _, progress, about, reserved, sealed, given, result = row
        known = _PROGRESS.decode(bytes(progress))
        request = self._open(subject, known.action, "request", sealed)
        return Stored(
            progress=known,
            about=_ABOUT.decode(bytes(about)),
            subject=SubjectId(subject),
            request=None if request is None else _ACTION.decode(request),
            business=bytes(business),
            reserved=msgspec.json.decode(bytes(reserved), type=tuple[tuple[str, str, int], ...]),
            given=self._open(subject, known.action, "given", given),
            result=self._open(subject, known.action, "result", result),
        )

    def _sealed_call(self, subject: str, action: str, what: str, request: Action) -> bytes:
        return self._seal(subject, action, what, msgspec.json.encode(request))

    def _sealed(self, subject: str, action: str, what: str, clear: bytes | None) -> bytes | None:
        return None if clear is None else self._seal(subject, action, what, clear)

    def _seal(self, subject: str, action: str, what: str, clear: bytes) -> bytes:
        cipher = AESGCM(self._tx.subject_key(subject))
        return self._sealer.seal(
            clear, cipher, entry=f"{action} {what}", key=subject, nonce=self._ids.token(NONCE_SIZE)
        )

    def _open(self, subject: str, action: str, what: str, sealed: bytes | None) -> bytes | None:
        """None when there is nothing, or the subject was erased."""
        if sealed is None:
            return None
        try:
            cipher = AESGCM(self._tx.subject_key(subject))
        except HandrailError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise
        return unseal(bytes(sealed), cipher, entry=f"{action} {what}", key=subject)


def due_at(progress: Progress) -> int | None:
    """When somebody must look at it next, by the database's clock; None: never by itself."""
    times: tuple[int | None, ...] = ()
    if progress.state is State.HELD:
        times = (progress.decide_by, progress.escalate_at)
    elif progress.state is State.APPROVED:
        times = (progress.execute_by if progress.drill or progress.report_within_ms else progress.not_before,)
    elif progress.state is State.CLAIMED:
        times = (progress.lease_until,)
    return min((at for at in times if at is not None), default=None)


class Limits:
    """`approvals.store.LimitStore`. One row for each scope and period; the sum moves by one conditional statement, so
    no two processes can both take the last of it."""

    def __init__(self, tx: ActionsTransaction) -> None:
        self._tx = tx

    def used(self, scope: str, period: str) -> int:
        found = self._tx.fetch("SELECT used FROM limit_use WHERE scope = $1 AND period = $2", (scope, period))
        return int(found[0][0]) if found else 0

    def reserve(self, scope: str, period: str, amount: int, *, at_most: int) -> bool:
        if amount > at_most:
            return False
        return bool(
            self._tx.fetch(
                "INSERT INTO limit_use (scope, period, used) VALUES ($1, $2, $3) ON CONFLICT (scope, period) "
                "DO UPDATE SET used = limit_use.used + excluded.used WHERE limit_use.used + excluded.used <= $4 "
                "RETURNING used",
                (scope, period, amount, at_most),
            )
        )

    def release(self, scope: str, period: str, amount: int) -> None:
        self._tx.fetch(
            "UPDATE limit_use SET used = used - $1 WHERE scope = $2 AND period = $3 AND used >= $1",
            (amount, scope, period),
        )


class Stops:
    """`approvals.store.StopStore`."""

    def __init__(self, tx: ActionsTransaction) -> None:
        self._tx = tx

    def all(self) -> list[Stop]:
        return [_STOP.decode(bytes(row[0])) for row in self._tx.fetch("SELECT stop FROM stop ORDER BY id", ())]

    def add(self, stop: Stop) -> None:
        if not self._tx.fetch(
            "INSERT INTO stop (id, stop) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id",
            (stop.id, msgspec.json.encode(stop)),
        ):
            raise HandrailError(Code.ALREADY, "a stop with this id exists")

    def lift(self, stop_id: str) -> Stop:
        found = self._tx.fetch("DELETE FROM stop WHERE id = $1 RETURNING stop", (stop_id,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no such stop; see handrail stop --list")
        return _STOP.decode(bytes(found[0][0]))


class ActionsEngine(Protocol):
    """What an engine lends to the repositories."""

    ids: Ids
    sealer: Sealer

    def key(self, subject: str) -> bytes: ...


class ActionsOf(ABC):
    """Repositories for a transaction; a base of both engines' transactions."""

    now_ms: int

    @abstractmethod
    def lender(self) -> ActionsEngine:
        """The engine of this transaction."""

    @abstractmethod
    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def subject_key(self, subject: str) -> bytes:
        """32 bytes. Raises HandrailError NOT_FOUND when the subject was erased."""
        return self.lender().key(subject)

    @property
    def actions(self) -> Actions:
        return Actions(self, self.lender().ids, self.lender().sealer)

    @property
    def limits(self) -> Limits:
        return Limits(self)

    @property
    def stops(self) -> Stops:
        return Stops(self)

    @property
    def drills(self) -> Drills:
        return Drills(self)

    @property
    def awaited(self) -> Awaited:
        return Awaited(self)

    @property
    def notices(self) -> Outbox:
        return Outbox(self)

    @property
    def alerts(self) -> Alerts:
        return Alerts(self)

    @property
    def watch(self) -> Watch:
        return Watch(self)

    @property
    def openings(self) -> Openings:
        return Openings(self)

    @property
    def incidents(self) -> Incidents:
        return Incidents(self)

    @property
    def verdicts(self) -> Verdicts:
        return Verdicts(self)

    @property
    def flags(self) -> Flags:
        return Flags(self.verdicts)

    @property
    def rollouts(self) -> Rollouts:
        return Rollouts(self)

    @property
    def units(self) -> Units:
        return Units(self)

    @property
    def autonomy(self) -> StoredAutonomyStore:
        return StoredAutonomyStore(self)

    @property
    def trials(self) -> Trials:
        return Trials(self)


_ABOUT = msgspec.json.Decoder(About)
_PROGRESS = msgspec.json.Decoder(Progress)
_ACTION = msgspec.json.Decoder(Action)
_STOP = msgspec.json.Decoder(Stop)
