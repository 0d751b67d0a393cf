"""Erasing a person or a conversation: which keys die, what may block it, and what is said of it. Pure, and its port.

Erased means: the wrapped key of each subject is overwritten, so nothing sealed under it can be opened again; its
ciphertexts are deleted, and so are the keyed hashes that lead to it (customer id, conversation ids, messages). Facts
and log stay: they hold random ids and no personal data. Whether this is erasure in law is for counsel to say.

Links are followed both ways: erasing a customer erases the conversations that only they logged in to, and erasing such
a conversation erases its customer. A conversation that names two customers is left whole and listed, never guessed: a
person decides, by erasing that conversation, which takes both customers' words there and nothing else of either. Where
its words are sealed under the key that is to go, the erasure is refused until that is decided: the log commits to
ciphertext and key, so they cannot be sealed anew under another.

Copies made before: `ledger.seal` states the window after which they are dead.
"""

import re
from typing import Protocol

import msgspec

from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, CustomerId, SubjectId, UseCaseId

DAY_MS = 86_400_000
MAX_SAID = 100
"""Conversations listed in one refusal."""
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/#-]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9]+")


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
    """Each sorted. `destroy`: subjects. `shared`: conversations left whole for a person to decide. `stuck`: of those
    that name another customer too, the ones sealed under a key to be destroyed: they forbid it. `named`: whom else a
    record to be destroyed names."""

    destroy: tuple[SubjectId, ...]
    shared: tuple[ConversationId, ...]
    stuck: tuple[ConversationId, ...] = ()
    named: tuple[SubjectId, ...] = ()


def plan(root: SubjectId, named: list[Named]) -> Plan:
    """What erasing `root` means. `named`: every conversation that names a subject reached from `root`."""
    destroy, waiting = {root}, [root]
    while waiting:
        subject = waiting.pop()
        for each in named:
            if of_one(each) and (subject == each.own or subject in each.parties):
                found = {each.own, *each.parties} - destroy
                destroy |= found
                waiting += found
    shared: set[ConversationId] = set()
    stuck: set[ConversationId] = set()
    others: set[SubjectId] = set()
    for each in named:
        if of_one(each):
            continue
        if each.own not in destroy:
            if destroy & each.parties:
                shared.add(each.conversation)
        elif each.own_is_person:
            stuck.add(each.conversation)
        else:  # the conversation itself was asked for: that is the decision
            others |= each.parties - destroy
    return Plan(tuple(sorted(destroy)), tuple(sorted(shared)), tuple(sorted(stuck)), tuple(sorted(others)))


def of_one(named: Named) -> bool:
    """Whether the conversation names one customer alone."""
    return len(named.parties | {named.own} if named.own_is_person else named.parties) == 1


def require_decided(stuck: tuple[ConversationId, ...]) -> None:
    """Raises HandrailError ERASE_SHARED that says what to run first, when there is something."""
    if not stuck:
        return
    first = "".join(f"\n  handrail erase --conversation {each} --reason REFERENCE" for each in stuck[:MAX_SAID])
    more = f"\n  and {len(stuck) - MAX_SAID} more" if len(stuck) > MAX_SAID else ""
    raise HandrailError(
        Code.ERASE_SHARED,
        "nothing was erased: another customer's words are sealed under this key, in conversations that name both. "
        f"Decide each first, which takes both customers' words there, then erase again:{first}{more}",
    )


def reference(text: str) -> str:
    """The reason as it is recorded for ever: a reference such as `ticket 4711`, no personal data. Raises HandrailError
    REQUEST_INVALID for anything that does not look like one: a number, and one word of letters beside it at most."""
    letters = [word for word in _WORD.findall(text) if word.isalpha()]
    if _REFERENCE.fullmatch(text) is None or len(letters) > 1 or not any(mark.isdigit() for mark in text):
        raise HandrailError(
            Code.REQUEST_INVALID,
            "the reason is recorded for ever, so give a reference with a number, such as `request 4711` or "
            "`DSR-2026/11`: one word at most beside it, of letters, digits, spaces and ._:/#-, up to 64 characters; "
            "never a name or an address",
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
    """Facts of `subject.erased`. `subjects`: whose keys were destroyed; none when a conversation of two customers was
    erased by itself (the entry is about it). `shared`: conversations of two customers that were left whole."""

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
    because of a legal hold. `actions`: ended ones among them, with their calls and results."""

    use_case: UseCaseId
    before_ms: int
    destroyed: int
    held: int
    actions: int = 0


class RotatedFacts(msgspec.Struct, frozen=True):
    """Facts of `sealing_key.rotated`. From now on, what these old keys wrapped is closed wherever a copy exists."""

    new: str
    destroyed: tuple[str, ...]
    subjects: int


class Erasing(Protocol):
    """Each method raises HandrailError JOURNAL_UNAVAILABLE with nothing changed when storage does not answer. Who may
    call it is the caller's to check."""

    async def erase(self, who: Who, *, reason: str, by: Actor) -> ErasedFacts:
        """Raises HandrailError NOT_FOUND (unknown, or erased already), LEGAL_HOLD (on anybody whom a record to be
        destroyed names), ERASE_SHARED, or REQUEST_INVALID (a reason that is no reference; a given conversation id that
        several use cases know); then nothing was changed. On return no process can open it: each drops its cached keys
        before its next commit, and the old bytes are overwritten on disk.

        A conversation of two customers that is named is erased by itself: its ciphertexts and what leads to it. The
        key that sealed them stays, so copies made before open it until that customer is erased too."""
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
