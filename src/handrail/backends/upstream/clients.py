"""Ways to reach a provider, for `app.wire`: our own HTTP/1.1 client, or aiohttp."""

from collections.abc import Callable

from handrail.backends.egress import Egress
from handrail.backends.upstream.aiohttp_client import AiohttpTransport, load
from handrail.backends.upstream.model import Transport
from handrail.backends.upstream.pool import HttpPool
from handrail.backends.upstream.request import Addressing, Secret
from handrail.policy.ruleset import Provider


def own_http(*, egress: Egress, secret: Secret) -> Callable[[Provider], Transport]:
    """`secret(provider)`: the key for its `key_env` or `key_file`; cheap, since asked at each request; raises
    HandrailError when it is not there."""
    return lambda provider: HttpPool(Addressing(provider, secret), egress)


def with_aiohttp(*, egress: Egress, secret: Secret, proxy: str | None = None) -> Callable[[Provider], Transport]:
    """`proxy`: URL of an HTTP proxy for every provider. Raises HOME_INVALID when the extra is not installed."""
    load()
    return lambda provider: AiohttpTransport(Addressing(provider, secret), egress, proxy=proxy)
