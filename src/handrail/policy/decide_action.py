"""The decision on an action: stop switch, identity and registration, schema, limits, rules, findings and taint, level.

Promise: ACD-1, the same recorded input and ruleset give the same decision, anywhere. ACD-2, another matching rule,
another finding or a weaker origin never loosens it: verdicts only rise, and the single thing that lifts one (`allow`)
lifts the hold of A3 and A4 on a call without a limit and nothing else.

When this cannot answer, it holds: a rule that cannot be evaluated, a limit whose room is unknown, an amount that
cannot be read, a detector that failed. What is unregistered, stopped or outside its schema is denied at every level.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from handrail.policy.action import ActionDecision, ActionInput, Agreed, Origin, Why
from handrail.policy.action_rules import ActionRules, Limit, Per, Route, Rule
from handrail.policy.autonomy import least
from handrail.policy.cel import VARIABLES, CelCompiler, CelError, NoCel, values_of
from handrail.policy.conditions import Unanswerable, View, holds, unknown
from handrail.policy.rule_index import Ready, RuleIndex
from handrail.policy.ruleset import Autonomy, Mode, UseCase, canonical
from handrail.terms.action import CONSEQUENTIAL, ActionType, ToolId
from handrail.terms.decision import SEVERITY, Reason, Verdict
from handrail.terms.ids import UseCaseId
from handrail.tools.paths import covers, values_at
from handrail.tools.registry import Tool

_SAID = {Agreed.REFUSED: Why.REFUSED, Agreed.OTHER: Why.OTHER, Agreed.NOTHING: Why.NOTHING}
_CAME = {
    Origin.CONTRADICTED: (Verdict.DENY, Why.CONTRADICTED),
    Origin.UNTRUSTED: (Verdict.HOLD, Why.UNTRUSTED_VALUE),
    Origin.UNKNOWN: (Verdict.HOLD, Why.UNKNOWN_VALUE),
}
_REFUSED_ALWAYS = frozenset({Why.STOPPED.value, Why.UNREGISTERED.value})
"""What observe mode refuses too: a stop is a person's order, and what is not registered cannot be called."""


class _Concern(msgspec.Struct, frozen=True):
    """What concerns one tool of one use case."""

    tool: Tool
    weighty: bool
    autonomy: Autonomy | None
    index: RuleIndex
    limits: tuple[Limit, ...]


class Prepared:
    """Use cases, tools and rules as decisions look them up: built once per ruleset. Raises CelError for a condition
    that does not compile, naming its rule."""

    __slots__ = ("_concerns", "_modes", "_routes", "doubts_hold_at", "partly_doubts")

    def __init__(
        self,
        use_cases: Mapping[UseCaseId, UseCase],
        tools: Mapping[UseCaseId, Iterable[Tool]],
        rules: ActionRules,
        cel: CelCompiler | None = None,
    ) -> None:
        ready = _compiled(rules, cel or NoCel())
        self._modes = {name: use_case.mode for name, use_case in use_cases.items()}
        self.doubts_hold_at, self.partly_doubts = rules.doubts_hold_at, rules.partly_doubts
        self._routes = {route.id: route for route in rules.routes}
        self._concerns: dict[tuple[UseCaseId, ToolId], _Concern] = {}
        for name, listed in tools.items():
            for tool in listed:
                self._concerns[name, tool.id] = _concern(use_cases[name], tool, ready, rules.limits)

    def concern(self, use_case: UseCaseId, tool: ToolId) -> _Concern | None:
        return self._concerns.get((use_case, tool))

    def mode(self, use_case: UseCaseId) -> Mode:
        return self._modes.get(use_case, Mode.ENFORCE)

    def route(self, names: Sequence[str]) -> str:
        """The one that asks most persons, the first of equals; without a name the default route."""
        known: list[Route] = [self._routes[name] for name in names if name in self._routes]
        if known:
            return max(known, key=lambda route: route.persons).id
        return next(iter(self._routes), "")


class _Draft:
    """A decision in the making: verdicts only rise."""

    __slots__ = ("change", "doubts", "draft", "lifted", "reasons", "reserve", "routes", "rules", "verdict")

    def __init__(self) -> None:
        self.verdict = Verdict.ALLOW
        self.reasons: list[Reason] = []
        self.rules: list[str] = []
        self.change: dict[str, object] = {}
        self.routes: list[str] = []
        self.reserve: list[tuple[str, int]] = []
        self.draft = self.lifted = False
        self.doubts = 0

    def add(self, verdict: Verdict, code: str, rule: str = "", side: str = "") -> None:
        if SEVERITY[verdict] > SEVERITY[self.verdict]:
            self.verdict = verdict
        self.reasons.append(Reason(code, rule, side))


