"""What the recorded conversation says of a call: the customer's words, what our reads showed, where values came from.

The record is the ledger's: what customers and models said passed through here, and a read counts as one only when
handrail itself carried it out. What a client sends as a tool's result is text of outsiders. Masked values are put back
in memory alone, for this one reading.

When the record cannot be read whole (a payload expired or was erased, the conversation is longer than `MOST`, it names
two customers, storage does not answer) the conversation counts as unknown, and a consequential action is held.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from handrail.guard.record import Payload
from handrail.in_force.snapshot import Snapshot
from handrail.policy.action import ActionInput
from handrail.policy.conversation import Called, Turn, answered, turns_of
from handrail.policy.evaluate import Found
from handrail.policy.replay import Asked, Schema, World, given_of
from handrail.policy.wording import Reader
from handrail.terms.action import Action, Door
from handrail.terms.finding import Role
from handrail.terms.ids import ConversationId, UseCaseId
from handrail.tools.registry import Tool

log = logging.getLogger("handrail.actions")
MOST = 400
"""Interactions and actions of one conversation that are read; a longer one is unknown."""


class Spoken(msgspec.Struct, frozen=True):
    """One interaction. `payload`: of `guard.record.Payload`. `untrusted`: an injection was found in it. `found`: what
    else was. `failures`: detectors that did not answer."""

    at_ms: int
    payload: bytes
    untrusted: bool
    found: tuple[Found, ...] = ()
    failures: tuple[str, ...] = ()


class Acted(msgspec.Struct, frozen=True):
    """One action that handrail carried out. `result`: what the target answered, as JSON values."""

    at_ms: int
    request: Action
    result: Any


class Record(msgspec.Struct, frozen=True):
    """A conversation as it is recorded. `whole` False: some of it cannot be read."""

    spoken: tuple[Spoken, ...] = ()
    acted: tuple[Acted, ...] = ()
    whole: bool = True


class Conversations(Protocol):
    """Reads committed state only (`backends.acted`)."""

    async def record(self, conversation: ConversationId, *, most: int) -> Record:
        """Raises HandrailError JOURNAL_UNAVAILABLE."""
        ...


class Recollect:
    """`guard.action_ports.Recollection` over the ledger. `digits`: minor digits by currency."""

    def __init__(
        self, conversations: Conversations, *, reader: Reader, digits: Mapping[str, int], schema: Schema
    ) -> None:
        self._conversations = conversations
        self._reader = reader
        self._digits = digits
        self._schema = schema

    async def add(
        self, given: ActionInput, tool: Tool, conversation: ConversationId | None, snapshot: Snapshot
    ) -> ActionInput:
        if conversation is None:
            return given
        try:
            record = await self._conversations.record(conversation, most=MOST)
            if not record.whole:
                return given
            turns = turns_of_record(record, snapshot)
            asked = Asked(
                tool=tool.id, arguments=given.arguments, facts=given.facts, past=given.past, agent=given.agent,
                session=given.session, untrusted=any(one.untrusted for one in record.spoken),
            )  # fmt: skip
            seen = given_of(asked, turns, self._world(given.use_case, snapshot))
        except Exception as error:  # noqa: BLE001  whatever cannot be read stays unknown, and the action is held
            log.warning("actions.unread", extra={"reason": type(error).__name__})
            return given
        found = {(one.kind, one.side, one.role): one for spoken in record.spoken for one in spoken.found}
        failures = dict.fromkeys(failure for spoken in record.spoken for failure in spoken.failures)
        return msgspec.structs.replace(_with(given, seen), found=tuple(found.values()), failures=tuple(failures))

    def heard(
        self, given: ActionInput, tool: Tool, messages: Sequence[Mapping[str, Any]], snapshot: Snapshot
    ) -> ActionInput:
        """`given` with what a conversation teaches that is recorded nowhere, in the form of OpenAI chat. Whoever brings
        it vouches for it, so it is for probes alone: a tool's answer in it counts as a read of ours."""
        world = self._world(given.use_case, snapshot)
        names = {tool.name: tool for tool in world.tools.values()}
        turns = turns_of(messages, {**names, **world.tools})
        asked = Asked(
            tool=tool.id, arguments=given.arguments, facts=given.facts, past=given.past, agent=given.agent,
            session=given.session,
        )  # fmt: skip
        return _with(given, given_of(asked, turns, world))

    def _world(self, use_case: UseCaseId, snapshot: Snapshot) -> World:
        ruleset = snapshot.ruleset
        return World(
            use_case=use_case,
            tools={str(name): tool for name, tool in ruleset.tools.items()},
            upstreams=ruleset.upstreams,
            digits=self._digits,
            reader=self._reader,
            schema=self._schema,
        )


def _with(given: ActionInput, seen: ActionInput) -> ActionInput:
    """`given` with what only a conversation tells."""
    return msgspec.structs.replace(
        given, facts=seen.facts, own=seen.own, traced=seen.traced, agreed=seen.agreed, linked=seen.linked,
        untrusted=seen.untrusted,
    )  # fmt: skip


def turns_of_record(record: Record, snapshot: Snapshot) -> tuple[Turn, ...]:
    """Turns in the order of time. Raises msgspec.DecodeError for a payload that is none of ours."""
    items: list[Spoken | Acted] = sorted((*record.spoken, *record.acted), key=lambda item: item.at_ms)
    turns: list[Turn] = []
    for item in items:
        if isinstance(item, Acted):
            turns.append(_answered(len(turns), item, snapshot.ruleset.tools.get(item.request.tool)))
            continue
        payload = _PAYLOAD.decode(item.payload)
        for said in (*payload.messages, *payload.answer):
            text = _restored("\n".join(said.texts), payload.tokens)
            if text:
                turns.append(Turn(len(turns), said.role, text))
    return tuple(turns)


def _answered(index: int, item: Acted, tool: Tool | None) -> Turn:
    """A target's answer as the model got it: text as text, values as values, a failure as what teaches nothing."""
    said = item.result
    text = said if isinstance(said, str) else msgspec.json.encode(said).decode()
    by_caller = item.request.door is Door.PERMIT  # its answer is the caller's word, not a read of ours
    if tool is None or by_caller:
        return Turn(index, Role.TOOL, text)
    return answered(index, text, Called(tool, item.request.arguments), decode=msgspec.json.decode)


def _restored(text: str, tokens: Mapping[str, str]) -> str:
    for token, value in tokens.items():
        if token in text:
            text = text.replace(token, value)
    return text


_PAYLOAD = msgspec.json.Decoder(Payload)
