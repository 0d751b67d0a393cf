"""What the console's page of the watch reads, on SQLite and PostgreSQL: cells of some use cases alone, the newest first
and bounded; their series; how the openings of one stand; counts since a level was lowered."""

from collections.abc import Iterable
from typing import Any

import pytest
from contract.test_openings import learnt, seed
from fakes.storage import ORDERS, Rig

from handrail.terms.ids import UseCaseId
from handrail.watch.measure import Cell, Counts
from handrail.watch.openings import Held
from handrail.watch.series import Series


async def keep(store: Any, cells: Iterable[tuple[Cell, int]]) -> None:
    def put(tx: Any) -> None:
        tx.watch.count({cell: Counts({"interactions": count}) for cell, count in cells})

    await store.journal.run(put)


def cell(use_case: str, hour: int, language: str = "en", channel: str = "chat") -> Cell:
    return Cell(use_case, hour, "r" * 64, language, channel)


@pytest.mark.promise("CWA-2")
def test_cells_of_some_use_cases_come_the_newest_first_and_no_more_than_asked_for(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        cells = [cell(name, hour, language) for name in "abc" for hour in range(10, 15) for language in ("de", "en")]
        await keep(store, [(one, number) for number, one in enumerate(cells, 1)])
        found = await store.watch.counted(["a", "c"], 11, 14, limit=100)
        assert [one for one, _ in found] == sorted(
            (one for one in cells if one.use_case in "ac" and 11 <= one.hour < 14),
            key=lambda one: (-one.hour, one.use_case, one.language),
        )
        assert {one: counts["interactions"] for one, counts in found} == {one: cells.index(one) + 1 for one, _ in found}
        assert [one for one, _ in await store.watch.counted(["a", "c"], 11, 14, limit=5)] == [one for one, _ in found][
            :5
        ]
        assert await store.watch.counted([], 0, 10**9, limit=5) == []
        assert await store.watch.counted(["nowhere"], 0, 10**9, limit=5) == []
        whole = await store.watch.measured(11, 14)
        assert sorted(await store.watch.counted(["a", "b", "c"], 11, 14, limit=100)) == sorted(whole)
        assert await store.watch.summed(["a", "c"], 11, 14) == sum((counts for _, counts in found), Counts())
        assert await store.watch.summed([], 0, 10**9) == await store.watch.summed(["nowhere"], 0, 10**9) == Counts()

    durable.run(run())


@pytest.mark.promise("CWA-2")
def test_series_and_openings_of_some_use_cases_are_those_of_the_whole_house(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        made = [Series(use_case=UseCaseId(name), metric=metric) for name in "abc" for metric in ("blocked", "failed")]
        await store.journal.run(lambda tx: tx.watch.keep(made))
        assert await store.watch.series() == made
        assert await store.watch.series_of(["c", "a"]) == [one for one in made if one.use_case in ("a", "c")]
        assert await store.watch.series_of([]) == []
        await seed(store, Held(mix=learnt()))
        assert await store.openings.of(ORDERS) == (await store.openings.held())[ORDERS]
        assert await store.openings.of("elsewhere") == Held()

    durable.run(run())


@pytest.mark.promise("CWA-3")
def test_counts_since_an_hour_are_the_same_beside_the_writer_and_in_a_command(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await keep(store, [(cell(ORDERS, hour), hour) for hour in range(20, 25)])
        beside = await store.autonomy.counts(ORDERS, 22)
        assert beside == await store.journal.run(lambda tx: tx.autonomy.counts(ORDERS, 22))
        assert beside["interactions"] == 22 + 23 + 24

    durable.run(run())
