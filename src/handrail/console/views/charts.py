"""Geometry of small charts, in the units of their SVG; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, EDGE = 84.0, 28.0, 4.0


@dataclass(frozen=True, slots=True)
class Spark:
    """`band`: top and height of the usual range. `points`: x, y, and whether it lies outside: the last, and all that
    do. `label`: what the picture says, in words."""

    path: str
    band: tuple[float, float] | None
    points: tuple[tuple[float, float, bool], ...]
    label: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as it is shown. `out`: outside its usual range. `missing`: why there is none."""

    text: str
    said: str = ""
    out: bool = False
    spark: Spark | None = None
    missing: str = ""


def spark(
    values: Sequence[float], usual: tuple[float, float] | None, label: str, *, outside: Sequence[bool] | None = None
) -> Spark | None:
    """A line from left to right. `usual`: lowest and highest usual value. `outside`: which values are marked; None: all
    beside the range. None for fewer than two values."""
    if len(values) < 2:
        return None
    most = max([*values, usual[1] if usual else 0.0])
    least = min([*values, usual[0] if usual else most])
    span = (most - least) or 1.0
    step = (WIDTH - 8) / (len(values) - 1)

    def y(value: float) -> float:
        return round(HEIGHT - EDGE - (value - least) / span * (HEIGHT - 2 * EDGE), 1)

    places = [(round(2 + at * step, 1), y(value)) for at, value in enumerate(values)]
    if outside is None:
        outside = [usual is not None and not usual[0] <= value <= usual[1] for value in values]
    path = "M" + " L".join(f"{x} {height}" for x, height in places)
    last = len(values) - 1
    points = tuple(
        (*place, out) for at, (place, out) in enumerate(zip(places, outside, strict=True)) if out or at == last
    )
    band = (y(usual[1]), round(max(y(usual[0]) - y(usual[1]), 1.0), 1)) if usual else None
    return Spark(path=path, band=band, points=points, label=label)
