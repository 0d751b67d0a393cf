"""What a visitor gave as her reason to read, a short while ago and since she last showed who she is: asked once for
each thing and session. The ledger holds it, so nothing else has to."""

import msgspec

from handrail.console.here import Here
from handrail.console.visitor import Visitor
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import MAX_LIMIT, Listing
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError

READ_FOR_MS = 30 * 60_000
"""How long a recorded reading shows the words to who gave the reason, without asking again."""
UNTYPED = "approval"
"""The reason of a look at a case that asked for none."""


class ReadBefore(msgspec.Struct, frozen=True):
    """As `payload.read` has it: of an interaction or of an action. `mask`: of one value alone."""

    interaction: str = ""
    action: str = ""
    mask: str = ""
    reason: str = ""


async def read_before(visitor: Visitor, here: Here) -> list[ReadBefore]:
    """The newest first, among the newest 1,000 looks of everybody. Raises HandrailError JOURNAL_UNAVAILABLE."""
    since = max(here.now_ms - READ_FOR_MS, visitor.authenticated_at)
    rows = await here.ports.reader.latest(Listing(kinds=(EntryKind.PAYLOAD_READ,), since_ms=since, limit=MAX_LIMIT))
    mine = [one for _, data in rows if (one := read_facts(data)).actor.id == visitor.person]
    return [msgspec.json.decode(bytes(one.facts), type=ReadBefore) for one in mine]


async def reason_for(visitor: Visitor, action: ActionId, typed: str, here: Here) -> str:
    """Why she reads this case now; empty: she has not said. `typed`: by a program in its address, where a person's
    link counts for nothing: she types it herself. Raises HandrailError JOURNAL_UNAVAILABLE."""
    if here.by_program:
        return typed
    found = (one.reason for one in await read_before(visitor, here) if one.action == action and one.reason != UNTYPED)
    return next(found, "")


def wants_reason(problem: HandrailError) -> bool:
    return problem.code is Code.REASON_NEEDED
