"""The scripted model over HTTP/1.1: routes, faults on purpose, and streaming. Nothing leaves the process but answers.

In a test: `async with serving(default_script()) as site: ... site.url ...`. As a process:
`python -m handrail.app.scripted_model --port N [--script FILE]`.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import httptools
import msgspec
import orjson

from handrail.app.scripted_model import anthropic_messages, openai_chat, openai_responses
from handrail.app.scripted_model.script import Ask, Fault, Reply, Script, reply
from handrail.app.scripted_model.shapes import Answer, BadRequest, Body, Events, json_body

SEEN_PATH = "/scripted/seen"
"""Answered only by a server that was told to remember."""

MAX_BODY = 16 * 1024 * 1024
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


class Seen(msgspec.Struct, frozen=True):
    """A request as it arrived, for tests that ask what a provider would have seen. Header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class _Dialect(msgspec.Struct, frozen=True):
    read: Callable[[dict[str, Any]], Ask]
    write: Callable[[dict[str, Any], Reply, int], Answer]
    error: Callable[[int, str], Body]


CHAT = _Dialect(openai_chat.read, openai_chat.write, openai_chat.error)
RESPONSES = _Dialect(openai_responses.read, openai_responses.write, openai_chat.error)
MESSAGES = _Dialect(anthropic_messages.read, anthropic_messages.write, anthropic_messages.error)
DIALECTS = {"/chat/completions": CHAT, "/responses": RESPONSES, "/messages": MESSAGES}


class ScriptedModel:
    """Holds the script and what was asked so far. `key`: when given, requests without it are refused with 401.
    `remember`: how many requests to keep in `seen`, in memory only. `pause_ms`: between streamed events."""

    def __init__(self, script: Script, *, key: str | None = None, remember: int = 0, pause_ms: int = 0) -> None:
        self.script = script
        self.key = key
        self.pause_ms = pause_ms
        self.seen: deque[Seen] = deque(maxlen=remember)
        self.url = ""
        self._serial = 0
        self._turns: Counter[str] = Counter()

    def answer(self, request: Seen) -> tuple[Answer, Reply | None]:
        """The answer, and the reply it was made of with its delays and faults."""
        path = request.path.partition("?")[0]
        if path == SEEN_PATH and self.seen.maxlen:
            return self._remembered(), None
        self.seen.append(request)
        suffix, dialect = next(
            ((suffix, dialect) for suffix, dialect in DIALECTS.items() if path.endswith(suffix)), ("", CHAT)
        )
        if "/messages/" in path:
            dialect = MESSAGES
        if self.key is not None and not self._has_key(request.headers):
            return dialect.error(401, "the scripted model was started with a key and this is not it"), None
        try:
            if request.method == "GET":
                return self._get(path), None
            data = orjson.loads(request.body)
            if not isinstance(data, dict):
                raise BadRequest("the body must be a JSON object")
            if suffix:
                return self._converse(dialect, data)
            return self._other(path, data), None
        except orjson.JSONDecodeError:
            return dialect.error(400, "the body is not JSON"), None
        except BadRequest as problem:
            return dialect.error(400, str(problem)), None

    def _has_key(self, headers: dict[str, str]) -> bool:
        return self.key in (
            headers.get("authorization", "").removeprefix("Bearer "),
            headers.get("x-api-key"),
            headers.get("api-key"),
        )

    def _remembered(self) -> Body:
        """The remembered bodies, oldest first, as JSON texts: what a provider would have got to see."""
        return json_body({"seen": [request.body.decode("utf-8", "replace") for request in self.seen]})

    def _get(self, path: str) -> Body:
        if path.endswith("/models"):
            return openai_chat.models()
        head, _, name = path.rpartition("/")
        if head.endswith("/models") and name in openai_chat.MODELS:
            return json_body(openai_chat.model(name))
        return openai_chat.error(404, "there is nothing at this path")

    def _other(self, path: str, data: dict[str, Any]) -> Body:
        if path.endswith("/embeddings"):
            return openai_chat.embeddings(data)
        if path.endswith("/messages/count_tokens"):
            return anthropic_messages.count_tokens(data)
        return openai_chat.error(404, "there is nothing at this path")

    def _converse(self, dialect: _Dialect, data: dict[str, Any]) -> tuple[Answer, Reply]:
        ask = dialect.read(data)
        said = reply(self.script, ask, turn=self._turns[ask.model])
        self._turns[ask.model] += 1
        self._serial += 1
        if said.fault is not None and said.fault.kind == "error":
            status = said.fault.status
            return dialect.error(status, f"scripted refusal with status {status}"), said
        return dialect.write(data, said, self._serial), said


