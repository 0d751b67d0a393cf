"""Incidents on SQLite and PostgreSQL: each move with its entry, whom one concerns, and what closing asks for."""

from typing import Any

import msgspec
import pytest
from contract.test_actions import hire, token
from contract.test_notices import publish, receiver
from fakes.storage import CLOCK, IDS, ORDERS, Rig, begin, entry_of

from handrail.cli.incident import summary
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind, FoundFact
from handrail.ledger.erase import Who
from handrail.releases.lifecycle import Reached, Rollout, State
from handrail.review import incident as moves
from handrail.review.incident import Incident, IncidentState, Scope, Severity
from handrail.review.incidents import Affected, Change, Open, of_rollback
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import CustomerId, Digest, UseCaseId

GOOD, BAD = Digest("a" * 64), Digest("b" * 64)
OPERATOR = Actor(ActorKind.SYSTEM, "operator")
COMPLAINT = FoundFact(Kind.COMPLAINT, "input", 0.9, "words", "mark")


def opening(**changes: Any) -> Open:
    values = {
        "ids": IDS, "use_case": ORDERS, "title": "Refunds promised twice", "severity": Severity.S2,
        "scope": Scope(release=BAD), "token": token("pe_c")[1],
    }  # fmt: skip
    return Open(**{**values, **changes})


def change(incident: Incident, move: Any, **changes: Any) -> Change:
    return Change(ids=IDS, incident=incident.id, **{"token": token("pe_c")[1], "move": move, **changes})


async def conversation(store: Any, release: Digest, times: int = 1, **changes: Any) -> Any:
    customer = changes.pop("customer", None)
    thread = await begin(store, customer=customer)
    await store.threads.close_turn(thread, history=[b"hello", b"hi"])
    for _ in range(times):
        await store.journal.record(entry_of(thread, release=release, **changes))
    return thread


async def ready(durable: Rig) -> Any:
    store = await durable.open()
    await store.journal.run(hire)
    await publish(store, receiver("leads"))
    return store


async def entries(store: Any, kind: str) -> list[Any]:
    rows = [read_facts(facts) for _, facts in await store.reader.entries(0, 1_000)]
    return [row for row in rows if row.kind.startswith(kind)]


