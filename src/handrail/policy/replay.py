"""A call in its conversation to the input of its decision, and whole recorded conversations decided again; pure.

The same steps for a live call, for `policy run` and for a recorded period: what the turns before the call teach
(`known`), where its values came from (`provenance`), what the customer agreed to (`consent`), then `decide_action`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from handrail.policy.action import ActionDecision, ActionInput, Fact, Past, Room, Vouched
from handrail.policy.consent import consent_of, facts_of_consent
from handrail.policy.conversation import Decode, Turn, turns_of
from handrail.policy.decide_action import Prepared, decide_action
from handrail.policy.known import Known, facts_of, learn, own_of
from handrail.policy.provenance import Sources, from_customer, traced_of
from handrail.policy.wording import Reader, Readings
from handrail.terms.ids import UseCaseId
from handrail.tools.amount import amount_of
from handrail.tools.registry import Tool, Upstream, UpstreamId

Schema = Callable[[Tool, dict[str, Any]], tuple[str, ...]]
"""Paths of the arguments that the tool's schema refuses."""

CUSTOMER = "customer.id"
"""The verified fact that says who the customer is."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What a conversation is read with. `tools`: by the name under which the model knows them. `digits`: minor digits
    by currency."""

    use_case: UseCaseId
    tools: Mapping[str, Tool]
    upstreams: Mapping[UpstreamId, Upstream]
    digits: Mapping[str, int]
    reader: Reader
    schema: Schema
    decode: Decode = msgspec.json.decode


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One call as an agent asks for it, with what its caller knows beside the conversation."""

    tool: str
    arguments: dict[str, Any]
    facts: tuple[Fact, ...] = ()
    past: tuple[Past, ...] = ()
    room: tuple[Room, ...] = ()
    agent: str = ""
    session: bool = True
    untrusted: bool = False


class Replayed(msgspec.Struct, frozen=True):
    """A call of a recorded conversation, decided again. `message`: the index of the message that asked for it."""

    message: int
    tool: str
    given: ActionInput
    decision: ActionDecision


def given_of(asked: Asked, turns: Sequence[Turn], world: World, readings: Readings | None = None) -> ActionInput:
    """The input of the decision on a call after these turns. `readings`: what was read of the same conversation before;
    None: nothing."""
    readings = readings or Readings(world.reader)
    tool = world.tools.get(asked.tool)
    if tool is None:
        return ActionInput(use_case=world.use_case, tool=_unknown(asked.tool), registered=False)
    sources = Sources(turns, world.upstreams, readings)
    known = known_of(turns, sources, asked.facts, world)
    learnt = facts_of(tool, asked.arguments, known)
    amount, currency, error = _amount(tool, asked.arguments, world.digits)
    digits = world.digits.get(currency)
    consent = consent_of(tool, asked.arguments, turns, known, learnt, readings, digits)
    derived = (*learnt, *facts_of_consent(consent))
    stated = {fact.name for fact in asked.facts if fact.vouched is Vouched.VERIFIED}
    facts = (*asked.facts, *(fact for fact in derived if fact.name not in stated))
    return ActionInput(
        use_case=world.use_case,
        tool=tool.id,
        arguments=asked.arguments,
        agent=asked.agent,
        schema_errors=world.schema(tool, asked.arguments),
        linked=bool(turns),
        session=asked.session,
        amount_minor=amount,
        currency=currency,
        amount_error=error,
        facts=facts,
        own=own_of(tool, asked.arguments, known),
        traced=traced_of(tool, asked.arguments, facts, sources, known, digits),
        agreed=consent.agreed,
        past=asked.past,
        room=asked.room,
        untrusted=asked.untrusted,
    )


def known_of(turns: Sequence[Turn], sources: Sources, facts: Iterable[Fact], world: World) -> Known:
    """What the reads taught. A verified `customer.id` of the caller's wins over who identified in the conversation."""
    spoken = frozenset(
        turn.index for turn in turns if turn.call and from_customer(turn.call.arguments, sources, turn.index)
    )
    known = learn(turns, world.upstreams, world.digits, spoken, sources.named)
    stated = [str(fact.value) for fact in facts if fact.name == CUSTOMER and fact.vouched is Vouched.VERIFIED]
    return msgspec.structs.replace(known, customers=tuple(stated)) if stated else known


def calls_of(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """(message index, tool name, arguments) of every readable call in OpenAI messages."""
    for index, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            arguments = function.get("arguments")
            try:
                values = msgspec.json.decode(arguments) if isinstance(arguments, str) else arguments
            except (ValueError, RecursionError):
                values = None
            yield index, str(function.get("name")), values if isinstance(values, dict) else {}


def replay_conversation(
    messages: Sequence[Mapping[str, Any]], world: World, prepared: Prepared, facts: tuple[Fact, ...] = ()
) -> Iterator[Replayed]:
    """Every call of the conversation, each decided from the messages before it alone."""
    turns = turns_of(messages, world.tools, world.decode)
    readings = Readings(world.reader)
    for index, name, arguments in calls_of(messages):
        before = [turn for turn in turns if turn.index < index]
        given = given_of(Asked(tool=name, arguments=arguments, facts=facts), before, world, readings)
        yield Replayed(index, name, given, decide_action(given, prepared))


def _amount(tool: Tool, arguments: dict[str, Any], digits: Mapping[str, int]) -> tuple[int | None, str, str]:
    if tool.money is None:
        return None, "", ""
    try:
        money = amount_of(arguments, tool.money, dict(digits))
    except ValueError as error:
        return None, "", str(error)
    return money.minor, money.currency, ""


def _unknown(name: str) -> Any:
    return name[:200]
