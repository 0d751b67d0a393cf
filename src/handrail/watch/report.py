"""What happened, and what enforcing would have done: one pass over recorded facts, pure.

A rate comes with its count; 0 of 0 is shown as "no cases", never as 0 %.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from handrail.ledger.entry import InteractionFacts
from handrail.terms.decision import Outcome, Verdict


class UseCaseReport(msgspec.Struct, kw_only=True):
    """Counts of one use case in a period. `would_be`: verdicts that enforcing would have given, in observe mode.
    `kinds`: findings by `side.KIND`, counted where first seen. `actions`: what the rules said of them."""

    use_case: str
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

    def latency_ms(self, share: float) -> int | None:
        """The quantile `share` (0..1) of latency; None without a case."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def report(facts: Iterable[InteractionFacts]) -> list[UseCaseReport]:
    """One row per use case, by name."""
    rows: dict[str, UseCaseReport] = {}
    for fact in facts:
        row = rows.get(fact.use_case)
        if row is None:
            row = rows[fact.use_case] = UseCaseReport(use_case=fact.use_case)
        _add(row, fact)
    return [rows[name] for name in sorted(rows)]


def _add(row: UseCaseReport, fact: InteractionFacts) -> None:
    row.interactions += 1
    row.conversations += fact.first
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
    row.failures.update(fact.failures)
    row.input_tokens += fact.input_tokens
    row.output_tokens += fact.output_tokens
    row.cost_micro_minor += fact.cost_micro_minor
    row.latencies_ms.append(fact.latency_ms)


def lines(rows: Iterable[UseCaseReport]) -> list[str]:
    """The report as text for a terminal."""
    out: list[str] = []
    for row in rows:
        out += _lines(row)
    return out or ["no interactions in this period"]


def _lines(row: UseCaseReport) -> list[str]:
    out = [f"{row.use_case}: {row.interactions} interactions in {row.conversations} new conversations"]
    if row.unlinked:
        out.append(
            f"  unlinked: {_share(row.unlinked, row.interactions)} (name conversations: x-handrail-conversation)"
        )
    if row.would_be:
        n = row.would_be.total()
        denied, changed = row.would_be[Verdict.DENY.value], row.would_be[Verdict.CHANGE.value]
        out.append(f"  enforcing would have denied {_share(denied, n)} and changed {_share(changed, n)}")
    enforced = row.outcomes[Outcome.BLOCKED.value] + row.outcomes[Outcome.HANDOVER.value]
    out.append(f"  blocked or handed over: {_share(enforced, row.interactions)}")
    out.append(f"  refused: {_share(row.outcomes[Outcome.REFUSED.value], row.interactions)}")
    if row.kinds:
        out.append("  findings: " + ", ".join(f"{name} {count}" for name, count in row.kinds.most_common()))
    if row.failures:
        out.append("  detectors that did not answer: " + ", ".join(f"{k} {n}" for k, n in row.failures.most_common()))
    out.append(f"  latency p50 {row.latency_ms(0.5)} ms, p95 {row.latency_ms(0.95)} ms")
    return out


def _share(count: int, total: int) -> str:
    return f"{count} of {total} ({count / total:.1%})" if total else "no cases"
