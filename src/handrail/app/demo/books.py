"""The demo's accounts: what the agent asked for and what came of it, beside the shop's own books; pure."""

from collections.abc import Sequence

import msgspec

from handrail.app.demo.agent import Came
from handrail.approvals.lifecycle import State
from handrail.approvals.store import Line

HEAD = ("asked", "passed", "held", "approved", "stopped")


class Books(msgspec.Struct, frozen=True):
    """As the shop keeps them. `cents`: paid back."""

    refunds: int
    cents: int
    addresses: int


def table(came: Sequence[Came], register: Sequence[Line]) -> list[str]:
    """`register`: handrail's rows of these actions; the money is theirs."""
    tools = list(dict.fromkeys(one.tool for one in came))
    lines = [f"{'the agent asked for':<22}" + "".join(f"{name:>10}" for name in HEAD) + f"{'money moved':>16}"]
    for tool in [*tools, ""]:
        mine = [one for one in came if not tool or one.tool == tool]
        done = [one for one in mine if one.status == State.DONE]
        numbers = (
            len(mine),
            sum(not one.held for one in done),
            sum(one.held for one in mine),
            sum(one.approved for one in mine),
            len(mine) - len(done),
        )
        cents = moved([row for row in register if not tool or str(row.tool).endswith(f".{tool}")])
        money = f"{cents / 100:.2f} EUR" if cents else "-"
        lines.append(f"{tool or 'together':<22}" + "".join(f"{number:>10}" for number in numbers) + f"{money:>16}")
    return lines


def moved(register: Sequence[Line]) -> int:
    """Cents that handrail's register says were paid."""
    return sum(row.amount_minor or 0 for row in register if row.state is State.DONE)


def disagree(came: Sequence[Came], register: Sequence[Line], books: Books) -> list[str]:
    """Where handrail's register, what the agent was told and the shop's books do not say the same."""
    paid = [row for row in register if row.state is State.DONE and row.amount_minor is not None]
    addresses = [row for row in register if row.state is State.DONE and str(row.tool).endswith(".change_address")]
    wrong = []
    if (len(paid), moved(register)) != (books.refunds, books.cents):
        ours = f"{len(paid)} refunds of {moved(register)} cents"
        wrong.append(f"the register says {ours}, the shop {books.refunds} of {books.cents}")
    if len(addresses) != books.addresses:
        wrong.append(f"the register says {len(addresses)} new addresses, the shop {books.addresses}")
    told = {one.action: one.status for one in came}
    kept = {str(row.action): row.state.value for row in register}
    if told != kept:
        wrong.append("the agent was told something else than the register holds")
    return wrong
