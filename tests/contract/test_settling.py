"""What persons do to held actions, and the stop switch, on SQLite and PostgreSQL: read inside the transaction."""

import asyncio
from typing import Any

import msgspec
import pytest
from contract.test_actions import approve, ask, begin, claim, finish, kinds, request, token
from fakes.actions import use_case
from fakes.storage import IDS, ORDERS, Rig
from fakes.target import REFUND, refund_tool, shop_upstream

from handrail.approvals.desk import Ruled, Standing
from handrail.approvals.facts import ActionFacts
from handrail.approvals.halt import AT_ONCE, FIRST, LiftStop, PullStop, RevokeStopped, revoke_stopped
from handrail.approvals.lifecycle import State
from handrail.approvals.settle import Cancel, Deny, Edit, HandOn, Settle, settled
from handrail.approvals.stop import StopScope
from handrail.policy.action import ActionDecision
from handrail.policy.action_rules import ActionRules, Route, Rule
from handrail.policy.ruleset import Ruleset, digest, rule_digests
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

TWO = Route(id="two", roles=("approver",), persons=2)
SENIOR = Route(id="senior", roles=("compliance",), up_to=1_000_000, currency="EUR")
RULE = Rule(id="big", then=Verdict.HOLD, why="big refunds are looked at")


async def published(
    store: Any, owner: str = "olga@shop.example", by: str = "pe_engineer", deputy: str = "dan@shop.example",
    routes: tuple[Route, ...] = (TWO, SENIOR),
) -> Ruleset:  # fmt: skip
    """A ruleset with routes and a rule, in force."""
    made = Ruleset(
        organisation="Shop", time_zone="UTC", currency="EUR", providers={},
        use_cases={ORDERS: msgspec.structs.replace(use_case(), id=ORDERS, owner=owner, deputy=deputy)},
        actions=ActionRules(rules=(RULE,), routes=routes), tools={REFUND: refund_tool()},
        upstreams={shop_upstream(80).id: shop_upstream(80)},
    )  # fmt: skip

    def publish(tx: Any) -> None:
        tx.rulesets.put(digest(made), made, by=Actor(ActorKind.PERSON, by), at_ms=tx.now_ms)
        tx.rulesets.set_current(digest(made), expected=tx.rulesets.current(), at_ms=tx.now_ms)

    await store.journal.run(publish)
    return made


async def refused(store: Any, command: Any) -> HandrailError:
    with pytest.raises(HandrailError) as error:
        await store.journal.run(command)
    return error.value


def deny(stored: Any, name: str = "pe_b") -> Deny:
    return Deny(ids=IDS, action=stored.progress.action, token=token(name)[1])


def pull(scope: StopScope = StopScope.TOOL, value: str = "shop.refund", by: str = "pe_b") -> PullStop:
    return PullStop(ids=IDS, scope=scope, value=value, reason="odd", token=token(by)[1])


def edited(stored: Any, verdict: Verdict = Verdict.ALLOW, name: str = "pe_a", amount: int = 3_000) -> Edit:
    changed = msgspec.structs.replace(
        stored.request, arguments={**stored.request.arguments, "amount": amount}, revision=stored.request.revision + 1
    )

    def decide(_: Standing) -> Ruled:
        facts = ActionFacts(action=changed.id, tool=changed.tool, amount_minor=amount, currency="EUR")
        return Ruled(decision=ActionDecision(verdict=verdict), payload=b"{}", facts=facts)

    return Edit(ids=IDS, request=changed, before=stored.progress.digest, decide=decide, token=token(name)[1])


@pytest.mark.promise("APR-3")
def test_who_comes_late_is_told_who_decided_and_when(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store)))
        await store.journal.run(approve(stored, "pe_a"))
        late = await refused(store, deny(stored))
        assert late.code is Code.ALREADY_DECIDED
        assert "pe_a" in late.message
        assert "UTC" in late.message

    durable.run(run())


