"""What the steps of an action need from outside, and what each does when it cannot answer."""

from collections.abc import Mapping
from typing import Any, Protocol

from handrail.in_force.snapshot import Snapshot
from handrail.policy.action import ActionInput
from handrail.terms.ids import ConversationId
from handrail.tools.registry import Tool


class Recollection(Protocol):
    """Reads the recorded conversation: what the customer said, what reads showed, where each value came from."""

    async def add(
        self, given: ActionInput, tool: Tool, conversation: ConversationId | None, snapshot: Snapshot
    ) -> ActionInput:
        """`given` with facts, origins, consent, `linked` when the conversation is on record. Never raises: what cannot
        be read stays unknown, which holds a consequential action."""
        ...


class Schemas(Protocol):
    """Compiled argument schemas of the ruleset in force."""

    def errors(self, tool: Tool, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        """Paths that the schema refuses, sorted; empty: it fits."""
        ...


class Hashing(Protocol):
    """Keyed hashes under a key that never leaves the data folder (`backends.keyring.Lookup`)."""

    def message(self, message: bytes) -> bytes: ...
