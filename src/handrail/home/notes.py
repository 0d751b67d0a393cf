"""What a good home leaves to a built-in, where somebody may think that they had to say it, and what it says that may
be a slip; pure. Nothing here is a mistake, and nothing here stops a publish."""

from collections.abc import Iterator

from handrail.approvals.lifecycle import Otherwise
from handrail.home.check import Checked
from handrail.home.effects import RANK, by_name
from handrail.home.fit import Fitted, shown
from handrail.home.mistake import Mistake, Place, did_you_mean, mistake
from handrail.home.parameters import DOCUMENTED
from handrail.home.written_actions import Actions, resolved
from handrail.policy.notices import Event
from handrail.policy.ruleset import Audience, Dialect, Mode
from handrail.terms.action import CONSEQUENTIAL, ActionType
from handrail.terms.ids import UseCaseId
from handrail.tools.registry import Call, Reversibility, Tool, UpstreamKind


def notes(checked: Checked) -> list[Mistake]:
    """In the form of mistakes, sorted likewise."""
    defaults = checked.home.value.get("defaults", {})
    found = []
    for case in checked.cases:
        own = {**defaults, **case.value}
        if own.get("audience") == Audience.CUSTOMER.value and not (own.get("disclosure") or {}).get("wording"):
            message = "no disclosure is written: the built-in wording says that a machine answers"
            hint = "write yours under disclosure: wording:"
            found.append(mistake(Place(case.file, 1, 1), "disclosure.built_in", message, hint=hint))
        found += _parameters(checked.home, case)
        found += _of_mode(own.get("mode"), case, checked.actions)
    found += _of_tools(checked.actions)
    found += _of_routes(checked)
    return sorted(found)


def _parameters(home: Fitted, case: Fitted) -> Iterator[Mistake]:
    """Parameters that no provider on the route documents: a slip of the pen, or newer than this list."""
    model = case.value.get("model") or {}
    providers = home.value.get("providers") or {}
    used = {target.partition("/")[0] for target in model.get("route") or []}
    dialects = {Dialect(providers[name]["dialect"]) for name in used if "dialect" in (providers.get(name) or {})}
    if not dialects:
        return
    known = frozenset().union(*(DOCUMENTED[dialect] for dialect in dialects))
    for name in model.get("parameters") or {}:
        if name not in known:
            yield mistake(
                case.key("model", "parameters", name),
                "parameter.unknown",
                f"no provider on the route documents the parameter {shown(name)}; it is sent as it stands",
                hint=did_you_mean(name, known),
            )


def _of_mode(mode: str | None, case: Fitted, found: Actions) -> Iterator[Mistake]:
    """A use case that observes, and whose agents may write: nothing holds them."""
    writes = [
        found.tools[tool].name
        for tool in found.listed.get(UseCaseId(case.value.get("id", "")), ())
        if tool in found.tools and found.tools[tool].type is not ActionType.READ
    ]
    if writes and mode != Mode.ENFORCE.value:
        place = case.key("mode") if "mode" in case.value else Place(case.file, 1, 1)
        message = f"it observes: {', '.join(writes)} run at once, also where a rule or limit would hold or deny them"
        yield mistake(place, "mode.observes", message, hint="write mode: enforce before an agent gets a key")


def _of_tools(found: Actions) -> Iterator[Mistake]:
    """What the registration of a tool leaves open, or says lower than its name suggests."""
    listed = {tool for tools in found.listed.values() for tool in tools}
    called = {call.tool for tool in resolved(found).values() for call in _calls(tool)}
    for tool in found.tools.values():
        spot = found.spots[tool.place]
        suggested = by_name(tool.name)
        if suggested is not None and RANK[suggested] > RANK[tool.type]:
            message = f"{tool.name} is {tool.type.value}, and its name suggests {suggested.value}"
            yield mistake(
                spot.place("type"), "tool.low", message, hint=f"write {suggested.value}, if that is what it does"
            )
        if tool.type in CONSEQUENTIAL and tool.idempotency is None and tool.outcome is None:
            message = "after a crash between call and answer nobody can tell what became of it, so a person is asked"
            yield mistake(spot.key(), "tool.doubt", message, hint="write idempotency: or outcome:")
        if tool.http is None and found.upstreams[tool.upstream].kind is UpstreamKind.HTTP:
            message = f"{tool.name} says not how it is called, so it can be decided and not executed"
            yield mistake(spot.key(), "tool.decided", message, hint="write http: {method: ..., path: ...}")
        if tool.reversibility is not Reversibility.NONE and tool.undo is None:
            message = f"it is {tool.reversibility.value}, and no call takes it back"
            yield mistake(spot.place("reversibility"), "tool.no_undo", message, hint="write undo:")
        if tool.type is ActionType.MONEY and tool.money is None:
            message = "it moves money and does not say where the amount stands, so no limit can count it"
            yield mistake(spot.key(), "tool.no_amount", message, hint="write money:")
        if tool.arguments.get("additionalProperties") is not False:
            message = "arguments that are not declared pass unchecked"
            yield mistake(spot.place("arguments"), "tool.open", message, hint="write additionalProperties: false")
        if tool.id not in listed and tool.id not in called:
            message = f"no use case lists {tool.name}, so every call is refused"
            yield mistake(spot.key(), "tool.unlisted", message, hint="add it to tools: of a use case")


def _of_routes(checked: Checked) -> Iterator[Mistake]:
    """A case that is handed to a person of whom nobody is told."""
    receivers = (checked.home.value.get("notices") or {}).get("receivers") or {}
    for route in checked.actions.rules.routes:
        heard = any(
            "events" not in one or Event.HANDOVER.value in one["events"]
            for one in receivers.values()
            if not one.get("routes") or route.id in one["routes"]
        )
        if route.otherwise == Otherwise.HANDOVER.value and not heard:
            spot = checked.actions.spots[route.place]
            message = "the case is handed to a person, and no receiver of notices is told of it"
            hint = "add one with action.handover to notices: of handrail.yaml"
            yield mistake(spot.place("otherwise"), "route.unheard", message, hint=hint)


def _calls(tool: Tool) -> Iterator[Call]:
    if tool.undo is not None:
        yield tool.undo
    yield from (check.call for check in (tool.outcome, tool.verify) if check is not None)
