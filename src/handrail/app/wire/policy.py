"""What the rules of a home are played with outside the server (schemas of arguments, CEL if installed), and who asks an
MCP server for its tools."""

from typing import Any

from handrail.app.wire import CLOCK
from handrail.backends.cel import installed_cel
from handrail.backends.egress import Egress, parse_url, system_resolve
from handrail.backends.schemas import ArgumentSchemas
from handrail.backends.tools.mcp_listing import listed
from handrail.home.check_rules import Engines
from handrail.terms.errors import Code, HandrailError
from handrail.tools.registry import Upstream, UpstreamId, UpstreamKind

PATIENCE_MS = 15_000
__all__ = ["engines", "listed", "listed_at"]


async def listed_at(url: str, *, key: str, private_network: bool) -> dict[str, Any]:
    """`{"tools": [...]}` as an MCP server over streamable HTTP announces them. `key`: for its Authorization header;
    empty: none. No redirect is followed; `private_network`: its address may be one. Raises HandrailError
    REQUEST_INVALID for what is no address, EGRESS_DENIED, UPSTREAM_UNREACHABLE, and GUARD_UNAVAILABLE without the extra
    `mcp`."""
    from handrail.app.wire.actions import mcp_targets  # deferred: much, and only here

    try:
        origin = parse_url(url)[0]
    except HandrailError:
        raise HandrailError(Code.REQUEST_INVALID, "--url: an address with http:// or https:// is expected") from None
    egress = Egress(resolve=system_resolve, published=lambda: frozenset({origin}), monotonic=CLOCK.monotonic)
    upstream = Upstream(
        id=UpstreamId("target"), kind=UpstreamKind.MCP, base_url=url, private_network=private_network,
        timeout_ms=PATIENCE_MS,
    )  # fmt: skip
    return await mcp_targets(egress, lambda _: key).ask(upstream, "tools/list", {})


def engines() -> Engines:
    return Engines(cel=installed_cel(), schema=ArgumentSchemas().errors)