@pytest.mark.promise("APR-1")
def test_the_owner_the_author_of_the_rule_and_an_admin_may_not_decide(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        made = await published(store, owner="PE_A@shop.example".lower(), by="pe_b")
        rules = (rule_digests(made.actions)["rule:big"],)
        stored = await store.journal.run(ask(thread, rules=rules, owners=frozenset()))
        for name in ("pe_a", "pe_b", "pe_c", "pe_admin"):
            for command in (approve(stored, name), deny(stored, name)):
                assert (await refused(store, command)).code is Code.NOT_ALLOWED
        assert [kind for kind in await kinds(store) if kind.startswith("action.")] == ["action.decided"]

    durable.run(run())


def test_a_disabled_person_and_a_wrong_token_decide_nothing(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store)))

        def disable(tx: Any) -> None:
            person = tx.persons.get(PersonId("pe_a"))
            tx.persons.swap(person, msgspec.structs.replace(person, disabled_at=tx.now_ms))

        await store.journal.run(disable)
        assert (await refused(store, approve(stored, "pe_a"))).code is Code.NOT_ALLOWED
        wrong = Deny(ids=IDS, action=stored.progress.action, token=token("pe_b")[1][:-1] + "x")
        assert (await refused(store, wrong)).code is Code.TOKEN_INVALID

    durable.run(run())


def test_an_edit_is_a_new_revision_that_needs_its_own_approvals(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store), route=TWO))
        await store.journal.run(approve(stored, "pe_a"))
        again = await store.journal.run(edited(stored))
        assert (again.progress.state, again.progress.revision, again.progress.approvals) == (State.HELD, 1, ())
        assert (await refused(store, approve(stored, "pe_b"))).code is Code.LOST_RACE
        stored = await store.journal.run(lambda tx: tx.actions.get(again.progress.action))
        assert stored.request.arguments["amount"] == 3_000
        await store.journal.run(approve(stored, "pe_b"))
        await store.journal.run(approve(stored, "pe_e"))
        done = await store.journal.run(claim(stored))
        assert done.progress.state is State.CLAIMED

    durable.run(run())


