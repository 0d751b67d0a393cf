"""What the agent that asked is told of a denial, so that it can mend its call; pure.

Only what an author wrote for agents (`say` of a rule that denies, or whose fact was never read), and which arguments
the schema refuses, by names that stand in the schema. Never a rule's own reason, a limit, a detector's finding, an
origin, a person or a value: what is told here could otherwise be used to feel out the rules.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from handrail.policy.action import ActionDecision, Why
from handrail.policy.action_rules import ActionRules
from handrail.terms.decision import Reason, Verdict
from handrail.tools.registry import Tool

WHOLE = "$"
"""The path of the arguments as a whole (`backends.schemas`)."""
MOST = 20
"""Names in one sentence."""


def told_to_agent(
    decision: ActionDecision, rules: ActionRules, tool: Tool, arguments: Mapping[str, Any]
) -> tuple[str, ...]:
    """Sentences, each once; none when it only observes. A hold tells of reads that are missing, and nothing else."""
    if decision.would_be is not None or decision.verdict not in (Verdict.DENY, Verdict.HOLD):
        return ()
    denied = decision.verdict is Verdict.DENY
    return tuple(dict.fromkeys(_said(decision, rules, tool, arguments, denied=denied)))


def _said(
    decision: ActionDecision, rules: ActionRules, tool: Tool, arguments: Mapping[str, Any], *, denied: bool
) -> Iterator[str]:
    says = {rule.place or rule.id: rule for rule in rules.rules if rule.say}
    for reason in decision.reasons:
        rule = says.get(reason.rule)
        if reason.code == Why.SCHEMA and denied:
            yield _refused(reason, tool, arguments)
        elif rule is None:
            continue
        elif reason.code == Why.RULE_UNKNOWN or (reason.code == Why.RULE and rule.then is Verdict.DENY and denied):
            yield rule.say


def _refused(reason: Reason, tool: Tool, arguments: Mapping[str, Any]) -> str:
    if reason.side != WHOLE:
        return f"argument {reason.side} does not fit the tool's schema"
    missing = [name for name in tool.arguments.get("required", ()) if name not in arguments]
    if missing:
        return f"missing arguments: {', '.join(missing[:MOST])}"
    known = ", ".join(list(tool.arguments.get("properties", {}))[:MOST])
    return "the arguments do not fit the tool's schema" + (f"; it knows: {known}" if known else "")
