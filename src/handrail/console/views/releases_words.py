"""What stands in words for states, verdicts, metrics and moves of releases; pure."""

import re

from handrail.console.words import N_, Words
from handrail.policy.ramp import Outcome, RampMetric
from handrail.releases.bets import Kind
from handrail.releases.curve import Drawing
from handrail.releases.judge import MISSING, Conclusion, MetricVerdict, Verdict
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.sentence import sentence

STATES: dict[State, tuple[str, str, str]] = {
    State.DRAFT: ("", "edit", N_("Draft")),
    State.TESTED: ("acc", "flask", N_("Tested")),
    State.SIGNED_OFF: ("acc", "check", N_("Signed off")),
    State.CANARY: ("canary", "canary", N_("Canary")),
    State.LIVE: ("allow", "check", N_("Live")),
    State.RETIRED: ("", "dot", N_("Retired")),
    State.ROLLED_BACK: ("back", "undo", N_("Rolled back")),
}
"""Tone, icon, word."""
VERDICTS: dict[Verdict, tuple[str, str, str]] = {
    Verdict.BETTER: ("allow", "check", N_("Better")),
    Verdict.SAFE: ("allow", "check", N_("Safe")),
    Verdict.WORSE: ("back", "undo", N_("Worse")),
    Verdict.CANNOT_TELL: ("", "dot", N_("Cannot tell yet")),
    Verdict.TOO_EARLY: ("", "clock", N_("Too early")),
}
METRICS = {
    "complaint": N_("Complaints"),
    "legal": N_("Legal threats"),
    "transfer": N_("Transfers to a human"),
    "repeat_contact": N_("Repeat contact"),
    "override": N_("Corrected by staff"),
    "refund_reversed": N_("Refunds reversed"),
    "flag": N_("Flagged by staff"),
    "csat": N_("Satisfaction lost"),
    "csat_low": N_("Low satisfaction"),
    "unresolved": N_("Not resolved"),
    "handle_time": N_("Handle time"),
    "block": N_("Answers stopped"),
    "handover": N_("Handed over by the net"),
    "failed": N_("Failed answers"),
    "declined": N_("Declined to help"),
}


MOST_TIMES = 100
"""From here on an upper limit says nothing but that nothing is known."""
WHYS = {
    why: why
    for why in (
        N_("frozen by a person"),
        N_("failures are reported more often of the canary, before its units are complete"),
        N_("undecided at the end of its planned life: look at what is nearest, then promote it or roll it back"),
        N_("safe after its last stage: promote it or roll it back"),
        N_("what it was compared with was rolled back"),
        N_("what came after it was rolled back"),
        N_("a backup was restored: what happened since is not known"),
        N_("it was let go on"),
        N_("still answering"),
        N_("customers are harmed"),
        N_("answers are wrong or unsafe"),
        N_("figures look wrong"),
        N_("it costs or takes too much"),
        N_("plans changed"),
        N_("a drill"),
    )
}
"""Reasons of moves as the ledger has them: sentences of ours, so each has its translation."""


def why_said(why: str, words: Words) -> str:
    """One of `WHYS` in the reader's language; another as the ledger has it."""
    if why in WHYS:
        return words(WHYS[why])
    if (drawn := _DRAW.fullmatch(why)) is not None:
        return words(
            N_("the draw did not give canaries as often as it says (seen at unit {n})"), n=words.number(int(drawn[1]))
        )
    return why


_DRAW = re.compile(r"the draw did not give canaries as often as it says \(seen at unit (\d+)\)")


def metric_name(name: str, words: Words) -> str:
    plain = name.removesuffix(MISSING)
    called = words(METRICS[plain]) if plain in METRICS else plain
    return words(N_("{metric}: nothing was reported"), metric=called) if name.endswith(MISSING) else called


def state_of(rollout: Rollout, words: Words) -> tuple[str, str, str]:
    """Tone, icon, word; of a canary with its share."""
    tone, icon, word = STATES[rollout.state]
    if rollout.state is State.CANARY:
        share = words.percent(rollout.share, 0 if rollout.share >= 0.01 else 1)
        if rollout.frozen:
            return "hold", "pause", words(N_("Stands still at {share}"), share=share)
        return tone, icon, words(N_("Canary {share}"), share=share)
    return tone, icon, words(word)


