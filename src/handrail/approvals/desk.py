"""Commands on actions. Each is called with a transaction: the move, its entry and what it reserves or gives back commit
together or not at all. Time is the database's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from handrail.approvals import lifecycle
from handrail.approvals.facts import About, ActionFacts, action_entry
from handrail.approvals.lifecycle import Otherwise, Progress, State
from handrail.approvals.notices import tell
from handrail.approvals.permit import overdue
from handrail.approvals.route import APPROVERS, next_step
from handrail.approvals.stop import Stop, covers, names_of
from handrail.approvals.store import ActionTransaction, Stored
from handrail.ledger.entry import EntryKind
from handrail.policy.action import ActionDecision
from handrail.policy.action_rules import Route
from handrail.terms.action import Action, ActionId, digest_of
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, Ids, KeyId, PersonId, SubjectId

BY = Actor(ActorKind.SYSTEM, "actions")
BUSY_MS = 250
"""For so long an action whose target is busy is put off."""
NO_END = 2**62


@dataclass(frozen=True, slots=True)
class Standing:
    """What only the transaction can tell a decision: the stops in force, what each limit has used, and its time."""

    stops: tuple[Stop, ...]
    used: Callable[[str, str], int]
    now_ms: int = 0


@dataclass(frozen=True, slots=True)
class Ruled:
    """A decision with what the desk needs to act on it. `reserve`: scope, period, amount and ceiling of each limit
    drawn on; `waiting`: the same of what may wait for a person, taken while it does. `payload`: the canonical input of
    the decision and the call, to be sealed. `rules`: digests of the rules it rests on, whose authors may not settle it.
    `owners`: addresses of who owns the use case, likewise. `given`: what it rests on, to be decided again. `arguments`:
    as the rules change them, when they do. `told`: what the agent is told of it."""

    decision: ActionDecision
    payload: bytes
    facts: ActionFacts
    reserve: tuple[tuple[str, str, int, int], ...] = ()
    waiting: tuple[tuple[str, str, int, int], ...] = ()
    route: Route | None = None
    excluded: frozenset[PersonId] = frozenset()
    rules: tuple[Digest, ...] = ()
    owners: frozenset[str] = frozenset()
    given: bytes | None = None
    arguments: dict[str, Any] | None = None
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """An agent asks for an action: decided, then held, or approved and claimed at once for the process that asks.

    `decide` is pure and may be called again. `business`: keyed hash of what makes two calls the same; an equal call
    within `same_since_ms` gets the first one's action, whatever came of it. `by`: who asks, when it is not the key.
    `at_once`: what may run is claimed here; else the jobs process carries it out. `report_within_ms`: above 0, its
    caller executes it under a permit, which it gets within `permit_ms` (`approvals.redeem`). `anywhere`: equal calls of
    other conversations count. `repeats`: a read, answered by an equal one only while that waits or runs. `dry_run`: it
    is decided and recorded as tried; nothing waits, is reserved or may be executed. `in_flight`: as in `Claim`; what
    finds its target busy is left to the jobs process. `until`: Unix ms after which it makes no sense any more.
    """

    ids: Ids
    request: Action
    subject: SubjectId
    decide: Callable[[Standing], Ruled]
    business: bytes
    same_since_ms: int
    ruleset: Digest
    owner: str
    lease_ms: int
    cool_off_ms: int = 0
    drill: bool = False
    by: Actor | None = None
    at_once: bool = True
    permit_ms: int = 0
    report_within_ms: int = 0
    anywhere: bool = False
    repeats: bool = False
    dry_run: bool = False
    in_flight: Mapping[str, int] = field(default_factory=dict)
    until: int | None = None

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND when the subject was erased, LOST_RACE when a limit was used up meanwhile,
        ALREADY when an equal call was made for another customer: its result is not this one's to see."""
        first = self._first(tx)
        if first is not None:
            return first
        ruled = self.decide(Standing(tuple(tx.stops.all()), tx.limits.used, tx.now_ms))
        if self.dry_run:
            return self._tried(tx, ruled)
        reserved = reserve(tx, ruled, waits=ruled.decision.verdict is Verdict.HOLD and ruled.route is not None)
        request = self.request
        if ruled.arguments is not None:
            request = msgspec.structs.replace(request, arguments=ruled.arguments)
        progress = lifecycle.until(self._begin(tx, ruled, request), self.until)
        about = About(
            use_case=request.use_case, facts=ruled.facts, route=ruled.route, ruleset=self.ruleset,
            rules=ruled.rules, told=ruled.told,
        )  # fmt: skip
        waits = progress.state is State.HELD or progress.not_before > tx.now_ms
        stored = Stored(
            progress=progress,
            about=about,
            subject=self.subject,
            request=request,
            business=self.business,
            reserved=reserved,
            given=ruled.given if waits or not self.at_once or _busy(tx, about, self.in_flight) else None,
        )
        tx.actions.add(stored)
        by = self.by or Actor(ActorKind.KEY, request.key)
        tx.append(
            action_entry(
                EntryKind.ACTION_DECIDED, progress, request, ids=self.ids, at_ms=tx.now_ms, by=by,
                subject=self.subject, payload=ruled.payload, ruleset=self.ruleset, facts=ruled.facts,
            )
        )  # fmt: skip
        tell(tx, self.ids, EntryKind.ACTION_DECIDED, progress, about)
        if progress.state is State.APPROVED and not waits and self.at_once:
            return Claim(
                ids=self.ids, action=request.id, owner=self.owner, lease_ms=self.lease_ms, in_flight=self.in_flight
            )(tx)  # fmt: skip
        return stored

    def _first(self, tx: ActionTransaction) -> Stored | None:
        first = tx.actions.same(
            self.business,
            since_ms=self.same_since_ms,
            conversation=None if self.anywhere else self.request.conversation,
        )
        if first is None or (self.repeats and first.progress.state not in _RUNS):
            return None
        if self.anywhere and first.request is not None and first.request.customer != self.request.customer:
            raise HandrailError(Code.ALREADY, "an equal call was made for another customer; a person must look at it")
        return first

    def _tried(self, tx: ActionTransaction, ruled: Ruled) -> Stored:
        """What would be; only the entry of the question is kept, so that nobody feels out the rules unseen."""
        request = self.request
        if ruled.arguments is not None:
            request = msgspec.structs.replace(request, arguments=ruled.arguments)
        progress = self._begin(tx, ruled, request)
        tx.append(
            action_entry(
                EntryKind.ACTION_TRIED, progress, request, ids=self.ids, at_ms=tx.now_ms,
                by=Actor(ActorKind.KEY, request.key), subject=self.subject, payload=ruled.payload,
                ruleset=self.ruleset, facts=ruled.facts,
            )
        )  # fmt: skip
        about = About(
            use_case=request.use_case, facts=ruled.facts, route=ruled.route, ruleset=self.ruleset, told=ruled.told
        )
        return Stored(progress=progress, about=about, subject=self.subject, request=request, business=self.business)

    def _begin(self, tx: ActionTransaction, ruled: Ruled, request: Action) -> Progress:
        decision, now = ruled.decision, tx.now_ms
        digest = digest_of(request)
        if decision.verdict is Verdict.HOLD and ruled.route is not None:
            route = ruled.route
            return lifecycle.held(
                request.id, digest, now=now, needs=route.persons, route=route.id,
                decide_by=now + 1_000 * route.decide_within_s, otherwise=Otherwise(route.otherwise),
                excluded=excluded_of(tx, ruled, request.key), escalate_at=next_step(route, now, 0),
                execute_within_ms=1_000 * route.execute_within_s, cool_off_ms=self.cool_off_ms, drill=self.drill,
                report_within_ms=self.report_within_ms,
            )  # fmt: skip
        approved = lifecycle.allowed(
            request.id, digest, now=now, execute_within_ms=self.permit_ms or 1_000 * 900,
            cool_off_ms=self.cool_off_ms, report_within_ms=self.report_within_ms,
        )  # fmt: skip
        if decision.verdict in (Verdict.ALLOW, Verdict.CHANGE):
            return msgspec.structs.replace(approved, excluded=ruled.excluded)  # who asked does not settle it either
        state = State.DRAFTED if decision.draft else State.DENIED
        return msgspec.structs.replace(approved, state=state, execute_by=None)


