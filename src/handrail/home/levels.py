"""Risk and autonomy per action type: what the shorthand means, and which pairs are forbidden; pure.

Source: docs/guides/home.md, risk and autonomy. A sentence that reaches a customer without a person in between is
an action (`assert`), because the company answers for it (Moffatt v. Air Canada, 2024 BCCRT 149).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from handrail.home.fields import DataClass, Rollout
from handrail.home.fit import Fitted
from handrail.home.mistake import Mistake, Place, mistake
from handrail.policy.ruleset import Audience, Autonomy, Level, Risk
from handrail.terms.action import ActionType

_TOO_MUCH_FOR_A4 = (Risk.R2, Risk.R3, Risk.R4)
FORBIDDEN = frozenset({(Risk.R4, Autonomy.A3), *((risk, Autonomy.A4) for risk in _TOO_MUCH_FOR_A4)})
"""Cells of the matrix that no waiver opens. A3 x R4 as a documented legal exception comes with
governance."""

AT_LEAST = {
    ActionType.WRITE_FINAL: Risk.R3,
    ActionType.MONEY: Risk.R3,
    ActionType.ACCESS: Risk.R3,
    ActionType.ADVERSE: Risk.R3,
    ActionType.CONTACT: Risk.R3,
}
"""Final, money, access, adverse and outbound effects are R3 by definition, once no person does them (A2 and up)."""

SENSITIVE = frozenset(
    {DataClass.HEALTH, DataClass.SPECIAL_CATEGORY, DataClass.PAYMENT_CARD, DataClass.CHILDREN, DataClass.BIOMETRIC}
)
NEVER = {
    DataClass.STAFF_EMOTION: "inferring emotions of staff at work is banned (EU AI Act, article 5(1)(f))",
    DataClass.SOCIAL_SCORE: "scoring people socially is banned (EU AI Act, article 5(1)(c))",
    DataClass.CARD_VERIFICATION: "card verification codes may never be stored (PCI DSS 4.0.1, 3.3.1)",
    DataClass.CARD_PIN: "card PINs may never be stored (PCI DSS 4.0.1, 3.3.1)",
    DataClass.CARD_TRACK: "track data may never be stored (PCI DSS 4.0.1, 3.3.1)",
}
_RISKS = list(Risk)
_AUTONOMIES = list(Autonomy)


def expand(levels: Mapping[str, Any]) -> dict[ActionType, Level]:
    """The declared pairs, and the shorthand for every other type; A0 covers `read` only. Incomplete pairs are left
    out (`check_levels` says so)."""
    result: dict[ActionType, Level] = {}
    shorthand = _level(levels)
    for kind in ActionType:
        own = levels.get(kind.value)
        if own is not None:
            level = _level(own)
            if level is not None:
                result[kind] = level
        elif shorthand is not None and (shorthand.autonomy is not Autonomy.A0 or kind is ActionType.READ):
            result[kind] = shorthand
    return result


def highest(levels: Mapping[ActionType, Level]) -> Risk:
    """R0 when nothing is declared."""
    return max((level.risk for level in levels.values()), key=_RISKS.index, default=Risk.R0)


def check_levels(case: Fitted) -> Iterator[Mistake]:
    given = case.value.get("levels")
    if not isinstance(given, dict):
        return
    if ("risk" in given) != ("autonomy" in given):
        yield mistake(case.place("levels"), "levels.half", "the shorthand needs both", expected="risk and autonomy")
    levels = expand(given)
    if not given:
        yield mistake(
            case.place("levels"), "levels.none", "no action type has a level", expected="at least read or assert"
        )
    shorthand = _level(given)
    forbidden = shorthand is not None and (shorthand.risk, shorthand.autonomy) in FORBIDDEN
    if shorthand is not None and forbidden:  # once, not for each kind of action that it stands for
        yield _forbidden(case.place("levels", "risk"), "", shorthand)
    for kind, level in levels.items():
        own = kind.value in given
        if own or not forbidden:
            yield from _pair(case, kind, level, own=own)
    yield from _answers(case, levels)
    yield from _data(case, levels)
    if case.value.get("rollout") == Rollout.IMMEDIATE and _RISKS.index(highest(levels)) >= _RISKS.index(Risk.R2):
        yield mistake(
            case.place("rollout"),
            "rollout.immediate",
            f"rollout: immediate is refused from R2 up, and this use case is {highest(levels).value}",
            expected="staged",
        )


def _pair(case: Fitted, kind: ActionType, level: Level, *, own: bool) -> Iterator[Mistake]:
    place = case.place("levels", kind.value) if own else case.place("levels", "risk")
    if (level.risk, level.autonomy) in FORBIDDEN:
        yield _forbidden(place, f"{kind.value}: ", level)
    if level.autonomy is Autonomy.A0 and kind is not ActionType.READ:
        yield mistake(place, "levels.a0", f"{kind.value}: A0 only reads", expected="A1 or more, or leave the type out")
    least = AT_LEAST.get(kind)
    acting = _AUTONOMIES.index(level.autonomy) >= _AUTONOMIES.index(Autonomy.A2)
    if least and acting and _RISKS.index(level.risk) < _RISKS.index(least):
        yield mistake(
            place,
            "levels.low",
            f"{kind.value} is at least {least.value} when no person does it",
            expected=f"risk: {least.value}",
            hint="" if own else "list only the action types that this use case has",
        )


def _forbidden(place: Place, about: str, level: Level) -> Mistake:
    return mistake(
        place,
        "levels.forbidden",
        f"{about}{level.risk.value} with {level.autonomy.value} is forbidden",
        expected="a lower autonomy; A2 lets a person approve each action",
    )


def _answers(case: Fitted, levels: Mapping[ActionType, Level]) -> Iterator[Mistake]:
    if case.value.get("audience") != Audience.CUSTOMER:
        return
    said = levels.get(ActionType.ASSERT)
    if said is None or _AUTONOMIES.index(said.autonomy) < _AUTONOMIES.index(Autonomy.A3):
        yield mistake(
            case.place("levels", "assert"),
            "levels.assert",
            "answers reach the customer without a person in between, so assert is A3 or A4",
            expected="assert: {risk: R1, autonomy: A3} or higher",
            hint="if staff send the answers, write audience: staff",
        )


def _data(case: Fitted, levels: Mapping[ActionType, Level]) -> Iterator[Mistake]:
    declared = case.value.get("data_classes") or []
    risk = highest(levels)
    for place, name in enumerate(declared):
        data = DataClass(name)
        where = case.place("data_classes", place)
        if data in NEVER:
            yield mistake(where, "data.forbidden", f"{name}: {NEVER[data]}", hint="no waiver opens this")
        elif data is DataClass.VOICE_EMOTION:
            yield from _voice_emotion(case, where, risk)
        elif data in SENSITIVE and _RISKS.index(risk) < _RISKS.index(Risk.R3):
            yield mistake(
                where,
                "data.low",
                f"{name} makes a use case at least R3",
                expected="R3 for the action types that see it",
            )
    if declared and levels and risk is Risk.R0:
        yield mistake(
            case.place("data_classes"),
            "data.r0",
            "R0 means no personal data",
            expected="R1 or more, or data_classes: []",
        )


def _voice_emotion(case: Fitted, where: Any, risk: Risk) -> Iterator[Mistake]:
    if case.value.get("audience") == Audience.STAFF:
        yield mistake(
            where, "data.forbidden", f"voice-emotion: {NEVER[DataClass.STAFF_EMOTION]}", hint="no waiver opens this"
        )
    elif risk is not Risk.R4:
        yield mistake(
            where, "data.low", "voice-emotion is high-risk (EU AI Act, annex III 1(c))", expected="R4 and a notice"
        )


def _level(pair: Mapping[str, Any]) -> Level | None:
    if "risk" not in pair or "autonomy" not in pair:
        return None
    return Level(risk=Risk(pair["risk"]), autonomy=Autonomy(pair["autonomy"]))
