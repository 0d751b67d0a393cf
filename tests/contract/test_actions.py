"""Actions, limits and stops on SQLite and PostgreSQL: a move and its entry commit together, an equal call is answered
by the first, and what is reserved is never one cent too much."""

import asyncio
from typing import Any

import msgspec
import pytest
from fakes.storage import CLOCK, IDS, OPERATOR, ORDERS, Rig
from fakes.storage import begin as opened

from handrail.approvals import lifecycle
from handrail.approvals.desk import Ask, Claim, Finish, Ruled, Standing, Sweep
from handrail.approvals.facts import ActionFacts
from handrail.approvals.lifecycle import State
from handrail.approvals.settle import Approve, Deny
from handrail.approvals.stop import Stop, StopScope
from handrail.ledger.entry import EntryKind
from handrail.ledger.erase import Who
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.token import DAY_MS, TokenKind, new_token
from handrail.policy.action import ActionDecision
from handrail.policy.action_rules import Route
from handrail.terms.action import Action, ActionId, Door, ToolId, digest_of
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, PersonId

RULES = Digest("ab" * 32)
ROUTE = Route(id="leads", roles=("approver",), decide_within_s=60)


STAFF = {
    "pe_a": Role.APPROVER, "pe_b": Role.APPROVER, "pe_e": Role.APPROVER, "pe_c": Role.COMPLIANCE,
    "pe_d": Role.COMPLIANCE, "pe_admin": Role.ADMIN,
}  # fmt: skip


def token(name: str, now_ms: int = 0) -> Any:
    """A personal token and its text, the same for the same name."""
    randomness = (name.encode() * 42)[:42]
    return new_token(TokenKind.PERSONAL, PersonId(name), randomness, now_ms=now_ms, expires_at=now_ms + DAY_MS)


def hire(tx: Any) -> None:
    for name, role in STAFF.items():
        if tx.persons.by_mail(f"{name}@shop.example") is None:
            tx.persons.add(
                Person(id=PersonId(name), mail=f"{name}@shop.example", name=name, roles=frozenset({role}), created_at=0)
            )
            tx.tokens.add(token(name, tx.now_ms)[0])


async def begin(store: Any, **changes: Any) -> Any:
    """The first turn of a conversation, and staff."""
    await store.journal.run(hire)
    return await opened(store, **changes)


def request(thread: Any, **changes: Any) -> Action:
    values = {
        "id": ActionId(IDS.new("ac")), "use_case": ORDERS, "tool": ToolId("shop.refund"),
        "arguments": {"order": "A-1", "amount": 4000}, "salt": bytes(16), "door": Door.HTTP, "key": "k1",
        "conversation": thread.conversation,
    }  # fmt: skip
    return Action(**{**values, **changes})


def ask(thread: Any, verdict: Verdict = Verdict.HOLD, **changes: Any) -> Ask:
    """`reserve`, `route`, `excluded` go to the decision; the rest to the command."""
    ruled = {name: changes.pop(name) for name in ("reserve", "route", "excluded", "rules", "owners") if name in changes}
    made = changes.pop("request", None) or request(thread)

    def decide(_: Standing) -> Ruled:
        return Ruled(
            decision=ActionDecision(verdict=verdict), payload=b"{}",
            facts=ActionFacts(action=made.id, tool=made.tool, agent=made.agent),
            **{"route": ROUTE, **ruled},
        )  # fmt: skip

    values = {
        "ids": IDS, "request": made, "subject": thread.subject.id, "decide": decide, "business": IDS.token(32),
        "same_since_ms": 0, "ruleset": RULES, "owner": "p1", "lease_ms": 60_000,
    }  # fmt: skip
    return Ask(**{**values, **changes})


async def kinds(store: Any) -> list[str]:
    found, after = [], 0
    while rows := await store.reader.entries(after, 500):
        found += [msgspec.json.decode(facts)["kind"] for _, facts in rows]
        after = rows[-1][0]
    return found


def approve(stored: Any, name: str = "pe_a") -> Approve:
    return Approve(ids=IDS, action=stored.progress.action, digest=digest_of(stored.request), token=token(name)[1])


def claim(stored: Any, owner: str = "p1", **changes: Any) -> Claim:
    return Claim(ids=IDS, action=stored.progress.action, owner=owner, **{"lease_ms": 60_000, **changes})


def finish(stored: Any, owner: str = "p1", state: State = State.DONE) -> Finish:
    return Finish(
        ids=IDS, action=stored.progress.action, owner=owner, state=state, result=b'{"paid":true}', receipt=b"{}",
        facts=ActionFacts(action=stored.progress.action),
    )  # fmt: skip


def test_a_held_action_survives_a_restart_and_is_approved_claimed_and_done(durable: Rig) -> None:
    async def first() -> Any:
        store = await durable.open()
        return await store.journal.run(ask(await begin(store)))

    async def second(stored: Any) -> tuple[Any, list[str]]:
        store = await durable.open()
        again = await store.journal.run(lambda tx: tx.actions.get(stored.progress.action))
        assert again == stored
        await store.journal.run(approve(again))
        await store.journal.run(claim(again))
        await store.journal.run(finish(again))
        return await store.journal.run(lambda tx: tx.actions.get(stored.progress.action)), await kinds(store)

    done, seen = durable.run(second(durable.run(first())))
    assert done.progress.state is State.DONE
    assert done.result == b'{"paid":true}'
    assert [kind for kind in seen if kind.startswith("action.")] == [
        "action.decided", "action.approved", "action.claimed", "action.done",
    ]  # fmt: skip


