"""One rate over time as a picture: the line, its usual range as a band that follows the hours of the week, what lies
outside; and the evidence of the drift detector on its way to the alarm. Pure; in the units of their SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_skeleton

from handrail.console.views.measured import WORDS
from handrail.console.views.watch_rates import Window
from handrail.console.words import N_, Words
from handrail.watch.measure import HOUR_MS, MATURITY_MS
from handrail.watch.usual import Place, Rate, place

LEFT, RIGHT, TOP, BOTTOM = 50.0, 790.0, 14.0, 210.0
SCALE = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
"""Steps of the upright axis; the smallest that makes no more than five lines."""

_Along = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """`said`: shown when a pointer rests on it."""

    x: float
    y: float
    out: bool
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`lines`: paths, one for each stretch in which something was counted. `band`: path of the usual range, empty:
    it is not learnt. `young`: where the 48 hours are not over, None: that does not matter here. `rows`: the same as a
    table: when, share, of how many, usual, place."""

    title: str
    said: str
    lines: tuple[str, ...]
    band: str
    dots: tuple[Dot, ...]
    ups: tuple[Tick, ...]
    downs: tuple[Tick, ...]
    young: float | None
    rows: tuple[tuple[str, str, str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """On a scale of powers of ten, in the units of its SVG. `at`: where it stands; `limit`: where it alarms."""

    label: str
    at: float
    limit: float
    ticks: tuple[Tick, ...]
    over: bool


def chart(
    name: str, rates: Sequence[Rate], tops: Sequence[float | None], when: Window, words: Words, *, customers: bool
) -> Chart:
    """`rates`, `tops`: by step of the window. `customers`: counted once 48 hours are over."""
    steps = when.steps
    highest = max([0.001, *(one.share for one in rates), *(top for top in tops if top is not None)])
    step = next((one for one in SCALE if highest / one <= 4.6), 0.5)
    most = step * math.ceil(highest * 1.04 / step)
    wide = (RIGHT - LEFT) / len(steps)

    def x(at: float) -> float:
        return round(LEFT + wide * at, 1)

    def y(share: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * min(share, most) / most, 1)

    dots = tuple(
        Dot(x(at + 0.5), y(one.share), place(one, top) is Place.ABOVE, _told(steps[at], one, words))
        for at, (one, top) in enumerate(zip(rates, tops, strict=True)) if one.cases
    )  # fmt: skip
    out = sum(dot.out for dot in dots)
    digits = 0 if step >= 0.01 else 1 if step >= 0.001 else 2
    young = words.now_ms // HOUR_MS - MATURITY_MS // HOUR_MS
    return Chart(
        title=words(N_("{name}, over time"), name=name),
        said=words.plural(
            "{n} step lies above the usual range. The table below holds the same figures.",
            "{n} steps lie above the usual range. The table below holds the same figures.", out,
        ),
        lines=tuple(_lines(rates, x, y)), band=_band(tops, x, y), dots=dots,
        ups=tuple(Tick(y(step * at), words.percent(step * at, digits)) for at in range(round(most / step) + 1)),
        downs=tuple(_downs(when, words, x)),
        young=x(max(young - when.since, 0) / when.step) if customers and young < when.until else None,
        rows=tuple(
            (
                _when(steps[at], words), words.percent(one.share) if one.cases else "–",
                words(N_("{count} of {cases}"), count=words.number(one.bad), cases=words.number(one.cases)),
                words.percent(top) if top is not None else "–", words(WORDS[place(one, top)]) if one.cases else "",
            )
            for at, (one, top) in enumerate(zip(rates, tops, strict=True))
        )[::-1],
    )  # fmt: skip


def evidence(value: float, wanted: int, words: Words) -> Evidence:
    """0 stands at the very beginning, `wanted` at the alarm line."""
    most = math.log10(max(wanted, 10))
    wide = 520.0

    def x(amount: float) -> float:
        return round(10 + wide * min(math.log10(max(amount, 1.0)) / most, 1.0), 1)

    return Evidence(
        label=words(
            N_("Evidence {value}, the alarm is at {wanted}"), value=amount_said(value, words),
            wanted=words.number(wanted),
        ),
        at=x(value), limit=x(wanted), over=value >= wanted,
        ticks=tuple(Tick(x(10**power), words.number(10**power)) for power in range(int(most) + (most > int(most)))),
    )  # fmt: skip


def share_of_way(value: float, wanted: int) -> float:
    """How far it is to the alarm, on the scale of powers of ten: 0 to 1."""
    return round(min(math.log10(max(value, 1.0)) / math.log10(max(wanted, 10)), 1.0), 3)


def amount_said(value: float, words: Words) -> str:
    if value >= 1e7:
        return words(N_("more than {n}"), n=words.number(10_000_000))
    return words.number(value, 0 if value >= 10 else 1)


def _lines(rates: Sequence[Rate], x: _Along, y: _Along) -> list[str]:
    found: list[list[str]] = []
    before = False
    for at, one in enumerate(rates):
        if one.cases:
            if not before:
                found.append([])
            found[-1].append(f"{x(at + 0.5)} {y(one.share)}")
        before = bool(one.cases)
    return ["M" + " L".join(each) for each in found if len(each) > 1]


def _band(tops: Sequence[float | None], x: _Along, y: _Along) -> str:
    """Stairs: each step has its own top."""
    path = ""
    for at, top in enumerate(tops):
        if top is not None:
            path += f"M{x(at)} {BOTTOM}V{y(top)}H{x(at + 1)}V{BOTTOM}Z"
    return path


def _downs(when: Window, words: Words, x: _Along) -> list[Tick]:
    """Days, or hours of the day where the window is one; not more than eight."""
    hours = [hour for hour in range(when.since, when.until) if _at(hour, words).hour == 0]
    if when.name == "24h":
        hours = [hour for hour in range(when.since, when.until) if _at(hour, words).hour % 4 == 0]
    every = max(1, math.ceil(len(hours) / 8))
    ticks = [Tick(x((hour - when.since) / when.step), _day(hour, words, when)) for hour in hours[::every]]
    return [one for one in ticks if one.at < RIGHT - 40]


def _day(hour: int, words: Words, when: Window) -> str:
    if when.name == "24h":
        return words.time(hour * HOUR_MS)
    return str(format_skeleton("MMMd", _at(hour, words), locale=words.locale))


def _at(hour: int, words: Words) -> datetime:
    return datetime.fromtimestamp(hour * HOUR_MS / 1000, words.zone)


def _when(step: range, words: Words) -> str:
    """When a step began."""
    return words.moment(step.start * HOUR_MS)


def _told(step: range, one: Rate, words: Words) -> str:
    return words(
        N_("{when}: {share}, {count} of {cases}"), when=_when(step, words), share=words.percent(one.share),
        count=words.number(one.bad), cases=words.number(one.cases),
    )  # fmt: skip
