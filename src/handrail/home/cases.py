"""The cases beside the rules (`rules/*.test.yaml`): played by `policy test` and before every publish; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from handrail.home.fit import Fitted
from handrail.home.mistake import Mistake, mistake
from handrail.home.questions import Question, Questions
from handrail.home.written_actions import Spot
from handrail.policy.action import ActionDecision
from handrail.policy.action_rules import ActionRules

MONDAY_NOON_MS = 1_767_614_400_000
"""2026-01-05T12:00Z, a Monday: the instant of a case that names none, so that it means the same tomorrow."""


@dataclass(frozen=True, slots=True)
class Played:
    """One case. `wrong`: what came out otherwise than expected, empty when all is well."""

    name: str
    spot: Spot
    decision: ActionDecision | None
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """`matched`: rules that matched in a case that went well. `never`: those that did in none, in their order."""

    played: tuple[Played, ...]
    matched: frozenset[str] = field(default_factory=frozenset)
    never: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Played]:
        return [one for one in self.played if one.wrong]


def play(files: Sequence[Fitted], questions: Questions) -> Coverage:
    """Every case that could be read."""
    played = tuple(
        _played(Spot(file, ("cases", at)), case, questions)
        for file in files
        if not file.mistakes
        for at, case in enumerate(file.value.get("cases") or ())
    )
    matched = frozenset(rule for one in played if one.decision and not one.wrong for rule in one.decision.rules)
    rules: ActionRules = questions.ruleset.actions
    return Coverage(played, matched, tuple(rule.id for rule in rules.rules if rule.id not in matched))


def mistakes_of(coverage: Coverage, rules: ActionRules, spots: dict[str, Spot]) -> Iterator[Mistake]:
    """Cases that go wrong, and rules with CEL, which cannot be proved, that no good case matches."""
    for one in coverage.failed:
        yield mistake(one.spot.place("expect"), "case.wrong", f'the case "{one.name}": {one.wrong}')
    for rule in rules.rules:
        if rule.cel and rule.id not in coverage.matched and rule.place in spots:
            yield mistake(
                spots[rule.place].place("cel"), "rule.untested",
                "a condition in CEL needs a case, since it cannot be proved",
                expected=f"a case in rules/*.test.yaml that {rule.id} matches",
            )  # fmt: skip


def _played(spot: Spot, case: dict[str, Any], questions: Questions) -> Played:
    fields = {name: value for name, value in case.items() if name not in ("name", "expect", "rules")}
    name = str(case["name"])
    try:
        answered = questions.answer(msgspec.convert(fields, Question), now_ms=MONDAY_NOON_MS)
    except ValueError as error:
        return Played(name, spot, None, str(error))
    decision = answered.enforced
    known = {rule.id for rule in questions.ruleset.actions.rules}
    wanted, expected = case.get("rules"), case["expect"]
    wrong = []
    if decision.verdict != expected:
        codes = ", ".join(dict.fromkeys(f"{reason.code} {reason.rule}".strip() for reason in decision.reasons))
        wrong.append(f"{expected} was expected and {decision.verdict.value} came out ({codes or 'no reason'})")
    if wanted is not None and set(wanted) != set(decision.rules):
        unknown = [rule for rule in wanted if rule not in known]
        missed = [rule for rule in wanted if rule not in decision.rules and rule in known]
        more = [rule for rule in decision.rules if rule not in wanted]
        for what, listed in (("no such rule", unknown), ("did not match", missed), ("matched too", more)):
            wrong += [f"{what}: {', '.join(listed)}"] if listed else []
    return Played(name, spot, decision, "; ".join(wrong))
