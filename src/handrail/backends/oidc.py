"""Calls to the sign-in provider, over our own HTTP/1.1 client and the egress gate: its hosts only, no redirects."""

from collections.abc import Collection

from handrail.backends.egress import Egress, Origin, Resolve, parse_url, refuse_redirect
from handrail.backends.upstream.answer import ExchangeFailed
from handrail.backends.upstream.pool import HttpPool
from handrail.backends.upstream.request import Addressing
from handrail.guard.ports import ModelRequest
from handrail.policy.ruleset import Dialect, Provider
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ProviderId

STEP_MS = 8_000
MOST_BYTES = 1 << 20


class ProviderCalls:
    """`console.signin.provider_pages.Fetch`. `urls`: the issuer and what else its configuration may name (their origins
    count). `private_network`: it may be a private or loopback address."""

    def __init__(
        self, urls: Collection[str], *, private_network: bool, ca_file: str, resolve: Resolve, clock: Clock
    ) -> None:
        """Raises HandrailError EGRESS_DENIED for an address that is none."""
        origins = frozenset(parse_url(url)[0] for url in urls)
        self._egress = Egress(resolve=resolve, published=lambda: origins, monotonic=clock.monotonic)
        self._private = private_network
        self._ca_file = ca_file

    async def get(self, url: str) -> bytes:
        return await self._exchange(url, "GET", b"")

    async def post(self, url: str, form: bytes) -> bytes:
        return await self._exchange(url, "POST", form)

    async def _exchange(self, url: str, method: str, body: bytes) -> bytes:
        plain, mark, query = url.partition("?")
        origin, path = parse_url(plain)
        provider = Provider(
            id=ProviderId("sign-in"), dialect=Dialect.OPENAI, base_url=_base(origin), ca_file=self._ca_file or None,
            private_network=self._private, connect_timeout_ms=STEP_MS, first_byte_timeout_ms=STEP_MS,
            idle_timeout_ms=STEP_MS,
        )  # fmt: skip
        headers = (("content-type", "application/x-www-form-urlencoded"),) if body else ()
        request = ModelRequest(
            provider=provider,
            path=(path or "/") + mark + query,
            body=body,
            stream=False,
            method=method,
            headers=headers,
        )
        pool = HttpPool(Addressing(provider, lambda _: ""), self._egress)
        try:
            answer = await pool.exchange(request, fresh=True)
            refuse_redirect(answer.status, "the sign-in provider")
            text = await answer.read()
        except ExchangeFailed as failure:
            raise failure.error from None
        finally:
            pool.retire()
            await pool.abort()
        if answer.status != 200 or len(text) > MOST_BYTES:
            raise HandrailError(Code.UPSTREAM_ERROR, f"the sign-in provider answered {answer.status}")
        return text


def _base(origin: Origin) -> str:
    return f"{origin.scheme}://{origin.authority}"
