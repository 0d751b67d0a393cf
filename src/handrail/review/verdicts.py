"""What persons say of findings: right or wrong. One word of each person on each finding, changeable; counted per kind.

A finding is named by its interaction and its place among the findings of that interaction's facts, which never change.
A word on a finding that is not there is refused. Nothing a customer said stands in it: `note` is a reference.
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
from handrail.review.flags import FlagReader
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import EntryId, Ids, InteractionId, UseCaseId


class Word(StrEnum):
    """In the ledger for good."""

    RIGHT = "right"
    WRONG = "wrong"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One person's word. `finding`: place among the findings, from 0. `version`: 1 for the first word, one more with
    each change. `note`: a reference such as `ticket 4711`, or empty."""

    interaction: InteractionId
    finding: int
    kind: Kind
    use_case: UseCaseId
    person: str
    word: Word
    version: int = 1
    at_ms: int = 0
    note: str = ""


class JudgedFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of `finding.judged`. `before`: the person's earlier word; empty: there was none."""

    interaction: InteractionId
    finding: int
    kind: Kind
    word: Word
    before: str = ""
    note: str = ""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Words on the findings of one kind of one use case. Two persons on one finding are two words."""

    use_case: UseCaseId
    kind: Kind
    right: int
    wrong: int


class VerdictStore(Protocol):
    """Inside a command."""

    def of(self, interaction: InteractionId, finding: int, person: str) -> Judged | None: ...

    def facts_of(self, interaction: InteractionId) -> InteractionFacts:
        """Of the finished interaction. Raises HandrailError NOT_FOUND."""
        ...

    def put(self, before: Judged | None, after: Judged) -> None:
        """Compare and set on the version. Raises HandrailError LOST_RACE."""
        ...


class VerdictTransaction(Transaction, Register, Protocol):
    @property
    def verdicts(self) -> VerdictStore: ...


class VerdictReader(FlagReader, Protocol):
    """Committed state. Each method raises HandrailError JOURNAL_UNAVAILABLE."""

    async def of(self, interactions: Sequence[InteractionId]) -> list[Judged]:
        """Every word on the findings of these, by interaction, place and person."""
        ...

    async def tallies(self, use_case: UseCaseId | None = None) -> list[Tally]:
        """By use case and kind; reads one narrow table, a row for each word."""
        ...


def judged(
    before: Judged | None, facts: InteractionFacts, *, finding: int, word: Word, person: str, note: str, now_ms: int,
) -> Judged:  # fmt: skip
    """The word as it stands from now on. Raises HandrailError NOT_FOUND for a finding that is not there, ALREADY when
    it says what it said, REQUEST_INVALID for a note that is no reference."""
    if not 0 <= finding < len(facts.findings):
        raise HandrailError(
            Code.NOT_FOUND,
            "{interaction} has {n} findings; there is none at place {place}",
            parts={"interaction": facts.interaction, "n": len(facts.findings), "place": finding},
        )
    said = reference(note) if note else ""
    if before is not None and (before.word, before.note) == (word, said):
        raise HandrailError(
            Code.ALREADY, "you have said already that this finding is {word}", parts={"word": word.value}
        )
    return Judged(
        interaction=facts.interaction, finding=finding, kind=facts.findings[finding].kind, use_case=facts.use_case,
        person=person, word=word, version=1 if before is None else before.version + 1, at_ms=now_ms, note=said,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A person says whether a finding is right. `finding`: its place, from 0."""

    ids: Ids
    interaction: InteractionId
    finding: int
    word: Word
    token: str | None
    note: str = ""

    def __call__(self, tx: VerdictTransaction) -> Judged:
        """Raises what `judged` raises, and HandrailError NOT_FOUND, LOST_RACE, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.JUDGE)
        before = tx.verdicts.of(self.interaction, self.finding, by.id)
        facts = tx.verdicts.facts_of(self.interaction)
        after = judged(
            before, facts, finding=self.finding, word=self.word, person=by.id, note=self.note, now_ms=tx.now_ms
        )
        tx.verdicts.put(before, after)
        tx.append(
            Entry(
                id=EntryId(self.ids.new("en")), kind=EntryKind.FINDING_JUDGED, at_ms=tx.now_ms, actor=by,
                about=self.interaction, use_case=after.use_case, conversation=facts.conversation,
                facts=JudgedFacts(
                    interaction=self.interaction, finding=self.finding, kind=after.kind, word=after.word,
                    before="" if before is None else before.word.value, note=after.note,
                ),
            )
        )  # fmt: skip
        return after
