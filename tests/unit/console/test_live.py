"""Signals: what a stream says, how often, and that nothing is missed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fakes.console import FakeTail

from handrail.console.here import READING
from handrail.console.live import MOST_MISSED, MOST_OF_ONE, TOPICS, TOPICS_OF, Live
from handrail.ledger.entry import EntryKind
from handrail.terms.errors import Code, HandrailError


async def told(stream: AsyncIterator[bytes]) -> tuple[list[tuple[int, str]], bytes]:
    """(id, topic) of the next piece of a stream, and its bytes."""
    piece = await asyncio.wait_for(anext(stream), 2)
    found = []
    for block in piece.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            found.append((int(fields["id"]), fields["event"]))
    return found, piece


@pytest.mark.promise("CON-6")
def test_a_signal_names_a_topic_and_a_row_and_holds_nothing_else() -> None:
    async def work() -> None:
        tail = FakeTail()
        live = Live(tail)
        stream = live.stream(None)
        await told(stream)
        tail.kinds += ["action.decided", "action.approved", "incident.opened"]
        await live.look()
        found, piece = await told(stream)
        assert found == [(2, "approvals"), (3, "incidents")]
        assert piece == b"id: 2\nevent: approvals\ndata: 2\n\nid: 3\nevent: incidents\ndata: 3\n\n"

    asyncio.run(work())


@pytest.mark.promise("CON-6")
def test_however_much_changes_one_look_tells_a_topic_once() -> None:
    async def work() -> None:
        tail = FakeTail()
        live = Live(tail)
        stream = live.stream(None)
        await told(stream)
        tail.kinds += ["action.decided"] * 500
        await live.look()
        assert (await told(stream))[0] == [(500, "approvals")]

    asyncio.run(work())


@pytest.mark.promise("CON-6")
def test_a_stream_that_broke_hears_what_it_missed_also_from_a_restarted_console() -> None:
    async def work() -> None:
        tail = FakeTail()
        tail.kinds += ["action.decided", "release.started", "interaction.closed"]
        stream = Live(tail).stream(1)
        await told(stream)
        topics = {topic for _, topic in (await told(stream))[0]}
        assert topics == {"releases", "in_force", "interactions"}
        assert "approvals" not in topics

    asyncio.run(work())


def test_an_id_from_another_database_begins_anew() -> None:
    async def work() -> None:
        live = Live(FakeTail())
        stream = live.stream(10_000)
        _, piece = await told(stream)
        assert b"id: 0\n" in piece

    asyncio.run(work())


def test_a_stream_ends_when_the_console_does_and_is_no_longer_counted() -> None:
    async def work() -> None:
        live = Live(FakeTail())
        stream = live.stream(None)
        await told(stream)
        assert live.streams == 1
        waiting = asyncio.create_task(anext(stream, b"over"))  # type: ignore[arg-type]  # a default of anext
        await asyncio.sleep(0)
        live.end()
        assert await asyncio.wait_for(waiting, 2) == b"over"
        assert live.streams == 0

    asyncio.run(work())


def test_that_somebody_read_renews_no_page_or_pages_that_record_reading_would_renew_each_other() -> None:
    assert all(not TOPICS_OF[kind] for kind in READING)


def test_every_kind_of_entry_but_those_of_one_process_has_a_topic() -> None:
    silent = {kind.value.split(".")[0] for kind in set(EntryKind) - READING if not TOPICS_OF[kind.value]}
    nobodys = {"call", "disclosure", "permit_key", "key_encryption_key", "demo"}
    assert silent <= nobodys, f"name them in console.live.TOPICS, or here: {silent - nobodys}"


@pytest.mark.promise("CON-6")
def test_nothing_between_a_page_and_its_stream_is_missed() -> None:
    async def work() -> None:
        tail = FakeTail()
        live = Live(tail)
        tail.kinds += ["incident.opened"]
        page = await live.now()
        tail.kinds += ["action.decided"]
        stream = live.stream(page)
        await told(stream)
        assert (await told(stream))[0] == [(2, "approvals")]

    asyncio.run(work())


def test_a_page_is_made_although_the_ledger_does_not_answer() -> None:
    tail = FakeTail()
    tail.kinds += ["incident.opened"]
    live = Live(tail)
    assert asyncio.run(live.now()) == 1
    tail.broken = True
    assert asyncio.run(live.now()) == 0


@pytest.mark.promise("CON-6")
def test_what_was_told_is_not_told_again() -> None:
    async def work() -> None:
        tail = FakeTail()
        live = Live(tail)
        stream = live.stream(None)
        await told(stream)
        tail.kinds += ["action.decided"]
        await live.look()
        await told(stream)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.05)

    asyncio.run(work())


@pytest.mark.promise("SGN-1")
def test_a_stream_ends_when_its_session_is_over_and_stays_while_that_cannot_be_told() -> None:
    async def work() -> None:
        tail = FakeTail()
        live = Live(tail)
        said: list[bool | HandrailError] = [
            HandrailError(Code.JOURNAL_UNAVAILABLE, "the database does not answer"), True, False,
        ]  # fmt: skip

        async def still() -> bool:
            answer = said.pop(0)
            if isinstance(answer, HandrailError):
                raise answer
            return answer

        stream = live.stream(None, who="pe_1", still=still)
        await told(stream)
        for row in (1, 2):
            tail.kinds += ["session.ended"]
            await live.look()
            assert (await told(stream))[0] == [(row, "people")]
        tail.kinds += ["session.ended"]
        await live.look()
        with pytest.raises(StopAsyncIteration):
            await told(stream)
        assert live.streams == 0

    asyncio.run(work())


def test_one_person_has_a_few_streams_and_takes_nobody_elses() -> None:
    async def work() -> None:
        live = Live(FakeTail())
        streams = [live.stream(None, who="pe_1") for _ in range(MOST_OF_ONE)]
        for stream in streams:
            await told(stream)
        assert live.is_full("pe_1")
        assert not live.is_full("pe_2")
        await streams[0].aclose()
        assert not live.is_full("pe_1")

    asyncio.run(work())


def test_who_missed_very_much_hears_of_everything_and_the_ledger_is_not_counted() -> None:
    async def work() -> None:
        tail = FakeTail()
        tail.kinds += ["action.decided"] * (MOST_MISSED + 2)
        live = Live(tail)
        await live.now()
        looks = tail.looks
        stream = live.stream(1)
        assert {topic for _, topic in (await told(stream))[0]} == set(TOPICS)
        assert tail.looks <= looks + 1
        tail.kinds += ["alert.raised"]
        await live.look()
        assert (await told(stream))[0] == [(MOST_MISSED + 3, "alerts")]

    asyncio.run(work())


@pytest.mark.promise("CON-6")
@pytest.mark.parametrize("missed", [False, True])
def test_a_stream_says_nothing_for_a_while_after_it_said_something(missed: bool) -> None:
    async def work() -> None:
        tail = FakeTail()
        tail.kinds += ["action.decided"] * (MOST_MISSED + 10)
        live = Live(tail, gap_s=0.2)
        await live.look()
        stream = live.stream(1 if missed else None)
        await told(stream)
        if not missed:
            tail.kinds += ["action.decided"]
            await live.look()
            await told(stream)
        begun = asyncio.get_running_loop().time()
        tail.kinds += ["action.decided"]
        await live.look()
        await told(stream)
        assert asyncio.get_running_loop().time() - begun >= 0.19

    asyncio.run(work())
