"""A recorded conversation as decisions on actions read it: OpenAI messages made into turns; pure.

A message that cannot be read is kept as text of its role, so that nothing it says counts as a read of a tool.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from handrail.terms.finding import Role
from handrail.tools.registry import Tool

Decode = Callable[[str], Any]
"""The text of a tool's response to JSON values; raises ValueError when it is none. `json` by default."""

DEEPEST = 64
"""Levels of lists and objects in a response or in arguments; deeper ones are kept as text and teach nothing."""

_ROLES = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
}


class Called(msgspec.Struct, frozen=True):
    """A call that the model asked for earlier in the conversation."""

    tool: Tool
    arguments: dict[str, Any]


class Turn(msgspec.Struct, frozen=True):
    """One message. `index`: its place in the conversation. `call`: the call that a response answers, when its tool is
    registered. `said`: the response's values, None when they cannot be read or the call failed."""

    index: int
    role: Role
    text: str
    call: Called | None = None
    said: Any = None
    failed: bool = False


def turns_of(
    messages: Sequence[Mapping[str, Any]], tools: Mapping[str, Tool], decode: Decode = msgspec.json.decode
) -> tuple[Turn, ...]:
    """`messages`: OpenAI chat form. `tools`: by the name under which the model knows them."""
    asked: dict[str, Called] = {}
    turns = []
    for index, message in enumerate(messages):
        role = _ROLES.get(str(message.get("role")), Role.TOOL)
        text = _text(message.get("content"))
        for call in _listed(message.get("tool_calls")):
            _note(call, tools, asked)
        if role is Role.TOOL:
            turns.append(_response(index, text, asked.get(str(message.get("tool_call_id", ""))), decode))
        elif text:
            turns.append(Turn(index, role, text))
    return tuple(turns)


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def _note(call: Mapping[str, Any], tools: Mapping[str, Tool], asked: dict[str, Called]) -> None:
    function = call.get("function")
    if not isinstance(function, Mapping):
        return
    tool = tools.get(str(function.get("name")))
    identity = str(call.get("id", ""))
    asked.pop(identity, None)
    if tool is None:
        return
    arguments = function.get("arguments")
    try:
        values = msgspec.json.decode(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError):
        return
    if isinstance(values, dict) and not _deep(values):
        asked[identity] = Called(tool, values)


def _response(index: int, text: str, call: Called | None, decode: Decode) -> Turn:
    return Turn(index, Role.TOOL, text) if call is None else answered(index, text, call, decode)


def answered(index: int, text: str, call: Called, decode: Decode) -> Turn:
    """The answer to a call; one that failed teaches nothing."""
    failed = any(text.startswith(start) for start in call.tool.fails_with)
    return Turn(index, Role.TOOL, text, call, None if failed else _decoded(text, decode), failed)


def _decoded(text: str, decode: Decode) -> Any:
    """Text that is no JSON is the value itself: some tools answer with a bare id."""
    try:
        said = decode(text)
    except (ValueError, RecursionError):
        return text
    return text if _deep(said) else said


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for holder in level
            if isinstance(holder, dict | list)
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return True


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text", "") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""
