"""Permits on SQLite and PostgreSQL: given, redeemed once among many at once, reported or asked about, and what they had
reserved given back."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from contract.test_actions import approve, ask, begin, claim, kinds, request, token
from fakes.storage import CLOCK, IDS, OPERATOR, Rig, kek

from handrail.approvals.desk import Sweep, TakeOver
from handrail.approvals.lifecycle import State
from handrail.approvals.permit import Permit, permit_of
from handrail.approvals.redeem import Issue, Redeem, Report
from handrail.approvals.settle import Settle
from handrail.approvals.stop import Stop, StopScope
from handrail.backends.keyring import KeyFolder
from handrail.backends.permit_keys import StoredPermitKeys
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.erase import Who
from handrail.terms.action import ActionId, Door
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

LINE = frozenset({"k1", "k1-rotated"})
CAP = ("note-day", "2026-11-21", 1, 10)


async def decided(store: Any, verdict: Verdict = Verdict.ALLOW, **changes: Any) -> Any:
    """An action of a caller that executes itself."""
    thread = await begin(store)
    values = {"permit_ms": 30_000, "report_within_ms": 60_000, "at_once": False, **changes}
    return await store.journal.run(ask(thread, verdict, request=request(thread, door=Door.PERMIT), **values))


def issue(stored: Any, **changes: Any) -> Issue:
    values = {"ids": IDS, "action": stored.progress.action, "key": "k1", "keys": LINE, "audience": "shop",
              "life_ms": 30_000}  # fmt: skip
    return Issue(**{**values, **changes})


async def given(store: Any, stored: Any, **changes: Any) -> Permit:
    now = await store.journal.run(issue(stored, **changes))
    return permit_of(now.progress.permit, now.progress, now.request)


def redeem(shown: Permit, **changes: Any) -> Redeem:
    values = {
        "ids": IDS, "shown": shown, "key": shown.key, "audience": shown.aud,
        "arguments": {"order": "A-1", "amount": 4000}, "refused": lambda stored, standing: False,
    }  # fmt: skip
    return Redeem(**{**values, **changes})


def report(stored: Any, state: State = State.DONE, **changes: Any) -> Report:
    values = {"ids": IDS, "action": stored.progress.action, "key": "k1", "keys": LINE, "state": state,
              "result": {"note": 7}}  # fmt: skip
    return Report(**{**values, **changes})


async def code_of(store: Any, command: Callable[[Any], Any]) -> Code:
    with pytest.raises(HandrailError) as error:
        await store.journal.run(command)
    return error.value.code


async def now_of(store: Any, action: ActionId) -> Any:
    return await store.journal.run(lambda tx: tx.actions.get(action))


async def used(store: Any) -> int:
    return int(await store.journal.run(lambda tx: tx.limits.used(*CAP[:2])))


@pytest.mark.promise("PRM-1")
def test_of_64_redeems_at_once_over_two_processes_one_gets_the_right(durable: Rig) -> None:
    async def run() -> None:
        store, other = await durable.open(), await durable.open()
        stored = await decided(store)
        shown = await given(store, stored)
        tries = (each.journal.run(redeem(shown)) for _ in range(32) for each in (store, other))
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(not isinstance(each, BaseException) for each in results) == 1
        lost = {each.code for each in results if isinstance(each, HandrailError)}
        assert lost <= {Code.ALREADY_DECIDED, Code.LOST_RACE}
        assert len([kind for kind in await kinds(store) if kind == "action.claimed"]) == 1

    durable.run(run())


@pytest.mark.promise("PRM-3")
def test_what_is_reported_is_the_receipt_and_the_answer_to_the_same_call(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await decided(store, reserve=(CAP,))
        assert stored.progress.state is State.APPROVED
        assert await code_of(store, report(stored)) is Code.PERMIT_INVALID
        shown = await given(store, stored)
        assert await code_of(store, report(stored)) is Code.ALREADY_DECIDED
        await store.journal.run(redeem(shown))
        assert await code_of(store, report(stored, keys=frozenset({"k2"}))) is Code.PERMIT_INVALID
        done = await store.journal.run(report(stored))
        assert done.progress.state is State.DONE
        assert (await store.journal.run(report(stored))).progress == done.progress
        assert await code_of(store, report(stored, State.FAILED)) is Code.ALREADY_DECIDED
        kept = await now_of(store, stored.progress.action)
        assert msgspec.json.decode(kept.result) == {"status": "done", "result": {"note": 7}, "code": ""}
        assert kept.progress.ended_at is not None
        assert await used(store) == 1
        seen = [kind for kind in await kinds(store) if kind.startswith("action.")]
        assert seen == ["action.decided", "action.permitted", "action.claimed", "action.done"]

    durable.run(run())


@pytest.mark.promise("PRM-3")
def test_a_report_whose_answer_was_lost_may_be_sent_again_whoever_approved_the_action(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await decided(store, Verdict.HOLD)
        await store.journal.run(approve(stored))
        await store.journal.run(redeem(await given(store, stored)))
        done = await store.journal.run(report(stored))
        assert (await store.journal.run(report(stored))).progress == done.progress
        assert await code_of(store, report(stored, State.FAILED)) is Code.ALREADY_DECIDED

    durable.run(run())


@pytest.mark.promise("PRM-1")
def test_a_permit_that_is_not_redeemed_lapses_and_gives_back_what_it_had_reserved(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await decided(store, permit_ms=500, reserve=(CAP,))
        shown = await given(store, stored)
        assert await used(store) == 1
        await asyncio.sleep(0.55)
        assert await code_of(store, redeem(shown)) is Code.PERMIT_INVALID
        waiting, changed = await store.journal.run(Sweep(ids=IDS))
        assert waiting == []
        assert [each.progress.state for each in changed] == [State.LAPSED]
        assert await used(store) == 0
        assert await code_of(store, redeem(shown)) is Code.ALREADY_DECIDED

    durable.run(run())


@pytest.mark.promise("PRM-3")
def test_a_report_that_does_not_come_asks_a_person_and_never_the_target(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await decided(store, report_within_ms=30, reserve=(CAP,))
        await store.journal.run(redeem(await given(store, stored)))
        take = TakeOver(ids=IDS, action=stored.progress.action, owner="p2", lease_ms=1)
        await asyncio.sleep(0.04)
        assert await code_of(store, take) is Code.NOT_ALLOWED
        waiting, changed = await store.journal.run(Sweep(ids=IDS))
        assert waiting == []
        assert [each.progress.state for each in changed] == [State.UNKNOWN]
        assert (await kinds(store)).count("action.unknown") == 1
        queue = await store.acts.queue(frozenset({State.UNKNOWN}), limit=10)
        assert [line.action for line in queue] == [stored.progress.action]
        assert await used(store) == 1
        settle = Settle(ids=IDS, action=stored.progress.action, done=False, token=token("pe_a")[1])
        assert (await store.journal.run(settle)).progress.state is State.FAILED
        assert await used(store) == 0
        assert await code_of(store, report(stored)) is Code.ALREADY_DECIDED

    durable.run(run())


def test_a_report_about_somebody_who_was_erased_leaves_no_digest_that_could_be_guessed(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await decided(store)
        await store.journal.run(redeem(await given(store, stored)))
        who = Who(conversation=stored.request.conversation)
        await store.erasing.erase(who, reason="case 7", by=OPERATOR)
        done = await store.journal.run(report(stored, result={"name": "Ann"}, response_digest="ab" * 32))
        assert (done.progress.state, done.request, done.result) == (State.DONE, None, None)
        rows = [read_facts(facts) for _, facts in await store.reader.entries(0, 100)]
        (said,) = [row.facts for row in rows if row.kind == EntryKind.ACTION_DONE.value]
        assert not {"request", "response"} & msgspec.json.decode(bytes(said)).keys()

    durable.run(run())


def test_a_late_report_is_taken_while_nobody_has_settled_it(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await decided(store, report_within_ms=1)
        await store.journal.run(redeem(await given(store, stored)))
        await asyncio.sleep(0.01)
        await store.journal.run(Sweep(ids=IDS))
        assert (await store.journal.run(report(stored, State.FAILED))).progress.state is State.FAILED

    durable.run(run())


@pytest.mark.promise("PRM-1")
@pytest.mark.parametrize("how", ["stop", "refused"])
def test_what_is_stopped_or_denied_now_is_revoked_by_its_redeem(durable: Rig, how: str) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await decided(store, reserve=(CAP,))
        shown = await given(store, stored)
        stop = Stop(
            id="st_1", scope=StopScope.TOOL, value="shop.refund", by=PersonId("pe_b"), reason="odd",
            at_ms=CLOCK.now_ms(),
        )  # fmt: skip
        if how == "stop":
            await store.journal.run(lambda tx: tx.stops.add(stop))
        ended = await store.journal.run(redeem(shown, refused=lambda stored, standing: how == "refused"))
        assert ended.progress.state is State.REVOKED
        assert await used(store) == 0
        assert await code_of(store, redeem(shown)) is Code.ALREADY_DECIDED

    durable.run(run())


def test_the_same_request_gets_the_same_permit_while_it_lives_and_another_audience_a_newer_one(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await decided(store)
        first = await given(store, stored)
        assert await given(store, stored) == first
        second = await given(store, stored, audience="other")
        assert second.jti != first.jti
        assert await code_of(store, redeem(first)) is Code.PERMIT_INVALID
        assert (await store.journal.run(redeem(second))).progress.state is State.CLAIMED

    durable.run(run())


@pytest.mark.promise("PRM-1")
def test_another_key_other_arguments_and_what_handrail_executes_get_nothing(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await decided(store)
        other = await store.journal.run(issue(stored, key="k2", keys=frozenset({"k2"})))
        assert other.progress.permit is None
        rotated = await given(store, stored, key="k1-rotated")
        assert await code_of(store, redeem(rotated, key="k1")) is Code.PERMIT_INVALID
        wrong = redeem(rotated, arguments={"order": "A-1", "amount": 4001})
        assert await code_of(store, wrong) is Code.PERMIT_INVALID
        assert await code_of(store, claim(stored)) is Code.NOT_ALLOWED
        assert (await now_of(store, stored.progress.action)).progress.state is State.APPROVED
        own = await decided(store, permit_ms=0, report_within_ms=0)
        assert (await store.journal.run(issue(own))).progress.permit is None

    durable.run(run())


@pytest.mark.promise("PRM-4")
def test_a_held_one_gives_a_permit_once_a_person_approved_it_and_again_after_one_lapsed(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await decided(store, Verdict.HOLD)
        assert (await store.journal.run(issue(stored))).progress.permit is None
        await store.journal.run(approve(stored))
        first = await given(store, stored, life_ms=20)
        await asyncio.sleep(0.03)
        assert await code_of(store, redeem(first)) is Code.PERMIT_INVALID
        assert await store.journal.run(Sweep(ids=IDS)) == ([], [])
        second = await given(store, stored)
        assert (await store.journal.run(redeem(second))).progress.state is State.CLAIMED

    durable.run(run())


def test_a_permit_outlives_a_restart(durable: Rig) -> None:
    async def first() -> Permit:
        store = await durable.open()
        return await given(store, await decided(store))

    async def second(shown: Permit) -> Any:
        return await (await durable.open()).journal.run(redeem(shown))

    assert durable.run(second(durable.run(first()))).progress.state is State.CLAIMED


def test_processes_share_their_signing_keys_and_two_rotations_end_the_first(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path / "keys", kek())
    one, two = StoredPermitKeys(folder, IDS), StoredPermitKeys(folder, IDS)
    assert one.published() == ()
    first = one.current()
    assert two.current().kid == first.kid
    second, gone = one.rotate()
    assert gone == ()
    assert [key.kid for key in two.published()] == [second, first.kid]
    assert two.find(first.kid) is not None
    third, gone = two.rotate()
    two.destroy(gone)
    assert gone == ("permit-1",)
    assert one.current().kid == third
    assert one.find(first.kid) is None
    assert folder.names() == ["permit-2", "permit-3"]
