"""Any order of decisions, permits, redeems, reports, ends and clocks: at most one redeem of an action, never after a
denial, a stop, an expiry, and never with another digest, key or audience."""

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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

    @initialize(held=st.booleans())
    def begin(self, held: bool) -> None:
        self.now = 1_000
        self.redeemed: list[Permit] = []
        self.given: list[Permit] = []
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

    @rule(by=st.sampled_from([0, 1, 1, 2, 2, 500, 2_000, 30_000]))
    def time_passes(self, by: int) -> None:
        self.now += by

    @rule()
    def approve(self) -> None:
        self.move(lifecycle.approve, PersonId("pe_1"), self.progress.digest, now=self.now)

    @rule(call=st.sampled_from(CALLS))
    def edit(self, call) -> None:
        edited = msgspec.structs.replace(self.request, arguments=call, revision=self.request.revision + 1)
        if self.move(lifecycle.edit, digest_of(edited), now=self.now):
            self.request = edited

    @rule(
        end=st.sampled_from([lifecycle.revoke, lifecycle.cancel, lifecycle.expire, lifecycle.deny]),
        seldom=st.integers(0, 5),
    )
    def end(self, end, seldom: int) -> None:
        if seldom:
            return
        if end in (lifecycle.revoke, lifecycle.cancel):
            self.move(end)
        elif end is lifecycle.expire:
            self.move(end, now=self.now)
        else:
            self.move(end, PersonId("pe_1"), now=self.now)

    @rule(key=st.sampled_from(KEYS), audience=st.sampled_from(AUDIENCES), life=st.sampled_from([1, 2, 500, 30_000]))
    def issue(self, key: str, audience: str, life: int) -> None:
        until = min(self.now + life, self.progress.execute_by or self.now + life)
        issued = Issued(id=f"pm_{len(self.given)}", key=key, audience=audience, at=self.now, until=until)
        if until > self.now and self.move(permit.issue, issued, now=self.now):
            self.given.append(permit.permit_of(issued, self.progress, self.request))

    @precondition(lambda self: self.given)
    @rule(back=st.sampled_from([0, 0, 1]), other=st.sampled_from(["", "key", "audience", "arguments", "claims"]))
    def redeem(self, back: int, other: str) -> None:
        """As it was given, or with one thing that is not."""
        before, shown = self.progress, self.given[-1 - min(back, len(self.given) - 1)]
        key = KEYS[1 - KEYS.index(shown.key)] if other == "key" else shown.key
        audience = AUDIENCES[1 - AUDIENCES.index(shown.aud)] if other == "audience" else shown.aud
        call = CALLS[1 - CALLS.index(self.request.arguments)] if other == "arguments" else self.request.arguments
        if other == "claims":
            shown = msgspec.structs.replace(shown, exp=shown.exp + 1)
        if self.move(permit.redeem, self.request, shown, key=key, audience=audience, arguments=call, now=self.now):
            self.redeemed.append(shown)
            assert before.state is State.APPROVED
            assert other == ""
            assert before.permit is not None
            assert before.permit.id == shown.jti
            assert (key, audience) == (before.permit.key, before.permit.audience)
            assert before.permit.at <= self.now < before.permit.until <= before.permit.at + 30_000
            assert before.not_before <= self.now
            assert before.execute_by is not None
            assert self.now < before.execute_by
            assert shown.dig == before.digest == digest_of(self.request)

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


Life.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestLife = pytest.mark.promise("PRM-1", "PRM-3")(Life.TestCase)