def _slot(about: About) -> tuple[str, str]:
    """Scope and period under which the register counts the calls in flight to an action's target."""
    return f"in-flight/{about.facts.upstream}", "now"


def _busy(tx: ActionTransaction, about: About, in_flight: Mapping[str, int]) -> bool:
    at_most = in_flight.get(about.facts.upstream)
    return at_most is not None and tx.limits.used(*_slot(about)) >= at_most


def waiting_scope(scope: str) -> str:
    """Under which the register counts what of a limit waits for a person."""
    return f"{_WAITING}{scope}"


def reserve(tx: ActionTransaction, ruled: Ruled, *, waits: bool) -> tuple[tuple[str, str, int], ...]:
    """Take what the decision draws on; `waits`: for a person, which counts by itself. Raises HandrailError LOST_RACE
    when a limit was used up meanwhile."""
    if ruled.decision.verdict is Verdict.DENY or ruled.decision.draft:
        return ()
    taken: list[tuple[str, str, int]] = []
    for scope, period, amount, at_most in (*ruled.reserve, *(ruled.waiting if waits else ())):
        if not tx.limits.reserve(scope, period, amount, at_most=at_most):
            raise HandrailError(Code.LOST_RACE, "a limit was used up meanwhile; ask again")
        taken.append((scope, period, amount))
    return tuple(taken)


