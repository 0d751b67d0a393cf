"""What a hostile client, or one that another server would read differently, gets from the children's protocol."""

import asyncio
import contextlib
import gc
import weakref
from typing import Any

import pytest
from tests.fakes.http_site import GET, POST, Site, echo, play, whole

from handrail.app.http_protocol import MAX_HEADERS, MAX_WAITING

SMUGGLED = b"GET /secret HTTP/1.1\r\nhost: a\r\n\r\n"


@pytest.mark.parametrize(
    "bad",
    [
        b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5, 5\r\n\r\nhello",
        b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nhello",
        b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 0x5\r\n\r\nhello",
        b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\ng\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\na\n0\n\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhost: a\r\nx: 1\r\n folded: 2\r\n\r\n",
        b"GET /a HTTP/1.1\r\n host: a\r\n\r\n",
        b"GET /a HTTP/1.1\nhost: a\n\n",
        b"GET /a HTTP/1.1\r\nhost: a\nx: b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nhost: a\rx: b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nx y: 1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nx\x00y: 1\r\n\r\n",
        b"GET /a HTTP/1.1\r\nx: 1\x00\r\n\r\n",
        b"GET /a HTTP/1.1\r\n: 1\r\n\r\n",
        b"GET /a HTTP/3.7\r\n\r\n",
        b"GET /\x00a HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n",
        b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_two_parties_could_read_differently_is_refused_and_nothing_behind_it_is_read(bad: bytes) -> None:
    reached: list[str] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        reached.append(scope["path"])
        await echo(scope, receive, send)

    async def test(site: Site) -> None:
        reader, writer = await site.bare()
        writer.write(bad + SMUGGLED)
        answer = await reader.read()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") <= 1
        assert "/secret" not in reached

    async def quiet(scope: dict[str, Any], receive: Any, send: Any) -> None:
        with contextlib.suppress(AssertionError):
            await app(scope, receive, send)

    play(quiet, test)


def test_trailers_are_no_headers() -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope)
        await echo(scope, receive, send)

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(
            b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
            b"x-forwarded-for: 9.9.9.9\r\nauthorization: Bearer b\r\n\r\n"
        )
        assert (await answers.next()).body == b"POST /a  hi"
        assert seen[0]["headers"] == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]
        writer.write(GET)
        assert (await answers.next()).status == 200
        assert seen[1]["headers"] == [(b"host", b"a")]

    play(app, test)


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /a HTTP/1.1\r\nhost: a\r\nx: ",
        b"GET /",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
        b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;x=",
    ],
)
def test_a_head_without_an_end_is_refused_before_it_takes_much(begin: bytes) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        with contextlib.suppress(AssertionError):
            await echo(scope, receive, send)

    async def test(site: Site) -> None:
        reader, writer = await site.bare()
        writer.write(begin)
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                writer.write(b"x" * 65_536)
                await writer.drain()
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = await reader.read()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
        while site.state.connections:
            await asyncio.sleep(0)

    play(app, test)


def test_more_headers_or_more_waiting_requests_than_anybody_sends_are_refused() -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await asyncio.sleep(3_600 if scope["path"] == "/long" else 0)
        await whole(send, b"done")

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        head = b"GET /a HTTP/1.1\r\n" + b"a: b\r\n" * MAX_HEADERS
        writer.write(head + b"\r\n")
        assert (await answers.next()).body == b"done"
        writer.write(head + b"a: b\r\n\r\n")
        assert (await answers.next()).status == 400
        writer, answers = await site.client()
        writer.write(GET * (MAX_WAITING + 1))
        for _ in range(MAX_WAITING + 1):
            assert (await answers.next()).body == b"done"
        writer.write(b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n" + GET * (MAX_WAITING + 1))
        assert (await answers.next()).status == 0

    play(app, test)


@pytest.mark.parametrize("begin", [b"", b"GET /a HT", b"GET /a HTTP/1.1\r\nx: y\r\n"])
def test_a_client_that_does_not_finish_its_head_holds_no_connection(begin: bytes) -> None:
    async def test(site: Site) -> None:
        for before in (b"", GET):
            writer, answers = await site.client()
            if before:
                writer.write(before)
                assert (await answers.next()).status == 200
            for at in range(len(begin)):
                if not writer.is_closing():  # on a busy machine its time is over before the last letter
                    writer.write(begin[at : at + 1])
                await asyncio.sleep(0)
            assert (await answers.next()).status == 0
        assert not site.state.connections

    play(echo, test, keep_s=0.05)


def test_nonsense_behind_a_request_is_never_taken_for_its_answer() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"4")] if scope["path"] == "/known" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"on", "more_body": True})
        begun.set()
        await go.wait()
        await send({"type": "http.response.body", "body": b"ce"})

    async def test(site: Site) -> None:
        for path in (b"/known", b"/unknown"):
            reader, writer = await site.bare()
            writer.write(b"GET %b HTTP/1.1\r\nhost: a\r\n\r\n" % path)
            await begun.wait()
            begun.clear()
            writer.write(b"\x00\r\n\r\n")
            answer = await reader.read()
            assert answer.count(b"HTTP/1.1") == 1
            assert answer.endswith((b"on", b"on\r\n"))
        go.set()

    play(app, test)


