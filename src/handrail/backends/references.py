"""Provider objects and spending: small shared tables behind two ports of the guard."""

from collections.abc import Sequence
from typing import Any, Protocol

from handrail.backends.journal import BatchedJournal
from handrail.backends.keyring import Lookup
from handrail.backends.rows import Reading
from handrail.guard.ports import Spent
from handrail.ledger.store import Transaction
from handrail.terms.ids import ConversationId, CustomerId, UseCaseId

LIVE = (
    "SELECT 1 FROM conversation c JOIN subject s ON s.id = c.subject "
    "WHERE c.id = $1 AND s.wrapped IS NOT NULL AND c.key_id <> ''"
)
"""Whether a conversation was not erased."""


class FetchTransaction(Transaction, Protocol):
    """What both concrete transactions have beside the port."""

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class StoredReferences:
    """`guard.ports.References`. Only keyed hashes are stored; an erasure deletes those of its customer, and a turn that
    ends after it records none."""

    def __init__(self, journal: BatchedJournal, reading: Reading, lookup: Lookup) -> None:
        self._journal = journal
        self._rows = reading.rows
        self._lookup = lookup

    async def known(self, *, use_case: UseCaseId, customer: CustomerId | None, names: Sequence[str]) -> bool:
        for name in dict.fromkeys(names):
            if not await self._find(use_case, customer, name):
                return False
        return True

    async def conversation(
        self, *, use_case: UseCaseId, customer: CustomerId | None, name: str
    ) -> ConversationId | None:
        found = await self._find(use_case, customer, name)
        return ConversationId(found[0][0]) if found and found[0][0] is not None else None

    def record(
        self, *, use_case: UseCaseId, customer: CustomerId | None, name: str, conversation: ConversationId | None
    ) -> None:
        hashed = self._lookup.reference(use_case, customer, name)
        owner = None if customer is None else self._lookup.customer(customer)

        def record(tx: FetchTransaction) -> None:
            if owner is not None and not tx.fetch("SELECT 1 FROM customer WHERE hash = $1", (owner,)):
                return  # erased while the turn was under way
            if conversation is not None and not tx.fetch(LIVE, (conversation,)):
                return
            tx.fetch(
                "INSERT INTO provider_object (hash, customer, conversation, at_ms) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT DO NOTHING",
                (hashed, owner, conversation, tx.now_ms),
            )

        self._journal.queue_command(record)

    async def _find(self, use_case: str, customer: str | None, name: str) -> list[tuple[Any, ...]]:
        hashed = self._lookup.reference(use_case, customer, name)
        return await self._rows("SELECT conversation FROM provider_object WHERE hash = $1", (hashed,))


class StoredSpending:
    """`guard.ports.Spending`."""

    def __init__(self, journal: BatchedJournal) -> None:
        self._journal = journal

    async def exchange(self, *, use_case: UseCaseId, period: str, added: Spent) -> Spent:
        def add(tx: FetchTransaction) -> Spent:
            found = tx.fetch(
                "INSERT INTO spending (use_case, period, requests, tokens, cost_micro_minor) "
                "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (use_case, period) DO UPDATE SET "
                "requests = spending.requests + excluded.requests, tokens = spending.tokens + excluded.tokens, "
                "cost_micro_minor = spending.cost_micro_minor + excluded.cost_micro_minor "
                "RETURNING requests, tokens, cost_micro_minor",
                (use_case, period, added.requests, added.tokens, added.cost_micro_minor),
            )
            return Spent(*found[0])

        return await self._journal.run(add)
