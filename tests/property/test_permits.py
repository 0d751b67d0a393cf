"""Any order of decisions, permits, redeems, reports, ends and clocks: at most one redeem of an action, never after a
denial, a stop, an expiry, and never with another digest, key or audience."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from handrail.approvals import lifecycle, permit
from handrail.approvals.lifecycle import ENDED, Issued, Otherwise, Progress, State
from handrail.approvals.permit import Permit
from handrail.terms.action import Action, ActionId, Door, ToolId, digest_of
from handrail.terms.errors import HandrailError
from handrail.terms.ids import PersonId, UseCaseId

KEYS, AUDIENCES = ["k1", "k2"], ["till", "shop"]
CALLS = [{"order": "A-1"}, {"order": "A-2"}]
REPORT_MS = 2_000


class Life(RuleBasedStateMachine):
    """One action of a caller that executes itself. `redeemed`: what each redeem was for."""

    permits = Bundle("permits")

    @initialize(held=st.booleans())
    def begin(self, held: bool) -> None:
        self.now = 1_000
        self.count = 0
        self.redeemed: list[Permit] = []
        self.request = Action(
            id=ActionId("ac_1"), use_case=UseCaseId("orders"), tool=ToolId("till.note"), arguments=CALLS[0],
            salt=b"s" * 16, door=Door.PERMIT, key="k1",
        )  # fmt: skip
        digest = digest_of(self.request)
        if held:
            self.progress: Progress = lifecycle.held(
                self.request.id, digest, now=self.now, needs=1, route="leads", decide_by=20_000,
                otherwise=Otherwise.DENY, excluded=frozenset(), execute_within_ms=60_000, cool_off_ms=500,
                report_within_ms=REPORT_MS,
            )  # fmt: skip
        else:
            self.progress = lifecycle.allowed(
                self.request.id, digest, now=self.now, execute_within_ms=30_000, report_within_ms=REPORT_MS
            )

    def move(self, move, *args, **options) -> bool:
        before = self.progress
        try:
            self.progress = move(before, *args, **options)
        except HandrailError:
            return False
        assert self.progress.version == before.version + 1
        assert before.state not in ENDED, f"{before.state} moved on to {self.progress.state}"
        return True

    @rule(by=st.sampled_from([0, 1, 400, 1_999, 2_000, 15_000, 29_999, 30_000]))
    def time_passes(self, by: int) -> None:
        self.now += by

    @rule()
    def approve(self) -> None:
        self.move(lifecycle.approve, PersonId("pe_1"), self.progress.digest, now=self.now)

    @rule()
    def deny(self) -> None:
        self.move(lifecycle.deny, PersonId("pe_1"), now=self.now)

    @rule(call=st.sampled_from(CALLS))
    def edit(self, call) -> None:
        edited = Action(**{**{name: getattr(self.request, name) for name in self.request.__struct_fields__},
                           "arguments": call, "revision": self.request.revision + 1})  # fmt: skip
        if self.move(lifecycle.edit, digest_of(edited), now=self.now):
            self.request = edited

    @rule(end=st.sampled_from([lifecycle.revoke, lifecycle.cancel]))
    def end(self, end) -> None:
        self.move(end)

    @rule()
    def expire(self) -> None:
        self.move(lifecycle.expire, now=self.now)

    @rule(target=permits, key=st.sampled_from(KEYS), audience=st.sampled_from(AUDIENCES), life=st.integers(1, 30_000))
    def issue(self, key: str, audience: str, life: int):
        self.count += 1
        until = min(self.now + life, self.progress.execute_by or self.now + life)
        if until <= self.now:
            return multiple()
        issued = Issued(id=f"pm_{self.count}", key=key, audience=audience, at=self.now, until=until)
        if not self.move(permit.issue, issued, now=self.now):
            return multiple()
        return permit.permit_of(issued, self.progress, self.request)

    @rule(shown=permits, key=st.sampled_from(KEYS), audience=st.sampled_from(AUDIENCES), call=st.sampled_from(CALLS))
    def redeem(self, shown: Permit, key: str, audience: str, call) -> None:
        before = self.progress
        if self.move(permit.redeem, self.request, shown, key=key, audience=audience, arguments=call, now=self.now):
            self.redeemed.append(shown)
            assert before.state is State.APPROVED
            assert before.permit is not None
            assert before.permit.id == shown.jti
            assert (key, audience) == (shown.key, shown.aud) == (before.permit.key, before.permit.audience)
            assert before.permit.at <= self.now < before.permit.until <= before.permit.at + 30_000
            assert before.not_before <= self.now
            assert before.execute_by is not None
            assert self.now < before.execute_by
            assert call == self.request.arguments
            assert shown.dig == before.digest == digest_of(self.request)

    @rule(shown=permits)
    def redeem_as_given(self, shown: Permit) -> None:
        self.redeem(shown, shown.key, shown.aud, self.request.arguments)

    @rule()
    def others_claim(self) -> None:
        assert not self.move(lifecycle.claim, "p1", self.progress.digest, now=self.now, lease_ms=300)
        assert not self.move(lifecycle.take_over, "p1", now=self.now, lease_ms=300)

    @rule(state=st.sampled_from([State.DONE, State.FAILED]))
    def report(self, state: State) -> None:
        if self.move(permit.report, state, now=self.now):
            assert self.redeemed

    @rule()
    def overdue(self) -> None:
        before = self.progress
        if self.move(permit.overdue, now=self.now):
            assert self.now >= before.lease_until
            assert self.redeemed

    @rule(state=st.sampled_from([State.DONE, State.FAILED]))
    def settle(self, state: State) -> None:
        self.move(lifecycle.settle, state, PersonId("pe_2"), now=self.now)

    @invariant()
    def one_redeem(self) -> None:
        assert len(getattr(self, "redeemed", ())) <= 1


Life.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLife = pytest.mark.promise("PRM-1", "PRM-3")(Life.TestCase)
