"""Saved views on SQLite and PostgreSQL: a person's own, by a name of hers, at most fifty."""

from typing import Any

import pytest
from contract.test_signin_store import admin, kinds, signed_in
from fakes.storage import IDS, Rig

from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.saved import MOST, RemoveView, RenameView, SaveView
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId


def save(token: str, name: str, address: str = "/interactions?finding=COMPLAINT") -> SaveView:
    return SaveView(ids=IDS, name=name, address=address, token=token)


async def refused(store: Any, command: Any) -> Code:
    with pytest.raises(HandrailError) as told:
        await store.journal.run(command)
    return told.value.code


@pytest.mark.promise("CSV-1")
def test_a_view_is_saved_renamed_and_deleted_by_its_person_alone_and_no_entry_tells_of_it(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        pat = await admin(store)
        sam = Person(
            id=PersonId("pe_sam"), mail="sam@example.com", name="Sam", roles=frozenset({Role.STAFF}), created_at=1
        )
        await store.journal.run(lambda tx: tx.persons.add(sam))
        hers, his = (await signed_in(store, pat)).text, (await signed_in(store, sam)).text
        before = await store.journal.run(kinds)
        made = await store.journal.run(save(hers, "  Complaints  of today "))
        assert (made.name, made.person) == ("Complaints of today", pat.id)
        other = await store.journal.run(save(hers, "Alerts", "/alerts"))
        assert await refused(store, save(hers, "complaints OF today")) is Code.ALREADY
        await store.journal.run(save(his, "Complaints of today"))
        assert await store.people.views(pat.id) == [other, made]
        assert await refused(store, RenameView(view=made.id, name="X", token=his)) is Code.NOT_FOUND
        assert await refused(store, RemoveView(view=made.id, token=his)) is Code.NOT_FOUND
        assert await refused(store, RenameView(view=made.id, name="alerts", token=hers)) is Code.ALREADY
        renamed = await store.journal.run(RenameView(view=made.id, name="complaints of today", token=hers))
        assert renamed.address == made.address
        await store.journal.run(RemoveView(view=made.id, token=hers))
        assert await refused(store, RemoveView(view=made.id, token=hers)) is Code.NOT_FOUND
        assert [one.name for one in await store.people.views(pat.id)] == ["Alerts"]
        assert [one.name for one in await store.people.views(sam.id)] == ["Complaints of today"]
        assert await store.journal.run(kinds) == before

    durable.run(work())


@pytest.mark.promise("CSV-1")
def test_fifty_are_the_most_and_names_and_addresses_are_bounded(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        token = (await signed_in(store, await admin(store))).text
        for name, address in (
            ("", "/x"),
            ("a" * 61, "/x"),
            ("a\x00b", "/x"),
            ("a", "https://x.example/"),
            ("a", "/" * 1_001),
        ):
            assert await refused(store, save(token, name, address)) is Code.REQUEST_INVALID
        for number in range(MOST):
            await store.journal.run(save(token, f"View {number}"))
        assert await refused(store, save(token, "One more")) is Code.NOT_ALLOWED
        assert await refused(store, save("hs_nobody_x", "Mine")) is Code.TOKEN_INVALID

    durable.run(work())
