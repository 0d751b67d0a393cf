"""How conversations open, on SQLite and PostgreSQL: each counted once, an intent that grew named to its owner, evidence
anew once somebody answers, a past learnt anew when somebody says so or other intents are declared."""

from typing import Any

import msgspec
import pytest
from contract.test_actions import hire, token
from contract.test_notices import receiver
from contract.test_watch import Late, alerts, ask, kinds
from fakes.actions import use_case
from fakes.storage import CLOCK, IDS, ORDERS, Rig

from handrail.app.openings import MINUTE_MS, WatchingOpenings
from handrail.in_force.snapshot import InForce
from handrail.policy.notices import Notices
from handrail.policy.ruleset import Ruleset, digest
from handrail.policy.watching import Intent, WatchPlan
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId
from handrail.watch import inputs, mix
from handrail.watch.alarm import Acknowledge
from handrail.watch.openings import Held, KeepOpenings, LearnOpeningsAnew, Minute

NAMES = ("delivery", "refund", "other")
DAY = 86_400_000


async def publish(store: Any, *names: str, **plan: Any) -> InForce:
    made = Ruleset(
        organisation="Shop", time_zone="UTC", currency="EUR", providers={},
        use_cases={
            ORDERS: msgspec.structs.replace(
                use_case(), id=ORDERS, owner="olga@shop.example", watch=WatchPlan(**plan),
                intents=tuple(Intent(name, ("one two", "three four")) for name in names),
            )
        },
        notices=Notices(receivers={"leads": receiver("leads")}),
    )  # fmt: skip

    def put(tx: Any) -> None:
        tx.rulesets.put(digest(made), made, by=Actor(ActorKind.PERSON, "pe_engineer"), at_ms=tx.now_ms)
        tx.rulesets.set_current(digest(made), expected=tx.rulesets.current(), at_ms=tx.now_ms)

    await store.journal.run(put)
    return InForce(await store.in_force.load())