def decide_action(given: ActionInput, prepared: Prepared) -> ActionDecision:
    """The decision with every reason, in the order of the steps. About 20 us; pure."""
    draft = _Draft()
    for stop in given.stopped:
        draft.add(Verdict.DENY, Why.STOPPED, stop)
    concern = prepared.concern(given.use_case, given.tool) if given.registered else None
    if concern is None:
        draft.add(Verdict.DENY, Why.UNREGISTERED)
        return _settled(given, draft, prepared)
    _identity(given, concern, draft)
    _schema(given, draft)
    _limits(given, concern, draft)
    _rules(given, concern, draft)
    _taint(given, concern, draft, prepared)
    _level(given, concern, draft)
    _waiting(given, concern, draft)
    return _settled(given, draft, prepared)


def encode(given: ActionInput) -> bytes:
    """Canonical bytes for the sealed payload."""
    return canonical(given)


def replay(data: bytes, prepared: Prepared) -> ActionDecision:
    """Decide again from recorded bytes. Raises msgspec.DecodeError for foreign bytes."""
    return decide_action(_DECODER.decode(data), prepared)


_DECODER = msgspec.json.Decoder(ActionInput)


def _compiled(rules: ActionRules, cel: CelCompiler) -> tuple[Ready, ...]:
    ready = []
    for order, rule in enumerate(rules.rules):
        try:
            program = cel.compile(rule.cel, VARIABLES) if rule.cel else None
        except CelError as error:
            raise CelError(f"{rule.place or rule.id}: {error}") from error
        ready.append(Ready(order, rule, program))
    return tuple(ready)


def _concern(use_case: UseCase, tool: Tool, ready: Sequence[Ready], limits: Sequence[Limit]) -> _Concern:
    level = use_case.levels.get(tool.type)
    return _Concern(
        tool=tool,
        weighty=tool.type in CONSEQUENTIAL or tool.outbound,
        autonomy=level.autonomy if level else None,
        index=RuleIndex([one for one in ready if _concerns(one.rule, use_case.id, tool)]),
        limits=tuple(limit for limit in limits if _concerns(limit, use_case.id, tool)),
    )


def _concerns(scoped: Rule | Limit, use_case: UseCaseId, tool: Tool) -> bool:
    """Rules and limits name tools, types and use cases; an empty list is every one."""
    return (
        (not scoped.tools or tool.id in scoped.tools)
        and (not scoped.types or tool.type in scoped.types)
        and (not scoped.use_cases or use_case in scoped.use_cases)
    )


def _identity(given: ActionInput, concern: _Concern, draft: _Draft) -> None:
    if given.manifest_changed:
        draft.add(Verdict.HOLD, Why.MANIFEST)
    if concern.weighty and not given.session and _autonomy(given, concern) is Autonomy.A3:
        draft.add(Verdict.HOLD, Why.NO_SESSION)
    if concern.weighty and not given.linked:
        draft.add(Verdict.HOLD, Why.UNLINKED)
    for path in concern.tool.objects:
        if path not in given.own and any(True for _ in values_at(given.arguments, path)):
            draft.add(Verdict.HOLD, Why.NOT_OWN, side=path)


def _schema(given: ActionInput, draft: _Draft) -> None:
    for path in given.schema_errors:
        draft.add(Verdict.DENY, Why.SCHEMA, side=path)


def _limits(given: ActionInput, concern: _Concern, draft: _Draft) -> None:
    if given.amount_error:
        draft.add(Verdict.HOLD, Why.AMOUNT)
    room: dict[str, int] = {}
    for one in given.room:  # the least, when a call draws on a limit of several objects
        room[one.limit] = min(one.left, room.get(one.limit, one.left))
    for limit in concern.limits:
        if limit.currency and given.amount_minor is None:
            if not given.amount_error:
                draft.add(Verdict.HOLD, Why.LIMIT_UNKNOWN, limit.place or limit.id)
            continue
        if limit.currency and limit.currency != given.currency:
            draft.add(Verdict.HOLD, Why.LIMIT_UNKNOWN, limit.place or limit.id)
            continue
        needed = (given.amount_minor or 0) if limit.currency else 1
        left = limit.at_most if limit.per is Per.ACTION else room.get(limit.id)
        if left is None:
            draft.add(Verdict.HOLD, Why.LIMIT_UNKNOWN, limit.place or limit.id)
        elif needed > left:
            draft.add(limit.over, Why.LIMIT, limit.place or limit.id)
        if limit.per is not Per.ACTION:
            draft.reserve.append((limit.id, needed))


def _rules(given: ActionInput, concern: _Concern, draft: _Draft) -> None:
    view = View(given)
    for ready in concern.index.possible(view):
        rule = ready.rule
        if rule.agents and given.agent not in rule.agents:
            continue
        try:
            sure = _matches(ready, view, concern.tool)
        except (Unanswerable, CelError):
            draft.add(Verdict.HOLD, Why.RULE_ERROR, rule.place or rule.id)
            draft.rules.append(rule.id)
            continue
        if sure is None and rule.then is not Verdict.ALLOW and not rule.doubt:
            draft.add(Verdict.HOLD, Why.RULE_UNKNOWN, rule.place or rule.id)
        if not sure:
            continue
        draft.rules.append(rule.id)
        if rule.doubt:
            draft.doubts += rule.doubt
            draft.add(Verdict.ALLOW, Why.DOUBT, rule.place or rule.id)
            continue
        draft.add(rule.then, Why.RULE, rule.place or rule.id)
        if rule.then is Verdict.ALLOW:
            draft.lifted = True
        elif rule.then is Verdict.HOLD and rule.route:
            draft.routes.append(rule.route)
        elif rule.then is Verdict.CHANGE:
            _change(rule.change, draft)


