"""From a request to an answer: who asks, may she, what does she ask, what is shown. The same steps for every row of
the table; nothing about any page stands here.

When something goes wrong the answer is a page (or JSON) that says what to do; a trace goes to the log alone.
"""

import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route as Served

from handrail.console import keys as key_table
from handrail.console.answers import Again, File, Go, NeedsFresh
from handrail.console.failures import Failure, failure_of, status_of
from handrail.console.here import Here, Looking
from handrail.console.keys import Key
from handrail.console.live import Live
from handrail.console.pages import error
from handrail.console.ports import Ports
from handrail.console.render import PART, Page, Renderer
from handrail.console.routes import FRESH_MS, Entry, Route, checked, entry, shows
from handrail.console.security import TooLong, is_own, local, own_origin
from handrail.console.static_files import StaticFiles
from handrail.console.views.frame import Counts, Frame, frame
from handrail.console.visitor import Visitor
from handrail.console.words import Languages, Words
from handrail.terms.errors import Code, HandrailError

log = logging.getLogger("handrail.console")
THEME, LANGUAGE, SAID, KEYS_OFF = "handrail-theme", "handrail-language", "handrail-said", "handrail-keys-off"
"""Cookies. The first, second and fourth are the visitor's taste and written by `app.js`; the third is shown once."""
SIGN_IN, PROVE = "/sign-in", "/sign-in/again"
NAV = "nav"
"""The part that every page has: it renews itself without asking the page anything."""
ByToken = Callable[[str], Awaitable[Visitor]]
"""Who a personal token stands for. Raises HandrailError TOKEN_INVALID or NOT_ALLOWED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """`rows`, `keys`: of every page. `counts`: numbers of the navigation. `public_url`: as visitors reach it, where
    that is known. `keeps`: keeps a change that needs a fresh sign-in, and says where that is asked for."""

    rows: Sequence[Route]
    keys: Sequence[Key]
    ports: Ports
    live: Live
    by_token: ByToken
    counts: Callable[[], Awaitable[Counts]]
    version: str
    public_url: str | None = None
    fresh_ms: int = FRESH_MS
    fresh_above_minor: int | None = None
    keeps: Callable[[Request], Awaitable[str]] | None = None

    def app(self, *, extra: Sequence[Served] = ()) -> Starlette:
        """`extra`: routes that are no rows, such as those of the browser's sign-in protocol. Raises HandrailError
        HOME_INVALID when the assets are missing, ValueError for a table that contradicts itself."""
        table = checked(self.rows)
        desk = Desk(self, table, StaticFiles(), Languages())
        served = [
            Served("/static/{name:path}", desk.static, methods=["GET"]),
            Served("/live", desk.stream, methods=["GET"]),
            *extra,
        ]
        for row in table:
            served.append(Served(row.path, desk.answering(row), methods=[row.verb.value], name=row.name))
            if row.api:
                served.append(Served(f"/api{row.path.rstrip('/')}", desk.api(row), methods=[row.verb.value]))
        return Starlette(
            routes=served,
            exception_handlers={HTTPException: desk.http_failed, ClientDisconnect: desk.left, Exception: desk.failed},  # type: ignore[dict-item]  # their own types
        )


class Desk:
    """Answers requests. One per process."""

    def __init__(self, console: Console, table: Sequence[Route], static: StaticFiles, languages: Languages) -> None:
        self._console = console
        self._table = table
        self._static = static
        self._languages = languages
        self._keys = key_table.checked([*key_table.GLOBAL, *console.keys])
        self._renderer = Renderer({row.name: row for row in table}, {key.name: key for key in self._keys}, static)
        self._looking = replace(console.ports, journal=Looking(console.ports.journal))
        self._error = next(row for row in table if row.name == "error")

    def answering(self, row: Route) -> Callable[[Request], Awaitable[Response]]:
        """For people."""

        async def answer(request: Request) -> Response:
            visitor: Visitor | None = getattr(request.state, "visitor", None)
            now = self._console.ports.clock.now_ms()
            may = entry(row, visitor, now_ms=now, fresh_ms=self._console.fresh_ms)
            if may is Entry.SIGN_IN:
                return self._to_sign_in(request, SIGN_IN)
            try:
                if may is Entry.DENIED:
                    raise _not_open(row)
                if row.changes:
                    await self._require_own(request, visitor)
                if may is Entry.PROVE:  # after the checks above: another site's form is never kept
                    return await self._to_prove(request)
                here = self._here(row, request, now)
                if request.query_params.get(PART) == NAV and not row.changes:
                    return await self._html(row, request, visitor, here.words, "frame.html", None, 200)
                if not row.changes and PART not in request.query_params:
                    request.state.since = await self._console.live.now()  # before the page is read
                answered = await row.handler(visitor, await _asked(row, request), here)
                return await self._shown(row, request, visitor, here, answered)
            except NeedsFresh:
                return await self._to_prove(request)
            except (HandrailError, TooLong, msgspec.ValidationError) as problem:
                return await self._failure(request, failure_of(problem))

        return answer

    def api(self, row: Route) -> Callable[[Request], Awaitable[Response]]:
        """For programs: a personal token as bearer, the view model as JSON. A browser's cookie does not count here."""

        async def answer(request: Request) -> Response:
            now = self._console.ports.clock.now_ms()
            try:
                visitor = await self._bearer(request)
                if entry(replace(row, public=False, fresh=False), visitor, now_ms=now) is not Entry.COME_IN:
                    raise _not_open(row)
                here = self._here(row, request, now)
                answered = await row.handler(visitor, await _asked(row, request, json=True), here)
            except NeedsFresh:
                return _json({"error": {"code": "person.not_fresh", "message": "do this in the console"}}, 403)
            except (HandrailError, TooLong, msgspec.ValidationError) as problem:
                failure = failure_of(problem)
                return _json({"error": {"code": failure.code, "message": failure.message}}, failure.status)
            if isinstance(answered, Go):
                return _json({"see": f"/api{answered.path}", "said": answered.said}, 200)
            if isinstance(answered, Again):
                return _json(answered.view, 422)
            return _file(answered) if isinstance(answered, File) else _json(answered, 200)

        return answer

    async def static(self, request: Request) -> Response:
        found = self._static.by_path.get(request.url.path)
        if found is None:
            return Response("not found\n", 404, media_type="text/plain")
        headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
        if found.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(found.packed, headers=headers | {"content-encoding": "gzip"}, media_type=found.type)
        return Response(found.data, headers=headers, media_type=found.type)

    async def stream(self, request: Request) -> Response:
        """Signals for who is signed in. Ends when the session does."""
        visitor: Visitor | None = getattr(request.state, "visitor", None)
        if visitor is None:
            return Response(status_code=204)  # the browser does not come again
        live = self._console.live
        if live.is_full(visitor.person):
            return Response("too many streams\n", 503, media_type="text/plain", headers={"retry-after": "30"})
        heard = request.headers.get("last-event-id") or request.query_params.get("after", "")
        row = int(heard) if heard.isascii() and heard.isdigit() and len(heard) < 19 else None
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        signals = live.stream(row, who=visitor.person, still=getattr(request.state, "still", None))
        return StreamingResponse(signals, media_type="text/event-stream", headers=headers)

    async def http_failed(self, request: Request, problem: HTTPException) -> Response:
        """No such address, or not with this verb."""
        return await self._failure(request, status_of(problem.status_code))

    async def left(self, _: Request, __: Exception) -> Response:
        """Who asked went away in the middle of a form: nobody hears this answer, and it is no fault of ours."""
        return Response(status_code=400)

    async def failed(self, request: Request, problem: Exception) -> Response:
        """Something that nobody foresaw: the trace goes to the log, and a sentence to the visitor."""
        log.error("console.failed", exc_info=problem, extra={"path": request.scope.get("path", "")})
        return await self._failure(request, status_of(500))

    def _here(self, row: Route, request: Request, now: int) -> Here:
        ports = self._console.ports if row.changes else self._looking
        return Here(
            ports=ports, words=self._words(row, request, now), now_ms=now, path=_path(request), rows=self._table,
            fresh_ms=self._console.fresh_ms, fresh_above_minor=self._console.fresh_above_minor,
        )  # fmt: skip

    def _words(self, row: Route, request: Request, now: int) -> Words:
        current = self._console.ports.in_force.current
        return self._languages.words(
            chosen=request.cookies.get(LANGUAGE, ""), accepts=request.headers.get("accept-language", ""),
            zone=current.ruleset.time_zone if current is not None else "UTC", now_ms=now,
            page=getattr(row.handler, "__module__", "").rpartition(".")[2],
        )  # fmt: skip

    async def _require_own(self, request: Request, visitor: Visitor | None) -> None:
        own = own_origin(request.headers, request.url.scheme, self._console.public_url)
        if not is_own(request.headers, own):
            raise HandrailError(Code.NOT_ALLOWED, "this came from another site, so nothing was changed")
        if visitor is not None:
            given = str((await _form(request)).get("csrf") or request.headers.get("x-csrf", ""))
            if not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
                raise HandrailError(Code.NOT_ALLOWED, "this form is too old: load the page again and repeat it")

    async def _bearer(self, request: Request) -> Visitor:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise HandrailError(Code.TOKEN_INVALID, "give a personal token: Authorization: Bearer hp_...")
        return await self._console.by_token(token.strip())

    def _to_sign_in(self, request: Request, where: str) -> Response:
        """Afterwards back to the page; a change has to be sent again from there."""
        back = _path(request) if request.method == "GET" else local(_referer(request))
        target = f"{where}?next={quote(_without_part(back), safe='')}"
        if "hx-request" in request.headers:
            return Response(status_code=204, headers={"hx-redirect": target})
        return RedirectResponse(target, 303)

    async def _to_prove(self, request: Request) -> Response:
        """A change is kept meanwhile, and sent as it was once the visitor says so."""
        if request.method == "GET" or self._console.keeps is None:
            return self._to_sign_in(request, PROVE)
        try:
            target = await self._console.keeps(request)
        except HandrailError as problem:
            return await self._failure(request, failure_of(problem))
        if "hx-request" in request.headers:
            return Response(status_code=204, headers={"hx-redirect": target})
        return RedirectResponse(target, 303)

    async def _shown(
        self, row: Route, request: Request, visitor: Visitor | None, here: Here, answered: object
    ) -> Response:
        if isinstance(answered, Response):
            return answered
        if isinstance(answered, Go):
            own = own_origin(request.headers, request.url.scheme, self._console.public_url)
            return _gone(answered, request, secure=own.startswith("https://"))
        if isinstance(answered, File):
            return _file(answered)
        status = 422 if isinstance(answered, Again) else 200
        view, template = (answered.view, answered.template) if isinstance(answered, Again) else (answered, row.template)
        return await self._html(row, request, visitor, here.words, template, view, status)

    async def _html(
        self, row: Route, request: Request, visitor: Visitor | None, words: Words, template: str, view: object,
        status: int,
    ) -> Response:  # fmt: skip
        part = request.query_params.get(PART)
        page = Page(
            route=row, visitor=visitor, words=words, nonce=request.state.nonce, path=self._shows(row, request),
            frame=await self._frame(row, visitor, words, "" if part is not None else _path(request)),
            theme=_theme(request),
            said=unquote(request.cookies.get(SAID, "")), keys_off=request.cookies.get(KEYS_OFF) == "1",
            row=getattr(request.state, "since", 0),
        )  # fmt: skip
        if part is not None and status == 200:
            return HTMLResponse(self._renderer.part(page, template, view, part))
        response = HTMLResponse(self._renderer.page(page, template, view), status)
        if page.said:
            response.delete_cookie(SAID, path="/")
        return response

    def _shows(self, row: Route, request: Request) -> str:
        """Where the parts of this page ask again."""
        if row.changes or row is self._error:
            return shows(self._table, row, request.url.path)
        return _path(request)

    async def _frame(self, row: Route, visitor: Visitor | None, words: Words, address: str) -> Frame:
        current = self._console.ports.in_force.current
        try:
            counts = await self._console.counts() if visitor is not None else Counts()
            mine = await self._console.ports.people.views(visitor.person) if visitor is not None and address else []
        except HandrailError:
            counts, mine = Counts(), []
        return frame(
            self._table, self._keys, row, visitor, counts, words, version=self._console.version,
            organisation=current.ruleset.organisation if current is not None else "",
            languages=self._languages.names, views=mine, address=address,
        )  # fmt: skip

    async def _failure(self, request: Request, failure: Failure) -> Response:
        if request.url.path.startswith("/api/"):
            return _json({"error": {"code": failure.code, "message": failure.message}}, failure.status)
        if PART in request.query_params:  # what stood in the part stays, and its page asks again
            return Response(status_code=failure.status, headers={"hx-reswap": "none"})
        visitor: Visitor | None = getattr(request.state, "visitor", None)
        words = self._words(self._error, request, self._console.ports.clock.now_ms())
        view = error.view(failure, words)
        return await self._html(self._error, request, visitor, words, "error.html", view, failure.status)


