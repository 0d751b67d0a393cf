"""Cells of the watch as rates over time: merged by hour, beside the past of their hours, and drawn small; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from handrail.console.views.charts import Spark, spark
from handrail.console.views.measured import WORDS
from handrail.console.views.watch_words import METRICS
from handrail.console.words import N_, Words
from handrail.policy.watching import Watched
from handrail.review.outcome import OutcomeType
from handrail.watch.measure import HOUR_MS, SIZES, Cell, Counts
from handrail.watch.metrics import Side
from handrail.watch.series import LEAST_CASES, LEAST_MS, SILENT, Series
from handrail.watch.usual import Place, Rate, held_at, held_to, place, rate_of

MOST_CELLS = 20_000
PERIODS = {
    "24h": (24, 1, N_("Last 24 hours")), "7d": (168, 6, N_("Last 7 days")), "30d": (720, 24, N_("Last 30 days")),
}  # fmt: skip
"""Hours, hours of a step of a line, words. The names are those of the list of interactions."""
PERIOD = "7d"
LEARNT = frozenset(Watched) - {Watched.INTENTS, Watched.INPUT}
"""Figures that the detector compares with their own past."""
NONE = Rate(0, 0)
_TOLD = tuple(f"told.{kind.value}" for kind in OutcomeType)
Hours = Mapping[int, Counts]
"""Counts by hour since 1970."""
Known = Mapping[tuple[str, str], Series]
"""By use case and metric."""


@dataclass(frozen=True, slots=True)
class Window:
    """`since`, `until`: hours since 1970, the second exclusive. `cut`: the beginning that was asked for, where not all
    of it was read."""

    since: int
    until: int
    step: int
    name: str
    cut: bool = False

    @property
    def steps(self) -> list[range]:
        """Of a line, oldest first; the last one ends now."""
        return [range(max(end - self.step, self.since), end) for end in range(self.until, self.since, -self.step)][::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One rate beside its own past. `missing`: why there is none. `usual`: what it is held to, in words, or how far
    learning is; `place` and `word`: where it stands; `top`: the highest usual rate."""

    metric: str
    label: str
    text: str
    of: str = ""
    missing: str = ""
    usual: str = ""
    place: Place = Place.UNKNOWN
    word: str = ""
    rate: Rate = NONE
    top: float | None = None
    spark: Spark | None = None

    @property
    def out(self) -> bool:
        return self.place is Place.ABOVE


def window(period: str, now_ms: int) -> Window:
    """`period`: of `PERIODS`; another is the usual one."""
    name = period if period in PERIODS else PERIOD
    hours, step, _ = PERIODS[name]
    until = now_ms // HOUR_MS + 1
    return Window(until - hours, until, step, name)


def within(asked: Window, cells: Sequence[tuple[Cell, Counts]]) -> tuple[Window, list[tuple[Cell, Counts]]]:
    """The whole hours that were read. `cells`: the newest hours first, at most `MOST_CELLS`."""
    if len(cells) < MOST_CELLS:
        return asked, list(cells)
    oldest = cells[-1][0].hour + 1  # the last hour may be there in part
    since = min(oldest, asked.until - 1)
    return Window(since, asked.until, asked.step, asked.name, cut=True), [one for one in cells if one[0].hour >= since]


def by_hour(cells: Iterable[tuple[Cell, Counts]], names: frozenset[str] | None = None) -> dict[int, Counts]:
    """Merged. `names`: counts that are wanted; None: all."""
    found: dict[int, Counts] = {}
    for cell, counts in cells:
        here = found.setdefault(cell.hour, Counts())
        if names is None:
            here.update(counts)
        else:
            for name in names:
                if name in counts:
                    here[name] += counts[name]
    return found


def by_size(hours: Hours) -> dict[str, dict[int, Counts]]:
    """The bands of each amount apart, so that each is gone through once."""
    found: dict[str, dict[int, Counts]] = {name: {} for name in SIZES}
    for hour, counts in hours.items():
        here = {name: Counts() for name in SIZES}
        for key, count in counts.items():
            name = key.partition("/")[0]
            if name in here and name != key:
                here[name][key] = count
        for name, bands in here.items():
            if bands:
                found[name][hour] = bands
    return found


