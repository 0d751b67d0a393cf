"""Finding every text in a request or an answer: the walk that all dialects share, and the known-safe list as data.

A string is left unscreened only when its slot is listed here (or in a dialect's table) and its value looks like what
belongs there: a word of the protocol or an identifier. A listed slot with any other value is screened like the rest.
"""

import base64
import binascii
import json
import re
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from types import NoneType
from typing import Any, Final

import orjson

from handrail.gateway.exact import Change, Path, Step, change
from handrail.guard.turn import Channel, Leaf
from handrail.terms.errors import Code, HandrailError

SAFE_SLOTS = frozenset(
    {
        "id", "type", "role", "model", "object", "status", "call_id", "tool_call_id", "tool_use_id", "service_tier",
        "system_fingerprint", "finish_reason", "stop_reason", "detail", "format", "encoding_format", "effort",
        "reasoning_effort", "verbosity", "media_type", "item_id", "truncation", "prompt_cache_retention", "ttl",
        "background", "phase", "event", "obfuscation",
    }
)  # fmt: skip
"""Field names whose value may be an identifier that is not screened."""

OPAQUE_SLOTS = frozenset(
    {
        "encrypted_content", "signature", "data", "b64_json", "embedding", "file_data", "thought_signature", "url",
        "image_url",
    }
)  # fmt: skip
"""Bytes in a text's clothes, which no detector reads. They pass unchanged when they are base64, else are screened."""

MEDIA_SLOTS = OPAQUE_SLOTS - {"encrypted_content", "signature", "embedding", "thought_signature"}
"""Opaque slots that hold a picture, a sound or a file; the others hold what only the provider can read."""

SAFE_NUMBERS = frozenset({"created", "created_at", "completed_at", "expires_at", "seed"})
"""Field names of numbers that may be long (times, seeds), outside of what clients name themselves."""

PROTOCOL_NUMBERS = frozenset(
    {
        "temperature", "top_p", "top_k", "min_p", "n", "seed", "logprobs", "top_logprobs", "presence_penalty",
        "frequency_penalty", "repetition_penalty", "max_tokens", "max_completion_tokens", "max_output_tokens",
        "max_tool_calls", "budget_tokens", "dimensions", "index", "output_index", "content_index", "summary_index",
        "max_num_results", "partial_images", "timeout", "priority",
    }
)  # fmt: skip
"""Field names of small numbers that set how the provider works. Any other number in a field of the client is read."""

NAMES = (
    SAFE_SLOTS | OPAQUE_SLOTS | SAFE_NUMBERS | PROTOCOL_NUMBERS | frozenset(
        {
            "choices", "message", "messages", "content", "refusal", "annotations", "text", "usage", "prompt_tokens",
            "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "prompt_tokens_details",
            "completion_tokens_details", "cached_tokens", "audio_tokens", "reasoning_tokens",
            "accepted_prediction_tokens", "rejected_prediction_tokens", "metadata", "stream", "stream_options",
            "include_usage", "stop", "user", "name", "function", "arguments", "parameters", "properties", "description",
            "required", "strict", "additionalProperties",
        }
    )
)  # fmt: skip
"""Frequent names of fields. Each is an `identifier`; that it stands here saves asking."""

_ISSUED = r"(?:sk|pk|rk|whsec)[-_]|A(?:KIA|SIA|BIA|CCA)|gh[opsur]_|github_pat_|glpat-|xox|AIza|eyJ|(?:hf|npm|hr)_|pypi-"
_IDENTIFIER = re.compile(rf"(?!{_ISSUED})(?!.{{0,80}}?(?:[0-9][_.:-]*){{9}})[A-Za-z][A-Za-z0-9_.:-]{{0,79}}")
NOISE = re.compile(rf"(?!{_ISSUED}|.{{81}})(?:[A-Za-z]++|[0-9]{{1,8}}+(?![0-9]))*+")
"""Letters and digits that providers put into the field `obfuscation` of an event to hide how long its text is; never
nine digits in a row, and not as keys and tokens of well-known services begin. Not screened."""
_BASE64 = re.compile(r"(?:data:[a-z0-9.+/-]{1,64};base64,)?([A-Za-z0-9+/_-]{64,})={0,2}")
_DIGITS = re.compile(r"[0-9](?:[-_/+]*[0-9]){12}")
_ESCAPE = re.compile(r"\\u(?![dD][89a-fA-F])([0-9a-fA-F]{4})")  # but no half of a pair
LONG_NUMBER = 10_000_000
"""From here on a number is read wherever it stands, times and seeds aside."""
LONG_TIME = 100_000_000_000
"""From here on a time or a seed is read too."""


