"""The verdict as one sentence that a CX lead understands: which metric, by how much, against what, since when, and what
was or should be done; pure."""

from handrail.releases.bets import Kind
from handrail.releases.judge import MISSING, Conclusion, MetricVerdict, Verdict

CALLED = {"transfer": "transfers to a person", "csat": "satisfaction lost", "csat_low": "low satisfaction"}
"""Metrics whose own name says too little."""


def sentence(conclusion: Conclusion, *, unit: str = "unit", done: str = "Roll it back.", advise: bool = True) -> str:
    """`unit`: what was randomised, singular. `done`: what was done, or is to do, on "worse". `advise`: say what to do
    while undecided, where no ramp does it by itself."""
    verdict, units = conclusion.verdict, conclusion.units
    counted = f"{units:,} {unit}{'' if units == 1 else 's'}"
    if verdict is Verdict.WORSE:
        once = round(1 / conclusion.alpha)
        return (
            f"Worse: {_compared(conclusion)}. {done} It was seen over {counted}, at number {conclusion.decided_at:,}; "
            f"a release that is no worse would look like this less than once in {once:,}."
        )
    if verdict is Verdict.BETTER:
        return f"Better: {_compared(conclusion)}, over {counted}; no metric is worse than its margin allows."
    if verdict is Verdict.SAFE:
        return (
            f"Safe: over {counted} every metric was shown to stay within its margin; nearest: {_compared(conclusion)}."
        )
    if verdict is Verdict.TOO_EARLY:
        return f"Too early: only {counted} so far." + (" Keep the share as it is." if advise else "")
    said = f"Cannot tell yet: over {counted} neither worse nor shown to be safe; nearest: {_compared(conclusion)}."
    return said + (" Hold the share and ask its owner; do not ship it." if advise else "")


def _compared(conclusion: Conclusion) -> str:
    named = [name for name, one in conclusion.metrics.items() if one.named] or [conclusion.leading]
    named.sort(key=lambda name: -conclusion.metrics[name].log_e)
    if conclusion.verdict is Verdict.BETTER:
        named = [min(conclusion.metrics, key=lambda name: _ratio(conclusion.metrics[name]))]
    return " and ".join(_one(name, conclusion.metrics[name]) for name in named)


def _one(name: str, metric: MetricVerdict) -> str:
    plain = name.removesuffix(MISSING)
    called = f"missing {plain}" if name.endswith(MISSING) else CALLED.get(plain, plain)
    if metric.kind is Kind.BINARY:
        said = (
            f"{called} in {_percent(metric.canary_mean)} of {metric.canary_units:,} with it, against "
            f"{_percent(metric.control_mean)} of {metric.control_units:,} without it"
        )
        if metric.interval is None:
            return said
        low, high = metric.interval
        upper = "and more" if high is None else f"to {_times(high)}"
        return f"{said} ({_times(low)} {upper} times as often)"
    if metric.percentile:
        return _in_distribution(called, metric)
    said = (
        f"{called} on average {metric.canary_mean:.3f} in {metric.canary_units:,} with it, against "
        f"{metric.control_mean:.3f} in {metric.control_units:,} without it"
    )
    if metric.interval is None:
        return said
    low, high = metric.interval
    return f"{said} (difference {low:+.3f} to {high:+.3f})"


def _in_distribution(called: str, metric: MetricVerdict) -> str:
    """A percentile is no mean of what was measured, and the sentence says so."""
    said = (
        f"{called} in distribution: above {metric.canary_mean * 100:.1f} % of the past in {metric.canary_units:,} with "
        f"it, against {metric.control_mean * 100:.1f} % in {metric.control_units:,} without it"
    )
    low, high = metric.interval or (0.0, None)
    if high is None:
        return said
    return f"{said} (difference {low * 100:+.1f} to {high * 100:+.1f} points)"


def _ratio(metric: MetricVerdict) -> float:
    return metric.canary_mean / metric.control_mean if metric.control_mean else 1.0


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.1 else f"{share * 100:.1f} %"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 99.5 else f"{ratio:.2g}"
