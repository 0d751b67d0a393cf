"""My account: where one is signed in, with what, and how the console looks."""

from starlette.requests import Request
from starlette.responses import Response

from handrail.console.signin import passkeys
from handrail.console.signin.desk import Desk
from handrail.console.signin.enter import grouped
from handrail.console.signin.qr import drawn
from handrail.console.views.frame import ROLE_NAMES
from handrail.console.words import N_
from handrail.people import totp
from handrail.people.factors import (
    AddApp,
    ChangePassword,
    Factors,
    NewApp,
    NewRecovery,
    RemoveApp,
    RemovePasskey,
    SetTaste,
    factors_of,
)
from handrail.people.password import require_strong
from handrail.people.role import Role
from handrail.people.sessions import EndSession, EndSessions
from handrail.people.signin_store import SignInTransaction
from handrail.terms.errors import Code, HandrailError

YEAR_S = 365 * 86_400


class AccountPages:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def account(self, request: Request) -> Response:
        return await self._page(request)

    async def end_session(self, request: Request) -> Response:
        """One of one's own, or all but this one."""
        desk = self._desk
        visitor = desk.require(request)
        which = str((await desk.form(request)).get("session", ""))
        if which == "others":
            change = EndSessions(ids=desk.ids, person_id=visitor.person, token=visitor.token, keep=visitor.session)
            await desk.journal.run(change)
        else:
            await desk.journal.run(EndSession(ids=desk.ids, name=which[:64], token=visitor.token))
        return desk.go(request, "/account")

    async def password(self, request: Request) -> Response:
        desk = self._desk
        visitor = desk.require(request)
        form = await desk.form(request)
        given = str(form.get("password", ""))
        if given != str(form.get("again", "")):
            raise HandrailError(Code.REQUEST_INVALID, "the two passwords are not the same")
        strong = require_strong(given, about=(visitor.name, visitor.mail, desk.settings.organisation))
        hashed = await desk.hashed(strong)
        change = ChangePassword(ids=desk.ids, text=visitor.token, password=hashed, policy=desk.settings.policy)
        await desk.journal.run(change)
        return desk.go(request, "/account")

    async def app(self, request: Request) -> Response:
        await self._desk.form(request)
        return await self._page(request, new_app=True)

    async def add_app(self, request: Request) -> Response:
        desk = self._desk
        visitor = desk.require(request)
        form = await desk.form(request)
        add = AddApp(
            ids=desk.ids, text=visitor.token, code=str(form.get("code", ""))[:100], here=desk.here(request),
            sealing=desk.sealing, policy=desk.settings.policy,
        )  # fmt: skip
        if not await desk.journal.run(add):
            return await self._page(request, new_app=True, wrong=N_("This code is not right."), status=422)
        return desk.go(request, "/account")

    async def remove_app(self, request: Request) -> Response:
        desk = self._desk
        visitor = desk.require(request)
        await desk.form(request)
        await desk.journal.run(RemoveApp(ids=desk.ids, text=visitor.token, policy=desk.settings.policy))
        return desk.go(request, "/account")

    async def recovery(self, request: Request) -> Response:
        """Shown once, in this answer."""
        desk = self._desk
        visitor = desk.require(request)
        await desk.form(request)
        codes = await desk.journal.run(NewRecovery(ids=desk.ids, text=visitor.token, policy=desk.settings.policy))
        return desk.page(request, "recovery", codes=codes)

    async def remove_passkey(self, request: Request) -> Response:
        desk = self._desk
        visitor = desk.require(request)
        name = str((await desk.form(request)).get("passkey", ""))[:1400]
        await desk.journal.run(RemovePasskey(ids=desk.ids, text=visitor.token, name=name, policy=desk.settings.policy))
        return desk.go(request, "/account")

    async def taste(self, request: Request) -> Response:
        """Kept with the person, and in cookies that the pages read."""
        desk = self._desk
        visitor = desk.require(request)
        form = await desk.form(request)
        language, theme = str(form.get("language", "")), str(form.get("theme", ""))
        if language and language not in desk.languages:
            raise HandrailError(Code.REQUEST_INVALID, "choose a language of the list")
        await desk.journal.run(SetTaste(text=visitor.token, language=language, theme=theme))
        response = desk.go(request, "/account")
        for name, value in (("handrail-language", language), ("handrail-theme", theme)):
            age = YEAR_S if value else 0
            response.set_cookie(name, value, max_age=age, path="/", samesite="lax", secure=desk.settings.secure)
        return response

    async def _page(self, request: Request, *, new_app: bool = False, wrong: str = "", status: int = 200) -> Response:
        desk = self._desk
        visitor = desk.require(request)

        def look(tx: SignInTransaction) -> Factors:
            return factors_of(tx, visitor.person)

        secret = address = ""
        if new_app:
            show = NewApp(
                ids=desk.ids, here=desk.here(request), sealing=desk.sealing, policy=desk.settings.policy,
                text=visitor.token,
            )  # fmt: skip
            person, clear = await desk.journal.run(show)
            secret = grouped(totp.secret_text(clear))
            address = totp.address(clear, issuer=desk.settings.organisation, name=person.mail)
        return desk.page(
            request, "account", status, factors=await desk.journal.run(look), wrong=wrong, secret=secret,
            address=address, qr=drawn(address) if address else None,
            roles=", ".join(desk.words(request)(ROLE_NAMES[role.value]) for role in Role if role in visitor.roles),
            provider=desk.settings.provider, languages=desk.languages,
            passkeys_work=passkeys.can(desk.origin(request)),
        )  # fmt: skip
