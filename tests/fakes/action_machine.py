"""Any order of events, jumping clocks, crashes and processes, against rules that are written here once more."""

from collections import Counter
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes.acting import Died
from fakes.action_staff import STAFF, TOKENS
from fakes.known_action import STAYS, Known
from fakes.register import HandClock
from fakes.storage import IDS, ORDERS
from handrail.approvals.desk import Ask, Claim, Finish, Renew, Ruled, Standing, Sweep, TakeOver
from handrail.approvals.facts import ActionFacts
from handrail.approvals.halt import LiftStop, PullStop, RevokeStopped
from handrail.approvals.lifecycle import State
from handrail.approvals.settle import Approve, Cancel, Deny, Edit, Settle
from handrail.approvals.stop import Stop, StopScope
from handrail.guard.execute import Executor
from handrail.people.role import Role
from handrail.policy.action import ActionDecision
from handrail.policy.action_rules import Route, Step
from handrail.terms.action import Action, ActionId, Door, ToolId
from handrail.terms.decision import Verdict
from handrail.terms.errors import HandrailError
from handrail.terms.ids import Digest, PersonId

CAP, LEASE_MS = 100, 300
TOOLS = ("shop.refund", "shop.note")
OWNERS = ("p1", "p2")
people = st.sampled_from(sorted(STAFF))
owners, pick = st.sampled_from(OWNERS), st.integers(0, 2)
dies, seldom = st.sampled_from([False] * 5 + [True]), st.sampled_from([False, False, False, True])


