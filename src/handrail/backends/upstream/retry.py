"""When to try a provider again, and after how long. Pure.

Only before a byte was given on: the model client decides on the response head. The statuses are those that the
official OpenAI and Anthropic clients retry (408, 409, 429, 5xx); of the 5xx only the ones that a second try can mend.
`x-should-retry` of the upstream is obeyed as those clients do.
"""

from collections.abc import Iterable
from email.utils import parsedate_to_datetime

import msgspec

RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
FAILURES = frozenset({500, 502, 503, 504, 529})  # what the circuit breaker counts; 429 is a limit, not an outage


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """`cap_s`: the longest wait of our own. `patience_s`: a Retry-After beyond it is not waited for; the answer goes
    back at once, so that the guard can try the next target."""

    first_s: float = 0.25
    cap_s: float = 4.0
    patience_s: float = 10.0


def asked_wait_s(headers: Iterable[tuple[str, str]], *, now_ms: int) -> float | None:
    """Seconds the upstream asks to wait (`retry-after-ms`, or Retry-After as seconds or HTTP date); None = unsaid."""
    found = {name: value.strip() for name, value in headers if name in ("retry-after", "retry-after-ms")}
    millis = found.get("retry-after-ms", "")
    if _is_number(millis):
        return float(millis) / 1000
    text = found.get("retry-after", "")
    if _is_number(text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_ms / 1000)
    except (ValueError, OverflowError, TypeError):
        return None


def _is_number(text: str) -> bool:
    return len(text) <= 12 and text.replace(".", "", 1).isdecimal() and text.isascii()


def should_retry(status: int, headers: Iterable[tuple[str, str]]) -> bool:
    for name, value in headers:
        if name == "x-should-retry" and value in ("true", "false"):
            return value == "true" and status >= 400
    return status in RETRIED


def wait_s(attempt: int, asked_s: float | None, *, jitter: float, backoff: Backoff) -> float | None:
    """Seconds before the next try after try number `attempt` (1 = first); None = longer than we are willing to wait.
    `jitter`: 0 to 1, so that many callers do not come back at one instant."""
    if asked_s is not None:
        return asked_s + backoff.first_s * jitter if asked_s <= backoff.patience_s else None
    return float(min(backoff.cap_s, backoff.first_s * 2 ** (attempt - 1)) * (0.5 + 0.5 * jitter))
