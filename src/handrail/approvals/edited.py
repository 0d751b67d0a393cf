"""What persons changed of a held call, from its entries in the ledger: who, when, and what stood there before."""

from typing import Any

import msgspec

from handrail.approvals.store import Stored
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import MAX_LIMIT, Listing, Reader
from handrail.policy.action import ActionInput


class Edit(msgspec.Struct, frozen=True):
    """`by`: id of the person. `before`: the arguments as they stood; None: they cannot be read any more. Unix ms."""

    by: str
    at_ms: int
    before: dict[str, Any] | None


async def edits_of(reader: Reader, stored: Stored) -> tuple[Edit, ...]:
    """Oldest first; nothing is read of a call that nobody edited. Who calls records the look (`settle.ReadCase`)."""
    progress = stored.progress
    if not progress.revision:
        return ()
    since = progress.created_at
    first = Listing(kinds=(EntryKind.ACTION_DECIDED,), since_ms=since, until_ms=since + 1, limit=MAX_LIMIT)
    later = Listing(kinds=(EntryKind.ACTION_EDITED,), since_ms=since, limit=MAX_LIMIT)
    edits: list[Edit] = []
    before: dict[str, Any] | None = None
    for _, data in [*reversed(await reader.latest(first)), *reversed(await reader.latest(later))]:
        recorded = read_facts(data)
        if recorded.about != progress.action:
            continue
        if recorded.kind == EntryKind.ACTION_EDITED:
            edits.append(Edit(recorded.actor.id, recorded.at_ms, before))
        before = _arguments((await reader.entry(recorded.id)).payload)
    return tuple(edits)


def _arguments(payload: bytes | None) -> dict[str, Any] | None:
    try:
        return None if payload is None else _INPUT.decode(payload).arguments
    except msgspec.DecodeError:
        return None


_INPUT = msgspec.json.Decoder(ActionInput)
