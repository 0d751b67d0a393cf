"""The keys of the keys folder that actions need."""

from typing import TYPE_CHECKING

import msgspec

from handrail.app.wire import CLOCK, IDS
from handrail.backends.permit_keys import PREFIX as PERMIT_KEY
from handrail.backends.permit_keys import StoredPermitKeys
from handrail.ledger.entry import Entry, EntryKind
from handrail.terms.actor import Actor
from handrail.terms.ids import EntryId

if TYPE_CHECKING:
    from handrail.app.wire import Store


class RotatedPermitKeyFacts(msgspec.Struct, frozen=True):
    """Facts of `permit_key.rotated`. `now`: thumbprint of the public key that signs. `destroyed`: names in the keys
    folder."""

    now: str
    destroyed: tuple[str, ...]


DOWNSTREAM = "downstream"
"""The key from which the keys that targets get are made; wrapped in the keys folder like the others."""


def permit_keys(store: "Store") -> StoredPermitKeys:
    """What signs permits."""
    return StoredPermitKeys(store.keys.folder, IDS)


async def rotate_permit_key(store: "Store", by: Actor) -> RotatedPermitKeyFacts:
    """The new key is durable before its entry, and the entry before an old key is destroyed; a crash in between leaves
    a key too many, which the next rotation destroys. Raises HandrailError JOURNAL_UNAVAILABLE."""
    keys = permit_keys(store)
    made, destroyed = keys.rotate()
    facts = RotatedPermitKeyFacts(made, destroyed)
    entry = Entry(
        id=EntryId(IDS.new("en")), kind=EntryKind.PERMIT_KEY_ROTATED, at_ms=CLOCK.now_ms(), actor=by, facts=facts,
        about=made,
    )  # fmt: skip
    await store.journal.record(entry)
    keys.destroy(destroyed)
    return facts


def is_for_actions(key: str) -> bool:
    """Whether this name in the keys folder is one that actions need. A backup keeps them: under another key a target
    would take a repeated call for a new one."""
    return key == DOWNSTREAM or key.startswith(PERMIT_KEY)
