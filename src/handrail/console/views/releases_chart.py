"""The evidence against a canary as a picture: on a log scale over its units, with the line where it goes back; pure.

The scale is cut where nothing is decided any more: what lies below is drawn on the lower edge, and said so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from handrail.console.words import N_, Words
from handrail.releases.curve import Drawing, Point

LEFT, RIGHT, TOP, BOTTOM = 60.0, 630.0, 16.0, 250.0
LOWEST = -3
"""Power of ten below which evidence is not told apart."""
ROWS = 12
"""Of the table that says the same."""
_TENTHS = 10


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """In the units of its SVG. `limit`: height of the line. `last`: where it stands. `end`: where it was decided, None:
    it was not. `rows`: (unit, evidence) of the table."""

    title: str
    said: str
    path: str
    limit: float
    limit_said: str
    ups: tuple[Tick, ...]
    downs: tuple[Tick, ...]
    steps: tuple[Tick, ...]
    last: tuple[float, float]
    last_said: str
    end: bool
    below: bool
    axis: str
    rows: tuple[tuple[str, str], ...]


HIGHEST = 8
"""Power of ten at which the axis ends, unless the limit lies higher: what is more is said to be so."""


def evidence_chart(drawing: Drawing, alpha: float, words: Words, *, name: str, decided: bool, unit: str) -> Chart:
    """`drawing`: with at least one point. `unit`: of the axis, in words."""
    points = drawing.points
    limit = math.log10(1 / alpha)
    logs = [one.log_e / math.log(10) for one in points]
    high = max(limit + 0.4, min(math.ceil(max(logs) * 2) / 2, max(limit, HIGHEST)))
    low = max(LOWEST, min(-1, math.floor(min(logs))))
    most = max(points[-1].unit, 10)

    def x(at: int) -> float:
        return round(LEFT + (RIGHT - LEFT) * at / most, 1)

    def y(log: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (min(max(log, low), high) - low) / (high - low), 1)

    last = (x(points[-1].unit), y(logs[-1]))
    evidence = evidence_said(points[-1].log_e, words)
    return Chart(
        title=words(N_("Evidence that {name} is worse, unit by unit"), name=name),
        said=words(
            N_("After {units} it is {evidence}. It goes back at {limit}: a release that is no worse gets there less "
               "than once in {limit}. The table below holds the same figures."),
            units=unit_count(points[-1].unit, unit, words), evidence=evidence, limit=words.number(round(1 / alpha)),
        ),
        path="M" + " L".join(f"{x(one.unit)} {y(log)}" for one, log in zip(points, logs, strict=True)),
        limit=y(limit), limit_said=words(N_("Goes back at {limit}"), limit=words.number(round(1 / alpha))),
        ups=tuple(Tick(y(power), _power(power, words)) for power in range(low, math.floor(high) + 1)),
        downs=tuple(Tick(x(at), words.number(at)) for at in _round_numbers(most)),
        steps=tuple(Tick(x(one.unit), words.percent(one.share, 0)) for one in drawing.steps), last=last,
        last_said=evidence, end=decided, below=min(logs) < low, axis=unit,
        rows=tuple(
            (words.number(one.unit), evidence_said(one.log_e, words)) for one in _few(points, ROWS)
        ),
    )  # fmt: skip


def evidence_said(log_e: float, words: Words) -> str:
    """A number that a person can compare with the limit."""
    value = math.exp(min(log_e, 700.0))
    if value >= 1e7:
        return words(N_("more than {n}"), n=words.number(10_000_000))
    if value < 10**LOWEST:
        return words(N_("less than {n}"), n=words.number(10**LOWEST, 3))
    return words.number(value, 0 if value >= _TENTHS else 1 if value >= 1 else 3)


def unit_count(n: int, unit: str, words: Words) -> str:
    return f"{words.number(n)} {unit}"


def meter(log_e: float, alpha: float) -> float:
    """How far the way from 1 to 1/alpha is gone, on the scale of the chart: 0 to 1."""
    return round(min(max(log_e / math.log(1 / alpha), 0.0), 1.0), 3)


def _power(power: int, words: Words) -> str:
    return words.number(10**power) if power >= 0 else f"1/{words.number(10**-power)}"


def _round_numbers(most: int) -> list[int]:
    """Four to eight round numbers from 0."""
    step = 10 ** int(math.log10(most))
    for part in (10, 5, 4, 2, 1):
        if step % part == 0 and most // (step // part) >= 4:
            found = step // part
            if most // found <= 8:
                return list(range(0, most + 1, found))
    return [0, most // 2, most]


def _few(points: Sequence[Point], many: int) -> list[Point]:
    """So many of them, with the last."""
    if len(points) <= many:
        return list(points)
    places = {round(at * (len(points) - 1) / (many - 1)) for at in range(many)}
    return [points[at] for at in sorted(places)]
