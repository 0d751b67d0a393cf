"""The gateway as a bare ASGI application: a table of routes, and nothing between a route and the guard.

Each row of the table names the dialect (`face`) whose texts the guard reads, or says why nothing is read there. A
request that no row fits gets 404 in the dialect of its path.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from math import ceil
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import orjson

from handrail.gateway import errors, exact
from handrail.gateway.errors import Form
from handrail.gateway.fields import Bounds
from handrail.gateway.http import (
    EVENTS,
    JSON,
    ClientGone,
    Headers,
    ReadFace,
    Receive,
    Request,
    Response,
    Route,
    Send,
    header_value,
    read_body,
    sent_of,
)
from handrail.gateway.identity import Identity, Refusals
from handrail.gateway.metrics import Metrics
from handrail.gateway.request_lines import RequestLines
from handrail.guard.caller import Caller, on_release
from handrail.guard.chat import Call, Chat, Net, RefusedError, Reply, broken
from handrail.guard.disclosure import Told
from handrail.guard.route import ProviderRefusedError
from handrail.guard.stream import Opening, StreamChat
from handrail.guard.turn import ReplyIds, Turn
from handrail.guard.would_be import customer_of_probe
from handrail.ledger.entry import InteractionFacts
from handrail.people.key import Scope
from handrail.releases.release import LiveRelease, Release
from handrail.terms.decision import Outcome
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, InteractionId

T = TypeVar("T")
_LOG = logging.getLogger("handrail.gateway")
Drafts = Callable[[Digest], Awaitable[Release]]
"""A stored release, live or not, for a probe that names it. Raises HandrailError NOT_FOUND."""
LIVE = "live"
"""In place of a digest: the release that is live, said by who must be a probe."""
PLAIN = " ,.:!?'()/"
_NO_RETRY = (b"x-should-retry", b"false")


class Gateway:
    """`app` for uvicorn. `routes`: the table; `events.routes` and the like are appended by the one who builds it."""

    def __init__(
        self,
        net: Net,
        identity: Identity,
        refusals: Refusals,
        metrics: Metrics,
        routes: Sequence[Route],
        bounds: Bounds | None = None,
        lines: RequestLines | None = None,
        drafts: Drafts | None = None,
    ) -> None:
        self.net = net
        self.identity = identity
        self.refusals = refusals
        self.metrics = metrics
        self.routes = tuple(routes)
        self.bounds = bounds or Bounds()
        self.draining = False
        self.running = 0
        self._lines = lines
        self._drafts = drafts
        self._chat = Chat(net, _status, metrics.told if lines is None else _both(metrics.told, lines.told))
        self._streams = StreamChat(self._chat, _probed_at_end)
        self._exact = {(route.method, route.path): route for route in routes if not route.path.endswith("/")}
        self._prefixes = [route for route in routes if route.path.endswith("/")]
        self._paths = {route.path for route in routes}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        if scope["type"] != "http":
            return
        self.running += 1
        try:
            route = self._exact.get((scope["method"], scope["path"]))
            if route is not None and route.face is not None:
                await self._face(route.face, route.scope or Scope.CHAT, scope, receive, send)
            else:
                await self._plain(route, scope, receive, send)
        except ClientGone:
            return
        finally:
            self.running -= 1

    async def _face(self, face: ReadFace, needed: Scope, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """A route whose texts the guard reads."""
        started = self.net.clock.monotonic()
        interaction = InteractionId(self.net.ids.new("in"))
        try:
            caller, turn = await self._read(face, needed, scope["headers"], receive)
        except HandrailError as error:
            ids = ReplyIds(interaction, None)
            self._count_refusal(scope, error, face.route, ids, started)
            probed = self.identity.probes(scope["headers"])
            await self._send_error(send, face.form, face.route, error, ids, started, counts=not probed)
            return
        call = Call(caller, face, turn, interaction, started)
        counts = not caller.probe
        watch = _Watch(receive, asyncio.current_task())
        try:
            outcome = await (self._stream if turn.stream else self._whole)(call, send)
            if counts:
                self.metrics.answered(face.route, outcome, self.net.clock.monotonic() - started)
        except RefusedError as refused:
            if not refused.begun:
                self._count_refusal(scope, refused.error, face.route, refused.ids, started)
            await self._send_error(send, face.form, face.route, refused.error, refused.ids, started, counts=counts)
        except asyncio.CancelledError:
            if not watch.swallowed():
                raise
            if counts:
                self.metrics.requests.add((face.route, "cancelled", ""))
        finally:
            watch.stop()

    async def _read(self, face: ReadFace, needed: Scope, headers: Headers, receive: Receive) -> tuple[Caller, Turn]:
        """Who asks, and what. Raises HandrailError: REQUEST_INVALID for a value of a type that the dialect's reader did
        not expect too."""
        if self.draining:
            raise HandrailError(Code.DRAINING, "this server is stopping; send the request again", retry_after_s=1)
        caller = await self._identified(self.identity.caller, headers, needed)
        body = await read_body(receive, headers, self.bounds.body)
        value = exact.read(body, max_depth=self.bounds.depth)
        sent = sent_of(headers, face.passed_headers)
        if sent.release:
            caller = await self._drafted(caller, sent.release)
        try:
            turn = face.read(body, value, sent, self.bounds)
        except HandrailError:
            raise
        except Exception as mistake:  # noqa: BLE001  whatever a body makes of a reader, the client hears that it is invalid
            what = f"a field of the body has a type that does not belong there ({type(mistake).__name__})"
            raise HandrailError(Code.REQUEST_INVALID, what) from None
        if sum([len(message.leaves) for message in turn.messages]) > self.bounds.leaves:
            what = f"the request holds more than {self.bounds.leaves} texts; send less history or fewer fields"
            raise HandrailError(Code.REQUEST_TOO_LARGE, what)
        if caller.probe and turn.customer is not None:
            turn = msgspec.structs.replace(turn, customer=customer_of_probe(turn.customer))
        return caller, turn

    async def _drafted(self, caller: Caller, release: str) -> Caller:
        """The caller on the release that its probe names. Raises HandrailError KEY_SCOPE or NOT_FOUND."""
        snapshot = self.identity.snapshot
        if not caller.probe or self._drafts is None:
            raise HandrailError(
                Code.KEY_SCOPE, "x-handrail-release chooses a release for a test: only a key with the scope probe may"
            )
        if release == LIVE:
            return caller
        live = LiveRelease(Digest(release), await self._drafts(Digest(release)))
        return on_release(caller, snapshot, live)

    async def _identified(self, look: Callable[[Headers, Scope], T], headers: Headers, needed: Scope) -> T:
        """What the identity says of a key; of one made a moment ago after a second look. Raises HandrailError."""
        try:
            return look(headers, needed)
        except HandrailError as error:
            if not await self.identity.made(headers, error):
                raise
        return look(headers, needed)

    async def _whole(self, call: Call, send: Send) -> Outcome:
        reply = await self._chat.answer(call)
        await _send_whole(send, 200, [JSON, *_reply_headers(call, reply)], reply.body)
        return reply.outcome

    async def _stream(self, call: Call, send: Send) -> Outcome:
        def opened(opening: Opening) -> Awaitable[None]:
            headers = [EVENTS, (b"cache-control", b"no-cache"), *_reply_headers(call, opening)]
            return send({"type": "http.response.start", "status": 200, "headers": headers})

        def sink(data: bytes, last: bool) -> Awaitable[None]:
            return send({"type": "http.response.body", "body": data, "more_body": not last})

        return await self._streams.answer(call, opened, sink)

    async def _send_error(
        self,
        send: Send,
        form: Form,
        route: str,
        error: HandrailError,
        ids: ReplyIds,
        started: float,
        *,
        counts: bool = True,
    ) -> None:
        shape = errors.shape(error.code)
        status = _status(error)
        headers = [
            JSON,
            (b"x-handrail-interaction", ids.interaction.encode()),
            (b"x-handrail-outcome", b"failed" if error.code.value.startswith("upstream.") else b"refused"),
            (b"x-handrail-code", errors.told(error).code.value.encode()),
        ]
        if ids.conversation:
            headers.append((b"x-handrail-conversation", header_value(ids.conversation)))
        if error.retry_after_s is not None:
            # whole seconds never go beyond what is left; who reads the exact time does not come a moment too early
            headers.append((b"retry-after", b"%d" % max(1, int(error.retry_after_s))))
            headers.append((b"retry-after-ms", b"%d" % ceil(max(1.0, error.retry_after_s) * 1000)))
        if not shape.retry or (status < 500 and status not in (409, 429)):
            headers.append(_NO_RETRY)
        body = errors.body(form, error, ids.interaction, status=status)
        if counts:
            self.metrics.requests.add((route, "refused", error.code.value))
            self.metrics.seconds.observe((route,), self.net.clock.monotonic() - started)
        await _send_whole(send, status, headers, body)

    def _count_refusal(
        self, scope: dict[str, Any], error: HandrailError, route: str, ids: ReplyIds, started: float
    ) -> None:
        client = scope.get("client")
        if self.identity.probes(scope["headers"]):
            return
        key = self.identity.known(scope["headers"])
        self.refusals.count(self.net.clock.now_ms(), client[0] if client else "", error.code, key)
        if self._lines is not None:
            ms = int((self.net.clock.monotonic() - started) * 1000)
            status = _status(error)
            self._lines.refused(error, interaction=ids.interaction, route=route, status=status, key=key, ms=ms)

    async def _plain(self, route: Route | None, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """A route that no face serves, found by its path or prefix."""
        path: str = scope["path"]
        form = Form.ANTHROPIC if path.startswith("/v1/messages") else Form.OPENAI
        started = self.net.clock.monotonic()
        tail = ""
        try:
            if route is None:
                route, tail = self._by_prefix(scope["method"], path)
            if route.scope is not None:
                await self._identified(self.identity.key, scope["headers"], route.scope)
            body = b""
            if scope["method"] not in ("GET", "HEAD"):
                body = await read_body(receive, scope["headers"], self.bounds.body)
            client = scope.get("client")
            request = Request(
                scope["method"],
                path,
                scope["headers"],
                body,
                client[0] if client else "",
                scope.get("query_string", b""),
                tail,
            )
            assert route.handler is not None  # a row has a face or a handler
            response = await route.handler(request)
        except ClientGone:
            raise
        except Exception as mistake:  # noqa: BLE001  a mistake of ours is told in the client's form, without its words
            error = mistake if isinstance(mistake, HandrailError) else broken(mistake)
            ids = ReplyIds(InteractionId(self.net.ids.new("in")), None)
            self._count_refusal(scope, error, "other", ids, started)
            counts = not self.identity.probes(scope["headers"])
            await self._send_error(send, form, "other", error, ids, started, counts=counts)
            return
        await _send_whole(send, response.status, list(response.headers), response.body)

    def _by_prefix(self, method: str, path: str) -> tuple[Route, str]:
        for route in self._prefixes:
            if path.startswith(route.path) and route.method == method:
                return route, path[len(route.path) :]
        if path in self._paths:
            raise HandrailError(Code.METHOD_NOT_ALLOWED, f"{path} does not take {method[:16]}")
        raise HandrailError(
            Code.ROUTE_UNKNOWN,
            f"there is no path {path[:200]} here: an OpenAI client's base_url ends with /v1, an Anthropic client's has "
            "no /v1; docs/reference/routes.md lists all paths",
        )


def _status(error: HandrailError) -> int:
    """The HTTP status an error goes back with."""
    return error.status if isinstance(error, ProviderRefusedError) else errors.shape(error.code).status


def _both(
    first: Callable[[InteractionFacts], None], second: Callable[[InteractionFacts], None]
) -> Callable[[InteractionFacts], None]:
    def told(facts: InteractionFacts) -> None:
        first(facts)
        second(facts)

    return told


def probed_of(facts: InteractionFacts) -> dict[str, Any]:
    """What a probe is told of its own answer beside the answer, in the header x-handrail-probe: nothing of a text."""
    return {
        "release": facts.release,
        "verdict": facts.verdict,
        "would_be": facts.would_be,
        "outcome": facts.outcome,
        "served_with": facts.served_with,
        "model": facts.model,
        "findings": [[found.kind, found.side, found.action] for found in facts.findings if found.new],
        "cost_micro_minor": facts.cost_micro_minor,
        "tokens": [facts.input_tokens, facts.output_tokens],
    }


def _probed_at_end(facts: InteractionFacts) -> bytes:
    """The same at the end of a stream, whose head was sent before anything was known: a comment of server-sent events,
    which every client passes over."""
    return b": x-handrail-probe " + orjson.dumps(probed_of(facts)) + b"\n\n"


class _Watch:
    """Cancels the request's task when the client leaves.

    No task of its own: `receive()` is stepped by hand to the future that it waits for, and again when that is done. A
    task per request would cost a tenth of the whole request path."""

    __slots__ = ("_done", "_receiving", "_task", "left")

    def __init__(self, receive: Receive, task: "asyncio.Task[Any] | None") -> None:
        self.left = False
        self._task = task
        self._done = False
        self._receiving: Any = receive()
        self._step()

    def _step(self, waited: "asyncio.Future[Any] | None" = None) -> None:
        if self._done or (waited is not None and waited.cancelled()):
            return
        try:
            waiting = self._receiving.send(None)
        except StopIteration as got:
            if got.value["type"] == "http.disconnect" and self._task is not None:
                self.left = True
                self._task.cancel()
            return
        if asyncio.isfuture(waiting):
            waiting._asyncio_future_blocking = False  # as a task does with what it is given to wait for
            waiting.add_done_callback(self._step)
        else:  # a bare `yield`: look again in the next round of the loop
            asyncio.get_running_loop().call_soon(self._step)

    def swallowed(self) -> bool:
        """Whether the task was cancelled because the client left; then it may go on to its end."""
        if self.left and self._task is not None:
            self._task.uncancel()
        return self.left

    def stop(self) -> None:
        self._done = True
        self._receiving.close()


def _reply_headers(call: Call, reply: Reply | Opening) -> list[tuple[bytes, bytes]]:
    ids = reply.ids
    headers = [
        (b"x-handrail-interaction", ids.interaction.encode()),
        (b"x-handrail-conversation", header_value(ids.conversation or "")),
    ]
    if reply.outcome is not None:
        headers.append((b"x-handrail-outcome", reply.outcome.encode()))
    if call.turn.trace:
        headers.append((b"x-handrail-trace", header_value(call.turn.trace)))
    if reply.disclosure is not None:
        headers.append((b"x-handrail-disclosure", _disclosure(reply.disclosure)))
    if isinstance(reply, Reply) and reply.probed is not None:
        headers.append((b"x-handrail-probe", orjson.dumps(probed_of(reply.probed))))
    return headers


async def _send_whole(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


@lru_cache(maxsize=256)
def _disclosure(told: Told) -> bytes:
    """`version=...; language=...; wording=...`, each value percent-encoded (UTF-8; spaces and plain punctuation stay),
    so that any script fits a header and no value can end early. Kept, since few wordings are told again and again."""
    return "; ".join(f"{name}={quote(value, safe=PLAIN)}" for name, value in told._asdict().items()).encode()


def json_response(value: object, status: int = 200) -> Response:
    """A JSON body."""
    return Response(status, orjson.dumps(value))
