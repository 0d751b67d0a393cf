"""The hour of the week where the organisation is, since that is what its customers' habits follow; pure."""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOURS = 168


def hour_of_week(at_ms: int, zone: str = "") -> int:
    """0 to 167, Monday first. `zone`: IANA name; empty, or one this machine does not know: UTC."""
    local = datetime.fromtimestamp(at_ms / 1000, _zone(zone))
    return 24 * local.weekday() + local.hour


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
