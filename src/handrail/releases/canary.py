"""The judge of one rollout while it runs: folds matured units in the order of assignment and says what follows.

Its state is nothing but the units that were folded, so a process that starts in the middle gets to the same numbers,
and `handrail judge` on the exported units to the same verdict. Pure but for its own counts: it reads no clock.
"""

import math

import msgspec

from handrail.ledger.entry import EntryKind
from handrail.policy.ramp import Advance, Ramp, UnitKind
from handrail.releases.desk import Step
from handrail.releases.judge import Conclusion, Judge, Unit, Verdict
from handrail.releases.lifecycle import Reached, Rollout
from handrail.releases.sentence import sentence
from handrail.releases.unit import UnitRow
from handrail.releases.units import Arrivals, measured, plan_of

LATE_MS = 2_000
"""After a unit has matured it is waited for so long, so that one of an earlier stage, drawn by a process that had not
seen the next one yet, is there before its stage is closed."""
COMPARED = frozenset({"canary", "control"})


class Canary:
    """Mutable; one owner. `folded`: how many units have a number. `stage_units`: of the rollout's step, by number."""

    def __init__(self, rollout: Rollout) -> None:
        assert rollout.ramp is not None  # it was started
        self.release, self.run = rollout.release, rollout.run
        self.ramp: Ramp = rollout.ramp
        self.judge = Judge(plan_of(self.ramp))
        self.folded = 0
        self.step_units: dict[int, int] = {}
        self._last_step = 0
        self._arrived = Arrivals(self.ramp)

    def restore(self, units: list[UnitRow]) -> None:
        """Units that were folded before, by number."""
        for unit in units:
            self._take(unit)

    def mature(self, waiting: list[UnitRow], now_ms: int) -> list[UnitRow]:
        """Which of those that wait (by stage and ordinal) have matured, with what they will be stored with. Ends at the
        first that has not, and with the unit that shows the release to be worse."""
        done: list[UnitRow] = []
        for unit in waiting:
            if self.judge.decided or now_ms < unit.assigned_at + self.ramp.maturity_minutes * 60_000 + LATE_MS:
                break
            late = unit.stage < self._last_step or unit.arm not in COMPARED
            ready = msgspec.structs.replace(
                unit,
                metrics=measured(self.ramp.metrics, unit.signals),
                matured_at=now_ms,
                folded=0 if late else self.folded + 1,
            )
            if not late:
                self._take(ready)
            done.append(ready)
        return done

    def _take(self, unit: UnitRow) -> None:
        metrics = unit.metrics or {}
        canary = unit.arm == "canary"
        self.judge.fold(Unit(canary=canary, share=unit.share, stage=str(unit.stage), metrics=metrics))
        self.folded += 1
        self._last_step = unit.stage
        self.step_units[unit.stage] = self.step_units.get(unit.stage, 0) + 1
        self._arrived.add(unit, metrics)

    def arrived(self, reported: list[UnitRow]) -> float:
        """Logarithm of the evidence from failures as they are reported, with those of units that have not matured."""
        seen = [(one, measured(self.ramp.metrics, one.signals)) for one in reported if one.arm in COMPARED]
        for unit, metrics in seen:
            self._arrived.add(unit, metrics)
        try:
            return self._arrived.log_e()
        finally:
            for unit, metrics in seen:
                self._arrived.add(unit, metrics, -1)

    def next(self, rollout: Rollout, now_ms: int, arrived: float = 0.0) -> Step | None:
        """What follows from what was folded; None: nothing. The release's own unit that shows it to be worse counts as
        soon as it is folded, whatever else is the case."""
        if self.judge.decided:
            told = self.judge.conclude()
            return Step(kind=EntryKind.RELEASE_ROLLED_BACK, reached=self.reached(told, now_ms, "It was rolled back."))
        if rollout.frozen:
            return None
        if self.judge.share_check.wrong_at is not None:
            why = f"the draw did not give canaries as often as it says (seen at unit {self.judge.share_check.wrong_at})"
            return Step(kind=EntryKind.RELEASE_FROZEN, why=why)
        if arrived >= math.log(1 / self.ramp.alpha) and not rollout.asked:
            why = "failures are reported more often of the canary, before its units are complete"
            return Step(kind=EntryKind.RELEASE_FROZEN, why=why)
        return self._further(rollout, now_ms)

    def _further(self, rollout: Rollout, now_ms: int) -> Step | None:
        stage = self.ramp.stages[rollout.stage]
        units = self.step_units.get(rollout.step, 0)
        ready = units >= stage.least_units and now_ms >= rollout.stage_at + stage.least_minutes * 60_000
        last = rollout.stage + 1 >= len(self.ramp.stages)
        if stage.pilot and ready and not last:
            return Step(kind=EntryKind.RELEASE_ADVANCED)
        if not ready:
            return self._over(rollout, now_ms)
        if not last and self.ramp.advance is Advance.NOT_WORSE and units > 0:
            return Step(kind=EntryKind.RELEASE_ADVANCED)
        told = self.judge.conclude()
        if told.verdict not in (Verdict.SAFE, Verdict.BETTER):
            return self._over(rollout, now_ms)
        if not last:
            return Step(kind=EntryKind.RELEASE_ADVANCED)
        if self.ramp.promote:
            return Step(kind=EntryKind.RELEASE_PROMOTED, reached=self.reached(told, now_ms, ""))
        if rollout.asked:
            return None
        return Step(
            kind=EntryKind.RELEASE_ASKED, why="safe after its last stage: promote it or roll it back",
            reached=self.reached(told, now_ms, ""),
        )  # fmt: skip

    def _over(self, rollout: Rollout, now_ms: int) -> Step | None:
        """Undecided at the end of its planned life: held, and its owner is asked."""
        if not self.ramp.planned_units or self.folded < self.ramp.planned_units or rollout.asked:
            return None
        why = "undecided at the end of its planned life: look at what is nearest, then promote it or roll it back"
        return Step(kind=EntryKind.RELEASE_FROZEN, why=why)

    @property
    def counted(self) -> str:
        """What a unit is called in sentences."""
        return "conversation" if self.ramp.unit is UnitKind.CONVERSATION else "customer"

    def reached(self, told: Conclusion, now_ms: int, done: str) -> Reached:
        return Reached(
            verdict=told.verdict.value, sentence=sentence(told, unit=self.counted, done=done), at_ms=now_ms,
            numbers=msgspec.json.encode(told),
        )  # fmt: skip
