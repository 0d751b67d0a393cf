"""Which notices a move makes, and what stands in them; `tell` puts them into the outbox of the move's own transaction.

So a notice exists if and only if its move does. What it holds is decided here, for each receiver: kind of event, use
case, tool, action id, time to decide, and the money only as far as the receiver's `detail` goes (NOT-1, NOT-2).
When nothing is published there is nobody to tell, and nothing is kept.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

import msgspec

from handrail.approvals.facts import About
from handrail.approvals.lifecycle import ENDED, Otherwise, Progress, State
from handrail.approvals.stop import Stop
from handrail.ledger.entry import EntryKind
from handrail.policy.notices import Detail, Event, Notices, Receiver, wants
from handrail.policy.ruleset import Ruleset
from handrail.terms.ids import Digest, Ids


class NoticeState(StrEnum):
    """moot: what it would have reminded of was settled before it was due."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"
    MOOT = "moot"


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that goes out, and so all that is kept. `id`: the same at every try, so that receivers can tell a repetition.
    `event`: an `Event`, or `action.STATE` for the agent's receiver. `about`: the action or stop. `low`, `high`: the
    band of the money, in minor units of `currency`. `scope`, `value`: of a stop. `cause`, `severity`, `said` (what is
    wrong, in figures), `owner` (whose it is now): of an alert. Times in Unix ms."""

    id: str
    receiver: str
    event: str
    about: str
    at_ms: int
    due_ms: int
    status: str = ""
    use_case: str = ""
    tool: str = ""
    route: str = ""
    decide_by: int | None = None
    amount_minor: int | None = None
    low: int | None = None
    high: int | None = None
    currency: str = ""
    scope: str = ""
    value: str = ""
    cause: str = ""
    severity: str = ""
    said: str = ""
    owner: str = ""


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A notice in the outbox. `tries`: begun so far. `due_at`: when to look next; None: never. `code`: why the last try
    failed. `lease_owner`: the process that sends it now."""

    notice: Notice
    state: NoticeState = NoticeState.WAITING
    version: int = 0
    due_at: int | None = None
    tries: int = 0
    lease_owner: str = ""
    code: str = ""


class NoticeStore(Protocol):
    """The outbox, inside a command."""

    def add(self, notice: Notice) -> None: ...

    def get(self, notice: str) -> Posted:
        """Raises HandrailError NOT_FOUND."""
        ...

    def swap(self, before: Posted, after: Posted) -> None:
        """Compare and set on the version. Raises HandrailError LOST_RACE."""
        ...

    def due_receivers(self) -> list[str]:
        """To whom something is due by the transaction's clock."""
        ...

    def due(self, receiver: str, *, limit: int) -> list[Posted]:
        """Oldest due first."""
        ...

    def forget(self, *, before_ms: int, limit: int) -> int:
        """Remove what was sent, given up or moot and is older; how many."""
        ...


class NoticeReader(Protocol):
    """Committed state, read beside the writer. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def next_due(self) -> int | None:
        """In Unix ms of the database."""
        ...

    async def listed(self, states: frozenset[NoticeState], *, limit: int) -> list[Posted]:
        """Oldest first."""
        ...


class Rulebook(Protocol):
    def current(self) -> Digest | None: ...

    def get(self, digest: Digest) -> Ruleset: ...


class Telling(Protocol):
    """What `tell` needs of a transaction."""

    @property
    def now_ms(self) -> int: ...

    @property
    def rulesets(self) -> Rulebook: ...

    @property
    def notices(self) -> NoticeStore: ...


_EVENTS = {
    EntryKind.ACTION_ESCALATED: (Event.ESCALATED,),
    EntryKind.ACTION_HANDED_ON: (Event.HANDED_ON, Event.EXPIRING),
}


def events_of(kind: EntryKind, after: Progress, route_before: str) -> tuple[Event, ...]:
    """What people are told of a move. An edit that lands on another route is news to that route's people."""
    if kind is EntryKind.ACTION_DECIDED and after.state is State.HELD:
        return (Event.HELD, Event.EXPIRING)
    if kind is EntryKind.ACTION_EXPIRED:
        handed = after.otherwise is Otherwise.HANDOVER and not after.drill  # a drill's customer is nobody to call back
        return (Event.HANDOVER if handed else Event.EXPIRED,)
    if kind is EntryKind.ACTION_UNKNOWN:
        return (Event.UNREPORTED if after.report_within_ms else Event.UNKNOWN,)
    if kind is EntryKind.ACTION_EDITED and after.route != route_before:
        return (Event.HANDED_ON, Event.EXPIRING)
    return _EVENTS.get(kind, ())


