"""Where an address of a provider may lead, judged by its words alone; `backends.egress` checks again what it resolves
to. Pure."""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit


class Reachable(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"
    NEVER = "never"  # link-local, metadata, unspecified, multicast


@dataclass(frozen=True, slots=True)
class Address:
    """`path`: without the last slash."""

    scheme: str
    host: str
    path: str
    reachable: Reachable
    has_user: bool
    has_rest: bool  # a query or a fragment


_PRIVATE_ENDINGS = (".internal", ".local", ".localhost", ".lan", ".home.arpa", ".cluster.local", ".svc")
_METADATA = frozenset({"metadata", "metadata.google.internal", "instance-data"})


def address(url: str) -> Address | None:
    """None when this is not an address with a scheme and a host."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
        _ = parts.port
    except ValueError:
        return None
    if not parts.scheme or not host or any(char.isspace() for char in url):
        return None
    return Address(
        scheme=parts.scheme.lower(),
        host=host,
        path=parts.path.rstrip("/"),
        reachable=_reachable(host),
        has_user="@" in parts.netloc,
        has_rest=bool(parts.query or parts.fragment),
    )


def _reachable(host: str) -> Reachable:
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        if host in _METADATA:
            return Reachable.NEVER
        private = "." not in host or host.endswith(_PRIVATE_ENDINGS)
        return Reachable.PRIVATE if private else Reachable.PUBLIC
    if isinstance(number, ipaddress.IPv6Address) and number.ipv4_mapped is not None:
        number = number.ipv4_mapped
    if number.is_link_local or number.is_unspecified or number.is_multicast:
        return Reachable.NEVER
    return Reachable.PRIVATE if number.is_private or number.is_loopback else Reachable.PUBLIC
