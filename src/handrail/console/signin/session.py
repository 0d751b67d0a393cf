"""Who sends a request to the console: the visitor, found by the session's cookie for every request anew.

Promise: SGN-1..3. When the session cannot be read, the answer is 503 and nobody is signed in. A disabled person, an
ended or idle session, a wrong secret: no visitor.
"""

from dataclasses import dataclass, field
from functools import partial

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handrail.console.signin.cookies import SESSION, Cookies
from handrail.ledger.store import Journal
from handrail.people.account import Account
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.session import Session, Standing, seen, session_id, standing
from handrail.people.sessions import Seen, Turn
from handrail.people.signin_store import SignInReader
from handrail.terms.clock import Clock
from handrail.terms.errors import HandrailError
from handrail.terms.ids import Ids, PersonId

ASSETS, STREAM = "/static/", "/live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """`authenticated_at`: Unix ms, when she last showed who she is. `language`: what she chose, empty: the browser's.
    `theme`: `light`, `dark`, empty: the browser's. `csrf`: what each changing form and request carries back. `token`:
    what commands take as her token; it is checked again in their own transaction, and never shown or logged."""

    person: PersonId
    name: str
    roles: frozenset[Role]
    authenticated_at: int
    session: str
    csrf: str = field(repr=False)
    language: str = ""
    theme: str = ""
    mail: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def visitor(session: Session, person: Person, account: Account | None, text: str) -> Visitor:
    """`text`: the session's cookie."""
    return Visitor(
        person=person.id,
        name=person.name,
        roles=person.roles,
        authenticated_at=session.authenticated_at,
        session=session.id,
        csrf=session.csrf,
        language=account.language if account else "",
        theme=account.theme if account else "",
        mail=person.mail,
        token=text,
    )


def is_by_itself(scope: Scope) -> bool:
    """Whether a page asked and not its person: the stream of signals, and parts that renew themselves. They keep nobody
    signed in."""
    return scope["path"] == STREAM or any(each.startswith(b"part=") for each in scope["query_string"].split(b"&"))


class Visitors:
    """ASGI middleware: sets `request.state.visitor` to a Visitor or None, and `request.state.still` to what tells later
    whether the session is good. A session whose person's roles changed gets a new secret with this answer. Assets are
    for everybody: no session is read for them, and no cookie goes with an answer that caches may keep."""

    def __init__(
        self, app: ASGIApp, *, reader: SignInReader, journal: Journal, clock: Clock, ids: Ids, cookies: Cookies
    ) -> None:
        self._app = app
        self._reader = reader
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["visitor"] = None
        text = "" if scope["path"].startswith(ASSETS) else self._cookies.read(scope, SESSION)
        if not text:
            await self._app(scope, receive, send)
            return
        try:
            found, fresh = await self._find(text, acts=not is_by_itself(scope))
        except HandrailError:
            await _unavailable(send)
            return
        state["visitor"] = found
        state["still"] = partial(self._still, fresh or text)
        await self._app(scope, receive, send if fresh is None else self._giving(send, fresh))

    async def _find(self, text: str, *, acts: bool) -> tuple[Visitor | None, str | None]:
        """The visitor, and the session's new text when it turned. `acts`: the session was used by its person. Raises
        HandrailError JOURNAL_UNAVAILABLE."""
        held = await self._reader.session(session_id(text))
        if held is None:
            return None, None
        session, person, account = held
        now_ms = self._clock.now_ms()
        stands = standing(session, text, person.roles, now_ms=now_ms)
        if stands is Standing.GONE or not person.active:
            return None, None
        fresh = None
        if stands is Standing.TURN:
            turned = await self._journal.run(Turn(ids=self._ids, text=text))
            if turned is None:
                return await self._now(text), None
            session, person, fresh = turned.session, turned.person, turned.text
        elif acts and seen(session, now_ms=now_ms) != session:
            self._journal.beside(Seen(name=session.id))
        return visitor(session, person, account, fresh or text), fresh

    async def _now(self, text: str) -> Visitor | None:
        """Read again after another request turned the session, or it ended."""
        held = await self._reader.session(session_id(text))
        if held is None:
            return None
        session, person, account = held
        good = standing(session, text, person.roles, now_ms=self._clock.now_ms()) is Standing.GOOD
        return visitor(session, person, account, text) if good and person.active else None

    async def _still(self, text: str) -> bool:
        """Whether the session is good now. Raises HandrailError JOURNAL_UNAVAILABLE."""
        held = await self._reader.session(session_id(text))
        if held is None:
            return False
        session, person, _ = held
        return person.active and standing(session, text, person.roles, now_ms=self._clock.now_ms()) is not Standing.GONE

    def _giving(self, send: Send, text: str) -> Send:
        async def giving(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("set-cookie", self._cookies.written(SESSION, text).decode("latin-1"))
            await send(message)

        return giving


async def _unavailable(send: Send) -> None:
    """Who is here cannot be told, so nothing is shown."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"2"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    body = b"The console cannot read its database now. Try again in a moment; if it stays so, run: handrail doctor\n"
    await send({"type": "http.response.body", "body": body})
