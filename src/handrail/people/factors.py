"""Changing what one signs in with. Each needs a fresh session of the person herself (or an admin for a reset), says so
in the record, and leaves one who must show two things with two."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from handrail.ledger.entry import EntryKind
from handrail.people import totp
from handrail.people.account import Account, Identity, Passkey, Step, recovery_codes, step_id
from handrail.people.acting import acting, person_of
from handrail.people.authorise import Act
from handrail.people.desk import InviteAgain, Shown
from handrail.people.facts import SignInFacts, entry
from handrail.people.lockout import FREE
from handrail.people.person import Person
from handrail.people.session import Session, confirmed, is_fresh, session_id, turned
from handrail.people.sessions import SignedIn, end_all, person_actor
from handrail.people.sign_in import (
    STEP_MS,
    Here,
    Policy,
    count_up,
    forget,
    put,
    require_now,
    tell,
    told_change,
    waiting,
)
from handrail.people.signin_store import Sealing, SignInTransaction
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, PersonId

NEW_APP = "app"
MOST_PASSKEYS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """She showed again who she is, checked outside: the session counts as fresh and its secret turns."""

    ids: Ids
    text: str
    methods: tuple[str, ...]

    def __call__(self, tx: SignInTransaction) -> SignedIn:
        """Raises HandrailError TOKEN_INVALID or NOT_ALLOWED."""
        person, session = _who(tx, self.text)
        fresh = confirmed(session, self.methods, now_ms=tx.now_ms)
        new, text = turned(fresh, person.roles, self.ids.token(32), now_ms=tx.now_ms)
        tx.sessions.swap(session, new)
        facts = SignInFacts(person=person.id, session=session.id, methods=self.methods)
        by = person_actor(person.id)
        tx.append(entry(EntryKind.CONFIRMED, ids=self.ids, at_ms=tx.now_ms, by=by, about=person.id, facts=facts))
        return SignedIn(person, new, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCode:
    """Whether a code of her app is right, taken if it is: the second way of `Confirm`. Wrong ones are counted for this
    session: who knows her password but not her session keeps her from nothing."""

    ids: Ids
    text: str
    code: str
    sealing: Sealing

    def __call__(self, tx: SignInTransaction) -> bool:
        """Raises HandrailError SIGN_IN_WAIT, TOKEN_INVALID or NOT_ALLOWED."""
        person, session = _who(tx, self.text)
        name = f"second-session:{session.id}"
        require_now(tx, [(name, FREE)])
        account = tx.accounts.get(person.id)
        if account is None or not account.totp:
            return False
        secret = self.sealing.unseal(account.totp, name=totp.seal_name(person.id))
        taken = totp.accepted(secret, self.code, now_ms=tx.now_ms, last_step=account.totp_step)
        if taken is None:
            tell(tx, self.ids, person.id, count_up(tx, name, person.id), ("code",))
            return False
        forget(tx, (name,))
        tx.accounts.swap(account, msgspec.structs.replace(account, totp_step=taken))
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePassword:
    """`password`: argon2id of the new one. Every other session of hers ends."""

    ids: Ids
    text: str
    password: str
    policy: Policy

    def __call__(self, tx: SignInTransaction) -> None:
        """Raises HandrailError FRESH_NEEDED, TOKEN_INVALID or NOT_ALLOWED."""
        person, session = _fresh(tx, self.text, self.policy)
        old = tx.accounts.get(person.id) or Account(id=person.id)
        put(tx, old, msgspec.structs.replace(old, password=self.password, password_at=tx.now_ms))
        told_change(tx, self.ids, person.id, person_actor(person.id), "password.changed")
        end_all(tx, self.ids, person.id, person_actor(person.id), keep=session.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApp:
    """The secret of a new authenticator app, kept sealed in a step of this browser until its first code is shown. For a
    session, or for the step of one who must set one up to come in."""

    ids: Ids
    here: Here
    sealing: Sealing
    policy: Policy
    text: str = ""

    def __call__(self, tx: SignInTransaction) -> tuple[Person, bytes]:
        """The clear secret, 20 bytes, to show. Asked again it is the same one. Raises HandrailError FRESH_NEEDED,
        TOKEN_INVALID, NOT_ALLOWED or NOT_FOUND."""
        if self.text:
            person, _ = _fresh(tx, self.text, self.policy)
            name = step_id(self.here.browser, NEW_APP)
            step = tx.steps.get(name)
            if step is not None and step.person == person.id and tx.now_ms < step.ends_at:
                return person, self._open(person, step.body)
            if step is not None:
                tx.steps.remove(step)
            secret, sealed = self._make(person)
            tx.steps.add(Step(id=name, person=person.id, body=sealed, ends_at=tx.now_ms + STEP_MS))
            return person, secret
        step, pending = waiting(tx, self.here.browser)
        if step is None or pending is None or not pending.setup:
            raise HandrailError(Code.NOT_FOUND, "nothing waits to be set up here; sign in again")
        person = tx.persons.get(step.person)
        if pending.secret:
            return person, self._open(person, pending.secret)
        secret, sealed = self._make(person)
        body = msgspec.json.encode(msgspec.structs.replace(pending, secret=sealed))
        tx.steps.swap(step, msgspec.structs.replace(step, body=body))
        return person, secret

    def _make(self, person: Person) -> tuple[bytes, bytes]:
        secret = self.ids.token(totp.SECRET_BYTES)
        return secret, self.sealing.seal(secret, name=totp.seal_name(person.id))

    def _open(self, person: Person, sealed: bytes) -> bytes:
        return self.sealing.unseal(sealed, name=totp.seal_name(person.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddApp:
    """The first code of the app that `NewApp` showed: from now on its codes are the second factor. An older app's are
    no more."""

    ids: Ids
    text: str
    code: str
    here: Here
    sealing: Sealing
    policy: Policy

    def __call__(self, tx: SignInTransaction) -> bool:
        """False: a wrong code. Raises as `NewApp`."""
        person, _ = _fresh(tx, self.text, self.policy)
        step = tx.steps.get(step_id(self.here.browser, NEW_APP))
        if step is None or step.person != person.id or tx.now_ms >= step.ends_at:
            raise HandrailError(Code.NOT_FOUND, "this took too long; begin again")
        secret = self.sealing.unseal(step.body, name=totp.seal_name(person.id))
        taken = totp.accepted(secret, self.code, now_ms=tx.now_ms, last_step=0)
        if taken is None:
            return False
        tx.steps.remove(step)
        old = tx.accounts.get(person.id) or Account(id=person.id)
        put(tx, old, msgspec.structs.replace(old, totp=step.body, totp_step=taken))
        told_change(tx, self.ids, person.id, person_actor(person.id), "app.added")
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveApp:
    ids: Ids
    text: str
    policy: Policy

    def __call__(self, tx: SignInTransaction) -> None:
        """Raises HandrailError NOT_ALLOWED when a second factor must remain, FRESH_NEEDED or TOKEN_INVALID."""
        person, _ = _fresh(tx, self.text, self.policy)
        account = tx.accounts.get(person.id)
        if account is None or not account.totp:
            return
        _require_left(person, self.policy, bool(tx.passkeys.of(person.id)))
        tx.accounts.swap(account, msgspec.structs.replace(account, totp=b"", totp_step=0))
        told_change(tx, self.ids, person.id, person_actor(person.id), "app.removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecovery:
    """Ten codes to show once; earlier ones end."""

    ids: Ids
    text: str
    policy: Policy

    def __call__(self, tx: SignInTransaction) -> tuple[str, ...]:
        """Raises HandrailError FRESH_NEEDED, TOKEN_INVALID or NOT_ALLOWED."""
        person, _ = _fresh(tx, self.text, self.policy)
        codes, hashes = recovery_codes(self.ids.token(200))
        old = tx.accounts.get(person.id) or Account(id=person.id)
        put(tx, old, msgspec.structs.replace(old, recovery=hashes))
        told_change(tx, self.ids, person.id, person_actor(person.id), "recovery.made")
        return codes


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPasskey:
    """One whose registration was verified outside. `make`: from the person and the instant."""

    ids: Ids
    text: str
    make: Callable[[PersonId, int], Passkey]
    policy: Policy

    def __call__(self, tx: SignInTransaction) -> None:
        """Raises HandrailError ALREADY, FRESH_NEEDED, TOKEN_INVALID or NOT_ALLOWED."""
        person, _ = _fresh(tx, self.text, self.policy)
        if len(tx.passkeys.of(person.id)) >= MOST_PASSKEYS:
            raise HandrailError(
                Code.NOT_ALLOWED,
                "a person has at most {most} passkeys; remove one first",
                parts={"most": MOST_PASSKEYS},
            )
        tx.passkeys.add(self.make(person.id, tx.now_ms))
        told_change(tx, self.ids, person.id, person_actor(person.id), "passkey.added")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePasskey:
    ids: Ids
    text: str
    name: str
    policy: Policy

    def __call__(self, tx: SignInTransaction) -> None:
        """Raises HandrailError NOT_FOUND, NOT_ALLOWED, FRESH_NEEDED or TOKEN_INVALID."""
        person, _ = _fresh(tx, self.text, self.policy)
        found = tx.passkeys.get(self.name)
        if found is None or found.person != person.id:
            raise HandrailError(Code.NOT_FOUND, "you have no such passkey")
        account = tx.accounts.get(person.id)
        _require_left(person, self.policy, bool(account and account.totp) or len(tx.passkeys.of(person.id)) > 1)
        tx.passkeys.remove(found)
        told_change(tx, self.ids, person.id, person_actor(person.id), "passkey.removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTaste:
    """Language (ISO 639-1, empty: the browser's) and theme (light, dark, empty: the browser's)."""

    text: str
    language: str
    theme: str

    def __call__(self, tx: SignInTransaction) -> None:
        """Raises HandrailError REQUEST_INVALID, TOKEN_INVALID or NOT_ALLOWED. Nothing that the record needs to know."""
        if self.theme not in ("", "light", "dark") or len(self.language) > 8 or not self.language.isascii():
            raise HandrailError(Code.REQUEST_INVALID, "choose a language and a theme of the list")
        person = person_of(tx, self.text)
        old = tx.accounts.get(person.id) or Account(id=person.id)
        put(tx, old, msgspec.structs.replace(old, language=self.language, theme=self.theme))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """An admin's way back in for one who lost everything: password, app, passkeys, recovery codes, sessions and
    accounts at a provider that were connected by hand end, and a one-time link is shown. Her personal tokens end too
    (`InviteAgain`)."""

    ids: Ids
    person_id: PersonId
    token: str | None

    def __call__(self, tx: SignInTransaction) -> Shown:
        """Raises HandrailError NOT_FOUND, NOT_ALLOWED or TOKEN_INVALID."""
        by = acting(tx, self.token, Act.MANAGE_PEOPLE)
        shown = InviteAgain(ids=self.ids, person_id=self.person_id, token=self.token)(tx)
        account = tx.accounts.get(self.person_id)
        if account is not None:
            bare = Account(id=account.id, language=account.language, theme=account.theme)
            if bare != account:
                tx.accounts.swap(account, bare)
        for key in tx.passkeys.of(self.person_id):
            tx.passkeys.remove(key)
        for browser in tx.browsers.of(self.person_id):
            tx.browsers.remove(browser)
        for step in tx.steps.of(self.person_id):
            tx.steps.remove(step)
        for identity in tx.identities.of(self.person_id):
            if not identity.managed:
                tx.identities.remove(identity)
        end_all(tx, self.ids, self.person_id, by)
        told_change(tx, self.ids, self.person_id, by, "reset")
        return shown


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person has, to show: no secret."""

    password: bool
    app: bool
    recovery_left: int
    passkeys: tuple[Passkey, ...]
    identities: tuple[Identity, ...]
    sessions: tuple[Session, ...]