def excluded_of(tx: ActionTransaction, ruled: Ruled, key: str) -> frozenset[PersonId]:
    """Who may not settle it: the requester, the owner, the authors of the rules, and whoever made the `key` that asks
    or one of its line: who holds a key can ask with it."""
    keys = {one.id: one for one in tx.keys.all()}
    line = keys[KeyId(key)].lineage if KeyId(key) in keys else key
    made = {PersonId(one.by) for one in keys.values() if one.lineage == line and one.by}
    owners = {found.id for mail in ruled.owners if (found := tx.persons.by_mail(mail)) is not None}
    authors = {tx.rulesets.rule_author(rule) for rule in ruled.rules}
    wrote = {PersonId(author.id) for author in authors if author is not None and author.kind is ActorKind.PERSON}
    return ruled.excluded | owners | wrote | made


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The single right to execute. Stops are read here, in the same transaction, so that none is missed; `refused` says
    whether what is in force now denies it. What is stopped or refused is revoked instead. `in_flight`: how many calls
    each target takes at once, of all processes together; where it takes no more, the action stays approved and is put
    off."""

    ids: Ids
    action: ActionId
    owner: str
    lease_ms: int
    refused: Callable[[Stored, Standing], bool] | None = None
    in_flight: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, tx: ActionTransaction) -> Stored:
        """`state` is CLAIMED for this owner, REVOKED, or still APPROVED. Raises HandrailError NOT_FOUND,
        ALREADY_DECIDED, NOT_ALLOWED or LOST_RACE."""
        stored = tx.actions.get(self.action)
        request = stored.request
        if request is None:
            after = lifecycle.unreachable(stored.progress)
            return moved(tx, self.ids, stored, after, EntryKind.ACTION_UNREACHABLE, BY)
        stops = tuple(tx.stops.all())
        names = names_of(stored.about)
        stopped = any(covers(stop, names) for stop in stops)
        if stopped or (self.refused is not None and self.refused(stored, Standing(stops, tx.limits.used))):
            return moved(tx, self.ids, stored, lifecycle.revoke(stored.progress), EntryKind.ACTION_REVOKED, BY)
        if _busy(tx, stored.about, self.in_flight):
            after = lifecycle.put_off(stored.progress, tx.now_ms + BUSY_MS)
            tx.actions.move(stored.progress, after)
            return msgspec.structs.replace(stored, progress=after)
        after = lifecycle.claim(stored.progress, self.owner, digest_of(request), now=tx.now_ms, lease_ms=self.lease_ms)
        if stored.about.facts.upstream in self.in_flight:
            tx.limits.reserve(*_slot(stored.about), 1, at_most=NO_END)
            after = msgspec.structs.replace(after, slot=True)
        return moved(tx, self.ids, stored, after, EntryKind.ACTION_CLAIMED, BY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew:
    """The holder is alive. No entry: nothing happened."""

    action: ActionId
    owner: str
    lease_ms: int

    def __call__(self, tx: ActionTransaction) -> None:
        """Raises HandrailError LOST_RACE when another process has it."""
        before = tx.actions.get(self.action).progress
        tx.actions.move(before, lifecycle.renew(before, self.owner, now=tx.now_ms, lease_ms=self.lease_ms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Whether the call of a claim whose outcome is not known may leave once more, under its key. It may be the first to
    arrive, so what would forbid a claim forbids it: a stop, and the end of the time to execute."""

    action: ActionId
    owner: str
    lease_ms: int

    def __call__(self, tx: ActionTransaction) -> bool:
        """Raises HandrailError LOST_RACE when another process has the claim."""
        stored = tx.actions.get(self.action)
        before = stored.progress
        tx.actions.move(before, lifecycle.renew(before, self.owner, now=tx.now_ms, lease_ms=self.lease_ms))
        names = names_of(stored.about)
        in_time = before.execute_by is None or tx.now_ms < before.execute_by
        return in_time and not any(covers(stop, names) for stop in tx.stops.all())


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    """The right to ask for the outcome of a claim whose holder went silent."""

    ids: Ids
    action: ActionId
    owner: str
    lease_ms: int

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND or LOST_RACE."""
        stored = tx.actions.get(self.action)
        after = lifecycle.take_over(stored.progress, self.owner, now=tx.now_ms, lease_ms=self.lease_ms)
        return moved(tx, self.ids, stored, after, EntryKind.ACTION_TAKEN_OVER, BY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """`result`: what the agent gets, kept with the action. `receipt`: the whole exchange for the entry's payload."""

    ids: Ids
    action: ActionId
    owner: str
    state: State
    result: bytes
    receipt: bytes
    facts: ActionFacts

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND or LOST_RACE (the lease went to another)."""
        stored = tx.actions.get(self.action)
        after = lifecycle.finish(stored.progress, self.owner, self.state, now=tx.now_ms)
        if stored.request is not None:
            tx.actions.keep_result(self.action, self.result)
        kind = {
            State.DONE: EntryKind.ACTION_DONE,
            State.FAILED: EntryKind.ACTION_FAILED,
            State.UNKNOWN: EntryKind.ACTION_UNKNOWN,
        }[self.state]
        return moved(
            tx, self.ids, stored, after, kind, BY, facts=self.facts,
            payload=self.receipt if stored.request is not None else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What only time does: escalations, expiries, lapses, reports of callers that did not come. Returns the actions
    that somebody must now execute or ask about: approved and due, or claimed by a process that went silent."""

    ids: Ids
    limit: int = 200

    def __call__(self, tx: ActionTransaction) -> tuple[list[Progress], list[Stored]]:
        waiting: list[Progress] = []
        changed: list[Stored] = []
        for progress in tx.actions.due(limit=self.limit):
            if progress.state is State.CLAIMED and progress.report_within_ms:  # its caller's report did not come
                changed.append(_unreported(tx, self.ids, tx.actions.get(progress.action)))
                continue
            over = progress.decide_by if progress.state is State.HELD else progress.execute_by
            if progress.state is State.CLAIMED or (
                progress.state is State.APPROVED and over is not None and tx.now_ms < over
            ):
                waiting.append(progress)
                continue
            stored = tx.actions.get(progress.action)
            if progress.state in (State.HELD, State.APPROVED) and over is not None and tx.now_ms >= over:
                kind = EntryKind.ACTION_EXPIRED if progress.state is State.HELD else EntryKind.ACTION_LAPSED
                after = lifecycle.expire(progress, now=tx.now_ms)
                changed.append(moved(tx, self.ids, stored, after, kind, BY))
            elif progress.state is State.HELD:
                route = stored.about.route or APPROVERS
                next_at = next_step(route, progress.created_at, progress.step + 1)
                after = lifecycle.escalate(progress, now=tx.now_ms, next_at=next_at)
                changed.append(moved(tx, self.ids, stored, after, EntryKind.ACTION_ESCALATED, BY))
        return waiting, changed


