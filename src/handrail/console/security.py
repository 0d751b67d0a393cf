"""What holds for every answer of the console: headers, a nonce, limits of a request, and where a change may come from.

When it cannot tell where a request comes from, a change is refused.
"""

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 1_048_576
HEADER_BYTES = 16_384
"""Of all headers together; uvicorn's own limit for one is higher."""
CSP = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types htmx"
)
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


class Hardened:
    """Outermost. A nonce of its own for every answer, fragments included, in `request.state.nonce`."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._always = ALWAYS | ({"strict-transport-security": "max-age=31536000"} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        nonce = secrets.token_urlsafe(18)
        scope.setdefault("state", {})["nonce"] = nonce
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
            await self._refuse(send, 431, nonce)
            return
        left = BODY_BYTES
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > BODY_BYTES:
            await self._refuse(send, 413, nonce)
            return

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
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
        except Exception:  # Starlette raises again what it has answered and logged
            if not begun:
                raise

    async def _refuse(self, send: Send, status: int, nonce: str) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self._always.items()]
        headers.append((b"content-security-policy", CSP.format(nonce=nonce).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"the request is too long\n"})


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
