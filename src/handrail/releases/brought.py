"""Units that a user brings as JSON Lines, one randomised unit each in the order of assignment, or totals per stage.

`{"arm": "canary", "share": 0.1, "stage": 1, "metrics": {"complaint": 0, "handle_time": 0.41}}`; larger is worse, in
[0, 1]; null: no outcome. A line that cannot be read names its number and what to change; nothing is skipped.
"""

import math
from array import array
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from handrail.releases.bets import Kind
from handrail.releases.judge import MISSING
from handrail.releases.percentile import percentile

MISTAKES = 20
"""So many are told at once."""
TOGETHER = 10_000
"""Lines that become columns at a time."""
NAN = float("nan")


class Arm(StrEnum):
    CANARY = "canary"
    CONTROL = "control"


_RIGHT = {
    "`$.arm`": 'expected "canary" or "control"',
    "field `arm`": 'a unit says "canary" or "control"; units and totals cannot stand in one file',
    "`$.metrics[...]`": "each metric is a number from 0 (good) to 1 (bad), or null where nothing came",
    "field `metrics`": 'such as "metrics": {"complaint": 0}',
    "field `share`": 'the canary\'s probability, such as "share": 0.1',
}
"""What stands in a right line, by a piece of the decoder's complaint."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """As written. `unit`: an id; one that comes again is refused, since turns are not units."""

    arm: Arm
    share: float
    metrics: dict[str, float | None]
    stage: int | str = 1
    matured_at: float | str | None = None
    pair: str | int | None = None
    unit: str | int | None = None


class Unreadable(ValueError):
    """`mistakes`: each with its line and what to change."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def _mended(error: Exception) -> str:
    """What is wrong with a line, and what stands there in a right one."""
    if isinstance(error, RecursionError):
        return "nested too deep"
    for wrong, right in _RIGHT.items():
        if wrong in str(error):
            return f"{error}; {right}"
    return str(error)


class Brought:
    """The units read so far, in columns. `caps`: what counts as 1, for metrics with other values than [0, 1]; `pasts`:
    tables of quantiles (`releases.percentile`), for those that are brought as measured and judged by their percentile.
    `outcomes` have nan where there is none."""

    def __init__(
        self,
        caps: dict[str, float],
        as_of: float | None = None,
        pasts: Mapping[str, tuple[float, ...]] = MappingProxyType({}),
    ) -> None:
        self._caps, self._as_of, self._pasts = caps, as_of, pasts
        self.canary = array("b")
        self.place = array("q")
        self.places: dict[tuple[str, float], int] = {}
        self.outcomes: dict[str, array[float]] = {}
        self.pairs: list[str] = []
        self.immature = 0
        self._mistakes: list[str] = []
        self._stages: dict[str, int] = {}
        self._seen: set[str] = set()
        self._place: tuple[int | str, float] | None = None

    def read(self, lines: Iterable[bytes]) -> None:
        """Raises Unreadable with up to `MISTAKES` of them."""
        decode = msgspec.json.Decoder(Line).decode
        taken: list[Line] = []
        for number, raw in enumerate(lines, 1):
            try:
                if raw.strip() and self._counts(line := decode(raw)):
                    taken.append(line)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                self._mistakes.append(f"line {number}: {_mended(error)}")
                if len(self._mistakes) >= MISTAKES:
                    break
            if len(taken) >= TOGETHER:
                self._take(taken)
                taken = []
        self._take(taken)
        if not self._mistakes and not self.canary:
            self._mistakes.append("no unit in the input; expected one JSON object per line")
        if not self._mistakes and self.pairs and len(self.pairs) != len(self.canary):
            self._mistakes.append("some units have `pair` and some do not; give it to all, or to none")
        if self._mistakes:
            raise Unreadable(self._mistakes)

    def _counts(self, line: Line) -> bool:
        """Whether the unit has matured. Raises ValueError for what cannot be meant."""
        if (line.stage, line.share) != self._place:
            self._place = self._new_place(line)
        if line.unit is not None:
            self._once(str(line.unit))
        for name, value in line.metrics.items():
            if value is not None and name not in self._pasts and not 0 <= value <= self._caps.get(name, 1.0):
                self._refuse(name, value)
        if self._as_of is None or line.matured_at is None or instant(line.matured_at) <= self._as_of:
            return True
        self.immature += 1
        return False

    def _new_place(self, line: Line) -> tuple[int | str, float]:
        if not 0 < line.share < 1:
            raise ValueError(f"`share` is {line.share:g}; expected the canary's probability, between 0 and 1")
        stage = str(line.stage)
        at = self._stages.setdefault(stage, len(self._stages))
        if at != len(self._stages) - 1:
            raise ValueError(f"stage {stage} again after another stage; units stand in the order of assignment")
        self.places.setdefault((stage, line.share), len(self.places))
        return line.stage, line.share

    def _once(self, unit: str) -> None:
        if unit in self._seen:
            raise ValueError(
                f"unit {unit} again; what was randomised is counted once (a conversation, not its turns): "
                "1 if any turn failed"
            )
        self._seen.add(unit)

    def _refuse(self, name: str, value: float) -> None:
        if name in self._caps and value >= 0:
            return  # more than what counts as 1 counts as 1
        raise ValueError(
            f"metric {name} is {value:g}; expected 0 (good) to 1 (bad). Say what counts as 1 with "
            f"--cap {name}=VALUE, or bring its past with --percentile {name}=FILE"
        )

    def _take(self, lines: list[Line]) -> None:
        """Into columns."""
        known = len(self.canary)
        self.canary.extend([line.arm is Arm.CANARY for line in lines])
        self.place.extend([self.places[str(line.stage), line.share] for line in lines])
        self.pairs += [str(line.pair) for line in lines if line.pair is not None]
        metrics = [line.metrics for line in lines]
        for name in {name for one in metrics for name in one} - self.outcomes.keys():
            if name.endswith(MISSING):
                self._mistakes.append(
                    f"metric {name}: handrail counts missing outcomes itself; write null where none is"
                )
            self.outcomes[name] = array("d", [NAN]) * known
        for name, column in self.outcomes.items():
            values = [one.get(name) for one in metrics]
            if (past := self._pasts.get(name)) is not None:
                values = [None if value is None else percentile(past, value) for value in values]
            cap = self._caps.get(name)
            if cap is not None:
                values = [None if value is None else min(value / cap, 1.0) for value in values]
            column.extend([NAN if value is None else value for value in values])

    def kinds(self, scores: frozenset[str]) -> dict[str, Kind]:
        """Binary where every outcome is 0 or 1 and nobody said that it is a score."""
        return {
            name: Kind.SCORE
            if name in scores or any(one not in (0.0, 1.0) and one == one for one in column)
            else Kind.BINARY
            for name, column in self.outcomes.items()
        }

    def missing(self) -> frozenset[str]:
        """Metrics that lack an outcome somewhere."""
        return frozenset(name for name, column in self.outcomes.items() if any(map(math.isnan, column)))


def instant(written: float | str) -> float:
    """Seconds since 1970 of a number (milliseconds where it is that large) or a date by ISO 8601. Raises ValueError."""
    from datetime import UTC, datetime

    if isinstance(written, str):
        when = datetime.fromisoformat(written)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return written / 1000 if written > 1e11 else float(written)
