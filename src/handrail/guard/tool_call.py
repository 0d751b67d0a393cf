"""One action of an agent, start to finish: the numbered steps.

When this cannot answer, nothing happens: a tool that is not registered, arguments outside the schema, a conversation
that cannot be opened or a journal that cannot commit refuse the call; a decision that cannot be made holds it. The
claim is durable before anything leaves, and the outcome before the agent hears of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from handrail.approvals.desk import Ask, Ruled, Standing, waiting_scope
from handrail.approvals.facts import About, ActionFacts
from handrail.approvals.lifecycle import State
from handrail.approvals.made_up import Heard
from handrail.approvals.route import Case, route_of
from handrail.approvals.stop import covers, names_of
from handrail.approvals.store import Stored
from handrail.guard.action_ports import Hashing, Recollection, Schemas
from handrail.guard.execute import LEASE_MS, Executor
from handrail.guard.history import FORMS, NO_CEILING, Count, counts_of, names_in, past_of
from handrail.guard.ports import Manifests, ModelCalls, Threads
from handrail.guard.scopes import counted_by, same_arguments
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.store import Journal
from handrail.people.key import ApiKey
from handrail.policy.action import ActionDecision, ActionInput, Fact, Room, Why
from handrail.policy.action_rules import Limit, Per
from handrail.policy.decide_action import Prepared, decide_action, encode
from handrail.policy.ruleset import UseCase, rule_digests
from handrail.policy.say import told_to_agent
from handrail.terms.action import Action, ActionId, ActionType, Door, ToolId, canonical_arguments
from handrail.terms.clock import Clock
from handrail.terms.decision import Reason, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, CustomerId, Digest, Ids, SubjectId, UseCaseId
from handrail.tools.amount import amount_of
from handrail.tools.door_names import tool_names
from handrail.tools.paths import replaced, values_at
from handrail.tools.registry import Tool, UpstreamKind, gives_permits

DAY_MS = 24 * 3_600_000
TRIED = "tr"  # what a dry run decided is called so: no action has this id
NO_ROUTE = "route.none"
"""A reason: routes are written, and none of them may settle this amount or use case."""
MAX_ARGUMENTS = 256 * 1024
TRIES = 4
"""Of a decision whose limit another caller was just drawing on."""


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """What a door hands over. `conversation`: the id the caller gave. `facts`: as vouched for by the key's scopes."""

    key: ApiKey
    tool: ToolId
    arguments: dict[str, Any]
    door: Door
    conversation: str | None = None
    customer: CustomerId | None = None
    facts: tuple[Fact, ...] = ()
    language: str = ""
    permit_ms: int = 0  # for the door PERMIT: how long the caller wants to have for its redeem
    dry_run: bool = False  # decided and recorded as tried, nothing else


class Weighed(msgspec.Struct, frozen=True):
    """What a decision rests on, kept sealed with what waits. `stated`: the facts that the caller gave. `said`: the
    conversation of a drill, which is recorded nowhere else."""

    input: ActionInput
    stated: tuple[Fact, ...] = ()
    said: tuple[Heard, ...] = ()


