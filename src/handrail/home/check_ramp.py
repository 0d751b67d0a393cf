"""What makes sense in `ramp`; pure. A plan whose counts could not be trusted is refused with the reason."""

from collections.abc import Iterator, Mapping
from typing import Any

from handrail.home.fields import Rollout
from handrail.home.fit import Fitted, shown
from handrail.home.mistake import Mistake, did_you_mean, mistake
from handrail.people.authorise import MAY, Act
from handrail.policy.ramp import Form, Outcome, UnitKind

PILOT = ("channel", "region", "agent", "key", "audience")
_DECLARED = {"channel": "channels", "region": "regions"}
"""What the client says of itself counts only as one of these of the use case."""
TURNS = frozenset({"turn", "message", "interaction", "request", "answer", "call"})
_KINDS = " or ".join(kind.value for kind in UnitKind)


def check_ramp(case: Fitted, home: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every mistake of meaning; those of form are `home.fit`. `home`: `handrail.yaml`, empty when it cannot be read."""
    ramp = case.value.get("ramp")
    if not isinstance(ramp, dict):
        return
    if case.value.get("rollout") == Rollout.IMMEDIATE:
        yield mistake(
            case.place("rollout"), "ramp.immediate", "a use case with a ramp does not go live at once",
            hint="delete one of the two",
        )  # fmt: skip
    yield from _counted(case, ramp)
    yield from _stages(case, ramp)
    yield from _pilots(case, ramp, (home.get("defaults") or {}) | case.value)
    yield from _metrics(case, ramp)
    for place, role in enumerate(ramp.get("sign_offs") or []):
        roles = sorted(one.value for one in MAY[Act.SIGN_OFF])
        if role not in roles:
            yield mistake(
                case.place("ramp", "sign_offs", place), "ramp.role", f"{shown(role)} cannot sign a release off",
                expected=" or ".join(roles), hint=did_you_mean(role, roles),
            )  # fmt: skip


def _counted(case: Fitted, ramp: Mapping[str, Any]) -> Iterator[Mistake]:
    unit = ramp.get("unit", UnitKind.CONVERSATION.value)
    if unit in TURNS:
        yield mistake(
            case.place("ramp", "unit"), "ramp.unit",
            f"a {unit} cannot be what is counted: what is drawn is the conversation, and its turns fail together; "
            "counted one by one they roll back 16 to 40 of 100 harmless releases",
            expected=_KINDS,
        )  # fmt: skip
    elif unit not in set(UnitKind):
        yield mistake(
            case.place("ramp", "unit"), "ramp.unit", f"{shown(unit)} cannot be drawn", expected=_KINDS,
            hint=did_you_mean(unit, list(UnitKind)),
        )  # fmt: skip
    if "salt" in ramp:
        yield mistake(
            case.key("ramp", "salt"), "ramp.salt",
            "a salt of one's own would be used again: with the salt of an earlier release the same customers are "
            "canaries each time, and what that one did to them is blamed on this one",
            hint="delete it; each start draws a new one",
        )  # fmt: skip
    if ramp.get("pool_stages"):
        yield mistake(
            case.key("ramp", "pool_stages"), "ramp.pool",
            "stages with different shares cannot be counted together: when rates change over the day, the larger "
            "share of the later hours alone makes the canary look worse (22 to 79 of 100 harmless releases went back)",
            hint="delete it; stages are counted apart and their evidence is added up",
        )  # fmt: skip


def _stages(case: Fitted, ramp: Mapping[str, Any]) -> Iterator[Mistake]:
    stages = [stage for stage in ramp.get("stages") or [] if isinstance(stage, dict)]
    before = 0.0
    for place, stage in enumerate(stages):
        share, pilot = stage.get("share"), stage.get("pilot") or {}
        for name in pilot:
            if name not in PILOT:
                yield mistake(
                    case.key("ramp", "stages", place, "pilot", name), "ramp.pilot",
                    f"a pilot cannot be chosen by {shown(name)}", expected=", ".join(PILOT),
                    hint=did_you_mean(name, PILOT),
                )  # fmt: skip
        if not isinstance(share, int | float):
            continue
        where = case.place("ramp", "stages", place, "share")
        if share == 0:
            yield mistake(where, "ramp.share", "a stage of nobody", expected="such as 0.05 for 5 %")
        elif share == 1 and not pilot and (place + 1 < len(stages) or place == 0):
            yield mistake(
                where, "ramp.share", "with everybody on the new release nobody is left to compare with",
                expected="less than 1, or 1 as the last of several: promoted once it is safe",
            )  # fmt: skip
        elif not pilot and share < before:
            yield mistake(
                where, "ramp.order", f"the share falls from {before:g} to {share:g}",
                expected="shares that grow; who is a canary stays one",
            )  # fmt: skip
        before = before if pilot else max(before, float(share))


def _pilots(case: Fitted, ramp: Mapping[str, Any], declared: Mapping[str, Any]) -> Iterator[Mistake]:
    """A stage that nobody would ever see."""
    for place, stage in enumerate(ramp.get("stages") or []):
        pilot = (stage.get("pilot") or {}) if isinstance(stage, dict) else {}
        for name, field in _DECLARED.items():
            known = declared.get(field)
            if name in pilot and known and pilot[name] not in known:
                yield mistake(
                    case.place("ramp", "stages", place, "pilot", name), "ramp.pilot",
                    f"{shown(pilot[name])} is none of the use case's {field}, so nobody would see this stage",
                    expected=" or ".join(known), hint=did_you_mean(pilot[name], known),
                )  # fmt: skip


def _metrics(case: Fitted, ramp: Mapping[str, Any]) -> Iterator[Mistake]:
    metrics = ramp.get("metrics") or {}
    if metrics and all((one or {}).get("guards") for one in metrics.values()):
        yield mistake(
            case.key("ramp", "metrics"), "ramp.guards",
            "when every metric only guards, nothing could ever be shown to be safe",
            expected="one metric without guards: true",
        )  # fmt: skip
    for name, one in metrics.items():
        for field in ("cap", "as"):
            if name != Outcome.HANDLE_TIME and isinstance(one, dict) and field in one:
                yield mistake(
                    case.key("ramp", "metrics", name, field), f"ramp.{field}", f"{name} is not measured in seconds",
                    hint="delete it",
                )  # fmt: skip
        if isinstance(one, dict) and one.get("as") == Form.PERCENTILE and "reference" in one:
            yield mistake(
                case.key("ramp", "metrics", name, "reference"), "ramp.reference",
                "half of the past lies below its middle: a percentile has no other usual value", hint="delete it",
            )  # fmt: skip
