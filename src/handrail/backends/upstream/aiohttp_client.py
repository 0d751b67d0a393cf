"""The alternative client on aiohttp, for HTTP proxies and odd endpoints. Needs the extra `handrail[aiohttp]`.

The same retries, circuit, places and address checks as our own client: only the exchange differs. Behind a proxy the
proxy resolves the provider's name, so only the provider's origin and the proxy's own address are checked here.
"""

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from handrail.backends.egress import Egress, Origin, parse_url
from handrail.backends.upstream.answer import (
    HIGH_WATER,
    HOP_BY_HOP,
    MAX_BODY,
    Again,
    Answer,
    Decoder,
    Ending,
    ExchangeFailed,
    broken_off,
    invalid,
    late,
)
from handrail.backends.upstream.pool import KEEP_S, tls_context, unreachable
from handrail.backends.upstream.request import Addressing
from handrail.guard.ports import ModelRequest, Taker
from handrail.terms.errors import Code, HandrailError

if TYPE_CHECKING:
    import aiohttp

MAX_AT_ONCE = 512 * 1024  # bytes of a body handed over in one piece
MAX_FIELD = 32 * 1024  # bytes of one header; at most 128 of them


def load() -> Any:
    """aiohttp itself. Raises HOME_INVALID, with how to mend it, when the extra is not installed."""
    try:
        import aiohttp  # an extra: imported only when this client is chosen
    except ImportError:
        raise HandrailError(
            Code.HOME_INVALID, "the aiohttp client is chosen but not installed; run `pip install 'handrail[aiohttp]'`"
        ) from None
    return aiohttp


class _Checked:
    """Gives aiohttp only addresses that the egress gate has looked at (its `AbstractResolver`)."""

    def __init__(self, egress: Egress, origin: Origin, *, private_network: bool) -> None:
        self._egress = egress
        self._origin = origin
        self._private_network = private_network

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[dict[str, Any]]:
        if (host, port) != (self._origin.host, self._origin.port):
            raise OSError("only the published origin is resolved here")
        found = await self._egress.addresses(self._origin, private_network=self._private_network)
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


