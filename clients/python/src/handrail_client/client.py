"""The client. Every event carries an id made here, so a retry after a lost answer is counted once."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from handrail_client.errors import Refused
from handrail_client.exchange import Request, Transport, answered, run
from handrail_client.transport import Address, HttpTransport

PATH = "/api/v1/events"


class Handrail:
    """`api_key` needs the scope `events`. `source` names this sender; (source, id) is an event's identity. Every call
    names exactly one of interaction, conversation or customer, and returns the server's row for the event."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        source: str = "handrail-client",
        timeout_s: float = 10.0,
        attempts: int = 4,
        transport: Transport | None = None,
    ) -> None:
        self._transport = transport or HttpTransport(Address(base_url, api_key))
        self._source = source
        self._timeout_s = timeout_s
        self._attempts = attempts

    @staticmethod
    def headers(
        *, conversation: str | None = None, customer: str | None = None, channel: str | None = None
    ) -> dict[str, str]:
        """Headers for a model client (`extra_headers=` of openai and anthropic)."""
        named = {
            "x-handrail-conversation": conversation,
            "x-handrail-customer": customer,
            "x-handrail-channel": channel,
        }
        return {name: value for name, value in named.items() if value is not None}

    def send(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Send events as they stand (`id`, `source` and `time` are added where missing). One row per event comes back;
        raises Refused when the server took none or some, with all rows in `results`; Unreachable without an answer."""
        now = int(time.time() * 1000)
        full = [{"id": uuid.uuid4().hex, "source": self._source, "time": now, **event} for event in events]
        status, answer = self._post(json.dumps({"events": full}).encode())
        rows: list[dict[str, Any]] = answer.get("results", [])
        if status >= 300 or any(row.get("status") == "invalid" for row in rows):
            error = answer.get("error") or {"code": "events.invalid", "message": _first_fault(rows)}
            raise Refused(status, str(error.get("code", "")), str(error.get("message", "")), rows)
        return rows

    def _post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        reply = run(answered(Request("POST", PATH, body), self._attempts), self._transport, self._timeout_s)
        return reply.status, _decoded(reply.body)

    def _one(self, kind: str, about: Mapping[str, str | None], **data: Any) -> dict[str, Any]:
        known = {key: value for key, value in data.items() if value is not None}
        event = {"type": kind, **{key: value for key, value in about.items() if value is not None}, "data": known}
        return self.send([event])[0]

    def answered_by_ai(self, **about: str) -> dict[str, Any]:
        """The AI answered without a person."""
        return self._one("answered_by_ai", about)

    def transfer(self, *, reason: str | None = None, **about: str) -> dict[str, Any]:
        """The contact went to a person. `reason`: a short code."""
        return self._one("transfer", about, reason=reason)

    def repeat_contact(self, *, reason: str | None = None, **about: str) -> dict[str, Any]:
        """The customer came back about the same thing; counts for the first conversation."""
        return self._one("repeat_contact", about, reason=reason)

    def complaint(self, *, reason: str | None = None, comment: str | None = None, **about: str) -> dict[str, Any]:
        return self._one("complaint", about, reason=reason, comment=comment)

    def csat(self, score: float, *, scale_max: float = 5, **about: str) -> dict[str, Any]:
        """`score` between 0 and `scale_max`."""
        return self._one("csat", about, score=score, scale_max=scale_max)

    def override(self, *, proposed: str, sent: str, reason: str | None = None, **about: str) -> dict[str, Any]:
        """Staff sent something else than the AI proposed; both texts are sealed."""
        return self._one("override", about, proposed=proposed, sent=sent, reason=reason)

    def resolution(self, resolved: bool, **about: str) -> dict[str, Any]:
        return self._one("resolution", about, resolved=resolved)

    def handle_time(self, seconds: float, **about: str) -> dict[str, Any]:
        return self._one("handle_time", about, seconds=seconds)

    def refund_reversed(self, amount_minor: int, currency: str, **about: str) -> dict[str, Any]:
        """`amount_minor`: integer minor units, such as cents."""
        return self._one("refund_reversed", about, amount_minor=amount_minor, currency=currency)

    def flag(self, reason: str, *, comment: str | None = None, **about: str) -> dict[str, Any]:
        """Staff flag a mistake of the AI. `reason`: a short code; `comment` is sealed."""
        return self._one("flag", about, reason=reason, comment=comment)


class AsyncHandrail:
    """The same calls as coroutines: `await rail.csat(4, conversation="c-17")`. Each runs in a worker thread."""

    def __init__(self, base_url: str, api_key: str, **options: Any) -> None:
        self._sync = Handrail(base_url, api_key, **options)
        self.headers = self._sync.headers

    async def send(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self._run("send", events)
        return rows

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not callable(getattr(self._sync, name, None)):
            raise AttributeError(name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._run(name, *args, **kwargs)

        return call

    async def _run(self, name: str, *args: Any, **kwargs: Any) -> Any:
        import asyncio  # deferred: a synchronous caller never pays for it

        return await asyncio.to_thread(getattr(self._sync, name), *args, **kwargs)


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _first_fault(rows: Sequence[Mapping[str, Any]]) -> str:
    fault = next((row for row in rows if row.get("status") == "invalid"), {})
    return f"event {fault.get('id', '?')}: {fault.get('field', '')}: {fault.get('message', 'not taken')}"
