"""Showing again who one is, for what asks for it, and going on where one was.

Promise: SGN-8. A change that needs a fresh sign-in is kept, sealed, for ten minutes under this browser and this person;
after the confirmation a page offers to send it as it was. It is never sent by itself: the person presses the button.
"""

from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from handrail.console.refusals import told_why
from handrail.console.security import local
from handrail.console.signin.desk import Desk, asked_for
from handrail.console.signin.session import Visitor
from handrail.console.words import N_
from handrail.people.account import Account, Step, step_id
from handrail.people.factors import Confirm, ShowCode
from handrail.people.session import Lengths, is_fresh
from handrail.people.sign_in import STEP_MS, Refused, Try, forget
from handrail.people.signin_store import SignInTransaction
from handrail.terms.errors import Code, HandrailError

KEPT = "again"
MOST_BYTES = 65_536
MOST_FIELDS = 200


class Kept(msgspec.Struct, frozen=True):
    """A change that waits. `path`: on this console. `fields`: of its form, without its token."""

    path: str
    fields: tuple[tuple[str, str], ...]
    back: str


def needs_fresh(
    visitor: Visitor, *, now_ms: int, lengths: Lengths, amount_minor: int | None = None, above_minor: int | None = None
) -> bool:
    """Whether this visitor must show again who she is: always for what has no amount, for an amount only from
    `above_minor` (the home's `fresh_above`; None: for none)."""
    if amount_minor is not None and (above_minor is None or amount_minor < above_minor):
        return False
    return not is_fresh(visitor.authenticated_at, now_ms=now_ms, lengths=lengths)


async def keep(desk: Desk, request: Request) -> str:
    """Keep the form that this request carries; the address that asks who it is: redirect there. A change that is too
    long to be kept is not: the person is sent back to its page afterwards."""
    visitor = desk.require(request)
    back = local(request.query_params.get("back", "") or _referer(request))
    form = await request.form()
    fields = tuple((name, value) for name, value in form.multi_items() if isinstance(value, str) and name != "csrf")
    kept = msgspec.json.encode(Kept(request.url.path, fields, back))
    if request.method != "POST" or len(kept) > MOST_BYTES or len(fields) > MOST_FIELDS:
        return f"/sign-in/again?next={quote(back, safe='')}"
    reference = desk.ids.token(12).hex()
    name = step_id(desk.browser(request), KEPT, reference)
    sealed = desk.sealing.seal(kept, name=name)

    def put(tx: SignInTransaction) -> None:
        tx.steps.sweep(tx.now_ms)
        old = [step for step in tx.steps.of(visitor.person) if step.body[:1] == b"\x01"]
        for step in sorted(old, key=lambda each: each.ends_at)[: max(0, len(old) - 9)]:
            tx.steps.remove(step)
        tx.steps.add(Step(id=name, person=visitor.person, body=sealed, ends_at=tx.now_ms + STEP_MS))

    await desk.journal.run(put)
    return f"/sign-in/again?then={reference}"


class Again:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ask(self, request: Request) -> Response:
        then = request.query_params.get("then", "")
        return await self._page(request, asked_for(request.query_params.get("next", "/")), then)

    async def confirm(self, request: Request) -> Response:
        """By the password, or where there is none by a code of the app."""
        desk = self._desk
        visitor = desk.require(request)
        form = await desk.form(request)
        to, then = asked_for(str(form.get("next", "/"))), str(form.get("then", ""))
        account = await self._account(visitor)
        try:
            if account.password:
                await self._by_password(request, visitor, str(form.get("password", "")))
                methods: tuple[str, ...] = ("password",)
            else:
                await self._by_code(visitor, str(form.get("code", "")))
                methods = ("totp",)
        except HandrailError as error:
            if error.code not in (Code.SIGN_IN_REFUSED, Code.SIGN_IN_WAIT):
                raise
            return await self._page(request, to, then, wrong=told_why(error, self._desk.words(request)), status=401)
        return await self.confirmed(request, methods, to, then)

    async def confirmed(self, request: Request, methods: tuple[str, ...], to: str, then: str) -> Response:
        """The session is fresh from now on; on to what was being done."""
        desk = self._desk
        visitor = desk.require(request)
        came = await desk.journal.run(Confirm(ids=desk.ids, text=visitor.token, methods=methods))
        response = desk.go(request, f"/sign-in/continue?then={quote(then[:64], safe='')}" if then else to)
        desk.give(response, came.text)
        return response

    async def go_on(self, request: Request) -> Response:
        """What was being done, to be sent as it was. Looking sends nothing."""
        desk = self._desk
        visitor = desk.require(request)
        kept = await self._kept(request, visitor, request.query_params.get("then", ""))
        if kept is None:
            return desk.page(request, "told", 410, wrong=N_("This took too long. Begin again."))
        if needs_fresh(visitor, now_ms=desk.clock.now_ms(), lengths=desk.settings.policy.lengths):
            return desk.go(request, f"/sign-in/again?then={quote(request.query_params.get('then', '')[:64], safe='')}")
        return desk.page(request, "continue", path=kept.path, fields=kept.fields, back=kept.back)

    async def _by_password(self, request: Request, visitor: Visitor, given: str) -> None:
        desk = self._desk
        tried = await desk.journal.run(Try(mail=visitor.mail, here=desk.here(request), sealing=desk.sealing))
        right = tried.person is not None and tried.person.id == visitor.person
        if not await desk.is_right(tried.password, given[:1000], known=True) or not right:
            await desk.journal.run(Refused(ids=desk.ids, tried=tried))
            raise HandrailError(Code.SIGN_IN_REFUSED, "this is not your password")
        await desk.journal.run(lambda tx: forget(tx, tried.counted))

    async def _by_code(self, visitor: Visitor, code: str) -> None:
        desk = self._desk
        show = ShowCode(ids=desk.ids, text=visitor.token, code=code[:100], sealing=desk.sealing)
        if not await desk.journal.run(show):
            raise HandrailError(Code.SIGN_IN_REFUSED, "this code is not right, or was used already")

    async def _account(self, visitor: Visitor) -> Account:
        held = await self._desk.reader.session(visitor.session)
        return held[2] if held is not None and held[2] is not None else Account(id=visitor.person)

    async def _page(self, request: Request, to: str, then: str, *, wrong: str = "", status: int = 200) -> Response:
        desk = self._desk
        visitor = desk.require(request)
        account = await self._account(visitor)
        return desk.page(
            request, "again", status, to=to, then=then, wrong=wrong, password=bool(account.password),
            app=bool(account.totp), passkey=True, provider="" if account.password else desk.settings.provider,
        )  # fmt: skip

    async def _kept(self, request: Request, visitor: Visitor, reference: str) -> Kept | None:
        desk = self._desk
        name = step_id(desk.browser(request), KEPT, reference[:64])
        step: Step | None = await desk.journal.run(lambda tx: tx.steps.get(name))
        if step is None or step.person != visitor.person or desk.clock.now_ms() >= step.ends_at:
            return None
        return msgspec.json.decode(desk.sealing.unseal(step.body, name=name), type=Kept)


def _referer(request: Request) -> str:
    told, host = request.headers.get("referer", ""), request.headers.get("host", "")
    return "/" + told.split(f"//{host}/", 1)[1] if f"//{host}/" in told else "/"