def test_who_expected_100_continue_and_was_answered_without_it_cannot_send_its_body_as_a_request() -> None:
    reached: list[str] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        reached.append(scope["path"])
        await whole(send, b"no", status=401)

    async def test(site: Site) -> None:
        writer, answers = await site.client()
        length = len(SMUGGLED)
        writer.write(b"POST /a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n" % length)
        got = await answers.next()
        assert (got.status, got.headers["connection"]) == (401, "close")
        assert (await answers.next()).status == 0
        writer, answers = await site.client()
        writer.write(b"POST /b HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi")
        got = await answers.next()
        assert (got.status, "connection" in got.headers) == (401, False)
        writer.write(b"POST /c HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi")
        assert (await answers.next()).status == 401
        assert reached == ["/a", "/b", "/c"]

    play(app, test)


def test_old_clients_get_a_stream_without_chunks_that_ends_with_the_connection() -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"one", b"", b"two"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def test(site: Site) -> None:
        reader, writer = await site.bare()
        writer.write(b"GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        assert await reader.read() == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonetwo"

    play(app, test)


def test_what_follows_a_request_to_change_the_protocol_is_a_request() -> None:
    async def test(site: Site) -> None:
        writer, answers = await site.client()
        upgrade = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQ\r\n"
        one = b"POST /a HTTP/1.1\r\nhost: a\r\n" + upgrade + b"content-length: 5\r\n\r\nhello"
        writer.write(one + one + POST[:30])
        assert (await answers.next()).body == b"POST /a  hello"
        assert (await answers.next()).body == b"POST /a  hello"
        writer.write(POST[30:])
        assert (await answers.next()).body == b"POST /v1/chat  hello"
        head = b"POST /b HTTP/1.1\r\nhost: a\r\n" + upgrade
        writer.write(head + b"content-length: 0\r\n\r\n" + head + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert (await answers.next()).body == b"POST /b  "
        writer.write(b"0\r\n\r\n" + head + b"content-length: %d\r\n\r\n" % len(SMUGGLED))
        assert (await answers.next()).body == b"POST /b  abc"
        writer.write(SMUGGLED + b"GET /c HTTP/1.1\r\n" + upgrade + b"\r\n" + GET)
        assert (await answers.next()).body == b"POST /b  " + SMUGGLED
        assert (await answers.next()).body == b"GET /c  "
        assert (await answers.next()).body == b"GET /healthz  "

    play(echo, test)


def test_a_body_in_the_smallest_pieces_arrives_whole() -> None:
    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(
            b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 40_000 + b"0\r\n\r\n"
        )
        assert (await answers.next()).body == b"POST /a  " + b"x" * 40_000

    play(echo, test)


def test_nothing_of_a_connection_waits_for_the_collector() -> None:
    async def test(site: Site) -> None:
        writer, answers = await site.client()
        writer.write(GET)
        assert (await answers.next()).status == 200
        gone = weakref.ref(site.protocols.pop())
        writer.close()
        while site.state.connections:
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        assert gone() is None

    gc.collect()
    gc.disable()
    try:
        play(echo, test)
    finally:
        gc.enable()
