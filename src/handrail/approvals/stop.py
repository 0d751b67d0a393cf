"""The stop switch: what it covers; pure. Exact because the claim's own transaction reads it."""

from enum import StrEnum

import msgspec

from handrail.approvals.facts import About
from handrail.terms.ids import PersonId


class StopScope(StrEnum):
    """In the ledger for good."""

    AGENT = "agent"
    USE_CASE = "use-case"
    TOOL = "tool"
    RELEASE = "release"
    PROVIDER = "provider"
    ALL = "all"


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """`value`: what is stopped; empty for ALL. `by`: who may not lift it alone."""

    id: str
    scope: StopScope
    value: str
    by: PersonId
    reason: str
    at_ms: int


def covers(stop: Stop, names: dict[StopScope, str]) -> bool:
    """`names`: what an action is, by scope. A scope that the action does not have is not covered."""
    return stop.scope is StopScope.ALL or (names.get(stop.scope) or None) == stop.value


def names_of(about: About) -> dict[StopScope, str]:
    """What stops can name of an action. PROVIDER is the system that its tool calls."""
    facts = about.facts
    return {
        StopScope.AGENT: facts.agent,
        StopScope.USE_CASE: about.use_case,
        StopScope.TOOL: facts.tool,
        StopScope.RELEASE: facts.release or "",
        StopScope.PROVIDER: facts.upstream,
    }
