"""What the dialects share: who is speaking and in which conversation, hosted tools, usage."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from handrail.gateway.exact import GONE, Change
from handrail.gateway.leaves import edits, fields
from handrail.guard.turn import Channel, Leaf, Message, Path, Turn, Upstream
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Role
from handrail.terms.ids import CustomerId

MAX_ID = 256
"""Characters of a conversation or customer id that a client may choose."""


class Sent(msgspec.Struct, frozen=True):
    """What the headers of a request say; empty or None where they say nothing. `release`: the digest that a probe
    asks; the server looks at it, no dialect does."""

    conversation: str | None = None
    customer: str | None = None
    channel: str = ""
    trace: str = ""
    extra_headers: tuple[tuple[str, str], ...] = ()
    release: str = ""
    region: str = ""


class Bounds(msgspec.Struct, frozen=True):
    """Limits of one request: `body` in bytes after decompression, `depth` in levels, `messages` and `leaves` counted.
    The figures are ours: 4 MiB holds two hours of talk; official clients stay far below the others."""

    body: int = 4 * 1024 * 1024
    depth: int = 64
    messages: int = 4_096
    leaves: int = 65_536


def invalid(field: str, expected: str) -> HandrailError:
    """REQUEST_INVALID with the field's place and what belongs there."""
    return HandrailError(Code.REQUEST_INVALID, f"{field}: expected {expected}")


def text_of(value: Any, field: str) -> str:
    """Raises REQUEST_INVALID when `value` is no string."""
    if not isinstance(value, str):
        raise invalid(field, "a string")
    return value


def object_of(value: Any, field: str) -> dict[str, Any]:
    """Raises REQUEST_INVALID when `value` is no object."""
    if not isinstance(value, dict):
        raise invalid(field, "an object")
    return value


def list_of(value: Any, field: str) -> list[Any]:
    """Raises REQUEST_INVALID when `value` is no list."""
    if not isinstance(value, list):
        raise invalid(field, "a list")
    return value


def streams(body: Mapping[str, Any]) -> bool:
    """Whether the client asks for a stream. Raises REQUEST_INVALID when `stream`, which goes to the provider as it is,
    is anything but true, false or null."""
    given = body.get("stream")
    if given is not None and not isinstance(given, bool):
        raise invalid("stream", "true, false or null")
    return given is True


def chosen_id(value: Any, field: str) -> str | None:
    """An id that the client chose; None when absent. Raises REQUEST_INVALID when it is no string or too long."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_ID:
        raise invalid(field, f"a string of at most {MAX_ID} characters")
    return value


def customer_of(
    sent: Sent, body: Mapping[str, Any], fields: Iterable[Path]
) -> tuple[CustomerId | None, tuple[Path, ...]]:
    """The customer, from the header or the first of `fields` that is there, and every such field (all are stripped)."""
    name = chosen_id(sent.customer, "x-handrail-customer")
    paths: list[Path] = []
    for path in fields:
        node: Any = body
        for step in path:
            node = node.get(step) if isinstance(node, dict) else None
        if node is not None:
            chosen = chosen_id(node, ".".join(map(str, path)))
            name = name or chosen
            paths.append(path)
    return (CustomerId(name) if name else None), tuple(paths)


def first_new(messages: Sequence[Message]) -> int:
    """Index of the first new message: the one after the assistant's last."""
    for place in range(len(messages), 0, -1):
        if messages[place - 1].role is Role.ASSISTANT:
            return place
    return 0


def onward(turn: Turn, how: Upstream) -> dict[Path, Change]:
    """What every dialect changes on the way to a provider: the texts that a decision changed, the model's real name,
    fields that name the customer, and what the release sets."""
    changes = edits(how.changes, turn.body)
    if how.model != turn.model:
        changes["model",] = orjson.dumps(how.model)
    if not how.forward_customer:
        changes.update((path, GONE) for path in turn.customer_paths)
    for name, setting in how.parameters.items():
        if how.force_parameters or name not in turn.value:
            changes[name,] = orjson.dumps(setting)
    return changes


def conversation_of(sent: Sent, value: Any, field: str, metadata: Any) -> str | None:
    """The header, then the dialect's own field, then `metadata.conversation_id`."""
    if sent.conversation:
        return chosen_id(sent.conversation, "x-handrail-conversation")
    named = value.get("id") if isinstance(value, dict) else value
    chosen = chosen_id(named, field)
    if chosen is None and isinstance(metadata, dict):
        chosen = chosen_id(metadata.get("conversation_id"), "metadata.conversation_id")
    return chosen


def rest(body: Mapping[str, Any], handled: frozenset[str], identifiers: frozenset[str]) -> list[Leaf]:
    """Texts in the fields that the dialect does not read itself. `identifiers`: fields whose value passes unscreened
    when it is an identifier."""
    out: list[Leaf] = []
    fields(body, (), Channel.OTHER, out, but=handled, safe=identifiers)
    return out


def call_text(name: str, arguments: str) -> str:
    """A tool call as it stands in the history: the same for equal arguments, however they were spaced."""
    try:
        return name + orjson.dumps(orjson.loads(arguments), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONDecodeError:
        return name + arguments


def count(usage: Any, name: str) -> int:
    """A token count of an answer's usage, 0 when it is missing or no number."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and value > 0 else 0


def made_by(value: Any) -> str:
    """What the provider says answered: its model, and its fingerprint after a space. Only what has the form of such
    names, since it is recorded in clear."""
    if not isinstance(value, dict):
        return ""
    names = (value.get("model"), value.get("system_fingerprint"))
    return " ".join(name for name in names if isinstance(name, str) and _NAME.fullmatch(name))


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,99}")
