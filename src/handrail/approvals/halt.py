"""The stop switch as commands. Anyone who works here may pull it; only another person than who pulled it lifts it.

Pulling is one small transaction, so that it is in force at once: every claim reads the stops in its own transaction, on
every process. What waits or is approved under it is revoked in the same transaction as far as `AT_ONCE` goes, and the
rest by `RevokeStopped`, which the jobs process repeats; none of it can be executed in between.
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
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.policy.notices import Event
from handrail.terms.action import ActionId
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId, Ids, PersonId

AT_ONCE = 200
WAITS = frozenset({State.HELD, State.APPROVED})
MAX_REASON = 200
MAX_LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PullStop:
    """`reason`: for colleagues; it names no customer."""

    ids: Ids
    scope: StopScope
    value: str
    reason: str
    token: str | None

    def __call__(self, tx: ActionTransaction) -> tuple[Stop, int]:
        """The stop, and how many waiting actions it ended at once. Raises HandrailError REQUEST_INVALID, TOKEN_INVALID
        or NOT_ALLOWED."""
        if bool(self.value) is (self.scope is StopScope.ALL):
            raise HandrailError(Code.REQUEST_INVALID, "say what to stop: a scope with its value, or all without one")
        if not self.reason.strip() or len(self.reason) > MAX_REASON:
            raise HandrailError(Code.REQUEST_INVALID, f"give a reason of 1 to {MAX_REASON} characters")
        by = acting(tx, self.token, Act.STOP)
        require_known(tx, self.scope, self.value)
        stop = Stop(
            id=self.ids.new("st"), scope=self.scope, value=self.value, by=PersonId(by.id), reason=self.reason.strip(),
            at_ms=tx.now_ms,
        )  # fmt: skip
        tx.stops.add(stop)
        revoked = _revoke(tx, self.ids, lambda names: covers(stop, names), AT_ONCE)
        tx.append(_entry(self.ids, EntryKind.STOP_SET, stop, by, tx.now_ms, revoked))
        tell_stop(tx, self.ids, Event.STOP_SET, stop)
        return stop, revoked


def require_known(tx: ActionTransaction, scope: StopScope, value: str) -> None:
    """A misspelt stop would stop nothing and look as if it did. Raises HandrailError REQUEST_INVALID with what there
    is; a release is taken as it is, and so is everything of a scope in which nothing is published."""
    current = tx.rulesets.current()
    if current is None or scope in (StopScope.ALL, StopScope.RELEASE):
        return
    ruleset = tx.rulesets.get(current)
    known: set[str] = {
        StopScope.AGENT: {key.agent for key in tx.keys.all() if key.agent} if scope is StopScope.AGENT else set(),
        StopScope.USE_CASE: set(map(str, ruleset.use_cases)),
        StopScope.TOOL: set(map(str, ruleset.tools)),
        StopScope.PROVIDER: {*map(str, ruleset.upstreams), *map(str, ruleset.providers)},
    }[scope]
    if known and value not in known:
        listed = ", ".join(sorted(known)[:MAX_LISTED])
        raise HandrailError(
            Code.REQUEST_INVALID, f"nothing was stopped: there is no such {scope.value}; there is: {listed}"
        )


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
        return stop


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeStopped:
    """What still waits under a stop. Returns how many it ended; 0: none is left."""

    ids: Ids
    limit: int = AT_ONCE

    def __call__(self, tx: ActionTransaction) -> int:
        stops = tx.stops.all()
        if not stops:
            return 0
        return _revoke(tx, self.ids, lambda names: any(covers(stop, names) for stop in stops), self.limit)


def _revoke(tx: ActionTransaction, ids: Ids, stopped: Callable[[dict[StopScope, str]], bool], limit: int) -> int:
    ended, after = 0, ActionId("")
    while ended < limit:
        page = tx.actions.waiting_about(WAITS, limit=1_000, after=after)
        if not page:
            break
        for progress, about in page:
            after = progress.action
            if ended < limit and stopped(names_of(about)):
                stored = tx.actions.get(progress.action)
                moved(tx, ids, stored, lifecycle.revoke(progress), EntryKind.ACTION_REVOKED, BY)
                ended += 1
    return ended


def _entry(ids: Ids, kind: EntryKind, stop: Stop, by: Actor, at_ms: int, revoked: int) -> Entry:
    facts = StopFacts(stop=stop.id, scope=stop.scope.value, value=stop.value, reason=stop.reason, revoked=revoked)
    return Entry(id=EntryId(ids.new("en")), kind=kind, at_ms=at_ms, actor=by, facts=facts, about=stop.id)
