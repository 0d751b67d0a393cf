"""Any order of events, clocks and processes: at most one claim of an action, never after its end, never with other
arguments, never approved by an excluded person."""

import os

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from handrail.approvals import lifecycle
from handrail.approvals.lifecycle import ENDED, Otherwise, Progress, State
from handrail.terms.action import ActionId
from handrail.terms.errors import HandrailError
from handrail.terms.ids import Digest, PersonId

PERSONS = [PersonId(f"pe_{at}") for at in range(4)]
DIGESTS = [Digest(str(at) * 64) for at in range(3)]
OWNERS = ["a", "b"]
SEEN = st.sampled_from([None, None, None, None, *DIGESTS])
"""What somebody saw: None stands for the action as it is, so that most lives come to a claim."""
SELDOM = st.integers(0, 11).map(lambda drawn: drawn == 7)
"""For what ends a life at once."""


class Life(RuleBasedStateMachine):
    """One action, moved by anyone at any time. `shown`: what each approval was given for."""

    @initialize(needs=st.integers(1, 2), excluded=st.sampled_from(PERSONS), drill=SELDOM)
    def begin(self, needs: int, excluded: PersonId, drill: bool) -> None:
        self.now = 1_000
        self.excluded = excluded
        self.claims = 0
        self.ended_before = False
        self.progress: Progress = lifecycle.held(
            ActionId("ac_1"), DIGESTS[0], now=self.now, needs=needs, route="leads", decide_by=9_000,
            otherwise=Otherwise.DENY, excluded=frozenset({excluded}), escalate_at=2_000, execute_within_ms=5_000,
            cool_off_ms=500, drill=drill,
        )  # fmt: skip

    def move(self, move, *args, **options) -> bool:
        """False: it was refused, and nothing has changed."""
        before = self.progress
        try:
            self.progress = move(before, *args, **options)
        except HandrailError:
            return False
        assert self.progress.version == before.version + 1
        assert before.state not in ENDED, f"{before.state} moved on to {self.progress.state}"
        return True

    @rule(by=st.one_of(st.integers(0, 600), st.integers(0, 2_500)))
    def time_passes(self, by: int) -> None:
        self.now += by

    @rule(person=st.sampled_from(PERSONS), seen=SEEN)
    def approve(self, person: PersonId, seen: Digest | None) -> None:
        bound = self.progress.digest
        digest = seen or bound
        alone = lifecycle.only(self.progress, self.now)
        if self.move(lifecycle.approve, person, digest, now=self.now):
            assert alone in ("", person)
            assert person != self.excluded
            assert digest == bound

    @rule(person=st.sampled_from(PERSONS), seldom=SELDOM)
    def deny(self, person: PersonId, seldom: bool) -> None:
        if seldom:
            self.move(lifecycle.deny, person, now=self.now)

    @rule(digest=st.sampled_from(DIGESTS), seldom=SELDOM)
    def edit(self, digest: Digest, seldom: bool) -> None:
        if seldom and self.move(lifecycle.edit, digest, now=self.now):
            assert self.progress.approvals == ()

    @rule()
    def escalate(self) -> None:
        self.move(lifecycle.escalate, now=self.now, next_at=None)

    @rule(needs=st.integers(1, 2), seldom=SELDOM)
    def hand_on(self, needs: int, seldom: bool) -> None:
        if seldom:
            self.move(lifecycle.hand_on, "others", now=self.now, needs=needs)

    @rule(person=st.sampled_from(PERSONS), within_ms=st.sampled_from([0, 5_000]), seldom=SELDOM)
    def hand_to(self, person: PersonId, within_ms: int, seldom: bool) -> None:
        given = {one.person for one in self.progress.approvals}
        if seldom and self.move(lifecycle.hand_to, person, now=self.now, within_ms=within_ms):
            assert person != self.excluded
            assert person not in given
            assert lifecycle.only(self.progress, self.now) == (person if within_ms else "")

    @rule()
    def expire(self) -> None:
        self.move(lifecycle.expire, now=self.now)

    @rule(seldom=SELDOM)
    def revoke(self, seldom: bool) -> None:
        if seldom:
            self.move(lifecycle.revoke)

    @rule(seldom=SELDOM)
    def cancel(self, seldom: bool) -> None:
        if seldom:
            self.move(lifecycle.cancel)

    @rule(owner=st.sampled_from(OWNERS), seen=SEEN)
    def claim(self, owner: str, seen: Digest | None) -> None:
        before = self.progress
        digest = seen or before.digest
        if self.move(lifecycle.claim, owner, digest, now=self.now, lease_ms=300):
            self.claims += 1
            assert before.state is State.APPROVED
            assert digest == before.digest
            assert not before.drill
            assert before.execute_by is not None
            assert before.not_before <= self.now < before.execute_by
            people = {given.person for given in before.approvals}
            assert len(people) == len(before.approvals) >= before.needs
            assert self.excluded not in people
            assert all(given.digest == digest for given in before.approvals)

    @rule(owner=st.sampled_from(OWNERS))
    def as_it_should_be(self, owner: str) -> None:
        """The usual way to a claim; then anything may happen to it."""
        for person in PERSONS:
            if self.progress.state is State.HELD and person != self.excluded:
                self.approve(person, None)
        self.time_passes(500)
        self.claim(owner, None)

    @rule(owner=st.sampled_from(OWNERS))
    def take_over(self, owner: str) -> None:
        before = self.progress
        if self.move(lifecycle.take_over, owner, now=self.now, lease_ms=300):
            assert before.lease_until <= self.now

    @rule(owner=st.sampled_from(OWNERS))
    def renew(self, owner: str) -> None:
        if self.move(lifecycle.renew, owner, now=self.now, lease_ms=300):
            assert self.progress.lease_owner == owner

    @rule(owner=st.sampled_from(OWNERS), state=st.sampled_from([State.DONE, State.FAILED, State.UNKNOWN]))
    def finish(self, owner: str, state: State) -> None:
        before = self.progress
        if self.move(lifecycle.finish, owner, state):
            assert before.lease_owner == owner

    @rule(state=st.sampled_from([State.DONE, State.FAILED]))
    def settle(self, state: State) -> None:
        before = self.progress
        if self.move(lifecycle.settle, state, PersonId("pe_s"), now=self.now):
            assert before.state is State.UNKNOWN

    @invariant()
    def one_claim(self) -> None:
        assert getattr(self, "claims", 0) <= 1


PHASES = tuple(Phase) if "HANDRAIL_FAULT" not in os.environ else (Phase.generate,)
Life.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None, phases=PHASES)
TestLife = pytest.mark.promise("ACT-1", "ACT-2", "ACT-3")(Life.TestCase)
