"""Chat webhooks (JSON with a text), signed webhooks and pager events, over our own HTTP/1.1 client and the egress gate.

Each try has a connection of its own. A redirect is never followed. The answer's body is not read.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from handrail.approvals.notice_words import Message
from handrail.backends.egress import DEFAULT_PORTS, Egress, Origin, denied, parse_url
from handrail.backends.notify.outcome import Outcome, Reference, retry_after
from handrail.backends.notify.signing import signed
from handrail.backends.upstream.answer import ExchangeFailed
from handrail.backends.upstream.pool import HttpPool
from handrail.backends.upstream.request import Addressing
from handrail.guard.ports import ModelRequest
from handrail.policy.notices import Receiver, ReceiverKind, listed_host
from handrail.policy.ruleset import Dialect, Provider
from handrail.terms.ids import ProviderId

STEP_MS = 8_000
"""To connect, and to the first byte of the answer."""
GONE = 410
MOST_SUMMARY, MOST_KEY = 1_024, 255
"""Characters that a pager takes."""
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class HttpSender:
    """`backends.notify.outcome.Sender` for `chat`, `webhook` and `pager`. `now_ms`: of what is signed."""

    def __init__(self, *, egress: Egress, reference: Reference, now_ms: Callable[[], int]) -> None:
        self._egress = egress
        self._reference = reference
        self._now_ms = now_ms

    async def send(self, receiver: Receiver, message: Message) -> Outcome:
        base, path = self._address(receiver)
        provider = Provider(
            id=ProviderId(receiver.id), dialect=Dialect.OPENAI, base_url=base, ca_file=receiver.ca_file or None,
            private_network=receiver.private_network, connect_timeout_ms=STEP_MS, first_byte_timeout_ms=STEP_MS,
            idle_timeout_ms=STEP_MS,
        )  # fmt: skip
        pool = HttpPool(Addressing(provider, _no_secret), self._egress)
        try:
            answer = await pool.exchange(self._request(receiver, provider, path, message), fresh=True)
        except ExchangeFailed as failure:
            return Outcome(code=failure.error.code.value, detail=failure.error.message.replace("provider ", "", 1))
        finally:
            pool.retire()
        status, headers = answer.status, dict(answer.headers)
        await pool.abort()
        return told(status, headers.get("retry-after", ""), self._now_ms())

    async def close(self) -> None:
        return None

    def _address(self, receiver: Receiver) -> tuple[str, str]:
        """Origin and path. Raises HandrailError EGRESS_DENIED when a secret address leads elsewhere than published."""
        url = receiver.url or self._reference(f"receiver {receiver.id}", receiver.url_env, receiver.url_file)
        plain, mark, query = url.partition("?")
        origin, _ = parse_url(plain)
        if not receiver.url and not leads_to(origin, receiver.hosts):
            raise denied(
                f"the address of receiver {receiver.id} leads to none of its hosts; correct hosts or the address"
            )
        parts = urlsplit(plain)  # its path as it was given: some receivers tell /hook/ from /hook
        return f"{origin.scheme}://{parts.netloc}", (parts.path or "/") + mark + query

    def _request(self, receiver: Receiver, provider: Provider, path: str, message: Message) -> ModelRequest:
        headers: tuple[tuple[str, str], ...] = ()
        body = message.body
        if receiver.kind is ReceiverKind.WEBHOOK:
            secret = self._reference(f"receiver {receiver.id}", receiver.secret_env, receiver.secret_file)
            headers = signed(secret, message.id, self._now_ms() // 1_000, body)
        elif receiver.kind is ReceiverKind.PAGER:
            body = paged(self._reference(f"receiver {receiver.id}", receiver.secret_env, receiver.secret_file), message)
        else:
            text = f"*{message.subject}*\n{message.text}".translate(_ESCAPED)
            body = msgspec.json.encode({"text": text})
        return ModelRequest(provider=provider, path=path, body=body, stream=False, method="POST", headers=headers)


def paged(routing_key: str, message: Message) -> bytes:
    """A trigger event of PagerDuty's Events API v2 (developer.pagerduty.com, "Send an alert event"). The same cause has
    the same `dedup_key`, so that a pager holds it once too."""
    at = datetime.fromtimestamp(message.at_ms / 1_000, UTC)
    return msgspec.json.encode(
        {
            "routing_key": routing_key.strip(),
            "event_action": "trigger",
            "dedup_key": (message.cause or message.about or message.id)[:MOST_KEY],
            "client": "handrail",
            "payload": {
                "summary": f"{message.subject}: {message.text}".replace("\n", "; ")[:MOST_SUMMARY],
                "source": "handrail",
                "severity": message.severity or "warning",
                "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1_000:03d}+0000",
                "class": message.cause or "notice",
                "custom_details": msgspec.Raw(message.body),
            },
        }
    )


def leads_to(origin: Origin, hosts: tuple[str, ...]) -> bool:
    """`hosts`: `name`, which means the scheme's own port, or `name:port`."""
    usual = DEFAULT_PORTS[origin.scheme]
    return any((name, port or usual) == (origin.host, origin.port) for name, port in map(listed_host, hosts))


def told(status: int, wait: str, now_ms: int) -> Outcome:
    """What a status says. 410 is how a receiver says that it wants nothing any more (standard-webhooks)."""
    if 200 <= status < 300:
        return Outcome(detail=f"answered {status}")
    if 300 <= status < 400:
        return Outcome(
            code="http.redirect",
            detail=f"answered {status}, a redirect, which is never followed; write the final address",
        )
    return Outcome(
        code=f"http.{status}",
        detail=f"answered {status}",
        retry_after_s=retry_after(wait, now_ms) if wait else None,
        final=status == GONE,
    )


def _no_secret(_: Provider) -> str:
    return ""
