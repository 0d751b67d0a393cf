"""An action: one call of a tool that an agent asks for. Its digest binds an approval, a permit and a receipt to exactly
these arguments."""

import hashlib
from enum import StrEnum
from typing import Any, NewType

import msgspec

from handrail.terms.ids import ConversationId, CustomerId, Digest, UseCaseId

ActionId = NewType("ActionId", str)
ToolId = NewType("ToolId", str)  # `upstream.name`, such as `shop.refund_order`


class ActionType(StrEnum):
    """What an action does to the world (controls.md, part i). In the ledger for good."""

    READ = "read"
    ASSERT = "assert"
    WRITE_UNDOABLE = "write-undoable"
    WRITE_FINAL = "write-final"
    MONEY = "money"
    ACCESS = "access"
    ADVERSE = "adverse"
    CONTACT = "contact"


CONSEQUENTIAL = frozenset(
    {ActionType.WRITE_FINAL, ActionType.MONEY, ActionType.ACCESS, ActionType.ADVERSE, ActionType.CONTACT}
)
"""What cannot simply be taken back, or moves money, rights or a message to a person."""


class Door(StrEnum):
    """How the call came in. In the ledger for good."""

    HTTP = "http"
    MCP = "mcp"
    MCP_STDIO = "mcp-stdio"
    PERMIT = "permit"  # decided here, executed by the caller
    UNDO = "undo"
    DRILL = "drill"  # a seeded bad request: never executed


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`arguments`: JSON values as the agent sent them, checked against the tool's schema. `salt`: 16 random bytes, so
    that the digest, which stands in facts, cannot be guessed from a known order number. `revision` grows with each
    edit. `parent`: the action that asked for this one (an undo), or empty. `agent`: the name in its API key."""

    id: ActionId
    use_case: UseCaseId
    tool: ToolId
    arguments: dict[str, Any]
    salt: bytes
    door: Door
    key: str
    agent: str = ""
    conversation: ConversationId | None = None
    customer: CustomerId | None = None
    revision: int = 0
    parent: str = ""


def canonical_arguments(arguments: dict[str, Any]) -> bytes:
    """JSON with keys sorted and no white space: equal calls have equal bytes."""
    return msgspec.json.encode(arguments, order="sorted")


def digest_of(action: Action) -> Digest:
    """SHA-256 over salt, use case, tool, conversation, revision and canonical arguments, lower-case hex."""
    bound = msgspec.json.encode(
        [action.id, action.use_case, action.tool, action.conversation, action.customer, action.revision]
    )
    taken = hashlib.sha256(action.salt)
    taken.update(len(bound).to_bytes(4, "big"))
    taken.update(bound)
    taken.update(canonical_arguments(action.arguments))
    return Digest(taken.hexdigest())
