"""The protocol that the children speak, over real sockets: what a client may send, and what an application may do."""

import asyncio
from typing import Any

import pytest
import uvloop
from tests.fakes.http_site import GET, POST, Site, echo, play, whole

from handrail.app.http_protocol import ONE_PIECE


@pytest.mark.parametrize("loops", [uvloop.run, asyncio.run])
def test_a_connection_carries_one_request_after_the_other(loops: Any) -> None:
    async def test(site: Site) -> None:
        writer, answers = await site.client()
        for _ in range(3):
            writer.write(POST)
            got = await answers.next()
            assert (got.status, got.body) == (200, b"POST /v1/chat  hello")
        assert site.state.total_requests == 3
        assert not site.state.tasks
        assert len(site.state.connections) == 1

    play(echo, test, loops=loops)


def test_a_request_that_comes_byte_by_byte_is_the_same_request() -> None:
    async def test(site: Site) -> None:
        writer, answers = await site.client()
        for at in range(len(POST)):
            writer.write(POST[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await answers.next()).body == b"POST /v1/chat  hello"

    play(echo, test)


def test_a_body_in_chunks_and_one_beyond_the_high_water_mark_arrive_whole() -> None:
    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(
            b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        assert (await answers.next()).body == b"POST /a  abcde"
        body = bytes(range(256)) * 8_192
        writer.write(b"POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        assert (await answers.next()).body == b"POST /b  " + body

    play(echo, test)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/v1/a-b_c.d", "/v1/a-b_c.d", ""),
        ("/", "/", ""),
        ("/a/?x=1&y=%20", "/a/", "x=1&y=%20"),
        ("/a%20b/%2e", "/a b/.", ""),
        ("//a/b", "//a/b", ""),
        ("http://elsewhere:80/a/b?q", "/a/b", "q"),
    ],
)
def test_path_and_query_are_told_apart_and_the_path_is_decoded(target: str, path: str, query: str) -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope)
        await whole(send, b"")

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nx-two: 2\r\n\r\n".encode())
        assert (await answers.next()).status == 200
        assert (seen[0]["path"], seen[0]["query_string"].decode()) == (path, query)
        assert seen[0]["headers"] == [(b"host", b"a"), (b"x-two", b"1"), (b"x-two", b"2")]
        assert seen[0]["client"][0] == "127.0.0.1"
        assert (seen[0]["scheme"], seen[0]["http_version"], seen[0]["method"]) == ("http", "1.1", "GET")

    play(app, test)


def test_requests_sent_before_their_answers_are_answered_in_order_one_at_a_time() -> None:
    running: list[str] = []
    most: list[int] = []
    begun, go = asyncio.Event(), asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        running.append(scope["path"])
        most.append(len(running))
        begun.set()
        await go.wait()
        running.remove(scope["path"])
        await whole(send, scope["path"].encode())

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % number for number in range(4)))
        await begun.wait()
        go.set()
        assert [(await answers.next()).body for _ in range(4)] == [b"/0", b"/1", b"/2", b"/3"]
        assert most == [1, 1, 1, 1]

    play(app, test)


