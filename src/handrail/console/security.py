"""What holds for every answer of the console: headers, a nonce, limits of a request, and where a change may come from.

When it cannot tell where a request comes from, a change is refused.
"""

import asyncio
import re
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 1_048_576
HEADER_BYTES = 16_384
"""Of all headers together; uvicorn's own limit for one is higher."""
BODY_S = 30.0
"""From the first byte of a request to the last of its body."""
_HOST = re.compile(rb"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
CSP = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types htmx"
)
REFUSED = {
    408: b"the request did not arrive in time\n",
    413: b"the request is too long\n",
    421: b"the console is not known by this name; set console.public_url in handrail.yaml to the address it has\n",
    431: b"the request is too long\n",
}
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
}


class TooLong(Exception):
    """The body is longer than `BODY_BYTES`."""


class TooSlow(TooLong):
    """The body was not there in time."""


class Hardened:
    """Outermost. A nonce of its own for every answer, fragments included, in `request.state.nonce`. `named`: whether
    the console has a name of its own (an address in the home, a certificate, a proxy); without one it answers to none
    that a stranger can own, so that no page of theirs reaches it by letting their name lead to this machine."""

    def __init__(self, app: ASGIApp, *, https: bool, named: bool = True, body_s: float = BODY_S) -> None:
        self._app = app
        self._named = named
        self._body_s = body_s
        self._always = ALWAYS | ({"strict-transport-security": "max-age=31536000"} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        nonce = secrets.token_urlsafe(18)
        scope.setdefault("state", {})["nonce"] = nonce
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
            await self._refuse(send, 431, nonce)
            return
        if not is_host(next((value for name, value in scope["headers"] if name == b"host"), None), named=self._named):
            await self._refuse(send, 421, nonce)
            return
        left, whole, until = BODY_BYTES, False, asyncio.get_running_loop().time() + self._body_s
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > BODY_BYTES:
            await self._refuse(send, 413, nonce)
            return

        async def bounded() -> Message:
            nonlocal left, whole
            if whole:  # what follows is that the browser leaves
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise TooSlow from None
            whole = not message.get("more_body", False)
            left -= len(message.get("body", b""))
            if left < 0:
                raise TooLong
            return message

        begun = False

        async def hardened(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = CSP.format(nonce=nonce)
                for name, value in self._always.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            await self._app(scope, bounded, hardened)
        except TooSlow:
            if not begun:
                await self._refuse(send, 408, nonce)
        except Exception:  # Starlette raises again what it has answered and logged
            if not begun:
                raise

    async def _refuse(self, send: Send, status: int, nonce: str) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self._always.items()]
        headers.append((b"content-security-policy", CSP.format(nonce=nonce).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": REFUSED[status]})


def is_host(host: bytes | None, *, named: bool) -> bool:
    """Whether a Host header is one, and where the console has no name of its own, an address, a name of this machine's
    network or `localhost`: names with a dot can be made to lead anywhere."""
    if host is None:
        return True  # HTTP/1.0; no browser
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = found["name"].decode().lower()
    if named or "." not in name or name.endswith(".localhost"):
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def is_own(headers: Mapping[str, str], own: str) -> bool:
    """Whether a change was sent by a page of this console. `own`: its origin, `https://console.example`. A browser says
    so in Origin, and newer ones in Sec-Fetch-Site; without either it is refused."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None or origin == "null":
        return site == "same-origin"
    return bool(_origin(origin)[1]) and _origin(origin) == _origin(own)


def own_origin(headers: Mapping[str, str], scheme: str, public_url: str | None) -> str:
    """As visitors reach the console."""
    return public_url or f"{scheme}://{headers.get('host', '')}"


def local(path: str) -> str:
    """The path when it leads to this console, else `/`: where to go after signing in is the visitor's word."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    if parts.scheme or parts.netloc or not path.startswith("/") or path.startswith(("//", "/\\")):
        return "/"
    return path if path.isprintable() and "\\" not in path else "/"


def _origin(url: str) -> tuple[str, str, int | None]:
    """Three empty ones for what is no address: equal to no origin of ours."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", "", None
    return parts.scheme, (parts.hostname or "").lower(), port