def verdict_of(verdict: Verdict, words: Words) -> tuple[str, str, str]:
    tone, icon, word = VERDICTS[verdict]
    return tone, icon, words(word)


def units_of(rollout: Rollout, n: int, words: Words) -> str:
    if rollout.ramp is not None and rollout.ramp.unit == "customer_week":
        return words.plural("{n} customer", "{n} customers", n)
    return words.plural("{n} conversation", "{n} conversations", n)


def number_of(metric: MetricVerdict, mean: float, cap: float, words: Words) -> str:
    """A mean as a person reads it: a rate, seconds, or a place in the past."""
    if metric.kind is Kind.BINARY:
        return words.percent(mean, 1 if mean >= 0.1 or mean == 0 else 2)
    if metric.percentile:
        return words(N_("{percent} of the past"), percent=words.percent(mean, 1))
    if cap:
        return words(N_("{n} s"), n=words.number(mean * cap, 1))
    return words.number(mean, 3)


def limit_of(declared: RampMetric | None, words: Words) -> str:
    if declared is None or declared.margin is None:
        return words(N_("only guards"))
    return words(N_("limit {margin} times"), margin=words.number(declared.margin, 2))


def said_of(
    verdict: Verdict, metric: MetricVerdict, declared: RampMetric | None, least: int, cap: float, words: Words
) -> str:
    """One metric in one sentence."""
    if verdict is Verdict.TOO_EARLY:
        return words.plural(
            "{n} of the canary was counted; it takes {least} before anything is said.",
            "{n} of the canary were counted; it takes {least} before anything is said.",
            metric.canary_units, least=words.number(least),
        )  # fmt: skip
    if metric.interval is None:
        return words(N_("There is nothing yet to tell it from."))
    low, high = metric.interval
    if metric.kind is Kind.BINARY and not metric.canary_mean and not metric.control_mean:
        return words(N_("It did not happen, neither here nor before."))
    if metric.kind is not Kind.BINARY:
        return _difference(verdict, metric, low, high, cap, words)
    margin = None if declared is None else declared.margin
    if verdict is Verdict.WORSE:
        if low > 1:
            return words(N_("At least {low} times as often as before."), low=_times(low, words))
        return words(N_("More often than before, and part of why it goes back."))
    if verdict in (Verdict.BETTER, Verdict.SAFE) and high is not None:
        if verdict is Verdict.BETTER and high >= 1:
            return words(N_("Shown to be less often than before."))
        if verdict is Verdict.BETTER:
            return words(N_("At most {high} times as often as before."), high=_times(high, words))
        if high > (margin or 0):  # what shows a margin is sharper than the interval
            return words(N_("Shown to be less than {margin} times as often as before."),
                         margin=words.number(margin or 0, 2))  # fmt: skip
        return words(
            N_("At most {high} times as often as before; {margin} times is agreed."), high=_times(high, words),
            margin=words.number(margin or 0, 2),
        )  # fmt: skip
    if high is None or high >= MOST_TIMES:
        return words(N_("It may be {low} times as often as before, or any more."), low=_times(low, words))
    between = words(
        N_("Between {low} and {high} times as often as before."), low=_times(low, words), high=_times(high, words)
    )
    if margin is None:
        return f"{between} " + words(N_("It only guards, so it is never called safe."))
    return between


def _difference(
    verdict: Verdict, metric: MetricVerdict, low: float, high: float | None, cap: float, words: Words
) -> str:
    high = 1.0 if high is None else high
    if metric.percentile or not cap:
        shown = tuple(words(N_("{n} points"), n=words.number(100 * each, 1)) for each in (abs(low), abs(high)))
    else:
        shown = tuple(words(N_("{n} s"), n=words.number(cap * each, 1)) for each in (abs(low), abs(high)))
    if low >= 0:
        return words(N_("Higher by {low} to {high}."), low=shown[0], high=shown[1])
    if high <= 0:
        return words(N_("Lower by {low} to {high}."), low=shown[1], high=shown[0])
    return words(N_("Between {low} lower and {high} higher."), low=shown[0], high=shown[1])


