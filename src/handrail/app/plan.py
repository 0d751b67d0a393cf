"""What a server's processes are told: written by `handrail serve` before it becomes their parent, read by each child.

It goes through a pipe and never through the command line, which every user of the machine can read: the address of a
database may hold a password.
"""

from pathlib import Path

import msgspec

from handrail.app.keep import handed
from handrail.app.settings import Settings


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`host`, `port`: what is bound. `lost_after_ms`: an interaction without an end is interrupted after this long."""

    settings: Settings
    host: str
    port: int
    lost_after_ms: int


def encoded(plan: Plan) -> bytes:
    """As `parsed` reads it."""
    return msgspec.json.encode(plan, enc_hook=str)


def written(plan: Plan) -> int:
    """A file descriptor that survives exec and from which the plan can be read once. Raises OSError when it is longer
    than a pipe holds (64 KiB)."""
    return handed(encoded(plan))


def parsed(data: bytes) -> Plan:
    """The plan in what was read from the descriptor."""
    return msgspec.json.decode(data, type=Plan, dec_hook=_path)


def _path(kind: type, value: object) -> Path:
    assert kind is Path
    return Path(str(value))
