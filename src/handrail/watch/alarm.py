"""Commands on alerts: raise, acknowledge, close, escalate, silence; each change with its entry and its notices."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from handrail.approvals.notices import Notice, NoticeStore, Rulebook, configured
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.store import Transaction
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.people.person import Person
from handrail.people.store import Register
from handrail.policy.notices import Event, wants
from handrail.policy.ruleset import UseCase
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId, Ids, UseCaseId
from handrail.watch import alert as alerts
from handrail.watch.alert import Alert, AlertKind, Raised, Silence
from handrail.watch.measure import METRICS

BY = Actor(ActorKind.SYSTEM, "watch")
NAMES = frozenset({*METRICS, "LEGAL", "VULNERABILITY", "COMPLAINT", "probe", "golden answer", "autonomy"})
FAMILIES = ("new.", "release.")
"""Of metrics of alerts."""


class AlertStore(Protocol):
    """Alerts and silences, inside a command."""

    def open(self, cause: str) -> Alert | None:
        """The one that is not closed."""
        ...

    def unanswered(self, use_case: UseCaseId, kind: AlertKind) -> list[Alert]:
        """Raised, acknowledged by nobody; oldest first."""
        ...

    def get(self, alert: str) -> Alert:
        """Raises HandrailError NOT_FOUND."""
        ...

    def add(self, alert: Alert) -> None: ...

    def swap(self, before: Alert, after: Alert) -> None:
        """Compare and set on the version. Raises HandrailError LOST_RACE."""
        ...

    def due(self, *, limit: int) -> list[Alert]:
        """To be escalated by the transaction's clock."""
        ...

    def silences(self) -> list[Silence]:
        """Those that have not ended by the transaction's clock."""
        ...

    def silence(self, silence: Silence) -> None: ...

    def end(self, silence: str) -> Silence:
        """From now on it covers nothing. Raises HandrailError NOT_FOUND for one that is over or never was."""
        ...

    def hidden(self) -> list[Alert]:
        """Raised under a silence and not told yet."""
        ...


class WatchTransaction(Transaction, Register, Protocol):
    @property
    def rulesets(self) -> Rulebook: ...

    @property
    def notices(self) -> NoticeStore: ...

    @property
    def alerts(self) -> AlertStore: ...


class AlertFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`promise`: how often it comes without a reason, as it was told. `count`: happened so often while it was open.
    `to`: who was told now."""

    alert: str
    cause: str
    kind: str
    severity: str
    metric: str
    sentence: str
    promise: str
    state: str
    example: str = ""
    count: int = 1
    to: str = ""
    step: int = 0
    silent: bool = False
    note: str = ""


class SilenceFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    silence: str
    metric: str = ""
    until_ms: int
    reason: str


def raise_alerts(tx: WatchTransaction, ids: Ids, found: Sequence[Raised]) -> list[Alert]:
    """Each cause once: a new alert with its entry and notices, or one more in the count of the open one, which is told
    again where `alert.to_be_told_again` says so. Returns those that were raised."""
    made = []
    silences = tx.alerts.silences() if found else []
    for raised in found:
        known = tx.alerts.open(raised.cause)
        if known is not None and not alerts.to_be_told_again(known, raised, tx.now_ms):
            tx.alerts.swap(known, alerts.again(known, raised))
            continue
        until = alerts.silent_until(silences, raised, tx.now_ms)
        owner = next(iter(_people(tx, raised.use_case)), "")
        if known is None:
            new = alerts.opened(ids.new("al"), raised, owner=owner, silent_until=until, now=tx.now_ms)
            tx.alerts.add(new)
        else:
            new = alerts.raised_again(known, raised, owner=owner, silent_until=until, now=tx.now_ms)
            tx.alerts.swap(known, new)
        _record(tx, ids, EntryKind.ALERT_RAISED, new, BY)
        if not new.silent:
            _tell(tx, ids, Event.ALERT, new)
        made.append(new)
    return made


def close_causes(tx: WatchTransaction, ids: Ids, causes: Sequence[str], note: str) -> list[Alert]:
    """What is over by itself needs nobody's answer: the open alert of each cause is closed, with its entry, and told to
    nobody further. `note`: why, where nobody noted anything."""
    found = []
    for cause in causes:
        before = tx.alerts.open(cause)
        if before is None:
            continue
        after = alerts.closed(before, by=BY.id, note=before.note or note, now=tx.now_ms)
        tx.alerts.swap(before, after)
        _record(tx, ids, EntryKind.ALERT_CLOSED, after, BY)
        found.append(after)
    return found


def unanswered_drift_of(tx: WatchTransaction, use_case: UseCaseId) -> str:
    """What keeps a release from going on: a metric of its use case that is worse than its past, while nobody has
    looked. One sentence; empty: nothing does."""
    for one in tx.alerts.unanswered(use_case, AlertKind.DRIFT):
        return f"alert {one.id} is unanswered: {one.first.metric} drifts; see handrail alerts show {one.id}"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    ids: Ids
    found: tuple[Raised, ...]

    def __call__(self, tx: WatchTransaction) -> list[Alert]:
        return raise_alerts(tx, self.ids, self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """`close`: it is over, and the same cause may be told anew."""

    ids: Ids
    alert: str
    token: str | None
    note: str = ""
    close: bool = False

    def __call__(self, tx: WatchTransaction) -> Alert:
        """Raises HandrailError NOT_FOUND, ALREADY_DECIDED, LOST_RACE, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.ANSWER_ALERTS)
        before = tx.alerts.get(self.alert)
        move = alerts.closed if self.close else alerts.acknowledged
        after = move(before, by=by.id, note=self.note, now=tx.now_ms)
        tx.alerts.swap(before, after)
        _record(tx, self.ids, EntryKind.ALERT_CLOSED if self.close else EntryKind.ALERT_ACKNOWLEDGED, after, by)
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalate:
    """Every alert that nobody answered in time is told to the next: the deputy, then the escalation address. One whose
    silence is over is told to its owner."""

    ids: Ids
    limit: int = 100

    def __call__(self, tx: WatchTransaction) -> int:
        due = tx.alerts.due(limit=self.limit)
        silences = tx.alerts.silences() if due else []
        for before in due:
            if before.silent:
                self._unsilence(tx, before, silences)
                continue
            to = told_next(before, _people(tx, before.first.use_case))
            after = alerts.escalated(before, to=to, now=tx.now_ms)
            tx.alerts.swap(before, after)
            _record(tx, self.ids, EntryKind.ALERT_ESCALATED, after, BY)
            _tell(tx, self.ids, Event.ALERT_ESCALATED, after)
        return len(due)

    def _unsilence(self, tx: WatchTransaction, before: Alert, silences: Sequence[Silence]) -> None:
        until = alerts.silent_until(silences, before.first, tx.now_ms)
        after = alerts.unsilenced(before, silent_until=until, now=tx.now_ms)
        tx.alerts.swap(before, after)
        if not after.silent:
            _record(tx, self.ids, EntryKind.ALERT_RAISED, after, BY)
            _tell(tx, self.ids, Event.ALERT, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silencing:
    ids: Ids
    use_case: str
    metric: str
    for_ms: int
    reason: str
    token: str | None

    def __call__(self, tx: WatchTransaction) -> Silence:
        """Raises HandrailError REQUEST_INVALID, NOT_FOUND, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.ANSWER_ALERTS)
        _require_known(tx, self.use_case, self.metric)
        made = alerts.silence(
            self.ids.new("sl"), use_case=self.use_case, metric=self.metric, until_ms=tx.now_ms + self.for_ms,
            reason=self.reason, by=by.id, now=tx.now_ms,
        )  # fmt: skip
        tx.alerts.silence(made)
        _record_silence(tx, self.ids, made, by)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSilence:
    """What it hid is told now."""

    ids: Ids
    silence: str
    token: str | None

    def __call__(self, tx: WatchTransaction) -> Silence:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.ANSWER_ALERTS)
        ended = tx.alerts.end(self.silence)
        for before in tx.alerts.hidden():
            tx.alerts.swap(before, alerts.due_now(before, now=tx.now_ms))
        _record_silence(tx, self.ids, ended, by)
        return ended


def _record_silence(tx: WatchTransaction, ids: Ids, made: Silence, by: Actor) -> None:
    facts = SilenceFacts(silence=made.id, metric=made.metric, until_ms=made.until_ms, reason=made.reason)
    tx.append(
        Entry(
            id=EntryId(ids.new("en")), kind=EntryKind.ALERT_SILENCED, at_ms=tx.now_ms, actor=by, about=made.id,
            use_case=UseCaseId(made.use_case) if made.use_case else None, facts=facts,
        )
    )  # fmt: skip


def _require_known(tx: WatchTransaction, use_case: str, metric: str) -> None:
    """A misspelt name would silence nothing, and nobody would know. Raises HandrailError NOT_FOUND."""
    current = tx.rulesets.current()
    if use_case and (current is None or UseCaseId(use_case) not in tx.rulesets.get(current).use_cases):
        raise HandrailError(Code.NOT_FOUND, f"no use case {use_case} is published; see handrail watch figures")
    if metric and metric not in NAMES and not metric.startswith(FAMILIES):
        known = ", ".join(sorted(NAMES))
        raise HandrailError(Code.NOT_FOUND, f"nothing is watched under {metric}; known are {known}")


def _people(tx: WatchTransaction, use_case: UseCaseId) -> tuple[str, ...]:
    current = tx.rulesets.current()
    known = None if current is None else tx.rulesets.get(current).use_cases.get(use_case)
    return people_of(known, tx.persons.all())


def people_of(use_case: UseCase | None, persons: Iterable[Person]) -> tuple[str, ...]:
    """Whom alerts of a use case are told to, one after the other: owner, deputy and escalation address of the ruleset
    in force, without those that are not named and persons who were disabled; all of them where nobody would be left.
    Empty where the use case is published no more."""
    if use_case is None:
        return ()
    named = tuple(dict.fromkeys(filter(None, (use_case.owner, use_case.deputy, use_case.escalation))))
    gone = {person.mail for person in persons if not person.active}
    return tuple(one for one in named if one.lower() not in gone) or named


def told_next(alert: Alert, people: Sequence[str]) -> str:
    """Who is told when an alert is due, of `people_of`; empty: nobody."""
    return people[min(alert.step + 1, len(people) - 1)] if people else ""


def _tell(tx: WatchTransaction, ids: Ids, event: Event, alert: Alert) -> None:
    first = alert.first
    for receiver in configured(tx).receivers.values():
        if wants(receiver, event, use_case=first.use_case, route=""):
            tx.notices.add(
                Notice(
                    id=ids.new("nt"), receiver=receiver.id, event=event.value, about=alert.id, at_ms=tx.now_ms,
                    due_ms=tx.now_ms, use_case=first.use_case, cause=first.cause, severity=first.severity.value,
                    said=f"{first.sentence} {first.promise}".strip(), owner=alert.owner,
                )
            )  # fmt: skip


def _record(tx: WatchTransaction, ids: Ids, kind: EntryKind, alert: Alert, by: Actor) -> None:
    first = alert.first
    tx.append(
        Entry(
            id=EntryId(ids.new("en")), kind=kind, at_ms=tx.now_ms, actor=by, about=alert.id, use_case=first.use_case,
            facts=AlertFacts(
                alert=alert.id, cause=first.cause, kind=first.kind.value, severity=first.severity.value,
                metric=first.metric, sentence=first.sentence, promise=first.promise, state=alert.state.value,
                example=alert.latest, count=alert.count, to=alert.owner, step=alert.step, silent=alert.silent,
                note=alert.note,
            ),
        )
    )  # fmt: skip
