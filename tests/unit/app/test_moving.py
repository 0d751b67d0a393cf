"""Evidence of a release on its page: folded beside it, never waited for long, and the same however it was folded."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from handrail.app.moving import SLICE, Moves
from handrail.policy.ramp import Outcome, Ramp, RampMetric, Stage
from handrail.releases.canary import Canary
from handrail.releases.curve import Curve, without_units
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.unit import UnitRow
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId

RAMP = Ramp(stages=(Stage(share=0.3),), metrics=(RampMetric(name=Outcome.COMPLAINT, reference=0.05),))
CANARY = Rollout(
    release=Digest("a" * 64), use_case=UseCaseId("orders"), author="pe_9", created_at=0, state=State.CANARY, ramp=RAMP,
    run=1, stage=0, step=1, stage_at=1, control=Digest("b" * 64),
)  # fmt: skip


def units(many: int, *, bad: float = 0.05) -> list[UnitRow]:
    draw = random.Random(3)
    found = []
    for at in range(1, many + 1):
        canary = draw.random() < 0.3
        found.append(
            UnitRow(
                use_case="orders", of=CANARY.release, run=1, unit=f"u{at}", arm="canary" if canary else "control",
                share=0.3, stage=1, ordinal=at, assigned_at=at, conversations=(f"c{at}",), signals={}, folded=at,
                matured_at=at, metrics={"complaint": float(draw.random() < (bad if canary else 0.05))},
            )
        )  # fmt: skip
    return found


class Kept:
    """`store.units`: answers while `gate` is open; `largest`: rows ever asked for at once."""

    def __init__(self, rows: list[UnitRow]) -> None:
        self.rows = rows
        self.gate = asyncio.Event()
        self.gate.set()
        self.passes = -1  # answers left; negative: any number
        self.largest = 0
        self.fails = False

    async def folded(self, rollout: Rollout, *, after: int = 0, limit: int = 10_000) -> list[UnitRow]:
        if self.fails:
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, "the database does not answer")
        if self.passes == 0:
            self.gate.clear()
        self.passes -= 1
        await self.gate.wait()
        self.largest = max(self.largest, limit)
        return self.rows[after : after + limit]


class Standing:
    """A clock that stands."""

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0


def over(kept: Kept, *, moment_s: float = 30.0) -> Moves:
    unused: Any = None
    store: Any = SimpleNamespace(units=kept)
    return Moves(store, unused, unused, Standing(), moment_s=moment_s)


def whole(rows: list[UnitRow]) -> Any:
    curve = Curve(CANARY)
    curve.fold(rows)
    return curve.drawing()


async def settled(moves: Moves, rollout: Rollout = CANARY) -> Any:
    while not (found := await moves.drawing(rollout)).complete:
        await asyncio.sleep(0)
    return found


@pytest.mark.promise("CON-REL-11")
def test_a_page_is_answered_at_once_while_units_are_folded_and_the_whole_follows() -> None:
    async def body() -> None:
        kept = Kept(units(3 * SLICE))
        kept.passes = 2
        moves = over(kept, moment_s=0.0)
        found = await moves.drawing(CANARY)
        assert (found.complete, found.points, found.told) == (False, (), None)
        while (found := await moves.drawing(CANARY)).units < 2 * SLICE:
            await asyncio.sleep(0)
        assert (found.complete, found.points, found.told) == (False, (), None), "no figure of a part"
        kept.passes = -1
        kept.gate.set()
        assert await settled(moves) == whole(kept.rows)
        assert kept.largest <= SLICE

    asyncio.run(body())


def test_who_waits_a_moment_gets_the_whole_with_what_came_since() -> None:
    async def body() -> None:
        kept = Kept(units(2 * SLICE))
        every, kept.rows = kept.rows, kept.rows[: SLICE + 7]
        moves = over(kept)
        assert await moves.drawing(CANARY) == whole(kept.rows)
        kept.rows = every
        first, second = await asyncio.gather(moves.drawing(CANARY), moves.drawing(CANARY))
        assert first == second == whole(every)

    asyncio.run(body())


@pytest.mark.promise("CON-REL-11")
def test_a_later_page_shows_the_drawing_of_a_moment_ago_when_new_units_take_long() -> None:
    async def body() -> None:
        kept = Kept(units(SLICE))
        moves = over(kept, moment_s=0.0)
        before = await settled(moves)
        kept.gate.clear()
        kept.rows = kept.rows + kept.rows[:5]
        assert await moves.drawing(CANARY) is before
        kept.gate.set()
        while (after := await moves.drawing(CANARY)) is before:
            await asyncio.sleep(0)
        assert after.units == SLICE + 5

    asyncio.run(body())


def test_one_that_was_decided_has_its_stored_verdict_at_once_and_no_older_drawing() -> None:
    async def body() -> None:
        rows = units(900, bad=0.5)
        canary = Canary(CANARY)
        for row in rows:
            if not canary.judge.decided:
                canary.restore([row])
        reached = canary.reached(canary.judge.conclude(), 1, "")
        decided = msgspec.structs.replace(CANARY, state=State.ROLLED_BACK, reached=reached)
        kept = Kept(rows[: canary.judge.units])
        moves = over(kept, moment_s=0.0)
        every, kept.rows = kept.rows, kept.rows[:-1]
        await settled(moves)
        kept.gate.clear()
        kept.rows = every
        found = await moves.drawing(decided)
        assert (found.complete, found.kept, found.points) == (False, True, ())
        assert (found.told, found.words) == (without_units(decided).told, without_units(decided).words)
        kept.gate.set()
        assert (await settled(moves, decided)).told == found.told

    asyncio.run(body())


def test_what_cannot_be_read_is_an_error_and_is_read_again_the_next_time() -> None:
    async def body() -> None:
        kept = Kept(units(10))
        kept.fails = True
        moves = over(kept)
        with pytest.raises(HandrailError):
            await moves.drawing(CANARY)
        kept.fails = False
        assert (await moves.drawing(CANARY)).units == 10

    asyncio.run(body())
