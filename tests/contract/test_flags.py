"""Mistakes that staff flag in an interaction, on SQLite and PostgreSQL: one of each person, found by search."""

from typing import Any

import msgspec
import pytest
from contract.test_actions import token
from contract.test_incidents import COMPLAINT, GOOD, conversation, entries, ready
from fakes.storage import IDS, Rig

from handrail.ledger.read import Query
from handrail.review.flags import Mistake, RaiseFlag, WithdrawFlag
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import InteractionId

CLEO, ANN = token("pe_c")[1], token("pe_a")[1]


async def with_two(store: Any) -> tuple[InteractionId, InteractionId]:
    for _ in range(2):
        await conversation(store, GOOD, facts={"findings": (COMPLAINT,)})
    newest, older = (await store.reader.find(Query(limit=2))).found
    return newest.interaction, older.interaction


def flag(interaction: InteractionId, who: str = CLEO, mistake: Mistake = Mistake.WRONG, note: str = "") -> RaiseFlag:
    return RaiseFlag(ids=IDS, interaction=interaction, mistake=mistake, token=who, note=note)


async def flagged(store: Any) -> list[InteractionId]:
    return [one.interaction for one in (await store.reader.find(Query(flagged=True, limit=9))).found]


@pytest.mark.promise("CINT-11")
def test_each_person_flags_once_changes_her_reason_and_takes_it_back_with_an_entry_each(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        one, other = await with_two(store)
        assert await flagged(store) == []
        await store.journal.run(flag(one))
        with pytest.raises(HandrailError) as again:
            await store.journal.run(flag(one))
        assert again.value.code is Code.ALREADY
        await store.journal.run(flag(one, mistake=Mistake.TONE, note="ticket 4711"))
        await store.journal.run(flag(one, ANN))
        stands = await store.verdicts.flags([one, other])
        assert [(each.person, each.mistake, each.version) for each in stands] == [
            ("pe_a", Mistake.WRONG, 1),
            ("pe_c", Mistake.TONE, 2),
        ]
        assert await flagged(store) == [one]
        await store.journal.run(WithdrawFlag(ids=IDS, interaction=one, token=CLEO))
        with pytest.raises(HandrailError) as gone:
            await store.journal.run(WithdrawFlag(ids=IDS, interaction=one, token=CLEO))
        assert gone.value.code is Code.NOT_FOUND
        assert await flagged(store) == [one]
        await store.journal.run(WithdrawFlag(ids=IDS, interaction=one, token=ANN))
        assert (await flagged(store), await store.verdicts.flags([one])) == ([], [])
        raised = await entries(store, "flag.raised")
        assert [(each.actor.id, msgspec.json.decode(bytes(each.facts))["mistake"]) for each in raised] == [
            ("pe_c", "wrong"),
            ("pe_c", "tone"),
            ("pe_a", "wrong"),
        ]
        assert len(await entries(store, "flag.withdrawn")) == 2

    durable.run(run())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"interaction": InteractionId("in_nothing")}, Code.NOT_FOUND),
        ({"note": "Marta said so on the phone"}, Code.REQUEST_INVALID),
        ({"token": None}, Code.NOT_ALLOWED),
    ],
)
def test_what_cannot_be_flagged_leaves_nothing(durable: Rig, changes: dict[str, Any], code: Code) -> None:
    async def run() -> None:
        store = await ready(durable)
        one, _ = await with_two(store)
        given = {"ids": IDS, "interaction": one, "mistake": Mistake.WRONG, "token": CLEO, **changes}
        with pytest.raises(HandrailError) as caught:
            await store.journal.run(RaiseFlag(**given))
        assert caught.value.code is code
        assert (await store.verdicts.flags([one]), await entries(store, "flag.raised")) == ([], [])

    durable.run(run())
