"""What only our own client promises: doubtful bytes between answers, its kept connections, its buffers."""

import asyncio
import gc
import tracemalloc

import pytest

from handrail.backends.egress import Egress, parse_url, system_resolve
from handrail.backends.upstream.pool import HttpPool
from handrail.backends.upstream.request import Addressing
from handrail.terms.errors import Code, HandrailError


async def refusal(awaitable) -> HandrailError:
    with pytest.raises(HandrailError) as caught:
        await awaitable
    return caught.value


@pytest.mark.promise("UPS-7")
@pytest.mark.parametrize("late", [False, True])
def test_a_forged_answer_sent_ahead_is_never_taken_for_the_next_one(own, late: bool) -> None:
    forged = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"

    async def handler(call) -> None:
        await call.answer(b"%d" % call.number)
        if call.number == 1:
            if late:
                await asyncio.sleep(0.02)
            await call.send(forged)

    async def test(model, site) -> None:
        answer = await model.send(site.ask())
        if late:
            assert await answer.read() == b"1"
            await asyncio.sleep(0.06)
        answer = await model.send(site.ask())
        assert await answer.read() == b"2"
        assert site.connections == 2

    own.play(handler, test)


@pytest.mark.promise("UPS-7")
def test_an_answer_with_bytes_behind_its_end_is_refused(own) -> None:
    async def handler(call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await call.until_client_leaves()

    async def test(model, site) -> None:
        async def ask() -> None:
            await (await model.send(site.ask())).read()

        assert (await refusal(ask())).code is Code.UPSTREAM_INVALID

    own.play(handler, test)


@pytest.mark.parametrize("coding", ["gzip, chunked", "chunked, chunked", "identity", "Chunked , gzip"])
def test_another_transfer_coding_than_chunked_is_refused(own, coding: str) -> None:
    async def handler(call) -> None:
        await call.send(f"HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n".encode())
        await call.until_client_leaves()

    async def test(model, site) -> None:
        async def ask() -> None:
            await (await model.send(site.ask(first_byte_timeout_ms=500, idle_timeout_ms=500))).read()

        assert (await refusal(ask())).code is Code.UPSTREAM_INVALID

    own.play(handler, test)


def test_endless_interim_answers_are_refused(own) -> None:
    async def handler(call) -> None:
        for _ in range(20):
            await call.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        await call.until_client_leaves()

    async def test(model, site) -> None:
        assert (await refusal(model.send(site.ask()))).code is Code.UPSTREAM_INVALID

    own.play(handler, test)


def test_a_head_that_dribbles_in_does_not_outlive_the_first_byte_limit(own) -> None:
    async def handler(call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await asyncio.sleep(0.01)
            await call.send(b"x-a: 1\r\n")

    async def test(model, site) -> None:
        error = await refusal(asyncio.wait_for(model.send(site.ask(first_byte_timeout_ms=80)), 1))
        assert error.code is Code.UPSTREAM_TIMEOUT

    own.play(handler, test)


def test_every_split_of_a_stream_gives_the_same_bytes(own) -> None:
    raw = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nkeep-alive: timeout=9\r\n"
        b"\r\n9\r\ndata: 1\n\n\r\na;ext=1\r\ndata: 22\n\n\r\n0\r\nx-trailer: t\r\n\r\n"
    )

    async def handler(call) -> None:
        cut = int(call.headers["x-cut"])
        await call.send(raw[:cut])
        await asyncio.sleep(0.002)
        await call.send(raw[cut:])

    async def test(model, site) -> None:
        async def one(cut: int) -> bytes:
            request = site.ask(stream=True)
            answer = await model.send(type(request)(
                provider=request.provider, path=request.path, body=b"{}", stream=True, headers=(("x-cut", str(cut)),)
            ))  # fmt: skip
            assert "x-trailer" not in dict(answer.headers)
            return b"".join([piece async for piece in answer.chunks()])

        answers = await asyncio.gather(*(one(cut) for cut in range(1, len(raw))))
        assert set(answers) == {b"data: 1\n\ndata: 22\n\n"}
        assert len(answers) == len(raw) - 1

    own.play(handler, test)


def test_kept_connections_are_reused_newest_first_and_dead_ones_are_forgotten(own) -> None:
    go_on = asyncio.Event()

    async def handler(call) -> None:
        if call.number <= 3:
            await go_on.wait()
        await call.answer(b"%d" % call.connection)

    async def test(model, site) -> None:
        async def ask() -> bytes:
            return await (await model.send(site.ask())).read()

        tasks = [asyncio.create_task(ask()) for _ in range(3)]
        while len(site.calls) < 3:
            await asyncio.sleep(0.001)
        go_on.set()
        await asyncio.gather(*tasks)
        newest = await ask()
        assert {await ask() for _ in range(4)} == {newest}
        for call in site.calls[:3]:
            call.writer.close()
        await asyncio.sleep(0.03)
        assert await ask() == b"4"
        assert site.connections == 4

    own.play(handler, test)


def test_the_servers_own_word_on_how_long_it_keeps_a_connection_is_heeded(own) -> None:
    async def handler(call) -> None:
        await call.answer(b"{}", headers=("keep-alive: timeout=1, max=5",))

    async def test(model, site) -> None:
        for _ in range(2):
            await (await model.send(site.ask())).read()
        assert site.connections == 2  # a second of grace leaves nothing of one second

    own.play(handler, test)


def test_many_calls_leave_no_memory_behind(own) -> None:
    async def handler(call) -> None:
        call_site.calls.clear()
        await call.answer(b"x" * 1000)

    call_site = None

    async def test(model, site) -> None:
        nonlocal call_site
        call_site = site

        async def batch(count: int) -> int:
            for _ in range(count):
                await (await model.send(site.ask())).read()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = await batch(300)
            after = await batch(1500)
        finally:
            tracemalloc.stop()
        assert after - before < 40_000

    own.play(handler, test)


def test_closing_the_client_ends_running_calls_with_an_error(own) -> None:
    async def handler(call) -> None:
        await call.start_stream()
        await call.chunk(b"a")
        await call.until_client_leaves()

    async def test(model, site) -> None:
        answer = await model.send(site.ask(stream=True))
        stream = answer.chunks()
        assert await anext(stream) == b"a"
        waiting = asyncio.create_task(refusal(anext(stream)))
        await asyncio.sleep(0.01)
        await model.close()
        assert (await waiting).code is Code.UPSTREAM_ERROR

    own.play(handler, test)


def test_an_answer_nobody_reads_nor_closes_does_not_hold_its_place_for_good(own) -> None:
    left = asyncio.Event()

    async def handler(call) -> None:
        try:
            await call.start_stream()
            for _ in range(64):
                await call.chunk(b"0" * 1024 * 1024)
        finally:
            left.set()

    async def test(model, site) -> None:
        provider, origin = site.provider(), parse_url(site.provider().base_url)[0]
        egress = Egress(resolve=system_resolve, published=lambda: {origin}, monotonic=lambda: 0.0)
        pool = HttpPool(Addressing(provider, lambda _: "k"), egress)
        answer = await pool.exchange(site.ask(stream=True), fresh=False)
        await asyncio.sleep(0.05)
        now = asyncio.get_running_loop().time()
        pool.sweep(now + provider.idle_timeout_ms / 1000 + 299)
        assert not answer.ended
        pool.sweep(now + provider.idle_timeout_ms / 1000 + 301)
        assert answer.ended
        await asyncio.wait_for(left.wait(), 1)

    own.play(handler, test)


def test_an_idle_connection_is_closed_after_its_time(own) -> None:
    async def handler(call) -> None:
        await call.answer(b"{}")
        await call.until_client_leaves()
        gone.set()

    gone = asyncio.Event()

    async def test(model, site) -> None:
        origin = parse_url(site.provider().base_url)[0]
        egress = Egress(resolve=system_resolve, published=lambda: {origin}, monotonic=lambda: 0.0)
        pool = HttpPool(Addressing(site.provider(), lambda _: "k"), egress)
        await (await pool.exchange(site.ask(), fresh=False)).read()
        pool.sweep(asyncio.get_running_loop().time() + 29)
        await asyncio.sleep(0.01)
        assert not gone.is_set()
        pool.sweep(asyncio.get_running_loop().time() + 31)
        await asyncio.wait_for(gone.wait(), 1)

    own.play(handler, test)
