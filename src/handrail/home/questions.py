"""One action put to the rules of a ruleset, outside the server: for `policy run`, `policy test` and a publish; pure.

A question is a line of `policy run` or a case beside the rules. It goes the way of a live call (`policy.replay`), with
what the question says of the conversation, of facts and of what happened before. What it leaves out is unknown, and a
rule or a built-in that needs it holds.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from handrail.detectors.assent import assent_reader
from handrail.home.codes import CURRENCIES
from handrail.home.tree import Listing, Node, Scalar, parse
from handrail.home.tree import Mapping as MappingNode
from handrail.policy.action import ActionDecision, ActionInput, Fact, Past, Room, Vouched
from handrail.policy.action_rules import About, ActionRules, Limit, Per, Within
from handrail.policy.cel import CelCompiler
from handrail.policy.conversation import turns_of
from handrail.policy.decide_action import Prepared, decide_action
from handrail.policy.replay import Asked, Schema, World, given_of
from handrail.policy.ruleset import Ruleset
from handrail.terms.action import ToolId
from handrail.terms.ids import UseCaseId
from handrail.tools.amount import amount_of
from handrail.tools.paths import values_at
from handrail.tools.registry import Tool

YAML_BYTES = 64 * 1024
"""A tool's answer longer than this is read as JSON or as text."""
_YAML = re.compile(r"(?m)^(- |\s*[\w\"'][^\n:]{0,100}:(\s|$))")
_FORMS = {
    Within.MINUTE: "%Y-%m-%dT%H:%M", Within.HOUR: "%Y-%m-%dT%H", Within.DAY: "%Y-%m-%d", Within.MONTH: "%Y-%m",
    Within.EVER: "",
}  # fmt: skip


_ROLLING = {"hours": (_FORMS[Within.HOUR], timedelta(hours=1), 24), "days": (_FORMS[Within.DAY], timedelta(days=1), 30)}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """`action`: a tool, in full or by its own name. `facts`: name to value (verified), to `{value, vouched}`, or to a
    mapping of more facts. `conversation`: OpenAI messages. `history`: counts by name, or earlier actions as
    `{action, arguments, at?, agent?}`. `at`: ISO 8601. `use_case`: left out, the only one that has the tool."""

    action: str
    arguments: dict[str, Any] = {}
    use_case: str | None = None
    facts: dict[str, Any] | list[dict[str, Any]] | None = None
    conversation: list[dict[str, Any]] | None = None
    history: dict[str, Any] | list[dict[str, Any]] | None = None
    agent: str | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """`enforced`: the decision as if the use case enforced."""

    given: ActionInput
    enforced: ActionDecision


class Questions:
    """The use cases of one ruleset, prepared once. `schema`: see `policy.replay.Schema`. Raises CelError for a
    condition that does not compile."""

    def __init__(self, ruleset: Ruleset, *, schema: Schema, cel: CelCompiler | None = None) -> None:
        self.ruleset = ruleset
        listed = {
            name: tuple(ruleset.tools[tool] for tool in case.tools if tool in ruleset.tools)
            for name, case in ruleset.use_cases.items()
        }
        enforcing = {name: msgspec.structs.replace(case, mode="enforce") for name, case in ruleset.use_cases.items()}
        self._prepared = Prepared(enforcing, listed, ruleset.actions, cel)
        reader = assent_reader()
        self._worlds = {
            name: World(
                use_case=name, tools=by_name(tools), upstreams=ruleset.upstreams, digits=CURRENCIES, reader=reader,
                schema=schema, decode=values_in,
            )
            for name, tools in listed.items()
        }  # fmt: skip
        self._zone = ZoneInfo(ruleset.time_zone)
        self._asked = past_names(ruleset.actions)

    def answer(self, question: Question, *, now_ms: int) -> Answered:
        """`now_ms`: where the question names no instant. Raises ValueError saying what of the question cannot be read.
        A use case or tool that is not registered is denied, as it would be live."""
        at = _instant(question.at, now_ms).astimezone(self._zone)
        use_case = self._use_case(question)
        world = self._worlds.get(use_case)
        facts = facts_in(question.facts)
        messages = _messages(question.conversation)
        tool = world.tools.get(question.action) if world else None
        if world is None or tool is None:
            given = ActionInput(use_case=use_case, tool=ToolId(question.action[:200]), registered=False)
            return Answered(given, decide_action(given, self._prepared))
        past, room = self._before(question, world, tool, at)
        asked = Asked(
            tool=question.action, arguments=question.arguments, facts=facts, past=past, room=room,
            agent=question.agent or "",
        )  # fmt: skip
        turns = turns_of(messages, world.tools, world.decode)
        given = msgspec.structs.replace(
            given_of(asked, turns, world), minute=at.hour * 60 + at.minute, weekday=at.weekday()
        )
        return Answered(given, decide_action(given, self._prepared))

    def decide(self, given: ActionInput) -> ActionDecision:
        """A recorded input, decided again as if enforced."""
        return decide_action(given, self._prepared)

    def _use_case(self, question: Question) -> UseCaseId:
        if question.use_case is not None:
            return UseCaseId(question.use_case)
        having = [name for name, world in self._worlds.items() if question.action in world.tools]
        if len(having) != 1:
            raise ValueError("`use_case` is missing: " + (f"{len(having)} use cases list this action"))
        return having[0]

    def _before(
        self, question: Question, world: World, tool: Tool, at: datetime
    ) -> tuple[tuple[Past, ...], tuple[Room, ...]]:
        """What the register would count, and the room that limits leave."""
        earlier: Sequence[_Earlier] = ()
        past: tuple[Past, ...] = ()
        if isinstance(question.history, list):
            earlier = [_earlier(row, world, at, self._zone) for row in question.history]
            past = tuple(_counted(self._asked, earlier, question, tool, at))
        elif question.history is not None:
            past = tuple(_counts(question.history))
        room = tuple(
            Room(limit.id, limit.at_most - _used(limit, earlier, question, tool, at, world))
            for limit in self.ruleset.actions.limits
            if limit.per is not Per.ACTION and _concerns(limit, world.use_case, tool)
        )
        return past, room


