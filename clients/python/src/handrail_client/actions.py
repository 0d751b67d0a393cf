"""Ask handrail for actions: it decides, waits for a person where it must, and calls the target once. Or, with a permit,
you do: `permit`, `redeem`, your own call, `report` (see `permits`)."""

from collections.abc import Mapping
from typing import Any, TypeVar

from handrail_client.asking import Action, Status, asking, cancelling, looking
from handrail_client.exchange import AsyncTransport, Exchange, Transport, run, run_async
from handrail_client.permits import Permit, permitting, redeeming, reporting
from handrail_client.talk import Talk, current
from handrail_client.transport import Address, AsyncHttpTransport, HttpTransport

T = TypeVar("T")

TIMEOUT_S = 40.0
"""For one answer, beyond the wait that was asked for; a target may take 30 seconds by default."""


def _talk(conversation: str | None, customer: str | None, language: str | None) -> Talk:
    """What is named wins over the `conversation(...)` around the call; facts of one customer never go with another."""
    around = current()
    if conversation is not None and conversation != around.id:
        around = Talk()
    named = (conversation or around.id, customer or around.customer, language or around.language)
    return Talk(*named, around.facts if customer in (None, around.customer) else {})


class Actions:
    """`api_key` needs the scope `act`. `timeout_s`: for one answer, beyond what `wait_s` asks for. `attempts`: how
    often a lost answer is asked for."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        attempts: int = 4,
        transport: Transport | None = None,
    ) -> None:
        self._transport = transport or HttpTransport(Address(base_url, api_key))
        self._timeout_s = timeout_s
        self._attempts = attempts

    def ask(
        self,
        action: str,
        arguments: Mapping[str, Any],
        *,
        conversation: str | None = None,
        customer: str | None = None,
        language: str | None = None,
        facts: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
    ) -> Action:
        """Ask for an action by its full name, such as `shop.refund`. Held is an answer, not an error. Waits at most
        `wait_s` seconds for its end. Raises Refused (not registered, wrong key, ...) or Unreachable."""
        talk = _talk(conversation, customer, language)
        return self._run(asking(action, arguments, talk, facts, wait_s, self._attempts))

    def look(self, action_id: str, *, wait_s: float = 0.0) -> Action:
        """How far it is, at its end or after `wait_s` seconds. Raises Refused or Unreachable."""
        return self._run(looking(action_id, wait_s, self._attempts))

    def cancel(self, action_id: str) -> Action:
        """Take back what still waits. Raises Refused when it no longer does, or Unreachable."""
        return self._run(cancelling(action_id, self._attempts))

    def permit(
        self,
        action: str,
        arguments: Mapping[str, Any],
        *,
        conversation: str | None = None,
        customer: str | None = None,
        language: str | None = None,
        facts: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
    ) -> Permit | Action:
        """As `ask`, but you carry it out: a Permit when it may be done now, else the action that waits or is over."""
        talk = _talk(conversation, customer, language)
        return self._run(permitting(action, arguments, talk, facts, wait_s, self._attempts))

    def redeem(self, permit: Permit) -> bool:
        """The right to do it, once. False, or Unreachable: do nothing."""
        return self._run(redeeming(permit, self._attempts))

    def report(self, permit: Permit, result: Any = None, *, failed: str | None = None) -> Action:
        """What came of it: the target's answer, or `failed` with a short code when it certainly had no effect. Who
        cannot tell reports nothing, and a person is asked. Raises Refused or Unreachable."""
        status = Status.DONE if failed is None else Status.FAILED
        return self._run(reporting(permit, status, result, failed or "", self._attempts))

    def _run(self, exchange: Exchange[T]) -> T:
        return run(exchange, self._transport, self._timeout_s)


class AsyncActions:
    """The same, awaited. Cancelling a call stops the waiting, never the action: `cancel` takes that back."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        attempts: int = 4,
        transport: AsyncTransport | None = None,
    ) -> None:
        self._transport = transport or AsyncHttpTransport(Address(base_url, api_key))
        self._timeout_s = timeout_s
        self._attempts = attempts

    async def ask(
        self,
        action: str,
        arguments: Mapping[str, Any],
        *,
        conversation: str | None = None,
        customer: str | None = None,
        language: str | None = None,
        facts: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
    ) -> Action:
        """As `Actions.ask`."""
        talk = _talk(conversation, customer, language)
        return await self._run(asking(action, arguments, talk, facts, wait_s, self._attempts))

    async def look(self, action_id: str, *, wait_s: float = 0.0) -> Action:
        """As `Actions.look`."""
        return await self._run(looking(action_id, wait_s, self._attempts))

    async def cancel(self, action_id: str) -> Action:
        """As `Actions.cancel`."""
        return await self._run(cancelling(action_id, self._attempts))

    async def permit(
        self,
        action: str,
        arguments: Mapping[str, Any],
        *,
        conversation: str | None = None,
        customer: str | None = None,
        language: str | None = None,
        facts: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
    ) -> Permit | Action:
        """As `Actions.permit`."""
        talk = _talk(conversation, customer, language)
        return await self._run(permitting(action, arguments, talk, facts, wait_s, self._attempts))

    async def redeem(self, permit: Permit) -> bool:
        """As `Actions.redeem`."""
        return await self._run(redeeming(permit, self._attempts))

    async def report(self, permit: Permit, result: Any = None, *, failed: str | None = None) -> Action:
        """As `Actions.report`."""
        status = Status.DONE if failed is None else Status.FAILED
        return await self._run(reporting(permit, status, result, failed or "", self._attempts))

    async def _run(self, exchange: Exchange[T]) -> T:
        return await run_async(exchange, self._transport, self._timeout_s)