class ToolCalls:
    """`digits`: minor digits by currency. `manifests`: None where no target announces its tools. `model_calls`: None
    where no model is heard."""

    def __init__(
        self,
        *,
        journal: Journal,
        threads: Threads,
        executor: Executor,
        schemas: Schemas,
        recollection: Recollection,
        hashing: Hashing,
        clock: Clock,
        ids: Ids,
        digits: Mapping[str, int],
        manifests: Manifests | None = None,
        model_calls: ModelCalls | None = None,
    ) -> None:
        self._journal = journal
        self._threads = threads
        self._executor = executor
        self._schemas = schemas
        self._recollection = recollection
        self._hashing = hashing
        self._clock = clock
        self._ids = ids
        self._digits = dict(digits)
        self._manifests = manifests
        self._model_calls = model_calls

    async def call(self, called: Called, snapshot: Snapshot, prepared: Prepared) -> Stored:
        """The action, however far it has come. Raises HandrailError USE_CASE_UNREGISTERED, TOOL_UNREGISTERED,
        REQUEST_TOO_LARGE or JOURNAL_UNAVAILABLE.

        1 the use case and the tool, as registered. 2 the conversation, and whose key seals this. 3 what the decision
        rests on. 4 in one transaction: the same call before? the decision, what it reserves, its entry, and the claim
        when it may run at once. 5 the call itself. 6 the outcome."""
        if called.key.probe:  # whichever door it came through
            raise HandrailError(Code.KEY_SCOPE, "a key for probes causes no effect; ask over POST /api/v1/actions")
        called = msgspec.structs.replace(  # an empty name is none
            called, conversation=(called.conversation or "").strip() or None, customer=_named(called.customer)
        )
        use_case, tool = registered(called.key.use_case, called.tool, snapshot)
        _require_here(tool, snapshot, called)
        if called.door is Door.PERMIT and not called.dry_run:
            require_permits(tool)
        if len(canonical_arguments(called.arguments)) > MAX_ARGUMENTS:
            raise HandrailError(Code.REQUEST_TOO_LARGE, f"arguments are larger than {MAX_ARGUMENTS} bytes")
        conversation = called.conversation or await self._linked(called, use_case, tool)
        thread = await self._threads.open(
            use_case=use_case.id, key_id=called.key.lineage, conversation=conversation,
            customer=called.customer, history=(), new_from=0,
        )  # fmt: skip
        action = Action(
            id=ActionId(self._ids.new(TRIED if called.dry_run else "ac")), use_case=use_case.id, tool=tool.id,
            arguments=called.arguments, salt=self._ids.token(16), door=called.door, key=called.key.id,
            agent=called.key.agent, conversation=thread.conversation, customer=called.customer,
        )  # fmt: skip
        weighed = await self.weighed(action, called.facts, use_case, tool, snapshot, conversation is not None)
        release = thread.release or _live(snapshot, use_case.id)
        decide = self.decide(weighed, action, tool, snapshot, prepared, release)
        asked = self.asked(action, thread.subject.id, decide, tool, snapshot, permit_ms=called.permit_ms)
        if called.conversation is None:  # nothing tells two calls apart but who asks, and for whom
            asked = replace(asked, business=self._business(action, tool, called.key.lineage), anywhere=True)
        if called.dry_run:
            asked = replace(asked, dry_run=True)
        stored = await self._committed(asked)
        mine = stored.progress.action == action.id and stored.progress.state is State.CLAIMED
        return await self._executor.carry_out(stored) if mine else stored

    async def _linked(self, called: Called, use_case: UseCase, tool: Tool) -> ConversationId | None:
        """The conversation in which a model asked for exactly this call a moment ago, when it is the only one that did.
        A model knows the tool by its full name, its name at the MCP door, or its own. None, which holds a consequential
        action, also when the record cannot be read."""
        if self._model_calls is None:
            return None
        names = [name for name, each in tool_names(use_case.tools).items() if each == tool.id]
        try:
            return await self._model_calls.conversation(
                use_case=use_case.id, key_id=called.key.lineage, names=(*names, tool.id, tool.name),
                arguments=called.arguments,
            )  # fmt: skip
        except HandrailError:
            return None

    async def _committed(self, asked: Ask) -> Stored:
        """Decided anew when another caller took the last of a limit in between: then it is held or denied with its
        reason, not lost. Raises HandrailError as `Ask`."""

        ask = self._executor.claiming(asked, asked.request.id)
        for _ in range(TRIES - 1):
            try:
                stored: Stored = await self._journal.run(ask)
            except HandrailError as error:
                if error.code is not Code.LOST_RACE:
                    raise
            else:
                return stored
        last: Stored = await self._journal.run(ask)
        return last

    def asked(
        self,
        action: Action,
        subject: SubjectId,
        decide: Callable[[Standing], Ruled],
        tool: Tool,
        snapshot: Snapshot,
        *,
        at_once: bool = True,
        permit_ms: int = 0,
    ) -> Ask:
        """The command. `at_once` False: what may run is left to the jobs process; with `permit_ms`, to the caller."""
        return Ask(
            ids=self._ids, request=action, subject=subject, decide=decide, business=self._business(action, tool),
            same_since_ms=0 if action.parent else _same_since(tool, self._clock.now_ms()),
            anywhere=bool(tool.same_within_s), repeats=tool.type is ActionType.READ and not tool.same_within_s,
            in_flight=in_flight(snapshot), ruleset=snapshot.ruleset_digest,
            owner=self._executor.owner, lease_ms=LEASE_MS, cool_off_ms=1_000 * tool.cool_off_s,
            at_once=at_once and not permit_ms, permit_ms=permit_ms,
            report_within_ms=1_000 * tool.report_within_s if permit_ms else 0,
        )  # fmt: skip

    def key_of(self, action: Action) -> str:
        """The key that the target got with it."""
        return self._executor.key_of(action)

    async def weighed(
        self, action: Action, stated: tuple[Fact, ...], use_case: UseCase, tool: Tool, snapshot: Snapshot, linked: bool
    ) -> Weighed:
        """What the decision on an action rests on. `linked`: its conversation is known to be this one."""
        given = self._given(action, stated, use_case, tool, snapshot)
        upstream = snapshot.ruleset.upstreams.get(tool.upstream)
        if self._manifests is not None and upstream is not None and await self._manifests.changed(tool, upstream):
            given = msgspec.structs.replace(given, manifest_changed=True)
        if linked:
            given = await self._recollection.add(given, tool, action.conversation, snapshot)
        return Weighed(given, stated)

    def decide(
        self,
        weighed: Weighed,
        action: Action,
        tool: Tool,
        snapshot: Snapshot,
        prepared: Prepared,
        release: Digest | None,
    ) -> Callable[[Standing], Ruled]:
        """The pure decision that a transaction makes, with what only it can tell; limits and counts go by its clock."""
        limits = _limits(snapshot, action.use_case, tool)
        zone = ZoneInfo(snapshot.ruleset.time_zone)

        def scopes_of(name: str, per: Per) -> tuple[str, ...]:
            return self._scopes(name, per, action, tool, weighed.input.facts)

        scopes = {limit.id: scopes_of(limit.id, limit.per) for limit in limits}

        def decide(standing: Standing) -> Ruled:
            now = standing.now_ms or self._clock.now_ms()
            local = datetime.fromtimestamp(now / 1_000, UTC).astimezone(zone)
            periods = {
                limit.id: tuple([(scope, local.strftime(FORMS[limit.within])) for scope in scopes[limit.id]])
                for limit in limits
            }
            counts = counts_of(names_in(snapshot.ruleset.actions), tool, local, scopes_of)
            return _ruled(weighed, action, tool, snapshot, prepared, standing, limits, periods, counts, release)

        return decide

    def _given(
        self,
        action: Action,
        stated: tuple[Fact, ...],
        use_case: UseCase,
        tool: Tool,
        snapshot: Snapshot,
    ) -> ActionInput:
        local = datetime.fromtimestamp(self._clock.now_ms() / 1_000, UTC).astimezone(
            ZoneInfo(snapshot.ruleset.time_zone)
        )
        minor, currency, error = None, "", ""
        if tool.money is not None:
            try:
                money = amount_of(action.arguments, tool.money, self._digits)
                minor, currency = money.minor, money.currency
            except ValueError as wrong:
                error = str(wrong)
        return ActionInput(
            use_case=use_case.id,
            tool=tool.id,
            arguments=action.arguments,
            agent=action.agent,
            schema_errors=self._schemas.errors(tool, action.arguments),
            session=action.customer is not None,
            amount_minor=minor,
            currency=currency,
            amount_error=error,
            facts=stated,
            minute=local.hour * 60 + local.minute,
            weekday=local.weekday(),
            at_most=None if action.door is Door.UNDO else snapshot.at_most(use_case.id, tool.type),  # a person's own
        )

    def _business(self, action: Action, tool: Tool, asker: str = "") -> bytes:
        """What makes two calls the same: the tool and its key's values, or all arguments where one has no value; within
        the conversation, or of the same `asker` for the same customer where none was named."""
        if action.parent:  # an action is undone once
            return self._hashing.message(f"undo\0{action.parent}".encode())
        arguments = same_arguments(action, tool, self._digits)
        values = [list(values_at(arguments, path)) for path in tool.business_key]
        within = [asker, action.customer] if asker else action.conversation
        same = msgspec.json.encode(
            [
                action.use_case,
                action.tool,
                values if values and all(values) else arguments,
                None if tool.same_within_s else within,
            ],
            order="sorted",
        )
        return self._hashing.message(b"action\0" + same)

    def _scopes(self, name: str, per: Per, action: Action, tool: Tool, facts: tuple[Fact, ...]) -> tuple[str, ...]:
        """Of a limit or a count for this action. What it counts by is hashed: it may be a person's."""
        return tuple(
            f"{name}:{self._hashing.message(f'limit{by}'.encode()).hex()}"
            for by in counted_by(per, action, tool, facts)
        )