class AiohttpAnswer(Answer):
    """`limit_s`: the longest silence within the body. `over`: told once when the answer has ended."""

    __slots__ = ("_decoder", "_limit_s", "_over", "_response")

    def __init__(self, response: "aiohttp.ClientResponse", who: str, limit_s: float, over: Callable[[], None]) -> None:
        super().__init__(who)
        self._over = over
        self._response = response
        self._limit_s = limit_s
        self.status = response.status
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        self._decoder = None if coding in ("", "identity") else Decoder(coding, who)

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        hidden = HOP_BY_HOP if self._decoder is None else HOP_BY_HOP | {"content-encoding", "content-length"}
        rows = ((name.lower(), value) for name, value in self._response.headers.items())
        return [row for row in rows if row[0] not in hidden]

    async def read(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in self.chunks():
            size += len(piece)
            if size > MAX_BODY:
                self.abandon()
                raise invalid(self.who, "its body is larger than 32 MiB")
            pieces.append(piece)
        return b"".join(pieces)

    def tap(self, taker: Taker) -> None:
        """Its reader is given everything."""

    async def chunks(self) -> AsyncIterator[bytes]:
        while data := await self._some():
            if self._decoder is None:
                yield data
                continue
            piece = self._decoder.feed(data)
            while piece:
                yield piece
                piece = self._decoder.more()
        if self._ending is Ending.COMPLETE and self._decoder is not None:
            self._decoder.end()

    async def _some(self) -> bytes:
        """Some bytes, empty at the end. Whatever goes wrong drops the connection."""
        errors = load()
        if self._ending is Ending.ABANDONED:
            raise broken_off(self.who)
        try:
            async with asyncio.timeout(self._limit_s):
                data: bytes = await self._response.content.readany()
        except TimeoutError:
            self._drop(Ending.BROKEN)
            raise late(self.who, "went silent") from None
        except (errors.ClientPayloadError, errors.ClientConnectionError, OSError):
            self._drop(Ending.BROKEN)
            raise broken_off(self.who) from None
        except errors.ClientError:
            self._drop(Ending.BROKEN)
            raise invalid(self.who, "it is not valid HTTP/1.1") from None
        except BaseException:
            self.abandon()
            raise
        if not data:
            self._end(Ending.COMPLETE)
        return data

    def _end(self, ending: Ending) -> None:
        if self._ending is None:
            self._over()
        super()._end(ending)

    def _drop(self, ending: Ending) -> None:
        self._response.close()
        self._end(ending)

    def abandon(self) -> None:
        if self._ending is None:
            self._drop(Ending.ABANDONED)


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    """aiohttp wants large bodies as a file, so that it can write them in pieces."""
    return io.BytesIO(body) if len(body) > MAX_AT_ONCE else body or None


class _Progress:
    """One exchange's time limit and whether its connection had been used before; told by aiohttp's traces."""

    __slots__ = ("connected", "first_byte_s", "limit", "reused")

    def __init__(self, limit: asyncio.Timeout, first_byte_s: float) -> None:
        self.limit = limit
        self.first_byte_s = first_byte_s
        self.connected = False
        self.reused = False

    def connect_over(self, *, reused: bool) -> None:
        self.connected = True
        self.reused = reused
        self.limit.reschedule(asyncio.get_running_loop().time() + self.first_byte_s)


async def _on_reuse(_session: Any, context: Any, _params: Any) -> None:
    context.trace_request_ctx.connect_over(reused=True)


async def _on_connect(_session: Any, context: Any, _params: Any) -> None:
    context.trace_request_ctx.connect_over(reused=False)


class AiohttpTransport:
    """A transport of `UpstreamModel`. `proxy`: URL of an HTTP proxy, published like any other address."""

    def __init__(self, addressing: Addressing, egress: Egress, *, proxy: str | None = None) -> None:
        self._lib = load()
        self._addressing = addressing
        self._egress = egress
        self._provider = addressing.provider
        self._proxy = proxy
        self._dialled = parse_url(proxy)[0] if proxy else addressing.origin
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._running = 0
        self._retired = False
        self._closing: asyncio.Task[None] | None = None

    def _opened(self, *, fresh: bool) -> "aiohttp.ClientSession":
        """The session that keeps connections, or the one whose every request opens its own."""
        if fresh in self._sessions:
            return self._sessions[fresh]
        provider, lib = self._provider, self._lib
        trace = lib.TraceConfig()
        trace.on_connection_reuseconn.append(_on_reuse)
        trace.on_connection_create_end.append(_on_connect)
        connector = lib.TCPConnector(
            resolver=_Checked(self._egress, self._dialled, private_network=provider.private_network),
            use_dns_cache=False,
            limit=0,
            force_close=fresh,
            keepalive_timeout=None if fresh else KEEP_S,
            ssl=tls_context(provider.ca_file, provider.id) if self._addressing.origin.tls else True,
        )
        self._sessions[fresh] = lib.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=lib.DummyCookieJar(),
            trust_env=False,
            read_bufsize=HIGH_WATER // 2,
            max_field_size=MAX_FIELD,
            trace_configs=[trace],
            timeout=lib.ClientTimeout(total=None),
        )
        return self._sessions[fresh]

    async def exchange(self, request: ModelRequest, *, fresh: bool) -> AiohttpAnswer:
        """Returns at the response head. Raises ExchangeFailed, or HandrailError as `HttpPool.exchange` does."""
        origin, provider = self._addressing.origin, self._provider
        target = self._addressing.target(request.path)
        headers = [(name, value) for name, value in self._addressing.headers(request) if name != "host"]
        self._egress.admit(origin, private_network=provider.private_network)
        await self._check_dialled()
        session = self._opened(fresh=fresh)
        try:
            async with asyncio.timeout(provider.connect_timeout_ms / 1000) as limit:
                progress = _Progress(limit, provider.first_byte_timeout_ms / 1000)
                response = await session.request(
                    request.method,
                    self._url(target),
                    data=_payload(request.body),
                    headers=headers,
                    allow_redirects=False,
                    proxy=self._proxy,
                    trace_request_ctx=progress,
                )
        except HandrailError:
            raise
        except Exception as error:  # noqa: BLE001  whatever aiohttp raises is sorted here
            raise self._failure(error, progress) from None
        try:
            self._check(response)
            answer = AiohttpAnswer(response, provider.id, provider.idle_timeout_ms / 1000, self._over)
        except HandrailError as error:
            response.close()
            raise ExchangeFailed(error, Again.NEVER) from None
        self._running += 1
        return answer

    def _check(self, response: "aiohttp.ClientResponse") -> None:
        """What aiohttp would let pass and our own client does not."""
        if response.version not in (self._lib.HttpVersion10, self._lib.HttpVersion11) or response.status < 200:
            raise invalid(self._provider.id, "it is not HTTP/1.1 or switches protocols")

    def _url(self, target: str) -> Any:
        from yarl import URL  # comes with aiohttp

        origin = self._addressing.origin
        return URL(f"{origin.scheme}://{origin.authority}{target}", encoded=True)

    async def _check_dialled(self) -> None:
        try:
            await self._egress.addresses(self._dialled, private_network=self._provider.private_network)
        except HandrailError as error:
            if error.code is Code.UPSTREAM_UNREACHABLE:
                raise ExchangeFailed(error, Again.LATER) from None
            raise

    def _failure(self, error: Exception, progress: _Progress) -> ExchangeFailed:
        lib, who = self._lib, self._provider.id
        match error:
            case TimeoutError() if progress.connected:
                return ExchangeFailed(late(who, "sent no answer"), Again.NEVER)
            case TimeoutError():
                self._egress.forget(self._dialled)
                return ExchangeFailed(late(who, "could not be connected to"), Again.LATER)
            case lib.ClientConnectorCertificateError():
                what = "shows a certificate that is not trusted; set its ca_file"
                return ExchangeFailed(unreachable(who, what), Again.NEVER)
            case lib.ClientConnectorError():
                self._egress.forget(self._dialled)
                return ExchangeFailed(unreachable(who, "refuses connections or cannot be reached"), Again.LATER)
            case lib.ClientConnectionError() | OSError():
                began = isinstance(error, lib.ServerDisconnectedError) and not isinstance(error.message, str)
                return ExchangeFailed(broken_off(who), Again.STALE if progress.reused and not began else Again.LATER)
            case lib.ClientError():
                return ExchangeFailed(invalid(who, "it is not valid HTTP/1.1"), Again.NEVER)
        raise error

    def _over(self) -> None:
        self._running -= 1
        if self._retired and not self._running:
            self._closing = asyncio.get_running_loop().create_task(self.abort())

    def retire(self) -> None:
        self._retired = True
        self._running += 1
        self._over()

    async def abort(self) -> None:
        sessions, self._sessions = tuple(self._sessions.values()), {}
        for session in sessions:
            await session.close()
