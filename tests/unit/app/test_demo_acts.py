"""What the demo expects of its agent can fail: the accounts, the expectations, the demo approver, the shop."""

import msgspec
import pytest

from handrail.app.demo import acts
from handrail.app.demo.acts import Act
from handrail.app.demo.agent import Came, unexpected
from handrail.app.demo.approver import opinion
from handrail.app.demo.books import Books, disagree, moved, table
from handrail.app.demo.shop import Shop
from handrail.approvals.lifecycle import State
from handrail.approvals.store import Line
from handrail.terms.action import ActionId


def line(action: str, state: State, amount: int | None, tool: str = "shop.refund") -> Line:
    return Line(
        action=ActionId(action), state=state, use_case="order-care", tool=tool, agent="demo", amount_minor=amount,
        currency="EUR", reasons=(), route="", needs=0, given=0, created_at=0, decide_by=None,
    )  # fmt: skip


CAME = [
    Came(action="a", tool="refund", status="done"),
    Came(action="b", tool="refund", status="done", held=True, approved=True),
    Came(action="c", tool="refund", status="denied", held=True),
    Came(action="d", tool="change_address", status="done"),
]
REGISTER = [
    line("a", State.DONE, 2_900),
    line("b", State.DONE, 8_900),
    line("c", State.DENIED, 4_000),
    line("d", State.DONE, None, "shop.change_address"),
]


def test_the_table_counts_what_came_and_its_money_is_the_registers() -> None:
    rows = [row.split() for row in table(CAME, REGISTER)[1:]]
    assert rows == [
        ["refund", "3", "1", "2", "1", "1", "118.00", "EUR"],
        ["change_address", "1", "1", "0", "0", "0", "-"],
        ["together", "4", "2", "2", "1", "1", "118.00", "EUR"],
    ]
    assert moved(REGISTER) == 11_800


@pytest.mark.parametrize(
    "books",
    [
        Books(refunds=2, cents=11_801, addresses=1),
        Books(refunds=3, cents=11_800, addresses=1),
        Books(refunds=2, cents=11_800, addresses=0),
    ],
)
def test_books_that_differ_by_a_cent_a_refund_or_an_address_are_told(books: Books) -> None:
    assert disagree(CAME, REGISTER, Books(refunds=2, cents=11_800, addresses=1)) == []
    assert len(disagree(CAME, REGISTER, books)) == 1


def test_an_agent_that_was_told_something_else_than_the_register_holds_is_told() -> None:
    told = [msgspec.structs.replace(row, state=State.FAILED) if row.action == "d" else row for row in REGISTER]
    assert "something else" in disagree(CAME, told, Books(refunds=2, cents=11_800, addresses=0))[0]


ACT = Act(tool="refund", ends="denied", because="one-order", person=True)


@pytest.mark.parametrize(
    ("came", "why"),
    [
        (Came(action="a", tool="refund", status="denied", held=True, names="may-act one-order"), ""),
        (Came(action="a", tool="refund", status="done", held=True, approved=True, names="one-order"), "to end as"),
        (Came(action="a", tool="refund", status="denied", names="one-order"), "to wait for a person"),
        (Came(action="a", tool="refund", status="denied", held=True, names="one-orders"), "to be stopped by"),
        (Came(action="a", tool="get_order", status="denied", held=True, names="one-order"), "to ask for"),
        (
            Came(
                action="a", tool="refund", status="done", held=True, approved=True, marked=False, names="one-order"
            ),
            "",
        ),
        (
            Came(action="a", tool="refund", status="done", held=True, marked=False, names="one-order"),
            "to end as denied",
        ),
    ],
)  # fmt: skip
def test_what_was_not_as_expected_is_said_and_a_persons_own_decision_is_theirs(came: Came, why: str) -> None:
    wrong = unexpected((ACT,), [came])
    assert why in wrong[0] if why else wrong == []


def test_the_demo_approver_agrees_to_size_alone() -> None:
    assert opinion(("large-refund", "may-act"), ["rule", "limit"])[0]
    assert not opinion(("may-act",), ["limit"])[0]
    assert not opinion(("large-refund",), ["rule", "consent.nothing"])[0]


def test_each_play_of_a_kept_home_has_orders_of_its_own() -> None:
    first, second = acts.load(1), acts.load(2)
    assert first.orders.keys().isdisjoint(second.orders)
    assert {scene.title for scene in first.scenes} == {scene.title for scene in second.scenes}
    assert acts.ORDER not in acts.model_script(1)


def test_the_shop_pays_a_key_once_and_keeps_its_own_books() -> None:
    shop = Shop({"K-1": {"customer": "c", "paid": 29.0}})
    paid = shop.post(["orders", "K-1", "refunds"], {"order": "K-1", "amount": 29.9}, "key")
    assert paid == shop.post(["orders", "K-1", "refunds"], {"order": "K-1", "amount": 29.9}, "key")
    assert shop.get(["books"])[1] == {"refunds": 1, "cents": 2_990, "addresses": 0}
    assert shop.get(["orders", "K-1"])[1]["refunded"] == 29.9
    assert shop.get(["refunds", "other"])[1]["found"] is False
    assert shop.post(["orders", "K-2", "refunds"], {"amount": 1}, "k")[0] == 404