def test_a_move_that_is_refused_leaves_no_entry(durable: Rig) -> None:
    async def run() -> list[str]:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store), excluded=frozenset({PersonId("pe_a")})))
        for command in (approve(stored), claim(stored), finish(stored)):
            with pytest.raises(HandrailError):
                await store.journal.run(command)
        return await kinds(store)

    assert [kind for kind in durable.run(run()) if kind.startswith("action.")] == ["action.decided"]


@pytest.mark.promise("ACT-1")
def test_who_decides_on_an_older_version_changes_nothing(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        first = await store.journal.run(ask(await begin(store)))
        second = await store.journal.run(approve(first))
        old, now = first.progress, second.progress
        moves = (
            lambda tx: tx.actions.move(old, lifecycle.deny(old, PersonId("pe_b"), now=tx.now_ms)),
            lambda tx: tx.actions.rewrite(
                old, msgspec.structs.replace(first, progress=lifecycle.edit(old, RULES, now=tx.now_ms))
            ),
        )
        for move in moves:
            with pytest.raises(HandrailError) as lost:
                await store.journal.run(move)
            assert lost.value.code is Code.LOST_RACE
        assert (await store.journal.run(lambda tx: tx.actions.get(old.action))).progress == now

    durable.run(run())


def test_two_claims_at_once_give_one_right(durable: Rig) -> None:
    async def run() -> list[Any]:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store), Verdict.HOLD))
        await store.journal.run(approve(stored))
        return await asyncio.gather(
            *(store.journal.run(claim(stored, f"p{at}")) for at in range(8)), return_exceptions=True
        )

    results = durable.run(run())
    assert sum(not isinstance(each, HandrailError) for each in results) == 1
    assert {each.code for each in results if isinstance(each, HandrailError)} == {Code.ALREADY_DECIDED}


def test_an_equal_call_gets_the_first_action_and_its_result(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        business = IDS.token(32)
        first = await store.journal.run(ask(thread, Verdict.ALLOW, business=business))
        assert first.progress.state is State.CLAIMED
        again = await store.journal.run(ask(thread, Verdict.ALLOW, business=business))
        assert again.progress.action == first.progress.action
        await store.journal.run(finish(first))
        last = await store.journal.run(ask(thread, Verdict.ALLOW, business=business))
        assert last.progress.action == first.progress.action
        assert last.result == b'{"paid":true}'

    durable.run(run())


def test_a_denied_call_may_be_asked_for_again(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        business = IDS.token(32)
        first = await store.journal.run(ask(thread, business=business))
        await store.journal.run(Deny(ids=IDS, action=first.progress.action, token=token("pe_a")[1]))
        again = await store.journal.run(ask(thread, business=business))
        assert again.progress.action != first.progress.action

    durable.run(run())


@pytest.mark.promise("ACT-4")
def test_64_callers_never_reserve_a_cent_over_the_cap_and_get_back_what_was_denied(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        other = await durable.open()
        thread = await begin(store)
        cap = ("refund-day", "2026-11-21", 3_000, 100_000)

        async def call(at: int) -> Any:
            journal = (store if at % 2 else other).journal
            return await journal.run(ask(thread, reserve=(cap,)))

        await store.journal.run(lambda tx: None)
        results = await asyncio.gather(*(call(at) for at in range(64)), return_exceptions=True)
        held = [each for each in results if not isinstance(each, BaseException)]
        assert len(held) == 33
        assert {each.code for each in results if isinstance(each, HandrailError)} == {Code.LOST_RACE}
        assert await store.journal.run(lambda tx: tx.limits.used("refund-day", "2026-11-21")) == 99_000
        for each in held[:10]:
            await store.journal.run(Deny(ids=IDS, action=each.progress.action, token=token("pe_a")[1]))
        assert await store.journal.run(lambda tx: tx.limits.used("refund-day", "2026-11-21")) == 69_000

    durable.run(run())


def test_a_stop_is_read_inside_the_claim(durable: Rig) -> None:
    async def run() -> Any:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store)))
        await store.journal.run(approve(stored))
        stop = Stop(
            id="st_1",
            scope=StopScope.TOOL,
            value="shop.refund",
            by=PersonId("pe_b"),
            reason="odd",
            at_ms=CLOCK.now_ms(),
        )
        await store.journal.run(lambda tx: tx.stops.add(stop))
        return await store.journal.run(claim(stored))

    assert durable.run(run()).progress.state is State.REVOKED


def test_what_time_does_is_swept_and_silent_claims_are_told(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        quick = Route(id="leads", roles=("approver",), decide_within_s=1)
        soon = await store.journal.run(ask(thread, route=quick))
        claimed = await store.journal.run(ask(thread, Verdict.ALLOW, lease_ms=1))
        await asyncio.sleep(1.05)
        waiting, changed = await store.journal.run(Sweep(ids=IDS))
        assert [each.progress.action for each in changed] == [soon.progress.action]
        assert changed[0].progress.state is State.EXPIRED
        assert [each.action for each in waiting] == [claimed.progress.action]
        assert EntryKind.ACTION_EXPIRED.value in await kinds(store)

    durable.run(run())


def test_an_erasure_takes_the_call_and_its_result(durable: Rig) -> None:
    async def run() -> Any:
        store = await durable.open()
        thread = await begin(store)
        stored = await store.journal.run(ask(thread))
        await store.erasing.erase(Who(conversation=thread.conversation), reason="case 7", by=OPERATOR)
        return await store.journal.run(lambda tx: tx.actions.get(stored.progress.action))

    gone = durable.run(run())
    assert gone.request is None
    assert gone.result is None
    assert lifecycle.revoke(gone.progress).state is State.REVOKED
