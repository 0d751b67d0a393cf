"""JSON that passes byte-exact: read once, changed only along the paths that a decision touched.

A value that no change names keeps its own bytes (`msgspec.Raw` slices of what came in); only the objects and lists on
the way to a change are put together again. Refuses what two parsers could read differently: a key given twice in one
object, invalid UTF-8, numbers that are not JSON, and nesting deeper than asked.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson

from handrail.terms.errors import Code, HandrailError

Step = str | int
Path = tuple[Step, ...]


class Gone:
    """The marker for "leave this field out"."""

    __slots__ = ()


GONE: Final = Gone()

Change = bytes | Gone
"""New bytes (JSON) for the value at a path, or GONE."""

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_written = msgspec.json.Encoder().encode  # raw values go out as they came in


class _TwiceError(ValueError):
    pass


def read(body: bytes, *, max_depth: int) -> Any:
    """The value of `body`. Raises HandrailError REQUEST_INVALID, REQUEST_DUPLICATE_FIELD or REQUEST_TOO_DEEP."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise HandrailError(Code.REQUEST_INVALID, f"the body is not valid JSON at {where}; send UTF-8 JSON") from None
    if body.count(b"{") + body.count(b"[") > max_depth and depth(value) > max_depth:
        raise HandrailError(Code.REQUEST_TOO_DEEP, f"the body is nested deeper than {max_depth} levels; flatten it")
    if _lost(body, value):
        _refuse_duplicates(body)
    return value


def said(body: bytes) -> Any:
    """The value of what a provider sent. Raises orjson.JSONDecodeError, and HandrailError UPSTREAM_INVALID when one
    object names a field twice: the client could read the other one."""
    value = orjson.loads(body)
    if _lost(body, value):
        try:
            _refuse_duplicates(body)
        except HandrailError:
            raise HandrailError(Code.UPSTREAM_INVALID, "the provider's answer names one field twice") from None
    return value


def _lost(body: bytes, value: Any) -> bool:
    """Whether a field may have been dropped as a duplicate: it took at least two quotes with it, and only an escaped
    quote could hide that."""
    if orjson.dumps(value).count(b'"') != body.count(b'"'):
        return True
    return b"\\" in body and b"\\u0022" in body  # the first looks for one byte, ten times as fast


def depth(value: Any) -> int:
    """Levels of objects and lists; 0 for a plain value. Not recursive, so that no input can exhaust the stack."""
    deepest = 0
    waiting = [(value, 1)]
    while waiting:
        node, level = waiting.pop()
        if isinstance(node, dict):
            children = list(node.values())
        elif isinstance(node, list):
            children = node
        else:
            continue
        deepest = max(deepest, level)
        waiting += [(child, level + 1) for child in children]
    return deepest


def change(body: bytes, changes: Mapping[Path, Change]) -> bytes:
    """`body` with each change made. A path whose last step is a missing key of an object adds that key at the end; a
    path through a missing or plain value is an error of the caller (KeyError). The empty path replaces everything."""
    if not changes:
        return body
    tree: dict[Step, Any] = {}
    for path, new in changes.items():
        if not path:
            return b"" if isinstance(new, Gone) else new
        node = tree
        for step in path[:-1]:
            node = node.setdefault(step, {})
        node[path[-1]] = new
    return _written(_changed(body, tree))


def _changed(raw: bytes | msgspec.Raw, tree: dict[Step, Any]) -> Any:
    """The object or list `raw`: its values as they stand, but for what `tree` changes."""
    values: Any = (_LIST if isinstance(next(iter(tree)), int) else _OBJECT).decode(raw)
    for step, new in tree.items():
        if isinstance(new, dict):
            values[step] = _changed(values[step], new)
        else:
            values[step] = new if new is GONE else msgspec.Raw(new)
    if GONE not in tree.values():
        return values
    if isinstance(values, list):
        return [value for value in values if value is not GONE]
    return {name: value for name, value in values.items() if value is not GONE}


def _refuse_duplicates(body: bytes) -> None:
    def pairs(found: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in found}) != len(found):
            raise _TwiceError

    try:
        json.loads(body, object_pairs_hook=pairs)
    except _TwiceError:
        raise HandrailError(
            Code.REQUEST_DUPLICATE_FIELD, "an object in the body names one field twice; send each field once"
        ) from None
    except (ValueError, RecursionError):
        raise HandrailError(Code.REQUEST_INVALID, "the body is not valid JSON; send UTF-8 JSON") from None


def prepend(body: bytes, path: Path, item: bytes) -> bytes:
    """`body` with `item` (JSON) put before the first item of the list at `path`."""
    raw: bytes | msgspec.Raw = body
    for step in path:
        raw = _OBJECT.decode(raw)[step] if isinstance(step, str) else _LIST.decode(raw)[step]
    return change(body, {path: _written([msgspec.Raw(item), *_LIST.decode(raw)])})
