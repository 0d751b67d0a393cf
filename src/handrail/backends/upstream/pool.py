"""Kept connections to one provider, and the sweep that ends silent exchanges.

Deadlines are checked by one timer per pool, not one per call: a limit is kept to within an eighth of the shortest one
(5 to 250 ms). Idle connections are reused newest first and closed after `KEEP_S`, or earlier where the server says so.
"""

import asyncio
import ssl

from handrail.backends.egress import Egress
from handrail.backends.upstream.answer import Again, ExchangeFailed, late
from handrail.backends.upstream.connection import Connection, HttpAnswer
from handrail.backends.upstream.request import Addressing
from handrail.guard.ports import ModelRequest
from handrail.terms.errors import Code, HandrailError

KEEP_S = 30.0


def tls_context(ca_file: str | None, who: str) -> ssl.SSLContext:
    """TLS 1.2 or later, host name checked; with `ca_file` only that authority counts. Raises UPSTREAM_UNREACHABLE."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise HandrailError(
            Code.UPSTREAM_UNREACHABLE, f"the ca_file of provider {who} cannot be read as PEM certificates"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def unreachable(who: str, what: str) -> HandrailError:
    return HandrailError(Code.UPSTREAM_UNREACHABLE, f"provider {who} {what}")


class HttpPool:
    """A transport of `UpstreamModel` on our own HTTP/1.1 client. One event loop."""

    def __init__(self, addressing: Addressing, egress: Egress) -> None:
        provider = addressing.provider
        self._addressing = addressing
        self._egress = egress
        self._provider = provider
        self._idle_s = provider.idle_timeout_ms / 1000
        self._first_byte_s = provider.first_byte_timeout_ms / 1000
        self._idle: list[tuple[float, Connection]] = []
        self._open: set[Connection] = set()
        self._tls: ssl.SSLContext | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweep_s = min(0.25, max(0.005, min(self._idle_s, self._first_byte_s) / 8))
        self._closed = False

    async def exchange(self, request: ModelRequest, *, fresh: bool) -> HttpAnswer:
        """Returns at the response head. `fresh`: do not use a kept connection. Raises ExchangeFailed; a request that
        cannot be written, or an address that may not be called, raises HandrailError as it is."""
        head = self._addressing.head(request)
        connection = None if fresh else self._kept()
        if connection is None:
            connection = await self._connect()
        answer = connection.start(head, request.body, first_byte_s=self._first_byte_s)
        try:
            await answer.until_head()
        except HandrailError as error:
            stale = error.code is Code.UPSTREAM_ERROR and connection.silent and connection.used > 1
            again = Again.STALE if stale else Again.LATER if error.code is Code.UPSTREAM_ERROR else Again.NEVER
            raise ExchangeFailed(error, again) from None
        return answer

    def _kept(self) -> Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            until, connection = self._idle.pop()
            if connection.usable and now < until:
                return connection
            connection.drop()
        return None

    async def _connect(self) -> Connection:
        origin, provider = self._addressing.origin, self._provider
        who = provider.id
        if origin.tls and self._tls is None:
            self._tls = tls_context(provider.ca_file, who)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(provider.connect_timeout_ms / 1000):
                addresses = await self._resolved()
                for position, address in enumerate(addresses):
                    try:
                        _, connection = await loop.create_connection(
                            lambda: Connection(self, who, idle_s=self._idle_s, keep_s=KEEP_S, loop=loop),
                            address,
                            origin.port,
                            ssl=self._tls,
                            server_hostname=origin.host if origin.tls else None,
                        )
                    except ssl.SSLCertVerificationError:
                        raise ExchangeFailed(
                            unreachable(who, "shows a certificate that is not trusted; set its ca_file"), Again.NEVER
                        ) from None
                    except OSError:  # ssl.SSLError is one
                        if position + 1 == len(addresses):
                            raise
                    else:
                        return self._keep_account(connection)
        except TimeoutError:
            self._egress.forget(origin)
            raise ExchangeFailed(late(who, "could not be connected to"), Again.LATER) from None
        except OSError:
            self._egress.forget(origin)
            raise ExchangeFailed(unreachable(who, "refuses connections or cannot be reached"), Again.LATER) from None
        raise AssertionError("egress gives at least one address")

    async def _resolved(self) -> tuple[str, ...]:
        try:
            return await self._egress.addresses(self._addressing.origin, private_network=self._provider.private_network)
        except HandrailError as error:
            if error.code is Code.UPSTREAM_UNREACHABLE:
                raise ExchangeFailed(error, Again.LATER) from None
            raise

    def _keep_account(self, connection: Connection) -> Connection:
        self._open.add(connection)
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(self._sweep_s, self._tick)
        return connection

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self.sweep(loop.time())
        self._sweeper = loop.call_later(self._sweep_s, self._tick) if self._open else None

    def sweep(self, now: float) -> None:
        """End what is past its time at `now` (loop time); the pool's own timer does this while anything is open."""
        for connection in tuple(self._open):
            connection.expire(now)
        for until, connection in tuple(self._idle):
            if now >= until:
                connection.drop()

    # what a connection tells

    def free(self, connection: Connection) -> None:
        if self._closed:
            connection.drop()
        else:
            self._idle.append((connection.loop.time() + connection.keep_s, connection))

    def gone(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle = [row for row in self._idle if row[1] is not connection]

    def retire(self) -> None:
        """Close what idles; what runs may end, and is then closed."""
        self._closed = True
        for _, connection in tuple(self._idle):
            connection.drop()

    async def abort(self) -> None:
        """Close everything now."""
        self.retire()
        for connection in tuple(self._open):
            connection.drop()
