"""The report as text for a terminal. 0 of 0 is shown as "no cases", never as 0 %."""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from handrail.home.codes import money
from handrail.policy.ruleset import AcceptedFailure
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.ids import UseCaseId
from handrail.watch.accepted import Judged, State, judge
from handrail.watch.acted import Acts
from handrail.watch.refused import Calls
from handrail.watch.report import UseCaseReport


def lines(
    rows: Iterable[UseCaseReport], accepts: Mapping[UseCaseId, tuple[AcceptedFailure, ...]] = MappingProxyType({})
) -> list[str]:
    """The report as text for a terminal. `accepts`: what each use case in force accepts."""
    out: list[str] = []
    for row in rows:
        out += _lines(row)
        out += _accepted(judge(row, accepts.get(row.use_case, ())))
    return out or ["no interactions and no actions in this period"]


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
    enforced = row.outcomes[Outcome.BLOCKED.value] + row.outcomes[Outcome.HANDOVER.value] - row.held_out
    out.append(f"  blocked or handed over: {_share(enforced, row.answered)}")
    if row.held_out:
        out.append(f"  without the AI, by the draw of the hold-out: {_share(row.held_out, row.answered)}")
    out.append(f"  without an answer: {_share(row.lost, row.asked)}")
    if row.errors:
        out.append(f"    recorded as interactions (handrail find --outcome failed or refused): {_counts(row.errors)}")
    if row.calls.codes:
        out.append(f"    refused before one began (handrail log --kind call): {_counts(row.calls.codes)}")
    if row.kinds:
        out.append(f"  findings: {_counts(row.kinds)}")
    if row.failures:
        out.append(f"  detectors that did not answer: {_counts(row.failures)}")
    out += _acts(row.acts)
    out.append(f"  reported afterwards: {_counts(row.reported.events) or 'nothing'}")
    if row.reported.flags:
        out.append(f"  flags by reason: {_counts(row.reported.flags)}")
    if row.latencies_ms:
        out.append(f"  latency p50 {row.latency_ms(0.5)} ms, p95 {row.latency_ms(0.95)} ms")
    return out


def _acts(acts: Acts) -> list[str]:
    out = []
    if acts.verdicts:
        out.append(f"  actions decided (handrail log --kind action): {_counts(acts.verdicts)}")
    if acts.would_be:
        n = acts.would_be.total()
        held, denied = acts.would_be[Verdict.HOLD.value], acts.would_be[Verdict.DENY.value]
        out.append(f"    only observed: enforcing would have held {_share(held, n)} and denied {_share(denied, n)}")
    if acts.ended:
        moved = ", ".join(money(minor, currency) for currency, minor in sorted(acts.paid.items()))
        out.append(f"    what became of actions: {_counts(acts.ended)}" + (f"; money moved: {moved}" if moved else ""))
    return out


def unregistered(calls: Calls) -> list[str]:
    """Calls refused that no use case answers for."""
    return [f"refused calls without a use case (handrail log --kind call): {_counts(calls.codes)}"] * bool(calls.codes)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def _share(count: int, total: int) -> str:
    return f"{count} of {total} ({count / total:.1%})" if total else "no cases"


def _accepted(judged: list[Judged]) -> list[str]:
    return [f"  accepted {one.metric} at most {one.limit:.1%}: {_verdict(one)}" for one in judged]


def _verdict(one: Judged) -> str:
    if one.state is State.NOT_MEASURABLE:
        return f"{one.state.value}, {one.why}"
    return f"{one.state.value}, {one.failures} of {one.cases} ({one.failures / one.cases:.1%})"
