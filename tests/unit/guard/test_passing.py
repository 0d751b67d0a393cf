"""What is handed on outside of the task: nothing is lost, doubled or overtaken, and what goes wrong is raised in it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from handrail.backends.upstream.connection import Connection, HttpAnswer
from handrail.guard.lane import Stop
from handrail.guard.passing import Passing

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Pool:
    """Keeps nothing."""

    def free(self, connection: Connection) -> None: ...

    def gone(self, connection: Connection) -> None: ...


class Line(asyncio.Transport):
    """Goes nowhere."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


class Stream:
    """A provider's answer whose chunks arrive when told, and what was sent of it, in order; letters are usual."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.read: list[bytes] = []
        self.room: asyncio.Future[None] | None = None
        self.connection = Connection(Pool(), "p", idle_s=9, keep_s=9, loop=asyncio.get_running_loop())
        self.connection.connection_made(Line())
        self.answer: HttpAnswer = self.connection.start(b"", b"", first_byte_s=9)
        self.connection.data_received(HEAD)
        self.passing = Passing(self.clear, self.sink)
        self.answer.tap(self.passing.take)

    def arrive(self, chunk: bytes) -> None:
        self.connection.data_received(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def end(self) -> None:
        self.connection.data_received(b"0\r\n\r\n")

    def clear(self, chunk: bytes) -> bytes | None:
        if chunk == b"stop":
            raise Stop
        return chunk if chunk.isalpha() else b"" if chunk == b"." else None

    def sink(self, data: bytes, last: bool) -> Awaitable[None]:
        return self.send(data)

    async def send(self, data: bytes) -> None:
        if self.room is not None:
            await self.room
        self.sent.append(data)

    async def relay(self) -> None:
        chunks: AsyncIterator[bytes] = self.answer.chunks()
        async for chunk in chunks:
            await self.passing.catch_up()
            if chunk:
                self.read.append(chunk)
                await self.send(chunk)


def played(play: Callable[[Stream], Awaitable[None]]) -> Stream:
    async def run() -> Stream:
        stream = Stream()
        relay = asyncio.create_task(stream.relay())
        await asyncio.sleep(0)
        await play(stream)
        await asyncio.wait_for(relay, 5)
        return stream

    return asyncio.run(run())


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.promise("GTW-13")
def test_what_is_usual_is_sent_where_it_arrives_and_the_rest_by_the_task() -> None:
    async def play(stream: Stream) -> None:
        stream.arrive(b"one")
        assert stream.sent == [b"one"]
        stream.arrive(b".")
        stream.arrive(b"2")
        stream.arrive(b"three")
        assert stream.sent == [b"one"], "the task has the second; nothing overtakes it"
        await turns()
        stream.arrive(b"four")
        assert stream.sent[-1] == b"four"
        stream.end()

    stream = played(play)
    assert b"".join(stream.sent) == b"one2threefour"
    assert b"".join(stream.read) == b"2three"


@pytest.mark.promise("GTW-13")
def test_a_client_that_does_not_keep_up_gets_everything_in_order() -> None:
    async def play(stream: Stream) -> None:
        stream.room = asyncio.get_running_loop().create_future()
        stream.arrive(b"one")
        stream.arrive(b"two")
        await turns()
        stream.arrive(b"three")
        await turns()
        assert stream.sent == []
        room, stream.room = stream.room, None
        room.set_result(None)
        await turns()
        stream.arrive(b"four")
        stream.end()

    assert b"".join(played(play).sent) == b"onetwothreefour"


def test_a_client_that_keeps_up_before_the_task_looks_loses_nothing() -> None:
    async def play(stream: Stream) -> None:
        stream.room = asyncio.get_running_loop().create_future()
        stream.arrive(b"one")
        stream.room.set_result(None)
        stream.room = None
        stream.arrive(b"two")
        stream.end()

    assert b"".join(played(play).sent) == b"onetwo"


def test_what_is_raised_is_raised_in_the_task_and_nothing_follows() -> None:
    sent: list[Stream] = []

    async def play(stream: Stream) -> None:
        sent.append(stream)
        stream.arrive(b"one")
        stream.arrive(b"stop")
        stream.arrive(b"two")

    with pytest.raises(Stop):
        played(play)
    assert sent[0].sent == [b"one"]


def test_a_task_that_leaves_while_a_write_waits_closes_the_answer() -> None:
    async def run() -> None:
        stream = Stream()
        relay = asyncio.create_task(stream.relay())
        await asyncio.sleep(0)
        stream.room = asyncio.get_running_loop().create_future()
        stream.arrive(b"one")
        await turns()
        relay.cancel()
        with pytest.raises(asyncio.CancelledError):
            await relay
        await stream.answer.close()
        assert stream.answer.ended
        assert stream.sent == []

    asyncio.run(run())


def test_nothing_is_taken_before_the_task_has_caught_up() -> None:
    async def run() -> None:
        room = asyncio.get_running_loop().create_future()

        async def send() -> None:
            await room

        passing = Passing(lambda chunk: chunk, lambda data, last: send())
        assert passing.take(b"one") == b""
        assert passing.take(b"two") == b"two"
        room.set_result(None)
        await passing.catch_up()
        assert passing.take(b"three") is None

    asyncio.run(run())