def registered(name: UseCaseId | None, called: ToolId, snapshot: Snapshot) -> tuple[UseCase, Tool]:
    """Unregistered is refused at every level, before anything is recorded under a customer. Raises HandrailError
    USE_CASE_UNREGISTERED or TOOL_UNREGISTERED."""
    use_case = snapshot.ruleset.use_cases.get(name or UseCaseId(""))
    if use_case is None:
        raise HandrailError(
            Code.USE_CASE_UNREGISTERED,
            "the use case of this API key is not registered; add it to the home and run: handrail publish",
        )
    tool = snapshot.ruleset.tools.get(called)
    if tool is None or called not in use_case.tools:
        meant = [name for name in use_case.tools if name.endswith(f".{called}")]
        hint = f"; a tool is called by its full name: {meant[0]}" if len(meant) == 1 else ""
        raise HandrailError(
            Code.TOOL_UNREGISTERED,
            f"this tool is not registered for use case {use_case.id}{hint}; add it to tools/*.yaml and to the use "
            "case's tools, then run: handrail publish",
        )
    return use_case, tool


def _require_here(tool: Tool, snapshot: Snapshot, called: Called) -> None:
    """Raises HandrailError TOOL_ELSEWHERE for a tool that handrail itself cannot call."""
    upstream = snapshot.ruleset.upstreams.get(tool.upstream)
    if upstream is not None and upstream.kind is UpstreamKind.MCP_STDIO and not called.permit_ms:
        raise HandrailError(
            Code.TOOL_ELSEWHERE,
            f"{tool.id} is a child of a process of handrail mcp, which alone can call it; the agent asks there",
        )


