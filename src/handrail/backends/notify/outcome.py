"""How one try to deliver a notice went."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Protocol

import msgspec

from handrail.approvals.notice_words import Message
from handrail.policy.notices import Receiver


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`code`: empty when the receiver has it, else why not, for records: no content. `detail`: a sentence for a person.
    `retry_after_s`: what the receiver asked for. `final`: it will never take anything. `partly`: some of its addresses
    were refused, and it is not sent again, which would reach the others twice."""

    code: str = ""
    detail: str = ""
    retry_after_s: float | None = None
    final: bool = False
    partly: bool = False


class Sender(Protocol):
    """One kind of receiver. One event loop."""

    async def send(self, receiver: Receiver, message: Message) -> Outcome:
        """Tries once. Raises HandrailError when it could not leave; may be cancelled at the deadline."""
        ...

    async def close(self) -> None: ...


Reference = Callable[[str, str, str], str]
"""(who, variable, file) to the value that stands there. Raises HandrailError that names the reference, never the
value."""


def retry_after(value: str, now_ms: int) -> float | None:
    """Seconds of a `Retry-After` header: a count or a date (RFC 9110, 10.2.3). None: it says nothing."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, until.timestamp() - now_ms / 1_000)
