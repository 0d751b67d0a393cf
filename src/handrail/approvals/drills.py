"""Commands on drills: plan, put one into the queue, decide, read the results, forget a person's.

Owners and compliance start drills (act `drill`): they answer for the oversight that a drill measures (OVR-01), and an
approver who starts one for herself would measure nothing. Who starts a drill never decides it, whatever her roles. An
admin manages people and keys and decides on nothing, so none starts one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from handrail.approvals import lifecycle
from handrail.approvals.desk import Ask, Ruled, Standing, moved
from handrail.approvals.drill import Drill, Made, Plan, Told, Wrong
from handrail.approvals.facts import About
from handrail.approvals.lifecycle import Progress, State
from handrail.approvals.stop import covers, names_of
from handrail.approvals.store import ActionTransaction, Stored
from handrail.ledger.entry import Entry, EntryKind
from handrail.people.acting import person_of
from handrail.people.authorise import MAY, Act, require
from handrail.people.person import Person
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId, Ids, PersonId, UseCaseId
from handrail.tools.paths import values_at

BY = Actor(ActorKind.SYSTEM, "drills")
MOST = 200
"""Drills of one command."""
LONGEST_MS = 30 * 86_400_000
MAX_REASON = 200
BEFORE = "its time in this week was over when the schedule was first seen"


class StartedFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of `drill.started`. `last_at`: when the last of them shall enter the queue."""

    run: str
    count: int
    use_case: str = ""
    route: str = ""
    last_at: int = 0


class DecidedFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of `drill.decided`, beside the entry of the decision itself."""

    drill: str
    action: str
    wrong: str
    caught: bool
    route: str = ""
    tool: str = ""
    took_ms: int = 0


class ForgottenFacts(msgspec.Struct, frozen=True):
    """Facts of `drill.forgotten`: so many results say no longer whose they were."""

    person: str
    results: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDrills:
    """`offsets_ms`: one for each drill, from now."""

    ids: Ids
    token: str
    offsets_ms: tuple[int, ...]
    seed: str
    use_case: UseCaseId | None = None
    route: str = ""

    def __call__(self, tx: ActionTransaction) -> tuple[Drill, ...]:
        """Raises HandrailError TOKEN_INVALID, NOT_ALLOWED or REQUEST_INVALID (how many; a use case or route that is not
        there, or on which nobody but her could decide)."""
        person = person_of(tx, self.token)
        by = require(Act.DRILL, person, people_exist=True)
        if not 1 <= len(self.offsets_ms) <= MOST or not all(0 <= one <= LONGEST_MS for one in self.offsets_ms):
            raise HandrailError(Code.REQUEST_INVALID, f"1 to {MOST} drills, within 30 days")
        self._someone(tx, person)
        run = self.ids.new("dr")
        made = tuple(
            Drill(
                id=f"{run}.{at}", due_at=tx.now_ms + offset,
                plan=Plan(run=run, seed=f"{self.seed}/{at}", use_case=self.use_case, route=self.route, by=person.id),
            )
            for at, offset in enumerate(self.offsets_ms)
        )  # fmt: skip
        for drill in made:
            tx.drills.plan(drill)
        facts = StartedFacts(
            run=run, count=len(made), use_case=self.use_case or "", route=self.route,
            last_at=max(drill.due_at for drill in made),
        )  # fmt: skip
        tx.append(_entry(self.ids, EntryKind.DRILL_STARTED, by, tx.now_ms, run, facts))
        return made

    def _someone(self, tx: ActionTransaction, starter: Person) -> None:
        """Somebody else must be able to decide."""
        current = tx.rulesets.current()
        ruleset = None if current is None else tx.rulesets.get(current)
        if ruleset is None:
            raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish")
        if self.use_case is not None and self.use_case not in ruleset.use_cases:
            raise HandrailError(Code.REQUEST_INVALID, f"there is no use case {self.use_case} in force")
        routes = [route for route in ruleset.actions.routes if self.route in ("", route.id)]
        if self.route and not routes:
            known = ", ".join(route.id for route in ruleset.actions.routes) or "none are written"
            raise HandrailError(Code.REQUEST_INVALID, f"there is no route {self.route}; routes: {known}")
        asked = {role for route in routes for role in route.roles} or {role.value for role in MAY[Act.APPROVE]}
        others = (one for one in tx.persons.all() if one.active and one.id != starter.id)
        if not any({role.value for role in one.roles} & asked for one in others):
            raise HandrailError(
                Code.REQUEST_INVALID,
                f"nobody but you could decide such a drill; it asks: {', '.join(sorted(asked))}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDrills:
    """What the routes of the ruleset declare (`drills_a_week`), planned once for each week by whoever comes first.
    Returns how many were new."""

    ids: Ids
    drills: tuple[Drill, ...]

    def __call__(self, tx: ActionTransaction) -> int:
        planned = [drill for drill in self.drills if tx.drills.plan(drill)]
        new = [drill for drill in planned if drill.due_at >= tx.now_ms]
        for late in planned:
            if late.due_at < tx.now_ms:
                tx.drills.skipped(msgspec.structs.replace(late, made=Made(why_not=BEFORE)))
        if new:
            run = new[0].plan.run
            facts = StartedFacts(
                run=run, count=len(new), route=new[0].plan.route, last_at=max(drill.due_at for drill in new)
            )
            tx.append(_entry(self.ids, EntryKind.DRILL_STARTED, BY, tx.now_ms, run, facts))
        return len(new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """Put one planned drill into the queue. `ask`: the made-up call with its decision; nothing is reserved by it and no
    equal call is answered by it. `customer`: keyed hash of the made-up customer, who must be nobody."""

    drill: Drill
    ask: Ask
    made: Made
    customer: bytes

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError LOST_RACE (another process made it), ALREADY (such a customer exists) or STOPPED."""
        if tx.drills.knows_customer(self.customer):
            raise HandrailError(Code.ALREADY, "a customer of this id exists; the drill is made up anew")
        by = BY if self.drill.plan.by is None else Actor(ActorKind.PERSON, self.drill.plan.by)

        def decide(standing: Standing) -> Ruled:
            ruled = self.ask.decide(standing)
            names = names_of(About(use_case=self.ask.request.use_case, facts=ruled.facts))
            if any(covers(stop, names) for stop in standing.stops):
                raise HandrailError(Code.STOPPED, "a stop is in force for this; a drill would show nothing")
            return replace(ruled, reserve=(), waiting=())

        stored = replace(self.ask, decide=decide, by=by, drill=True)(tx)
        if stored.progress.state is not State.HELD or not stored.progress.drill:
            raise HandrailError(Code.LOST_RACE, "the made-up call would not be held")
        tx.drills.made(
            msgspec.structs.replace(self.drill, action=stored.progress.action, made=self.made, made_at=tx.now_ms)
        )
        return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipDrill:
    """None could be made that looks like what is held here."""

    drill: Drill
    why_not: str

    def __call__(self, tx: ActionTransaction) -> None:
        """Raises HandrailError LOST_RACE."""
        tx.drills.skipped(msgspec.structs.replace(self.drill, made=Made(why_not=self.why_not)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResults:
    """Results since a time, in Unix ms. Those who may read drills see all persons', everybody her own."""

    token: str
    since_ms: int = 0
    until_ms: int = 2**53

    def __call__(self, tx: ActionTransaction) -> tuple[Drill, ...]:
        """Raises HandrailError TOKEN_INVALID or NOT_ALLOWED (disabled)."""
        person = person_of(tx, self.token)
        found = tx.drills.since(self.since_ms, self.until_ms)
        if person.roles & MAY[Act.READ_DRILLS]:
            return tuple(found)
        return tuple(drill for drill in found if drill.person == person.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetResults:
    """The results stay as figures of their routes and say no longer whose they were; as with customers, the ledger
    keeps random ids. `reason`: a reference, no name."""

    ids: Ids
    token: str
    person: PersonId
    reason: str

    def __call__(self, tx: ActionTransaction) -> int:
        """How many. Raises HandrailError TOKEN_INVALID, NOT_ALLOWED, REQUEST_INVALID or NOT_FOUND (none are kept)."""
        by = require(Act.ERASE, person_of(tx, self.token), people_exist=True)
        if not self.reason.strip() or len(self.reason) > MAX_REASON:
            raise HandrailError(Code.REQUEST_INVALID, f"give a reason of 1 to {MAX_REASON} characters")
        count = tx.drills.forget(self.person)
        if not count:
            raise HandrailError(Code.NOT_FOUND, "no results are kept of this person; see handrail person list")
        facts = ForgottenFacts(self.person, count, self.reason.strip())
        tx.append(_entry(self.ids, EntryKind.DRILL_FORGOTTEN, by, tx.now_ms, self.person, facts))
        return count


def require_other(tx: ActionTransaction, stored: Stored, person: Person) -> None:
    """Raises HandrailError NOT_ALLOWED to who started this drill. She does not stand among those who are excluded,
    where approvers would see her and know what it is."""
    if stored.progress.drill and tx.drills.of(stored.progress.action).plan.by == person.id:
        raise HandrailError(Code.NOT_ALLOWED, "you started this drill; another person decides it")


def approved(tx: ActionTransaction, ids: Ids, stored: Stored, after: Progress, person: Person, comment: str) -> Stored:
    """A person's yes to a drill: it ends here, whoever else would have been asked, and she is told that she missed
    it."""
    ended = lifecycle.end_drill(after, person.id, State.LAPSED, now=tx.now_ms)
    return _decided(tx, ids, stored, ended, EntryKind.ACTION_APPROVED, person, comment, lambda _: False)


def denied(tx: ActionTransaction, ids: Ids, stored: Stored, after: Progress, person: Person, comment: str) -> Stored:
    """A person's no: caught."""
    return _decided(tx, ids, stored, after, EntryKind.ACTION_DENIED, person, comment, lambda _: True)


def edited(
    tx: ActionTransaction, ids: Ids, stored: Stored, arguments: dict[str, Any], person: Person, comment: str
) -> Stored:
    """Other arguments: caught when the very value that is wrong is another one now, missed when the call would have
    gone on with it."""
    lifecycle.require_waiting(stored.progress, tx.now_ms)
    ended = lifecycle.end_drill(stored.progress, person.id, State.DENIED, now=tx.now_ms)

    def caught(made: Made) -> bool:
        before = {} if stored.request is None else stored.request.arguments
        return bool(made.path) and list(values_at(before, made.path)) != list(values_at(arguments, made.path))

    return _decided(tx, ids, stored, ended, EntryKind.ACTION_EDITED, person, comment, caught)


def _decided(
    tx: ActionTransaction,
    ids: Ids,
    stored: Stored,
    after: Progress,
    kind: EntryKind,
    person: Person,
    comment: str,
    judge: Callable[[Made], bool],
) -> Stored:
    drill = tx.drills.of(stored.progress.action)
    made = drill.made or Made()
    caught = judge(made)
    by = Actor(ActorKind.PERSON, person.id)
    done = moved(tx, ids, stored, after, kind, by, comment)
    tx.drills.decided(msgspec.structs.replace(drill, decided_at=tx.now_ms, person=person.id, caught=caught))
    wrong = made.wrong or Wrong.NOT_THEIRS
    facts = DecidedFacts(
        drill=drill.id, action=stored.progress.action, wrong=wrong.value, caught=caught, route=made.route,
        tool=made.tool or "", took_ms=tx.now_ms - stored.progress.created_at,
    )  # fmt: skip
    tx.append(_entry(ids, EntryKind.DRILL_DECIDED, by, tx.now_ms, stored.progress.action, facts))
    return msgspec.structs.replace(done, drilled=Told(caught, wrong, made.path))


def _entry(ids: Ids, kind: EntryKind, by: Actor, at_ms: int, about: str, facts: msgspec.Struct) -> Entry:
    return Entry(id=EntryId(ids.new("en")), kind=kind, at_ms=at_ms, actor=by, facts=facts, about=about)
