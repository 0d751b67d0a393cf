"""The table of the gateway's own routes. A row names the dialect whose texts the guard reads, or why none are read."""

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

import orjson

from handrail.gateway.anthropic import AnthropicFace
from handrail.gateway.count_tokens import count_tokens_route
from handrail.gateway.embeddings import EmbeddingsFace
from handrail.gateway.http import ReadFace, Request, Response, Route
from handrail.gateway.identity import Identity
from handrail.gateway.metrics import Metrics
from handrail.gateway.openai_chat import ChatFace
from handrail.gateway.openai_responses import ResponsesFace
from handrail.people.key import Scope
from handrail.terms.errors import Code, HandrailError


class LogReader(Protocol):
    """The files of the transparency log (`backends.log.files.LogFolder`)."""

    def read(self, path: str) -> bytes | None:
        """None for what is no file of the log. May block; called in a thread."""
        ...


NOTICE_PAGE = (
    "An action of handrail waits for people, or did.\n\nOpening this page has read nothing and changed nothing.\n"
    "To look at the case, with your personal token:\n\n    handrail approvals show {action}\n"
)
"""What the link of a notice opens: the same for every id, whether it exists or not."""
_ACTION = re.compile(r"ac_[0-9A-HJKMNP-TV-Z]{26}\Z")

FACES: tuple[ReadFace, ...] = (ChatFace(), ResponsesFace(), AnthropicFace(), EmbeddingsFace())
"""Every dialect; the guard matrix runs over them."""


def face_routes() -> tuple[Route, ...]:
    """The routes whose texts the guard reads."""
    return tuple(Route(method="POST", path=f"/v1{face.path}", face=face, scope=Scope.CHAT) for face in FACES)


def own_routes(
    identity: Identity, metrics: Metrics, ready: Callable[[], str | None], log: LogReader | None
) -> tuple[Route, ...]:
    """Models, health, metrics, the page of a notice's link and the log. `ready`: None, or why this process must get no
    traffic."""

    async def models(request: Request) -> Response:
        caller = identity.caller(request.headers, Scope.CHAT)
        names = dict.fromkeys([caller.live.release.alias, *(choice.target.model for choice in caller.choices)])
        if request.tail:
            if request.tail not in names:
                raise HandrailError(
                    Code.MODEL_NOT_ALLOWED, "this use case has no such model; list them: GET /v1/models"
                )
            names = {request.tail: None}
        rows = [
            _model(name, caller.use_case.id, anthropic=request.header(b"anthropic-version") is not None)
            for name in names
        ]
        if request.tail:
            return Response(200, orjson.dumps(rows[0]))
        listed = {
            "object": "list",
            "data": rows,
            "has_more": False,
            "first_id": rows[0]["id"],
            "last_id": rows[-1]["id"],
        }
        return Response(200, orjson.dumps(listed))

    async def healthz(request: Request) -> Response:
        return Response(200, b'{"status":"ok"}')

    async def readyz(request: Request) -> Response:
        why = ready()
        return Response(200 if why is None else 503, orjson.dumps({"status": why or "ready"}))

    async def numbers(request: Request) -> Response:
        return Response(200, metrics.text(), ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),))

    async def log_file(request: Request) -> Response:
        data = await asyncio.to_thread(log.read, request.tail) if log is not None else None
        if data is None:
            raise HandrailError(Code.ROUTE_UNKNOWN, "the log has no such file")
        plain = request.tail == "checkpoint"
        kind = b"text/plain; charset=utf-8" if plain else b"application/octet-stream"
        cache = b"no-cache" if plain or ".p/" in request.tail else b"public, max-age=31536000, immutable"
        return Response(200, data, ((b"content-type", kind), (b"cache-control", cache)))

    async def notice_page(request: Request) -> Response:
        if not _ACTION.match(request.tail):
            raise HandrailError(Code.ROUTE_UNKNOWN, "this is no link of a notice")
        plain = (b"content-type", b"text/plain; charset=utf-8")
        return Response(200, NOTICE_PAGE.format(action=request.tail).encode(), (plain, (b"cache-control", b"no-store")))

    names = "names of models only, no text of a customer"
    return (
        Route(method="GET", path="/v1/models", handler=models, scope=Scope.CHAT, unguarded=names),
        Route(method="GET", path="/v1/models/", handler=models, scope=Scope.CHAT, unguarded=names),
        count_tokens_route(),
        Route(method="GET", path="/healthz", handler=healthz, unguarded="takes no input"),
        Route(method="GET", path="/readyz", handler=readyz, unguarded="takes no input"),
        Route(method="GET", path="/metrics", handler=numbers, unguarded="takes no input, counts only"),
        Route(method="GET", path="/approvals/", handler=notice_page, unguarded="what a notice links to: reads nothing"),
        Route(method="GET", path="/log/", handler=log_file, unguarded="public log of digests, no text of a customer"),
    )


def _model(name: str, owner: str, *, anthropic: bool) -> dict[str, object]:
    if anthropic:
        return {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}
