"""The client's two transports against a server that answers badly; the same cases for both."""

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from handrail_client.exchange import Reply, Request
from handrail_client.transport import MOST, Address, AsyncHttpTransport, HttpTransport

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}"
UNTIL_THE_END = b"HTTP/1.0 200 OK\r\n\r\nall of it"
BUSY = b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\nx-should-retry: false\r\ncontent-length: 0\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"
HALF_CHUNK = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n50\r\nhalf"
NOT_HTTP = b"220 mail.example ESMTP\r\n"
NOTHING = b""

Send = Callable[[str, Request, float], Reply]


def whole(connection: socket.socket) -> bytes:
    """A request with its body."""
    seen = b""
    while True:
        seen += connection.recv(65_536)
        head, found, body = seen.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        if found and len(body) >= (int(length[1]) if length else 0):
            return seen


@contextmanager
def answering(data: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """One connection: what it was sent is kept, `data` is answered, then it is closed; None: it never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []
    done = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            asked.append(whole(connection))  # what is left unread would reset the connection
            if data is None:
                done.wait(10)
                return
            try:
                connection.sendall(data)
            except OSError:  # the client has enough
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/below/v1", asked
    finally:
        done.set()
        thread.join(10)
        server.close()


def blocking(url: str, request: Request, timeout_s: float) -> Reply:
    return HttpTransport(Address(url, "hr_x")).send(request, timeout_s)


def awaited(url: str, request: Request, timeout_s: float) -> Reply:
    return asyncio.run(AsyncHttpTransport(Address(url, "hr_x")).send(request, timeout_s))


both = pytest.mark.parametrize("send", [blocking, awaited])


@both
@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (CHUNKED, Reply(200, b"hello, world")),
        (CONTINUED, Reply(202, b"{}")),
        (UNTIL_THE_END, Reply(200, b"all of it")),
        (BUSY, Reply(503, b"", "7", final=True)),
    ],
)
def test_every_way_of_ending_an_answer_is_understood(send: Send, data: bytes, reply: Reply) -> None:
    with answering(data) as (url, asked):
        assert send(url, Request("POST", "/api/v1/x", b'{"a":1}'), 5) == reply
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /below/api/v1/x HTTP/1.1\r\n")
    assert b"authorization: bearer hr_x" in head.lower()
    assert head.lower().count(b"host: ") == head.lower().count(b"content-length: 7") == 1
    assert body == b'{"a":1}'


@both
@pytest.mark.parametrize("data", [HALF, HALF_CHUNK, NOT_HTTP, NOTHING])
def test_half_an_answer_or_none_is_no_answer(send: Send, data: bytes) -> None:
    with answering(data) as (url, _), pytest.raises(OSError, match=r"."):
        send(url, Request("GET", "/x"), 5)


@both
def test_a_server_that_says_nothing_is_given_up_after_the_time_out(send: Send) -> None:
    with answering(None) as (url, _), pytest.raises(TimeoutError):
        send(url, Request("GET", "/x"), 0.2)


def test_an_answer_without_an_end_is_cut_off() -> None:
    with answering(UNTIL_THE_END + b"x" * (MOST + 1)) as (url, _), pytest.raises(OSError, match="larger than"):
        awaited(url, Request("GET", "/x"), 20)


@pytest.mark.parametrize("url", ["handrail.example:8080", "ftp://handrail.example", "http://", ""])
def test_what_is_no_address_is_said_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="base_url must look like"):
        Address(url, "hr_x")
