"""One suite over both clients: what the model port promises, against a real server on this machine."""

import asyncio
import gzip
import zlib

import msgspec
import pytest

from handrail.policy.ruleset import Dialect
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ProviderId

MIB = 1024 * 1024


async def refusal(awaitable) -> HandrailError:
    with pytest.raises(HandrailError) as caught:
        await awaitable
    return caught.value


async def pieces(answer) -> list[bytes]:
    return [piece async for piece in answer.chunks()]


async def eventually(condition) -> None:
    """Give the loop turns until `condition()` holds; the bench's own limit ends a wait for nothing."""
    while not condition():
        await asyncio.sleep(0.001)


def test_a_request_goes_out_and_its_answer_comes_back_on_a_kept_connection(bench) -> None:
    async def handler(call) -> None:
        await call.answer(b'{"ok":true}', headers=("X-Request-Id: r1",))

    async def test(model, site) -> None:
        for turn in (1, 2):
            answer = await model.send(site.ask(b'{"model":"m"}'))
            assert (answer.status, answer.attempts) == (200, 1)
            assert ("x-request-id", "r1") in answer.headers
            assert await answer.read() == b'{"ok":true}'
            call = site.calls[turn - 1]
            assert (call.method, call.target, call.body) == ("POST", "/v1/chat/completions", b'{"model":"m"}')
            assert call.headers["authorization"] == f"Bearer {bench.secret}"
            assert call.headers["accept-encoding"] == "identity"
        assert site.connections == 1

    bench.play(handler, test)


def test_a_stream_comes_piece_by_piece_as_the_provider_sends_it(bench) -> None:
    go_on = asyncio.Event()

    async def handler(call) -> None:
        await call.start_stream()
        await call.chunk(b"data: 1\n\n")
        await go_on.wait()
        await call.chunk(b"data: 2\n\n")
        await call.end_stream()

    async def test(model, site) -> None:
        answer = await model.send(site.ask(stream=True))
        stream = answer.chunks()
        assert await anext(stream) == b"data: 1\n\n"
        go_on.set()
        assert await anext(stream) == b"data: 2\n\n"
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert site.calls[0].headers["accept"] == "text/event-stream"

    bench.play(handler, test)


@pytest.mark.promise("UPS-1")
def test_each_dialect_gets_its_secret_where_it_looks_for_it_and_nothing_of_the_clients(bench) -> None:
    async def handler(call) -> None:
        await call.answer(b"{}")

    async def test(model, site) -> None:
        forged = (("authorization", "Bearer forged"), ("host", "evil.example"), ("x-api-key", "forged"))
        asks = [
            site.ask(),
            site.ask(id=ProviderId("claude"), dialect=Dialect.ANTHROPIC),
            site.ask(id=ProviderId("azure"), dialect=Dialect.AZURE, api_version="2025-04-01-preview"),
            site.ask(id=ProviderId("local"), key_env=None),
        ]
        for ask in asks:
            await (await model.send(msgspec.structs.replace(ask, headers=(*forged, ("x-beta", "b"))))).read()
        openai, claude, azure, local = site.calls
        assert openai.headers["authorization"] == f"Bearer {bench.secret}"
        assert (claude.headers["x-api-key"], claude.headers["anthropic-version"]) == (bench.secret, "2023-06-01")
        assert azure.headers["api-key"] == bench.secret
        assert azure.target == "/v1/chat/completions?api-version=2025-04-01-preview"
        assert not {"authorization", "x-api-key", "api-key"} & local.headers.keys()
        for call in site.calls:
            assert call.headers["x-beta"] == "b"
            assert call.headers["host"] == f"localhost:{site.port}"
            assert "forged" not in repr(call.headers)

    bench.play(handler, test)


