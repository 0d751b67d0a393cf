"""Paths into JSON values: `order.items.0.price`, `*` for every element of a list or value of an object; pure."""

from collections.abc import Iterator
from typing import Any


def values_at(value: Any, path: str) -> Iterator[Any]:
    """Every value at the path; none when a part of it is missing. A number picks from a list, or a key of an object."""
    if not path:
        yield value
        return
    head, _, rest = path.partition(".")
    if head == "*":
        if isinstance(value, list | dict):
            for item in value.values() if isinstance(value, dict) else value:
                yield from values_at(item, rest)
    elif isinstance(value, dict):
        if head in value:
            yield from values_at(value[head], rest)
    elif isinstance(value, list) and head.isdecimal() and int(head) < len(value):
        yield from values_at(value[int(head)], rest)


def one_at(value: Any, path: str) -> Any:
    """The only value at the path. Raises LookupError when there is none, or more than one."""
    found = list(values_at(value, path))
    if len(found) != 1:
        raise LookupError(f"{len(found)} values at {path}")
    return found[0]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that holds no other, with its path (numbers for the places in a list)."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from leaves(item, f"{path}.{place}" if path else str(place))
    else:
        yield path, value


def replaced(value: Any, path: str, new: Any) -> Any:
    """A copy with `new` at every place that the path names; what the path does not name stays. A key that is missing at
    the path's end is added to its object."""
    head, _, rest = path.partition(".")
    if isinstance(value, dict):
        if head != "*" and head not in value:
            return value if rest else {**value, head: new}
        return {
            key: (replaced(item, rest, new) if rest else new) if head in ("*", key) else item
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            (replaced(item, rest, new) if rest else new) if head in ("*", str(place)) else item
            for place, item in enumerate(value)
        ]
    return value


def covers(pattern: str, path: str) -> bool:
    """Whether `path` lies at or below `pattern`, whose `*` stands for any one part."""
    parts, wanted = path.split("."), pattern.split(".") if pattern else []
    return len(wanted) <= len(parts) and all(want in ("*", part) for want, part in zip(wanted, parts, strict=False))