FREE = frozenset({Channel.TOOL_ARGUMENTS, Channel.OTHER})
"""Channels whose field names are the client's own, so that no slot is known to be safe."""


def _known(name: str, value: str) -> bool:
    return (name in SAFE_SLOTS and identifier(value)) or (name in OPAQUE_SLOTS and opaque(value))


def identifier(value: str) -> bool:
    """Short, starts with a letter, no nine digits in a row (dashes and dots between them or not), no space, not as keys
    and tokens of well-known services begin: cannot carry a card number, a sentence or such a secret."""
    return len(value) <= 80 and _is_identifier(value)


def small(value: Any) -> bool:
    """Whether a value is a whole number too short for a code or a card."""
    return type(value) is int and abs(value) < LONG_NUMBER


def index_of(value: Any) -> int:
    """A place in a list. Raises ValueError when it is none."""
    if not small(value):
        raise ValueError
    return int(value)


_MADE = re.compile(
    r"(?!.*[0-9]{13})(?:[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|[A-Za-z]{1,16}[_-][0-9a-f]{32,64})"
)


def harmless(value: Any) -> bool:
    """Whether a name of the provider's (an id, a model) may be written into an event of ours: an identifier, one with
    slashes, a UUID or a hex id, without the 13 digits in a row of a card."""
    return isinstance(value, str) and (identifier(value.replace("/", "-")) or _MADE.fullmatch(value) is not None)


@lru_cache(maxsize=8_192)
def _is_identifier(value: str) -> bool:
    return _IDENTIFIER.fullmatch(value) is not None


def opaque(value: str) -> bool:
    """Base64 of 64 characters or more, with or without a data URL in front, that decodes and holds no 13 digits in a
    row, whatever signs of its alphabet stand between them; anything else is read as text."""
    match = _BASE64.fullmatch(value)
    if match is None or _DIGITS.search(value) is not None:
        return False
    coded = match[1].translate(_PLAIN_BASE64)
    try:
        base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True)
    except binascii.Error:
        return False
    return True


_PLAIN_BASE64 = str.maketrans("-_", "+/")


def walk(
    value: Any, path: Path, channel: Channel, out: list[Leaf], *, inner: Path | None = None, tool: str = ""
) -> None:
    """Append every text below `value` to `out`: strings, field names that are not plain words, whole numbers in what
    clients and models name themselves (`FREE`), and elsewhere numbers of eight digits or more. With `inner` the paths
    grow inside the JSON that stands at `path`."""
    kind = type(value)
    if kind is dict:
        free = channel in FREE
        for step, child in value.items():
            if step not in NAMES and not identifier(step):
                out.append(Leaf(channel, step, path, inner, tool, key=True))
            if type(child) is str:
                if child and (free or not _known(step, child)):
                    at, within = ((*path, step), None) if inner is None else (path, (*inner, step))
                    out.append(Leaf(channel, child, at, within, tool))
            elif type(child) not in _EMPTY and (type(child) in _HOLDERS or _telling(child, step, channel)):
                at, within = ((*path, step), None) if inner is None else (path, (*inner, step))
                walk(child, at, channel, out, inner=within, tool=tool)
    elif kind is list:
        for place, child in enumerate(value):
            at, within = ((*path, place), None) if inner is None else (path, (*inner, place))
            walk(child, at, channel, out, inner=within, tool=tool)
    elif kind is str:
        if value:
            out.append(Leaf(channel, value, path, inner, tool))
    elif kind not in _EMPTY:
        here = path if inner is None else inner
        if _telling(value, here[-1] if here else "", channel):
            out.append(Leaf(channel, _digits(value), path, inner, tool, number=True))


_HOLDERS: Final = frozenset({dict, list})
_EMPTY: Final = frozenset({NoneType, bool})
"""Types of values that say nothing."""


def _telling(value: Any, name: Step, channel: Channel) -> bool:
    """Whether a value that is no text, object or list is read: a number that could be a code, a card or of a person. A
    small one with a fraction is none of them."""
    if type(value) is not int and type(value) is not float:
        return False
    size = abs(value)
    if channel is Channel.TOOL_ARGUMENTS:
        return size >= LONG_NUMBER or value == int(value)
    if channel is Channel.OTHER:
        return size >= LONG_NUMBER or (value == int(value) and name not in PROTOCOL_NUMBERS)
    return size >= (LONG_TIME if name in SAFE_NUMBERS else LONG_NUMBER)


