"""The stop switch as commands. Anyone who works here may pull it; only another person than who pulled it lifts it.

Pulling is one small transaction, so that it is in force at once: every claim reads the stops in its own transaction, on
every process. Of what waits or is approved under it the same transaction revokes `FIRST` at most, and `revoke_stopped`
the rest, step by step, so that nobody waits long for the database; none of it can be executed in between.
"""

from collections.abc import Callable
from dataclasses import dataclass

from handrail.approvals import lifecycle
from handrail.approvals.desk import BY, moved
from handrail.approvals.facts import StopFacts
from handrail.approvals.lifecycle import State
from handrail.approvals.notices import tell_stop
from handrail.approvals.stop import Stop, StopScope, covers, names_of
from handrail.approvals.store import ActionTransaction
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.store import Journal
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.policy.notices import Event
from handrail.terms.action import ActionId
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId, Ids, PersonId

FIRST = 20
"""Ended by the stop's own transaction."""
AT_ONCE = 100
"""Ended by one further step, which looks at `PAGE` at most."""
PAGE = 500
WAITS = frozenset({State.HELD, State.APPROVED})
MAX_REASON = 200
MAX_LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PullStop:
    """`value`: see `known_value`. `reason`: for colleagues; it names no customer."""

    ids: Ids
    scope: StopScope
    value: str
    reason: str
    token: str | None

    def __call__(self, tx: ActionTransaction) -> tuple[Stop, int]:
        """The stop, and how many waiting actions it ended at once. A form that is sent twice makes one: a second would
        keep what is lifted stopped. Raises HandrailError REQUEST_INVALID, TOKEN_INVALID or NOT_ALLOWED."""
        if bool(self.value) is (self.scope is StopScope.ALL):
            raise HandrailError(Code.REQUEST_INVALID, "say what to stop: a scope with its value, or all without one")
        if not self.reason.strip() or len(self.reason) > MAX_REASON:
            raise HandrailError(
                Code.REQUEST_INVALID, "give a reason of 1 to {most} characters", parts={"most": MAX_REASON}
            )
        by = acting(tx, self.token, Act.STOP)
        value = known_value(tx, self.scope, self.value)
        stop = Stop(
            id=self.ids.new("st"), scope=self.scope, value=value, by=PersonId(by.id), reason=self.reason.strip(),
            at_ms=tx.now_ms,
        )  # fmt: skip
        for known in tx.stops.all():
            if (known.scope, known.value, known.by, known.reason) == (stop.scope, stop.value, stop.by, stop.reason):
                return known, 0
        tx.stops.add(stop)
        revoked, _ = _revoke(tx, self.ids, lambda names: covers(stop, names), FIRST, None)
        tx.append(_entry(self.ids, EntryKind.STOP_SET, stop, by, tx.now_ms, revoked))
        tell_stop(tx, self.ids, Event.STOP_SET, stop)
        tx.bump_epoch()  # conversations follow what is in force
        return stop, revoked


def known_value(tx: ActionTransaction, scope: StopScope, value: str) -> str:
    """What is stopped, in full: a tool may be named by its own name where one upstream alone has it. A misspelt stop
    would stop nothing and look as if it did. Raises HandrailError REQUEST_INVALID with what there is; a release is
    taken as it is, and so is everything of a scope in which nothing is published."""
    current = tx.rulesets.current()
    if current is None or scope in (StopScope.ALL, StopScope.RELEASE):
        return value
    ruleset = tx.rulesets.get(current)
    known: set[str] = {
        StopScope.AGENT: {key.agent for key in tx.keys.all() if key.agent} if scope is StopScope.AGENT else set(),
        StopScope.USE_CASE: set(map(str, ruleset.use_cases)),
        StopScope.TOOL: set(map(str, ruleset.tools)),
        StopScope.PROVIDER: {*map(str, ruleset.upstreams), *map(str, ruleset.providers)},
    }[scope]
    own = [name for name in known if scope is StopScope.TOOL and name.partition(".")[2] == value]
    if value not in known and len(own) == 1:
        return own[0]
    if known and value not in known:
        listed = ", ".join(sorted(known)[:MAX_LISTED])
        raise HandrailError(
            Code.REQUEST_INVALID,
            "nothing was stopped: there is no such {scope}; there is: {known}",
            parts={"scope": scope.value, "known": listed},
        )
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftStop:
    """By another person than who pulled it."""

    ids: Ids
    stop: str
    token: str | None

    def __call__(self, tx: ActionTransaction) -> Stop:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.RESUME)
        stop = tx.stops.lift(self.stop)
        if stop.by == by.id:
            raise HandrailError(Code.NOT_ALLOWED, "you pulled this stop; another person must lift it")
        tx.append(_entry(self.ids, EntryKind.STOP_LIFTED, stop, by, tx.now_ms, 0))
        tell_stop(tx, self.ids, Event.STOP_LIFTED, stop)
        tx.bump_epoch()
        return stop


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeStopped:
    """One step through what still waits under a stop. `after`: None begins."""

    ids: Ids
    after: ActionId | None = None

    def __call__(self, tx: ActionTransaction) -> tuple[int, ActionId | None]:
        """How many it ended, and after which to go on; None: that was all."""
        stops = tx.stops.all()
        if not stops:
            return 0, None
        return _revoke(tx, self.ids, lambda names: any(covers(stop, names) for stop in stops), AT_ONCE, self.after)


async def revoke_stopped(journal: Journal, ids: Ids) -> int:
    """All that waits under the stops in force; how many it ended. Raises HandrailError JOURNAL_UNAVAILABLE."""
    ended, after = await journal.run(RevokeStopped(ids=ids))
    while after is not None:
        more, after = await journal.run(RevokeStopped(ids=ids, after=after))
        ended += more
    return ended


def _revoke(
    tx: ActionTransaction, ids: Ids, stopped: Callable[[dict[StopScope, str]], bool], limit: int, after: ActionId | None
) -> tuple[int, ActionId | None]:
    ended = 0
    page = tx.actions.waiting_about(WAITS, limit=PAGE, after=after)
    for progress, about in page:
        if not stopped(names_of(about)):
            continue
        moved(tx, ids, tx.actions.get(progress.action), lifecycle.revoke(progress), EntryKind.ACTION_REVOKED, BY)
        ended += 1
        if ended == limit:
            return ended, progress.action
    return ended, page[-1][0].action if len(page) == PAGE else None


def _entry(ids: Ids, kind: EntryKind, stop: Stop, by: Actor, at_ms: int, revoked: int) -> Entry:
    facts = StopFacts(stop=stop.id, scope=stop.scope.value, value=stop.value, reason=stop.reason, revoked=revoked)
    return Entry(id=EntryId(ids.new("en")), kind=kind, at_ms=at_ms, actor=by, facts=facts, about=stop.id)