def test_a_header_or_path_that_could_split_the_request_is_refused_before_anything_is_sent(bench) -> None:
    async def handler(call) -> None:
        await call.answer(b"{}")

    async def test(model, site) -> None:
        ask = site.ask()
        for headers in ((("x-a", "1\r\nx-b: 2"),), (("x a", "1"),), (("x-a", "nul\0"),)):
            error = await refusal(model.send(msgspec.structs.replace(ask, headers=headers)))
            assert error.code is Code.REQUEST_INVALID
        for path in ("/a b", "/a\r\nx: y", "chat", "//evil", "/../admin", "/a/%2e%2e/b", "/a#b"):
            error = await refusal(model.send(msgspec.structs.replace(ask, path=path)))
            assert error.code is Code.REQUEST_INVALID
        assert site.connections == 0

    bench.play(handler, test)


def test_a_method_without_a_body_and_an_answer_without_one(bench) -> None:
    async def handler(call) -> None:
        if call.method == "GET":
            await call.answer(b'{"data":[]}')
        else:
            await call.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def test(model, site) -> None:
        for method, status, body in (("DELETE", 204, b""), ("GET", 200, b'{"data":[]}')):
            ask = msgspec.structs.replace(site.ask(b""), method=method, path="/models")
            answer = await model.send(ask)
            assert (answer.status, await answer.read()) == (status, body)
        assert site.connections == 1

    bench.play(handler, test)


# time limits


@pytest.mark.promise("UPS-2")
def test_a_provider_that_sends_no_first_byte_in_time_is_left(bench) -> None:
    left = []

    async def handler(call) -> None:
        await call.until_client_leaves()
        left.append(call.number)

    async def test(model, site) -> None:
        error = await refusal(model.send(site.ask(first_byte_timeout_ms=60)))
        assert error.code is Code.UPSTREAM_TIMEOUT
        await eventually(lambda: left == [1])
        assert bench.pauses == []

    bench.play(handler, test)


@pytest.mark.promise("UPS-2")
@pytest.mark.parametrize("whole", [False, True])
def test_a_provider_that_falls_silent_in_the_middle_is_left_after_what_came_was_given_on(bench, whole: bool) -> None:
    left = []

    async def handler(call) -> None:
        await call.start_stream()
        await call.chunk(b"data: 1\n\n")
        await call.until_client_leaves()
        left.append(call.number)

    async def test(model, site) -> None:
        answer = await model.send(site.ask(stream=not whole, idle_timeout_ms=60))
        if whole:
            error = await refusal(answer.read())
        else:
            stream = answer.chunks()
            assert await anext(stream) == b"data: 1\n\n"
            error = await refusal(anext(stream))
        assert error.code is Code.UPSTREAM_TIMEOUT
        await eventually(lambda: left == [1])

    bench.play(handler, test)


def test_a_slow_but_steady_stream_is_not_cut(bench) -> None:
    async def handler(call) -> None:
        await call.start_stream()
        for _ in range(8):
            await asyncio.sleep(0.03)
            await call.chunk(b"x")
        await call.end_stream()

    async def test(model, site) -> None:
        answer = await model.send(site.ask(stream=True, idle_timeout_ms=120, first_byte_timeout_ms=120))
        assert b"".join(await pieces(answer)) == b"x" * 8

    bench.play(handler, test)


# what breaks off, and what is not HTTP


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("whole", [False, True])
def test_an_answer_that_breaks_off_is_an_error_not_a_short_answer(bench, framing: str, whole: bool) -> None:
    async def handler(call) -> None:
        if framing == "chunks":
            await call.start_stream()
            await call.chunk(b"part")
        else:
            await call.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
        call.hang_up()

    async def test(model, site) -> None:
        answer = await model.send(site.ask())
        error = await refusal(answer.read() if whole else pieces(answer))
        assert error.code is Code.UPSTREAM_ERROR
        assert len(site.calls) == 1  # bytes were given on: no second try

    bench.play(handler, test)


