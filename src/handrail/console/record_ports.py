"""What the pages of the record need from below: a conversation with all that belongs to it, and the log."""

from dataclasses import dataclass
from typing import Protocol

from handrail.approvals.store import Line
from handrail.ledger.read import Shown
from handrail.review.outcome import OutcomeFacts
from handrail.terms.finding import Finding, Kind, Role
from handrail.terms.ids import ConversationId, InteractionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Of a finding: the net must find this kind on this side (`input`, `output`), or must not."""

    kind: Kind
    side: str
    must: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """`text`: a file of `tests/`. `left_out`: what was not taken, and why."""

    name: str
    text: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """`done` of `size` entries. `bad`: what is wrong, and where; `good`: what was shown. Both empty: it runs, or none
    ran since this process began (`began_ms` 0). `witnessed`: witnesses vouch for it."""

    began_ms: int = 0
    ended_ms: int = 0
    size: int = 0
    done: int = 0
    good: bool = False
    witnessed: bool = False
    bad: str = ""


class Talks(Protocol):
    """What belongs to a conversation beside its interactions. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def acts(self, conversation: ConversationId) -> list[Line]:
        """Its actions, oldest first, at most 200; no argument among them."""
        ...

    async def outcomes(self, conversation: ConversationId) -> list[OutcomeFacts]:
        """What was reported of it afterwards, oldest first, at most 200."""
        ...

    async def conversation_of(self, name: str) -> ConversationId | None:
        """By the id of one of its actions; None when there is no such action, or it has none."""
        ...

    def marks(self, text: str, role: Role, kinds: frozenset[Kind]) -> tuple[Finding, ...]:
        """Where the detectors of today see these kinds in a text that is masked already; empty when one fails."""
        ...

    async def draft(
        self, interaction: InteractionId, *, reason: str, token: str, expect: Expectation | None
    ) -> Drafted:
        """A trial case of the conversation so far, masked; each text that is read for it is recorded. Raises
        HandrailError NOT_FOUND, TOKEN_INVALID, NOT_ALLOWED, REQUEST_INVALID or GUARD_UNAVAILABLE."""
        ...


class Log(Protocol):
    """The transparency log as its files show it, and how it is kept."""

    def head(self) -> tuple[bytes | None, bytes | None]:
        """The newest checkpoint, and the newest that witnesses cosigned, as published; None: there is none."""
        ...

    def keys(self) -> tuple[str, ...]:
        """The log's public keys, as verifier keys. Raises HandrailError HOME_INVALID."""
        ...

    def proof(self, shown: Shown) -> bytes:
        """A tlog-proof file. Raises HandrailError NOT_FOUND while the entry is not published."""
        ...

    def one_holder(self) -> bool:
        """Whether one machine holds the data and every key."""
        ...

    async def kinds(self, newest: int) -> list[tuple[str, int, int]]:
        """Kinds among the newest rows, each with its number and the time of its last, the most frequent first."""
        ...

    def check(self) -> Checking:
        """The last or running check of the whole log by this process."""
        ...

    async def begin(self) -> None:
        """Begin a check unless one runs. Raises HandrailError NOT_ALLOWED for a log that is too long for it."""
        ...
