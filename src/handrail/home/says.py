"""What a field of the home is for, as part of its type."""

from typing import Any

from msgspec import Meta


def says(description: str, **limits: Any) -> Meta:
    """`limits`: of `msgspec.Meta`; `expected`: a pattern in words."""
    expected = limits.pop("expected", None)
    return Meta(description=description, extra={"expected": expected} if expected else None, **limits)