def _times(ratio: float, words: Words) -> str:
    return words.number(ratio, 0 if ratio >= 10 else 1 if ratio >= 2 else 2)


def whole_sentence(rollout: Rollout, told: Conclusion, words: Words, unit: str) -> str:
    """The verdict in one sentence: as the ledger has it in English; in another language the same from its numbers. What
    to do while it is undecided is not in it, since the ramp does that by itself."""
    if words.language == "en":
        if rollout.reached is not None:
            return rollout.reached.sentence
        done = "It was rolled back." if rollout.state is State.ROLLED_BACK else "It will be rolled back."
        return sentence(told, unit=unit, done=done, advise=False)
    units, compared = units_of(rollout, told.units, words), _compared(rollout, told, words)
    match told.verdict:
        case Verdict.WORSE:
            done = N_("It was rolled back.") if rollout.state is State.ROLLED_BACK else N_("It will be rolled back.")
            return words(
                N_("Worse: {compared}. {done} It was seen over {units}, at number {at}; a release that is no worse "
                   "would look like this less than once in {limit}."),
                compared=compared, done=words(done), units=units, at=words.number(told.decided_at or told.units),
                limit=words.number(round(1 / told.alpha)),
            )  # fmt: skip
        case Verdict.BETTER:
            return words(
                N_("Better: {compared}, over {units}; no metric is worse than its margin allows."), compared=compared,
                units=units,
            )  # fmt: skip
        case Verdict.SAFE:
            return words(
                N_("Safe: over {units} every metric was shown to stay within its margin; nearest: {compared}."),
                compared=compared, units=units,
            )  # fmt: skip
        case Verdict.TOO_EARLY:
            return words(N_("Too early: only {units} so far."), units=units)
        case Verdict.CANNOT_TELL:
            return words(
                N_("Cannot tell yet: over {units} neither worse nor shown to be safe; nearest: {compared}."),
                compared=compared, units=units,
            )  # fmt: skip


def _compared(rollout: Rollout, told: Conclusion, words: Words) -> str:
    """Those that a verdict of worse names; of better the one that is best; else the one that is nearest to worse."""
    declared = {one.name.value: one for one in rollout.ramp.metrics} if rollout.ramp else {}
    named = [name for name, one in told.metrics.items() if one.named] or [told.leading]
    if told.verdict is Verdict.BETTER:
        named = [min(told.metrics, key=lambda name: _ratio(told.metrics[name]))]
    found = []
    for name in sorted(named, key=lambda name: -told.metrics[name].log_e):
        one, cap = told.metrics[name], cap_of(name, declared.get(name.removesuffix(MISSING)))
        found.append(
            words(
                N_("{metric}: {canary} of {canaries} with it, against {control} of {controls} without it"),
                metric=metric_name(name, words),
                canary=number_of(one, one.canary_mean, cap, words), canaries=words.number(one.canary_units),
                control=number_of(one, one.control_mean, cap, words), controls=words.number(one.control_units),
            )
        )  # fmt: skip
    return words(N_(" and ")).join(found)


def _ratio(metric: MetricVerdict) -> float:
    return metric.canary_mean / metric.control_mean if metric.control_mean else 1.0


def cap_of(name: str, declared: RampMetric | None) -> float:
    """Seconds that count as 1, of a metric that is one of time and compared by its mean."""
    if name != Outcome.HANDLE_TIME.value or declared is None or declared.past is not None:
        return 0.0
    return declared.cap


def short(digest: str) -> str:
    """How a release is called on pages."""
    return digest[:8]


def counting_of(drawing: Drawing | None, words: Words) -> str:
    """What stands in place of figures while units are still being folded; empty: they all are."""
    if drawing is None or drawing.complete:
        return ""
    if drawing.told is not None:
        return words(N_("Its curve is being drawn from its units; this page shows it as soon as it is."))
    return words(
        N_("Its evidence is being counted, {n} units so far; this page shows it as soon as it is."),
        n=words.number(drawing.units),
    )
