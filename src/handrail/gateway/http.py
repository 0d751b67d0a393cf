"""HTTP as the gateway's handlers see it: a request read within bounds, a response, and a table of routes."""

import re
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from handrail.gateway.errors import Form
from handrail.gateway.fields import Bounds, Sent
from handrail.guard.turn import Channel, Face, Turn
from handrail.people.key import Scope
from handrail.terms.errors import Code, HandrailError

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
"""Lower-case names."""

JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


class ClientGone(Exception):
    """The client left before its request was read."""


class Request(msgspec.Struct, frozen=True):
    """One request, read whole. `source`: the peer's address. `tail`: what follows a route's prefix."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    source: str
    query: bytes = b""
    tail: str = ""

    def header(self, name: bytes) -> str | None:
        """The first value of a lower-case name, None when absent."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return None


class Response(msgspec.Struct, frozen=True):
    """One response, whole."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,)


class Handler(Protocol):
    """Raises HandrailError for what `gateway.errors` turns into the client's form."""

    async def __call__(self, request: Request) -> Response: ...


class ReadFace(Face, Protocol):
    """A dialect as the server needs it: it also reads requests, and says what it reads. The guard matrix has a cell for
    each channel of `reads` (requests) and `says` (answers)."""

    @property
    def form(self) -> Form: ...

    @property
    def passed_headers(self) -> frozenset[bytes]: ...

    @property
    def reads(self) -> frozenset[Channel]: ...

    @property
    def says(self) -> frozenset[Channel]: ...

    def read(self, body: bytes, value: Any, sent: Sent, bounds: Bounds) -> Turn:
        """Raises HandrailError REQUEST_INVALID with the field's place."""
        ...


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table. `path` ending in `/` is a prefix. `scope`: what a key must hold, None for none at all.
    `unguarded`: why no detector reads what passes here; a row must have either a `face` or this reason."""

    method: str
    path: str
    handler: Handler | None = None
    face: ReadFace | None = None
    scope: Scope | None = None
    unguarded: str = ""


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """The body, decompressed. Raises REQUEST_TOO_LARGE as soon as the limit is passed, REQUEST_INVALID for a broken or
    unknown encoding, ClientGone."""
    encoding = b""
    for name, value in headers:
        if name == b"content-length":
            if value.isdigit() and int(value) > limit:
                raise _too_large(limit)
        elif name == b"content-encoding":
            encoding = value.strip().lower()
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts = [body]
        size = len(body)
        while message.get("more_body"):
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGone
            size += len(message.get("body", b""))
            if size > limit:
                raise _too_large(limit)
            parts.append(message.get("body", b""))
        body = b"".join(parts)
    if len(body) > limit:
        raise _too_large(limit)
    return _decompressed(body, encoding, limit) if encoding else body


def _decompressed(body: bytes, encoding: bytes, limit: int) -> bytes:
    if encoding == b"identity":
        return body
    if encoding != b"gzip":
        raise HandrailError(Code.REQUEST_INVALID, "content-encoding: only gzip and identity are read")
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error:
        raise HandrailError(Code.REQUEST_INVALID, "the body is not valid gzip") from None
    if len(plain) > limit:
        raise _too_large(limit)
    if not stream.eof or stream.unused_data:
        raise HandrailError(Code.REQUEST_INVALID, "the body is not one whole gzip stream")
    return plain


def _too_large(limit: int) -> HandrailError:
    return HandrailError(Code.REQUEST_TOO_LARGE, f"the body is larger than {limit} bytes; send less history")


def sent_of(headers: Headers, passed: frozenset[bytes]) -> Sent:
    """What the headers say: conversation, customer, channel, region, trace; and those of `passed` that go upstream. The
    trace is kept in the clear for good, so it is a `traceparent` or a request id of a form that holds no name, number
    or address of anybody, else empty."""
    conversation = customer = None
    channel = region = trace = request_id = release = ""
    extra: list[tuple[str, str]] = []
    for name, value in headers:
        if name == b"traceparent":
            trace = value.decode("latin-1") if _TRACEPARENT.fullmatch(value) else trace
        elif name == b"x-request-id":
            request_id = value.decode("latin-1") if _made_up(value) else request_id
        elif name == b"x-handrail-conversation":
            conversation = value.decode("utf-8", "replace")
        elif name == b"x-handrail-customer":
            customer = value.decode("utf-8", "replace")
        elif name == b"x-handrail-channel":
            channel = value[:32].decode("latin-1")
        elif name == b"x-handrail-region":
            region = value[:32].decode("latin-1")
        elif name == b"x-handrail-release":
            release = value[:64].decode("latin-1")
        elif name in passed and _passes(name, value.decode("latin-1")):
            extra.append((name.decode(), value.decode("latin-1")))
    return Sent(conversation, customer, channel, trace or request_id, tuple(extra), release, region)


_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, section 3.2."""
_UUID = re.compile(rb"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_HEX = re.compile(rb"(?!.*\d{13})(?=\d*[a-f])[0-9a-f]{32}")
_RANDOM = re.compile(rb"(?!.*\d{6})(?=[A-Za-z]*\d+[A-Za-z]+\d)[0-9A-Za-z]{16,64}")


def _made_up(value: bytes) -> bool:
    """Whether a request id is one that a machine made: a UUID, 32 hex digits without a run as long as a card's, or 16
    to 64 letters and digits, mixed, with no run of digits as long as a date of birth or a phone number."""
    return any(form.fullmatch(value) is not None for form in (_UUID, _HEX, _RANDOM))


_RANDOM_KEY = re.compile(r"[A-Za-z-]{0,40}[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLAIN_KEY = re.compile(r"(?!.{0,64}?(?:[0-9][._-]*){9})[A-Za-z0-9._-]{1,64}")
_PLAIN_LIST = re.compile(r"(?!.{0,256}?(?:[0-9][._=,; -]*){11})[A-Za-z0-9._=,; -]{1,256}")


def _passes(name: bytes, value: str) -> bool:
    """Whether a header goes upstream: no detector reads it, so it passes only when it cannot carry a value. A key for
    idempotency is a UUID (which official clients send) or a short word without nine digits; others are lists of words
    and dates."""
    if name == b"idempotency-key":
        return _RANDOM_KEY.fullmatch(value) is not None or _PLAIN_KEY.fullmatch(value) is not None
    return _PLAIN_LIST.fullmatch(value) is not None


def header_value(text: str) -> bytes:
    """Safe in a header: anything but printable ASCII is percent-encoded."""
    if text.isascii() and text.isprintable():
        return text.encode()
    return quote(text, safe=" -_.~:/=;,").encode()
