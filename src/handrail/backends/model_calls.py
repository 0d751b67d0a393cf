"""Tool calls that models asked for, for ten minutes: which conversation an equal call of an agent belongs to.

Only keyed hashes are stored. Several equal calls, also of one conversation, link nothing: a guess would give an action
the provenance of another conversation. An erasure deletes those of its conversations.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from handrail.backends.journal import BatchedJournal
from handrail.backends.keyring import Lookup
from handrail.backends.references import LIVE, FetchTransaction
from handrail.backends.rows import Reading
from handrail.guard.turn import ModelCall
from handrail.terms.action import canonical_arguments
from handrail.terms.clock import Clock
from handrail.terms.ids import ConversationId, UseCaseId

KEPT_MS = 600_000


class StoredModelCalls:
    """`guard.ports.ModelCalls`."""

    def __init__(self, journal: BatchedJournal, reading: Reading, lookup: Lookup, clock: Clock) -> None:
        self._journal = journal
        self._rows = reading.rows
        self._lookup = lookup
        self._clock = clock

    def record(
        self, *, use_case: UseCaseId, key_id: str, conversation: ConversationId, calls: Sequence[ModelCall]
    ) -> None:
        hashes = [
            self._hashed(use_case, key_id, call.name, arguments)
            for call in calls
            if (arguments := _object(call.arguments)) is not None
        ]

        def record(tx: FetchTransaction) -> None:
            tx.fetch("DELETE FROM model_call WHERE at_ms <= $1", (tx.now_ms - KEPT_MS,))
            if tx.fetch(LIVE, (conversation,)):  # else it was erased while the turn was under way
                for hashed in hashes:
                    tx.fetch(
                        "INSERT INTO model_call (hash, conversation, at_ms) VALUES ($1, $2, $3)",
                        (hashed, conversation, tx.now_ms),
                    )

        if hashes:
            self._journal.queue_command(record)

    async def conversation(
        self, *, use_case: UseCaseId, key_id: str, names: Sequence[str], arguments: Mapping[str, Any]
    ) -> ConversationId | None:
        found: list[tuple[Any, ...]] = []
        for name in dict.fromkeys(names):
            found += await self._rows(
                "SELECT conversation FROM model_call WHERE hash = $1 AND at_ms > $2 LIMIT 2",
                (self._hashed(use_case, key_id, name, arguments), self._clock.now_ms() - KEPT_MS),
            )
        return ConversationId(found[0][0]) if len(found) == 1 else None

    def _hashed(self, use_case: str, key_id: str, name: str, arguments: Mapping[str, Any]) -> bytes:
        owner = msgspec.json.encode([use_case, key_id, name])
        return self._lookup.model_call(owner, canonical_arguments(dict(arguments)))


def _object(text: str) -> dict[str, Any] | None:
    """None when it is no JSON object, or holds what canonical JSON cannot."""
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None
