"""Several similar holds decided together: each in a transaction of its own, with the digest that was seen, its own
entry and its own compare-and-set. What changed meanwhile is left out and told; nothing of a batch is one decision.

Similar means: the same use case, tool, route and currency, held for the same reasons by the same rules. The route says
how many may go together (`batch`, 0: none) and, for what moves money, up to which amount each (`batch_up_to`; without
it money is decided one by one). Four eyes hold for each. A drill among them is decided like the others: who approves it
in a batch has missed it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from handrail.approvals import lifecycle
from handrail.approvals.facts import unread
from handrail.approvals.lifecycle import State
from handrail.approvals.route import APPROVERS
from handrail.approvals.settle import Approve, Deny, settled
from handrail.approvals.store import ActionTransaction, Stored
from handrail.ledger.store import Journal
from handrail.policy.action_rules import Route
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, Ids


class Member(msgspec.Struct, frozen=True):
    """One of a batch, with the digest of what was seen."""

    action: ActionId
    digest: Digest


class Alike(msgspec.Struct, frozen=True, kw_only=True):
    """What the holds of a batch have in common."""

    use_case: str
    tool: str
    route: str
    currency: str
    reasons: tuple[tuple[str, str], ...]
    rules: tuple[str, ...]


class Result(msgspec.Struct, frozen=True):
    """What became of one. `left_out`: why it was not decided; empty: it was."""

    action: ActionId
    stored: Stored | None = None
    left_out: str = ""
    problem: HandrailError | None = None


def alike(stored: Stored) -> Alike:
    """Reasons without the argument that they concern."""
    facts = stored.about.facts
    return Alike(
        use_case=stored.about.use_case, tool=facts.tool, route=stored.progress.route, currency=facts.currency,
        reasons=tuple(sorted({(reason.code, reason.rule) for reason in facts.reasons})),
        rules=tuple(sorted(facts.rules)),
    )  # fmt: skip


def in_batch(stored: Stored, *, below: int | None = None) -> str:
    """Why this hold may not be one of a batch; empty: it may. `below`: the person's own bound on the amount, in minor
    units. Pure."""
    route: Route = stored.about.route or APPROVERS
    amount = stored.about.facts.amount_minor
    if route.batch < 2:
        return f"route {route.id} decides one by one"
    if unread(stored.about.facts):
        return "nobody could read how much money it moves, so it is decided by itself"
    if amount is None:
        return ""
    if route.batch_up_to is None:
        return f"route {route.id} decides what moves money one by one"
    if route.currency != stored.about.facts.currency or amount > route.batch_up_to:
        return f"route {route.id} decides amounts above {route.batch_up_to} minor {route.currency} one by one"
    if below is not None and amount > below:
        return f"its amount is above {below}"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideOne:
    """One of a batch. `like`: what the first one was when it was seen. `size`: of the batch."""

    ids: Ids
    member: Member
    like: Alike
    size: int
    approve: bool
    token: str
    comment: str = ""
    below: int | None = None

    def __call__(self, tx: ActionTransaction) -> Stored:
        """Raises HandrailError as `Approve` and `Deny` do, LOST_RACE for what changed since it was seen, NOT_ALLOWED
        for what may not be one of this batch."""
        stored = tx.actions.get(self.member.action)
        if stored.progress.state is not State.HELD:
            lifecycle.require_waiting(stored.progress, tx.now_ms)
        if stored.progress.digest != self.member.digest:
            raise HandrailError(Code.LOST_RACE, "the arguments have changed since you looked; read them again")
        if alike(stored) != self.like:
            raise HandrailError(Code.NOT_ALLOWED, "it is not like the first of the batch (tool, route, reasons)")
        why_not = in_batch(stored, below=self.below)
        if why_not:
            raise HandrailError(Code.NOT_ALLOWED, why_not)
        most = (stored.about.route or APPROVERS).batch
        if self.size > most:
            raise HandrailError(
                Code.NOT_ALLOWED,
                "route {route} decides at most {most} together",
                parts={"route": stored.progress.route, "most": most},
            )
        if self.approve:
            return Approve(
                ids=self.ids, action=self.member.action, digest=self.member.digest, token=self.token,
                comment=self.comment,
            )(tx)  # fmt: skip
        return Deny(ids=self.ids, action=self.member.action, token=self.token, comment=self.comment)(tx)


async def decide_batch(
    journal: Journal,
    members: Sequence[Member],
    like: Alike,
    *,
    ids: Ids,
    approve: bool,
    token: str,
    comment: str = "",
    below: int | None = None,
) -> list[Result]:
    """One by one, in the order given. What cannot be decided is left out with its reason. Raises HandrailError
    REQUEST_INVALID for a batch that names nothing or one thing twice, TOKEN_INVALID, and JOURNAL_UNAVAILABLE: what was
    decided before stays decided."""
    if not members or len({member.action for member in members}) < len(members):
        raise HandrailError(Code.REQUEST_INVALID, "a batch names each action once, with the digest of what you saw")
    results: list[Result] = []
    for member in members:
        one = DecideOne(
            ids=ids, member=member, like=like, size=len(members), approve=approve, token=token, comment=comment,
            below=below,
        )  # fmt: skip
        try:
            results.append(Result(member.action, await settled(journal, one)))
        except HandrailError as error:
            if error.code in (Code.TOKEN_INVALID, Code.JOURNAL_UNAVAILABLE):
                raise
            results.append(Result(member.action, None, error.message, error))
    return results
