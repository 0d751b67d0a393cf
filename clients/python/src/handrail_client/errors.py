"""What a caller has to know when a call has no good answer."""

from collections.abc import Mapping, Sequence
from typing import Any


class Refused(Exception):
    """The server understood and said no. `code`: its stable code; `results`: one row per event where it sent them."""

    def __init__(self, status: int, code: str, message: str, results: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.results = results


class Unreachable(Exception):
    """No answer after every attempt. What was sent may or may not have arrived: send it again, with the same ids; it
    counts and happens once."""
