"""What makes sense in `demote`, and what it becomes; pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from handrail.home.fit import Fitted, shown
from handrail.home.mistake import Mistake, did_you_mean, mistake
from handrail.policy.autonomy import DRIFTING, RATES, Cause, Demote
from handrail.terms.action import ActionType

SEVERITIES = ("S1", "S2", "S3")
ANY = "any"
_FIELDS = {
    "incident": Cause.INCIDENT, "drift": Cause.DRIFT, "rollback": Cause.ROLLBACK, "rate": Cause.RATE,
    "drills": Cause.DRILL, "findings": Cause.FINDINGS,
}  # fmt: skip
_NEEDS = {"rate": ("above", "least"), "findings": ("per_day",)}
_OWN = {"above": "rate", "least": "rate", "days": "rate", "per_day": "findings"}


def check_demote(case: Fitted) -> Iterator[Mistake]:
    """Every mistake of meaning; those of form are `home.fit`."""
    given = case.value.get("demote")
    if not isinstance(given, dict):
        return
    for at, trigger in enumerate(given.get("on") or []):
        if isinstance(trigger, dict):
            yield from _trigger(case, at, trigger)
    for metric in (given.get("promote") or {}).get("below") or {}:
        if metric not in RATES:
            yield _unknown(case, ("demote", "promote", "below", metric), metric, RATES, key=True)


def _trigger(case: Fitted, at: int, trigger: Mapping[str, Any]) -> Iterator[Mistake]:
    place = ("demote", "on", at)
    named = [name for name in _FIELDS if trigger.get(name)]
    if len(named) != 1:
        yield mistake(
            case.place(*place), "demote.trigger",
            f"a trigger names {' and '.join(named) if named else 'nothing that could happen'}",
            expected=f"exactly one of {', '.join(_FIELDS)}",
        )  # fmt: skip
        return
    (name,) = named
    for needed in _NEEDS.get(name, ()):
        if trigger.get(needed) is None:
            yield mistake(case.place(*place), "demote.half", f"{name} needs {needed}", hint=f"write {needed}:")
    for field, owner in _OWN.items():
        if field in trigger and owner != name:
            yield mistake(
                case.key(*place, field), "demote.field", f"{field} says nothing about {name}", hint="delete it"
            )
    what = trigger[name]
    counted: dict[str, Collection[str]] = {"incident": SEVERITIES, "drift": DRIFTING | {ANY}, "rate": RATES}
    known = counted.get(name)
    if known is not None and what not in known:
        yield _unknown(case, (*place, name), what, known)
    for number, kind in enumerate(trigger.get("types") or []):
        if kind == ActionType.ASSERT:
            yield mistake(
                case.place(*place, "types", number), "demote.assert",
                "what an answer says does not wait for a person, so its level cannot be lowered",
                hint="delete it; a worse release goes back by its ramp, and findings block or hand over",
            )  # fmt: skip


def _unknown(
    case: Fitted, place: tuple[str | int, ...], what: object, known: Collection[str], *, key: bool = False
) -> Mistake:
    names = sorted(known)
    return mistake(
        case.key(*place) if key else case.place(*place), "demote.name", f"{shown(str(what))} is none of those counted",
        expected=", ".join(names), hint=did_you_mean(str(what), names),
    )  # fmt: skip


def demote_of(given: Mapping[str, Any] | None) -> Demote | None:
    """As the ruleset holds it, of a value without mistakes."""
    if not given:
        return None
    promote = given.get("promote") or {}
    values: dict[str, Any] = {name: given[name] for name in ("floor", "again") if name in given}
    if "cool_down_hours" in given:
        values["cool_down_minutes"] = 60 * given["cool_down_hours"]
    if "after_hours" in promote:
        values["after_minutes"] = 60 * promote["after_hours"]
    values |= {name: promote[name] for name in ("least_units", "below") if name in promote}
    return msgspec.convert({**values, "triggers": [_of_trigger(one) for one in given["on"]]}, Demote)


def _of_trigger(given: Mapping[str, Any]) -> dict[str, Any]:
    name = next(name for name in _FIELDS if given.get(name))
    what = given[name]
    values = {"cause": _FIELDS[name], "what": what if isinstance(what, str) and what != ANY else ""}
    if name == "drills":
        values["least"] = what
    if name == "findings":
        values["least"] = given["per_day"]
    plain = ("above", "least", "days", "levels", "types")
    return values | {field: given[field] for field in plain if field in given}