def _digits(value: int | float) -> str:
    """A number as a person would write it: no exponent, no fraction of zero."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def fields(
    value: Mapping[str, Any],
    at: Path,
    channel: Channel,
    out: list[Leaf],
    *,
    but: Container[str] = (),
    tool: str = "",
    safe: frozenset[str] = SAFE_SLOTS,
) -> None:
    """The fields of the object at `at`, but those that its reader handles itself: every name that is no plain word, and
    every text. A slot of `safe` whose value is an identifier, and a small number of the protocol, are left out."""
    for name, child in value.items():
        if name in but:
            continue
        listed = name in safe
        if not listed and name not in NAMES and not identifier(name):
            out.append(Leaf(channel, name, at, None, tool, key=True))
        kind = type(child)
        if kind is str:
            if child and not (listed and identifier(child)):
                out.append(Leaf(channel, child, (*at, name), None, tool))
        elif kind in _HOLDERS:
            if child:
                walk(child, (*at, name), channel, out, tool=tool)
        elif kind not in _EMPTY and not (name in PROTOCOL_NUMBERS and small(child)) and _telling(child, name, channel):
            walk(child, (*at, name), channel, out, tool=tool)


def media(value: Any) -> bool:
    """Whether bytes that a customer could see or hear stand below `value`: a part that no detector can read."""
    if isinstance(value, dict):
        return any(
            (name in MEDIA_SLOTS and isinstance(child, str) and opaque(child)) or media(child)
            for name, child in value.items()
        )
    return isinstance(value, list) and any(media(child) for child in value)


def arguments(text: str, path: Path, tool: str, out: list[Leaf]) -> None:
    """The texts inside a tool call's arguments, decoded; the raw string when it is no JSON. A value that a later field
    of the same name hides, and what escapes in such a raw string stand for, is read too, but cannot be masked in place:
    it stands as a `key`."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        if text:
            out.append(Leaf(Channel.TOOL_ARGUMENTS, text, path, None, tool))
            plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
            if plain != text:
                out.append(Leaf(Channel.TOOL_ARGUMENTS, plain, path, None, tool, key=True))
        return
    if value:
        walk(value, path, Channel.TOOL_ARGUMENTS, out, inner=(), tool=tool)
        if orjson.dumps(value).count(b'"') != text.count('"') or "\\u0022" in text:
            _hidden(text, path, tool, out)


def _hidden(text: str, path: Path, tool: str, out: list[Leaf]) -> None:
    """Texts that only a reader sees who takes the first of two fields of one name."""

    def pairs(given: list[tuple[str, Any]]) -> dict[str, Any]:
        kept = dict(given)
        if len(kept) != len(given):
            last = {name: place for place, (name, _) in enumerate(given)}
            hidden.extend(pair for place, pair in enumerate(given) if last[pair[0]] != place)
        return kept

    hidden: list[tuple[str, Any]] = []
    json.loads(text, object_pairs_hook=pairs)
    found: list[Leaf] = []
    for name, value in hidden:
        walk({name: value}, path, Channel.TOOL_ARGUMENTS, found, inner=(), tool=tool)
    for leaf in found:
        names = [step for step in leaf.field if isinstance(step, str)]
        shown = leaf.text if leaf.key or not names else f"{names[-1]}: {leaf.text}"
        out.append(Leaf(Channel.TOOL_ARGUMENTS, shown, path, None, tool, key=True))


def edits(changes: Mapping[Leaf, str], body: bytes) -> dict[Path, Change]:
    """Changed texts as changes of `body`. Texts inside an arguments string are put back into that string."""
    done: dict[Path, Change] = {}
    inside: dict[Path, dict[Path, Change]] = {}
    for leaf, new in changes.items():
        if leaf.key:
            continue
        if leaf.inner is None:
            done[leaf.path] = orjson.dumps(new)
        else:
            inside.setdefault(leaf.path, {})[leaf.inner] = orjson.dumps(new)
    if inside:
        read = orjson.loads(body)
        for path, inner in inside.items():
            done[path] = orjson.dumps(within(_at(read, path), inner))
    return done


def within(text: str, inner: Mapping[Path, Change]) -> str:
    """An arguments string with the values at `inner` replaced; every other value keeps its own characters."""
    return change(text.encode(), inner).decode()


def refuse_unmaskable(leaves: Iterable[Leaf]) -> None:
    """Raises HandrailError REQUEST_INVALID: a finding in the name of a field cannot be masked without breaking it."""
    for leaf in leaves:
        if leaf.key:
            raise HandrailError(
                Code.REQUEST_INVALID, "the name of a field holds data that must be masked; send it as a value instead"
            )


def _at(value: Any, path: Path) -> str:
    for step in path:
        value = value[step]
    return str(value)