def learnt(use_case: str = ORDERS) -> mix.Mix:
    """9 of 10 came for a delivery, and some for nothing that is declared."""
    one = mix.begun(UseCaseId(use_case), NAMES, "UTC")
    start = CLOCK.now_ms() - 9 * DAY
    for at in range(2_400):
        name = "refund" if at % 20 == 0 else "other" if at % 20 == 1 else "delivery"
        one, alarm = mix.after(one, start + at * 8 * DAY // 2_400, name, "")
        assert alarm is None
    assert one.past.learnt_ms is not None
    return one


async def seed(store: Any, held: Held) -> None:
    def put(tx: Any) -> None:
        tx.openings.keep(ORDERS, Held(), held)

    await store.journal.run(put)


def later(minutes: int) -> Late:
    clock = Late()
    clock.ahead_ms = minutes * MINUTE_MS
    return clock


async def refunds(store: Any, times: int, name: str = "refund") -> None:
    for _ in range(times):
        await ask(store, facts={"intent": name, "size": 6, "topics": (3, 17)})


@pytest.mark.promise("WAT-21")
@pytest.mark.promise("WAT-22")
def test_the_intent_that_grew_is_named_once_to_the_owner_whoever_counts(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        in_force = await publish(store, "delivery", "refund", metrics=("intents",))
        await seed(store, Held(mix=learnt()))
        await refunds(store, 25)
        clock = later(5)
        first, second = (WatchingOpenings(store, in_force, ids=IDS, clock=clock) for _ in range(2))
        await first.round()
        await second.round()
        await first.round()
        (one,) = await alerts(store)
        assert (one.first.metric, one.owner) == ("intents", "olga@shop.example")
        assert "more customers come with the intent refund" in one.first.sentence
        assert "the past had 106 of 2101 (5.0%)" in one.first.sentence
        held = (await store.openings.held())[ORDERS]
        assert held.mix is not None
        assert held.mix.alarmed
        assert held.input is None  # not among the declared metrics
        opened = sum(counts["opened/refund"] for _, counts in await store.watch.measured(0, 10**9))
        assert opened == 25

    durable.run(run())


@pytest.mark.promise("WAT-21")
def test_after_an_answer_the_evidence_begins_anew_and_a_person_lets_it_learn_anew(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        in_force = await publish(store, "delivery", "refund")
        await seed(store, Held(mix=learnt()))
        await refunds(store, 25)
        await WatchingOpenings(store, in_force, ids=IDS, clock=later(5)).round()
        (one,) = await alerts(store)
        me = token("pe_a")[1]
        await store.journal.run(Acknowledge(ids=IDS, alert=one.id, token=me, note="a campaign"))
        await ask(store, at_ms=CLOCK.now_ms() + 10 * MINUTE_MS, facts={"intent": "delivery"})
        await WatchingOpenings(store, in_force, ids=IDS, clock=later(20)).round()
        held = (await store.openings.held())[ORDERS]
        assert held.mix is not None
        assert (held.mix.alarmed, held.mix.value < 100) == (False, True)
        assert held.input is not None
        assert held.input.past.total == 25  # the last one had no text
        for metric in ("intents", "input"):
            await store.journal.run(LearnOpeningsAnew(ids=IDS, use_case=ORDERS, metric=metric, token=me))
        held = (await store.openings.held())[ORDERS]
        assert held.mix is not None
        assert held.input is not None
        assert (held.mix.past.learnt_ms, held.input.past.total) == (None, 0)
        assert (await kinds(store)).count("baseline.learnt") == 2
        with pytest.raises(HandrailError) as unknown:
            await store.journal.run(
                LearnOpeningsAnew(ids=IDS, use_case=UseCaseId("elsewhere"), metric="input", token=me)
            )
        assert unknown.value.code is Code.NOT_FOUND

    durable.run(run())


@pytest.mark.promise("WAT-21")
def test_other_intents_have_another_past(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await seed(store, Held(mix=learnt()))
        in_force = await publish(store, "delivery", "refund", "invoice")
        await refunds(store, 3)
        await WatchingOpenings(store, in_force, ids=IDS, clock=later(5)).round()
        held = (await store.openings.held())[ORDERS]
        assert held.mix is not None
        assert held.mix.past.names == ("delivery", "refund", "invoice", "other")
        assert (held.mix.past.learnt_ms, sum(held.mix.past.cases)) == (None, 3)
        assert (await kinds(store)).count("baseline.learnt") == 1

    durable.run(run())


@pytest.mark.promise("WAT-22")
def test_two_who_count_the_same_minute_keep_it_once(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        before = Held()
        after = Held(input=inputs.begun(ORDERS, "UTC"))
        minute = Minute(before={ORDERS: before}, after={ORDERS: after})
        keep = KeepOpenings(ids=IDS, before_ms=None, until_ms=60_000, minute=minute)
        await store.journal.run(keep)
        for again in (keep, KeepOpenings(ids=IDS, before_ms=60_000, until_ms=120_000, minute=minute)):
            with pytest.raises(HandrailError) as late:
                await store.journal.run(again)
            assert late.value.code is Code.LOST_RACE
        assert (await store.openings.held())[ORDERS].versions == {"input": 1}

    durable.run(run())


@pytest.mark.promise("WAT-22")
def test_a_minute_that_was_folded_before_somebody_let_it_learn_anew_is_folded_again(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await store.journal.run(hire)
        await publish(store, "delivery", "refund")
        await seed(store, Held(mix=learnt()))
        before = (await store.openings.held())[ORDERS]
        assert before.mix is not None
        after = msgspec.structs.replace(before, mix=msgspec.structs.replace(before.mix, watched=1))
        anew = LearnOpeningsAnew(ids=IDS, use_case=ORDERS, metric="intents", token=token("pe_a")[1])
        await store.journal.run(anew)
        minute = Minute(before={ORDERS: before}, after={ORDERS: after})
        with pytest.raises(HandrailError) as late:
            await store.journal.run(KeepOpenings(ids=IDS, before_ms=None, until_ms=60_000, minute=minute))
        assert late.value.code is Code.LOST_RACE
        held = (await store.openings.held())[ORDERS]
        assert held.mix is not None
        assert held.mix.past.learnt_ms is None
        assert "openings" not in await store.watch.cursors()

    durable.run(run())
