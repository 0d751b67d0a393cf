"""The one gate for every outgoing address: providers, tools, webhooks, sign-in, imports.

Promise: EGR-1..4. A connection goes only to an origin that was published, only to an address that was looked at after
the name was resolved (callers connect to the returned address, so a second answer of the name server changes
nothing), never to link-local or cloud metadata, and to private ranges only where the provider says so. Redirects are
never followed: callers ask `refuse_redirect`. When the gate cannot answer (no resolution), nothing is sent.

Sources: RFC 6890 and the IANA special-purpose registries for the ranges; the metadata addresses are those the cloud
providers document (AWS, Google Cloud, Azure, Oracle, Alibaba, Scaleway).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

import msgspec

from handrail.policy.ruleset import Ruleset
from handrail.terms.errors import Code, HandrailError

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

DEFAULT_PORTS = {"http": 80, "https": 443}

METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google Cloud, Azure, Oracle, DigitalOcean
        "169.254.170.2",  # AWS ECS task credentials
        "fd00:ec2::254",  # AWS over IPv6
        "fd20:ce::254",  # Google Cloud over IPv6
        "fd00:42::42",  # Scaleway over IPv6
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure wire server
        "192.0.0.192",  # Oracle Cloud, first generation
    )
)
NEVER = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),
    IPv4Network("224.0.0.0/4"),
    IPv4Network("240.0.0.0/4"),
    IPv6Network("::/128"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
)
NAT64 = IPv6Network("64:ff9b::/96")
V4_COMPATIBLE = IPv6Network("::/96")


class Origin(msgspec.Struct, frozen=True):
    """Where a connection goes. `host`: lower case, ASCII (IDNA), no brackets."""

    scheme: str
    host: str
    port: int

    @property
    def tls(self) -> bool:
        return self.scheme in ("https", "smtps")

    @property
    def authority(self) -> str:
        """As in the `host` header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if DEFAULT_PORTS.get(self.scheme) == self.port else f"{host}:{self.port}"


def denied(what: str) -> HandrailError:
    return HandrailError(Code.EGRESS_DENIED, what)


def parse_url(url: str) -> tuple[Origin, str]:
    """Origin and path (without a trailing slash). Raises EGRESS_DENIED; the message never repeats the URL's secrets."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (
            (parts.hostname or "").encode("idna").decode("ascii").lower()
            if ":" not in (parts.hostname or "")
            else (parts.hostname or "").lower()
        )
    except ValueError:
        raise denied("an address is not a valid URL; write it as https://host[:port]/path") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise denied("an address must start with https:// (or http:// inside a private network)")
    if not host:
        raise denied("an address has no host; write it as https://host[:port]/path")
    if parts.username is not None or parts.password is not None:
        raise denied(f"the address of {host} carries a user or password; name the secret with key_env or key_file")
    if parts.query or parts.fragment:
        raise denied(f"the address of {host} carries a query or fragment; give only https://host[:port]/path")
    return Origin(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme]), parts.path.rstrip("/")


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, Teredo's server aside, NAT64), else itself."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return inner
        if address in NAT64 or (address in V4_COMPATIBLE and int(address) > 1):
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def objection(text: str, *, private_network: bool) -> str | None:
    """Why an address may not be connected to, as the end of a sentence; None = it may."""
    try:
        outer = ip_address(text.partition("%")[0])
    except ValueError:
        return "is not an IP address"
    address = embedded(outer)
    if address in METADATA or outer in METADATA:
        return "is a cloud metadata address, which is never called"
    if any(address.version == network.version and address in network for network in NEVER):
        return "is link-local, multicast or reserved, which is never called"
    if not address.is_global and not private_network:
        return "is private or loopback; set private_network: true on the provider if that is meant"
    return None


class Egress:
    """Answers with addresses that may be connected to. Resolutions are kept for `keep_s` seconds, at most 256."""

    def __init__(
        self,
        *,
        resolve: Resolve,
        published: Callable[[], Collection[Origin]],
        monotonic: Callable[[], float],
        keep_s: float = 30.0,
    ) -> None:
        self._resolve = resolve
        self._published = published
        self._monotonic = monotonic
        self._keep_s = keep_s
        self._kept: dict[Origin, tuple[float, tuple[str, ...]]] = {}

    def admit(self, origin: Origin, *, private_network: bool) -> None:
        """Raises EGRESS_DENIED unless the origin is published and does not send secrets in clear text abroad."""
        if origin not in self._published():
            raise denied(f"{origin.authority} is not published; add it to the home folder and run `handrail publish`")
        if not origin.tls and not private_network:
            raise denied(
                f"{origin.authority} would be called without TLS; use https://, or set private_network: true "
                "if it is inside your own network"
            )

    async def addresses(self, origin: Origin, *, private_network: bool) -> tuple[str, ...]:
        """To connect to, in the resolver's order, at least one. Raises EGRESS_DENIED, UPSTREAM_UNREACHABLE."""
        self.admit(origin, private_network=private_network)
        found = await self._lookup(origin)
        objections = {text: objection(text, private_network=private_network) for text in found}
        fine = tuple(text for text, reason in objections.items() if reason is None)
        if not fine:
            raise denied(f"{origin.authority} resolves to an address that {next(iter(objections.values()))}")
        return fine

    def forget(self, origin: Origin) -> None:
        """After no address could be connected to: resolve again next time."""
        self._kept.pop(origin, None)

    async def _lookup(self, origin: Origin) -> tuple[str, ...]:
        now = self._monotonic()
        kept = self._kept.get(origin)
        if kept is not None and now < kept[0]:
            return kept[1]
        try:
            found = tuple(dict.fromkeys(await self._resolve(origin.host, origin.port)))
        except OSError:
            found = ()
        if not found:
            raise HandrailError(
                Code.UPSTREAM_UNREACHABLE, f"{origin.host} cannot be resolved; check the name and the name server"
            )
        while len(self._kept) >= 256:
            del self._kept[next(iter(self._kept))]
        self._kept[origin] = (now + self._keep_s, found)
        return found


def refuse_redirect(status: int, who: str) -> None:
    """Raises EGRESS_DENIED for a status that asks to go elsewhere (304 does not)."""
    if 300 <= status < 400 and status != 304:
        raise denied(f"{who} answered with a redirect, which is never followed; set base_url to the final address")


def provider_origins(ruleset: Ruleset) -> frozenset[Origin]:
    """What a ruleset publishes: the origin of each provider and of each target system of tools."""
    urls = [provider.base_url for provider in ruleset.providers.values()]
    urls += [upstream.base_url for upstream in ruleset.upstreams.values() if upstream.base_url]
    return frozenset(parse_url(url)[0] for url in urls)


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """The operating system's resolver, in a thread. Raises OSError. A literal address needs no look-up."""
    try:
        return (str(ip_address(host.partition("%")[0])),)
    except ValueError:
        pass
    rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(row[4][0]) for row in rows]
