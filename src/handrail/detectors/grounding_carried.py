"""Whether a context states a quantity, in whatever measure or format the answer puts it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from handrail.detectors.grounding_quantities import Quantity, ordinals
from handrail.detectors.grounding_words import Token

_FACTORS: Final = {"second": (1, 60, 3600, 86400, 604800), "month": (1, 12)}
"""Units in which a number that stands without its unit (`"days": 14`) may be meant."""
_HALF_DAY: Final = 720


@dataclass(frozen=True, slots=True)
class Held:
    """Every value that a context states. `measured`: by kind of measure; `amounts`: by currency; `dates`: (year or 0,
    month, day or 0), each also without its year or day; `partial`: those written without; `weekdays`: Monday 0, also
    those that full dates fall on; `times`: minutes of the day; `twelve_hours`: none of them after
    noon, so the context may count to twelve twice."""

    numbers: frozenset[object]
    measured: dict[str, frozenset[object]]
    amounts: dict[str, frozenset[object]]
    dates: frozenset[tuple[int, int, int]]
    partial: frozenset[tuple[int, int, int]]
    weekdays: frozenset[object]
    times: frozenset[object]
    twelve_hours: bool


def hold(found: Sequence[Quantity], words: Sequence[Token], language: str) -> Held:
    """The values of all quantities found in a context; `words` add the bare numbers inside dates, codes and times."""
    by_kind: dict[str, set[object]] = {}
    amounts: dict[str, set[object]] = {}
    for q in found:
        by_kind.setdefault(q.kind, set()).update(q.values)
        if q.kind == "amount":
            amounts.setdefault(q.unit, set()).update(q.values)
    dates = {v for v in by_kind.pop("date", set()) if isinstance(v, tuple)}
    weekdays = by_kind.pop("weekday", set())
    times = by_kind.pop("time", set())
    numbers: set[object] = set().union(*by_kind.values())
    numbers.update(float(each) for v in dates for each in v if each)
    numbers.update(float(t.word) for t in words if t.word.isdecimal() and len(t.word) < 19)
    ordinal = ordinals(language)
    numbers.update(ordinal[t.word] for t in words if t.word in ordinal)
    by_kind.pop("amount", None)
    return Held(
        numbers=frozenset(numbers),
        measured={kind: frozenset(values) for kind, values in by_kind.items()},
        amounts={unit: frozenset(values) for unit, values in amounts.items()},
        dates=frozenset(each for y, m, d in dates for each in ((y, m, d), (0, m, d), (y, m, 0), (0, m, 0))),
        partial=frozenset(v for v in dates if not all(v)),
        weekdays=frozenset(weekdays | {d for v in dates if (d := _weekday(v)) is not None}),
        times=frozenset(times),
        twelve_hours=not any(isinstance(t, int) and t > _HALF_DAY + 59 for t in times),
    )


def carried(quantity: Quantity, held: Held) -> bool:
    """Whether one of the readings of `quantity` is among the values held."""
    match quantity.kind:
        case "date":
            return any(_date_held(v, held) for v in quantity.values)
        case "weekday":
            return not held.weekdays.isdisjoint(quantity.values)
        case "time":
            return any(_time_held(v, held) for v in quantity.values)
        case "amount":
            return _amount_held(quantity, held)
        case "number":
            return not held.numbers.isdisjoint(quantity.values)
    same = held.measured.get(quantity.kind)
    if same is not None and not same.isdisjoint(quantity.values):
        return True
    bare = held.measured.get("number", frozenset())
    factors = _FACTORS.get(quantity.kind, (1,))
    return any(isinstance(v, float) and v / f in bare for v in quantity.values for f in factors)


def _amount_held(quantity: Quantity, held: Held) -> bool:
    """In the same currency, or as a number without one; an amount of another currency alone does not carry it."""
    same = held.amounts.get(quantity.unit)
    if same is not None and not same.isdisjoint(quantity.values):
        return True
    return not held.measured.get("number", frozenset()).isdisjoint(quantity.values)


def _date_held(value: object, held: Held) -> bool:
    """A date without year or day fits every date that agrees in the rest."""
    if not isinstance(value, tuple):
        return False
    year, month, day = value
    return value in held.dates or not held.partial.isdisjoint(((0, month, day), (year, month, 0), (0, month, 0)))


def _time_held(value: object, held: Held) -> bool:
    """Also `2:00` for `14:00`, `2 pm` where the context counts twelve hours, and a full hour as a bare number."""
    if not isinstance(value, int):
        return False
    if value in held.times or (value <= _HALF_DAY and value + _HALF_DAY in held.times):
        return True
    if held.twelve_hours and value - _HALF_DAY in held.times:
        return True
    hour, minute = divmod(value, 60)
    return minute == 0 and not held.numbers.isdisjoint(
        (float(hour), float(hour % 12)) if held.twelve_hours else (float(hour),)
    )


def _weekday(value: tuple[int, int, int]) -> int | None:
    if not all(value):
        return None
    try:
        return date(*value).weekday()
    except ValueError:
        return None
