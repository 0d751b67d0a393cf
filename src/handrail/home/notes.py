"""What a good home leaves to a built-in, where somebody may think that they had to say it, and what it says that may
be a slip; pure. Nothing here is a mistake, and nothing here stops a publish."""

from collections.abc import Iterator

from handrail.home.check import Checked
from handrail.home.fit import Fitted, shown
from handrail.home.mistake import Mistake, Place, did_you_mean, mistake
from handrail.home.parameters import DOCUMENTED
from handrail.policy.ruleset import Audience, Dialect


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
