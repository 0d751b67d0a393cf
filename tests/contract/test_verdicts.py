"""Words on findings, and searches that no column answers, on SQLite and PostgreSQL."""

from typing import Any

import pytest
from contract.test_actions import token
from contract.test_incidents import COMPLAINT, GOOD, conversation, entries, ready
from fakes.storage import IDS, ORDERS, Rig

from handrail.ledger.entry import EntryKind
from handrail.ledger.read import Listing, Query
from handrail.review.verdicts import Judge, Tally, Word
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import InteractionId

CLEO, OLU = token("pe_c")[1], token("pe_o")[1]


async def with_a_complaint(store: Any) -> InteractionId:
    await conversation(store, GOOD, facts={"findings": (COMPLAINT,)})
    page = await store.reader.find(Query(finding=Kind.COMPLAINT, limit=1))
    return page.found[0].interaction


def judge(interaction: InteractionId, word: Word, **changes: Any) -> Judge:
    return Judge(**{"ids": IDS, "interaction": interaction, "finding": 0, "word": word, "token": CLEO, **changes})


@pytest.mark.promise("CINT-1")
def test_each_person_has_one_word_on_a_finding_and_may_change_it(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        interaction = await with_a_complaint(store)
        await store.journal.run(judge(interaction, Word.RIGHT))
        await store.journal.run(judge(interaction, Word.WRONG, note="ticket 4711"))
        words = await store.verdicts.of([interaction])
        assert [(one.person, one.word, one.version, one.note) for one in words] == [
            ("pe_c", Word.WRONG, 2, "ticket 4711")
        ]
        assert await store.verdicts.tallies() == [Tally(use_case=ORDERS, kind=Kind.COMPLAINT, right=0, wrong=1)]
        told = await entries(store, "finding.judged")
        assert [(one.actor.id, b'"before":"right"' in bytes(one.facts)) for one in told] == [
            ("pe_c", False), ("pe_c", True)
        ]  # fmt: skip

    durable.run(run())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"finding": 1}, Code.NOT_FOUND),
        ({"finding": -1}, Code.NOT_FOUND),
        ({"interaction": InteractionId("in_nothing")}, Code.NOT_FOUND),
        ({"note": "Marta said so on the phone, marta@example.com"}, Code.REQUEST_INVALID),
        ({"token": None}, Code.NOT_ALLOWED),
    ],
)
def test_what_cannot_be_judged_leaves_nothing(durable: Rig, changes: dict[str, Any], code: Code) -> None:
    async def run() -> None:
        store = await ready(durable)
        interaction = await with_a_complaint(store)
        with pytest.raises(HandrailError) as caught:
            await store.journal.run(judge(**{"interaction": interaction, "word": Word.WRONG, **changes}))
        assert caught.value.code is code
        assert await store.verdicts.of([interaction]) == []
        assert await entries(store, "finding.judged") == []

    durable.run(run())


def test_the_same_word_again_is_no_change(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        interaction = await with_a_complaint(store)
        await store.journal.run(judge(interaction, Word.RIGHT))
        with pytest.raises(HandrailError) as caught:
            await store.journal.run(judge(interaction, Word.RIGHT))
        assert caught.value.code is Code.ALREADY
        assert len(await entries(store, "finding.judged")) == 1

    durable.run(run())


def test_a_word_that_was_changed_meanwhile_is_not_overwritten(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        interaction = await with_a_complaint(store)
        first = await store.journal.run(judge(interaction, Word.RIGHT))
        second = await store.journal.run(judge(interaction, Word.WRONG))
        with pytest.raises(HandrailError) as caught:
            await store.journal.run(lambda tx: tx.verdicts.put(first, second))
        assert caught.value.code is Code.LOST_RACE

    durable.run(run())


def test_channel_arm_and_language_are_searched_exactly(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        await conversation(store, GOOD, facts={"channel": "web", "arm": "canary", "language": "de"})
        await conversation(store, GOOD, facts={"channel": "web-chat", "arm": "control", "language": "en"})
        await conversation(store, GOOD)

        async def count(**given: Any) -> int:
            return len((await store.reader.find(Query(**given))).found)

        assert await count(channel="web") == 1
        assert await count(channel="web", arm="canary", language="de") == 1
        assert await count(channel="web", arm="control") == 0
        assert await count(arm="control") == 1
        assert await count(channel='web","arm":"canary') == 0
        assert await count(language="fr") == 0

    durable.run(run())


def test_entries_of_rare_kinds_come_newest_first_across_kinds(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        interaction = await with_a_complaint(store)
        await store.journal.run(judge(interaction, Word.RIGHT))
        await store.journal.run(judge(interaction, Word.WRONG))
        kinds = (EntryKind.FINDING_JUDGED, EntryKind.INCIDENT_OPENED, EntryKind.RULESET_PUBLISHED)
        rows = await store.reader.latest(Listing(kinds=kinds, limit=10))
        assert [row for row, _ in rows] == sorted((row for row, _ in rows), reverse=True)
        assert sum(b'"finding.judged"' in facts for _, facts in rows) == 2
        mixed = await store.reader.latest(Listing(kinds=(*kinds, EntryKind.INTERACTION_CLOSED), limit=10))
        assert sum(b'"interaction.closed"' in facts for _, facts in mixed) == 1
        assert len(await store.reader.latest(Listing(kinds=kinds, limit=1))) == 1

    durable.run(run())
