"""The past that a rollout's percentiles are of, on both engines: read from outcomes, kept with rollout and entry."""

import json
from typing import Any

import msgspec
import pytest
from fakes.gateway import PROVIDERS, use_case
from fakes.storage import CLOCK, IDS, ORDERS, Rig, begin

from handrail.app.starting import start
from handrail.policy.ramp import Form, Outcome, Past, Ramp, RampMetric, Stage
from handrail.policy.ruleset import PromptMode, Ruleset, digest
from handrail.releases import desk, past
from handrail.releases.assign import Arm, Drawn
from handrail.releases.lifecycle import State
from handrail.releases.percentile import quantiles
from handrail.releases.release import Release, Target
from handrail.review.outcome import OutcomeData, OutcomeEvent, OutcomeType
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import HandrailError
from handrail.terms.ids import Digest, ProviderId

BY = Actor(ActorKind.SYSTEM, "operator")
HOUR_MS = 3_600_000


def a_ramp(form: Form) -> Ramp:
    metrics = (RampMetric(name=Outcome.HANDLE_TIME, form=form), RampMetric(name=Outcome.COMPLAINT))
    return Ramp(stages=(Stage(share=0.2),), maturity_minutes=10, metrics=metrics)


def a_release(prompt: str) -> Release:
    return Release(
        use_case=ORDERS, alias="orders", route=(Target(provider=ProviderId("mock"), model="m"),),
        prompt_mode=PromptMode.MANAGED, prompt=prompt,
    )  # fmt: skip


OLD, NEW = a_release("Answer well."), a_release("Answer briefly.")
COMMAND = desk.Start(ids=IDS, release=digest(NEW)[:12])


async def published(store: Any, form: Form) -> None:
    def publish(tx: Any) -> None:
        case = use_case(id=ORDERS, ramp=a_ramp(form))
        rules = Ruleset(
            organisation="Acme", time_zone="UTC", currency="EUR", use_cases={ORDERS: case}, providers=PROVIDERS
        )
        tx.rulesets.put(digest(rules), rules, by=BY, at_ms=tx.now_ms)
        tx.rulesets.set_current(digest(rules), expected=None, at_ms=tx.now_ms)
        for one in (OLD, NEW):
            tx.releases.put(digest(one), one, by=BY, at_ms=tx.now_ms)
        tx.releases.set_live(ORDERS, digest(OLD), expected=None, at_ms=tx.now_ms)
        desk.draft(tx, IDS, digest(NEW), ORDERS, BY)
        desk.RecordTests(ids=IDS, release=digest(NEW), passed=1, failed=0, digest=Digest("d" * 64))(tx)

    await store.journal.run(publish)


async def handled(store: Any, seconds: list[float], *, arm: Arm | None = None) -> None:
    """A conversation on the live release for each handle time, an hour ago."""
    events = []
    for one in seconds:
        thread = await begin(store)
        if arm is not None:
            drawn = Drawn(release=digest(OLD), arm=arm, unit=thread.conversation, share=0.1)
            thread = store.threads.assign(thread, drawn)
        thread = msgspec.structs.replace(thread, release=digest(OLD))
        await store.threads.close_turn(thread, history=[b"hello", b"hi"])
        events.append(
            OutcomeEvent(
                source="crm", id=thread.conversation, type=OutcomeType.HANDLE_TIME, occurred_at_ms=CLOCK.now_ms(),
                conversation=thread.conversation, data=OutcomeData(seconds=one),
            )
        )  # fmt: skip
    await store.journal.run(lambda tx: None)
    await store.outcomes.save(events, key_id="k1", use_case=None)

    def earlier(tx: Any) -> None:
        tx.fetch("UPDATE conversation SET at_ms = at_ms - $1", (HOUR_MS,))
        tx.fetch("UPDATE outcome SET received_at_ms = received_at_ms - $1", (HOUR_MS,))

    await store.journal.run(earlier)


@pytest.mark.promise("ROL-18")
def test_a_rollout_starts_with_the_past_of_the_live_release_and_its_entry_says_which(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        await published(store, Form.PERCENTILE)
        await handled(store, [float(number) for number in range(past.NEEDED - 1)])
        await handled(store, [9e5] * 20, arm=Arm.HOLD_OUT)
        await handled(store, [9e5] * 20, arm=Arm.PILOT)
        with pytest.raises(HandrailError, match=f"needs {past.NEEDED} with complete outcomes, there are 499"):
            await start(store, COMMAND)
        with pytest.raises(HandrailError, match="there are 0"):
            await store.journal.run(COMMAND)
        await handled(store, [float(past.NEEDED)])
        rollout = await start(store, COMMAND)
        assert rollout.state is State.CANARY
        assert rollout.ramp is not None
        kept = {one.name: one.past for one in rollout.ramp.metrics}
        table = quantiles([*map(float, range(past.NEEDED - 1)), float(past.NEEDED)])
        assert kept == {Outcome.HANDLE_TIME: Past(past.NEEDED, table), Outcome.COMPLAINT: None}
        assert await store.journal.run(lambda tx: tx.rollouts.get(rollout.release)) == rollout
        ((facts,),) = await store.reading.rows("SELECT facts FROM entry WHERE kind = $1", ("release.started",))
        told = json.loads(bytes(facts))["facts"]["pasts"]
        assert told == {"handle_time": {"units": past.NEEDED, "table": list(table)}}

    durable.run(main())


@pytest.mark.promise("ROL-18")
def test_without_a_past_it_starts_with_the_mean_where_the_ramp_says_so(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        await published(store, Form.PERCENTILE_OR_MEAN)
        rollout = await start(store, COMMAND)
        assert rollout.ramp is not None
        assert [one.past for one in rollout.ramp.metrics] == [None, None]

    durable.run(main())
