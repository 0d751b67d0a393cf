"""CEL conditions of rules, behind a port: the language is the backend's, the rules' meaning is ours.

A condition that does not compile is refused at load; one that cannot be answered at run time holds the action. Without
an implementation every rule with CEL is refused at load (`NoCel`): never loaded and ignored.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from handrail.policy.action import ActionInput

VARIABLES = {
    "tool": "string",
    "use_case": "string",
    "agent": "string",
    "arguments": "map",
    "facts": "map",
    "past": "map",
    "amount": "int",
    "currency": "string",
    "agreed": "string",
    "linked": "bool",
    "session": "bool",
    "untrusted": "bool",
    "minute": "int",
    "weekday": "int",
}
"""What a condition may speak of, with the type it is checked against. `amount`: minor units, absent when unknown."""

LONGEST = 2_000
"""Characters of one condition."""


class CelError(ValueError):
    """The condition does not compile, or cannot be answered for this input. The text names no customer content."""


class CelProgram(Protocol):
    """One compiled condition; pure and bounded."""

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Raises CelError when it cannot be answered or is not a truth value."""
        ...


class CelCompiler(Protocol):
    """`variables`: names and types as in `VARIABLES`."""

    def compile(self, source: str, variables: Mapping[str, str]) -> CelProgram:
        """Raises CelError saying what is wrong."""
        ...


class NoCel:
    """No implementation is installed: refuses."""

    def compile(self, source: str, variables: Mapping[str, str]) -> CelProgram:
        raise CelError("this installation evaluates no CEL: install the extra `cel`, or write typed conditions")


def values_of(given: ActionInput) -> dict[str, Any]:
    """The input as a condition sees it. Only verified facts: who claims something cannot lift a rule with it."""
    values: dict[str, Any] = {
        "tool": str(given.tool),
        "use_case": str(given.use_case),
        "agent": given.agent,
        "arguments": given.arguments,
        "facts": {fact.name: fact.value for fact in given.facts if fact.vouched == "verified"},
        "past": {past.name: past.value for past in given.past},
        "currency": given.currency,
        "agreed": given.agreed.value,
        "linked": given.linked,
        "session": given.session,
        "untrusted": given.untrusted,
        "minute": given.minute,
        "weekday": given.weekday,
    }
    if given.amount_minor is not None:
        values["amount"] = given.amount_minor
    return values
