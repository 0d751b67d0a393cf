"""The script: which reply belongs to which message. Pure; the same request always gets the same reply.

A script file is JSON: `{"replies": [{"id", "any": [phrases], "text", ...}], "fallback": {"id", "text"}}`. The first
reply with a phrase that occurs in the last user message (case ignored) is given; `told` asks for one in the
instructions (system and developer messages) besides.

Model names that change what the server does, in every dialect:

    scripted-1, any other     the script
    scripted-echo[-N]         repeats the last user message, streamed N characters at a time (default: by words)
    scripted-tool             calls the first tool offered, with the last user message in every text argument
    scripted-error-STATUS     refuses with that status, in the dialect's form; 429 and 503 carry retry-after: 1
    scripted-flaky            refuses with 503 on the 1st, 3rd, 5th, ... request for this model
    scripted-slow[-MS]        waits MS milliseconds (default 2000) before its first byte
    scripted-stall            sends half of its answer, then nothing more
    scripted-break            sends half of its answer, then drops the connection
    scripted-stream-error     sends half of a stream, then the dialect's error event
    scripted-garbage          status 200 and a body that is not JSON
"""

import re
from importlib import resources
from typing import Any

import msgspec
import orjson

DEFAULT_SLOW_MS = 2_000
RESULT = "{result}"
_WORDS = re.compile(r"\S+\s*|\s+")
_SPECIAL = re.compile(r"scripted-(echo|tool|error|flaky|slow|stall|break|stream-error|garbage)(?:-(\d{1,6}))?\Z")


class ToolCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    arguments: dict[str, Any] = {}


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One reply. `told`: phrases of which the instructions must hold one; none: any will do. `tool_call`: made when the
    request offers a tool of that name and no result of it is there yet; `text` is then what follows the result, which
    stands in place of `{result}`. `then`: further calls, each made after the result of the one before. `after_result`:
    made even when the last message is a tool's result, again and again. `chunk`: characters per streamed piece, 0 = by
    words."""

    id: str
    text: str
    any: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    tool_call: ToolCall | None = None
    then: tuple[ToolCall, ...] = ()
    after_result: bool = False
    delay_ms: int = 0
    pause_ms: int = 0
    chunk: int = 0


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`headers`: beside those of every answer, whole or streamed."""

    replies: tuple[Line, ...]
    fallback: Line
    headers: dict[str, str] = {}


class Tool(msgspec.Struct, frozen=True):
    """As the request offers it; `schema`: JSON Schema of its arguments."""

    name: str
    schema: dict[str, Any]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request, whatever its dialect. `text`: the last user message. `instructions`: what the model was
    told to be. `answered`: the last message is a tool's result.
    `results`: texts of the tools' results since the last user message. `schema`: JSON mode; an empty one when any
    object will do. `words_in`: all text, for the count of tokens."""

    model: str
    text: str
    instructions: str = ""
    answered: bool = False
    results: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    schema: dict[str, Any] | None = None
    chars_in: int = 0
    max_tokens: int | None = None


class Fault(msgspec.Struct, frozen=True):
    """What goes wrong on purpose. `kind`: error, stall, break, stream-error, garbage."""

    kind: str
    status: int = 200


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer. Token counts are a fourth of the characters, rounded up: a rule, not a tokeniser."""

    pieces: tuple[str, ...] = ()
    call: ToolCall | None = None
    cut: bool = False  # max_tokens ended it
    tokens_in: int = 1
    tokens_out: int = 1
    delay_ms: int = 0
    pause_ms: int = 0
    fault: Fault | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def argument_pieces(self) -> tuple[str, ...]:
        assert self.call is not None
        return pieces_of(orjson.dumps(self.call.arguments).decode(), 12)


def load(data: bytes) -> Script:
    """Raises ValueError that says what is wrong and where."""
    return msgspec.json.decode(data, type=Script)


def default_script() -> Script:
    """The replies of this project's demo, written for it."""
    return load(resources.files("handrail.app.scripted_model").joinpath("default_script.json").read_bytes())


def pieces_of(text: str, chunk: int) -> tuple[str, ...]:
    if chunk:
        return tuple(text[i : i + chunk] for i in range(0, len(text), chunk))
    return tuple(_WORDS.findall(text))


def tokens(chars: int) -> int:
    return max(1, -(-chars // 4))


def example(schema: dict[str, Any], text: str) -> Any:
    """A small value that fits a JSON Schema (types, enum, const, required and other properties), texts being `text`."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return example(schema[key][0], text)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {name: example(inner, text) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [example(schema.get("items", {}), text)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
    return text


def reply(script: Script, ask: Ask, *, turn: int) -> Reply:
    """`turn`: how many requests for this model came before, for `scripted-flaky`."""
    special = _SPECIAL.match(ask.model)
    kind, number = (special[1], special[2]) if special else ("", None)
    line = _line(script, ask)
    call = _call(line, ask)
    text = line.text.replace(RESULT, ask.results[-1] if ask.results else "")
    chunk, delay_ms, fault = line.chunk, line.delay_ms, None
    match kind:
        case "echo":
            text, chunk, call = ask.text, int(number or 0), None
        case "tool":
            tool = None if ask.answered or not ask.tools else ask.tools[0]
            call = ToolCall(tool.name, dict(example({"type": "object"} | tool.schema, ask.text))) if tool else None
        case "error":
            fault = Fault("error", int(number or 500))
        case "flaky":
            fault = Fault("error", 503) if turn % 2 == 0 else None
        case "slow":
            delay_ms = int(number or DEFAULT_SLOW_MS)
        case "stall" | "break" | "stream-error" | "garbage":
            fault = Fault(kind)
    if ask.schema is not None and call is None:
        value = example(ask.schema, text) if ask.schema else {"reply": text}
        text = orjson.dumps(value).decode()
    cut = ask.max_tokens is not None and tokens(len(text)) > ask.max_tokens
    text = text[: (ask.max_tokens or 0) * 4] if cut else text
    return Reply(
        pieces=() if call else pieces_of(text, chunk),
        call=call,
        cut=cut and call is None,
        tokens_in=tokens(ask.chars_in),
        tokens_out=tokens(len(orjson.dumps(call.arguments)) if call else len(text)),
        delay_ms=delay_ms,
        pause_ms=line.pause_ms,
        fault=fault,
    )


def _line(script: Script, ask: Ask) -> Line:
    said, told = ask.text.casefold(), ask.instructions.casefold()
    for line in script.replies:
        if _one_in(line.any, said) and (not line.told or _one_in(line.told, told)):
            return line
    return script.fallback


def _one_in(phrases: tuple[str, ...], folded: str) -> bool:
    return any(phrase.casefold() in folded for phrase in phrases)


def _call(line: Line, ask: Ask) -> ToolCall | None:
    if line.tool_call is None:
        return None
    calls = (line.tool_call, *line.then)
    made = 0 if line.after_result or not ask.answered else max(1, len(ask.results))
    call = calls[made] if made < len(calls) else None
    return call if call is not None and call.name in {tool.name for tool in ask.tools} else None