def in_flight(snapshot: Snapshot) -> dict[str, int]:
    """How many calls each target takes at once."""
    return {name: upstream.max_in_flight for name, upstream in snapshot.ruleset.upstreams.items()}


def require_permits(tool: Tool) -> None:
    """Raises HandrailError PERMIT_REFUSED when no caller may execute it itself."""
    if not gives_permits(tool):
        raise HandrailError(
            Code.PERMIT_REFUSED,
            f"{tool.id} gives no permits (its type is {tool.type.value}); let handrail execute it: POST /api/v1/actions"
            ", or write permits: true in its registration",
        )


def _named(customer: CustomerId | None) -> CustomerId | None:
    return customer if customer and customer.strip() else None


def _limits(snapshot: Snapshot, use_case: UseCaseId, tool: Tool) -> tuple[Limit, ...]:
    return tuple(
        limit
        for limit in snapshot.ruleset.actions.limits
        if limit.per is not Per.ACTION
        and (not limit.tools or tool.id in limit.tools)
        and (not limit.types or tool.type in limit.types)
        and (not limit.use_cases or use_case in limit.use_cases)
    )


def _ruled(
    weighed: Weighed,
    action: Action,
    tool: Tool,
    snapshot: Snapshot,
    prepared: Prepared,
    standing: Standing,
    limits: Sequence[Limit],
    periods: Mapping[str, tuple[tuple[str, str], ...]],
    counts: list[Count],
    release: Digest | None,
) -> Ruled:
    """The decision inside the transaction, with what only it knows: stops, the past, and the room that limits have."""
    given = weighed.input
    facts = ActionFacts(
        action=action.id, tool=tool.id, type=tool.type.value, agent=action.agent, upstream=tool.upstream,
        release=release,
    )  # fmt: skip
    names = names_of(About(use_case=action.use_case, facts=facts))
    waiting = {name: [(waiting_scope(scope), period) for scope, period in those] for name, those in periods.items()}
    room = tuple(
        Room(
            limit.id,
            min(limit.at_most - standing.used(*one) for one in periods[limit.id]),
            None
            if limit.held_at_most is None
            else min(limit.held_at_most - standing.used(*one) for one in waiting[limit.id]),
        )
        for limit in limits
        if periods[limit.id]  # without what it counts by its room is unknown, which holds
    )
    full = msgspec.structs.replace(
        given, stopped=tuple(stop.id for stop in standing.stops if covers(stop, names)), room=room,
        past=past_of(counts, standing.used),
    )  # fmt: skip
    weighed = msgspec.structs.replace(weighed, input=full)  # it is decided again with what was known now
    decision = decide_action(full, prepared)
    ceilings = {limit.id: limit.at_most for limit in limits}
    caps = {limit.id: limit.held_at_most for limit in limits if limit.held_at_most is not None}
    # what is held counts too; over a limit it counts when a person is asked, since only a person can pass it
    held = decision.verdict is Verdict.HOLD
    past_caps = held or decision.would_be is not None  # where it only observes, a cap refuses nothing
    reserve = tuple(
        (*one, amount, standing.used(*one) + amount if past_caps else ceilings[name])
        for name, amount in decision.reserve
        for one in periods.get(name, ())
    )
    reserve += tuple([(scope, one.periods[0], 1, NO_CEILING) for one in counts if one.counts for scope in one.scopes])
    route = None
    if held and not decision.draft:
        case = Case(
            use_case=action.use_case, amount_minor=given.amount_minor, currency=given.currency,
            unread=bool(given.amount_error),
        )  # fmt: skip
        route = route_of(snapshot.ruleset.actions.routes, decision.route, case)
        if route is None:
            reasons = (*decision.reasons, Reason(NO_ROUTE, "", ""))
            decision = msgspec.structs.replace(decision, verdict=Verdict.DENY, reasons=reasons, reserve=())
            reserve = ()
    return Ruled(
        decision=decision,
        payload=encode(full),
        facts=msgspec.structs.replace(
            facts,
            verdict=decision.verdict,
            would_be=decision.would_be,
            reasons=decision.reasons,
            rules=decision.rules,
            amount_minor=given.amount_minor,
            currency=given.currency,
        ),
        reserve=reserve,
        waiting=tuple(
            (*one, amount, caps[name]) for name, amount in decision.reserve if name in caps for one in waiting[name]
        ),
        route=route,
        rules=digests_behind(snapshot, decision),
        owners=frozenset({snapshot.ruleset.use_cases[action.use_case].owner.lower()}),
        given=msgspec.json.encode(weighed),
        arguments=_changed(action, decision),
        told=told_to_agent(decision, snapshot.ruleset.actions, tool, action.arguments),
    )


