"""The snapshot follows the epoch; what is there stays when the database does not answer."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from fakes.home import CHAT, HANDRAIL, home
from fakes.register import CountingIds, HandClock, MemoryRegister

from handrail.home.compile import compile_home
from handrail.home.publish import Publish
from handrail.in_force.follow import APART_S, EVERY_S, Asked, follow, is_fresh, look
from handrail.in_force.snapshot import InForce
from handrail.people.key import hash_key
from handrail.people.keys import CreateKey, RevokeKey
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

CHAT_ID = UseCaseId("chat")
DOWN = HandrailError(Code.JOURNAL_UNAVAILABLE, "the database does not answer")


def published(ids: CountingIds, texts: dict[str, str] | None = None) -> Publish:
    return Publish(ids=ids, compiled=compile_home(home(texts)))


class Ticks:
    """A sleep that moves the clock, does the next step, and ends the loop after the last."""

    def __init__(self, clock: HandClock, steps: list[Callable[[], None]]) -> None:
        self._clock = clock
        self._steps = iter(steps)

    async def __call__(self, seconds: float) -> None:
        self._clock.ms += round(seconds * 1000)
        step = next(self._steps, None)
        if step is None:
            raise asyncio.CancelledError
        step()


def run(loop: Awaitable[None]) -> None:
    async def until_cancelled() -> None:
        with pytest.raises(asyncio.CancelledError):
            await loop

    asyncio.run(until_cancelled())


@pytest.mark.promise("INF-1")
def test_a_publish_and_a_key_are_seen_at_the_next_look() -> None:
    memory, ids, in_force = MemoryRegister(), CountingIds(), InForce()
    seen: list[tuple[int | None, int]] = []

    def note() -> None:
        now = in_force.current
        seen.append((now.epoch if now else None, len(now.keys) if now else 0))

    key = CreateKey(ids=ids, use_case=CHAT_ID, registered=frozenset({CHAT_ID}))
    steps: list[Callable[[], None]] = [
        lambda: memory.do(published(ids)) and None,
        lambda: memory.do(key) and None,
        lambda: None,
    ]
    run(follow(in_force, memory, memory.clock, sleep=Ticks(memory.clock, steps), on_change=note))
    assert seen == [(2, 0), (3, 1)]


@pytest.mark.promise("INF-1")
def test_the_looks_are_often_enough_for_a_second() -> None:
    assert EVERY_S * 2 < 1


def test_nothing_is_loaded_again_while_the_epoch_stands_still() -> None:
    memory, ids, in_force = MemoryRegister(), CountingIds(), InForce()
    memory.do(published(ids))
    run(follow(in_force, memory, memory.clock, sleep=Ticks(memory.clock, [lambda: None] * 20)))
    assert memory.loads == 1


@pytest.mark.promise("INF-2")
def test_without_an_answer_the_old_snapshot_stays_and_grows_stale() -> None:
    memory, ids, in_force = MemoryRegister(), CountingIds(), InForce()
    memory.do(published(ids))
    freshness: list[bool] = []

    def fail() -> None:
        memory.fail = DOWN

    def mend() -> None:
        memory.fail = None

    def note() -> None:
        freshness.append(is_fresh(in_force, memory.clock))

    # the last good look is at 0.25 s; the notes after the failure are 0.5, 0.75, 1.0 and 1.25 s later
    steps = [note, fail, note, note, note, note, mend, note]
    run(follow(in_force, memory, memory.clock, sleep=Ticks(memory.clock, steps)))
    assert in_force.current is not None
    assert in_force.current.epoch == 2
    assert freshness == [True, True, True, True, False, True]


@pytest.mark.promise("INF-2")
def test_a_snapshot_that_cannot_be_read_never_replaces_one_that_could() -> None:
    memory, ids, in_force = MemoryRegister(), CountingIds(), InForce()
    memory.do(published(ids))
    good = asyncio.run(memory.load())
    in_force.current = good

    class Broken(MemoryRegister):
        async def read_epoch(self) -> int:
            return 99

        async def load(self) -> None:
            raise ValueError("a row that is no ruleset")

    run(follow(in_force, Broken(), memory.clock, sleep=Ticks(memory.clock, [lambda: None] * 3)))
    assert in_force.current is good


@pytest.mark.promise("INF-2")
def test_a_database_that_was_emptied_never_replaces_what_is_in_force() -> None:
    memory, ids, in_force = MemoryRegister(), CountingIds(), InForce()
    memory.do(published(ids))
    asyncio.run(look(in_force, memory, memory.clock))
    assert asyncio.run(look(in_force, MemoryRegister(), memory.clock)) is False
    assert in_force.current is not None


@pytest.mark.promise("INF-2")
def test_nothing_read_is_not_fresh() -> None:
    assert not is_fresh(InForce(), HandClock(0))


def test_before_the_first_publish_a_look_finds_nothing_and_says_so() -> None:
    memory, in_force = MemoryRegister(), InForce()
    assert asyncio.run(look(in_force, memory, memory.clock)) is False
    assert in_force.current is None


@pytest.mark.promise("PEO-2")
def test_a_revoked_key_is_in_the_snapshot_as_revoked() -> None:
    memory, ids, in_force = MemoryRegister(), CountingIds(), InForce()
    memory.do(published(ids))
    made = memory.do(CreateKey(ids=ids, use_case=CHAT_ID, registered=frozenset({CHAT_ID})))
    memory.do(RevokeKey(ids=ids, key_id=made.key.id))
    asyncio.run(look(in_force, memory, memory.clock))
    assert in_force.current is not None
    assert in_force.current.keys[hash_key(made.text)].revoked_at == memory.clock.now_ms()


def test_a_changed_ruleset_brings_its_compiled_rules() -> None:
    memory, ids, in_force = MemoryRegister(), CountingIds(), InForce()
    memory.do(published(ids))
    asyncio.run(look(in_force, memory, memory.clock))
    memory.do(published(ids, {"use-cases/chat.yaml": CHAT + "mode: enforce\n", "handrail.yaml": HANDRAIL}))
    asyncio.run(look(in_force, memory, memory.clock))
    assert in_force.current is not None
    rules = in_force.current.rules[CHAT_ID]
    assert rules.use_case == in_force.current.ruleset.use_cases[CHAT_ID]
    assert rules.nothing.would_be is None


class Counted(MemoryRegister):
    """Counts looks; each yields once, as a database does."""

    looks = 0

    async def read_epoch(self) -> int:
        self.looks += 1
        await asyncio.sleep(0)
        return await super().read_epoch()


@pytest.mark.promise("INF-3")
def test_a_key_made_a_moment_ago_is_known_after_asking() -> None:
    async def body() -> None:
        memory, ids, in_force, clock = Counted(), CountingIds(), InForce(), HandClock()
        memory.do(published(ids))
        changes: list[int] = []
        asked = Asked(in_force, memory, clock, on_change=lambda: changes.append(1))
        await asked()
        shown = memory.do(CreateKey(ids=ids, use_case=CHAT_ID, registered=frozenset({CHAT_ID})))
        clock.ms += 1_000
        await asked()
        assert in_force.current is not None
        assert hash_key(shown.text) in in_force.current.keys
        assert len(changes) == 2

    asyncio.run(body())


@pytest.mark.promise("INF-3")
def test_however_many_ask_looks_begin_apart_and_each_asker_waits_for_one_that_began_later() -> None:
    async def body() -> None:
        memory, clock = Counted(), HandClock()
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            clock.ms += round(seconds * 1000)
            await asyncio.sleep(0)

        asked = Asked(InForce(), memory, clock, sleep=sleep)
        await asyncio.gather(*(asked() for _ in range(500)))
        assert memory.looks == 1
        await asyncio.gather(*(asked() for _ in range(500)))
        assert memory.looks == 2
        assert waits == [pytest.approx(APART_S, abs=1e-5)]

    asyncio.run(body())


def test_asking_a_database_that_is_away_changes_nothing_and_one_who_leaves_ends_no_other() -> None:
    async def body() -> None:
        memory, in_force = Counted(), InForce()
        memory.fail = DOWN
        asked = Asked(in_force, memory, HandClock())
        leaving, staying = asyncio.create_task(asked()), asyncio.create_task(asked())
        await asyncio.sleep(0)
        leaving.cancel()
        await staying
        assert in_force.current is None
        assert memory.looks == 1

    asyncio.run(body())