def by_name(tools: Sequence[Tool]) -> dict[str, Tool]:
    """Every name under which a model may know a tool: its own where only one upstream has it, and in full with a dot
    or, since function names have none, with one or two underscores."""
    own = [tool.name for tool in tools]
    names = {tool.name: tool for tool in tools if own.count(tool.name) == 1}
    for tool in tools:
        for joint in (".", "_", "__"):
            names.setdefault(f"{tool.upstream}{joint}{tool.name}", tool)
    return names


def past_names(rules: ActionRules) -> tuple[str, ...]:
    """What rules ask of the past, sorted."""
    found = set()
    for rule in rules.rules:
        for match in (*rule.when, *rule.unless):
            if match.about is About.PAST:
                found.add(match.name)
            if match.other.startswith("past:"):
                found.add(match.other.removeprefix("past:"))
    return tuple(sorted(found))


def values_in(text: str) -> Any:
    """The values of a tool's answer: JSON, or YAML where it looks like it. Raises ValueError when it is neither."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        if len(text) > YAML_BYTES or not _YAML.search(text):
            raise
    root, wrong = parse("", text)
    if root is None or wrong or isinstance(root, Scalar):
        raise ValueError("neither JSON nor YAML")
    return _plain(root)


def facts_in(given: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None) -> tuple[Fact, ...]:
    """Raises ValueError for a fact without a name or with an unknown `vouched`."""
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple(_facts("", given))
    listed = []
    for row in given:
        if not isinstance(row.get("name"), str):
            raise ValueError("a fact in a list is {name, value, vouched}")
        listed.append(_fact(row["name"], row))
    return tuple(listed)


def _facts(start: str, given: Mapping[str, Any]) -> Iterator[Fact]:
    for name, value in given.items():
        if isinstance(value, Mapping) and "value" in value and value.keys() <= {"value", "vouched"}:
            yield _fact(f"{start}{name}", value)
        elif isinstance(value, Mapping):
            yield from _facts(f"{start}{name}.", value)
        else:
            yield Fact(f"{start}{name}", value, Vouched.VERIFIED)


def _fact(name: str, row: Mapping[str, Any]) -> Fact:
    vouched = row.get("vouched", Vouched.VERIFIED.value)
    if vouched not in {one.value for one in Vouched}:
        raise ValueError("`vouched` is verified, claimed or said")
    return Fact(name, row.get("value"), Vouched(vouched))


def _counts(given: Mapping[str, Any], start: str = "") -> Iterator[Past]:
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from _counts(value, f"{start}{name}.")
        elif isinstance(value, int) and not isinstance(value, bool):
            yield Past(f"{start}{name}", value)
        else:
            raise ValueError(f"`history` {start}{name} is a whole number: a count, or minor units")


@dataclass(frozen=True, slots=True)
class _Earlier:
    """An action that happened before. `at`: in the organisation's time; None: not told, it counts in each window."""

    tool: Tool
    arguments: Mapping[str, Any]
    agent: str
    at: datetime | None


