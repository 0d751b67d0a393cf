"""Whether the providers of the releases that are live can be reached and take our key, for `handrail doctor`.

Each gets one authenticated GET of its list of models, which costs nothing, over the same client and the same gate for
outgoing addresses as a customer's request, and with `AT_MOST_S` in all. Any answer but 401, 403, a redirect or a 5xx is
good: not every provider has such a list.
"""

import asyncio
from collections.abc import Iterable

from handrail.app.settings import Secrets
from handrail.app.wire import CLOCK
from handrail.backends.egress import Egress, provider_origins, refuse_redirect, system_resolve
from handrail.backends.upstream.answer import ExchangeFailed
from handrail.backends.upstream.clients import own_http
from handrail.guard.ports import ModelRequest
from handrail.policy.ruleset import Provider, Ruleset
from handrail.terms.errors import HandrailError

AT_MOST_S = 5.0
MODELS = "/models"


async def unreached(ruleset: Ruleset, providers: Iterable[Provider], secrets: Secrets) -> dict[str, str]:
    """What is wrong, by provider; all are asked at once. Raises nothing."""
    origins = provider_origins(ruleset)
    egress = Egress(resolve=system_resolve, published=lambda: origins, monotonic=CLOCK.monotonic)
    asked = list(providers)
    said = await asyncio.gather(*(_asked(provider, egress, secrets) for provider in asked))
    return {provider.id: why for provider, why in zip(asked, said, strict=True) if why}


async def _asked(provider: Provider, egress: Egress, secrets: Secrets) -> str:
    """Empty when all is well."""
    transport = None
    try:
        transport = own_http(egress=egress, secret=secrets)(provider)
        request = ModelRequest(provider=provider, path=MODELS, body=b"", stream=False, method="GET")
        async with asyncio.timeout(AT_MOST_S):
            answer = await transport.exchange(request, fresh=True)
        answer.abandon()
        refuse_redirect(answer.status, f"provider {provider.id}")
    except TimeoutError:
        return f"it did not answer within {AT_MOST_S:.0f} s"
    except ExchangeFailed as failure:
        return failure.error.message
    except HandrailError as error:
        return error.message
    finally:
        if transport is not None:
            await transport.abort()
    return _meaning(answer.status)


def _meaning(status: int) -> str:
    if status == 401:
        return "it does not accept the key (status 401)"
    if status == 403:
        return "it does not accept the key, or not for a list of models (status 403)"
    return f"it answers with status {status}" if status >= 500 else ""
