"""Ports of persons, tokens and keys. They are used inside a command, so a change and its entry are one transaction."""

from typing import Protocol

from handrail.ledger.store import Transaction
from handrail.people.key import ApiKey
from handrail.people.person import Person
from handrail.people.saved_view import SavedView
from handrail.people.session import Session
from handrail.people.token import Token
from handrail.terms.ids import KeyId, PersonId


class KeyStore(Protocol):
    """API keys."""

    def add(self, key: ApiKey) -> None:
        """Raises HandrailError ALREADY when the id is taken."""
        ...

    def get(self, key_id: KeyId) -> ApiKey:
        """Raises HandrailError NOT_FOUND."""
        ...

    def swap(self, old: ApiKey, new: ApiKey) -> None:
        """Raises HandrailError LOST_RACE when the stored key is no longer `old`."""
        ...

    def all(self) -> list[ApiKey]:
        """By time of making, revoked and expired ones too."""
        ...


class PersonStore(Protocol):
    """Persons."""

    def add(self, person: Person) -> None:
        """Raises HandrailError ALREADY when the id or the address is taken."""
        ...

    def get(self, person_id: PersonId) -> Person:
        """Raises HandrailError NOT_FOUND."""
        ...

    def by_mail(self, mail: str) -> Person | None: ...

    def swap(self, old: Person, new: Person) -> None:
        """Raises HandrailError LOST_RACE."""
        ...

    def all(self) -> list[Person]:
        """By time of adding, disabled ones too."""
        ...


class PeopleReader(Protocol):
    """What is committed, off the writer. Raises HandrailError JOURNAL_UNAVAILABLE."""

    async def persons(self) -> list[Person]:
        """By time of adding, disabled ones too."""
        ...

    async def keys(self) -> list[ApiKey]:
        """By time of making, revoked ones too."""
        ...

    async def views(self, person: PersonId) -> list[SavedView]:
        """Views of the console that she saved, by name."""
        ...


class TokenStore(Protocol):
    """Personal tokens and one-time codes."""

    def add(self, token: Token) -> None:
        """Raises HandrailError ALREADY."""
        ...

    def get(self, token_id: KeyId) -> Token | None: ...

    def swap(self, old: Token, new: Token) -> None:
        """Raises HandrailError LOST_RACE."""
        ...

    def all(self) -> list[Token]:
        """By time of making."""
        ...


class SessionsLook(Protocol):
    """Sign-ins to the console, to look one up."""

    def get(self, name: str) -> Session | None: ...


class Register(Protocol):
    """What it takes to find out who asks."""

    @property
    def now_ms(self) -> int: ...

    @property
    def persons(self) -> PersonStore: ...

    @property
    def tokens(self) -> TokenStore: ...

    @property
    def sessions(self) -> SessionsLook:
        """Asked only for who acts by a sign-in."""
        ...


class PeopleTransaction(Transaction, Register, Protocol):
    """What the commands of this folder need of a transaction."""

    @property
    def keys(self) -> KeyStore: ...

    def bump_epoch(self) -> int:
        """Every process reads what is in force again; the new epoch."""
        ...
