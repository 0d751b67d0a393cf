"""Trials over HTTP, as any client speaks: models, whole or streamed, and actions. The standard library is enough.

Every request names a release (`live` for the one that is): a key that is not for probes is refused for that header, so
a test can never run as a customer. What cannot be reached or answers nonsense is an answer with its error, never a good
one.
"""

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from handrail.terms.errors import Code, HandrailError

LIVE = "live"
TRIES = 4
MAX_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Reply:
    """`status` 0: there was none, and `body` is why. `body`: JSON decoded, or the text of a stream of events.
    `headers`: lower-case names. `ms`: of the last try, until its last byte."""

    status: int
    headers: Mapping[str, str]
    body: Any
    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What a request needs of the world. `monotonic`: seconds. `context`: for https; None: the system's."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    timeout_s: float = 120.0
    context: ssl.SSLContext | None = None


class Client:
    """One running handrail. Threads may share it; each has a connection of its own."""

    def __init__(self, url: str, sending: Sending) -> None:
        """`url`: where it listens, with or without `/v1`. Raises HandrailError REQUEST_INVALID."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise HandrailError(Code.REQUEST_INVALID, "the address of a server is expected, http://HOST:PORT")
        self._parts = parts
        self._prefix = parts.path.rstrip("/").removesuffix("/v1")
        self._sending = sending
        self._own = threading.local()

    def post(self, path: str, body: object, key: str, headers: Mapping[str, str], method: str = "POST") -> Reply:
        """Tried again when the server asks for it (409, 429, 503 with retry-after), and once when a kept connection had
        been closed. Never raises for what the other side does."""
        data = json.dumps(body).encode()
        given = {"content-type": "application/json", "authorization": f"Bearer {key}", **headers}
        reply = Reply(0, {}, "not sent", 0)
        for attempt in range(TRIES):
            reply = self._once(method, path, data, given)
            wait = _wait(reply)
            if wait is None or attempt + 1 == TRIES:
                break
            self._sending.sleep(wait)
        return reply

    def _once(self, method: str, path: str, data: bytes, headers: Mapping[str, str]) -> Reply:
        begun = self._sending.monotonic()
        for fresh in (False, True):
            connection = self._connection(fresh=fresh)
            try:
                connection.request(method, self._prefix + path, data, dict(headers))
                answer = connection.getresponse()
                raw = answer.read(MAX_BYTES + 1)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as gone:
                connection.close()
                if fresh:
                    return Reply(0, {}, f"the connection broke ({type(gone).__name__})", self._ms(begun))
                continue
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                return Reply(0, {}, f"the server cannot be reached ({type(error).__name__})", self._ms(begun))
            ms = self._ms(begun)
            if len(raw) > MAX_BYTES:
                connection.close()
                return Reply(0, {}, f"the answer is larger than {MAX_BYTES} bytes", ms)
            told = {name.lower(): value for name, value in answer.getheaders()}
            if told.get("content-type", "").startswith("text/event-stream"):
                return Reply(answer.status, told, raw.decode("utf-8", "replace"), ms)
            try:
                body: Any = json.loads(raw)
            except ValueError:
                body = None
            return Reply(answer.status, told, body, ms)
        raise AssertionError("the second try returned")

    def _ms(self, begun: float) -> int:
        return int((self._sending.monotonic() - begun) * 1000)

    def _connection(self, *, fresh: bool) -> http.client.HTTPConnection:
        known: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if known is not None and not fresh:
            return known
        host, port, timeout = self._parts.hostname or "", self._parts.port, self._sending.timeout_s
        if self._parts.scheme == "https":
            context = self._sending.context or ssl.create_default_context()
            known = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        else:
            known = http.client.HTTPConnection(host, port, timeout=timeout)
        self._own.connection = known
        return known


def _wait(reply: Reply) -> float | None:
    """Seconds until the next try; None: there is none."""
    if reply.status not in (409, 429, 503) or reply.headers.get("x-should-retry") == "false":
        return None
    try:
        return min(5.0, float(reply.headers.get("retry-after-ms", "")) / 1000)
    except ValueError:
        return None


def error_of(reply: Reply) -> str:
    """Why there is no answer; empty for a good one."""
    if reply.status == 0:
        return str(reply.body)
    if reply.status < 400:
        return ""
    code = reply.headers.get("x-handrail-code", "")
    error = reply.body.get("error") if isinstance(reply.body, dict) else None
    said = error.get("message", "") if isinstance(error, dict) else ""
    return f"status {reply.status} {code}: {said}".strip(": ")
