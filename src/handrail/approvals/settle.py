"""Commands of persons on held actions: approve, deny, edit, hand on, cancel, and settle what nobody could tell.

Who asks is read from her token in the command's own transaction, so that a role taken away a moment ago counts; so are
the owner of the use case, the route and the hour. When any of them cannot be read, nothing moves.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from handrail.approvals import drills, lifecycle
from handrail.approvals.behind import name_of
from handrail.approvals.desk import Ask, Ruled, Standing, excluded_of, moved, reserve
from handrail.approvals.facts import About, ReadFacts, unread
from handrail.approvals.lifecycle import Progress, State
from handrail.approvals.route import APPROVERS, Case, covers, moment, next_step, require_decider
from handrail.approvals.store import ActionTransaction, Stored
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.erase import reference
from handrail.ledger.store import Journal
from handrail.people.acting import person_of
from handrail.people.authorise import Act, require
from handrail.people.person import Person, mail_of
from handrail.policy.action_rules import Route
from handrail.policy.ruleset import Ruleset, asks_why
from handrail.terms.action import Action, ActionId, Door, digest_of
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, EntryId, Ids, PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """One person's yes. `digest`: of what she saw. `comment`: her words, sealed."""

    ids: Ids
    action: ActionId
    digest: Digest
    token: str
    comment: str = ""

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID, ALREADY_DECIDED (who and when), NOT_ALLOWED or LOST_RACE."""
        stored = tx.actions.get(self.action)
        person = decider(tx, stored, self.token)
        after = lifecycle.approve(stored.progress, person.id, self.digest, now=tx.now_ms)
        if stored.progress.drill:
            return drills.approved(tx, self.ids, stored, after, person, self.comment)
        return moved(tx, self.ids, stored, after, EntryKind.ACTION_APPROVED, _actor(person), self.comment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """One no is enough."""

    ids: Ids
    action: ActionId
    token: str
    comment: str = ""

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID, ALREADY_DECIDED (who and when) or NOT_ALLOWED."""
        stored = tx.actions.get(self.action)
        person = decider(tx, stored, self.token)
        after = lifecycle.deny(stored.progress, person.id, now=tx.now_ms)
        if stored.progress.drill:
            return drills.denied(tx, self.ids, stored, after, person, self.comment)
        return moved(tx, self.ids, stored, after, EntryKind.ACTION_DENIED, _actor(person), self.comment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Other arguments: a new revision, decided from the start, without any approval. `decide`: of the new call, pure.
    What the ruleset denies cannot be edited into being; what it would allow waits for an approval all the same, by
    somebody else: who edits asks for the new call."""

    ids: Ids
    request: Action
    before: Digest
    decide: Callable[[Standing], Ruled]
    token: str
    comment: str = ""

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID, ALREADY_DECIDED, LOST_RACE, or NOT_ALLOWED (not hers to
        decide, or the new call is denied)."""
        stored = tx.actions.get(self.request.id)
        person = decider(tx, stored, self.token)
        if stored.progress.digest != self.before:
            raise HandrailError(Code.LOST_RACE, "the arguments have changed since you looked; read them again")
        if stored.progress.drill:
            return drills.edited(tx, self.ids, stored, self.request.arguments, person, self.comment)
        for scope, period, amount in stored.reserved:
            tx.limits.release(scope, period, amount)
        ruled = self.decide(Standing(tuple(tx.stops.all()), tx.limits.used, tx.now_ms))
        if ruled.decision.verdict is Verdict.DENY:
            why = ", ".join(dict.fromkeys(reason.code for reason in ruled.decision.reasons))
            raise HandrailError(
                Code.NOT_ALLOWED, "the rules deny the edited call ({why}); nothing was changed", parts={"why": why}
            )
        route = ruled.route or stored.about.route or APPROVERS
        request = self.request
        if ruled.arguments is not None:
            request = msgspec.structs.replace(request, arguments=ruled.arguments)
        after = lifecycle.edit(stored.progress, digest_of(request), now=tx.now_ms)
        after = msgspec.structs.replace(
            after,
            route=route.id,
            needs=max(after.needs, route.persons),
            excluded=after.excluded | excluded_of(tx, ruled, request.key) | {person.id},
        )
        if route.id != stored.progress.route:
            after = msgspec.structs.replace(after, step=0, escalate_at=next_step(route, tx.now_ms, 0))
        changed = msgspec.structs.replace(
            stored,
            progress=after,
            about=About(
                use_case=stored.about.use_case, facts=ruled.facts, route=route, ruleset=stored.about.ruleset,
                rules=ruled.rules, told=ruled.told,
            ),
            request=request,
            reserved=reserve(tx, ruled, waits=True),
            given=ruled.given,
        )  # fmt: skip
        return moved(
            tx, self.ids, changed, after, EntryKind.ACTION_EDITED, _actor(person), facts=ruled.facts,
            payload=ruled.payload, before=stored.progress,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOn:
    """To another route, such as one that may decide a higher amount. Its time to decide stays."""

    ids: Ids
    action: ActionId
    route: str
    token: str
    comment: str = ""

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND (no such action or route), TOKEN_INVALID, ALREADY_DECIDED or NOT_ALLOWED."""
        stored = tx.actions.get(self.action)
        person = _colleague(tx, stored, self.token)
        ruleset = _ruleset(tx)
        routes = {route.id: route for route in ruleset.actions.routes} if ruleset is not None else {}
        route = routes.get(self.route)
        if route is None:
            known = ", ".join(sorted(routes)) or "none are written"
            raise HandrailError(Code.NOT_FOUND, "there is no such route; routes: {known}", parts={"known": known})
        if not covers(route, _case(stored)):
            raise HandrailError(
                Code.NOT_ALLOWED, "route {route} may not decide this amount or use case", parts={"route": route.id}
            )
        after = lifecycle.hand_on(
            stored.progress, route.id, now=tx.now_ms, needs=route.persons,
            escalate_at=next_step(route, tx.now_ms, 0),
        )  # fmt: skip
        changed = msgspec.structs.replace(
            stored, progress=after, about=msgspec.structs.replace(stored.about, route=route)
        )
        return moved(
            tx, self.ids, changed, after, EntryKind.ACTION_HANDED_ON, _actor(person), self.comment,
            before=stored.progress,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HandTo:
    """To one colleague who may decide it: for the route's `hand_over_within_s` nobody else does, then its people again.
    `to`: her id or address."""

    ids: Ids
    action: ActionId
    to: str
    token: str
    comment: str = ""

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND (no such action or person), TOKEN_INVALID, ALREADY_DECIDED or NOT_ALLOWED: the
        other may not decide it now, or is who hands it over."""
        stored = tx.actions.get(self.action)
        person = _colleague(tx, stored, self.token)
        target = tx.persons.by_mail(mail_of(self.to)) if "@" in self.to else tx.persons.get(PersonId(self.to))
        if target is None:
            raise HandrailError(Code.NOT_FOUND, "there is no person with this address")
        if target.id == person.id:
            raise HandrailError(Code.NOT_ALLOWED, "choose another person: you may decide it already")
        try:
            _require_may(tx, stored, target)
        except HandrailError as error:
            if error.code is not Code.NOT_ALLOWED:
                raise
            raise HandrailError(
                Code.NOT_ALLOWED,
                "this person may not decide it now (roles, amount, shift, or part in it); choose another",
            ) from None
        within = 1_000 * (stored.about.route or APPROVERS).hand_over_within_s
        after = lifecycle.hand_to(stored.progress, target.id, now=tx.now_ms, within_ms=within)
        return moved(tx, self.ids, stored, after, EntryKind.ACTION_HANDED_ON, _actor(person), self.comment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """By the agent that asked, before the claim. `key`: the id of its key, `use_case` checked by the caller."""

    ids: Ids
    action: ActionId
    key: str

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND, or ALREADY_DECIDED (it runs or has ended)."""
        stored = tx.actions.get(self.action)
        if stored.request is not None and stored.request.door is Door.UNDO:
            raise HandrailError(Code.NOT_ALLOWED, "a person asked for this undo; an agent does not cancel it")
        after = lifecycle.cancel(stored.progress)
        return moved(tx, self.ids, stored, after, EntryKind.ACTION_CANCELLED, Actor(ActorKind.KEY, self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """What a person found out about a call whose outcome nobody could tell. `done`: the effect is there."""

    ids: Ids
    action: ActionId
    done: bool
    token: str
    comment: str = ""

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID, ALREADY_DECIDED or NOT_ALLOWED."""
        stored = tx.actions.get(self.action)
        person = decider(tx, stored, self.token, hours=False)
        state = State.DONE if self.done else State.FAILED
        after = lifecycle.settle(stored.progress, state, person.id, now=tx.now_ms)
        if stored.request is not None:
            tx.actions.keep_result(
                self.action, msgspec.json.encode({"status": state.value, "result": None, "code": ""})
            )
        facts = msgspec.structs.replace(stored.about.facts, by_claim="person")
        return moved(tx, self.ids, stored, after, EntryKind.ACTION_SETTLED, _actor(person), self.comment, facts=facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCase:
    """A person looks at a case with its arguments; the reading is recorded, else nothing is shown. `rules`: in force;
    they say whether `reason` (a `ledger.erase.reference`) must be given."""

    ids: Ids
    action: ActionId
    token: str
    rules: Ruleset | None
    reason: str = ""

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID, NOT_ALLOWED: her roles neither settle it nor read texts,
        REASON_NEEDED, or REQUEST_INVALID: the reason is no reference."""
        stored = tx.actions.get(self.action)
        person = person_of(tx, self.token)
        route = stored.about.route or APPROVERS
        asked = set(route.roles) | {role for step in route.steps for role in step.roles}
        if not asked & {role.value for role in person.roles}:
            require(Act.READ_PAYLOAD, person, people_exist=True)
        if not self.reason and asks_why(self.rules, stored.about.use_case):
            raise HandrailError(
                Code.REASON_NEEDED, "the ruleset asks why you read this; give a reason such as `ticket 4711`"
            )
        facts = ReadFacts(self.action, reference(self.reason)) if self.reason else ReadFacts(self.action)
        tx.append(
            Entry(
                id=EntryId(self.ids.new("en")), kind=EntryKind.PAYLOAD_READ, at_ms=tx.now_ms, actor=_actor(person),
                facts=facts, about=self.action,
            )
        )  # fmt: skip
        return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The undoing call of an action that was done, as an action of its own, decided like any other. The person who asks
    for it never settles it. `ask`: the undoing call, whose `parent` is the action."""

    ask: Ask
    token: str
    undo_within_s: int | None

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID, NOT_ALLOWED, or ALREADY_DECIDED: it was not done, or its time
        to be undone is over."""
        done = tx.actions.get(ActionId(self.ask.request.parent)).progress
        person = person_of(tx, self.token)
        by = require(Act.UNDO, person, people_exist=True)
        if done.state is not State.DONE:
            raise HandrailError(
                Code.ALREADY_DECIDED,
                "this action is {state}; only what was done is undone",
                parts={"state": done.state.value},
            )
        since = done.ended_at or done.created_at
        if self.undo_within_s is not None and tx.now_ms >= since + 1_000 * self.undo_within_s:
            raise HandrailError(Code.ALREADY_DECIDED, "the time in which this action can be undone is over")

        def decide(standing: Standing) -> Ruled:
            ruled = self.ask.decide(standing)
            return replace(ruled, excluded=ruled.excluded | {person.id})

        until = None if self.undo_within_s is None else since + 1_000 * self.undo_within_s
        return replace(self.ask, decide=decide, by=by, until=until)(tx)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """An approved action that has not left yet, such as one whose cool-off runs: it never will."""

    ids: Ids
    action: ActionId
    token: str

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID, NOT_ALLOWED, or ALREADY_DECIDED (it runs or has ended)."""
        stored = tx.actions.get(self.action)
        person = person_of(tx, self.token)
        by = require(Act.UNDO, person, people_exist=True)
        after = lifecycle.take_back(stored.progress, person.id, now=tx.now_ms)
        return moved(tx, self.ids, stored, after, EntryKind.ACTION_CANCELLED, by)


async def settled(journal: Journal, command: Callable[[ActionTransaction], Stored]) -> Stored:
    """Run a person's command. Who loses a race to another process is answered from where the action is then: who
    decided and when. Raises HandrailError as the command does."""
    try:
        first: Stored = await journal.run(command)
    except HandrailError as error:
        if error.code is not Code.LOST_RACE:
            raise
        again: Stored = await journal.run(command)
        return again
    return first


def decider(tx: ActionTransaction, stored: Stored, token: str, *, hours: bool = True) -> Person:
    """Who asks, if she may settle this one. `hours`: only on shift. Raises HandrailError TOKEN_INVALID or NOT_ALLOWED;
    ALREADY_DECIDED before that for what does not wait any more, so that who comes late learns who decided."""
    person = person_of(tx, token)
    if hours and stored.progress.state is not State.HELD:
        _require_waiting(tx, stored.progress)
    _require_may(tx, stored, person, hours=hours)
    lifecycle.require_not_another(stored.progress, person.id, tx.now_ms)
    return person


def _require_may(tx: ActionTransaction, stored: Stored, person: Person, *, hours: bool = True) -> None:
    """Raises HandrailError NOT_ALLOWED when this person may not settle it."""
    ruleset = _ruleset(tx)
    route = stored.about.route or APPROVERS
    use_case = ruleset.use_cases.get(stored.about.use_case) if ruleset is not None else None
    require_decider(
        person,
        route if hours else msgspec.structs.replace(route, shifts=()),
        _case(stored),
        moment(tx.now_ms, ruleset.time_zone if ruleset is not None else "UTC"),
        step=stored.progress.step,
        excluded=stored.progress.excluded,
        owners={use_case.owner.lower(), use_case.deputy.lower()} if use_case is not None else set(),
    )
    drills.require_other(tx, stored, person)


def _colleague(tx: ActionTransaction, stored: Stored, token: str) -> Person:
    """Who may pass a case on: whoever the route asks, whatever the hour and the amount. Not who is excluded."""
    person = person_of(tx, token)
    if stored.progress.state is not State.HELD:
        _require_waiting(tx, stored.progress)
    route: Route = stored.about.route or APPROVERS
    require_decider(
        person,
        msgspec.structs.replace(route, shifts=(), up_to=None, use_cases=()),
        _case(stored),
        moment(tx.now_ms, "UTC"),
        step=stored.progress.step,
        excluded=stored.progress.excluded,
        owners=set(),
    )
    return person


def _require_waiting(tx: ActionTransaction, progress: Progress) -> None:
    """Raises HandrailError ALREADY_DECIDED, for a colleague: with the name of who decided beside her id."""
    try:
        lifecycle.require_waiting(progress, tx.now_ms)
    except HandrailError as error:
        by = progress.settled_by
        if not by or by not in error.message:
            raise
        named = f"{name_of(tx, PersonId(by))}, {by},"
        raise HandrailError(error.code, error.template, parts={**error.parts, "by": named}) from None


def _case(stored: Stored) -> Case:
    facts = stored.about.facts
    return Case(
        use_case=stored.about.use_case, amount_minor=facts.amount_minor, currency=facts.currency, unread=unread(facts)
    )


def _ruleset(tx: ActionTransaction) -> Ruleset | None:
    current = tx.rulesets.current()
    return None if current is None else tx.rulesets.get(current)


def _actor(person: Person) -> Actor:
    return Actor(ActorKind.PERSON, person.id)
