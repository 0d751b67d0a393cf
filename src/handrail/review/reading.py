"""Who read what a customer said, and why: the entry `payload.read`, without which no text is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.store import Transaction
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.people.store import Register
from handrail.terms.ids import EntryId, Ids, InteractionId


class EntryReadFacts(msgspec.Struct, frozen=True):
    """Facts of `payload.read` when it is no interaction's, such as the receipt of an action. `reason`: as below."""

    entry: EntryId
    reason: str
    unmasked: bool = False


class PayloadReadFacts(msgspec.Struct, frozen=True):
    """Facts of `payload.read`. `reason`: a `ledger.erase.reference`, such as `ticket 4711`. `unmasked`: with what the
    masks stand for."""

    interaction: InteractionId
    reason: str
    unmasked: bool = False


class RevealFacts(msgspec.Struct, frozen=True):
    """Facts of `payload.read` when one masked value was shown. `mask`: its token, which is no personal data."""

    interaction: InteractionId
    reason: str
    mask: str
    unmasked: bool = True


ReadFacts = PayloadReadFacts | EntryReadFacts | RevealFacts


class ReadingTransaction(Transaction, Register, Protocol):
    """What is needed to know who reads, and to record it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReading:
    """An entry for each, in one transaction. Nothing may be shown before it is through."""

    ids: Ids
    reads: Sequence[ReadFacts]
    token: str | None

    def __call__(self, tx: ReadingTransaction) -> None:
        """Raises HandrailError TOKEN_INVALID or NOT_ALLOWED; then nothing is recorded and nothing may be shown."""
        by = acting(tx, self.token, Act.READ_PAYLOAD)
        for facts in self.reads:
            tx.append(
                Entry(
                    id=EntryId(self.ids.new("en")), kind=EntryKind.PAYLOAD_READ, at_ms=tx.now_ms, actor=by, facts=facts,
                    about=facts.entry if isinstance(facts, EntryReadFacts) else facts.interaction,
                )
            )  # fmt: skip