def _unreported(tx: ActionTransaction, ids: Ids, stored: Stored) -> Stored:
    """Nobody can tell what became of a redeemed permit: a person is asked."""
    facts = msgspec.structs.replace(stored.about.facts, by_claim="unreported")
    after = overdue(stored.progress, now=tx.now_ms)
    return moved(tx, ids, stored, after, EntryKind.ACTION_UNKNOWN, BY, facts=facts)


_WAITING = "waiting/"
_RUNS = frozenset({State.HELD, State.APPROVED, State.CLAIMED})
_GIVES_BACK = frozenset(
    {
        State.DENIED, State.EXPIRED, State.LAPSED, State.REVOKED, State.CANCELLED, State.UNREACHABLE, State.FAILED,
        State.DRAFTED,
    }
)  # fmt: skip


def moved(
    tx: ActionTransaction,
    ids: Ids,
    stored: Stored,
    after: Progress,
    kind: EntryKind,
    by: Actor,
    comment: str = "",
    *,
    facts: ActionFacts | None = None,
    payload: bytes | None = None,
    before: Progress | None = None,
) -> Stored:
    """Make a move: its compare-and-set, its entry, what it had reserved given back when it ends without an effect, and
    what it undoes marked when it is done.
    `before`: where it was, when more than its progress has changed. A comment is a person's words: sealed."""
    stored, was = msgspec.structs.replace(stored, progress=after), before or stored.progress
    if before is None:
        tx.actions.move(was, after)
    else:
        tx.actions.rewrite(was, stored)
    for scope, period, amount in stored.reserved:
        waited = scope.startswith(_WAITING)
        if (was.state is State.HELD and after.state is not State.HELD) if waited else after.state in _GIVES_BACK:
            tx.limits.release(scope, period, amount)
    if was.slot and was.state is State.CLAIMED and after.state is not State.CLAIMED:
        tx.limits.release(*_slot(stored.about), 1)
    if after.state is State.DONE and stored.request is not None and stored.request.parent:
        _mark_undone(tx, ActionId(stored.request.parent), after.action)
    if comment and payload is None and stored.request is not None:
        payload = msgspec.json.encode({"comment": comment})
    tx.append(
        action_entry(
            kind, after, stored.request, ids=ids, at_ms=tx.now_ms, by=by, subject=stored.subject, payload=payload,
            facts=facts or stored.about.facts,
        )
    )  # fmt: skip
    tell(tx, ids, kind, after, stored.about, was.route)
    return stored


def _mark_undone(tx: ActionTransaction, parent: ActionId, by: ActionId) -> None:
    """What was done is done for good, so nobody else moves it."""
    before = tx.actions.get(parent).progress
    tx.actions.move(before, lifecycle.undone(before, by))
