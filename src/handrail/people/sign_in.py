"""Coming in: a try is counted, what was shown is checked outside, and a command takes the result or refuses it.

1. `Try`: counted before anybody looks at the password; who has to wait is told so.
2. The caller checks the password in a thread (`password.is_right`), or a passkey, or a provider's token.
3. `ComeIn` or `Refused`: a session, a step that waits for the second factor, or the record of a wrong try.
4. `Second`: the code, the recovery code or the passkey that ends the step.

Promises: SGN-4, SGN-5, SGN-7 (who approves or administers shows two things). When anything of it cannot be read or
written, nobody comes in.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from handrail.ledger.entry import EntryKind
from handrail.people import lockout, totp
from handrail.people.account import Account, Browser, Passkey, Step, step_id, without_recovery
from handrail.people.desk import use_up
from handrail.people.facts import SignInFacts, entry
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.session import NOBODY_VOUCHED, Lengths, Vouched
from handrail.people.sessions import SignedIn, SignOut, end_all, open_session, person_actor
from handrail.people.signin_store import Sealing, SignInTransaction
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, PersonId

STEP_MS = 10 * 60_000
SECOND = "second"
BROWSER_MS = 365 * 86_400_000
MOST_BROWSERS = 20


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """`needs_second`: roles whose holders show a second factor."""

    lengths: Lengths = Lengths()
    needs_second: frozenset[Role] = frozenset({Role.APPROVER, Role.ADMIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Where a try comes from. `browser`: the text of its cookie. `address`: a mark of its network (`Sealing.mark`).
    `label`: the browser in two words. `session`: the text of the session that this browser had, empty: none; it ends
    when somebody comes in here."""

    browser: str
    address: str
    label: str = ""
    session: str = field(default="", repr=False)

    @property
    def browser_id(self) -> str:
        return hashlib.sha256(self.browser.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """`password`: the stored hash, empty when there is none. `counted`: what was counted up. `known`: this browser was
    in as this person before."""

    person: Person | None
    password: str
    counted: tuple[str, ...]
    known: bool = False

    def __repr__(self) -> str:
        return f"Tried({self.counted})"


class Pending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of a step that waits for a second factor. `setup`: there is none yet, and this one must be set up; `secret`
    is then the new app's, sealed. `to`: the page that was asked for. `password_at`: of the password when the first
    factor was shown; once it is another one, the step opens nothing."""

    methods: tuple[str, ...]
    password_at: int = 0
    to: str = ""
    setup: bool = False
    secret: bytes = b""
    vouched: Vouched = NOBODY_VOUCHED


@dataclass(frozen=True, slots=True)
class Waiting:
    """The first factor was right; a step waits in this browser."""

    person: Person
    setup: bool


class Wrong(StrEnum):
    """Why a second factor was not taken."""

    GONE = "gone"  # no step waits in this browser
    WRONG = "wrong"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One more try with an address, counted. Unknown addresses count and wait like known ones."""

    mail: str
    here: Here
    sealing: Sealing

    def __call__(self, tx: SignInTransaction) -> Tried:
        """Raises HandrailError SIGN_IN_WAIT; such a try is not counted and not looked at."""
        mail = self.mail.strip().lower()[:256]
        person = tx.persons.by_mail(mail)
        browser = tx.browsers.get(self.here.browser_id) if self.here.browser else None
        known = browser is not None and person is not None and browser.person == person.id
        own = f"browser:{self.here.browser_id}" if known else f"mail:{self.sealing.mark(mail)}"
        address = f"address:{self.here.address}"
        places = [(own, lockout.FREE)] if known else [(own, lockout.FREE), (address, lockout.FREE_AT_ADDRESS)]
        require_now(tx, places)
        for name, _ in places:
            count_up(tx, name, person.id if person and name == own else lockout.NOBODY)
        account = tx.accounts.get(person.id) if person else None
        usable = account.password if account and person and person.active else ""
        return Tried(person=person, password=usable, counted=tuple(name for name, _ in places), known=known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A wrong one. The record tells the 1st, 2nd, 4th, 8th, ... in a row: of a person, or of all unknown addresses
    together."""

    ids: Ids
    tried: Tried

    def __call__(self, tx: SignInTransaction) -> None:
        person = self.tried.person
        if person is None:
            count = count_up(tx, "unknown", lockout.NOBODY)
        else:
            kept = tx.failures.get(self.tried.counted[0])
            count = kept.count if kept else 1
        tell(tx, self.ids, person.id if person else lockout.NOBODY, count, ("password",))


@dataclass(frozen=True, slots=True, kw_only=True)
class ComeIn:
    """What was shown is right. `password`: the hash it was checked against, which must still be the stored one."""

    ids: Ids
    tried: Tried
    here: Here
    policy: Policy
    password: str
    to: str = ""

    def __call__(self, tx: SignInTransaction) -> SignedIn | Waiting:
        """Raises HandrailError SIGN_IN_REFUSED when the password changed meanwhile or the person was disabled."""
        assert self.tried.person is not None
        person = tx.persons.get(self.tried.person.id)
        account = tx.accounts.get(person.id)
        if account is None or account.password != self.password or not person.active:
            raise refusal()
        forget(tx, self.tried.counted)
        return admit(tx, self.ids, person, ("password",), here=self.here, policy=self.policy, to=self.to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """A one-time link: whom it names, or the first admin, sets a password and comes in. `password`: argon2id."""

    ids: Ids
    code: str
    password: str
    here: Here
    policy: Policy
    mail: str = ""
    name: str = ""

    def __call__(self, tx: SignInTransaction) -> SignedIn | Waiting:
        """Raises HandrailError TOKEN_INVALID, ALREADY or REQUEST_INVALID; the link then stays good."""
        person = use_up(tx, self.ids, self.code, mail=self.mail, name=self.name)
        old = tx.accounts.get(person.id)
        if old is None:
            tx.accounts.add(Account(id=person.id, password=self.password, password_at=tx.now_ms))
        else:
            tx.accounts.swap(old, msgspec.structs.replace(old, password=self.password, password_at=tx.now_ms))
        told_change(tx, self.ids, person.id, person_actor(person.id), "password.set")
        end_all(tx, self.ids, person.id, person_actor(person.id))  # whoever knew the old one is out
        return admit(tx, self.ids, person, ("link", "password"), here=self.here, policy=self.policy, to="/account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """A code of the app, or a recovery code, for the step that waits in this browser. A wrong one is counted: of a
    browser that was in as her before by itself, so that who knows her password keeps her own browser from nothing."""

    ids: Ids
    code: str
    here: Here
    policy: Policy
    sealing: Sealing

    def __call__(self, tx: SignInTransaction) -> tuple[SignedIn, str] | Wrong:
        """The session and the page that was asked for. It returns what is wrong, so that the count is kept."""
        step, pending = waiting(tx, self.here.browser)
        if step is None or pending is None:
            return Wrong.GONE
        if pending.setup and _has_second(tx, step.person, pending.methods):
            tx.steps.remove(step)  # set up meanwhile: a password alone never replaces it
            return Wrong.GONE
        name = _second_place(tx, step.person, self.here)
        if lockout.wait_ms(tx.failures.get(name), now_ms=tx.now_ms):
            return Wrong.WAIT
        method = self._taken(tx, step.person, pending)
        if method is None:
            tell(tx, self.ids, step.person, count_up(tx, name, step.person), ("code",))
            return Wrong.WRONG
        forget(tx, (name,))
        return through(tx, self.ids, step, pending, method, here=self.here, policy=self.policy)

    def _taken(self, tx: SignInTransaction, person: PersonId, pending: Pending) -> str | None:
        account = tx.accounts.get(person) or Account(id=person)
        if pending.setup:
            secret, last = pending.secret, 0
        else:
            secret, last = account.totp, account.totp_step
        if secret:
            clear = self.sealing.unseal(secret, name=totp.seal_name(person))
            taken = totp.accepted(clear, self.code, now_ms=tx.now_ms, last_step=last)
            if taken is not None:
                put(tx, account, msgspec.structs.replace(account, totp=secret, totp_step=taken))
                if pending.setup:
                    told_change(tx, self.ids, person, person_actor(person), "app.added")
                return "totp"
        left = None if pending.setup else without_recovery(account, self.code)
        if left is None:
            return None
        put(tx, account, left)
        told_change(tx, self.ids, person, person_actor(person), "recovery.used")
        return "recovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPasskey:
    """A passkey whose signature was verified outside, against `key` as it was read. `verified`: the authenticator knew
    its person (a PIN, a finger): then it is two factors by itself. It ends the step that waits, if one does."""

    ids: Ids
    key: Passkey
    count: int
    verified: bool
    here: Here
    policy: Policy
    to: str = ""

    def __call__(self, tx: SignInTransaction) -> tuple[SignedIn | Waiting, str]:
        """Raises HandrailError SIGN_IN_REFUSED: gone meanwhile, or another one's than the step's, or used twice at
        once."""
        stored = tx.passkeys.get(self.key.id)
        if stored != self.key:
            raise refusal()
        person = tx.persons.get(stored.person)
        if not person.active:
            raise refusal()
        tx.passkeys.swap(stored, msgspec.structs.replace(stored, count=self.count, used_at=tx.now_ms))
        step, pending = waiting(tx, self.here.browser)
        if step is not None and pending is not None and step.person == person.id and not pending.setup:
            return through(tx, self.ids, step, pending, "passkey", here=self.here, policy=self.policy)
        methods = ("passkey", "verified") if self.verified else ("passkey",)
        came = admit(
            tx, self.ids, person, methods, here=self.here, policy=self.policy, to=self.to, strong=self.verified
        )
        return came, self.to


def admit(
    tx: SignInTransaction,
    ids: Ids,
    person: Person,
    methods: tuple[str, ...],
    *,
    here: Here,
    policy: Policy,
    to: str,
    strong: bool = False,
    vouched: Vouched = NOBODY_VOUCHED,
) -> SignedIn | Waiting:
    """In, or first the second factor. `strong`: what was shown counts as two. Raises HandrailError SIGN_IN_REFUSED."""
    if not person.active:
        raise refusal()
    has = _has_second(tx, person.id, methods)
    needs = bool(person.roles & policy.needs_second)
    if strong or not (has or needs):
        return let_in(tx, ids, person, methods, here=here, policy=policy, vouched=vouched)
    if not here.browser:
        raise refusal()
    tx.steps.sweep(tx.now_ms)
    name = step_id(here.browser, SECOND)
    old = tx.steps.get(name)
    if old is not None:
        tx.steps.remove(old)
    pending = Pending(methods=methods, to=to, setup=not has, password_at=_password_at(tx, person.id), vouched=vouched)
    tx.steps.add(Step(id=name, person=person.id, body=msgspec.json.encode(pending), ends_at=tx.now_ms + STEP_MS))
    return Waiting(person, setup=not has)


def let_in(
    tx: SignInTransaction,
    ids: Ids,
    person: Person,
    methods: tuple[str, ...],
    *,
    here: Here,
    policy: Policy,
    vouched: Vouched = NOBODY_VOUCHED,
) -> SignedIn:
    """A session, and the browser is known from now on. The one that it had ends: its cookie is replaced."""
    if here.session:
        SignOut(ids=ids, text=here.session)(tx)
    if here.browser:
        old = tx.browsers.get(here.browser_id)
        new = Browser(id=here.browser_id, person=person.id, ends_at=tx.now_ms + BROWSER_MS)
        if old is None:
            tx.browsers.sweep(tx.now_ms)
            kept = sorted(tx.browsers.of(person.id), key=lambda each: each.ends_at)
            for gone in kept[: max(0, len(kept) - MOST_BROWSERS + 1)]:
                tx.browsers.remove(gone)
            tx.browsers.add(new)
        else:
            tx.browsers.swap(old, new)
    return open_session(tx, ids, person, methods, lengths=policy.lengths, label=here.label, vouched=vouched)


def waiting(tx: SignInTransaction, browser: str) -> tuple[Step | None, Pending | None]:
    """The step that waits in this browser, has not ended, and whose first factor is still the one that was shown."""
    step = tx.steps.get(step_id(browser, SECOND)) if browser else None
    if step is None or tx.now_ms >= step.ends_at:
        return None, None
    pending = msgspec.json.decode(step.body, type=Pending)
    return (step, pending) if pending.password_at == _password_at(tx, step.person) else (None, None)


def _second_place(tx: SignInTransaction, person: PersonId, here: Here) -> str:
    """What is counted for a wrong code."""
    browser = tx.browsers.get(here.browser_id) if here.browser else None
    known = browser is not None and browser.person == person
    return f"second-browser:{here.browser_id}" if known else f"second:{person}"


def _password_at(tx: SignInTransaction, person: PersonId) -> int:
    account = tx.accounts.get(person)
    return account.password_at if account else 0


def _has_second(tx: SignInTransaction, person: PersonId, methods: tuple[str, ...]) -> bool:
    """Beside `methods`, which were shown already."""
    account = tx.accounts.get(person)
    return bool(account and account.totp) or ("passkey" not in methods and bool(tx.passkeys.of(person)))


def through(
    tx: SignInTransaction, ids: Ids, step: Step, pending: Pending, method: str, *, here: Here, policy: Policy
) -> tuple[SignedIn, str]:
    """The step is over, its person comes in."""
    tx.steps.remove(step)
    person = tx.persons.get(step.person)
    methods = (*pending.methods, method)
    return let_in(tx, ids, person, methods, here=here, policy=policy, vouched=pending.vouched), pending.to


def require_now(tx: SignInTransaction, places: list[tuple[str, int]]) -> None:
    """Raises HandrailError SIGN_IN_WAIT."""
    waits = [lockout.wait_ms(tx.failures.get(name), now_ms=tx.now_ms, free=free) for name, free in places]
    longest = max(waits)
    if longest:
        seconds = -(-longest // 1000)
        raise HandrailError(
            Code.SIGN_IN_WAIT,
            "too many wrong tries; the next one is looked at in {seconds} s",
            parts={"seconds": seconds},
            retry_after_s=seconds,
        )


def count_up(tx: SignInTransaction, name: str, person: PersonId) -> int:
    """How many in a row now."""
    old = tx.failures.get(name)
    new = lockout.failed(old, name, now_ms=tx.now_ms, person=person)
    if old is None:
        tx.failures.sweep(tx.now_ms)
        tx.failures.add(new)
    else:
        tx.failures.swap(old, new)
    return new.count


def forget(tx: SignInTransaction, names: tuple[str, ...]) -> None:
    """After a right one. What an address has on its count stays, but for this try."""
    for name in names:
        old = tx.failures.get(name)
        if old is None:
            continue
        if name.startswith("address:") and old.count > 1:
            tx.failures.swap(old, msgspec.structs.replace(old, count=old.count - 1))
        else:
            tx.failures.remove(old)


def tell(tx: SignInTransaction, ids: Ids, person: PersonId, count: int, methods: tuple[str, ...]) -> None:
    """The record of a wrong try, where this count is told."""
    if lockout.is_told(count):
        facts = SignInFacts(person=person, methods=methods, count=count)
        by = Actor(ActorKind.SYSTEM, "console")
        kind = EntryKind.SIGN_IN_FAILED
        tx.append(entry(kind, ids=ids, at_ms=tx.now_ms, by=by, about=person or "unknown", facts=facts))


def told_change(tx: SignInTransaction, ids: Ids, person: PersonId, by: Actor, what: str) -> None:
    """The record of a changed factor. `what`: a stable code such as `password.set`."""
    facts = SignInFacts(person=person, what=what)
    tx.append(entry(EntryKind.FACTOR_CHANGED, ids=ids, at_ms=tx.now_ms, by=by, about=person, facts=facts))


def put(tx: SignInTransaction, old: Account, new: Account) -> None:
    """`old`: as read, or an empty one that is not stored yet."""
    if tx.accounts.get(old.id) is None:
        tx.accounts.add(new)
    elif new != old:
        tx.accounts.swap(old, new)


def refusal() -> HandrailError:
    """One sentence for every reason, so that it tells nothing about who exists."""
    return HandrailError(Code.SIGN_IN_REFUSED, "this address and password do not belong together, or may not sign in")
