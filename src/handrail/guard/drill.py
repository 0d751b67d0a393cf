"""Drills into the queue of held actions: made up, decided by the rules in force, held like any other.

When no request can be made that the rules would hold here (observe mode, a route nobody's tools lead to, a stop), none
is put into the queue and the plan says why. Nothing is executed, whatever happens (`approvals.lifecycle.claim`).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from handrail.approvals.desk import Ask, Ruled, Standing
from handrail.approvals.drill import Drill, Made, Plan
from handrail.approvals.drills import ScheduleDrills, Seed, SkipDrill
from handrail.approvals.facts import ActionFacts
from handrail.approvals.made_up import Draw, Ground, MadeUp, Recent, candidates
from handrail.approvals.route import Case, moment, on_shift, route_of
from handrail.approvals.store import Stored
from handrail.guard.action_ports import Hashing, Schemas
from handrail.guard.history import names_in
from handrail.guard.ports import Thread, Threads
from handrail.guard.tool_call import Weighed, digests_behind
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.store import Journal
from handrail.people.key import Scope
from handrail.policy.action import ActionDecision
from handrail.policy.action_rules import Route
from handrail.policy.decide_action import Prepared, decide_action, encode
from handrail.policy.ruleset import Mode, UseCase
from handrail.terms.action import Action, ActionId, Door
from handrail.terms.clock import Clock
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId, Ids, UseCaseId

RECENT = 40
"""Calls whose forms are looked at."""
LOOKED_AT = 600
"""Requests tried for one drill."""
AT_ONCE = 20
DAY_MS = 86_400_000
KEY = "drill"
"""Whose conversations the made-up ones are: of no API key, so that nothing goes on with them."""


class Recents(Protocol):
    """Committed state (`backends.acted`)."""

    async def recent(self, use_case: UseCaseId, *, most: int) -> tuple[Stored, ...]:
        """The newest actions of a use case that are no drills. Raises HandrailError JOURNAL_UNAVAILABLE."""
        ...


class CustomerHashing(Hashing, Protocol):
    def customer(self, customer: CustomerId) -> bytes: ...


class Drilling:
    """`digits`: minor digits by currency."""

    def __init__(
        self,
        *,
        journal: Journal,
        threads: Threads,
        recents: Recents,
        schemas: Schemas,
        hashing: CustomerHashing,
        clock: Clock,
        ids: Ids,
        digits: Mapping[str, int],
    ) -> None:
        self._journal = journal
        self._threads = threads
        self._recents = recents
        self._schemas = schemas
        self._hashing = hashing
        self._clock = clock
        self._ids = ids
        self._digits = dict(digits)

    async def schedule(self, snapshot: Snapshot) -> int:
        """This week's drills of the routes that declare some; how many were new."""
        made = 0
        for route in snapshot.ruleset.actions.routes:
            if route.drills_a_week:
                drills = self._week(route, snapshot.ruleset.time_zone)
                made += await self._journal.run(ScheduleDrills(ids=self._ids, drills=drills))
        return made

    async def due(self, snapshot: Snapshot, prepared: Prepared) -> tuple[list[Stored], list[tuple[Drill, str]]]:
        """Put what is due into the queue: those that were, and those that could not be, with why."""
        made: list[Stored] = []
        not_made: list[tuple[Drill, str]] = []
        drills: list[Drill] = await self._journal.run(lambda tx: tx.drills.due(limit=AT_ONCE))
        for drill in drills:
            try:
                made.append(await self._put(drill, snapshot, prepared))
            except HandrailError as error:
                if error.code is Code.LOST_RACE:
                    continue
                if error.code is Code.JOURNAL_UNAVAILABLE:
                    raise
                await self._journal.run(SkipDrill(drill=drill, why_not=error.message))
                not_made.append((drill, error.message))
        return made, not_made

    async def _put(self, drill: Drill, snapshot: Snapshot, prepared: Prepared) -> Stored:
        """Raises HandrailError REQUEST_INVALID when nothing fits, STOPPED, LOST_RACE or JOURNAL_UNAVAILABLE."""
        plan, draw = drill.plan, Draw(f"{drill.plan.seed}/{drill.id}")
        for use_case in draw.shuffled(_use_cases(snapshot, plan)):
            ground, key = await self._ground(use_case, snapshot)
            for at in range(4):
                found = self._found(ground, f"{plan.seed}/{at}", plan.route, snapshot, prepared)
                if found is None:
                    break
                try:
                    return await self._seeded(drill, *found, use_case, key, snapshot)
                except HandrailError as error:
                    if error.code is not Code.ALREADY:  # such a customer exists: another one
                        raise
        where = f"on route {plan.route}" if plan.route else "here"
        raise HandrailError(
            Code.REQUEST_INVALID,
            f"no request could be made up that the rules in force would hold {where}: observe mode, or no tool with "
            "amounts, objects or consequential values that leads to it",
        )

    def _found(
        self, ground: Ground, seed: str, route: str, snapshot: Snapshot, prepared: Prepared
    ) -> tuple[MadeUp, ActionDecision, Route] | None:
        """The first request that fits its schema and that the rules would hold for this route."""
        for at, made in enumerate(candidates(ground, seed)):
            if at >= LOOKED_AT:
                break
            if self._schemas.errors(made.tool, made.arguments):
                continue
            at_most = snapshot.at_most(ground.use_case, made.tool.type)
            made = msgspec.structs.replace(made, input=msgspec.structs.replace(made.input, at_most=at_most))
            decision = decide_action(made.input, prepared)
            if decision.verdict is not Verdict.HOLD or decision.draft:
                continue
            case = Case(use_case=ground.use_case, amount_minor=made.input.amount_minor, currency=made.input.currency)
            way = route_of(snapshot.ruleset.actions.routes, decision.route, case)
            if way is not None and route in ("", way.id):
                return made, decision, way
        return None

    async def _seeded(
        self,
        drill: Drill,
        made: MadeUp,
        decision: ActionDecision,
        way: Route,
        use_case: UseCase,
        key: str,
        snapshot: Snapshot,
    ) -> Stored:
        thread = await self._threads.open(
            use_case=use_case.id, key_id=KEY, conversation=None, customer=None, history=(), new_from=0
        )
        action = Action(
            id=ActionId(self._ids.new("ac")), use_case=use_case.id, tool=made.tool.id, arguments=made.arguments,
            salt=self._ids.token(16), door=Door.DRILL, key=key, agent=made.input.agent,
            conversation=thread.conversation, customer=CustomerId(made.customer),
        )  # fmt: skip
        ask = self._ask(action, thread, _decided(action, made, decision, way, snapshot), made, snapshot)
        what = Made(
            use_case=use_case.id, tool=made.tool.id, route=way.id, wrong=made.wrong, path=made.path
        )  # fmt: skip
        customer = self._hashing.customer(CustomerId(made.customer))
        seeded: Stored = await self._journal.run(Seed(drill=drill, ask=ask, made=what, customer=customer))
        return seeded

    def _ask(
        self, action: Action, thread: Thread, decide: Callable[[Standing], Ruled], made: MadeUp, snapshot: Snapshot
    ) -> Ask:
        """No equal call is answered by it: its business key is random, and the window is over."""
        return Ask(
            ids=self._ids, request=action, subject=thread.subject.id, decide=decide, business=self._ids.token(32),
            same_since_ms=2**53, ruleset=snapshot.ruleset_digest, owner=KEY, lease_ms=1,
            cool_off_ms=1_000 * made.tool.cool_off_s, drill=True, at_once=False,
        )  # fmt: skip

    async def _ground(self, use_case: UseCase, snapshot: Snapshot) -> tuple[Ground, str]:
        """What requests are made of, and the API key that such calls come under."""
        ruleset = snapshot.ruleset
        tools = tuple(ruleset.tools[name] for name in use_case.tools if name in ruleset.tools)
        known = tuple(one for one in await self._recents.recent(use_case.id, most=RECENT) if one.request is not None)
        local = datetime.fromtimestamp(self._clock.now_ms() / 1_000, UTC).astimezone(ZoneInfo(ruleset.time_zone))
        asked = next((one.request for one in known if one.request is not None), None)
        keys = [key for key in snapshot.keys.values() if key.use_case == use_case.id and Scope.ACT in key.scopes]
        agent = asked.agent if asked is not None else next((key.agent for key in keys), "")
        ground = Ground(
            use_case=use_case.id, tools=tools, rules=ruleset.actions, currency=ruleset.currency, digits=self._digits,
            language=use_case.languages[0] if use_case.languages else "en", recent=tuple(map(_recent, known)),
            past_names=names_in(ruleset.actions), agent=agent, minute=local.hour * 60 + local.minute,
            weekday=local.weekday(), today=local.date().isoformat(),
        )  # fmt: skip
        return ground, asked.key if asked is not None else next((str(key.id) for key in keys), "")

    def _week(self, route: Route, time_zone: str) -> tuple[Drill, ...]:
        """At times that nobody can know before, while the route's people are there."""
        zone = ZoneInfo(time_zone)
        now = datetime.fromtimestamp(self._clock.now_ms() / 1_000, UTC).astimezone(zone)
        year, week, weekday = now.isocalendar()
        monday = (now - timedelta(days=weekday - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
        run, drills = f"{route.id}:{year}-W{week:02}", []
        for at in range(route.drills_a_week):
            seed = self._ids.token(16).hex()
            draw = Draw(seed)
            for _ in range(200):
                due_at = int((monday + timedelta(minutes=draw.below(7 * 1_440))).timestamp() * 1_000)
                if on_shift(route.shifts, moment(due_at, time_zone)):
                    break
            drills.append(Drill(id=f"{run}:{at}", due_at=due_at, plan=Plan(run=run, seed=seed, route=route.id)))
        return tuple(drills)


def _use_cases(snapshot: Snapshot, plan: Plan) -> list[UseCase]:
    """Those with tools, sorted, so that a seed means the same everywhere. In observe mode nothing is held."""
    return [
        use_case
        for name, use_case in sorted(snapshot.ruleset.use_cases.items())
        if use_case.tools and use_case.mode is Mode.ENFORCE and plan.use_case in (None, name)
    ]


def _decided(
    action: Action, made: MadeUp, decision: ActionDecision, way: Route, snapshot: Snapshot
) -> Callable[[Standing], Ruled]:
    ruled = Ruled(
        decision=decision,
        payload=encode(made.input),
        facts=ActionFacts(
            action=action.id, tool=made.tool.id, type=made.tool.type.value, agent=action.agent,
            upstream=made.tool.upstream, verdict=decision.verdict, reasons=decision.reasons, rules=decision.rules,
            amount_minor=made.input.amount_minor, currency=made.input.currency,
        ),
        route=way,
        rules=digests_behind(snapshot, decision),
        owners=frozenset({snapshot.ruleset.use_cases[action.use_case].owner.lower()}),
        given=msgspec.json.encode(Weighed(made.input, (), made.said)),
    )  # fmt: skip

    def decide(_: Standing) -> Ruled:
        return ruled

    return decide


def _recent(stored: Stored) -> Recent:
    assert stored.request is not None
    facts = {}
    if stored.given is not None:
        given = msgspec.json.decode(stored.given, type=Weighed).input
        facts = {fact.name: fact.value for fact in given.facts if isinstance(fact.value, str)}
    return Recent(
        subject=stored.subject, tool=stored.request.tool, arguments=stored.request.arguments,
        customer=stored.request.customer, amount_minor=stored.about.facts.amount_minor, facts=facts,
    )  # fmt: skip
