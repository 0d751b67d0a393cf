"""The aiohttp client behind an HTTP proxy: the proxy is an outgoing address like any other."""

import asyncio

import pytest

from handrail.backends.egress import Egress, parse_url, system_resolve
from handrail.backends.upstream.clients import with_aiohttp
from handrail.backends.upstream.model import UpstreamModel
from handrail.terms.errors import Code, HandrailError

BASE = "http://models.internal/v1"


async def proxy(call) -> None:
    await call.answer(b"by way of the proxy")


def model(b, site, published: set[str]) -> UpstreamModel:
    origins = {parse_url(url)[0] for url in published}
    egress = Egress(resolve=system_resolve, published=lambda: origins, monotonic=b.clock.monotonic)
    connect = with_aiohttp(egress=egress, secret=lambda _: "k", proxy=f"http://localhost:{site.port}")
    return UpstreamModel(connect=connect, clock=b.clock, jitter=lambda: 0.0, pause=asyncio.sleep)


def test_a_call_goes_to_the_proxy_which_resolves_the_providers_name(with_proxies) -> None:
    async def test(_model, site) -> None:
        client = model(with_proxies, site, {BASE, f"http://localhost:{site.port}"})
        answer = await client.send(site.ask(base_url=BASE))
        assert await answer.read() == b"by way of the proxy"
        assert site.calls[0].target == "http://models.internal/v1/chat/completions"
        await client.close()

    with_proxies.play(proxy, test)


@pytest.mark.promise("EGR-1")
def test_neither_an_unpublished_proxy_nor_an_unpublished_provider_is_called(with_proxies) -> None:
    async def test(_model, site) -> None:
        for published in ({BASE}, {f"http://localhost:{site.port}"}):
            client = model(with_proxies, site, published)
            with pytest.raises(HandrailError) as caught:
                await client.send(site.ask(base_url=BASE))
            assert caught.value.code is Code.EGRESS_DENIED
            await client.close()
        assert site.connections == 0

    with_proxies.play(proxy, test)