@pytest.mark.promise("UPS-7")
@pytest.mark.parametrize(
    "raw",
    [
        b"garbage, no protocol\r\n\r\n",
        b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
        b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-big: " + b"a" * 100_000 + b"\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"x-many: a\r\n" * 300 + b"content-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nbad header\r\ncontent-length: 2\r\n\r\n{}",
    ],
    ids=["garbage", "version", "two-lengths", "negative", "length-and-chunks", "bad-chunk", "upgrade", "huge-header",
         "many-headers", "no-colon"],
)  # fmt: skip
def test_what_two_parties_could_read_differently_is_refused(bench, raw: bytes) -> None:
    async def handler(call) -> None:
        await call.send(raw)
        await call.until_client_leaves()

    async def test(model, site) -> None:
        async def ask() -> None:
            await (await model.send(site.ask(idle_timeout_ms=500, first_byte_timeout_ms=500))).read()

        error = await refusal(ask())
        assert error.code is Code.UPSTREAM_INVALID
        assert len(site.calls) == 1

    bench.play(handler, test)


def test_interim_answers_are_passed_over(bench) -> None:
    async def handler(call) -> None:
        await call.send(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        await call.answer(b"{}", headers=("x-final: yes",))

    async def test(model, site) -> None:
        for _ in range(2):
            answer = await model.send(site.ask())
            assert (answer.status, await answer.read()) == (200, b"{}")
            assert "link" not in dict(answer.headers)
        assert site.connections == 1

    bench.play(handler, test)


def test_a_body_that_ends_with_its_connection_is_read_to_the_end(bench) -> None:
    async def handler(call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", b"to the ", b"end")
        call.hang_up()

    async def test(model, site) -> None:
        for _ in range(2):
            assert await (await model.send(site.ask())).read() == b"to the end"
        assert site.connections == 2

    bench.play(handler, test)


def test_a_connection_the_provider_wants_closed_is_not_used_again(bench) -> None:
    async def handler(call) -> None:
        await call.answer(b"{}", headers=("connection: close",))

    async def test(model, site) -> None:
        for _ in range(2):
            assert await (await model.send(site.ask())).read() == b"{}"
        assert site.connections == 2

    bench.play(handler, test)


# coding and size


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("whole", [False, True])
def test_a_compressed_body_is_decoded_although_it_was_not_asked_for(bench, coding: str, whole: bool) -> None:
    text = b'{"a":"' + b"long " * 200_000 + b'"}'
    data = gzip.compress(text) if coding == "gzip" else zlib.compress(text)

    async def handler(call) -> None:
        await call.answer(data, headers=(f"content-encoding: {coding}",))

    async def test(model, site) -> None:
        answer = await model.send(site.ask())
        assert not {"content-encoding", "content-length"} & dict(answer.headers).keys()
        assert (await answer.read() if whole else b"".join(await pieces(answer))) == text

    bench.play(handler, test)


@pytest.mark.promise("UPS-7")
def test_a_compressed_body_that_is_damaged_unknown_or_a_bomb_is_refused(bench) -> None:
    bomb = gzip.compress(b"0" * (33 * MIB))
    answers = [(b"not gzip", "gzip"), (b"xx", "br"), (bomb, "gzip"), (gzip.compress(b"cut short")[:-9], "gzip")]

    async def handler(call) -> None:
        data, coding = answers[call.number - 1]
        await call.answer(data, headers=(f"content-encoding: {coding}",))

    async def test(model, site) -> None:
        for expected in (Code.UPSTREAM_INVALID, Code.UPSTREAM_INVALID, Code.UPSTREAM_INVALID, Code.UPSTREAM_ERROR):

            async def ask() -> None:
                await (await model.send(site.ask())).read()

            assert (await refusal(ask())).code is expected

    bench.play(handler, test)


@pytest.mark.promise("UPS-7")
def test_a_body_larger_than_32_mib_is_refused_and_the_connection_closed(bench) -> None:
    left = []

    async def handler(call) -> None:
        try:
            await call.start_stream()
            for _ in range(36):
                await call.chunk(b"0" * MIB)
            await call.until_client_leaves()
        finally:
            left.append(1)

    async def test(model, site) -> None:
        answer = await model.send(site.ask())
        assert (await refusal(answer.read())).code is Code.UPSTREAM_INVALID
        await eventually(lambda: left)

    bench.play(handler, test)


@pytest.mark.promise("UPS-6")
def test_a_reader_that_does_not_read_holds_the_provider_back_and_loses_nothing(bench) -> None:
    sent = 0

    async def handler(call) -> None:
        nonlocal sent
        await call.start_stream()
        for _ in range(64):
            await call.chunk(b"0" * MIB)
            sent += 1
        await call.end_stream()

    async def test(model, site) -> None:
        answer = await model.send(site.ask(stream=True, idle_timeout_ms=100))
        before = -1
        while before != sent or not sent:
            before = sent
            await asyncio.sleep(0.15)  # longer than the idle limit: a pause of ours is not the provider's silence
        assert sent <= 16  # the sockets' buffers, ours, and the server's
        assert sum([len(piece) async for piece in answer.chunks()]) == 64 * MIB

    bench.play(handler, test)


def test_a_large_request_body_arrives_whole(bench) -> None:
    async def handler(call) -> None:
        await call.answer(str(len(call.body)).encode())

    async def test(model, site) -> None:
        body = b'{"a":"' + b"x" * 4 * MIB + b'"}'
        assert await (await model.send(site.ask(body))).read() == str(len(body)).encode()
        assert site.calls[0].body == body

    bench.play(handler, test)


# cancelling


@pytest.mark.promise("UPS-5")
@pytest.mark.parametrize("moment", ["before the head", "reading whole", "in the stream", "between reads"])
def test_when_the_caller_leaves_the_connection_to_the_provider_closes_at_once(bench, moment: str) -> None:
    left = asyncio.Event()

    async def handler(call) -> None:
        if moment != "before the head":
            await call.start_stream()
            await call.chunk(b"data: 1\n\n")
        await call.until_client_leaves()
        left.set()

    async def test(model, site) -> None:
        ask = site.ask(stream=True, max_in_flight=1, max_waiting=0)

        async def read() -> None:
            answer = await model.send(ask)
            if moment == "reading whole":
                await answer.read()
            async for _ in answer.chunks():
                if moment == "between reads":
                    await answer.close()
                    return

        task = asyncio.create_task(read())
        await eventually(lambda: site.calls)
        if moment == "between reads":
            await task
        else:
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.wait_for(left.wait(), 1)
        task = asyncio.create_task(model.send(ask))  # the place is free again
        await eventually(lambda: len(site.calls) == 2)
        task.cancel()
        for answer in await asyncio.gather(task, return_exceptions=True):
            if not isinstance(answer, asyncio.CancelledError):
                await answer.close()

    bench.play(handler, test)


def test_reading_on_after_closing_is_an_error_not_an_empty_answer(bench) -> None:
    async def handler(call) -> None:
        await call.start_stream()
        await call.chunk(b"data: 1\n\n")
        await call.until_client_leaves()

    async def test(model, site) -> None:
        answer = await model.send(site.ask(stream=True))
        await answer.close()
        assert (await refusal(answer.read())).code is Code.UPSTREAM_ERROR

    bench.play(handler, test)


def test_a_provider_whose_address_was_published_anew_is_called_at_the_new_one(bench) -> None:
    async def handler(call) -> None:
        await call.answer(b"{}")

    async def test(model, site) -> None:
        await (await model.send(site.ask())).read()
        await (await model.send(site.ask(base_url=f"http://localhost:{site.port}/v2"))).read()
        assert [call.target for call in site.calls] == ["/v1/chat/completions", "/v2/chat/completions"]

    bench.play(handler, test)
