"""Erasing a person or a conversation: which keys die, what may block it, and what is said of it. Pure, and its port.

Erased means: the wrapped key of each subject is overwritten, so nothing sealed under it can be opened again; its
ciphertexts are deleted, and so are the keyed hashes that lead to it (customer id, conversation ids, messages). Facts
and log stay: they hold random ids and no personal data. Whether this is erasure in law is for counsel to say.

Links are followed both ways: erasing a customer erases the conversations that only they logged in to, and erasing such
a conversation erases its customer. A conversation that names two customers is listed, never guessed: a person decides.

Copies made before: `ledger.seal` states the window after which they are dead.
"""

import re
from typing import Protocol

import msgspec

from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, CustomerId, SubjectId, UseCaseId

DAY_MS = 86_400_000
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/#-]{0,119}")


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly one of them. `conversation`: our id, or the one the client gave."""

    customer: CustomerId | None = None
    conversation: str | None = None

    def __post_init__(self) -> None:
        if (self.customer is None) == (self.conversation is None):
            raise ValueError("name a customer or a conversation")


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that names more than the subject it is sealed under. `own`: that subject; `own_is_person`: it is a
    customer's and not the conversation's own; `parties`: who logged in to it later."""

    conversation: ConversationId
    own: SubjectId
    own_is_person: bool
    parties: frozenset[SubjectId]


class Plan(msgspec.Struct, frozen=True):
    """`destroy`: subjects, sorted. `shared`: conversations left for a person to decide, sorted."""

    destroy: tuple[SubjectId, ...]
    shared: tuple[ConversationId, ...]


def plan(root: SubjectId, named: list[Named]) -> Plan:
    """What erasing `root` means. `named`: every conversation that names a subject reached from `root`."""
    destroy, shared, waiting = {root}, set(), [root]
    while waiting:
        subject = waiting.pop()
        for each in named:
            if subject != each.own and subject not in each.parties:
                continue
            if each.own_is_person or len(each.parties) != 1:
                shared.add(each.conversation)
                continue
            for found in (each.own, *each.parties):
                if found not in destroy:
                    destroy.add(found)
                    waiting.append(found)
    return Plan(tuple(sorted(destroy)), tuple(sorted(shared)))


def reference(text: str) -> str:
    """The reason as it is recorded for ever: a reference such as `ticket 4711`, no personal data. Raises HandrailError
    REQUEST_INVALID for anything that does not look like one."""
    if _REFERENCE.fullmatch(text) is None:
        raise HandrailError(
            Code.REQUEST_INVALID,
            "the reason is recorded for ever, so give a reference such as `request 4711`: letters, digits, spaces and "
            "._:/#- up to 120 characters, never a name or an address",
        )
    return text


def cutoff(now_ms: int, *, keep_days: int, minimum_days: int) -> int:
    """Payloads from before this instant (Unix ms) are due. Raises HandrailError HOME_INVALID when the schedule says
    both to destroy and to keep: nothing is destroyed then."""
    if keep_days < minimum_days or keep_days < 0:
        raise HandrailError(
            Code.HOME_INVALID,
            f"retention destroys payloads after {keep_days} days but must keep them {minimum_days}; mend the use case",
        )
    return now_ms - keep_days * DAY_MS


class ErasedFacts(msgspec.Struct, frozen=True):
    """Facts of `subject.erased`."""

    subjects: tuple[SubjectId, ...]
    shared: tuple[ConversationId, ...]
    conversations: int
    payloads: int
    reason: str


class HoldFacts(msgspec.Struct, frozen=True):
    """Facts of `legal_hold.set` and `legal_hold.lifted`."""

    subjects: tuple[SubjectId, ...]
    reason: str


class RetentionFacts(msgspec.Struct, frozen=True):
    """Facts of `retention.applied`: payloads of finished interactions from before `before_ms` destroyed; `held`: kept
    because of a legal hold."""

    use_case: UseCaseId
    before_ms: int
    destroyed: int
    held: int


class RotatedFacts(msgspec.Struct, frozen=True):
    """Facts of `sealing_key.rotated`. From now on, what these old keys wrapped is closed wherever a copy exists."""

    new: str
    destroyed: tuple[str, ...]
    subjects: int


class Erasing(Protocol):
    """Each method raises HandrailError JOURNAL_UNAVAILABLE with nothing changed when storage does not answer. Who may
    call it is the caller's to check."""

    async def erase(self, who: Who, *, reason: str, by: Actor) -> ErasedFacts:
        """Raises HandrailError NOT_FOUND (unknown, or erased already), LEGAL_HOLD, or REQUEST_INVALID (a reason that is
        no reference; a given conversation id that several use cases know). On return no process can open it: each
        drops its cached keys before its next commit, and the old bytes are overwritten on disk."""
        ...

    async def hold(self, who: Who, *, reason: str, by: Actor) -> HoldFacts:
        """Neither erasure nor retention touches these subjects until lifted. Raises HandrailError NOT_FOUND."""
        ...

    async def lift(self, who: Who, *, reason: str, by: Actor) -> HoldFacts:
        """Raises HandrailError NOT_FOUND, also when nothing was held."""
        ...

    async def expire(self, use_case: UseCaseId, *, keep_days: int, minimum_days: int, by: Actor) -> RetentionFacts:
        """Destroy the payloads that are due. Recorded only when some were. Raises HandrailError HOME_INVALID."""
        ...

    async def rotate(self, *, by: Actor) -> RotatedFacts:
        """Wrap every subject key anew by a fresh intermediate key and destroy the old ones; weekly. Safe to repeat
        after a crash: it goes on where it stopped."""
        ...

    async def interrupted(self, *, older_than_ms: int, by: Actor) -> int:
        """Close interactions opened longer ago than this (a duration) and never finished, because their process died;
        how many."""
        ...
