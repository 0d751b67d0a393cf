"""Tools and actions as MCP has them: a list with schemas, and what became of a call.

Every tool may be held, so one with a result's schema lists `anyOf: [its own, ours]`; an official client refuses a
result that fits neither. What has ended without a result of the tool's own form is told in ours.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations

from handrail.approvals.lifecycle import State
from handrail.approvals.store import Stored
from handrail.gateway.actions import WOULD_BE, Told, answer
from handrail.gateway.mcp.asker import MAX_WAIT_S
from handrail.terms.action import ActionType
from handrail.tools import registry
from handrail.tools.door_names import CANCEL, STATUS
from handrail.tools.json_schema import compiled

TOLD: dict[str, Any] = {
    "type": "object",
    "required": ["status", "action_id"],
    "properties": {
        "status": {"type": "string", "enum": [*(state.value for state in State), WOULD_BE]},
        "action_id": {"type": "string"},
        "message": {"type": "string", "description": "What the customer may be told."},
        "retry_after": {"type": "integer", "description": "Seconds until asking again makes sense."},
        "result": {"description": "What the target answered."},
        "why": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What you can mend of a call that was not allowed; then ask again.",
        },
    },
}
INSTRUCTIONS = (
    "Some calls wait for a person: the answer is then {status: held, action_id, retry_after, message}. Go on talking; "
    f"ask {STATUS} later, or send the same call again: it gives the same action and later its stored result, and "
    f"nothing happens twice. {CANCEL} takes back what still waits. Conversation and customer are named in _meta as "
    "handrail/conversation and handrail/customer."
)
_ACTION = {"action_id": {"type": "string", "maxLength": 64}}
OWN = (
    Tool(
        name=STATUS,
        title="How far an action has come",
        description="The state of an action that you asked for, and its result once it has one.",
        input_schema={
            "type": "object",
            "required": ["action_id"],
            "additionalProperties": False,
            "properties": {
                **_ACTION,
                "wait_s": {
                    "type": "number", "minimum": 0, "maximum": MAX_WAIT_S,
                    "description": "Wait so many seconds for its end.",
                },
            },
        },
        output_schema=TOLD,
        annotations=ToolAnnotations(read_only_hint=True),
    ),
    Tool(
        name=CANCEL,
        title="Take an action back",
        description="Takes back an action that still waits for a person. What runs or has ended stays as it is.",
        input_schema={
            "type": "object", "required": ["action_id"], "additionalProperties": False, "properties": _ACTION,
        },
        output_schema=TOLD,
        annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True),
    ),
)  # fmt: skip


def listed(name: str, tool: registry.Tool) -> Tool:
    """A registered tool under its name at the door."""
    read = tool.type is ActionType.READ
    return Tool(
        name=name,
        title=tool.title or None,
        description=tool.description or tool.title or None,
        input_schema={"type": "object", **tool.arguments},
        output_schema=None if tool.result is None else either(tool.result),
        annotations=ToolAnnotations(
            read_only_hint=read,
            destructive_hint=not read and tool.reversibility is registry.Reversibility.NONE,
            idempotent_hint=True,  # the same call gives the same action
        ),
    )


def either(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema for a tool's own result or what became of its call. References into the document are moved with it."""
    return {"type": "object", "anyOf": [schema if "$id" in schema else _moved(schema), TOLD]}


def _moved(node: Any) -> Any:
    if isinstance(node, dict):
        moved = {name: _moved(value) for name, value in node.items()}
        ref = node.get("$ref")
        if isinstance(ref, str) and ref.startswith("#") and (ref == "#" or ref.startswith("#/")):
            moved["$ref"] = f"#/anyOf/0{ref[1:]}"
        return moved
    return [_moved(value) for value in node] if isinstance(node, list) else node


def outcome(stored: Stored, tool: registry.Tool | None, language: str) -> CallToolResult:
    """What became of a call: the tool's own result when it was done, else ours. An action that will not happen is an
    error that the model reads."""
    told = msgspec.json.decode(answer(stored, language).body, type=Told)
    state = stored.progress.state
    if state is State.DONE and tool is not None:
        kept = msgspec.json.decode(stored.result) if stored.result is not None else {}
        if fits(tool.result, told.result):
            return _own(told.result, kept.get("content"))
    return ours(told, error=state in FAILURES)


FAILURES = frozenset(
    {
        State.DENIED, State.EXPIRED, State.LAPSED, State.REVOKED, State.CANCELLED, State.UNREACHABLE, State.FAILED,
    }
)  # fmt: skip


def ours(told: Told, *, error: bool) -> CallToolResult:
    text = msgspec.json.encode(told)
    return CallToolResult(
        content=[TextContent(type="text", text=text.decode())],
        structured_content=msgspec.json.decode(text),
        is_error=error,
    )


def fits(schema: dict[str, Any] | None, result: Any) -> bool:
    """Whether a result may stand as it is: a tool that lists a schema must give a result of that form."""
    if schema is None:
        return True
    if not isinstance(result, dict):
        return False
    try:
        return bool(compiled(schema).is_valid(result))
    except ValueError:
        return False


def _own(result: Any, content: list[Mapping[str, Any]] | None) -> CallToolResult:
    structured = result if isinstance(result, dict) else None
    if content is None:
        text = result if isinstance(result, str) else msgspec.json.encode(result).decode()
        content = [{"type": "text", "text": text}]
    return CallToolResult.model_validate({"content": content, "structuredContent": structured, "isError": False})
