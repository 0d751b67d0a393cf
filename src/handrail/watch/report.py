"""What happened, what enforcing would have done, and what was reported afterwards: one pass over recorded facts, pure.

A rate comes with its count; 0 of 0 is shown as "no cases", never as 0 %.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from handrail.ledger.entry import InteractionFacts
from handrail.policy.ruleset import FindingAction
from handrail.terms.decision import NO_ANSWER, Outcome, Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import UseCaseId
from handrail.watch.acted import Acts
from handrail.watch.measure import held_out
from handrail.watch.outcomes import Outcomes, Reported, outcomes
from handrail.watch.refused import Calls

_NO_CALLS: Mapping[UseCaseId, Calls] = MappingProxyType({})
_NO_ACTS: Mapping[UseCaseId, Acts] = MappingProxyType({})
_ANSWERS = frozenset({Outcome.ANSWERED, Outcome.BLOCKED, Outcome.HANDOVER})


class UseCaseReport(msgspec.Struct, kw_only=True):
    """Counts of one use case in a period. `would_be`: verdicts that enforcing would have given, in observe mode.
    `kinds`: findings by `side.KIND`, counted where first seen. `actions`: what the rules said of them. `blocked`,
    `handed_over`: interactions, in observe mode those that enforcing would have; `ungrounded`: with a claim that leads
    to something. `answered`: interactions in which the customer got an answer or a sentence, or that count as stopped
    or ungrounded: what those three are shares of. `errors`: codes of those without an answer. `conversation_ids`: all
    that had an interaction in the period, `answered_ids` those with an answered one, `conversations` those begun in it.
    `held_out`: heard the hand-over sentence by the draw of the hold-out, not by a rule. `reported`: what became of
    them. `calls`: refused before there was an interaction. `acts`: what agents asked for."""

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
    held_out: int = 0
    ungrounded: int = 0
    answered: int = 0
    errors: Counter[str] = msgspec.field(default_factory=Counter)
    conversation_ids: set[str] = msgspec.field(default_factory=set)
    answered_ids: set[str] = msgspec.field(default_factory=set)
    reported: Outcomes = msgspec.field(default_factory=Outcomes)
    calls: Calls = msgspec.field(default_factory=Calls)
    acts: Acts = msgspec.field(default_factory=Acts)

    @property
    def lost(self) -> int:
        """How often the customer got no answer."""
        return sum(self.outcomes[one.value] for one in NO_ANSWER) + self.calls.lost

    @property
    def asked(self) -> int:
        """How often the customer asked."""
        return self.interactions + self.calls.lost

    def latency_ms(self, share: float) -> int | None:
        """The quantile `share` (0..1) of latency; None without a case."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def report(
    facts: Iterable[InteractionFacts],
    events: Iterable[Reported] = (),
    calls: Mapping[UseCaseId, Calls] = _NO_CALLS,
    acts: Mapping[UseCaseId, Acts] = _NO_ACTS,
) -> list[UseCaseReport]:
    """One row per use case, by name. `facts`: of the period's interactions; `events`: all there are; `calls`: of the
    period, refused before there was an interaction; `acts`: of the period."""
    rows = {
        name: UseCaseReport(use_case=name, calls=calls.get(name, Calls()), acts=acts.get(name, Acts()))
        for name in {*calls, *acts}
    }
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
    out = held_out(fact)
    row.held_out += out
    stopped = None if out else _stopped(fact)
    row.blocked += stopped is Outcome.BLOCKED
    row.handed_over += stopped is Outcome.HANDOVER
    ungrounded = any(found.new and found.kind is Kind.UNGROUNDED and found.action for found in fact.findings)
    row.ungrounded += ungrounded
    if fact.outcome in _ANSWERS or stopped is not None or ungrounded:
        row.answered += 1
        row.answered_ids.add(fact.conversation)
    elif fact.outcome in NO_ANSWER:
        row.errors[fact.error or fact.outcome.value] += 1
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
