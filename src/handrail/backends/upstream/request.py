"""A model request as a provider expects it: target and headers per dialect, authorisation included. Pure.

What the client sent never decides where a call goes, how it is framed or with which secret: such headers are dropped,
and a header or path that could split the request is refused. Secrets are in the returned bytes only, never in errors.
"""

import re
from collections.abc import Callable

from handrail.backends.egress import parse_url
from handrail.guard.ports import ModelRequest
from handrail.policy.ruleset import Dialect, Provider
from handrail.terms.errors import Code, HandrailError

ANTHROPIC_VERSION = "2023-06-01"
MAX_STARTS = 256
METHODS = frozenset({"GET", "POST", "DELETE"})
NOT_THE_CLIENTS = frozenset(
    {
        "accept-encoding", "api-key", "authorization", "connection", "content-length", "cookie", "expect", "forwarded",
        "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding",
        "upgrade", "user-agent", "via", "x-api-key", "x-forwarded-for",
    }
)  # fmt: skip
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+\Z")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_PATH = re.compile(r"/[\x21-\x7e]*\Z")
_DOT_SEGMENT = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)

Secret = Callable[[Provider], str]


def refused(what: str) -> HandrailError:
    return HandrailError(Code.REQUEST_INVALID, what)


class Addressing:
    """What one provider's requests have in common, worked out once. `secret` is asked at every request, so a rotated
    one is used at once; it is not called for a provider that names no secret."""

    __slots__ = ("_base_path", "_fixed", "_key", "_query", "_secret", "_starts", "origin", "provider")

    methods = METHODS

    def __init__(self, provider: Provider, secret: Secret) -> None:
        self.provider = provider
        self.origin, self._base_path = parse_url(provider.base_url)
        self._secret = secret if provider.key_env or provider.key_file else None
        azure = provider.dialect is Dialect.AZURE and provider.api_version
        self._query = f"api-version={provider.api_version}" if azure else ""
        self._key: str | None = None
        self._fixed: tuple[tuple[str, str], ...] = ()
        self._starts: dict[tuple[object, ...], bytes] = {}  # by shape: what is the same each time is built once

    def target(self, path: str) -> str:
        """Path and query for the request line. Raises REQUEST_INVALID for anything that could leave the base path."""
        plain, mark, query = path.partition("?")
        if not _PATH.match(path) or _DOT_SEGMENT.search(plain) or "//" in plain or "#" in path or "\\" in path:
            raise refused("the path for the provider is not a plain path below its base URL")
        if self._query:
            query = f"{query}&{self._query}" if query else self._query
            mark = "?"
        return f"{self._base_path}{plain}{mark}{query}"

    def fixed(self) -> tuple[tuple[str, str], ...]:
        """Host and authorisation. Raises UPSTREAM_UNREACHABLE when the secret cannot be sent in a header."""
        key = self._secret(self.provider) if self._secret is not None else ""
        if self._key is None or key != self._key:
            if not key.isprintable() or not key.isascii():
                raise HandrailError(
                    Code.UPSTREAM_UNREACHABLE,
                    f"the secret of provider {self.provider.id} holds characters that no header can carry; "
                    "store it as one line of plain ASCII",
                )
            self._fixed = (("host", self.origin.authority), *self._authorisation(key))
            self._key = key
            self._starts.clear()
        return self._fixed

    def _authorisation(self, key: str) -> tuple[tuple[str, str], ...]:
        if not key:
            return ()
        match self.provider.dialect:
            case Dialect.ANTHROPIC:
                return (("x-api-key", key),)
            case Dialect.AZURE:
                return (("api-key", key),)
            case Dialect.OPENAI:
                return (("authorization", f"Bearer {key}"),)

    def headers(self, request: ModelRequest) -> list[tuple[str, str]]:
        """All headers but framing. Raises REQUEST_INVALID for a client header that could split the request."""
        names = tuple([name for name, _ in request.headers])
        return [*self._ours(request, names), *_passed(request)]

    def _ours(self, request: ModelRequest, given: tuple[str, ...]) -> list[tuple[str, str]]:
        """What does not depend on the values of the client's headers. Raises REQUEST_INVALID for a bad name."""
        if not all(_NAME.match(name) for name in given):
            raise refused("a header for the provider has a name that HTTP does not allow")
        out = [*self.fixed(), ("user-agent", "handrail"), ("accept-encoding", "identity")]
        if "accept" not in given:
            out.append(("accept", "text/event-stream" if request.stream else "application/json"))
        if request.body and "content-type" not in given:
            out.append(("content-type", "application/json"))
        if self.provider.dialect is Dialect.ANTHROPIC and "anthropic-version" not in given:
            out.append(("anthropic-version", self.provider.api_version or ANTHROPIC_VERSION))
        return out

    def head(self, request: ModelRequest) -> bytes:
        """Request line and headers, framing included, ready to send before the body. Raises REQUEST_INVALID."""
        self.fixed()  # a changed secret empties what is kept
        names = tuple([name for name, _ in request.headers])
        shape = (request.method, request.path, request.stream, names, bool(request.body))
        start = self._starts.get(shape)
        if start is None:
            start = self._start(request, names)
            if len(self._starts) >= MAX_STARTS:
                self._starts.clear()
            self._starts[shape] = start
        if request.headers:
            start += "".join([f"{name}: {value}\r\n" for name, value in _passed(request)]).encode("latin-1")
        return b"%bcontent-length: %d\r\n\r\n" % (start, len(request.body))

    def _start(self, request: ModelRequest, names: tuple[str, ...]) -> bytes:
        if request.method not in self.methods:
            known = [method for method in ("GET", "POST", "PUT", "PATCH", "DELETE") if method in self.methods]
            raise refused(f"the method must be {', '.join(known[:-1])} or {known[-1]}")
        lines = [f"{request.method} {self.target(request.path)} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self._ours(request, names)]
        return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def _passed(request: ModelRequest) -> list[tuple[str, str]]:
    """The client's headers that go on. Raises REQUEST_INVALID for a value that could split the request."""
    passed = [row for row in request.headers if row[0] not in NOT_THE_CLIENTS]
    if not all(_VALUE.match(value) for _, value in passed):
        raise refused("a header for the provider has a value that HTTP does not allow")
    return passed