def told_in(cells: Iterable[tuple[Cell, Counts]]) -> Counts:
    """Which events were reported at all: of a use case as a whole, so that a part without a report has zero."""
    total = Counts()
    for _, counts in cells:
        for name in _TOLD:
            if name in counts:
                total[name] += counts[name]
    return total


def shown(metric: str, hours: Hours, told: Counts, past: Series | None, when: Window, words: Words) -> Shown:
    """`told`: of the whole use case. `past`: of it too: parts have no past of their own."""
    named = METRICS[metric]
    label = words(named.name)
    if named.needs is not None and not told[f"told.{named.needs.value}"]:
        return Shown(metric=metric, label=label, text=words(N_("Not measured")), missing=_why_not(metric, when, words))
    limit = past.limit if past is not None else None
    rates = {hour: rate_of(metric, counts, limit) for hour, counts in hours.items()}
    whole = Rate(sum(one.bad for one in rates.values()), sum(one.cases for one in rates.values()))
    if metric in SIZES and limit is None:
        return Shown(
            metric=metric, label=label, text="–", usual=learning(past, metric, words), rate=whole,
            missing=words(N_("how much is usual is being learnt")),
        )  # fmt: skip
    if not whole.cases:
        return Shown(metric=metric, label=label, text=words(N_("Not measured")), missing=_why_not(metric, when, words))
    top = held_to(past, {hour: one.cases for hour, one in rates.items()})
    stands = place(whole, top)
    text = words.percent(whole.share)
    word = WORDS[stands]
    return Shown(
        metric=metric, label=label, text=text, rate=whole, top=top, place=stands, word=words(word),
        of=words(N_("{count} of {cases}"), count=words.number(whole.bad), cases=words.number(whole.cases)),
        usual=words(N_("usually up to {share}"), share=words.percent(top)) if top is not None
        else learning(past, metric, words),
        spark=_line(rates, past, when, f"{label} {text}, {words(word)}"),
    )  # fmt: skip


def rates_by_step(rates: Mapping[int, Rate], when: Window) -> list[Rate]:
    """Of each step, oldest first."""
    found = []
    for step in when.steps:
        mine = [rates[hour] for hour in step if hour in rates]
        found.append(Rate(sum(one.bad for one in mine), sum(one.cases for one in mine)))
    return found


def tops_by_step(rates: Mapping[int, Rate], past: Series | None, when: Window) -> list[float | None]:
    """What each step is held to: by its cases, and where there were none by its hours."""
    found = []
    for step in when.steps:
        cases = {hour: rates[hour].cases for hour in step if hour in rates and rates[hour].cases}
        found.append(held_to(past, cases) if cases else held_at(past, step))
    return found


def learning(past: Series | None, metric: str, words: Words) -> str:
    """How far learning is."""
    if past is None or past.first_ms is None:
        if metric in SILENT:
            return words(N_("learns from the first report on"))
        return words(N_("learns from its first case on")) if metric in LEARNT else words(N_("has no usual range"))
    cases, days = sum(past.cases), max(words.now_ms - past.first_ms, 0)
    if cases < LEAST_CASES:
        return words(
            N_("learns: {n} of {most} cases"), n=words.number(cases), most=words.number(LEAST_CASES)
        )  # fmt: skip
    return words(N_("learns for {time} more"), time=words.lasting(max(LEAST_MS - days, 0)))


def _why_not(metric: str, when: Window, words: Words) -> str:
    if METRICS[metric].side is Side.AI:
        return words(N_("nothing of it came in this time"))
    if when.name == "24h":
        return words(N_("counted once 48 hours are over"))
    if METRICS[metric].needs is not None:
        return words(N_("nobody reported it, or not 48 hours ago"))
    return words(N_("no conversation is 48 hours old yet"))


def _line(rates: Mapping[int, Rate], past: Series | None, when: Window, label: str) -> Spark | None:
    drawn = zip(rates_by_step(rates, when), tops_by_step(rates, past, when), strict=True)
    steps = [(one, top) for one, top in drawn if one.cases]
    tops = [top for _, top in steps if top is not None]
    return spark(
        [one.share for one, _ in steps], (0.0, sum(tops) / len(tops)) if tops else None, label,
        outside=[place(one, top) is Place.ABOVE for one, top in steps],
    )  # fmt: skip
