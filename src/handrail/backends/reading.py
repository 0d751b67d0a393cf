"""Searches, over statements that both engines understand: `$n` for values, and plain joins."""

from typing import Any

from handrail.backends.keyring import Keyring
from handrail.backends.rows import Reading
from handrail.backends.search import (
    FOUND,
    FOUND_WITH_FACTS,
    FREQUENT,
    HOLDS,
    SHOWN,
    Listed,
    Search,
    page,
    shown,
    standing_hold,
)
from handrail.ledger.read import Listing, Page, Query, Shown, StandingHold
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId, EntryId, InteractionId, SubjectId

_PLAIN = "interaction i"
_WITH_SUBJECT = "payload p JOIN interaction i ON i.seq = p.seq"


class StoredReader:
    """`ledger.read.Reader`."""

    def __init__(self, reading: Reading, keys: Keyring) -> None:
        self._rows = reading.rows
        self._holds = reading.HOLDS
        self._keys = keys

    async def find(self, query: Query) -> Page:
        search = Search(query)
        customer = query.subject
        if query.customer is not None:
            customer = await self.subject_of(query.customer)
            if customer is None:
                return Page(())
        source = _PLAIN
        if query.conversation is not None:
            own = await self._rows(
                "SELECT id, subject FROM conversation WHERE id = $1 OR given = $2 LIMIT 100",
                (query.conversation, self._keys.lookup.given(query.conversation)),
            )
            if not own:
                return Page(())
            source = _WITH_SUBJECT
            search.among("p.subject", [subject for _, subject in own])
            search.among("i.conversation", [conversation for conversation, _ in own])
        if customer is not None:
            source = _WITH_SUBJECT
            linked = await self._rows(
                "SELECT c.subject, c.id FROM party y JOIN conversation c ON c.id = y.conversation "
                "WHERE y.subject = $1 LIMIT 1000",
                (customer,),
            )
            search.among("p.subject", sorted({customer, *(subject for subject, _ in linked)}))
            search.customer(customer, [conversation for _, conversation in linked])
        search.later_columns(query, self._holds)
        order = "i.seq"
        if search.asks_facts(query, self._holds):
            # one pass over the entries, in their order, is half the time of looking each candidate's facts up; where a
            # time is given the candidates are few, and theirs alone are read
            if source == _PLAIN and query.since_ms is not None:
                source += " CROSS JOIN entry e"
            elif source == _PLAIN:
                source, order = f"entry e CROSS JOIN {source}", "e.seq"
            else:
                source += ", entry e"
        sql = f"{FOUND} FROM {source} WHERE {search.where()} ORDER BY {order} DESC LIMIT {query.limit + 1}"
        return page(await self._rows(FOUND_WITH_FACTS.format(sql), search.values), query.limit)

    async def show(self, interaction: InteractionId) -> Shown:
        sql = SHOWN + "JOIN interaction i ON i.seq = e.seq WHERE i.interaction = $1 ORDER BY e.seq LIMIT 1"
        return await self._shown(sql, interaction)

    async def entry(self, entry: EntryId) -> Shown:
        return await self._shown(SHOWN + "WHERE e.id = $1", entry)

    async def entries(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        found = await self._rows("SELECT seq, facts FROM entry WHERE seq > $1 ORDER BY seq LIMIT $2", (after, limit))
        return [(seq, bytes(facts)) for seq, facts in found]

    async def latest(self, query: Listing) -> list[tuple[int, bytes]]:
        listed = Listed(query)
        sql = f"SELECT seq, facts FROM entry WHERE {listed.where()} ORDER BY seq DESC LIMIT {query.limit}"  # noqa: S608  our own conditions
        if query.kinds and not FREQUENT & set(query.kinds):
            sql = listed.by_kind(query.limit)
        return [(seq, bytes(facts)) for seq, facts in await self._rows(sql, listed.values)]

    async def holds(self) -> list[StandingHold]:
        return [standing_hold(row) for row in await self._rows(HOLDS)]

    async def subject_of(self, customer: CustomerId) -> SubjectId | None:
        hashed = self._keys.lookup.customer(customer)
        found = await self._rows("SELECT subject FROM customer WHERE hash = $1", (hashed,))
        return SubjectId(found[0][0]) if found else None

    async def _shown(self, sql: str, name: str) -> Shown:
        """Looks twice: a rotation may have wrapped the key anew since the first look."""
        for last in (False, True):
            found: list[tuple[Any, ...]] = await self._rows(sql, (name,))
            if not found:
                break
            try:
                return shown(found[0], self._keys)
            except HandrailError:
                if last:
                    raise
        raise HandrailError(Code.NOT_FOUND, f"nothing is recorded under {name}")