def test_old_clients_and_those_who_ask_for_it_see_the_connection_end() -> None:
    async def test(site: Site) -> None:
        for request in (
            b"GET /a HTTP/1.0\r\n\r\n",
            b"GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        ):
            writer, answers = await site.client()
            writer.write(request)
            got = await answers.next()
            assert (got.status, got.headers["connection"]) == (200, "close")
            assert (await answers.next()).status == 0

    play(echo, test)


def test_what_is_no_http_is_refused_and_the_connection_ends() -> None:
    async def test(site: Site) -> None:
        for bad in (b"hello\r\n\r\n", b"GET /a HTTP/1.1\r\nhost : a\r\n\r\n", b"GET a b HTTP/1.1\r\n\r\n"):
            writer, answers = await site.client()
            writer.write(bad)
            assert (await answers.next()).status == 400
            assert (await answers.next()).status == 0

    play(echo, test)


def test_who_expects_100_continue_is_told_once_to_go_on_when_the_body_is_read() -> None:
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            got.put_nowait(message["body"])
            more = message["more_body"]
        await whole(send, b"done")

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(b"POST /a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert (await answers.next(bodiless=True)).status == 100
        writer.write(b"h")
        assert await got.get() == b"h"
        writer.write(b"i")
        assert await got.get() == b"i"
        assert (await answers.next()).body == b"done"

    play(app, test)


def test_an_answer_of_known_length_leaves_in_one_write_and_a_stream_piece_by_piece() -> None:
    next_piece = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/whole":
            await whole(send, b"hello")
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        for piece in (b"one", b"", b"two"):
            await next_piece.wait()
            next_piece.clear()
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def test(site: Site) -> None:
        reader, writer = await site.bare()
        writer.write(b"GET /whole HTTP/1.1\r\nhost: a\r\n\r\n")
        assert await reader.read(65_536) == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
        writer.write(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
        assert await reader.read(65_536) == head  # before a byte of the body is there
        next_piece.set()
        assert await reader.read(65_536) == b"3\r\none\r\n"
        next_piece.set()
        while next_piece.is_set():
            await asyncio.sleep(0)
        next_piece.set()
        assert await reader.readexactly(13) == b"3\r\ntwo\r\n0\r\n\r\n"

    play(app, test)


@pytest.mark.parametrize("size", [0, 1, ONE_PIECE, ONE_PIECE + 1, 4_000_000])
def test_an_answer_of_any_size_arrives_whole(size: int) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await whole(send, b"x" * size)

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        for _ in range(2):
            writer.write(GET)
            assert len((await answers.next()).body) == size

    play(app, test)


def test_heads_without_a_body_are_heads_alone() -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["method"] == "HEAD":
            await whole(send, b"hello")
        else:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(b"HEAD /a HTTP/1.1\r\nhost: a\r\n\r\n")
        got = await answers.next(bodiless=True)
        assert (got.status, got.headers) == (200, {"content-length": "5"})
        writer.write(GET)
        got = await answers.next(bodiless=True)
        assert (got.status, got.headers) == (204, {})
        writer.write(b"HEAD /a HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await answers.next(bodiless=True)).status == 200

    play(app, test)


@pytest.mark.parametrize(
    "header",
    [(b"x-a\r\nset-cookie", b"1"), (b"x a", b"1"), (b"x-a", b"1\r\nset-cookie: b"), (b"x-a", b"1\x00"), (b"x:", b"1")],
)
def test_a_header_that_could_split_the_response_is_never_sent(header: tuple[bytes, bytes]) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await whole(send, b"hello", more=(header,))

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(GET)
        got = await answers.next()
        assert (got.status, got.body) == (500, b"Internal Server Error")
        assert (await answers.next()).status == 0

    play(app, test)


def test_a_body_of_another_length_than_promised_is_never_passed_off_as_whole() -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hi" if scope["path"] == "/short" else b"hello!"})

    async def test(site: Site) -> None:
        for path in (b"/short", b"/long"):
            writer, answers = await site.client()
            writer.write(b"GET %b HTTP/1.1\r\nhost: a\r\n\r\n" % path)
            assert (await answers.next()).status == 0

    play(app, test)


def test_an_application_that_fails_or_says_nothing_is_a_500_and_later_a_broken_answer() -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/silent":
            return
        if scope["path"] == "/begun":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("no")

    async def test(site: Site) -> None:
        for path in (b"/silent", b"/fails"):
            writer, answers = await site.client()
            writer.write(b"GET %b HTTP/1.1\r\nhost: a\r\n\r\n" % path)
            assert (await answers.next()).status == 500
        reader, writer = await site.bare()
        writer.write(b"GET /begun HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\n")  # a chunked body without its end
        assert not site.state.tasks

    play(app, test)


def test_the_application_hears_at_once_that_the_client_left_pipelined_requests_or_not() -> None:
    heard: list[str] = []
    begun, done = asyncio.Event(), asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        begun.set()
        heard.append((await receive())["type"])
        await whole(send, b"to nobody")
        done.set()

    async def test(site: Site) -> None:
        for request in (GET, GET + GET):
            writer, _ = await site.client()
            writer.write(request)
            await begun.wait()
            writer.close()
            await done.wait()
            begun.clear()
            done.clear()
        assert heard == ["http.disconnect", "http.disconnect"]

    play(app, test)


def test_after_its_answer_the_application_hears_that_the_exchange_is_over() -> None:
    heard: list[str] = []
    over = asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        listening = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await whole(send, b"x")
        heard.append((await listening)["type"])
        heard.append((await receive())["type"])
        over.set()

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(GET)
        assert (await answers.next()).status == 200
        await over.wait()
        assert heard == ["http.disconnect", "http.disconnect"]

    play(app, test)


def test_a_client_that_does_not_read_holds_the_application_back() -> None:
    most, piece = 500, b"x" * 65_536
    sent: list[int] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"%d" % (most * len(piece))), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number in range(most):
            await send({"type": "http.response.body", "body": piece, "more_body": number + 1 < most})
            sent.append(number)

    async def test(site: Site) -> None:
        reader, writer = await site.bare()
        writer.write(GET)
        while not (site.protocols and site.protocols[0].flow.write_paused):
            await asyncio.sleep(0)
        held = len(sent)
        assert held < most
        await asyncio.sleep(0)
        assert len(sent) == held
        size = 0
        while data := await reader.read(1 << 20):
            size += len(data)
        assert size - most * len(piece) in range(1, 200)  # and the head

    play(app, test)


def test_a_connection_that_idles_is_closed_and_one_that_works_is_not() -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await asyncio.sleep(0.3)
        await whole(send, b"done")

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        now = asyncio.get_running_loop().time
        writer.write(GET)
        await answers.next()
        writer.write(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await answers.next()).body == b"done"  # three times as long as it may idle
        began = now()
        assert (await answers.next()).status == 0
        assert now() - began >= 0.09
        assert not site.state.connections

    play(app, test, keep_s=0.1)


def test_shutting_down_closes_what_idles_and_lets_what_runs_end() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            begun.set()
            await go.wait()
        await whole(send, b"done")

    async def test(site: Site) -> None:
        idle, idle_answers = await site.client()
        idle.write(GET)
        await idle_answers.next()
        busy, busy_answers = await site.client()
        busy.write(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        await begun.wait()
        for protocol in site.protocols:
            protocol.shutdown()
        assert (await idle_answers.next()).status == 0
        go.set()
        got = await busy_answers.next()
        assert (got.body, got.headers["connection"]) == (b"done", "close")
        assert (await busy_answers.next()).status == 0
        assert not site.state.connections

    play(app, test)


def test_a_request_to_change_the_protocol_is_answered_as_it_stands() -> None:
    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(b"GET /a HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        assert (await answers.next()).body == b"GET /a  "

    play(echo, test)
