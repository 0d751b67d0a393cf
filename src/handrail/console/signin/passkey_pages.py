"""What the pages' script asks for passkeys: a challenge that is taken once, then the browser's answer. JSON."""

import json

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from handrail.console.signin import passkeys
from handrail.console.signin.again import Again
from handrail.console.signin.desk import Desk, asked_for
from handrail.people.account import Passkey, Step, step_id
from handrail.people.factors import AddPasskey
from handrail.people.sessions import SignedIn
from handrail.people.sign_in import STEP_MS, ByPasskey, refusal
from handrail.people.signin_store import SignInTransaction
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

PURPOSE = "passkey"


class PasskeyPages:
    def __init__(self, desk: Desk, again: Again) -> None:
        self._desk = desk
        self._again = again

    async def ask(self, request: Request) -> Response:
        desk = self._desk
        await desk.form(request)
        self._require(request)
        challenge, reference = await self._challenge(request, PersonId(""))
        options = json.loads(passkeys.ask(host=desk.host(request), challenge=challenge))
        return desk.json(request, {"ref": reference, "options": options})

    async def show(self, request: Request) -> Response:
        """Signs in, ends the step that waits for a second factor, or confirms who is signed in."""
        desk = self._desk
        form = await desk.form(request)
        challenge = await self._take(request, str(form.get("ref", "")), PersonId(""))
        credential = str(form.get("credential", ""))
        name = passkeys.credential_id(credential)
        key: Passkey | None = await desk.journal.run(lambda tx: tx.passkeys.get(name))
        if key is None:
            raise refusal()
        shown = passkeys.shown(
            credential, key, challenge=challenge, host=desk.host(request), origin=desk.origin(request)
        )
        to, then = asked_for(str(form.get("next", "/"))), str(form.get("then", ""))
        visitor = desk.visitor(request)
        if form.get("use") == "again":
            if visitor is None or visitor.person != key.person:
                raise refusal()
            await desk.journal.run(lambda tx: _used(tx, key, shown.count))
            return await self._confirmed(request, to, then)
        come = ByPasskey(
            ids=desk.ids, key=key, count=shown.count, verified=shown.verified, here=desk.here(request),
            policy=desk.settings.policy, to=to,
        )  # fmt: skip
        came, to = await desk.journal.run(come)
        if not isinstance(came, SignedIn):
            return desk.json(request, {"to": "/sign-in/set-up" if came.setup else "/sign-in/second"})
        response = desk.json(request, {"to": to or "/"})
        desk.give(response, came.text)
        return response

    async def ask_new(self, request: Request) -> Response:
        desk = self._desk
        visitor = desk.require(request)
        await desk.form(request)
        self._require(request)

        def look(tx: SignInTransaction):  # type: ignore[no-untyped-def]  # a pair, used at once
            return tx.persons.get(visitor.person), tx.passkeys.of(visitor.person)

        person, known = await desk.journal.run(look)
        challenge, reference = await self._challenge(request, visitor.person)
        options = passkeys.ask_new(
            person, known, host=desk.host(request), organisation=desk.settings.organisation, challenge=challenge
        )
        return desk.json(request, {"ref": reference, "options": json.loads(options)})

    async def add(self, request: Request) -> Response:
        desk = self._desk
        visitor = desk.require(request)
        form = await desk.form(request)
        challenge = await self._take(request, str(form.get("ref", "")), visitor.person)

        def make(person: PersonId, now_ms: int) -> Passkey:
            return passkeys.made(
                str(form.get("credential", "")), person=person, name=str(form.get("name", "")), challenge=challenge,
                host=desk.host(request), origin=desk.origin(request), now_ms=now_ms,
            )  # fmt: skip

        add = AddPasskey(ids=desk.ids, text=visitor.token, make=make, policy=desk.settings.policy)
        await desk.journal.run(add)
        return desk.json(request, {"to": "/account"})

    async def _confirmed(self, request: Request, to: str, then: str) -> Response:
        page = await self._again.confirmed(request, ("passkey",), to, then)
        response = self._desk.json(request, {"to": page.headers["location"]})
        for value in page.headers.getlist("set-cookie"):
            response.headers.append("set-cookie", value)
        return response

    async def _challenge(self, request: Request, person: PersonId) -> tuple[bytes, str]:
        desk = self._desk
        challenge, reference = desk.ids.token(passkeys.CHALLENGE_BYTES), desk.ids.token(12).hex()
        name = step_id(desk.browser(request), PURPOSE, reference)

        def put(tx: SignInTransaction) -> None:
            tx.steps.sweep(tx.now_ms)
            tx.steps.add(Step(id=name, person=person, body=challenge, ends_at=tx.now_ms + STEP_MS))

        await desk.journal.run(put)
        return challenge, reference

    async def _take(self, request: Request, reference: str, person: PersonId) -> bytes:
        """Once. Raises HandrailError SIGN_IN_REFUSED."""
        name = step_id(self._desk.browser(request), PURPOSE, reference[:64])

        def take(tx: SignInTransaction) -> bytes:
            step = tx.steps.get(name)
            if step is None or step.person != person or tx.now_ms >= step.ends_at:
                raise refusal()
            tx.steps.remove(step)
            return step.body

        return await self._desk.journal.run(take)

    def _require(self, request: Request) -> None:
        if not passkeys.can(self._desk.origin(request)):
            raise HandrailError(
                Code.NOT_ALLOWED, "passkeys need the console's own address: set console.public_url in handrail.yaml"
            )


def _used(tx: SignInTransaction, key: Passkey, count: int) -> None:
    tx.passkeys.swap(key, msgspec.structs.replace(key, count=count, used_at=tx.now_ms))
