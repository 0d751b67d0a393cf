"""One suite for looking back: in memory, SQLite and PostgreSQL find the same."""

import asyncio
from typing import Any

import msgspec
import pytest
from fakes.storage import CARD, DENIED, ORDERS, Rig, begin, entry_of

from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.read import BIT, Listing, Query, kinds_of
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import Digest, EntryId, InteractionId, UseCaseId

REFUNDS = UseCaseId("refunds")
RELEASE = Digest("ab" * 32)


async def filled(rig: Rig) -> tuple[Any, dict[str, str]]:
    """Four interactions by name, at 1,000 to 4,000 ms."""
    store = await rig.open()
    thread, other = await begin(store), await begin(store, conversation="ticket-7")
    entries = {
        "plain": entry_of(thread, at_ms=1_000),
        "card": entry_of(thread, at_ms=2_000, facts={"findings": (CARD,)}, release=RELEASE),
        "denied": entry_of(other, at_ms=3_000, facts=DENIED),
        "refund": entry_of(other, at_ms=4_000, facts={"use_case": REFUNDS}),
    }
    await store.journal.record(entry_of(thread, EntryKind.INTERACTION_OPENED, at_ms=500))
    for entry in entries.values():
        await store.journal.record(entry)
    return store, {entry.interaction: name for name, entry in entries.items()}


@pytest.mark.promise("STO-FIND")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), ["refund", "denied", "card", "plain"]),
        (Query(since_ms=2_000), ["refund", "denied", "card"]),
        (Query(until_ms=2_000), ["plain"]),
        (Query(since_ms=2_000, until_ms=4_000), ["denied", "card"]),
        (Query(use_case=ORDERS), ["denied", "card", "plain"]),
        (Query(use_case=REFUNDS, verdict=Verdict.DENY), []),
        (Query(release=RELEASE), ["card"]),
        (Query(finding=Kind.CARD), ["card"]),
        (Query(finding=Kind.EMAIL), []),
        (Query(verdict=Verdict.DENY), ["denied"]),
        (Query(outcome=Outcome.ANSWERED), ["refund", "card", "plain"]),
        (Query(limit=2), ["refund", "denied"]),
        (Query(customer="nobody"), []),
    ],
)
def test_every_filter_holds(rig: Rig, query: Query, expected: list[str]) -> None:
    async def body() -> None:
        store, names = await filled(rig)
        found = await store.reader.find(query)
        assert [names[each.interaction] for each in found.found] == expected

    rig.run(body())


def test_pages_follow_each_other_without_a_gap(rig: Rig) -> None:
    async def body() -> None:
        store, names = await filled(rig)
        found, cursor = [], None
        while True:
            page = await store.reader.find(Query(limit=1, cursor=cursor))
            found += [names[each.interaction] for each in page.found]
            cursor = page.cursor
            if cursor is None:
                break
        assert found == ["refund", "denied", "card", "plain"]

    rig.run(body())


@pytest.mark.parametrize("query", [Query(limit=0), Query(limit=1_001), Query(cursor="1; DROP TABLE entry")])
def test_a_bad_limit_or_cursor_is_refused(rig: Rig, query: Query) -> None:
    async def body() -> None:
        store = await rig.open()
        with pytest.raises(HandrailError) as caught:
            await store.reader.find(query)
        assert caught.value.code is Code.REQUEST_INVALID

    rig.run(body())


@pytest.mark.promise("RPT-3")
@pytest.mark.parametrize(
    ("listing", "count"),
    [
        (Listing(), 6),
        (Listing(kinds=(EntryKind.INTERACTION_OPENED,)), 1),
        (Listing(kinds=(EntryKind.INTERACTION_CLOSED, EntryKind.INTERACTION_OPENED)), 5),
        (Listing(kinds=(EntryKind.INTERACTION_CLOSED,), since_ms=2_000, until_ms=4_000), 2),
        (Listing(kinds=(EntryKind.KEY_CREATED,), limit=2), 1),
        (Listing(limit=2), 2),
        (Listing(kinds=(EntryKind.SUBJECT_ERASED,)), 0),
    ],
)
def test_entries_are_listed_by_kind_newest_first(rig: Rig, listing: Listing, count: int) -> None:
    async def body() -> None:
        store, _ = await filled(rig)
        key = Entry(id=EntryId("en_key"), kind=EntryKind.KEY_CREATED, at_ms=9_000, actor=Actor(ActorKind.SYSTEM, "me"))
        await store.journal.record(key)
        found = await store.reader.latest(listing)
        kinds = [read_facts(data).kind for _, data in found]
        assert len(found) == count
        assert set(kinds) <= set(listing.kinds or kinds)
        assert [seq for seq, _ in found] == sorted((seq for seq, _ in found), reverse=True)

    rig.run(body())


