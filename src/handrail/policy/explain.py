"""A decision in words, for a person who asks why; pure.

It speaks of kinds, rules and codes only: no customer text, so it may stand in a log, a report or a page.
"""

from handrail.policy.evaluate import Decision, DecisionInput, Found, Rules, Side
from handrail.policy.ruleset import FindingAction, Mode
from handrail.terms.decision import Outcome, Reason, Verdict
from handrail.terms.errors import Code
from handrail.terms.finding import NEVER_REST, Role

_VERDICT = {
    Verdict.ALLOW: "The text passed unchanged.",
    Verdict.CHANGE: "The text passed with parts masked.",
    Verdict.HOLD: "The action waits for a person.",
    Verdict.DENY: "The text did not pass.",
}
_OUTCOME = {
    Outcome.BLOCKED: "The declared sentence was the answer.",
    Outcome.HANDOVER: "The hand-over sentence was the answer, and the agents' system was told.",
    Outcome.REFUSED: "The request was refused with an error.",
}
_WOULD = {
    Outcome.ANSWERED: "",
    Outcome.BLOCKED: " and answered with the declared sentence",
    Outcome.HANDOVER: " and handed over to a person",
    Outcome.REFUSED: " and refused the request",
}
_DONE = {
    FindingAction.MARK: "recorded only",
    FindingAction.MASK: "masked",
    FindingAction.BLOCK: "blocked",
    FindingAction.HANDOVER: "handed over",
}
_WHO = {
    Role.USER: "the customer's text",
    Role.ASSISTANT: "an earlier answer",
    Role.TOOL: "a tool result",
    Role.DOCUMENT: "a document",
    Role.SYSTEM: "the prompt",
}
_GAP = {
    Code.GUARD_UNAVAILABLE: "a detector failed",
    Code.GUARD_LATE: "a detector was late",
    Code.PART_UNREADABLE: "a part could not be read by any detector",
}


def explain(given: DecisionInput, decision: Decision, rules: Rules) -> list[str]:
    """Sentences in the order a person asks: what happened, what enforcing would have done, then each cause."""
    lines = [_VERDICT[decision.verdict]]
    if decision.outcome in _OUTCOME:
        lines.append(_OUTCOME[decision.outcome])
    if rules.use_case.mode is Mode.OBSERVE and decision.would_be is not None:
        lines.append(_would(decision.would_be, decision.would_be_outcome))
    lines += [
        _finding(found, decision.actions[place], rules, masked=place in decision.masks)
        for place, found in enumerate(given.found)
    ]
    lines += [_gap(reason, decision) for reason in decision.reasons if reason.code in _GAP]
    if decision.untrusted:
        lines.append("What the answer rests on holds instructions of an outsider; it counts as untrusted.")
    return list(dict.fromkeys(lines))


def _would(verdict: Verdict, outcome: Outcome | None) -> str:
    if verdict is Verdict.ALLOW:
        return "Enforcing would have done the same."
    done = {Verdict.CHANGE: "masked parts of it", Verdict.HOLD: "held it", Verdict.DENY: "stopped it"}[verdict]
    return f"Observed only: enforcing would have {done}{_WOULD.get(outcome or Outcome.ANSWERED, '')}."


def _finding(found: Found, action: FindingAction | None, rules: Rules, *, masked: bool) -> str:
    rule = rules.rule(found.kind, found.side, found.role)
    where = "the answer" if found.side is Side.OUTPUT else _WHO[found.role]
    start = f"{found.kind.value} in {where} (score {found.score:.2f})"
    if action is None:
        return f"{start}: below the score of its rule ({rule.min_score:.2f})."
    observing = rules.use_case.mode is Mode.OBSERVE and not masked and action is not FindingAction.MARK
    done = f"would be {_DONE[action]}" if observing else _DONE[FindingAction.MASK if masked else action]
    again = "" if found.new else ", seen before"
    source = "it may never be stored" if found.kind in NEVER_REST and masked else rule.rule or "a built-in rule"
    return f"{start}: {done}{again} ({source})."


def _gap(reason: Reason, decision: Decision) -> str:
    if decision.verdict is not Verdict.DENY:
        then = "it passed marked"
    else:
        then = "so the request was refused" if decision.outcome is Outcome.REFUSED else "nothing passed"
    return f"Not screened: {_GAP[Code(reason.code)]}; {then}."
