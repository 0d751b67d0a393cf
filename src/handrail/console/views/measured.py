"""The figures of a use case: today's share, beside its own past; pure."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from handrail.console.views.charts import Figure, spark
from handrail.console.words import N_, Words
from handrail.watch.measure import HOUR_MS, Cell, Counts
from handrail.watch.metrics import DEFINITIONS, SHARES, Side, figure
from handrail.watch.series import Series
from handrail.watch.usual import Place, Rate, held_to, place

METRICS = {
    "transfer": N_("Transfers to a human"),
    "repeat_contact": N_("Repeat contact"),
    "blocked": N_("Answers stopped"),
    "ungrounded": N_("Ungrounded answers"),
}
"""Of the overview: two that customers feel, two of the AI."""
WORDS = {
    Place.UNKNOWN: N_("its usual range is not learnt yet"),
    Place.WITHIN: N_("in the usual range"),
    Place.CHANCE: N_("higher, but chance explains it"),
    Place.ABOVE: N_("above the usual range"),
}
"""Where a figure stands beside its own past."""
STEP_H = 6
STEPS = 28
"""Of a line: a week in quarters of a day."""
_BY_ID = {one.id: one for one in DEFINITIONS}


def figures_of(
    measured: Sequence[tuple[Cell, Counts]], series: Sequence[Series], use_case: str, words: Words
) -> tuple[Figure, ...]:
    """One per metric of `METRICS`. `measured`: of the last week. The usual range is what it learnt of its own past; it
    is shown once that is known, and a figure stands out only beside one."""
    mine = [(cell, counts) for cell, counts in measured if cell.use_case == use_case]
    now_h = words.now_ms // HOUR_MS + 1
    sums = _sums(mine, now_h)
    return tuple(
        _figure(metric, label, mine, sums, _learnt(series, use_case, metric), now_h, words)
        for metric, label in METRICS.items()
    )


class _Sums(NamedTuple):
    """`steps`: by quarters of a day, the oldest first. `day`: the last four of them; `week`: all."""

    steps: list[Counter[str]]
    day: Counter[str]
    week: Counter[str]


def _sums(mine: Sequence[tuple[Cell, Counts]], now_h: int) -> _Sums:
    """Made once for a use case, whatever is figured of it."""
    steps: list[Counter[str]] = [Counter() for _ in range(STEPS)]
    for cell, counts in mine:
        at = STEPS - 1 - (now_h - 1 - cell.hour) // STEP_H
        if 0 <= at < STEPS:
            step = steps[at]
            for name, count in counts.items():
                step[name] = step.get(name, 0) + count
    return _Sums(steps, sum(steps[-24 // STEP_H :], Counter()), sum(steps, Counter()))


def _figure(
    metric: str, label: str, mine: Sequence[tuple[Cell, Counts]], sums: _Sums, past: Series | None, now_h: int,
    words: Words,
) -> Figure:  # fmt: skip
    steps, total, week = sums
    said = ""
    shown = figure(_BY_ID[metric], total, week)
    if shown.count is None or not shown.cases:
        shown = figure(_BY_ID[metric], week, week)
        said = words(N_("7 days"))
    if shown.count is None or not shown.cases:
        return Figure(words(N_("Not measured")), missing=_why_not(metric, week, words))
    rate = Rate(shown.count, shown.cases)
    top = held_to(past, _cases(metric, mine, 0 if said else now_h - 24))
    stands = place(rate, top)
    text = words.percent(rate.share)
    values = [
        one.count / one.cases
        for one in (figure(_BY_ID[metric], step, week) for step in steps)
        if one.count is not None and one.cases
    ]
    drawn = spark(values, None if top is None else (0.0, top), f"{words(label)} {text}, {words(WORDS[stands])}")
    of = words(N_("{count} of {cases}"), count=words.number(shown.count), cases=words.number(shown.cases))
    return Figure(text, said=f"{of} · {said}" if said else of, out=stands is Place.ABOVE, spark=drawn)


def _why_not(metric: str, week: Counter[str], words: Words) -> str:
    """What customers feel is counted of conversations whose 48 hours are over (`watch.measure.MATURITY_MS`)."""
    if _BY_ID[metric].side is Side.AI:
        return words(N_("no case in the last 7 days"))
    if not week["conversations"]:
        return words(N_("not before 48 h after the conversation"))
    return words(N_("nobody reported it, or not 48 hours ago"))


def _learnt(series: Sequence[Series], use_case: str, metric: str) -> Series | None:
    return next(
        (one for one in series if one.use_case == use_case and one.metric == metric and one.learnt_ms is not None), None
    )


def _cases(metric: str, mine: Sequence[tuple[Cell, Counts]], since_h: int) -> Counter[int]:
    """By hour."""
    found: Counter[int] = Counter()
    for cell, counts in mine:
        if cell.hour >= since_h:
            found[cell.hour] += counts[SHARES[metric]]
    return found
