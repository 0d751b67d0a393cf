"""The outbox in any order of claims, crashes, answers and hours: a notice arrives, or is recorded as given up; never
both untold and forgotten, never sent by two at once."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.approvals.notices import Notice, NoticeState, Posted
from handrail.approvals.outbox import ClaimNotices, NoticeMissed, NoticeSent
from handrail.backends.system import SystemIds
from handrail.ledger.entry import EntryKind
from handrail.terms.errors import Code, HandrailError

IDS = SystemIds()
LEASE_MS = 30_000
GIVE_UP_MS = 86_400_000
"""Of a home that says nothing."""


class Memory:
    """`approvals.notices.NoticeStore` and as much of a transaction as the outbox needs, under a clock set by hand."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.rows: dict[str, Posted] = {}
        self.kinds: list[EntryKind] = []
        self.notices = self.rulesets = self

    def current(self) -> None:
        return None

    def append(self, entry: Any) -> None:
        self.kinds.append(entry.kind)

    def add(self, notice: Notice) -> None:
        self.rows[notice.id] = Posted(notice=notice, due_at=notice.due_ms)

    def get(self, notice: str) -> Posted:
        return self.rows[notice]

    def swap(self, before: Posted, after: Posted) -> None:
        if self.rows[before.notice.id].version != before.version:
            raise HandrailError(Code.LOST_RACE, "moved")
        self.rows[before.notice.id] = after

    def _due(self) -> list[Posted]:
        return [one for one in self.rows.values() if one.due_at is not None and one.due_at <= self.now_ms]

    def due_receivers(self) -> list[str]:
        return sorted({one.notice.receiver for one in self._due()})

    def due(self, receiver: str, *, limit: int) -> list[Posted]:
        return [one for one in self._due() if one.notice.receiver == receiver][:limit]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "sent", "missed", "gone", "crash"]),
        st.sampled_from(["p1", "p2", "p3"]),
        st.integers(min_value=0, max_value=40_000),
    ),
    max_size=60,
)


@pytest.mark.promise("NOT-3")
@given(STEPS)
def test_in_any_order_a_notice_arrives_or_is_recorded_as_given_up(steps: list[tuple[str, str, int]]) -> None:
    tx = Memory()
    for at in range(3):
        tx.add(Notice(id=f"n{at}", receiver=f"r{at % 2}", event="action.held", about="ac_1", at_ms=0, due_ms=0))
    holding: dict[str, list[tuple[str, int]]] = {"p1": [], "p2": [], "p3": []}
    arrived: set[str] = set()
    refused: set[Code] = set()
    for step, who, later in steps:
        tx.now_ms += later
        if step == "claim":
            for one in ClaimNotices(owner=who, lease_ms=LEASE_MS, room=2, running={})(tx):  # type: ignore[arg-type]
                others = [
                    until for name, rows in holding.items() if name != who for n, until in rows if n == one.notice.id
                ]
                assert all(tx.now_ms >= until for until in others)
                holding[who] = [row for row in holding[who] if row[0] != one.notice.id]
                holding[who].append((one.notice.id, tx.now_ms + LEASE_MS))
        elif step == "crash":
            holding[who] = []
        elif holding[who]:
            name, _ = holding[who].pop(0)
            try:
                if step == "sent":
                    arrived.add(name)  # it is there, whether or not that can still be recorded
                    NoticeSent(notice=name, owner=who)(tx)  # type: ignore[arg-type]
                else:
                    NoticeMissed(ids=IDS, notice=name, owner=who, code="http.503", wait_ms=later, final=step == "gone")(
                        tx
                    )  # type: ignore[arg-type]
            except HandrailError as error:
                refused.add(error.code)
    assert refused <= {Code.LOST_RACE}
    given_up = [one for one in tx.rows.values() if one.state is NoticeState.GIVEN_UP]
    assert tx.kinds == [EntryKind.NOTICE_GIVEN_UP] * len(given_up)
    for name, one in tx.rows.items():
        if one.state is NoticeState.SENT:
            assert name in arrived
        elif one.state is NoticeState.WAITING:
            assert one.due_at is not None  # somebody will look at it again
            assert one.due_at <= tx.now_ms + max(LEASE_MS, 40_000)
    drain(tx)


def drain(tx: Memory) -> None:
    """A process that lives on, and a receiver that is never there: everything that waits is given up in the end."""
    for _ in range(2_000):
        waiting = [one for one in tx.rows.values() if one.state is NoticeState.WAITING]
        if not waiting:
            return
        tx.now_ms = max(tx.now_ms, min(one.due_at for one in waiting if one.due_at is not None))
        for one in ClaimNotices(owner="p9", lease_ms=LEASE_MS, room=9, running={})(tx):  # type: ignore[arg-type]
            NoticeMissed(ids=IDS, notice=one.notice.id, owner="p9", code="timeout", wait_ms=900_000)(tx)  # type: ignore[arg-type]
    raise AssertionError(msgspec.json.encode(list(tx.rows.values())))
