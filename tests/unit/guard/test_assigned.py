"""Which release answers: drawn at the first turn, kept after that, left at the next turn after a safety rollback."""

import asyncio
from typing import Any

import msgspec
import pytest
from fakes.dialects import embedding
from fakes.gateway import ROUTE, World, chat_answer, use_case, world
from fakes.guard import Answering

from handrail.in_force.running import running
from handrail.ledger.entry import InteractionFacts
from handrail.people.key import Scope
from handrail.policy.ramp import HeldOut, Ramp, Stage
from handrail.policy.ruleset import PromptMode, digest
from handrail.releases import lifecycle
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.release import LiveRelease, Release
from handrail.terms.ids import Digest

CHAT = "/v1/chat/completions"
RAMP = Ramp(stages=(Stage(share=0.5),))
CASE = use_case()
NEW = Release(
    use_case=CASE.id, alias="support", route=ROUTE, prompt_mode=PromptMode.MANAGED, prompt="Answer briefly."
)  # fmt: skip


def answering(request: Any) -> Any:
    if request.path.endswith("/embeddings"):
        return Answering([embedding()])
    return Answering([chat_answer("It is on its way.")])


def canary(ramp: Ramp = RAMP, control: str = "b" * 64) -> Rollout:
    return Rollout(
        release=digest(NEW), use_case=CASE.id, author="x", created_at=0, state=State.CANARY, ramp=ramp,
        salt=b"s" * 16, run=1, control=Digest(control), stage=0, step=1,
    )  # fmt: skip


class Shop:
    """A gateway in which a canary may run."""

    def __init__(self, ramp: Ramp | None = None, *scopes: Scope) -> None:
        self.world: World = world(
            answering, case=use_case(ramp=ramp) if ramp else CASE, scopes=frozenset({Scope.CHAT, *scopes})
        )
        snapshot = self.world.in_force.current
        assert snapshot is not None
        self.old = snapshot.live[CASE.id]

    def runs(self, rollouts: list[Rollout], live: Release | None = None) -> None:
        """What is in force from here on."""
        snapshot = self.world.in_force.current
        assert snapshot is not None
        known = {digest(NEW): LiveRelease(digest(NEW), NEW), self.old.digest: self.old}
        alive = {CASE.id: known[digest(live)] if live else self.old}
        self.world.in_force.current = msgspec.structs.replace(
            snapshot, epoch=snapshot.epoch + 1, live=alive, running=running(rollouts, alive, known.__getitem__, 0)
        )

    def started(self) -> Rollout:
        return canary(control=self.old.digest)

    def talk(self, name: str, headers: dict[str, str] | None = None, **more: Any) -> InteractionFacts:
        """One turn; what was recorded of it."""
        body = {"model": "support", "messages": [{"role": "user", "content": "Where is my order?"}], **more}

        async def main() -> None:
            got = await self.world.post(CHAT, body, headers={"x-handrail-conversation": name, **(headers or {})})
            assert got.status == 200, got.body

        asyncio.run(main())
        facts = self.world.journal.entries[-1].facts
        assert isinstance(facts, InteractionFacts)
        return facts


@pytest.mark.promise("ROL-3")
def test_a_conversation_keeps_its_arm_also_when_the_share_grows_and_facts_carry_it() -> None:
    shop = Shop()
    shop.runs([shop.started()])
    first = {name: shop.talk(name) for name in (f"c{number}" for number in range(40))}
    arms = {facts.arm for facts in first.values()}
    assert arms == {"canary", "control"}
    for facts in first.values():
        assert facts.release == (digest(NEW) if facts.arm == "canary" else shop.old.digest)
        assert (facts.stage, facts.share) == (1, 0.5)
    more = msgspec.structs.replace(
        shop.started(), ramp=Ramp(stages=(Stage(share=0.5), Stage(share=0.99))), stage=1, step=2
    )
    shop.runs([more])
    for name, facts in first.items():
        again = shop.talk(name)
        assert (again.arm, again.release, again.stage, again.share) == (facts.arm, facts.release, 1, 0.5)


@pytest.mark.promise("ROL-12")
def test_a_safety_rollback_moves_running_conversations_at_their_next_turn_and_one_by_hand_lets_them_end() -> None:
    for safety in (True, False):
        shop = Shop()
        shop.runs([shop.started()])
        name = next(f"c{number}" for number in range(99) if shop.talk(f"c{number}").arm == "canary")
        shop.runs([lifecycle.rolled_back(shop.started(), now=0, safety=safety)])
        after = shop.talk(name)
        assert after.release == (shop.old.digest if safety else digest(NEW))
        assert after.arm == "canary", "it stays the unit it was drawn as"
        assert shop.talk("new").release == shop.old.digest