class Desk(RuleBasedStateMachine):
    """`now` may also go back: a database that was moved to another machine."""

    make: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.store = self.make()
        self.store.forget()
        self.now = 1_000_000
        self.known: list[Known] = []
        self.stops: dict[str, tuple[str, str, str]] = {}  # id: scope, value, by
        self.effects = Counter[tuple[str, str]]()  # key, arguments
        self.calls = Counter[str]()
        self.keys = Executor(
            journal=None, targets=None, registry=None, clock=HandClock(), ids=IDS, secret=bytes(32), owner="p"
        ).key_of  # type: ignore[arg-type]  only its keys are asked for

    @initialize(honours=st.booleans(), needs=st.integers(1, 2), amounts=st.lists(st.integers(5, 40), max_size=2))
    def begin(self, honours: bool, needs: int, amounts: list[int]) -> None:
        self.honours = honours
        for at, amount in enumerate(amounts):
            self.ask(Verdict.HOLD, needs, "pe_e", amount, 400 * at, TOOLS[at], at == 1, "p1", False)

    # one command: it does what these rules say, and writes one entry for each move

    def does(self, command: Any, may: bool, *, moves: int = 1, dies: bool = False) -> Any:
        """What it returned; None when it was refused or died, and then nothing has changed."""
        before = self.store.entries()
        try:
            result = self.store.do(command, self.now, dies=dies)
        except Died:
            assert may, f"{command} should have been refused"
            assert self.store.entries() == before
            return None
        except HandrailError as error:
            refused = f"{error.code} {error.message}"
        else:
            refused = ""
        assert may == (not refused), f"{command}: {refused or 'should have been refused'}"
        if refused:
            assert self.store.entries() == before
            return None
        assert self.store.entries() == before + moves, command
        return result

    def used(self) -> int:
        return sum(one.amount for one in self.known if one.state in STAYS)

    def one(self, at: int) -> Known:
        return self.known[at % len(self.known)]

    def stopped(self, one: Known) -> bool:
        return any(scope == "all" or value == one.tool for scope, value, _ in self.stops.values())

    @rule(by=st.one_of(st.integers(0, 600), st.integers(-2_000, 4_000)))
    def time_passes(self, by: int) -> None:
        self.now += by

    @precondition(lambda self: len(self.known) < 3)
    @rule(
        verdict=st.sampled_from([Verdict.HOLD, Verdict.HOLD, Verdict.ALLOW, Verdict.DENY]), needs=st.integers(1, 2),
        excluded=st.sampled_from(sorted(STAFF)), amount=st.integers(5, 60), cool_off=st.sampled_from([0, 0, 400]),
        tool=st.sampled_from(TOOLS), by_mail=st.booleans(), owner=owners, dies=dies,
    )  # fmt: skip
    def ask(
        self, verdict: Verdict, needs: int, excluded: str, amount: int, cool_off: int, tool: str, by_mail: bool,
        owner: str, dies: bool,
    ) -> None:  # fmt: skip
        request = Action(
            id=ActionId(IDS.new("ac")), use_case=ORDERS, tool=ToolId(tool), salt=bytes(16), door=Door.HTTP,
            key="k1", arguments={"order": "A-1", "amount": amount},
        )  # fmt: skip
        command = Ask(
            ids=IDS, request=request, subject=self.store.subject(), business=IDS.token(32), same_since_ms=0,
            ruleset=Digest("ab" * 32), owner=owner, lease_ms=LEASE_MS, cool_off_ms=cool_off,
            decide=self.decided(verdict, request, amount, needs, excluded, by_mail),
        )  # fmt: skip
        denied = verdict is Verdict.DENY
        may = denied or self.used() + amount <= CAP
        one = Known(
            request=request, tool=tool, needs=needs, excluded={excluded}, amount=amount, cool_off=cool_off,
            state="denied" if denied else "held" if verdict is Verdict.HOLD else "approved",
            decide_by=self.now + 5_000, step_at=self.now + 2_000, within=3_000 if verdict is Verdict.HOLD else 900_000,
        )  # fmt: skip
        if verdict is Verdict.ALLOW and by_mail:
            one.excluded = set()  # no owner is looked up for what no person decides
        at_once = verdict is Verdict.ALLOW and not cool_off
        stopped = self.stopped(one)
        stored = self.does(command, may, moves=1 + at_once, dies=dies)
        if stored is None:
            return
        self.known.append(one)
        if one.state == "approved":
            one.not_before = self.now + cool_off
            one.execute_by = one.not_before + one.within
        if at_once and stopped:
            one.state = "revoked"
        elif at_once:
            self.claimed_by(one, owner)

    def decided(self, verdict: Verdict, request: Action, amount: int, needs: int, excluded: str, by_mail: bool) -> Any:
        route = Route(
            id="leads", roles=("approver",), persons=needs, decide_within_s=5, execute_within_s=3,
            steps=(Step(after_s=2, roles=("compliance",)),),
        )  # fmt: skip

        def decide(_: Standing) -> Ruled:
            return Ruled(
                decision=ActionDecision(verdict=verdict), payload=b"{}",
                facts=ActionFacts(action=request.id, tool=request.tool), route=route,
                reserve=(("day", "2026-11-21", amount, CAP),),
                excluded=frozenset() if by_mail else frozenset({PersonId(excluded)}),
                owners=frozenset({f"{excluded}@shop.example"} if by_mail else ()),
            )  # fmt: skip

        return decide

    def may_decide(self, one: Known, person: str) -> bool:
        role = STAFF[person]
        asked = role is Role.APPROVER or (role is Role.COMPLIANCE and one.step > 0)
        return asked and person not in one.excluded

    def waits(self, one: Known) -> bool:
        return one.state == "held" and one.decide_by is not None and self.now < one.decide_by

    @precondition(lambda self: self.known)
    @rule(at=pick, person=people, old=st.sampled_from([False, False, False, True]), dies=dies)
    def approve(self, at: int, person: str, old: bool, dies: bool) -> None:
        self.approved(at, person, old, dies)

    def approved(self, at: int, person: str, old: bool, dies: bool) -> None:
        one = self.one(at)
        digest = Digest("cd" * 32) if old else one.digest
        command = Approve(ids=IDS, action=one.request.id, digest=Digest(digest), token=TOKENS[person][1])
        may = self.waits(one) and self.may_decide(one, person) and person not in one.approved_by and not old
        if self.does(command, may, dies=dies) is None:
            return
        one.approved_by[person] = one.digest
        if len(one.approved_by) == one.needs:
            one.state = "approved"
            one.not_before = self.now + one.cool_off
            one.execute_by = one.not_before + one.within

    @precondition(lambda self: any(self.waits(one) for one in self.known))
    @rule(at=pick, amount=st.integers(5, 40), needs=st.integers(1, 2))
    def edit_as_may_be(self, at: int, amount: int, needs: int) -> None:
        waiting = [one for one in self.known if self.waits(one)]
        one = waiting[at % len(waiting)]
        for person in [name for name in STAFF if self.may_decide(one, name)][:1]:
            self.edit(self.known.index(one), person, amount, False, needs, False, False)

    @precondition(lambda self: any(one.approved_by for one in self.known))
    @rule(at=pick)
    def approve_again(self, at: int) -> None:
        given = [one for one in self.known if one.approved_by]
        one = given[at % len(given)]
        self.approved(self.known.index(one), sorted(one.approved_by)[0], False, False)

    @precondition(lambda self: self.known)
    @rule(at=pick, owner=owners, steps=st.integers(1, 4))
    def go_on(self, at: int, owner: str, steps: int) -> None:
        """As it should: by who may, in time."""
        for _ in range(steps):
            self.next_of(self.one(at), owner)

    def next_of(self, one: Known, owner: str) -> None:
        if self.waits(one):
            may = [name for name in STAFF if self.may_decide(one, name) and name not in one.approved_by]
            if may:
                self.approved(self.known.index(one), may[0], False, False)
        elif one.state == "approved":
            self.now = max(self.now, one.not_before)
            self.claimed(self.known.index(one), owner, False, False)
        elif one.state == "claimed" and self.now < one.lease_until:
            self.now = one.lease_until
        elif one.state == "claimed":
            self.finish(self.known.index(one), one.owner, State.UNKNOWN, False)

    @precondition(lambda self: any(one.state in ("held", "unknown") for one in self.known))
    @rule(at=pick, what=st.integers(0, 3))
    def an_excluded_person_tries(self, at: int, what: int) -> None:
        waiting = [one for one in self.known if one.state in ("held", "unknown")]
        one = waiting[at % len(waiting)]
        for person in sorted(one.excluded & {"pe_a", "pe_b", "pe_e"}):
            place = self.known.index(one)
            if what == 0:
                self.approved(place, person, False, False)
            elif what == 1:
                self.deny(place, person, False)
            elif what == 2:
                self.edit(place, person, 5, False, 1, False, False)
            else:
                self.settle(place, person, True, False)

    @precondition(lambda self: any(one.state in ("held", "approved") for one in self.known))
    @rule(at=pick, by=st.sampled_from([-1, 0, 1]), early=st.booleans(), state=st.sampled_from(["held", "approved"]))
    def at_the_edge(self, at: int, by: int, early: bool, state: str) -> None:
        """As it should, but in the last millisecond, or the first after it, or around the end of a cool-off."""
        found = [one for one in self.known if one.state == state]
        one = found[at % len(found)] if found else self.one(at)
        may = [name for name in STAFF if self.may_decide(one, name) and name not in one.approved_by]
        if one.state == "held" and may:
            self.now = (one.decide_by or 0) + by
            self.approved(self.known.index(one), may[0], False, False)
        elif one.state == "approved":
            self.now = (one.not_before if early else one.execute_by or 0) + by
            self.claimed(self.known.index(one), "p1", False, False)

    @precondition(lambda self: self.known)
    @rule(at=pick, person=people, dies=dies)
    def deny(self, at: int, person: str, dies: bool) -> None:
        one = self.one(at)
        command = Deny(ids=IDS, action=one.request.id, token=TOKENS[person][1])
        if self.does(command, self.waits(one) and self.may_decide(one, person), dies=dies) is not None:
            one.state = "denied"

    @precondition(lambda self: self.known)
    @rule(
        at=pick, person=people, amount=st.integers(5, 60), denied=st.sampled_from([False, False, True]),
        needs=st.integers(1, 2), old=st.sampled_from([False, False, True]), dies=dies,
    )  # fmt: skip
    def edit(self, at: int, person: str, amount: int, denied: bool, needs: int, old: bool, dies: bool) -> None:
        one = self.one(at)
        request = msgspec.structs.replace(
            one.request, arguments={"order": "A-1", "amount": amount}, revision=one.revision + 1
        )
        decide = self.decided(Verdict.DENY if denied else Verdict.HOLD, request, amount, needs, "pe_x", False)
        before = Digest("cd" * 32) if old else Digest(one.digest)
        command = Edit(ids=IDS, request=request, before=before, decide=decide, token=TOKENS[person][1])
        room = self.used() - one.amount + amount <= CAP
        may = self.waits(one) and self.may_decide(one, person) and not denied and not old and room
        if self.does(command, may, dies=dies) is None:
            return
        one.request, one.revision, one.amount, one.approved_by = request, one.revision + 1, amount, {}
        one.needs, one.excluded = max(one.needs, needs), one.excluded | {"pe_x", person}  # who edits asks

    @precondition(lambda self: self.known)
    @rule(at=pick, dies=dies)
    def cancel(self, at: int, dies: bool) -> None:
        one = self.one(at)
        command = Cancel(ids=IDS, action=one.request.id, key="k1")
        if self.does(command, one.state in ("held", "approved"), dies=dies) is not None:
            one.state = "cancelled"

    @precondition(lambda self: self.known)
    @rule(at=pick, owner=owners, refused=st.sampled_from([False, False, False, True]), dies=dies)
    def claim(self, at: int, owner: str, refused: bool, dies: bool) -> None:
        """`refused`: what is in force now denies it."""
        self.claimed(at, owner, refused, dies)

    def claimed(self, at: int, owner: str, refused: bool, dies: bool) -> None:
        one = self.one(at)
        command = Claim(
            ids=IDS, action=one.request.id, owner=owner, lease_ms=LEASE_MS, refused=lambda stored, standing: refused
        )
        ends = self.stopped(one) or refused
        may = one.state in ("held", "approved") if ends else self.may_run(one)
        if self.does(command, may, dies=dies) is None:
            return
        if ends:
            one.state = "revoked"
        else:
            self.claimed_by(one, owner)

    def may_run(self, one: Known) -> bool:
        return one.state == "approved" and one.execute_by is not None and one.not_before <= self.now < one.execute_by

    def claimed_by(self, one: Known, owner: str) -> None:
        one.state, one.owner, one.lease_until = "claimed", owner, self.now + LEASE_MS
        one.claims += 1
        one.hands.add(owner)

    @precondition(lambda self: any(one.hands for one in self.known))
    @rule(at=pick)
    def call(self, at: int) -> None:
        """A process that holds a claim sends its call, once, whatever has become of the claim meanwhile."""
        waiting = [one for one in self.known if one.hands]
        one = waiting[at % len(waiting)]
        owner = sorted(one.hands)[0]
        one.hands.discard(owner)
        self.send(one, owner)

    def send(self, one: Known, owner: str) -> None:
        stored = self.store.do(lambda tx: tx.actions.get(one.request.id), self.now)
        key, amount = self.keys(stored.request), stored.request.arguments["amount"]
        self.calls[one.request.id] += 1
        if not (self.honours and any(known == key for known, _ in self.effects)):
            self.effects[key, f"{one.request.id} {amount}"] += 1

    @precondition(lambda self: self.known)
    @rule(owner=owners)
    def crash(self, owner: str) -> None:
        """What the process had in its hands is gone."""
        for one in self.known:
            one.hands.discard(owner)

    @precondition(lambda self: self.known)
    @rule(at=pick, owner=owners, dies=dies)
    def take_over(self, at: int, owner: str, dies: bool) -> None:
        one = self.one(at)
        command = TakeOver(ids=IDS, action=one.request.id, owner=owner, lease_ms=LEASE_MS)
        may = one.state == "claimed" and self.now >= one.lease_until
        if self.does(command, may, dies=dies) is None:
            return
        one.owner, one.lease_until = owner, self.now + LEASE_MS
        if self.honours:
            self.send(one, owner)

    @precondition(lambda self: self.known)
    @rule(at=pick, owner=owners, dies=dies)
    def renew(self, at: int, owner: str, dies: bool) -> None:
        one = self.one(at)
        command = Renew(action=one.request.id, owner=owner, lease_ms=LEASE_MS)
        before = self.store.entries()
        may = one.state == "claimed" and one.owner == owner
        try:
            self.store.do(command, self.now, dies=dies)
        except Died:
            assert may
            return
        except HandrailError:
            assert not may
            return
        assert may
        assert self.store.entries() == before
        one.lease_until = self.now + LEASE_MS

    @precondition(lambda self: self.known)
    @rule(
        at=pick, owner=owners, state=st.sampled_from([State.DONE, State.FAILED, State.UNKNOWN]), dies=dies
    )  # fmt: skip
    def finish(self, at: int, owner: str, state: State, dies: bool) -> None:
        one = self.one(at)
        command = Finish(
            ids=IDS, action=one.request.id, owner=owner, state=state, result=b"{}", receipt=b"{}",
            facts=ActionFacts(action=one.request.id),
        )  # fmt: skip
        if self.does(command, one.state == "claimed" and one.owner == owner, dies=dies) is not None:
            one.state, one.owner, one.lease_until = state.value, "", 0

    @precondition(lambda self: self.known)
    @rule(at=pick, person=people, done=st.booleans(), dies=dies)
    def settle(self, at: int, person: str, done: bool, dies: bool) -> None:
        one = self.one(at)
        command = Settle(ids=IDS, action=one.request.id, done=done, token=TOKENS[person][1])
        may = one.state == "unknown" and self.may_decide(one, person)
        if self.does(command, may, dies=dies) is not None:
            one.state = "done" if done else "failed"

    @precondition(lambda self: self.known)
    @rule(dies=dies)
    def sweep(self, dies: bool) -> None:
        changed, waiting, moves = [], set(), 0
        for one in self.known:
            if one.state == "held" and self.now >= (one.decide_by or 0):
                changed.append((one, "expired"))
            elif one.state == "held" and one.step_at is not None and self.now >= one.step_at:
                changed.append((one, "held"))
            elif one.state == "approved" and self.now >= (one.execute_by or 0):
                changed.append((one, "lapsed"))
            elif (one.state == "approved" and self.now >= one.not_before) or (
                one.state == "claimed" and self.now >= one.lease_until
            ):
                waiting.add(one.request.id)
        moves = len(changed)
        swept = self.does(Sweep(ids=IDS), True, moves=moves, dies=dies)
        if swept is None:
            return
        assert {progress.action for progress in swept[0]} == waiting
        assert {(stored.progress.action, stored.progress.state.value) for stored in swept[1]} == {
            (one.request.id, state) for one, state in changed
        }
        for one, state in changed:
            if state == "held":
                one.step, one.step_at = one.step + 1, None
            one.state = state

    @precondition(lambda self: self.known and len(self.stops) < 2)
    @rule(person=people, tool=st.sampled_from([*TOOLS, ""]), dies=dies, seldom=seldom)
    def stop(self, person: str, tool: str, dies: bool, seldom: bool) -> None:
        if not seldom:
            return
        scope = StopScope.TOOL if tool else StopScope.ALL
        again = (scope.value, tool, person) in self.stops.values()  # the same words twice make one stop
        ends = [one for one in self.known if not again and one.state in ("held", "approved") and tool in ("", one.tool)]
        command = PullStop(ids=IDS, scope=scope, value=tool, reason="odd", token=TOKENS[person][1])
        done = self.does(command, True, moves=0 if again else 1 + len(ends), dies=dies)
        if done is None:
            return
        assert done[1] == len(ends)
        self.stops[done[0].id] = (scope.value, tool, person)
        for one in ends:
            one.state = "revoked"

    @precondition(lambda self: self.known and len(self.stops) < 2)
    @rule(at=pick, tool=st.sampled_from([*TOOLS, ""]), owner=owners)
    def stop_before_all_that_waits_was_ended(self, at: int, tool: str, owner: str) -> None:
        """As with thousands waiting: the stop is in force, this one still waits, and a process claims it."""
        scope = StopScope.TOOL if tool else StopScope.ALL
        name = IDS.new("st")
        stop = Stop(id=name, scope=scope, value=tool, by=PersonId("pe_c"), reason="odd", at_ms=self.now)
        self.store.do(lambda tx: tx.stops.add(stop), self.now)
        self.stops[name] = (scope.value, tool, "pe_c")
        self.claimed(at % len(self.known), owner, False, False)

    @precondition(lambda self: self.stops)
    @rule(person=people, own=st.booleans(), dies=dies)
    def resume(self, person: str, own: bool, dies: bool) -> None:
        name = next(iter(self.stops))  # the oldest; ids are not the same in every run
        person = self.stops[name][2] if own else person
        may = STAFF[person] is Role.COMPLIANCE and self.stops[name][2] != person
        if self.does(LiftStop(ids=IDS, stop=name, token=TOKENS[person][1]), may, dies=dies) is not None:
            del self.stops[name]

    @precondition(lambda self: self.stops)
    @rule(dies=dies)
    def revoke_stopped(self, dies: bool) -> None:
        ends = [one for one in self.known if one.state in ("held", "approved") and self.stopped(one)]
        if self.does(RevokeStopped(ids=IDS), True, moves=len(ends), dies=dies) is not None:
            for one in ends:
                one.state = "revoked"

    # what holds at any time

    @invariant()
    def as_these_rules_say(self) -> None:
        for one in self.known:
            progress = self.store.do(lambda tx, one=one: tx.actions.get(one.request.id), self.now).progress
            assert progress.state.value == one.state
            assert progress.digest == one.digest
            assert {given.person: given.digest for given in progress.approvals} == one.approved_by
            assert (progress.revision, progress.step) == (one.revision, one.step)
            if one.state == "claimed":
                assert (progress.lease_owner, progress.lease_until) == (one.owner, one.lease_until)

    @invariant()
    def never_over_the_limit_and_nothing_lost(self) -> None:
        used = self.store.do(lambda tx: tx.limits.used("day", "2026-11-21"), self.now)
        assert used == self.used()
        assert used <= CAP

    @invariant()
    def one_effect_at_most(self) -> None:
        per_action = Counter[str]()
        for (_, what), count in self.effects.items():
            per_action[what.split()[0]] += count
        for one in self.known:
            action = one.request.id
            assert one.claims <= 1
            assert per_action[action] <= 1
            assert self.honours or self.calls[action] <= 1
            if per_action[action]:
                assert one.state in ("claimed", "done", "failed", "unknown")
                assert (self.keys(one.request), f"{action} {one.request.arguments['amount']}") in self.effects
            if one.claims and one.decide_by and one.approved_by:
                assert len(one.approved_by) >= one.needs
                assert not one.excluded & set(one.approved_by)

    @invariant()
    def every_revision_has_a_key_of_its_own(self) -> None:
        for one in self.known:
            keys = {self.keys(msgspec.structs.replace(one.request, revision=at)) for at in range(one.revision + 1)}
            assert len(keys) == one.revision + 1