@pytest.mark.promise("INC-1")
def test_whom_a_release_concerned_is_found_with_each_customer_once(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        ann, ben = CustomerId("ann"), CustomerId("ben")
        first = await conversation(store, BAD, 3, customer=ann)
        second = await conversation(store, BAD, 1, customer=ann)
        await conversation(store, GOOD, 2, customer=ben)
        stranger = await conversation(store, BAD, 1)
        rows: list[Affected] = await store.incidents.affected(ORDERS, Scope(release=BAD))
        assert [(row.conversation, row.interactions, row.person) for row in rows] == sorted(
            [
                (first.conversation, 3, True), (second.conversation, 1, True), (stranger.conversation, 1, False),
            ],
            key=lambda row: [one.conversation for one in rows].index(row[0]),
        )  # fmt: skip
        assert len({row.subject for row in rows if row.person}) == 1
        found = await store.incidents.affected(ORDERS, Scope(finding=Kind.COMPLAINT.value))
        assert found == []
        unhappy = await conversation(store, GOOD, facts={"findings": (COMPLAINT,)})
        found = await store.incidents.affected(ORDERS, Scope(finding=Kind.COMPLAINT.value))
        assert [row.conversation for row in found] == [unhappy.conversation]
        at = rows[0].first_ms
        assert await store.incidents.affected(ORDERS, Scope(release=BAD, until_ms=at)) == []
        for broken in (Scope(), Scope(finding="NOTHING")):
            with pytest.raises(HandrailError) as refused:
                await store.incidents.affected(ORDERS, broken)
            assert refused.value.code is Code.REQUEST_INVALID

    durable.run(run())


def test_the_counts_of_whom_it_concerns_are_those_of_the_list_and_a_short_list_is_its_beginning(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        ann = CustomerId("ann")
        await conversation(store, BAD, 3, customer=ann)
        await conversation(store, BAD, 1, customer=ann)
        await conversation(store, GOOD, 1, customer=CustomerId("ben"))
        await conversation(store, BAD, 2)
        gone = CustomerId("gone")
        await conversation(store, BAD, 1, customer=gone)
        await store.erasing.erase(Who(customer=gone), reason="request 1", by=OPERATOR)
        scope = Scope(release=BAD)
        rows = await store.incidents.affected(ORDERS, scope)
        counted = await store.incidents.concerned(ORDERS, scope)
        told = summary(rows)
        assert (counted.interactions, counted.conversations, counted.customers) == (7, 4, told["customers"])
        assert (counted.unknown, counted.erased) == (told["unknown"], told["erased"]) == (1, 1)
        assert (counted.first_ms, counted.latest_ms) == (rows[0].first_ms, max(row.latest_ms for row in rows))
        assert await store.incidents.affected(ORDERS, scope, limit=2) == rows[:2]
        assert all(row.first for row in rows)
        none = await store.incidents.concerned(ORDERS, Scope(release=Digest("c" * 64)))
        assert (none.interactions, none.conversations, none.first_ms) == (0, 0, None)
        with pytest.raises(HandrailError):
            await store.incidents.concerned(ORDERS, Scope())

    durable.run(run())


def test_a_cut_timeline_keeps_the_latest_and_says_that_older_ones_are_left_out(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        made = await store.journal.run(opening())
        for said in ("one", "two"):
            await store.journal.run(
                change(made, lambda one, by, now, said=said: moves.noted(one, said, by=by.id, now=now))
            )
        until = made.opened_at + 60_000
        whole = await store.incidents.timeline(made.id, ORDERS, 0, until)
        assert await store.incidents.history(made.id, ORDERS, 0, until, limit=1_000) == (whole[::-1], False)
        assert await store.incidents.history(made.id, ORDERS, 0, until, limit=1) == (whole[:-2:-1], True)

    durable.run(run())


def test_an_incident_opened_from_an_alert_is_opened_once(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        made = await store.journal.run(opening(cause="alert.al_1"))
        again = await store.journal.run(opening(cause="alert.al_1", title="Another"))
        assert (again.id, again.title) == (made.id, made.title)
        assert len(await entries(store, "incident.opened")) == 1

    durable.run(run())


@pytest.mark.promise("INC-1")
def test_a_conversation_that_a_rollback_moved_and_an_answer_that_was_cut_are_found_too(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        moved = await conversation(store, BAD, 2)
        await store.journal.record(entry_of(moved, release=GOOD))
        cut = await begin(store)
        await store.journal.record(
            entry_of(cut, EntryKind.INTERACTION_OPENED, release=BAD, at_ms=CLOCK.now_ms() - 5_000)
        )
        assert await store.erasing.interrupted(older_than_ms=1_000, by=OPERATOR) == 1
        rows: list[Affected] = await store.incidents.affected(ORDERS, Scope(release=BAD))
        found = {row.conversation: row.interactions for row in rows}
        assert found == {moved.conversation: 2, cut.conversation: 1}

    durable.run(run())


def test_whom_an_incident_concerns_are_those_of_its_use_case(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        own = await conversation(store, BAD)
        await conversation(store, BAD, facts={"use_case": UseCaseId("elsewhere")})
        rows: list[Affected] = await store.incidents.affected(ORDERS, Scope(release=BAD))
        assert [row.conversation for row in rows] == [own.conversation]

    durable.run(run())


def test_of_two_who_move_an_incident_at_once_one_is_told_that_it_moved(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        made = await store.journal.run(opening())
        later = moves.contained(made, now=1)
        await store.journal.run(lambda tx: tx.incidents.swap(made, later))
        with pytest.raises(HandrailError) as lost:
            await store.journal.run(lambda tx: tx.incidents.swap(made, moves.contained(made, now=2)))
        assert lost.value.code is Code.LOST_RACE
        assert (await store.incidents.get(made.id)).contained_at == 1

    durable.run(run())


def test_a_timeline_has_what_was_learnt_late_and_nothing_of_other_use_cases_and_incidents(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        made = await store.journal.run(opening())
        await store.journal.run(opening(title="Another"))
        note = lambda one, by, now: moves.noted(one, "late", by=by.id, now=now)  # noqa: E731  a move, as the others
        await store.journal.run(change(made, note))
        rows = await store.incidents.timeline(made.id, ORDERS, 0, made.opened_at)
        kinds = [read_facts(data).kind for data in rows]
        assert kinds[-2:] == ["incident.opened", "incident.moved"]
        assert {read_facts(data).about for data in rows if read_facts(data).kind.startswith("incident.")} == {made.id}
        other = await store.incidents.timeline(made.id, UseCaseId("elsewhere"), 0, 2**53)
        assert all(read_facts(data).use_case is None for data in other)

    durable.run(run())


def test_one_who_was_erased_is_counted_and_named_no_more(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        ann = CustomerId("ann")
        await conversation(store, BAD, customer=ann)
        await store.erasing.erase(Who(customer=ann), reason="request 1", by=OPERATOR)
        rows: list[Affected] = await store.incidents.affected(ORDERS, Scope(release=BAD))
        assert sum(row.interactions for row in rows) == 1
        assert not any(row.person and not row.erased for row in rows)

    durable.run(run())


@pytest.mark.promise("INC-2")
def test_an_incident_is_closed_only_with_its_tasks_done_notes_written_and_a_test_named(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        made = await store.journal.run(opening())
        assert (made.owner, made.state) == ("olga@shop.example", IncidentState.OPEN)
        steps = [
            (lambda one, _, now: moves.closed(one, test="t", now=now), Code.INCIDENT_STATE),
            (lambda one, _, __: moves.tasked(one, "write to the customers"), None),
            (lambda one, _, now: moves.contained(one, now=now), None),
            (lambda one, _, now: moves.reviewed(one, now=now), Code.INCIDENT_STATE),
            (lambda one, by, now: moves.noted(one, "the prompt lost a line", by=by.id, now=now), None),
            (lambda one, _, now: moves.reviewed(one, now=now), None),
            (lambda one, _, now: moves.closed(one, test="t", now=now), Code.INCIDENT_STATE),
            (lambda one, _, now: moves.task_done(one, 1, now=now), None),
            (lambda one, _, now: moves.closed(one, now=now), Code.INCIDENT_STATE),
            (lambda one, _, now: moves.closed(one, test="refund-once", no_test="both", now=now), Code.INCIDENT_STATE),
            (lambda one, _, now: moves.closed(one, test="refund-once", now=now), None),
            (lambda one, _, __: moves.tasked(one, "too late"), Code.INCIDENT_STATE),
        ]  # fmt: skip
        for move, code in steps:
            if code is None:
                after = await store.journal.run(change(made, move))
            else:
                with pytest.raises(HandrailError) as refused:
                    await store.journal.run(change(made, move))
                assert refused.value.code is code
        assert (after.state, after.test, after.notes[0].by) == (IncidentState.CLOSED, "refund-once", "pe_c")
        recorded = await entries(store, "incident.")
        assert [row.kind for row in recorded] == [
            "incident.opened", *["incident.moved"] * 5, "incident.closed"
        ]  # fmt: skip
        assert await store.incidents.listed(all_states=False, limit=9) == []
        assert await store.incidents.listed(all_states=True, limit=9) == [after]

    durable.run(run())


@pytest.mark.promise("INC-3")
def test_a_rollback_for_safety_opens_one_incident_in_its_own_transaction(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        rollout = Rollout(
            release=BAD, use_case=ORDERS, author="pe_x", created_at=1, state=State.ROLLED_BACK, safety=True, run=1,
            reached=Reached(verdict="worse", sentence="Complaints rose.", at_ms=1, numbers=b"{}"),
        )  # fmt: skip
        await store.journal.run(lambda tx: of_rollback(tx, IDS, rollout))
        await store.journal.run(lambda tx: of_rollback(tx, IDS, rollout))
        (one,) = await store.incidents.listed(all_states=True, limit=9)
        assert (one.title, one.state, one.scope.release) == ("Complaints rose.", IncidentState.CONTAINED, BAD)
        by_hand = msgspec.structs.replace(rollout, safety=False)
        assert await store.journal.run(lambda tx: of_rollback(tx, IDS, by_hand)) is None
        facts = await store.incidents.timeline(one.id, ORDERS, 0, 2**53)
        assert [read_facts(data).kind for data in facts][-2:] == ["incident.opened", "incident.moved"]

        def fails(tx: Any) -> None:
            of_rollback(tx, IDS, msgspec.structs.replace(rollout, run=2))
            raise HandrailError(Code.LOST_RACE, "moved meanwhile")

        with pytest.raises(HandrailError):
            await store.journal.run(fails)
        assert len(await store.incidents.listed(all_states=True, limit=9)) == 1

    durable.run(run())


def test_incidents_need_a_person_who_may_and_a_published_use_case(durable: Rig) -> None:
    async def run() -> None:
        store = await ready(durable)
        for broken, code in (
            ({"use_case": "nowhere"}, Code.NOT_FOUND), ({"title": " "}, Code.REQUEST_INVALID),
            ({"token": token("pe_a")[1]}, Code.NOT_ALLOWED),
        ):  # fmt: skip
            with pytest.raises(HandrailError) as refused:
                await store.journal.run(opening(**broken))
            assert refused.value.code is code
        assert await store.incidents.listed(all_states=True, limit=9) == []

    durable.run(run())
