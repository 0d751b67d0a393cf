"""Paths into JSON values: `order.items.0.price`, `*` for every element of a list; pure."""

from collections.abc import Iterator
from typing import Any


def values_at(value: Any, path: str) -> Iterator[Any]:
    """Every value at the path; none when a part of it is missing. A number picks from a list, or a key of an object."""
    if not path:
        yield value
        return
    head, _, rest = path.partition(".")
    if head == "*":
        if isinstance(value, list):
            for item in value:
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
