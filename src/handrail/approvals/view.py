"""What an approver sees of one case; pure. Arguments are among it, so looking is recorded (`settle.ReadCase`).

A drill is shown like any other hold while it waits, and as what it was once it is over.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from handrail.approvals.behind import Behind, Use
from handrail.approvals.edited import Edit
from handrail.approvals.lifecycle import ENDED, Otherwise, State
from handrail.approvals.made_up import Heard
from handrail.approvals.route import moment, on_shift
from handrail.approvals.store import Past, Stored
from handrail.policy.action import ActionInput, Agreed
from handrail.policy.action import Why as Code
from handrail.policy.action_rules import ActionRules, Rule
from handrail.terms.action import ActionId, Door, ToolId
from handrail.terms.decision import Reason, Verdict
from handrail.terms.ids import Digest
from handrail.tools.paths import values_at
from handrail.tools.registry import Reversibility, Tool


class Why(msgspec.Struct, frozen=True):
    """One reason. `place`: of the rule or limit in the home; `words`: the rule's own, empty for what is built in.
    `author`: name of who published it first; empty for what is built in. `verdict`: what the rule says of the action,
    as far as the rules are known: one that allows it is a reason too, though none to hold it."""

    code: str
    place: str = ""
    words: str = ""
    side: str = ""
    author: str = ""
    verdict: Verdict | None = None


class Value(msgspec.Struct, frozen=True):
    """A consequential value and where it came from. `message`: which of the conversation, or -1. `why`: a short
    code."""

    path: str
    value: Any
    origin: str
    message: int = -1
    why: str = ""


class Blast(msgspec.Struct, frozen=True, kw_only=True):
    """How far the effect reaches. `system`: where it is done. `objects`: what it touches, argument path to values.
    `outbound`: it carries something to the outside. `uses`: the limits it draws on, with what it has reserved."""

    type: str
    system: str
    amount_minor: int | None = None
    currency: str = ""
    objects: dict[str, tuple[Any, ...]] = {}
    outbound: bool = False
    uses: tuple[Use, ...] = ()


class Ahead(msgspec.Struct, frozen=True):
    """An escalation still to come: at this time these roles are asked too."""

    at_ms: int
    roles: tuple[str, ...]


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """`ruleset`: the version of the rules it was held by. `origins`: argument path to where its value came from;
    `values`: the same with the values. `undo_until_s`: how long after the effect it can be undone by `undo`; None: it
    cannot, or without an end (`reversibility`). `leaves_after_s`: how long after the approval it leaves. `said`: the
    conversation, masked as it is recorded. `otherwise`: what happens when nobody decides until `decide_by`. `ahead`:
    whom it is escalated to before. `on_duty`: whether the route's people are there now. `digest`: what an approval
    binds to. `names`: of persons, by id. `was_drill`: once it is over. `undoes`: the action that a person takes back by
    it. `amounts`: the `facts` that are money in minor units, with their currency. `edits`: who changed the call, and
    what stood there before. Times in Unix ms."""

    action: ActionId
    state: State
    revision: int
    digest: Digest
    use_case: str
    tool: str
    title: str
    type: str
    agent: str
    customer: str | None
    conversation: str | None
    arguments: dict[str, Any] | None
    amount_minor: int | None
    currency: str
    why: tuple[Why, ...]
    ruleset: Digest | None
    origins: dict[str, str]
    values: tuple[Value, ...]
    agreed: str
    facts: dict[str, Any]
    blast: Blast
    reversibility: str
    undo: str
    undo_until_s: int | None
    leaves_after_s: int
    said: tuple[Heard, ...]
    route: str
    roles: tuple[str, ...]
    needs: int
    approvals: tuple[str, ...]
    excluded: tuple[str, ...]
    decide_by: int | None
    otherwise: Otherwise
    ahead: tuple[Ahead, ...]
    on_duty: bool
    settled_by: str
    past: tuple[Past, ...]
    names: dict[str, str]
    was_drill: bool
    undoes: str = ""
    amounts: dict[str, str] = {}
    edits: tuple[Edit, ...] = ()


def view(
    stored: Stored,
    given: ActionInput | None,
    tool: Tool | None,
    rules: ActionRules,
    past: tuple[Past, ...],
    *,
    said: tuple[Heard, ...] = (),
    known: Behind | None = None,
    tools: Mapping[ToolId, Tool] = MappingProxyType({}),
    edits: tuple[Edit, ...] = (),
) -> CaseView:
    """`given`: what the decision rests on, None when it cannot be read any more. `tool`, `tools`: as they are in force.
    `past`: without the case itself. `known`: what stands behind it; left out, `rules` say the reasons' words."""
    progress, request, facts, route = stored.progress, stored.request, stored.about.facts, stored.about.route
    known = known or Behind(rules=rules)
    told = {rule.place or rule.id: rule for rule in (*rules.rules, *known.rules.rules)}
    arguments = request.arguments if request is not None else None
    steps = route.steps[progress.step :] if route is not None and progress.state is State.HELD else ()
    return CaseView(
        action=progress.action,
        state=progress.state,
        revision=progress.revision,
        digest=progress.digest,
        use_case=stored.about.use_case,
        tool=facts.tool,
        title=tool.title if tool is not None else "",
        type=facts.type,
        agent=facts.agent,
        customer=request.customer if request is not None else None,
        conversation=request.conversation if request is not None else None,
        arguments=arguments,
        amount_minor=facts.amount_minor,
        currency=facts.currency,
        why=tuple([_why(reason, told, known.authors) for reason in facts.reasons]),
        ruleset=stored.about.ruleset,
        origins={traced.path: traced.origin.value for traced in given.traced} if given is not None else {},
        values=_values(given, arguments or {}),
        agreed=(given.agreed if given is not None else Agreed.UNKNOWN).value,
        facts={f"{fact.name} ({fact.vouched.value})": fact.value for fact in given.facts} if given is not None else {},
        blast=_blast(stored, tool, arguments or {}, known.uses),
        reversibility=(tool.reversibility if tool is not None else Reversibility.NONE).value,
        undo=tool.undo.tool if tool is not None and tool.undo is not None else "",
        undo_until_s=tool.undo_within_s if tool is not None and tool.undo is not None else None,
        leaves_after_s=progress.cool_off_ms // 1_000,
        said=said,
        route=progress.route,
        roles=route.roles if route is not None else (),
        needs=progress.needs,
        approvals=tuple([approval.person for approval in progress.approvals]),
        excluded=tuple(sorted(progress.excluded)),
        decide_by=progress.decide_by,
        otherwise=progress.otherwise,
        ahead=tuple([Ahead(progress.created_at + 1_000 * step.after_s, step.roles) for step in steps]),
        on_duty=route is None or on_shift(route.shifts, moment(known.now_ms, known.time_zone)),
        settled_by=progress.settled_by,
        past=tuple([one for one in past if one.action != progress.action]),
        names=known.people,
        was_drill=progress.drill and progress.state in ENDED,
        undoes=request.parent if request is not None and request.door is Door.UNDO else "",
        amounts=_amounts(given, tool, tools),
        edits=edits,
    )


