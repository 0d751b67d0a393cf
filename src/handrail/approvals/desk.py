"""Commands on actions. Each is called with a transaction: the move, its entry and what it reserves or gives back commit
together or not at all. Time is the database's."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from handrail.approvals import lifecycle
from handrail.approvals.facts import ActionFacts, action_entry
from handrail.approvals.lifecycle import Otherwise, Progress, State
from handrail.approvals.stop import Stop, StopScope, covers
from handrail.approvals.store import ActionTransaction, Stored
from handrail.ledger.entry import EntryKind
from handrail.people.person import Person
from handrail.policy.action import ActionDecision
from handrail.policy.action_rules import Route
from handrail.terms.action import Action, ActionId, digest_of
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, Ids, PersonId, SubjectId

BY = Actor(ActorKind.SYSTEM, "actions")


@dataclass(frozen=True, slots=True)
class Standing:
    """What only the transaction can tell a decision: the stops in force, and what each limit has used."""

    stops: tuple[Stop, ...]
    used: Callable[[str, str], int]


@dataclass(frozen=True, slots=True)
class Ruled:
    """A decision with what the desk needs to act on it. `reserve`: scope, period, amount and ceiling of each limit
    drawn on. `payload`: the canonical input of the decision and the call, to be sealed."""

    decision: ActionDecision
    payload: bytes
    facts: ActionFacts
    reserve: tuple[tuple[str, str, int, int], ...] = ()
    route: Route | None = None
    excluded: frozenset[PersonId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """An agent asks for an action: decided, then held, or approved and claimed at once for the process that asks.

    `decide` is pure and may be called again. `business`: keyed hash of what makes two calls the same; an equal call
    within `same_since_ms` gets the first one's action, whatever came of it. `names`: what stops can name of it.
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

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND when the subject was erased."""
        first = tx.actions.same(
            self.business,
            since_ms=self.same_since_ms,
            conversation=self.request.conversation,
        )
        if first is not None:
            return first
        ruled = self.decide(Standing(tuple(tx.stops.all()), tx.limits.used))
        reserved: list[tuple[str, str, int]] = []
        if ruled.decision.verdict is not Verdict.DENY:
            for scope, period, amount, at_most in ruled.reserve:
                if not tx.limits.reserve(scope, period, amount, at_most=at_most):
                    raise HandrailError(Code.LOST_RACE, "a limit was used up meanwhile; ask again")
                reserved.append((scope, period, amount))
        request, progress = self._begin(tx, ruled)
        stored = Stored(
            progress=progress,
            subject=self.subject,
            request=request,
            business=self.business,
            reserved=tuple(reserved),
        )
        tx.actions.add(stored)
        by = Actor(ActorKind.KEY, request.key)
        tx.append(
            action_entry(
                EntryKind.ACTION_DECIDED, progress, request, ids=self.ids, at_ms=tx.now_ms, by=by,
                subject=self.subject, payload=ruled.payload, ruleset=self.ruleset, facts=ruled.facts,
            )
        )  # fmt: skip
        if progress.state is State.APPROVED and progress.not_before <= tx.now_ms:
            return Claim(ids=self.ids, action=request.id, owner=self.owner, lease_ms=self.lease_ms, names={})(tx)
        return stored

    def _begin(self, tx: ActionTransaction, ruled: Ruled) -> tuple[Action, Progress]:
        request, decision, now = self.request, ruled.decision, tx.now_ms
        digest = digest_of(request)
        if decision.verdict is Verdict.HOLD and ruled.route is not None:
            route = ruled.route
            decide_by = now + 1_000 * route.decide_within_s
            return request, lifecycle.held(
                request.id, digest, now=now, needs=route.persons, route=route.id, decide_by=decide_by,
                otherwise=Otherwise(route.otherwise), excluded=ruled.excluded,
                escalate_at=now + 1_000 * route.steps[0].after_s if route.steps else None,
                execute_within_ms=1_000 * route.execute_within_s, cool_off_ms=self.cool_off_ms, drill=self.drill,
            )  # fmt: skip
        approved = lifecycle.allowed(
            request.id, digest, now=now, execute_within_ms=1_000 * 900, cool_off_ms=self.cool_off_ms
        )
        if decision.verdict in (Verdict.ALLOW, Verdict.CHANGE):
            return request, approved
        state = State.DRAFTED if decision.draft else State.DENIED
        return request, msgspec.structs.replace(approved, state=state, execute_by=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """`digest`: of what the person saw. `person`: who her token says, read in this transaction by the caller."""

    ids: Ids
    action: ActionId
    digest: Digest
    person: Person
    comment: str = ""

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND, ALREADY_DECIDED, NOT_ALLOWED or LOST_RACE."""
        stored = tx.actions.get(self.action)
        after = lifecycle.approve(stored.progress, self.person.id, self.digest, now=tx.now_ms)
        return _moved(tx, self.ids, stored, after, EntryKind.ACTION_APPROVED, _person(self.person), self.comment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    ids: Ids
    action: ActionId
    person: Person
    comment: str = ""

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND, ALREADY_DECIDED or NOT_ALLOWED."""
        stored = tx.actions.get(self.action)
        after = lifecycle.deny(stored.progress, self.person.id, now=tx.now_ms)
        return _moved(tx, self.ids, stored, after, EntryKind.ACTION_DENIED, _person(self.person), self.comment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The single right to execute. Stops are read here, in the same transaction, so that none is missed; `names` are
    what they can name of this action. A stopped action is revoked instead."""

    ids: Ids
    action: ActionId
    owner: str
    lease_ms: int
    names: dict[StopScope, str]

    def __call__(self, tx: ActionTransaction) -> Stored:
        """`state` is CLAIMED for this owner, or REVOKED. Raises HandrailError NOT_FOUND, ALREADY_DECIDED, NOT_ALLOWED
        or LOST_RACE."""
        stored = tx.actions.get(self.action)
        request = stored.request
        if request is None:
            after = lifecycle.unreachable(stored.progress)
            return _moved(tx, self.ids, stored, after, EntryKind.ACTION_UNREACHABLE, BY)
        names = {
            StopScope.USE_CASE: request.use_case,
            StopScope.AGENT: request.agent,
            StopScope.TOOL: request.tool,
            **self.names,
        }
        if any(covers(stop, names) for stop in tx.stops.all()):
            return _moved(tx, self.ids, stored, lifecycle.revoke(stored.progress), EntryKind.ACTION_REVOKED, BY)
        after = lifecycle.claim(stored.progress, self.owner, digest_of(request), now=tx.now_ms, lease_ms=self.lease_ms)
        return _moved(tx, self.ids, stored, after, EntryKind.ACTION_CLAIMED, BY)


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
        return _moved(tx, self.ids, stored, after, EntryKind.ACTION_TAKEN_OVER, BY)


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
        after = lifecycle.finish(stored.progress, self.owner, self.state)
        if stored.request is not None:
            tx.actions.keep_result(self.action, self.result)
        kind = {
            State.DONE: EntryKind.ACTION_DONE,
            State.FAILED: EntryKind.ACTION_FAILED,
            State.UNKNOWN: EntryKind.ACTION_UNKNOWN,
        }[self.state]
        return _moved(
            tx, self.ids, stored, after, kind, BY, facts=self.facts,
            payload=self.receipt if stored.request is not None else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What only time does: escalations, expiries, lapses. Returns the actions that somebody must now execute or ask
    about: approved and due, or claimed by a process that went silent."""

    ids: Ids
    next_step: Callable[[Progress], int | None]
    limit: int = 200

    def __call__(self, tx: ActionTransaction) -> tuple[list[Progress], list[Stored]]:
        waiting: list[Progress] = []
        changed: list[Stored] = []
        for progress in tx.actions.due(limit=self.limit):
            over = progress.decide_by if progress.state is State.HELD else progress.execute_by
            stored = tx.actions.get(progress.action)
            if progress.state in (State.HELD, State.APPROVED) and over is not None and tx.now_ms >= over:
                kind = EntryKind.ACTION_EXPIRED if progress.state is State.HELD else EntryKind.ACTION_LAPSED
                after = lifecycle.expire(progress, now=tx.now_ms)
                changed.append(_moved(tx, self.ids, stored, after, kind, BY))
            elif progress.state is State.HELD:
                after = lifecycle.escalate(progress, now=tx.now_ms, next_at=self.next_step(progress))
                changed.append(_moved(tx, self.ids, stored, after, EntryKind.ACTION_ESCALATED, BY))
            else:
                waiting.append(progress)
        return waiting, changed


_GIVES_BACK = frozenset(
    {
        State.DENIED, State.EXPIRED, State.LAPSED, State.REVOKED, State.CANCELLED, State.UNREACHABLE, State.FAILED,
        State.DRAFTED,
    }
)  # fmt: skip


def _moved(
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
) -> Stored:
    """The move, its entry, and what it had reserved given back when it ends without an effect. A comment is a person's
    words: sealed."""
    tx.actions.move(stored.progress, after)
    if after.state in _GIVES_BACK:
        for scope, period, amount in stored.reserved:
            tx.limits.release(scope, period, amount)
    if comment and stored.request is not None:
        payload = msgspec.json.encode({"comment": comment})
    tx.append(
        action_entry(
            kind, after, stored.request, ids=ids, at_ms=tx.now_ms, by=by, subject=stored.subject, payload=payload,
            facts=facts,
        )
    )  # fmt: skip
    return msgspec.structs.replace(stored, progress=after)


def _person(person: Person) -> Actor:
    return Actor(ActorKind.PERSON, person.id)
