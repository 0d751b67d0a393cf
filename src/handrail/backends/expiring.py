"""What is kept of actions is destroyed with them: the sealed call, what its decision rests on, its result, and what
entries keep of it (the decision's input, receipts, comments). Times, states, digests and money stay.

An action that is not over keeps what it needs, whatever its age; so does one under a legal hold.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from handrail.approvals.lifecycle import ENDED
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind

AT_ONCE = 500
"""Actions in one transaction, which others wait for."""
_ENDED = ", ".join(f"'{state.value}'" for state in sorted(ENDED))
_KINDS = ", ".join(f"'{kind.value}'" for kind in EntryKind if kind.value.startswith("action."))
_HELD = (
    "(a.subject IN (SELECT subject FROM legal_hold) OR EXISTS (SELECT 1 FROM party y "
    "JOIN legal_hold h ON h.subject = y.subject WHERE y.conversation = a.conversation))"
)
DUE = f"SELECT a.id, a.about, a.subject, {_HELD} FROM action a WHERE a.sealed IS NOT NULL AND a.created_at < $1 AND a.id > $2 AND a.state IN ({_ENDED}) ORDER BY a.id LIMIT {AT_ONCE}"  # noqa: E501, S608  ours


class Fetching(Protocol):
    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


def forget_action(tx: Fetching, action: str, subject: str) -> int:
    """Delete the ciphertexts of one action; how many of entries. It answers no equal call any more with what was in
    them, and nothing can be executed of it."""
    tx.fetch("UPDATE action SET sealed = NULL, given = NULL, result = NULL WHERE id = $1", (action,))
    found = tx.fetch(
        "SELECT p.seq, e.facts FROM payload p JOIN entry e ON e.seq = p.seq "  # noqa: S608  our own text
        f"WHERE p.subject = $1 AND p.sealed IS NOT NULL AND e.kind IN ({_KINDS})",
        (subject,),
    )
    about = [seq for seq, facts in found if read_facts(bytes(facts)).about == action]
    for seq in about:
        tx.fetch("UPDATE payload SET sealed = NULL WHERE seq = $1", (seq,))
    return len(about)


def forget_actions_of(tx: Fetching, conversation: str) -> int:
    """Those of one conversation; how many payloads of entries. What waits there can no longer be executed."""
    found = tx.fetch("SELECT id, subject FROM action WHERE conversation = $1", (conversation,))
    return sum([forget_action(tx, action, subject) for action, subject in found])