def factors_of(tx: SignInTransaction, person: PersonId) -> Factors:
    """Sessions that are over are not among them."""
    account = tx.accounts.get(person) or Account(id=person)
    sessions = [each for each in tx.sessions.of(person) if tx.now_ms < min(each.ends_at, each.seen_at + each.idle_ms)]
    return Factors(
        password=bool(account.password),
        app=bool(account.totp),
        recovery_left=len(account.recovery),
        passkeys=tuple(tx.passkeys.of(person)),
        identities=tuple(tx.identities.of(person)),
        sessions=tuple(sorted(sessions, key=lambda each: -each.seen_at)),
    )


def _who(tx: SignInTransaction, text: str) -> tuple[Person, Session]:
    person = person_of(tx, text)
    session = tx.sessions.get(session_id(text))
    assert session is not None
    return person, session


def _fresh(tx: SignInTransaction, text: str, policy: Policy) -> tuple[Person, Session]:
    person, session = _who(tx, text)
    if not is_fresh(session.authenticated_at, now_ms=tx.now_ms, lengths=policy.lengths):
        raise HandrailError(Code.FRESH_NEEDED, "show again who you are first")
    return person, session


def _require_left(person: Person, policy: Policy, left: bool) -> None:
    if person.roles & policy.needs_second and not left:
        raise HandrailError(Code.NOT_ALLOWED, "your roles need a second factor; add another one first")
