"""HTTP of the standard library, one connection per request; the system's trust store is honoured."""

import io
from typing import TYPE_CHECKING, Any

from handrail_client.exchange import Reply, Request

if TYPE_CHECKING:
    import http.client

MOST = 16 * 1024 * 1024
"""Bytes of an answer that the asynchronous transport reads."""


class Address:
    """Where the server is, and what stands in every request. Raises ValueError for what is no address."""

    def __init__(self, base_url: str, api_key: str) -> None:
        from urllib.parse import urlsplit  # deferred: keeps the import of an agent's process small

        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base_url must look like https://handrail.example:8484, not {base_url!r}")
        self.tls = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.tls else 80)
        self.prefix = parts.path.rstrip("/").removesuffix("/v1")
        self.headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json"}


class HttpTransport:
    def __init__(self, address: Address) -> None:
        self._at = address

    def send(self, request: Request, timeout_s: float) -> Reply:
        import http.client  # deferred, as above

        kind = http.client.HTTPSConnection if self._at.tls else http.client.HTTPConnection
        connection = kind(self._at.host, self._at.port, timeout=timeout_s)
        try:
            path = self._at.prefix + request.path
            connection.request(request.method, path, request.body or None, self._at.headers)
            return _reply(connection.getresponse())
        except http.client.HTTPException as error:
            raise OSError(f"broken answer: {type(error).__name__}") from error
        finally:
            connection.close()


class AsyncHttpTransport:
    """The same on asyncio's streams; the answer is read to the end of its connection and parsed as a whole."""

    def __init__(self, address: Address) -> None:
        self._at = address

    async def send(self, request: Request, timeout_s: float) -> Reply:
        import asyncio  # deferred, as above
        import http.client

        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(self._at.host, self._at.port, ssl=self._at.tls or None)
            try:
                writer.write(self._written(request))
                raw = bytearray()
                while piece := await reader.read(65_536):
                    raw += piece
                    if len(raw) > MOST:
                        raise OSError(f"the answer is larger than {MOST} bytes")
            finally:
                writer.transport.abort()
        try:
            response = http.client.HTTPResponse(_Received(bytes(raw)), method=request.method)  # type: ignore[arg-type]  # it needs only makefile
            response.begin()
            return _reply(response)
        except http.client.HTTPException as error:
            raise OSError(f"broken answer: {type(error).__name__}") from error

    def _written(self, request: Request) -> bytes:
        host = f"[{self._at.host}]" if ":" in self._at.host else self._at.host
        rows = {
            **self._at.headers,
            "host": f"{host}:{self._at.port}",
            "connection": "close",
            "content-length": str(len(request.body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in rows.items())
        return f"{request.method} {self._at.prefix}{request.path} HTTP/1.1\r\n{head}\r\n".encode() + request.body


class _Received:
    """What was read, as the one thing of a socket that http.client asks for."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _reply(response: "http.client.HTTPResponse") -> Reply:
    final = response.getheader("x-should-retry") == "false"
    return Reply(response.status, response.read(), response.getheader("retry-after") or "", final)
