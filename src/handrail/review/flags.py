"""A mistake that a person flags in an interaction: one flag of each person, with a reason, which she may take back.

It is a sign, not a judgement: it names no person of staff, and counts for the release that answered as the outcome
`flag` does when a CX tool reports it. Nothing a customer said stands in it: `note` is a reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

from handrail.ledger.entry import Entry, EntryKind, InteractionFacts
from handrail.ledger.erase import reference
from handrail.ledger.store import Transaction
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.people.store import Register
from handrail.policy.ramp import Outcome
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId, Ids, InteractionId, UseCaseId


class Mistake(StrEnum):
    """What is wrong. In the ledger for good."""

    WRONG = "wrong"  # the answer is not true, or not of this customer
    UNSAFE = "unsafe"
    TONE = "tone"
    PRIVATE = "private"  # it told or asked what it should not
    PERSON = "person"  # a person should have taken over
    ACTION = "action"  # it did, or promised, what it may not
    OTHER = "other"


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """`version`: 1 for the first, one more with each change. `stands`: not taken back. `note`: a reference such as
    `ticket 4711`, or empty."""

    interaction: InteractionId
    use_case: UseCaseId
    person: str
    mistake: Mistake
    note: str = ""
    stands: bool = True
    version: int = 1
    at_ms: int = 0


class FlagFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of `flag.raised` and `flag.withdrawn`."""

    interaction: InteractionId
    mistake: Mistake
    note: str = ""


class FlagStore(Protocol):
    """Inside a command."""

    def of(self, interaction: InteractionId, person: str) -> Flag | None: ...

    def facts_of(self, interaction: InteractionId) -> InteractionFacts:
        """Of the finished interaction. Raises HandrailError NOT_FOUND."""
        ...

    def put(self, before: Flag | None, after: Flag) -> None:
        """Compare and set on the version. Raises HandrailError LOST_RACE."""
        ...


class Signals(Protocol):
    """What a release is judged by."""

    def signal(self, conversation: str, name: str, at_ms: int, value: float) -> None: ...


class FlagTransaction(Transaction, Register, Protocol):
    @property
    def flags(self) -> FlagStore: ...

    @property
    def units(self) -> Signals: ...


class FlagReader(Protocol):
    """Committed state. Raises HandrailError JOURNAL_UNAVAILABLE."""

    async def flags(self, interactions: Sequence[InteractionId]) -> list[Flag]:
        """Those that stand, by interaction and person."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseFlag:
    """Again by the same person: another reason."""

    ids: Ids
    interaction: InteractionId
    mistake: Mistake
    token: str | None
    note: str = ""

    def __call__(self, tx: FlagTransaction) -> Flag:
        """Raises HandrailError NOT_FOUND, ALREADY (she flagged it for this), REQUEST_INVALID (the note is no
        reference), LOST_RACE, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.FLAG)
        note = reference(self.note) if self.note else ""
        before = tx.flags.of(self.interaction, by.id)
        facts = tx.flags.facts_of(self.interaction)
        if before is not None and before.stands and (before.mistake, before.note) == (self.mistake, note):
            raise HandrailError(Code.ALREADY, "you have flagged it for this already")
        after = Flag(
            interaction=self.interaction, use_case=facts.use_case, person=by.id, mistake=self.mistake, note=note,
            version=1 if before is None else before.version + 1, at_ms=tx.now_ms,
        )  # fmt: skip
        tx.flags.put(before, after)
        tx.append(
            Entry(
                id=EntryId(self.ids.new("en")), kind=EntryKind.FLAG_RAISED, at_ms=tx.now_ms, actor=by,
                about=self.interaction, use_case=facts.use_case, conversation=facts.conversation,
                facts=FlagFacts(interaction=self.interaction, mistake=self.mistake, note=note),
            )
        )  # fmt: skip
        if before is None:
            tx.units.signal(facts.conversation, Outcome.FLAG.value, tx.now_ms, 1.0)
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawFlag:
    """By who raised it. What a release was judged by meanwhile stays."""

    ids: Ids
    interaction: InteractionId
    token: str | None

    def __call__(self, tx: FlagTransaction) -> Flag:
        """Raises HandrailError NOT_FOUND (she has no flag there), LOST_RACE, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.FLAG)
        before = tx.flags.of(self.interaction, by.id)
        if before is None or not before.stands:
            raise HandrailError(Code.NOT_FOUND, "you have no flag on this interaction")
        after = msgspec.structs.replace(before, stands=False, version=before.version + 1, at_ms=tx.now_ms)
        tx.flags.put(before, after)
        conversation = tx.flags.facts_of(self.interaction).conversation
        tx.append(
            Entry(
                id=EntryId(self.ids.new("en")), kind=EntryKind.FLAG_WITHDRAWN, at_ms=tx.now_ms, actor=by,
                about=self.interaction, use_case=before.use_case, conversation=conversation,
                facts=FlagFacts(interaction=self.interaction, mistake=before.mistake),
            )
        )  # fmt: skip
        return after