def _amounts(given: ActionInput | None, tool: Tool | None, tools: Mapping[ToolId, Tool]) -> dict[str, str]:
    """Facts of the objects that the call names and whose tool says that they are money."""
    if given is None or tool is None:
        return {}
    kinds = {
        (shows.kind, name): at.currency
        for one in tools.values()
        for shows in one.shows
        for name, at in shows.facts.items()
        if at.unit is not None and at.currency
    }
    found = {}
    for fact in given.facts:
        role, _, name = fact.name.partition(".")
        kind = tool.names[role].kind if role in tool.names else role
        if (kind, name) in kinds:
            found[f"{fact.name} ({fact.vouched.value})"] = kinds[kind, name]
    return found


def _values(given: ActionInput | None, arguments: dict[str, Any]) -> tuple[Value, ...]:
    found = []
    for traced in given.traced if given is not None else ():
        values = list(values_at(arguments, traced.path))
        value = values[0] if len(values) == 1 else values or None
        found.append(Value(traced.path, value, traced.origin.value, traced.message, traced.why))
    return tuple(found)


def _blast(stored: Stored, tool: Tool | None, arguments: dict[str, Any], uses: tuple[Use, ...]) -> Blast:
    facts = stored.about.facts
    objects = {} if tool is None else {path: tuple(values_at(arguments, path)) for path in sorted(tool.objects)}
    return Blast(
        type=facts.type, system=facts.upstream, amount_minor=facts.amount_minor, currency=facts.currency,
        objects=objects, outbound=tool is not None and tool.outbound, uses=uses,
    )  # fmt: skip


def _why(reason: Reason, told: Mapping[str, Rule], authors: dict[str, str]) -> Why:
    rule = told.get(reason.rule)
    return Why(
        reason.code, reason.rule, rule.why if rule is not None else "", reason.side, authors.get(reason.rule, ""),
        rule.then if rule is not None and reason.code == Code.RULE else None,
    )  # fmt: skip