def _live(snapshot: Snapshot, use_case: UseCaseId) -> Digest | None:
    """The release of an action whose conversation never talked here: the one that is live."""
    live = snapshot.live.get(use_case)
    return live.digest if live is not None else None


def _changed(action: Action, decision: ActionDecision) -> dict[str, Any] | None:
    """The arguments as the rules change them, None when they do not; a hold shows them changed too."""
    if not decision.change or decision.verdict is Verdict.DENY:
        return None
    arguments: dict[str, Any] = action.arguments
    for path, value in decision.change.items():
        arguments = replaced(arguments, path, value)
    return arguments


def digests_behind(snapshot: Snapshot, decision: ActionDecision) -> tuple[Digest, ...]:
    """Digests of the rules that matched and of the limits that were passed."""
    rules = snapshot.ruleset.actions
    known = rule_digests(rules)
    passed = {reason.rule for reason in decision.reasons if reason.code == Why.LIMIT}
    names = [f"rule:{name}" for name in decision.rules]
    names += [f"limit:{limit.id}" for limit in rules.limits if (limit.place or limit.id) in passed]
    return tuple(known[name] for name in names if name in known)


def _same_since(tool: Tool, now_ms: int) -> int:
    return now_ms - (1_000 * tool.same_within_s or DAY_MS)