def test_a_bad_limit_of_a_list_is_refused(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        with pytest.raises(HandrailError) as caught:
            await store.reader.latest(Listing(limit=0))
        assert caught.value.code is Code.REQUEST_INVALID

    rig.run(body())


@pytest.mark.promise("STO-FIND")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(would_be=Verdict.DENY), ["stopped"]),
        (Query(would_be=Verdict.ALLOW), ["passed"]),
        (Query(would_be=Verdict.DENY, verdict=Verdict.ALLOW, use_case=ORDERS, since_ms=1), ["stopped"]),
        (Query(would_be=Verdict.DENY, conversation="ticket-9"), ["stopped"]),
        (Query(would_be=Verdict.CHANGE), []),
    ],
)
def test_what_enforcing_would_have_done_is_searched_and_shown(rig: Rig, query: Query, expected: list[str]) -> None:
    async def body() -> None:
        store = await rig.open()
        thread = await begin(store, conversation="ticket-9")
        made = {
            "enforced": entry_of(thread, at_ms=1_000, facts=DENIED),
            "agent": entry_of(thread, at_ms=2_000, facts={"agent": '"would_be":"deny"'}),
            "passed": entry_of(thread, at_ms=3_000, facts={"would_be": Verdict.ALLOW}),
            "stopped": entry_of(thread, at_ms=4_000, facts={"would_be": Verdict.DENY}),
        }
        for entry in made.values():
            await store.journal.record(entry)
        names = {entry.interaction: name for name, entry in made.items()}
        ours = None if query.conversation is None else thread.conversation
        found = (await store.reader.find(msgspec.structs.replace(query, conversation=ours))).found
        assert [names[each.interaction] for each in found] == expected
        assert all(each.would_be is query.would_be for each in found)

    rig.run(body())


def test_a_finding_counts_only_where_it_was_first_seen(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        thread = await begin(store)
        again = msgspec.structs.replace(CARD, new=False)
        await store.journal.record(entry_of(thread, facts={"findings": (again,)}))
        assert (await store.reader.find(Query(finding=Kind.CARD))).found == ()

    rig.run(body())


def test_a_conversation_is_found_by_our_id_and_by_the_clients(durable: Rig) -> None:
    async def body() -> None:
        store, names = await filled(durable)
        by_given = await store.reader.find(Query(conversation="ticket-7"))
        assert [names[each.interaction] for each in by_given.found] == ["refund", "denied"]
        ours = by_given.found[0].conversation
        assert await store.reader.find(Query(conversation=ours)) == by_given
        assert (await store.reader.find(Query(conversation="ticket-8"))).found == ()

    durable.run(body())


def test_a_customer_is_found_and_another_one_is_not(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        ann = await begin(store, customer="ann@example.org")
        bob = await begin(store, customer="bob@example.org")
        await store.journal.record(mine := entry_of(ann))
        await store.journal.record(entry_of(bob))
        found = await store.reader.find(Query(customer="ann@example.org"))
        assert [each.interaction for each in found.found] == [mine.interaction]
        assert await store.reader.subject_of("ann@example.org") == ann.subject.id
        both = await store.reader.find(Query(customer="ann@example.org", conversation=ann.conversation))
        assert both == found

    durable.run(body())


def test_one_interaction_is_shown_in_the_clear_to_whoever_may_ask(rig: Rig) -> None:
    async def body() -> None:
        store = await rig.open()
        thread = await begin(store)
        await store.journal.record(entry := entry_of(thread))
        shown = await store.reader.show(entry.interaction)
        assert shown.entry == entry.id
        assert shown.payload == entry.payload
        assert shown.missing == ""
        assert shown.index is None
        with pytest.raises(HandrailError) as caught:
            await store.reader.show(InteractionId("in_unknown"))
        assert caught.value.code is Code.NOT_FOUND
        with pytest.raises(HandrailError):
            await store.reader.entry(EntryId("en_unknown"))

    rig.run(body())


def test_every_kind_has_a_bit_that_never_moves() -> None:
    assert set(BIT) == set(Kind)
    assert (BIT[Kind.CARD], BIT[Kind.SECRET], BIT[Kind.INJECTION]) == (1, 1 << 18, 1 << 19)
    assert all(kinds_of(bit) == (kind,) for kind, bit in BIT.items())
    assert max(BIT.values()) < 1 << 63


def test_a_long_search_stands_in_nobodys_way(durable: Rig) -> None:
    long = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000) SELECT max(n) FROM c"

    async def body() -> None:
        store = await durable.open()
        await store.reading.rows("SELECT 1")
        searching = [asyncio.create_task(store.reading.rows(long)) for _ in range(2)]
        await asyncio.sleep(0)
        assert await store.reading.rows("SELECT 1") == [(1,)]
        assert not any(one.done() for one in searching)
        assert await asyncio.gather(*searching) == [[(2_000_000,)]] * 2

    durable.run(body())
