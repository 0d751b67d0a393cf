"""After a restore. What was approved when the backup was made may have been executed since, here or by its caller: so
nothing of it leaves by itself, and a person finds out. A drill was never executed."""

import msgspec

from handrail.approvals import lifecycle
from handrail.approvals.desk import BY, moved
from handrail.approvals.lifecycle import State
from handrail.approvals.store import ActionTransaction
from handrail.ledger.entry import EntryKind
from handrail.terms.action import ActionId
from handrail.terms.ids import Ids

AT_ONCE = 200
RESTORED = "restored"
"""`by_claim` of its entry."""


def doubt_approved(tx: ActionTransaction, ids: Ids) -> int:
    """In the restore's own transaction; how many a person must settle."""
    count, after = 0, ActionId("")
    while page := tx.actions.waiting(frozenset({State.APPROVED}), limit=AT_ONCE, after=after):
        for stored in page:
            if stored.progress.drill:
                continue
            facts = msgspec.structs.replace(stored.about.facts, by_claim=RESTORED)
            unknown = lifecycle.doubtful(stored.progress, now=tx.now_ms)
            moved(tx, ids, stored, unknown, EntryKind.ACTION_UNKNOWN, BY, facts=facts)
            count += 1
        after = page[-1].progress.action
    return count