class _Connection(asyncio.Protocol):
    """Requests of one connection are answered in order; when the client leaves, the answer under way is dropped."""

    def __init__(self, model: ScriptedModel, open_: "set[_Connection]") -> None:
        self._model = model
        self._open = open_
        self._parser = httptools.HttpRequestParser(self)
        self._queue: asyncio.Queue[Seen] = asyncio.Queue(64)
        self._writable = asyncio.Event()
        self._writable.set()
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._open.add(self)
        self.task = asyncio.get_running_loop().create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        self.task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.abort()

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_BODY:
            raise ValueError("the body is larger than 16 MiB")
        self._parts.append(data)

    def on_message_complete(self) -> None:
        path = self._url.decode("latin-1")
        method = self._parser.get_method().decode("ascii")
        self._queue.put_nowait(Seen(method, path, self._headers, b"".join(self._parts)))

    async def _serve(self) -> None:
        while True:
            answer, said = self._model.answer(await self._queue.get())
            if said is not None and said.delay_ms:
                await asyncio.sleep(said.delay_ms / 1000)
            fault = said.fault if said is not None else None
            if isinstance(answer, Events):
                pause_ms = (said.pause_ms if said is not None else 0) or self._model.pause_ms
                await self._stream(answer, fault, pause_ms)
            else:
                await self._whole(answer, fault)

    async def _whole(self, answer: Body, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        data = b"scripted: this is not JSON" if kind == "garbage" else answer.data
        rows = [("content-type", answer.content_type), ("content-length", str(len(data))), *answer.headers]
        rows += self._model.script.headers.items()
        half = kind in ("stall", "break")
        self._transport.write(_head(answer.status, rows) + (data[: len(data) // 2] if half else data))
        if half:
            await self._fail(kind)

    async def _stream(self, answer: Events, fault: Fault | None, pause_ms: int) -> None:
        kind = fault.kind if fault else ""
        events = answer.events
        if kind == "garbage":
            events = (b"scripted: these are not events",)
        elif kind:
            events = events[: len(events) // 2]
        rows = [("content-type", "text/event-stream; charset=utf-8"), ("transfer-encoding", "chunked")]
        rows += self._model.script.headers.items()
        self._transport.write(_head(200, rows))
        for event in events:
            await self._writable.wait()
            self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
            await asyncio.sleep(pause_ms / 1000)
        if kind in ("stall", "break"):
            await self._fail(kind)
        elif kind == "stream-error":
            self._transport.write(b"%x\r\n%b\r\n" % (len(answer.failure), answer.failure))
        self._transport.write(b"0\r\n\r\n")

    async def _fail(self, kind: str) -> None:
        if kind == "stall":
            await asyncio.Event().wait()  # until the client leaves
        await asyncio.sleep(0.02)  # so that what was sent is seen before the end
        self._transport.abort()

    def abort(self) -> None:
        self._transport.abort()


def _head(status: int, rows: list[tuple[str, str]]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {REASONS.get(status, 'Scripted')}",
        "x-scripted: true",
        *(f"{n}: {v}" for n, v in rows),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@contextlib.asynccontextmanager
async def serving(
    script: Script,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    key: str | None = None,
    remember: int = 0,
    pause_ms: int = 0,
) -> AsyncIterator[ScriptedModel]:
    """A running scripted model; `url` is its address without a path. Port 0 takes a free one. Raises OSError when the
    port is taken. On leaving, every connection is closed."""
    model = ScriptedModel(script, key=key, remember=remember, pause_ms=pause_ms)
    connections: set[_Connection] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(model, connections), host, port)
    model.url = f"http://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield model
    finally:
        server.close()
        tasks = [connection.task for connection in connections]
        for connection in tuple(connections):
            connection.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
