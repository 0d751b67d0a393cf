"""What happened, what enforcing would have done, and what was reported afterwards: one pass over recorded facts, pure.

A rate comes with its count; 0 of 0 is shown as "no cases", never as 0 %.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from handrail.ledger.entry import InteractionFacts
from handrail.policy.ruleset import FindingAction
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import UseCaseId
from handrail.watch.outcomes import Outcomes, Reported, outcomes


class UseCaseReport(msgspec.Struct, kw_only=True):
    """Counts of one use case in a period. `would_be`: verdicts that enforcing would have given, in observe mode.
    `kinds`: findings by `side.KIND`, counted where first seen. `actions`: what the rules said of them. `blocked`,
    `handed_over`: interactions, in observe mode those that enforcing would have; `ungrounded`: with a claim that leads
    to something. `conversation_ids`: all that had an interaction in the period, `conversations` those begun in it.
    `reported`: what became of them."""

    use_case: UseCaseId
    interactions: int = 0
    conversations: int = 0
    unlinked: int = 0
    verdicts: Counter[str] = msgspec.field(default_factory=Counter)
    would_be: Counter[str] = msgspec.field(default_factory=Counter)
    outcomes: Counter[str] = msgspec.field(default_factory=Counter)
    kinds: Counter[str] = msgspec.field(default_factory=Counter)
    actions: Counter[str] = msgspec.field(default_factory=Counter)
    languages: Counter[str] = msgspec.field(default_factory=Counter)
    failures: Counter[str] = msgspec.field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_minor: int = 0
    latencies_ms: list[int] = msgspec.field(default_factory=list)
    blocked: int = 0
    handed_over: int = 0
    ungrounded: int = 0
    conversation_ids: set[str] = msgspec.field(default_factory=set)
    reported: Outcomes = msgspec.field(default_factory=Outcomes)

    def latency_ms(self, share: float) -> int | None:
        """The quantile `share` (0..1) of latency; None without a case."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def report(facts: Iterable[InteractionFacts], events: Iterable[Reported] = ()) -> list[UseCaseReport]:
    """One row per use case, by name. `facts`: of the period's interactions; `events`: all there are."""
    rows: dict[str, UseCaseReport] = {}
    for fact in facts:
        row = rows.get(fact.use_case)
        if row is None:
            row = rows[fact.use_case] = UseCaseReport(use_case=fact.use_case)
        _add(row, fact)
    by_use_case: dict[str, list[Reported]] = {}
    for event in events:
        by_use_case.setdefault(event.use_case, []).append(event)
    for name, row in rows.items():
        row.reported = outcomes(by_use_case.get(name, ()), row.conversation_ids)
    return [rows[name] for name in sorted(rows)]


def _add(row: UseCaseReport, fact: InteractionFacts) -> None:
    row.interactions += 1
    row.conversations += fact.first
    row.conversation_ids.add(fact.conversation)
    row.unlinked += fact.unlinked
    row.verdicts[fact.verdict.value] += 1
    if fact.would_be is not None:
        row.would_be[fact.would_be.value] += 1
    if fact.outcome is not None:
        row.outcomes[fact.outcome.value] += 1
    if fact.language:
        row.languages[fact.language] += 1
    for found in fact.findings:
        if found.new:
            row.kinds[f"{found.side}.{found.kind.value}"] += 1
            row.actions[found.action or "below"] += 1
    stopped = _stopped(fact)
    row.blocked += stopped is Outcome.BLOCKED
    row.handed_over += stopped is Outcome.HANDOVER
    row.ungrounded += any(found.new and found.kind is Kind.UNGROUNDED and found.action for found in fact.findings)
    row.failures.update(fact.failures)
    row.input_tokens += fact.input_tokens
    row.output_tokens += fact.output_tokens
    row.cost_micro_minor += fact.cost_micro_minor
    row.latencies_ms.append(fact.latency_ms)


def _stopped(fact: InteractionFacts) -> Outcome | None:
    """BLOCKED or HANDOVER, as given or as enforcing would have; None for an answer that went out."""
    if fact.would_be is not Verdict.DENY:
        return fact.outcome if fact.outcome in (Outcome.BLOCKED, Outcome.HANDOVER) else None
    actions = {found.action for found in fact.findings}
    if FindingAction.HANDOVER.value in actions:
        return Outcome.HANDOVER
    return Outcome.BLOCKED if FindingAction.BLOCK.value in actions else None
