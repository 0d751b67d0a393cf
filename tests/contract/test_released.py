"""Releases, their moves and runs of their tests as pages read them, on both engines."""

from typing import Any

import msgspec
import pytest
from fakes.storage import IDS, ORDERS, Rig

from handrail.backends.released import StoredReleased
from handrail.backends.tail import StoredTail
from handrail.ledger.commitment import read_facts
from handrail.policy.ramp import Ramp, Stage
from handrail.policy.ruleset import PromptMode, digest
from handrail.releases import desk, lifecycle
from handrail.releases.as_seen import AsSeen
from handrail.releases.lifecycle import Rollout
from handrail.releases.release import Release, Target
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, ProviderId
from handrail.trials.store import CaseRow, Run

BY = Actor(ActorKind.SYSTEM, "operator")
RAMP = Ramp(stages=(Stage(share=0.2), Stage(share=0.5)))


def a_release(prompt: str) -> Release:
    return Release(
        use_case=ORDERS, alias="orders", route=(Target(provider=ProviderId("mock"), model="m"),),
        prompt_mode=PromptMode.MANAGED, prompt=prompt,
    )  # fmt: skip


OLD, NEW = a_release("Answer well."), a_release("Answer briefly.")


async def started(store: Any) -> None:
    """A live release and a canary against it."""

    def work(tx: Any) -> None:
        for one in (OLD, NEW):
            tx.releases.put(digest(one), one, by=BY, at_ms=tx.now_ms)
        tx.releases.set_live(ORDERS, digest(OLD), expected=None, at_ms=tx.now_ms)
        desk.draft(tx, IDS, digest(NEW), ORDERS, BY)
        draft = tx.rollouts.get(digest(NEW))
        green = lifecycle.tested(draft, lifecycle.Tested(digest=Digest("t"), passed=1, failed=0, at_ms=tx.now_ms))
        after = lifecycle.started(green, RAMP, salt=IDS.token(16), control=digest(OLD), used=frozenset(), now=tx.now_ms)
        tx.rollouts.swap(draft, msgspec.structs.replace(after, version=draft.version + 1))

    await store.journal.run(work)


def run_of(name: str, at_ms: int, release: str = "r1") -> Run:
    return Run(
        id=name, use_case=ORDERS, release=Digest(release), at_ms=at_ms, passed=1, failed=1, digest=Digest("d"),
        cases_digest=Digest("c"), cases=(CaseRow(id="a", passed=False, not_met=("not contains",)),),
    )  # fmt: skip


@pytest.mark.promise("CON-REL-8")
def test_a_release_comes_with_who_published_it_first_and_an_unknown_one_is_said(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        await started(store)
        released = StoredReleased(store.reading)
        assert await released.release(digest(NEW)) == (NEW, BY)
        with pytest.raises(HandrailError) as refused:
            await released.release(Digest("0" * 64))
        assert refused.value.code is Code.NOT_FOUND

    durable.run(main())


@pytest.mark.promise("CON-REL-8")
def test_moves_are_read_once_from_the_row_that_is_known(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        await started(store)
        released, tail = StoredReleased(store.reading), StoredTail(store.reading)
        newest = await tail.newest()
        first = await released.moves(0, newest, limit=100)
        assert [read_facts(facts).kind for _, facts in first] == ["release.drafted"]
        assert await released.moves(newest, newest, limit=100) == []
        await store.journal.run(desk.Freeze(ids=IDS, release=digest(NEW)))
        later = await released.moves(newest, await tail.newest(), limit=100)
        assert [(read_facts(facts).kind, read_facts(facts).about) for _, facts in later] == [
            ("release.frozen", digest(NEW))
        ]
        assert len(await released.moves(0, await tail.newest(), limit=1)) == 1

    durable.run(main())


@pytest.mark.promise("CON-REL-8")
def test_runs_are_newest_first_by_use_case_or_release_and_one_by_its_id(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        rows = [run_of("tr_1", 1), run_of("tr_2", 2, "r2"), run_of("tr_3", 3)]

        def add(tx: Any) -> None:
            for row in rows:
                tx.trials.add(row)

        await store.journal.run(add)
        released = StoredReleased(store.reading)
        assert [one.id for one in await released.runs(None, None, limit=2)] == ["tr_3", "tr_2"]
        assert [one.id for one in await released.runs(ORDERS, Digest("r1"), limit=9)] == ["tr_3", "tr_1"]
        assert await released.run("tr_2") == rows[1]
        with pytest.raises(HandrailError):
            await released.run("tr_9")

    durable.run(main())


@pytest.mark.promise("CON-REL-3")
def test_a_move_as_it_was_seen_is_made_once(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        await started(store)

        def version(tx: Any) -> int:
            found: Rollout = tx.rollouts.get(digest(NEW))
            return found.version

        seen = await store.journal.run(version)
        command = AsSeen(release=digest(NEW), version=seen, command=desk.Advance(ids=IDS, release=digest(NEW)))
        assert (await store.journal.run(command)).stage == 1
        with pytest.raises(HandrailError) as refused:
            await store.journal.run(command)
        assert refused.value.code is Code.LOST_RACE

    durable.run(main())


@pytest.mark.promise("CON-REL-4")
def test_the_reason_of_a_rollback_stands_in_its_entry(durable: Rig) -> None:
    async def main() -> None:
        store = await durable.open()
        await started(store)
        await store.journal.run(desk.RollBack(ids=IDS, release=digest(NEW), why="figures look wrong"))
        moves = await StoredReleased(store.reading).moves(0, await StoredTail(store.reading).newest(), limit=100)
        facts = msgspec.json.decode(read_facts(moves[-1][1]).facts)
        assert (facts["why"], read_facts(moves[-1][1]).kind) == ("figures look wrong", "release.rolled_back")
        assert digest(OLD) == facts["control"]

    durable.run(main())
