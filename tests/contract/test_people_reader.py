"""Persons and keys as pages read them, beside the writer; both engines."""

from fakes.storage import IDS, Rig

from handrail.people.desk import AddPerson, OpenFirst, Redeem
from handrail.people.key import Scope
from handrail.people.keys import CreateKey, RevokeKey
from handrail.people.role import Role


def test_what_was_committed_is_read_as_the_register_holds_it(durable: Rig) -> None:
    async def scenario() -> None:
        store = await durable.open()
        run = store.journal.run
        assert await store.people.persons() == []
        code = (await run(OpenFirst(ids=IDS))).text
        admin = (await run(Redeem(ids=IDS, code=code, mail="ada@example.com", name="Ada"))).text
        await run(AddPerson(ids=IDS, mail="bo@example.com", name="Bo", roles=frozenset({Role.OWNER}), token=admin))
        made = await run(
            CreateKey(ids=IDS, use_case=None, registered=frozenset(), scopes=frozenset({Scope.EVENTS}), token=admin)
        )
        await run(RevokeKey(ids=IDS, key_id=made.key.id, token=admin))
        assert await store.people.persons() == await run(lambda tx: tx.persons.all())
        assert [one.name for one in await store.people.persons()] == ["Ada", "Bo"]
        keys = await store.people.keys()
        assert keys == await run(lambda tx: tx.keys.all())
        assert keys[0].revoked_at is not None

    durable.run(scenario())
