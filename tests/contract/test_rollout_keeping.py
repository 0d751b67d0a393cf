"""The end of keeping of units, on both engines: after their time and never before; the verdict stays checkable."""

import json
import random
from typing import Any

import msgspec
import pytest
from fakes.gateway import use_case
from fakes.storage import IDS, ORDERS, Rig, begin

from handrail.app.forgetting import forget_units
from handrail.policy.ramp import Outcome, Ramp, RampMetric, Stage
from handrail.policy.ruleset import Retention
from handrail.releases.assign import Arm, Drawn
from handrail.releases.canary import LATE_MS, Canary
from handrail.releases.judge import Conclusion, again
from handrail.releases.keeping import DAY_MS, ForgetUnits, over
from handrail.releases.lifecycle import Reached, Rollout, State
from handrail.releases.unit import UnitRow
from handrail.releases.units import plan_of
from handrail.terms.ids import Digest

RAMP = Ramp(
    stages=(Stage(share=0.5),), maturity_minutes=1, planned_units=600, keep_units_days=100,
    metrics=(RampMetric(name=Outcome.COMPLAINT), RampMetric(name=Outcome.CSAT, weight=0.5)),
)  # fmt: skip
RUN = Rollout(
    release=Digest("a" * 64), use_case=ORDERS, author="x", created_at=0, state=State.CANARY, ramp=RAMP,
    salt=b"s" * 16, run=1, control=Digest("b" * 64), stage=0, step=1,
)  # fmt: skip


def reached(seed: int) -> tuple[Reached, Conclusion]:
    """A verdict of worse with its numbers, over later starts, learnt references and a score."""
    draw, canary = random.Random(seed), Canary(RUN)
    for number in range(1, 600):
        arm = Arm.CANARY if draw.random() < 0.5 else Arm.CONTROL
        bad = draw.random() < (0.1 if arm is Arm.CONTROL or number < 150 else 0.5)
        signals = {"csat": (1, draw.random())} | ({"complaint": (1, 1.0)} if bad else {})
        unit = UnitRow(
            use_case="orders", of=RUN.release, run=1, unit=f"cv_{number}", arm=arm.value, share=0.5, stage=1,
            ordinal=number, assigned_at=0, conversations=(f"cv_{number}",), signals=signals,
        )  # fmt: skip
        canary.mature([unit], 60_000 + LATE_MS)
        if canary.judge.decided:
            break
    told = canary.judge.conclude()
    assert told.decided_at is not None
    return canary.reached(told, 0, ""), told


@pytest.mark.promise("ROL-20")
@pytest.mark.parametrize("seed", range(4))
def test_the_totals_of_a_verdict_give_its_evidence_again_to_the_last_bit_and_other_totals_do_not(seed: int) -> None:
    kept, told = reached(seed)
    read = msgspec.json.decode(kept.numbers, type=Conclusion)
    assert read == told
    assert again(plan_of(RAMP), read) == told.log_e
    complaint = read.metrics["complaint"]
    last = msgspec.structs.replace(complaint.counts[-1], canary_bad=complaint.counts[-1].canary_bad - 1)
    forged = msgspec.structs.replace(complaint, counts=(*complaint.counts[:-1], last))
    assert (
        again(plan_of(RAMP), msgspec.structs.replace(read, metrics={**read.metrics, "complaint": forged})) != told.log_e
    )


def ended(days_ago: int, now_ms: int, **changes: Any) -> Rollout:
    gone = msgspec.structs.replace(RUN, state=State.ROLLED_BACK, ended_at=now_ms - days_ago * DAY_MS)
    return msgspec.structs.replace(gone, **changes)


@pytest.mark.promise("ROL-20")
def test_units_are_kept_while_their_release_answers_and_for_the_time_after_it() -> None:
    now, (kept, _) = 1_000 * DAY_MS, reached(1)
    assert over(ended(100, now), now)
    assert over(ended(100, now, state=State.RETIRED, reached=kept), now)
    assert not over(ended(99, now), now)
    assert not over(ended(200, now), now, minimum_days=365)
    for state in (State.CANARY, State.LIVE, State.DRAFT):
        assert not over(ended(900, now, state=state), now)
    assert not over(ended(900, now, ended_at=None), now)
    older = msgspec.structs.replace(kept, numbers=b'{"metrics": {"complaint": {"log_e": 5.0}}}')
    assert not over(ended(900, now, reached=older), now)


@pytest.mark.promise("ROL-20")
def test_what_is_over_is_deleted_with_its_entry_and_what_is_not_stays(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        other = Digest("c" * 64)

        def fill(tx: Any) -> None:
            tx.rollouts.add(ended(101, tx.now_ms))
            tx.rollouts.add(ended(99, tx.now_ms, release=other))
            for release in (RUN.release, other):
                for number in range(30):
                    drawn = Drawn(
                        release=release, arm=Arm.CANARY, unit=f"cv_{number}", share=0.5, stage=1, of=release, run=1
                    )
                    tx.units.assign(ORDERS, drawn, f"cv_{number}")

        await store.journal.run(fill)
        now_ms = await store.journal.run(lambda tx: tx.now_ms)
        kept_by_law = use_case(id=ORDERS, retention=Retention(minimum_days=365))
        assert await forget_units(store, {ORDERS: kept_by_law}, now_ms) == 0
        assert await forget_units(store, {ORDERS: use_case(id=ORDERS)}, now_ms) == 30
        assert await forget_units(store, {ORDERS: use_case(id=ORDERS)}, now_ms) == 0
        left = await store.reading.rows("SELECT release, count(*) FROM unit GROUP BY release")
        assert [(str(release), int(many)) for release, many in left] == [(other, 30)]
        ((facts,),) = await store.reading.rows("SELECT facts FROM entry WHERE kind = $1", ("release.units_forgotten",))
        told = json.loads(bytes(facts))["facts"]
        assert (told["release"], told["units"], told["state"]) == (RUN.release, 30, "rolled_back")
        command = ForgetUnits(ids=IDS, release=other)
        assert await store.journal.run(command) == 0
        thread = await begin(store)
        assert not await store.journal.run(lambda tx: tx.units.signal(thread.conversation, "complaint", 1, 1.0))

    durable.run(main())
