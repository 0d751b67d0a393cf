"""An action that a probe asks for: decided like any other, and nothing more.

The same tool, schema, facts, limits and stops as for a customer's action; what is read of the conversation is what the
probe says was said, since nothing of it is recorded. The transaction that decides appends one entry and changes nothing
else: no action is stored, nothing is reserved, nobody is asked or told, and no target is called.

When this cannot decide, it raises as `guard.tool_call`: a test then fails, which harms nobody.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from handrail.approvals.desk import Ruled, Standing
from handrail.approvals.facts import ActionFacts
from handrail.approvals.store import ActionTransaction
from handrail.guard.tool_call import Called, ToolCalls, Weighed, registered
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.entry import Entry, EntryKind
from handrail.ledger.store import Journal
from handrail.policy.action import ActionInput
from handrail.policy.decide_action import Prepared
from handrail.terms.action import Action, ActionId
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Verdict
from handrail.terms.ids import ConversationId, CustomerId, Digest, EntryId, Ids
from handrail.tools.registry import Tool

PROBE = "probe:"
"""Before the id of a probe's customer, so that it never is one of ours."""


class Hearing(Protocol):
    """Reads a conversation that is recorded nowhere (`guard.recollect.Recollect.heard`)."""

    def heard(
        self, given: ActionInput, tool: Tool, messages: Sequence[Mapping[str, Any]], snapshot: Snapshot
    ) -> ActionInput: ...


class WouldBe(msgspec.Struct, frozen=True):
    """What would have become of the action. `facts`: as the entry holds them."""

    action: ActionId
    ruled: Ruled

    @property
    def verdict(self) -> Verdict:
        return self.ruled.decision.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """The decision, with the stops and limits as they are, and its entry. Nothing is reserved."""

    ids: Ids
    request: Action
    decide: Callable[[Standing], Ruled]
    ruleset: Digest
    release: Digest | None

    def __call__(self, tx: ActionTransaction) -> Ruled:
        ruled = self.decide(Standing(tuple(tx.stops.all()), tx.limits.used))
        request, route = self.request, ruled.route
        facts: ActionFacts = msgspec.structs.replace(
            ruled.facts, door=request.door.value, agent=request.agent, route=route.id if route is not None else ""
        )
        tx.append(
            Entry(
                id=EntryId(self.ids.new("en")), kind=EntryKind.PROBE_DECIDED, at_ms=tx.now_ms,
                actor=Actor(ActorKind.KEY, request.key), facts=facts, about=request.id, use_case=request.use_case,
                ruleset=self.ruleset, release=self.release,
            )
        )  # fmt: skip
        return ruled


class Probing:
    """Decides what probes ask for. `calls`: decides as for every door."""

    def __init__(self, calls: ToolCalls, hearing: Hearing, journal: Journal, ids: Ids) -> None:
        self._calls = calls
        self._hearing = hearing
        self._journal = journal
        self._ids = ids

    async def decide(
        self,
        called: Called,
        messages: Sequence[Mapping[str, Any]],
        snapshot: Snapshot,
        prepared: Prepared,
        release: Digest | None,
    ) -> WouldBe:
        """`messages`: what was said before, in the form of OpenAI chat; with none the conversation is unknown. Raises
        HandrailError USE_CASE_UNREGISTERED, TOOL_UNREGISTERED or JOURNAL_UNAVAILABLE."""
        use_case, tool = registered(called.key.use_case, called.tool, snapshot)
        action = Action(
            id=ActionId(self._ids.new("ac")), use_case=use_case.id, tool=tool.id, arguments=called.arguments,
            salt=self._ids.token(16), door=called.door, key=called.key.id, agent=called.key.agent,
            conversation=ConversationId(self._ids.new("cv")), customer=customer_of_probe(called.customer),
        )  # fmt: skip
        weighed: Weighed = await self._calls.weighed(action, called.facts, use_case, tool, snapshot, False)
        if messages:
            weighed = Weighed(self._hearing.heard(weighed.input, tool, messages, snapshot), called.facts)
        decide = self._calls.decide(weighed, action, tool, snapshot, prepared, release)
        ruled: Ruled = await self._journal.run(
            Decide(ids=self._ids, request=action, decide=decide, ruleset=snapshot.ruleset_digest, release=release)
        )
        return WouldBe(action.id, ruled)


def customer_of_probe(customer: CustomerId | None) -> CustomerId | None:
    """An id that no customer has."""
    return None if customer is None else CustomerId(f"{PROBE}{customer}")
