"""Which decisions need a fresh sign-in: pure."""

import pytest

from handrail.console.answers import NeedsFresh
from handrail.console.here import Here
from handrail.console.routes import Entry, Route, entry
from handrail.console.signin.session import Visitor
from handrail.people.role import Role
from handrail.terms.ids import PersonId

NOW, FRESH = 1_000_000, 300_000


def visitor(ago: int) -> Visitor:
    return Visitor(
        person=PersonId("pe_a"), name="A", roles=frozenset({Role.APPROVER}), authenticated_at=NOW - ago, session="s",
        csrf="c",
    )  # fmt: skip


def asks(ago: int, amount: int | None, above: int | None) -> bool:
    here = Here(ports=None, words=None, now_ms=NOW, path="/", fresh_ms=FRESH, fresh_above_minor=above)  # type: ignore[arg-type]  # not used
    try:
        here.require_fresh(visitor(ago), amount)
    except NeedsFresh:
        return True
    return False


@pytest.mark.promise("SGN-8")
@pytest.mark.parametrize(
    ("ago", "amount", "above", "needed"),
    [
        (FRESH - 1, 10_000, 5_000, False), (FRESH, 10_000, 5_000, True), (FRESH, 5_000, 5_000, True),
        (FRESH, 4_999, 5_000, False), (FRESH, 10_000, None, False), (FRESH, None, 5_000, True), (-1, 10_000, 0, True),
    ],
)  # fmt: skip
def test_an_amount_from_the_declared_one_on_needs_a_fresh_sign_in(
    ago: int, amount: int | None, above: int | None, needed: bool
) -> None:
    assert asks(ago, amount, above) is needed


def test_a_row_that_asks_for_it_follows_the_homes_minutes() -> None:
    async def handler(*_: object) -> None: ...

    row = Route(name="x.y", path="/x", title="X", handler=handler, roles=frozenset({Role.APPROVER}), fresh=True)
    assert entry(row, visitor(FRESH - 1), now_ms=NOW, fresh_ms=FRESH) is Entry.COME_IN
    assert entry(row, visitor(FRESH), now_ms=NOW, fresh_ms=FRESH) is Entry.PROVE
