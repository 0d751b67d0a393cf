"""A decision on an action in words, for the person who asks why or has to settle it; pure.

It speaks of rules, limits, argument names and codes, never of values, so it may stand in a log, a report or a page.
"""

from collections.abc import Iterable

from handrail.policy.action import ActionDecision, Why
from handrail.policy.action_rules import ActionRules
from handrail.terms.decision import Reason, Verdict

_VERDICT = {
    Verdict.ALLOW: "The action may run.",
    Verdict.CHANGE: "The action may run with changed arguments.",
    Verdict.HOLD: "The action waits for a person.",
    Verdict.DENY: "The action does not run.",
}
_WOULD = {
    Verdict.ALLOW: "let it run",
    Verdict.CHANGE: "changed its arguments",
    Verdict.HOLD: "held it for a person",
    Verdict.DENY: "denied it",
}
_WHY = {
    Why.RULE_ERROR: "A rule could not be answered for this call.",
    Why.RULE_UNKNOWN: "A rule speaks of what was never read, so nobody can say that it does not match.",
    Why.DOUBTS: "The doubts together are enough to hold it.",
    Why.LIMIT: "It would go over a limit.",
    Why.LIMIT_UNKNOWN: "What a limit still holds could not be told.",
    Why.WAITING_FULL: "It would have to wait for a person, and of this limit no more may wait now.",
    Why.STOPPED: "A stop is in force.",
    Why.UNREGISTERED: "The tool is not registered for this use case.",
    Why.MANIFEST: "The target announces something else than what was published.",
    Why.SCHEMA: "An argument does not fit the tool's schema.",
    Why.AMOUNT: "The amount could not be read.",
    Why.CHANGES: "Two rules change an argument to different values.",
    Why.NO_SESSION: "No customer session stands behind it.",
    Why.NOT_OWN: "It is not known that this belongs to the verified customer.",
    Why.UNLINKED: "No conversation is linked to it.",
    Why.REFUSED: "The customer said no to it.",
    Why.PARTLY: "The customer did not put every value of it into words.",
    Why.OTHER: "The customer agreed to something else.",
    Why.NOTHING: "The customer neither asked for it nor agreed to it.",
    Why.UNTRUSTED_VALUE: "A value comes only from what outsiders wrote.",
    Why.UNKNOWN_VALUE: "A value comes from nowhere in the conversation.",
    Why.CONTRADICTED: "The record says something else.",
    Why.TAINTED: "What it rests on holds instructions of an outsider.",
    Why.GUARD: "A detector did not answer.",
    Why.READ_ONLY: "At this level the agent only reads.",
    Why.DRAFT: "At this level the agent drafts, and a person acts.",
    Why.APPROVAL: "At this level each such action waits for a person.",
    Why.NO_LIMIT: "No limit covers it, and no rule allows it without one.",
    Why.DEMOTED: "The level was lowered; see handrail autonomy show.",
    Why.LEVEL: "The use case has no level for this type of action.",
}


def explain_action(decision: ActionDecision, rules: ActionRules) -> list[str]:
    """Sentences: what happens, what enforcing would have done, then each reason with the rule's own words."""
    said = {rule.place or rule.id: rule.why for rule in rules.rules}
    lines = [_VERDICT[decision.verdict]]
    if decision.would_be is not None:
        lines.append(f"Observed only: enforcing would have {_WOULD[decision.would_be]}.")
    lines += [_reason(reason, said) for reason in decision.reasons]
    return list(dict.fromkeys(lines))


def built_in(code: str) -> str:
    """The sentence of a reason that no rule gave, without its full stop; empty for a code that has none."""
    return _WHY[Why(code)].removesuffix(".") if code in _WHY else ""


def unexplained(codes: Iterable[str]) -> list[str]:
    """Codes that no sentence stands for."""
    return [code for code in codes if code not in _WHY and code not in (Why.RULE, Why.DOUBT)]


def _reason(reason: Reason, said: dict[str, str]) -> str:
    where = f" ({reason.rule})" if reason.rule else f" ({reason.side})" if reason.side else ""
    if reason.code in (Why.RULE, Why.DOUBT):
        text = said.get(reason.rule, "a rule that is not in this ruleset")
        return f"{'Doubt' if reason.code == Why.DOUBT else 'Rule'}: {text}{where}."
    text = _WHY.get(Why(reason.code), reason.code) if reason.code in set(Why) else reason.code
    return f"{text.removesuffix('.')}{where}."