def _matches(ready: Ready, view: View, tool: Tool) -> bool | None:
    """None: nobody can tell, for want of a fact or count that was never read."""
    rule, told = ready.rule, True
    for match in rule.when:
        if holds(match, view):
            continue
        if not unknown(match, view, tool):
            return False
        told = False
    if any(holds(match, view) for match in rule.unless):
        return False
    if ready.program is not None and not ready.program.holds(values_of(view.given)):
        return False
    return True if told else None


def _change(change: Mapping[str, object], draft: _Draft) -> None:
    for path, value in change.items():
        if draft.change.setdefault(path, value) != value:
            draft.add(Verdict.HOLD, Why.CHANGES, side=path)


def _taint(given: ActionInput, concern: _Concern, draft: _Draft, prepared: Prepared) -> None:
    if concern.weighty:
        _consent_and_origin(given, concern.tool, draft, prepared)
    if draft.doubts >= prepared.doubts_hold_at:
        draft.add(Verdict.HOLD, Why.DOUBTS)


def _consent_and_origin(given: ActionInput, tool: Tool, draft: _Draft, prepared: Prepared) -> None:
    if given.failures:
        draft.add(Verdict.HOLD, Why.GUARD)
    if given.untrusted:
        draft.add(Verdict.HOLD, Why.TAINTED)
    if given.agreed is Agreed.PARTLY:
        draft.doubts += prepared.partly_doubts
        draft.add(Verdict.ALLOW, Why.PARTLY)
    if given.agreed in _SAID:
        draft.add(Verdict.HOLD, _SAID[given.agreed])
    for traced in given.traced:
        if traced.origin in _CAME and any(covers(pattern, traced.path) for pattern in tool.consequential_values):
            verdict, why = _CAME[traced.origin]
            draft.add(verdict, why, side=traced.path)


def _autonomy(given: ActionInput, concern: _Concern) -> Autonomy | None:
    """The home's level, or the lower one that it was demoted to."""
    return None if concern.autonomy is None else least(concern.autonomy, given.at_most)


def _level(given: ActionInput, concern: _Concern, draft: _Draft) -> None:
    autonomy, kind = _autonomy(given, concern), concern.tool.type
    if autonomy is not concern.autonomy:
        draft.add(Verdict.ALLOW, Why.DEMOTED)
    if autonomy is None:
        draft.add(Verdict.DENY, Why.LEVEL)
    elif autonomy is Autonomy.A0:
        if kind is not ActionType.READ:
            draft.add(Verdict.DENY, Why.READ_ONLY)
        elif concern.weighty:  # it reads, and carries something out
            draft.add(Verdict.HOLD, Why.APPROVAL)
    elif autonomy is Autonomy.A1:
        if kind is not ActionType.READ or concern.weighty:
            draft.draft = True
            draft.add(Verdict.HOLD, Why.DRAFT)
    elif not concern.weighty:
        return
    elif autonomy is Autonomy.A2:
        draft.add(Verdict.HOLD, Why.APPROVAL)
    elif not concern.limits and not draft.lifted:
        draft.add(Verdict.HOLD, Why.NO_LIMIT)


def _waiting(given: ActionInput, concern: _Concern, draft: _Draft) -> None:
    """What would have to wait is refused when no more of its limit may: told now rather than left lying."""
    if draft.verdict is not Verdict.HOLD or draft.draft:
        return
    waits = {one.limit: one.waits for one in given.room}
    places = {limit.id: limit.place or limit.id for limit in concern.limits}
    for name, needed in draft.reserve:
        left = waits.get(name)
        if left is not None and needed > left:
            draft.add(Verdict.DENY, Why.WAITING_FULL, places[name])


def _settled(given: ActionInput, draft: _Draft, prepared: Prepared) -> ActionDecision:
    verdict = draft.verdict
    decision = ActionDecision(
        verdict=verdict,
        reasons=tuple(dict.fromkeys(draft.reasons)),
        rules=tuple(draft.rules),
        change=draft.change if verdict in (Verdict.CHANGE, Verdict.HOLD) else {},
        route=prepared.route(draft.routes) if verdict is Verdict.HOLD else "",
        draft=draft.draft and verdict is Verdict.HOLD,
        reserve=tuple(draft.reserve) if verdict is not Verdict.DENY else (),
    )
    if prepared.mode(given.use_case) is not Mode.OBSERVE:
        return decision
    if any(reason.code in _REFUSED_ALWAYS for reason in decision.reasons):
        return msgspec.structs.replace(decision, would_be=verdict)
    return msgspec.structs.replace(decision, verdict=Verdict.ALLOW, would_be=verdict, change={}, route="", draft=False)
