"""Who decides what the demo holds: the person at the terminal, and without one a marked approver of the demo's own.

Both are persons of this home with the role approver and a token of their own; what they say goes the way of
`handrail approvals`: the look is recorded, the yes binds to the digest of exactly this call.
"""

import asyncio
import os
import sys
import termios
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from handrail.app import wire
from handrail.approvals.settle import Approve, Deny, ReadCase
from handrail.approvals.store import Stored
from handrail.approvals.view import CaseView, Why, view
from handrail.guard.tool_call import Weighed
from handrail.in_force.snapshot import Snapshot
from handrail.policy.action import Why as Reasons
from handrail.terms.action import ActionId, ToolId
from handrail.terms.decision import Verdict

if TYPE_CHECKING:
    from handrail.app.wire import Store

LARGE = "large-refund"
Ask = Callable[[str], Awaitable[str | None]]
"""Asks the person at the terminal: `y` or `n`; None: no answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """`marked`: the demo decided, no person did. `approver`: as the table calls them."""

    approved: bool
    marked: bool
    approver: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """`marked`, `person`: tokens of the two approvers. `ask`: None when nobody is at the terminal."""

    store: "Store"
    snapshot: Snapshot
    marked: str
    person: str
    ask: Ask | None

    async def decide(self, action: str) -> Decided:
        """Raises HandrailError when the decision is refused."""
        name = ActionId(action)
        reader = self.marked if self.ask is None else self.person
        look = ReadCase(ids=wire.IDS, action=name, token=reader, rules=self.snapshot.ruleset, reason="demo 1")
        stored = await self.store.journal.run(look)
        case = self._view(stored)
        said = None if self.ask is None else await self.ask(f"{case.title}: {_call(case)}; digest {case.digest[:12]}")
        if said is None:
            approved, why = opinion(stored.about.facts.rules, [why.code for why in case.why])
            decided = Decided(approved=approved, marked=True, approver="demo approver", why=why)
        else:
            decided = Decided(approved=said == "y", marked=False, approver="the person at the terminal", why="y or n")
        token = self.marked if decided.marked else self.person
        comment = f"decided by the demo itself: {decided.why}" if decided.marked else "decided at the demo's terminal"
        if decided.approved:
            approve = Approve(ids=wire.IDS, action=name, digest=case.digest, token=token, comment=comment)
            await self.store.journal.run(approve)
        else:
            await self.store.journal.run(Deny(ids=wire.IDS, action=name, token=token, comment=comment))
        return decided

    async def reasons(self, action: str) -> tuple[str, str]:
        """Why it was held or denied: in words (of the rules that deny alone, where one does), and the names of all
        rules, limits and built-in reasons."""
        stored = await self.store.acts.get(ActionId(action))
        case = self._view(stored)
        rules = self.snapshot.ruleset.actions
        limits = {limit.place: limit.id for limit in rules.limits}
        names = [*stored.about.facts.rules, *(limits.get(why.place, why.code) for why in case.why)]
        then = {rule.place: rule.then for rule in rules.rules}
        denying = [why for why in case.why if then.get(why.place) is Verdict.DENY]
        told = denying or [why for why in case.why if then.get(why.place) is not Verdict.ALLOW]
        return "; ".join(dict.fromkeys(in_words(why, limits) for why in told)), " ".join(names)

    def _view(self, stored: Stored) -> CaseView:
        given = None if stored.given is None else msgspec.json.decode(stored.given, type=Weighed).input
        ruleset = self.snapshot.ruleset
        tool = ruleset.tools.get(ToolId(stored.about.facts.tool))
        return view(stored, given, tool, ruleset.actions, ())


def opinion(rules: Sequence[str], reasons: Iterable[str]) -> tuple[bool, str]:
    """What the demo approver thinks, from the rules that matched and the codes of all reasons; pure. Yes to what is
    held for its own size and nothing else."""
    if set(reasons) - {Reasons.RULE, Reasons.LIMIT}:
        return False, "more is odd about it than its size"
    if LARGE in rules:
        return True, "one large sum, as the customer asked"
    return False, "parts of a larger sum"


def in_words(why: Why, limits: Mapping[str, str]) -> str:
    """The rule's own words, the limit's name, or the code of a built-in reason. `limits`: place to id."""
    if why.code == Reasons.LIMIT:
        return f"limit {limits.get(why.place, why.place)}"
    return why.words or f"{why.code} {why.side}".strip()


def _call(case: CaseView) -> str:
    return ", ".join(f"{name} {value}" for name, value in (case.arguments or {}).items())


class Interrupted(Exception):
    """The demo was stopped: what is held stays held."""


def at_terminal(seconds: float) -> Ask:
    """Asks on standard input; an answer typed before the question does not count."""

    async def ask(question: str) -> str | None:
        number = sys.stdin.fileno()
        termios.tcflush(number, termios.TCIFLUSH)
        print(f"  {question}\n  approve it? y or n, within {seconds:.0f} s: ", end="", flush=True)
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str] = loop.create_future()

        def typed() -> None:
            if not line.done():
                line.set_result(os.read(number, 256).decode(errors="replace"))

        loop.add_reader(number, typed)
        try:
            said = (await asyncio.wait_for(line, seconds)).strip().casefold()
        except TimeoutError:
            print("nobody answered", flush=True)
            return None
        finally:
            loop.remove_reader(number)
        return "y" if said in ("y", "yes") else "n"

    return ask
