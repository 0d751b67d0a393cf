"""Totals per stage in place of single units: `{"stage": 1, "share": 0.1, "canary": {"units": 960, "complaint": 60},
"control": {"units": 8040, "complaint": 380}}`, one line per stage, binary metrics only. Looked at after each stage."""

import math
from collections.abc import Iterable

import msgspec

from handrail.releases.brought import MISTAKES, Unreadable
from handrail.releases.evidence import Counts, Segment
from handrail.releases.judge import Conclusion, Judge, Plan, Verdict

UNITS = "units"
MOST = 10**12
"""Units of a stage; far beyond, logarithms lose their whole numbers."""


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line. Each arm: `units`, and per metric how many of them went wrong."""

    share: float
    canary: dict[str, int]
    control: dict[str, int]
    stage: int | str = 1

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"`share` is {self.share:g}; expected the canary's probability, between 0 and 1")
        for arm, totals in (("canary", self.canary), ("control", self.control)):
            units = totals.get(UNITS)
            if units is None:
                raise ValueError(f"`{arm}` lacks `units`, how many there were")
            if units > MOST:
                raise ValueError(f"`{arm}.units`: more units than can be counted here ({MOST:,})")
            for name, bad in totals.items():
                if not 0 <= bad <= units:
                    raise ValueError(f"`{arm}.{name}` is {bad}; expected 0 to {units}, the units of the arm")
        if self.canary.keys() != self.control.keys():
            odd = ", ".join(sorted(self.canary.keys() ^ self.control.keys()))
            raise ValueError(f"only one arm has a total of {odd}; give both, 0 where there was none")


def is_totals(first: bytes) -> bool:
    """Whether a first line is a stage's totals; a unit's line has an `arm`."""
    try:
        found = msgspec.json.decode(first)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(found, dict) and "canary" in found and "arm" not in found


def read(lines: Iterable[bytes]) -> list[Stage]:
    """Raises Unreadable."""
    stages: list[Stage] = []
    mistakes: list[str] = []
    seen: set[str] = set()
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        try:
            one = msgspec.json.decode(raw, type=Stage)
            if str(one.stage) in seen:
                raise ValueError(f"stage {one.stage} again; one line for each")
        except (msgspec.DecodeError, ValueError) as error:
            mistakes.append(f"line {number}: {error}")
            continue
        seen.add(str(one.stage))
        stages.append(one)
    if len({frozenset(one.canary) for one in stages}) > 1:
        mistakes.append("the stages have different metrics; give each the same, 0 where nothing went wrong")
    if mistakes or not stages:
        raise Unreadable(mistakes[:MISTAKES] or ["no stage in the input"])
    return stages


def metrics(stages: list[Stage]) -> list[str]:
    return [name for name in stages[0].canary if name != UNITS]


def judge(plan: Plan, stages: list[Stage]) -> Conclusion:
    """No later starts: the order of the units is not known. References that are not declared are learnt from the
    stages before, so the first stage bets on the usual."""
    judged = Judge(msgspec.structs.replace(plan, planned=0))
    for number, stage in enumerate(stages):
        canary, control = stage.canary[UNITS], stage.control[UNITS]
        for name, evidence in judged.evidence.items():
            segment = Segment(0 if evidence.declared is not None else number, 0, str(stage.stage), stage.share)
            evidence.put(
                segment,
                Counts(canary_bad=stage.canary[name], control_bad=stage.control[name], canary=canary, control=control),
            )
        judged.units += canary + control
        if judged.log_e() >= math.log(1 / plan.alpha):
            return judged.told(Verdict.WORSE, judged.units)
    return judged.conclude()
