"""What the official SDK's client sends and gets, through the gate for outgoing addresses, and what is certain of it.

Each request goes out on a connection of its own to an address that was looked at after its name was resolved; a
redirect is never followed. Answers come as they are: a packed one would grow past every bound, so it is asked for as
identity and refused otherwise. `Exchange` remembers of the one consequential request (`tools/call`) whether it left and
which status came back, so that a time-out can be told from a refusal. Needs the extra `mcp`.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext

import httpx2
import msgspec

from handrail.backends.egress import Egress, parse_url
from handrail.terms.errors import HandrailError

MAX_ANSWER = 16 << 20
"""Bytes of all answers of one session; what is longer is broken off."""
CALL = "tools/call"


@dataclass(slots=True)
class Exchange:
    """`left`: the request may have reached the target. `status`: of its HTTP answer, 0 when none came. `sent`: its
    body. `denied`: why the gate refused an address. `headers`: sent with that request alone. `got`: bytes of all
    answers."""

    headers: Mapping[str, str] = field(default_factory=dict)
    left: bool = False
    status: int = 0
    sent: bytes = b""
    denied: HandrailError | None = None
    got: int = 0


class _Method(msgspec.Struct):
    method: str = ""


class Gated(httpx2.AsyncBaseTransport):
    """Connections of one session with one target."""

    def __init__(
        self, egress: Egress, exchange: Exchange, *, private_network: bool, tls: SSLContext | None, connect_s: float
    ) -> None:
        self._egress = egress
        self._exchange = exchange
        self._private = private_network
        self._connect_s = connect_s
        self._inner = httpx2.AsyncHTTPTransport(
            verify=tls if tls is not None else False,  # without TLS there is nothing to verify, and no CAs to load
            trust_env=False,
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises httpx2.ConnectError when nothing was sent, other httpx2 errors when that is not certain."""
        calls = request.method == "POST" and _is_call(request.content)
        if calls:
            self._exchange.sent = request.content
            request.headers.update(self._exchange.headers)
        request.headers["accept-encoding"] = "identity"
        response = await self._sent(request, calls)
        if calls:
            self._exchange.status = response.status_code
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            raise httpx2.ReadError("the answer is packed, which was not asked for", request=request)
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"location"]
        return httpx2.Response(
            response.status_code,
            headers=headers,
            stream=_Bounded(response, self._exchange),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _sent(self, request: httpx2.Request, calls: bool) -> httpx2.Response:
        host = request.url.host
        try:
            origin, _ = parse_url(f"{request.url.scheme}://{request.url.netloc.decode('ascii')}")
            addresses = await self._egress.addresses(origin, private_network=self._private)
        except HandrailError as error:
            self._exchange.denied = error
            raise httpx2.ConnectError(error.message, request=request) from error
        failed: httpx2.HTTPError | None = None
        request.headers["host"] = origin.authority
        for address in addresses:
            to = httpx2.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            if calls:
                self._exchange.left = True
            try:
                return await self._inner.handle_async_request(to)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if calls:
                    self._exchange.left = False
                failed = error
        self._egress.forget(origin)
        raise failed or httpx2.ConnectError("no address", request=request)


class _Bounded(httpx2.AsyncByteStream):
    """A body up to what is left of `MAX_ANSWER`."""

    def __init__(self, response: httpx2.Response, exchange: Exchange) -> None:
        self._response = response
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._response.stream, httpx2.AsyncByteStream)
        async for piece in self._response.stream:
            self._exchange.got += len(piece)
            if self._exchange.got > MAX_ANSWER:
                raise httpx2.ReadError("the answer is too large")
            yield piece

    async def aclose(self) -> None:
        assert isinstance(self._response.stream, httpx2.AsyncByteStream)
        await self._response.stream.aclose()


def _is_call(body: bytes) -> bool:
    try:
        return msgspec.json.decode(body, type=_Method).method == CALL
    except msgspec.DecodeError:
        return False