def _earlier(row: Mapping[str, Any], world: World, at: datetime, zone: ZoneInfo) -> _Earlier:
    name = row.get("action", row.get("tool"))
    tool = world.tools.get(str(name))
    if tool is None:
        raise ValueError("`history` names an action that is not among the tools of this use case")
    arguments = row.get("arguments") or {}
    if not isinstance(arguments, Mapping):
        raise ValueError("the arguments of an earlier action are an object")
    when = _instant(str(row["at"]), 0).astimezone(zone) if row.get("at") is not None else None
    if when is not None and when > at:
        raise ValueError("an earlier action lies after the instant of the question")
    return _Earlier(tool, arguments, str(row.get("agent", "")), when)


def _used(limit: Limit, earlier: Sequence[_Earlier], question: Question, tool: Tool, at: datetime, world: World) -> int:
    used = 0
    for one in earlier:
        if not _concerns(limit, world.use_case, one.tool) or not _same(limit.per, one, question, tool):
            continue
        if not _within(limit.within, one.at, at):
            continue
        used += _minor(one, limit.currency, world) if limit.currency else 1
    return used


def _minor(one: _Earlier, currency: str, world: World) -> int:
    if one.tool.money is None:
        return 0
    money = amount_of(dict(one.arguments), one.tool.money, dict(world.digits))
    return money.minor if money.currency == currency else 0


def _counted(
    asked: Sequence[str], earlier: Sequence[_Earlier], question: Question, tool: Tool, at: datetime
) -> Iterator[Past]:
    """What the register would count (`guard.history`): SCOPE.WHAT.WINDOW, WHAT a tool's own name or an action type."""
    for name in asked:
        scope, what, window = [*name.split("."), "", "ever"][:3]
        per = next((per for per in Per if per.value == scope.replace("_", "-") and per is not Per.ACTION), None)
        if per is None:
            continue
        those = [
            one
            for one in earlier
            if what in (one.tool.name, one.tool.type.value.replace("-", "_"))
            and _same(per, one, question, tool)
            and _lately(window or "ever", one.at, at)
        ]
        yield Past(name, len(those))


def _lately(window: str, earlier: datetime | None, at: datetime) -> bool:
    if earlier is None:
        return True
    if window in _ROLLING:
        form, step, many = _ROLLING[window]
        return earlier.strftime(form) >= (at - step * (many - 1)).strftime(form)
    return window in set(Within) and _within(Within(window), earlier, at)


def _same(per: Per, one: _Earlier, question: Question, tool: Tool) -> bool:
    """Whether an earlier action counts with this one. A question speaks of one customer and one conversation."""
    if per is Per.AGENT:
        return one.agent in ("", question.agent or "")
    if per is Per.OBJECT:
        return bool(_objects(tool, question.arguments) & _objects(one.tool, one.arguments))
    return True


def _objects(tool: Tool, arguments: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(kind, repr(value)) for path, kind in tool.objects.items() for value in values_at(arguments, path)}


def _within(window: Within, earlier: datetime | None, at: datetime) -> bool:
    form = _FORMS[window]
    return earlier is None or earlier.strftime(form) == at.strftime(form)


def _concerns(limit: Limit, use_case: UseCaseId, tool: Tool) -> bool:
    return (
        (not limit.tools or tool.id in limit.tools)
        and (not limit.types or tool.type in limit.types)
        and (not limit.use_cases or use_case in limit.use_cases)
    )


def _instant(written: str | None, now_ms: int) -> datetime:
    if written is None:
        return datetime.fromtimestamp(now_ms / 1_000, UTC)
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError("`at` is an instant such as 2026-11-21T10:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _messages(given: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Messages of OpenAI's form; contents that are values become their JSON."""
    messages = []
    for message in given or ():
        if "role" not in message:
            raise ValueError("`conversation` is a list of messages with role and content")
        content = message.get("content")
        parts = isinstance(content, list) and all(isinstance(one, Mapping) and "type" in one for one in content)
        if content is not None and not isinstance(content, str) and not parts:
            content = msgspec.json.encode(content).decode()
        messages.append({**message, "content": content})
    return messages


def _plain(node: Node) -> Any:
    match node:
        case MappingNode(items=items):
            return {key.raw: _plain(value) for key, value in items}
        case Listing(items=nodes):
            return [_plain(one) for one in nodes]
        case Scalar(value=value):
            return value
