"""Searches by channel and by group of a release, also over what was recorded before those had columns."""

import asyncio
from typing import Any

import pytest
from fakes.storage import CARD, Rig, begin, entry_of

from handrail.backends.filling import Filling
from handrail.ledger.read import Page, Query
from handrail.terms.finding import Kind

BY_NAME: dict[str, dict[str, Any]] = {
    "web": {"channel": "web"},
    "mail": {"channel": "mail", "arm": "canary"},
    "canary": {"channel": "web", "arm": "canary", "findings": (CARD,)},
    "quoted": {"channel": 'web","arm":"canary'},
    "said": {"agent": '"channel":"mail","arm":"canary"'},
    "control": {"channel": "web", "arm": "control"},
}
OLD = (
    "ALTER TABLE interaction DROP COLUMN channel",
    "ALTER TABLE interaction DROP COLUMN arm",
    "DROP TABLE interaction_fill",
    "DELETE FROM migration WHERE number = 21",
)
"""Takes a database back to what it was before migration 021."""
ASKED = [
    (Query(channel="web"), ["control", "canary", "web"]),
    (Query(channel="mail"), ["mail"]),
    (Query(channel="phone"), []),
    (Query(arm="canary"), ["canary", "mail"]),
    (Query(arm="control"), ["control"]),
    (Query(arm="pilot"), []),
    (Query(channel="web", arm="canary"), ["canary"]),
    (Query(channel="web", finding=Kind.CARD), ["canary"]),
    (Query(channel='web","arm":"canary'), ["quoted"]),
    (Query(channel="web", since_ms=2_000, until_ms=4_000), ["canary"]),
    (Query(channel="web", conversation="ticket-3"), ["control", "canary", "web"]),
]


async def filled(store: Any) -> dict[str, str]:
    thread = await begin(store, conversation="ticket-3")
    names = {}
    for at, (name, facts) in enumerate(BY_NAME.items(), 1):
        entry = entry_of(thread, at_ms=1_000 * at, facts=facts)
        await store.journal.record(entry)
        names[str(entry.interaction)] = name
    return names


async def of_before(durable: Rig) -> tuple[Any, dict[str, str]]:
    """A database as it was before migration 021, with its rows, opened by this handrail."""
    first = await durable.open()
    names = await filled(first)
    for sql in OLD:
        await first.journal.run(lambda tx, sql=sql: tx.fetch(sql))
    await durable.close(first)
    return await durable.open(), names


async def columns_of(store: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = await store.reading.rows("SELECT channel, arm FROM interaction ORDER BY seq")
    return found


def _names(page: Page, names: dict[str, str]) -> list[str]:
    return [names[each.interaction] for each in page.found]


@pytest.mark.promise("CINT-7")
@pytest.mark.parametrize(("query", "expected"), ASKED[:-1])
def test_channel_and_group_are_found_alone_and_with_others(rig: Rig, query: Query, expected: list[str]) -> None:
    async def body() -> None:
        store = await rig.open()
        names = await filled(store)
        assert _names(await store.reader.find(query), names) == expected

    rig.run(body())


def test_pages_by_channel_follow_each_other_without_a_gap(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        names = await filled(store)
        first = await store.reader.find(Query(channel="web", limit=2))
        second = await store.reader.find(Query(channel="web", limit=2, cursor=first.cursor))
        assert (_names(first, names), _names(second, names), second.cursor) == (["control", "canary"], ["web"], None)

    durable.run(body())


@pytest.mark.promise("CINT-7")
def test_what_was_recorded_before_the_columns_is_found_before_while_and_after_it_is_filled(durable: Rig) -> None:
    async def body() -> None:
        store, names = await of_before(durable)
        assert await columns_of(store) == [(None, None)] * len(BY_NAME)
        filling = Filling(store.journal, store.reading)
        for left in (True, False):
            for query, expected in ASKED:
                assert _names(await store.reader.find(query), names) == expected
            assert await filling.step(4) is left
        expected_columns = [(one.get("channel", ""), one.get("arm", "")) for one in BY_NAME.values()]
        assert await columns_of(store) == expected_columns
        for query, expected in ASKED:
            assert _names(await store.reader.find(query), names) == expected
        assert await filling.step(4) is False

    durable.run(body())


def test_the_newest_are_filled_first_and_no_step_is_done_twice_by_two_servers(durable: Rig) -> None:
    async def body() -> None:
        store, _ = await of_before(durable)
        one, other = (Filling(store.journal, store.reading) for _ in range(2))
        await asyncio.gather(one.step(2), other.step(2))
        known = [channel is not None for channel, _ in await columns_of(store)]
        assert known in ([False] * 4 + [True] * 2, [False] * 2 + [True] * 4)
        while await one.step(2):
            pass
        assert all(channel is not None for channel, _ in await columns_of(store))

    durable.run(body())


def test_what_is_recorded_after_the_migration_is_not_touched_by_filling(durable: Rig) -> None:
    async def body() -> None:
        store, _ = await of_before(durable)
        thread = await begin(store)
        await store.journal.record(entry_of(thread, facts={"channel": "web"}))
        await store.journal.run(lambda tx: tx.fetch("UPDATE interaction SET channel = 'kept' WHERE channel = 'web'"))
        while await Filling(store.journal, store.reading).step(2):
            pass
        assert ("kept", "") in await columns_of(store)

    durable.run(body())


def test_a_new_home_has_nothing_to_fill(durable: Rig) -> None:
    async def body() -> None:
        store = await durable.open()
        await filled(store)
        assert await Filling(store.journal, store.reading).step() is False
        assert await store.reading.rows("SELECT below FROM interaction_fill") == [(0,)]

    durable.run(body())
