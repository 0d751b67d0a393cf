"""Ports of sign-in: small records by id, used inside a command, so a change and its entry are one transaction."""

from typing import Protocol, TypeVar

from handrail.people.account import Account, Browser, Demo, Identity, Passkey, Step
from handrail.people.lockout import Failures
from handrail.people.person import Person
from handrail.people.saved_view import SavedView
from handrail.people.session import Session
from handrail.people.store import PeopleTransaction
from handrail.people.token import Token
from handrail.terms.ids import PersonId

R = TypeVar("R")


class Shelf(Protocol[R]):
    """Records of one kind. Each has `id`, `person` (empty: nobody's) and `ends_at` (Unix ms; 0: no end)."""

    def get(self, name: str) -> R | None: ...

    def add(self, record: R) -> None:
        """Raises HandrailError ALREADY when the id is taken."""
        ...

    def swap(self, old: R, new: R) -> None:
        """Raises HandrailError LOST_RACE when the stored record is no longer `old`."""
        ...

    def remove(self, old: R) -> None:
        """Raises HandrailError LOST_RACE likewise: of two who take a record, one gets it."""
        ...

    def of(self, person: PersonId) -> list[R]:
        """By id."""
        ...

    def sweep(self, now_ms: int) -> int:
        """Remove what has ended, 200 at most; how many went."""
        ...


class SignInTransaction(PeopleTransaction, Protocol):
    """What the commands of sign-in need of a transaction."""

    @property
    def sessions(self) -> Shelf[Session]: ...

    @property
    def accounts(self) -> Shelf[Account]: ...

    @property
    def passkeys(self) -> Shelf[Passkey]: ...

    @property
    def identities(self) -> Shelf[Identity]: ...

    @property
    def failures(self) -> Shelf[Failures]: ...

    @property
    def steps(self) -> Shelf[Step]: ...

    @property
    def browsers(self) -> Shelf[Browser]: ...

    @property
    def saved_views(self) -> Shelf[SavedView]: ...

    @property
    def demos(self) -> Shelf[Demo]: ...

    def is_untouched(self) -> bool:
        """Nothing was published and nothing recorded, but that servers started and stopped."""
        ...


class SignInReader(Protocol):
    """What is committed, off the writer. Raises HandrailError JOURNAL_UNAVAILABLE; then nobody is signed in."""

    async def session(self, name: str) -> tuple[Session, Person, Account | None] | None:
        """By the id of the session."""
        ...

    async def token(self, name: str) -> tuple[Token, Person] | None:
        """By the id of a personal token or of a code of somebody's; whether it counts is `token.require_good`."""
        ...

    async def anybody(self) -> bool:
        """Whether there is a person."""
        ...

    async def demo(self) -> bool:
        """Whether this database was made by the demo for itself."""
        ...


class Sealing(Protocol):
    """A key of the keys folder, for what sign-in keeps."""

    def seal(self, secret: bytes, *, name: str) -> bytes:
        """`name` is bound to the result."""
        ...

    def unseal(self, sealed: bytes, *, name: str) -> bytes:
        """Raises HandrailError JOURNAL_UNAVAILABLE when it was sealed by another key or under another name."""
        ...

    def mark(self, text: str) -> str:
        """A keyed hash, hex, that only groups: of an address or a network."""
        ...