async def _asked(row: Route, request: Request, *, json: bool = False) -> object:
    """Raises msgspec.ValidationError for what does not fit, HandrailError for a body that cannot be read."""
    given: dict[str, Any] = {}
    if not row.changes:
        given = _pairs(request.query_params.multi_items(), row)
    elif json:
        given = _object(await request.body())
    else:
        given = _pairs((await _form(request)).multi_items(), row)
    return msgspec.convert({**given, **request.path_params}, row.asks, strict=False)


async def _form(request: Request) -> FormData:
    """Read once; what cannot be read as a form is told with 422."""
    return await request.form(max_files=1, max_fields=2_000)


def _pairs(items: Sequence[tuple[str, Any]], row: Route) -> dict[str, Any]:
    """A name that the row takes several of becomes a list; of any other the last counts."""
    several = {
        field.encode_name for field in msgspec.structs.fields(row.asks)
        if "tuple" in str(field.type) or "list" in str(field.type)
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, value in items:
        if name in several:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise HandrailError(Code.REQUEST_INVALID, "the body is no JSON object") from None
    return found


def _not_open(row: Route) -> HandrailError:
    return HandrailError(
        Code.NOT_ALLOWED, "your roles do not open this; it is open to: {roles}",
        parts={"roles": ", ".join(sorted(role.value for role in row.roles))},
    )  # fmt: skip


def _path(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _without_part(path: str) -> str:
    address, _, query = path.partition("?")
    kept = "&".join(each for each in query.split("&") if each and not each.startswith(f"{PART}="))
    return f"{address}?{kept}" if kept else address


def _referer(request: Request) -> str:
    told = request.headers.get("referer", "")
    host = request.headers.get("host", "")
    return "/" + told.split(f"//{host}/", 1)[1] if f"//{host}/" in told else "/"


def _theme(request: Request) -> str:
    theme = request.cookies.get(THEME, "")
    return theme if theme in ("light", "dark") else ""


def _gone(answered: Go, request: Request, *, secure: bool) -> Response:
    target = local(answered.path)
    response: Response
    if "hx-request" in request.headers:
        response = Response(status_code=204, headers={"hx-redirect": target})
    else:
        response = RedirectResponse(target, 303)
    if answered.said:
        said = quote(answered.said[:500], safe=" ,.:;!?()-")
        response.set_cookie(SAID, said, max_age=60, path="/", samesite="lax", httponly=True, secure=secure)
    return response


def _file(answered: File) -> Response:
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(answered.name, safe='')}"}
    return Response(answered.data, headers=headers, media_type=answered.type)


def _json(value: object, status: int) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=str), status, media_type="application/json")