def test_after_a_promotion_running_conversations_end_on_the_release_they_began_on() -> None:
    shop = Shop()
    shop.runs([shop.started()])
    names = [f"c{number}" for number in range(20)]
    first = {name: shop.talk(name).release for name in names}
    shop.runs([lifecycle.promoted(shop.started(), now=0)], live=NEW)
    assert {name: shop.talk(name).release for name in names} == first
    assert shop.talk("new").release == digest(NEW)


def test_a_release_that_is_started_again_does_not_take_back_the_conversations_of_its_first_start() -> None:
    shop = Shop()
    shop.runs([shop.started()])
    name = next(f"c{number}" for number in range(99) if shop.talk(f"c{number}").arm == "canary")
    shop.runs([msgspec.structs.replace(shop.started(), run=2, salt=b"t" * 16)])
    assert shop.talk(name).release == shop.old.digest


@pytest.mark.promise("ROL-13")
def test_a_conversation_whose_beginning_is_not_known_is_on_the_live_release_and_in_no_comparison() -> None:
    shop = Shop()
    shop.runs([shop.started()])
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "So?"},
    ]

    async def main() -> None:
        for _ in range(20):
            await shop.world.post(CHAT, {"model": "support", "messages": messages})

    asyncio.run(main())
    facts = [entry.facts for entry in shop.world.journal.entries if isinstance(entry.facts, InteractionFacts)]
    assert {(each.arm, each.release) for each in facts} == {("", shop.old.digest)}
    assert all(each.unlinked for each in facts)


def test_a_call_that_no_customer_reads_is_no_unit() -> None:
    shop = Shop()
    shop.runs([shop.started()])

    async def main() -> None:
        for number in range(20):
            await shop.world.post(
                "/v1/embeddings", {"model": "support", "input": "order 1"},
                headers={"x-handrail-conversation": f"e{number}"},
            )  # fmt: skip

    asyncio.run(main())
    facts = [entry.facts for entry in shop.world.journal.entries if isinstance(entry.facts, InteractionFacts)]
    assert len(facts) >= 20
    assert {each.arm for each in facts} == {""}
    assert shop.world.threads.units == {}


@pytest.mark.promise("ROL-2")
def test_a_probe_is_no_unit_of_a_canary_and_no_part_of_the_hold_out() -> None:
    shop = Shop(msgspec.structs.replace(RAMP, hold_out=0.5), Scope.PROBE)
    shop.runs([shop.started()])

    async def main() -> None:
        body = {"model": "support", "messages": [{"role": "user", "content": "I complain. I want a lawyer."}]}
        for number in range(20):
            got = await shop.world.post(CHAT, body, headers={"x-handrail-conversation": f"p{number}"})
            assert got.status == 200, got.body

    asyncio.run(main())
    facts = [entry.facts for entry in shop.world.journal.entries if isinstance(entry.facts, InteractionFacts)]
    assert len(facts) >= 20
    assert {(each.arm, each.release) for each in facts} == {("", shop.old.digest)}
    assert (shop.world.threads.units, shop.world.threads.signals) == ({}, [])


@pytest.mark.promise("ROL-3")
def test_a_conversation_that_begins_with_a_call_that_no_customer_reads_is_drawn_at_its_first_answer() -> None:
    shop = Shop()
    shop.runs([shop.started()])

    async def looked_up(name: str) -> None:
        body = {"model": "support", "input": "order 1"}
        got = await shop.world.post("/v1/embeddings", body, headers={"x-handrail-conversation": name})
        assert got.status == 200, got.body

    names = [f"c{number}" for number in range(20)]
    for name in names:
        asyncio.run(looked_up(name))
    first = {name: shop.talk(name) for name in names}
    assert {facts.arm for facts in first.values()} == {"canary", "control"}
    asyncio.run(looked_up(names[0]))
    assert shop.talk(names[0]).release == first[names[0]].release


def test_without_a_rollout_nothing_is_drawn_or_written_about_units() -> None:
    shop = Shop()
    facts = shop.talk("c1")
    assert (facts.arm, facts.share, facts.stage) == ("", 0.0, 0)
    assert shop.world.threads.units == {}