def notices_of(
    config: Notices, event: Event, progress: Progress, about: About, *, now: int, ids: Ids
) -> Iterator[Notice]:
    """One for each receiver that wants it. A reminder is due `expiring_s` before the time to decide is over, or at the
    half of what is left when that is sooner."""
    due = now
    if event is Event.EXPIRING:
        if progress.decide_by is None:
            return
        due = max(progress.decide_by - 1_000 * config.expiring_s, (now + progress.decide_by) // 2)
    facts = about.facts
    for receiver in config.receivers.values():
        if wants(receiver, event, use_case=about.use_case, route=progress.route):
            plain = Notice(
                id=ids.new("nt"), receiver=receiver.id, event=event.value, about=progress.action, at_ms=now, due_ms=due,
                use_case=about.use_case, tool=facts.tool, route=progress.route,
                decide_by=progress.decide_by if progress.state is State.HELD else None,
            )  # fmt: skip
            yield with_money(plain, receiver, facts.amount_minor, facts.currency)


def with_money(notice: Notice, receiver: Receiver, amount_minor: int | None, currency: str) -> Notice:
    """As much of it as the receiver may know."""
    if amount_minor is None or receiver.detail is Detail.NONE:
        return notice
    if receiver.detail is Detail.AMOUNT:
        return msgspec.structs.replace(notice, amount_minor=amount_minor, currency=currency)
    low, high = band(amount_minor)
    return msgspec.structs.replace(notice, low=low, high=high, currency=currency)


def band(amount_minor: int) -> tuple[int, int]:
    """The power of ten at or below, and the next one: 4000 lies from 1000 to below 10000."""
    low = 10 ** (len(str(abs(amount_minor))) - 1) if amount_minor else 0
    return low, max(10 * low, 10)


def ended_of(config: Notices, progress: Progress, about: About, *, now: int, ids: Ids) -> Iterator[Notice]:
    """For the agent: the action's id and where it ended, nothing else; it asks for the result with its key. A drill has
    no agent."""
    if progress.state not in ENDED or progress.drill:
        return
    for name in config.ended.get(about.use_case, ()):
        yield Notice(
            id=ids.new("nt"), receiver=name, event=f"action.{progress.state.value}", about=progress.action, at_ms=now,
            due_ms=now, status=progress.state.value,
        )  # fmt: skip


def stop_of(config: Notices, event: Event, stop: Stop, *, now: int, ids: Ids) -> Iterator[Notice]:
    """Without the words of who pulled it."""
    for receiver in config.receivers.values():
        if wants(receiver, event, use_case="", route=""):
            yield Notice(
                id=ids.new("nt"), receiver=receiver.id, event=event.value, about=stop.id, at_ms=now, due_ms=now,
                scope=stop.scope.value, value=stop.value,
            )  # fmt: skip


def tell(tx: Telling, ids: Ids, kind: EntryKind, after: Progress, about: About, route_before: str = "") -> None:
    """Put what this move makes into the outbox. Nothing that the move did not ask for is read."""
    events = events_of(kind, after, route_before)
    ended = after.state in ENDED and kind is not EntryKind.ACTION_DECIDED  # a denial at once is the answer to the call
    if not events and not ended:
        return
    config = configured(tx)
    for event in events:
        for notice in notices_of(config, event, after, about, now=tx.now_ms, ids=ids):
            tx.notices.add(notice)
    if ended:
        for notice in ended_of(config, after, about, now=tx.now_ms, ids=ids):
            tx.notices.add(notice)


def tell_stop(tx: Telling, ids: Ids, event: Event, stop: Stop) -> None:
    """That a stop was set or lifted."""
    for notice in stop_of(configured(tx), event, stop, now=tx.now_ms, ids=ids):
        tx.notices.add(notice)


def configured(tx: Telling) -> Notices:
    """As the ruleset in force says; it is read once."""
    current = tx.rulesets.current()
    if current is None:
        return _NOBODY
    known = _CONFIGURED.get(current)
    if known is None:
        known = tx.rulesets.get(current).notices
        _CONFIGURED.clear()
        _CONFIGURED[current] = known
    return known


_NOBODY = Notices()
_CONFIGURED: dict[Digest, Notices] = {}
"""Of the ruleset that was in force last."""