def test_an_edit_that_the_rules_deny_changes_nothing_and_reserves_nothing(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        cap = ("refund-day", "2026-11-21", 4_000, 100_000)
        stored = await store.journal.run(ask(await begin(store), reserve=(cap,)))
        assert (await refused(store, edited(stored, Verdict.DENY))).code is Code.NOT_ALLOWED
        assert await store.journal.run(lambda tx: tx.actions.get(stored.progress.action)) == stored
        assert await store.journal.run(lambda tx: tx.limits.used("refund-day", "2026-11-21")) == 4_000
        await store.journal.run(edited(stored))
        assert await store.journal.run(lambda tx: tx.limits.used("refund-day", "2026-11-21")) == 0

    durable.run(run())


def test_a_case_is_handed_on_to_a_route_that_may_decide_it(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await published(store)
        stored = await store.journal.run(ask(await begin(store)))

        def hand_on(route: str) -> HandOn:
            return HandOn(ids=IDS, action=stored.progress.action, route=route, token=token("pe_a")[1])

        assert (await refused(store, hand_on("nobody"))).code is Code.NOT_FOUND
        moved = await store.journal.run(hand_on("senior"))
        assert moved.progress.route == "senior"
        assert (await refused(store, approve(stored, "pe_a"))).code is Code.NOT_ALLOWED
        assert (await store.journal.run(approve(stored, "pe_c"))).progress.state is State.APPROVED

    durable.run(run())


def test_an_agent_cancels_what_waits_and_not_what_runs(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        cap = ("refund-day", "2026-11-21", 4_000, 100_000)
        waits = await store.journal.run(ask(thread, reserve=(cap,)))
        done = await store.journal.run(Cancel(ids=IDS, action=waits.progress.action, key="k1"))
        assert done.progress.state is State.CANCELLED
        assert await store.journal.run(lambda tx: tx.limits.used("refund-day", "2026-11-21")) == 0
        runs = await store.journal.run(ask(thread, Verdict.ALLOW))
        late = await refused(store, Cancel(ids=IDS, action=runs.progress.action, key="k1"))
        assert late.code is Code.ALREADY_DECIDED

    durable.run(run())


def test_a_person_settles_what_nobody_could_tell(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        stored = await store.journal.run(ask(thread, Verdict.ALLOW))
        settle = Settle(ids=IDS, action=stored.progress.action, done=True, token=token("pe_a")[1])
        assert (await refused(store, settle)).code is Code.ALREADY_DECIDED
        await store.journal.run(finish(stored, state=State.UNKNOWN))
        assert (await store.journal.run(settle)).progress.state is State.DONE
        assert "action.settled" in await kinds(store)

    durable.run(run())


@pytest.mark.promise("CIN-20")
def test_a_stop_that_is_sent_twice_is_one_and_one_lift_ends_it(durable: Rig) -> None:
    """Else who pressed twice keeps stopped what another lifts once."""

    async def run() -> None:
        store = await durable.open()
        stored = await store.journal.run(ask(await begin(store)))
        first, revoked = await store.journal.run(pull(by="pe_c"))
        again, more = await store.journal.run(pull(by="pe_c"))
        assert (again, revoked, more) == (first, 1, 0)
        other, _ = await store.journal.run(pull(by="pe_b"))
        assert other.id != first.id, "another person's stop is another's to lift"
        assert [kind for kind in await kinds(store) if kind == "stop.set"] == ["stop.set"] * 2
        await store.journal.run(LiftStop(ids=IDS, stop=first.id, token=token("pe_d")[1]))
        assert [stop.id for stop in await store.acts.stops()] == [other.id]
        assert (await store.acts.get(stored.request.id)).progress.state is State.REVOKED

    durable.run(run())


@pytest.mark.promise("ACT-2")
def test_a_stop_ends_what_waits_and_is_approved_and_another_person_lifts_it(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        cap = ("refund-day", "2026-11-21", 1_000, 100_000)
        held = await store.journal.run(ask(thread, reserve=(cap,)))
        approved = await store.journal.run(ask(thread, reserve=(cap,)))
        await store.journal.run(approve(approved))
        other = await store.journal.run(ask(thread, request=request(thread, tool="shop.note")))
        stop, revoked = await store.journal.run(pull(by="pe_c"))
        assert revoked == 2
        for stored in (held, approved):
            after = await store.journal.run(lambda tx, one=stored: tx.actions.get(one.progress.action))
            assert after.progress.state is State.REVOKED
        assert (await store.journal.run(approve(other))).progress.state is State.APPROVED
        assert await store.journal.run(lambda tx: tx.limits.used("refund-day", "2026-11-21")) == 0
        for name in ("pe_c", "pe_a"):
            lift = LiftStop(ids=IDS, stop=stop.id, token=token(name)[1])
            assert (await refused(store, lift)).code is Code.NOT_ALLOWED
        assert len(await store.journal.run(lambda tx: tx.stops.all())) == 1
        await store.journal.run(LiftStop(ids=IDS, stop=stop.id, token=token("pe_d")[1]))
        assert await store.journal.run(lambda tx: tx.stops.all()) == []

    durable.run(run())


def test_a_stop_over_many_ends_the_rest_in_steps_and_none_is_claimed_in_between(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        thread = await begin(store)
        many = [await store.journal.run(ask(thread)) for _ in range(FIRST + AT_ONCE + 20)]
        await store.journal.run(approve(many[-1]))
        _, revoked = await store.journal.run(pull(StopScope.ALL, ""))
        assert revoked == FIRST
        assert (await store.journal.run(claim(many[-1]))).progress.state is State.REVOKED
        ended, after = await store.journal.run(RevokeStopped(ids=IDS))
        assert (ended, after in {one.progress.action for one in many}) == (AT_ONCE, True)
        assert await store.journal.run(RevokeStopped(ids=IDS, after=after)) == (19, None)
        assert await revoke_stopped(store.journal, IDS) == 0

    durable.run(run())


def test_a_stop_needs_a_reason_and_a_scope_with_its_value(durable: Rig) -> None:
    async def run() -> None:
        store = await durable.open()
        await begin(store)
        for wrong in (pull(value=""), pull(StopScope.ALL, "x"), without_reason(pull())):
            assert (await refused(store, wrong)).code is Code.REQUEST_INVALID

    def without_reason(stop: PullStop) -> PullStop:
        return PullStop(ids=IDS, scope=stop.scope, value=stop.value, reason=" ", token=stop.token)

    durable.run(run())


@pytest.mark.promise("APR-3")
def test_two_processes_that_decide_at_once_give_one_decision_and_the_other_learns_whose_it_is(durable: Rig) -> None:
    async def run() -> None:
        store, other = await durable.open(), await durable.open()
        thread = await begin(store)
        for _ in range(6):
            stored = await store.journal.run(ask(thread))
            found = await asyncio.gather(
                settled(store.journal, approve(stored, "pe_a")), settled(other.journal, deny(stored, "pe_b")),
                return_exceptions=True,
            )  # fmt: skip
            (late,) = [one for one in found if isinstance(one, HandrailError)]
            (done,) = [one for one in found if not isinstance(one, BaseException)]
            assert late.code is Code.ALREADY_DECIDED
            assert done.progress.settled_by in late.message

    durable.run(run())