@pytest.mark.promise("ROL-14")
def test_the_hold_out_hears_the_hand_over_sentence_at_every_turn_and_no_model_is_asked() -> None:
    ramp = Ramp(stages=(Stage(share=0.5),), hold_out=0.5, hold_out_sentences={"*": "A colleague will help you."})
    shop = Shop(ramp)
    found = {name: shop.talk(name) for name in (f"c{number}" for number in range(30))}
    out = [name for name, facts in found.items() if facts.arm == "hold_out"]
    assert 5 < len(out) < 25
    asked = len(shop.world.model.requests)
    for name in out:
        again = shop.talk(name)
        assert (again.arm, again.outcome) == ("hold_out", "handover")
    assert len(shop.world.model.requests) == asked
    assert all(facts.outcome == "answered" for facts in found.values() if facts.arm != "hold_out")


def test_the_hold_out_may_be_the_release_that_was_live_before() -> None:
    ramp = Ramp(stages=(Stage(share=0.5),), hold_out=0.5, hold_out_by=HeldOut.PREVIOUS)
    shop = Shop(ramp)
    assert shop.talk("early").arm == "", "nothing was live before"
    shop.runs([lifecycle.promoted(shop.started(), now=0)], live=NEW)
    found = [shop.talk(f"c{number}") for number in range(30)]
    assert {facts.release for facts in found if facts.arm == "hold_out"} == {shop.old.digest}
    assert {facts.release for facts in found if not facts.arm} == {digest(NEW)}


def test_a_permanent_hold_out_on_what_was_live_before_does_not_end_with_the_week() -> None:
    promoted = lifecycle.promoted(canary(control="b" * 64), now=0)
    live = {CASE.id: LiveRelease(digest(NEW), NEW)}
    late = 100 * 86_400_000

    def known(each: Digest) -> LiveRelease:
        return LiveRelease(each, NEW)

    assert running([promoted], live, known, late)[CASE.id].held == {}
    kept = running([promoted], live, known, late, frozenset({CASE.id}))[CASE.id]
    assert (kept.previous, set(kept.held)) == ("b" * 64, {"b" * 64})


def test_conversations_end_on_their_release_also_when_it_was_promoted_over_twice() -> None:
    first, second = digest(NEW), Digest("c" * 64)
    over = lifecycle.promoted(canary(control="b" * 64), now=0)
    gone = lifecycle.retired(over, now=1)
    next_ = lifecycle.promoted(msgspec.structs.replace(canary(control=first), release=second), now=1)
    live = {CASE.id: LiveRelease(second, NEW)}
    held = running([next_, gone], live, lambda each: LiveRelease(each, NEW), 2)[CASE.id].held
    assert set(held) == {"b" * 64, first}
    unsafe = msgspec.structs.replace(gone, release=Digest("b" * 64), state=State.ROLLED_BACK, safety=True, control=None)
    held = running([next_, gone, unsafe], live, lambda each: LiveRelease(each, NEW), 2)[CASE.id].held
    assert set(held) == {first}, "what was rolled back for safety holds nobody"


def test_what_holds_nothing_is_not_carried() -> None:
    old = lifecycle.rolled_back(canary(), now=0, safety=True)
    live = {CASE.id: LiveRelease(Digest("b" * 64), NEW)}
    assert running([old], live, lambda each: LiveRelease(each, NEW), 0) == {}
    by_hand = lifecycle.rolled_back(canary(), now=0, safety=False)
    assert running([by_hand], live, lambda each: LiveRelease(each, NEW), 0) != {}
    assert running([by_hand], live, lambda each: LiveRelease(each, NEW), 8 * 86_400_000) == {}


@pytest.mark.promise("ROL-19")
def test_a_pilot_of_a_region_is_seen_by_conversations_of_that_region_alone_and_in_no_comparison() -> None:
    shop = Shop()
    ramp = Ramp(stages=(Stage(share=1.0, pilot={"region": "EU"}), Stage(share=0.5)))
    shop.runs([msgspec.structs.replace(shop.started(), ramp=ramp)])
    inside = shop.talk("cv_eu", {"x-handrail-region": "EU"})
    assert (inside.region, inside.arm, inside.release) == ("EU", "pilot", digest(NEW))
    for name, headers in (("cv_none", {}), ("cv_us", {"x-handrail-region": "US"})):
        outside = shop.talk(name, headers)
        assert (outside.region, outside.arm, outside.release) == ("", "", shop.old.digest)
    again = shop.talk("cv_eu")
    assert (again.region, again.release) == ("", digest(NEW))


@pytest.mark.promise("ROL-19")
def test_a_region_that_the_use_case_does_not_declare_is_in_no_pilot_even_if_a_stage_names_it() -> None:
    shop = Shop()
    shop.runs([msgspec.structs.replace(shop.started(), ramp=Ramp(stages=(Stage(share=1.0, pilot={"region": "US"}),)))])
    assert shop.talk("cv_us", {"x-handrail-region": "US"}).arm == ""
