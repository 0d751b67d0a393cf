"""The pages that let one in: a one-time link, a password, then the second factor; and the way out."""

from starlette.requests import Request
from starlette.responses import Response

from handrail.console.refusals import told_why
from handrail.console.signin.cookies import SESSION
from handrail.console.signin.desk import Desk, asked_for
from handrail.console.signin.qr import drawn
from handrail.console.words import N_
from handrail.people import totp
from handrail.people.acting import token_id
from handrail.people.factors import NewApp
from handrail.people.password import require_strong
from handrail.people.person import mail_of
from handrail.people.sessions import SignedIn, SignOut
from handrail.people.sign_in import ComeIn, Refused, Second, Try, Waiting, Welcome, Wrong, refusal
from handrail.people.signin_store import SignInTransaction
from handrail.people.token import Token, TokenKind, require_good
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import KeyId

CODE = "handrail-link"
"""Cookie: the one-time code between the link and its form, so that it leaves the address bar."""
CODE_S = 600
WRONG = {
    Wrong.GONE: N_("This took too long. Begin again."),
    Wrong.WRONG: N_("This code is not right, or was used already."),
    Wrong.WAIT: N_("Too many wrong codes. Wait a minute."),
}


class Enter:
    """`demo`: whether this database is the demo's and may offer roles."""

    def __init__(self, desk: Desk, *, demo: bool = False) -> None:
        self._desk = desk
        self._demo = demo

    async def sign_in(self, request: Request) -> Response:
        desk = self._desk
        to = asked_for(request.query_params.get("next", "/"))
        if desk.visitor(request) is not None:
            return desk.go(request, to)
        if not await desk.reader.anybody():
            return desk.go(request, "/sign-in/link")
        return self._form(request, to)

    async def try_password(self, request: Request) -> Response:
        """1 count, 2 check, 3 in or refused."""
        desk = self._desk
        form = await desk.form(request)
        mail, given, to = str(form.get("mail", "")), str(form.get("password", "")), asked_for(str(form.get("next", "")))
        here = desk.here(request)
        try:
            tried = await desk.journal.run(Try(mail=mail, here=here, sealing=desk.sealing))
            right = await desk.is_right(tried.password, given[:1000], known=tried.known)
            if not right or tried.person is None:
                await desk.journal.run(Refused(ids=desk.ids, tried=tried))
                raise refusal()
            come = ComeIn(
                ids=desk.ids, tried=tried, here=here, policy=desk.settings.policy, password=tried.password, to=to
            )
            return self.came(request, await desk.journal.run(come), to)
        except HandrailError as error:
            if error.code not in (Code.SIGN_IN_REFUSED, Code.SIGN_IN_WAIT, Code.BUSY):
                raise
            status = {Code.SIGN_IN_REFUSED: 401, Code.SIGN_IN_WAIT: 429}.get(error.code, 503)
            response = self._form(request, to, mail=mail, wrong=told_why(error, desk.words(request)), status=status)
            if error.retry_after_s:
                response.headers["retry-after"] = str(int(error.retry_after_s))
            return response

    def came(self, request: Request, came: SignedIn | Waiting, to: str) -> Response:
        """In, or to the second factor."""
        if isinstance(came, SignedIn):
            return self._desk.signed_in(request, came, to)
        return self._desk.go(request, "/sign-in/set-up" if came.setup else "/sign-in/second")

    async def second(self, request: Request) -> Response:
        return self._desk.page(request, "second")

    async def set_up(self, request: Request) -> Response:
        """One who needs a second factor and has none. It only shows a button: looking changes nothing."""
        return self._desk.page(request, "set_up", secret="", address="", qr=None)

    async def show_app(self, request: Request) -> Response:
        desk = self._desk
        await desk.form(request)
        return await self._app_page(request)

    async def _app_page(self, request: Request, *, wrong: str = "", status: int = 200) -> Response:
        desk = self._desk
        show = NewApp(ids=desk.ids, here=desk.here(request), sealing=desk.sealing, policy=desk.settings.policy)
        person, secret = await desk.journal.run(show)
        address = totp.address(secret, issuer=desk.settings.organisation, name=person.mail)
        return desk.page(
            request, "set_up", status, secret=grouped(totp.secret_text(secret)), address=address, qr=drawn(address),
            wrong=wrong,
        )  # fmt: skip

    async def try_second(self, request: Request) -> Response:
        desk = self._desk
        form = await desk.form(request)
        code, setup = str(form.get("code", ""))[:100], form.get("setup") == "1"
        attempt = Second(
            ids=desk.ids, code=code, here=desk.here(request), policy=desk.settings.policy, sealing=desk.sealing
        )
        result = await desk.journal.run(attempt)
        if isinstance(result, Wrong):
            if result is Wrong.GONE:
                return self._form(request, "/", wrong=WRONG[result], status=401)
            status = 429 if result is Wrong.WAIT else 401
            if setup:
                return await self._app_page(request, wrong=WRONG[result], status=status)
            return desk.page(request, "second", status, wrong=WRONG[result])
        came, to = result
        return desk.signed_in(request, came, to)

    async def link(self, request: Request) -> Response:
        """A one-time link. Looking at it uses nothing up: mail scanners look too."""
        desk = self._desk
        code = request.query_params.get("code", "")
        if code:
            response = desk.go(request, "/sign-in/link")
            cookie = desk.cookies.written(CODE, code[:100] if code.isascii() else "", max_age_s=CODE_S)
            response.headers.append("set-cookie", cookie.decode("latin-1"))
            return response
        code = desk.cookies.read(request.scope, CODE)
        first = not await desk.reader.anybody()
        return desk.page(request, "link", code=code, first=first, mail="", name="")

    async def use_link(self, request: Request) -> Response:
        desk = self._desk
        form = await desk.form(request)
        code, name = str(form.get("code", "")).strip(), str(form.get("name", "")).strip()
        mail, given = str(form.get("mail", "")).strip(), str(form.get("password", ""))
        first = not await desk.reader.anybody()
        try:
            about = await self._about(code, mail, name)
            if given != str(form.get("again", "")):
                raise HandrailError(Code.REQUEST_INVALID, "the two passwords are not the same")
            strong = require_strong(given, about=(*about, desk.settings.organisation))
            welcome = Welcome(
                ids=desk.ids, code=code, password=await desk.hashed(strong), here=desk.here(request),
                policy=desk.settings.policy, mail=mail, name=name,
            )  # fmt: skip
            came = await desk.journal.run(welcome)
        except HandrailError as error:
            if error.code not in (Code.REQUEST_INVALID, Code.TOKEN_INVALID, Code.ALREADY):
                raise
            wrong = told_why(error, desk.words(request))
            return desk.page(request, "link", 422, wrong=wrong, code=code, first=first, mail=mail, name=name)
        response = self.came(request, came, "/account")
        response.headers.append("set-cookie", desk.cookies.written(CODE, "", max_age_s=0).decode("latin-1"))
        return response

    async def _about(self, code: str, mail: str, name: str) -> tuple[str, ...]:
        """What the password may not be made of. Raises HandrailError REQUEST_INVALID, or TOKEN_INVALID: for a code that
        is not good no password is hashed, which costs more than anything else here."""

        def look(tx: SignInTransaction) -> tuple[str, ...] | None:
            stored: Token | None = tx.tokens.get(KeyId(token_id(code)))
            token = require_good(stored, code, TokenKind.ONE_TIME, now_ms=tx.now_ms)
            if token.person is None:
                return None
            person = tx.persons.get(token.person)
            return person.name, person.mail

        found = await self._desk.journal.run(look)
        return found if found is not None else (name, mail_of(mail) if mail else "")

    async def sign_out(self, request: Request) -> Response:
        desk = self._desk
        await desk.form(request)
        text = desk.cookies.read(request.scope, SESSION)
        await desk.journal.run(SignOut(ids=desk.ids, text=text))
        response = desk.page(request, "signed_out", demo=self._demo)
        desk.take(response)
        return response

    def _form(self, request: Request, to: str, *, mail: str = "", wrong: str = "", status: int = 200) -> Response:
        return self._desk.page(
            request, "sign_in", status, to=to, mail=mail, wrong=wrong, provider=self._desk.settings.provider,
            demo=self._demo,
        )  # fmt: skip


def grouped(text: str) -> str:
    """In groups of four, to be typed."""
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))
