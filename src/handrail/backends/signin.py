"""Sign-in in its tables: statements that both engines understand, on a command's transaction, and reads off it."""

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from handrail.backends.register import Fetch
from handrail.backends.rows import Reading
from handrail.people.account import Account, Browser, Demo, Identity, Passkey, Step
from handrail.people.lockout import Failures
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.saved_view import SavedView
from handrail.people.session import Session
from handrail.people.token import Token, TokenKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import KeyId, PersonId

AT_ONCE = 200


class Record(Protocol):
    """What the records have in common."""

    @property
    def id(self) -> str: ...

    @property
    def person(self) -> PersonId: ...

    @property
    def ends_at(self) -> int: ...


R = TypeVar("R", bound=Record)

TABLES: dict[type[Any], str] = {
    Session: "signin_session",
    Account: "signin_account",
    Passkey: "signin_passkey",
    Identity: "signin_identity",
    Failures: "signin_failure",
    Step: "signin_step",
    Browser: "signin_browser",
    Demo: "signin_demo",
    SavedView: "saved_view",
}


class StoredShelf(Generic[R]):
    """`people.signin_store.Shelf`. A record is compared by its whole body, so a lost race is always seen."""

    def __init__(self, fetch: Fetch, kind: type[R]) -> None:
        self._fetch = fetch
        self._kind = kind
        self._table = TABLES[kind]

    def get(self, name: str) -> R | None:
        found = self._fetch(f"SELECT body FROM {self._table} WHERE id = $1", (name,))  # noqa: S608  the table is ours
        return msgspec.json.decode(bytes(found[0][0]), type=self._kind) if found else None

    def add(self, record: R) -> None:
        sql = (
            f"INSERT INTO {self._table} (id, person, ends_at, body) VALUES ($1, $2, $3, $4) "  # noqa: S608  the table is ours
            "ON CONFLICT DO NOTHING RETURNING id"
        )
        if not self._fetch(sql, (record.id, record.person, record.ends_at, msgspec.json.encode(record))):
            raise HandrailError(Code.ALREADY, "a record with this id exists")

    def swap(self, old: R, new: R) -> None:
        sql = f"UPDATE {self._table} SET body = $1, ends_at = $2 WHERE id = $3 AND body = $4 RETURNING id"  # noqa: S608  the table is ours
        values = (msgspec.json.encode(new), new.ends_at, old.id, msgspec.json.encode(old))
        _require(self._fetch(sql, values))

    def remove(self, old: R) -> None:
        sql = f"DELETE FROM {self._table} WHERE id = $1 AND body = $2 RETURNING id"  # noqa: S608  the table is ours
        _require(self._fetch(sql, (old.id, msgspec.json.encode(old))))

    def of(self, person: PersonId) -> list[R]:
        sql = f"SELECT body FROM {self._table} WHERE person = $1 ORDER BY id"  # noqa: S608  the table is ours
        return [msgspec.json.decode(bytes(body), type=self._kind) for (body,) in self._fetch(sql, (person,))]

    def sweep(self, now_ms: int) -> int:
        sql = (
            f"DELETE FROM {self._table} WHERE id IN (SELECT id FROM {self._table} "  # noqa: S608  the table is ours
            "WHERE ends_at > 0 AND ends_at <= $1 LIMIT $2) RETURNING id"
        )
        return len(self._fetch(sql, (now_ms, AT_ONCE)))


def _require(changed: list[tuple[Any, ...]]) -> None:
    if not changed:
        raise HandrailError(Code.LOST_RACE, "someone else changed this in the meantime; look again and repeat")


class SignInOf:
    """Shelves for a transaction; a base of both engines' transactions."""

    def _fetching(self) -> Fetch:
        raise NotImplementedError  # each engine's own

    def _shelf(self, kind: type[R]) -> StoredShelf[R]:
        return StoredShelf(self._fetching(), kind)

    def is_untouched(self) -> bool:
        fetch = self._fetching()
        used = fetch("SELECT 1 FROM entry WHERE kind NOT LIKE 'server.%' LIMIT 1", ())
        return not used and not fetch("SELECT 1 FROM ruleset LIMIT 1", ())

    @property
    def sessions(self) -> StoredShelf[Session]:
        return self._shelf(Session)

    @property
    def accounts(self) -> StoredShelf[Account]:
        return self._shelf(Account)

    @property
    def passkeys(self) -> StoredShelf[Passkey]:
        return self._shelf(Passkey)

    @property
    def identities(self) -> StoredShelf[Identity]:
        return self._shelf(Identity)

    @property
    def failures(self) -> StoredShelf[Failures]:
        return self._shelf(Failures)

    @property
    def steps(self) -> StoredShelf[Step]:
        return self._shelf(Step)

    @property
    def browsers(self) -> StoredShelf[Browser]:
        return self._shelf(Browser)

    @property
    def saved_views(self) -> StoredShelf[SavedView]:
        return self._shelf(SavedView)

    @property
    def demos(self) -> StoredShelf[Demo]:
        return self._shelf(Demo)


_SESSION = (
    "SELECT s.body, p.id, p.mail, p.name, p.roles, p.created_at, p.disabled_at, a.body FROM signin_session s "
    "JOIN person p ON p.id = s.person LEFT JOIN signin_account a ON a.id = s.person WHERE s.id = $1"
)

_TOKEN = (
    "SELECT t.id, t.kind, t.hash, t.created_at, t.expires_at, t.used_at, t.revoked_at, p.id, p.mail, p.name, p.roles, "  # noqa: S105  a statement
    "p.created_at, p.disabled_at FROM token t JOIN person p ON p.id = t.person WHERE t.id = $1"
)


def _person(row: Sequence[Any]) -> Person:
    """Of id, mail, name, roles, created_at, disabled_at."""
    person_id, mail, who, roles, created_at, disabled_at = row
    return Person(
        id=PersonId(person_id),
        mail=mail,
        name=who,
        roles=frozenset(Role(word) for word in roles.split(",") if word),
        created_at=created_at,
        disabled_at=disabled_at,
    )


class StoredSignIn:
    """`people.signin_store.SignInReader`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def session(self, name: str) -> tuple[Session, Person, Account | None] | None:
        found = await self._rows(_SESSION, (name,))
        if not found:
            return None
        session, *person, account = found[0]
        return (
            msgspec.json.decode(bytes(session), type=Session),
            _person(person),
            None if account is None else msgspec.json.decode(bytes(account), type=Account),
        )

    async def token(self, name: str) -> tuple[Token, Person] | None:
        found = await self._rows(_TOKEN, (name,))
        if not found:
            return None
        token_id, kind, hashed, created_at, expires_at, used_at, revoked_at, *person = found[0]
        whose = _person(person)
        token = Token(
            id=KeyId(token_id), kind=TokenKind(kind), hash=bytes(hashed), person=whose.id, created_at=created_at,
            expires_at=expires_at, used_at=used_at, revoked_at=revoked_at,
        )  # fmt: skip
        return token, whose

    async def anybody(self) -> bool:
        return bool(await self._rows("SELECT 1 FROM person LIMIT 1"))

    async def demo(self) -> bool:
        return bool(await self._rows("SELECT 1 FROM signin_demo LIMIT 1"))
