"""The figures of a use case: today's share, beside its own past; pure."""

from collections import Counter
from collections.abc import Sequence

from handrail.console.views.charts import Figure, spark
from handrail.console.words import N_, Words
from handrail.watch.measure import HOUR_MS, Cell, Counts
from handrail.watch.metrics import DEFINITIONS, figure
from handrail.watch.series import Series

METRICS = {
    "transfer": N_("Transfers to a human"),
    "repeat_contact": N_("Repeat contact"),
    "blocked": N_("Answers stopped"),
    "ungrounded": N_("Ungrounded answers"),
}
"""Of the overview: two that customers feel, two of the AI."""
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
    return tuple(
        _figure(metric, label, mine, _learnt(series, use_case, metric), now_h, words)
        for metric, label in METRICS.items()
    )


def _figure(
    metric: str, label: str, mine: Sequence[tuple[Cell, Counts]], past: Series | None, now_h: int, words: Words
) -> Figure:
    steps: list[Counter[str]] = [Counter() for _ in range(STEPS)]
    for cell, counts in mine:
        at = STEPS - 1 - (now_h - 1 - cell.hour) // STEP_H
        if 0 <= at < STEPS:
            steps[at].update(counts)
    week = sum(steps, Counter())
    total = sum(steps[-24 // STEP_H :], Counter())
    said = ""
    shown = figure(_BY_ID[metric], total, week)
    if shown.count is None or not shown.cases:
        shown = figure(_BY_ID[metric], week, week)
        said = words(N_("7 days"))
    if shown.count is None or not shown.cases:
        return Figure(words(N_("Not measured")), missing=shown.missing or words(N_("no case in the last 7 days")))
    share = shown.count / shown.cases
    usual = _usual(past)
    out = usual is not None and share > usual[1]
    text = words.percent(share)
    values = [
        one.count / one.cases
        for one in (figure(_BY_ID[metric], step, week) for step in steps)
        if one.count is not None and one.cases
    ]
    if usual is None:
        place = words(N_("its usual range is not learnt yet"))
    elif out:
        place = words(N_("above the usual range"))
    else:
        place = words(N_("in the usual range"))
    drawn = spark(values, usual, f"{words(label)} {text}, {place}")
    of = words(N_("{count} of {cases}"), count=words.number(shown.count), cases=words.number(shown.cases))
    return Figure(text, said=f"{of} · {said}" if said else of, out=out, spark=drawn)


def _learnt(series: Sequence[Series], use_case: str, metric: str) -> Series | None:
    return next(
        (one for one in series if one.use_case == use_case and one.metric == metric and one.learnt_ms is not None), None
    )


def _usual(past: Series | None) -> tuple[float, float] | None:
    """From nothing to the highest rate that an hour of its own past was held to."""
    if past is None or not past.bounds:
        return None
    return 0.0, max(past.bounds)
