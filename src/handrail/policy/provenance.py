"""Where each consequential value of a call came from in the recorded conversation; pure.

Strongest first: a verified fact; what a trusted upstream's read stated (never a part that others wrote, never an
object known to be another customer's); the customer's own words, also spoken or in another format; only what outsiders
wrote; nowhere. What the model said counts for nothing: it repeats its sources, good and bad. A value that a verified
fact of the same meaning denies (`Tool.recorded`) is contradicted, whoever said it. When this cannot tell it says
unknown, and the action holds. What the agent itself wrote into a system in this conversation is no record of it, and
a read that repeats its own question records nothing but the objects it shows.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from handrail.policy.action import Fact, Origin, Traced, Vouched
from handrail.policy.conversation import Turn
from handrail.policy.known import Known, shown_ids
from handrail.policy.wording import Readings, Wording, mentioned
from handrail.terms.action import ActionType
from handrail.terms.finding import Role
from handrail.tools.amount import in_words
from handrail.tools.paths import covers, leaves, values_at
from handrail.tools.registry import Tool, Upstream, UpstreamId


class Sources:
    """The texts of a conversation by who stands behind them. Built once per conversation state."""

    def __init__(self, turns: Sequence[Turn], upstreams: Mapping[UpstreamId, Upstream], readings: Readings) -> None:
        self.customer = [(turn.index, readings.wording(turn.text)) for turn in turns if turn.role is Role.USER]
        self._record: dict[Any, list[int]] = {}
        self._texts: list[tuple[int, Wording, list[Wording]]] = []
        self._written: set[Any] = set()
        self._wrote: list[Wording] = []
        self._outside: list[tuple[int, Wording]] = []
        for turn in turns:
            if turn.role in (Role.TOOL, Role.DOCUMENT):
                self._sort(turn, upstreams, readings)

    def _sort(self, turn: Turn, upstreams: Mapping[UpstreamId, Upstream], readings: Readings) -> None:
        """Leaves that the upstream vouches for, and everything else as text of outsiders."""
        tool = turn.call.tool if turn.call else None
        upstream = upstreams.get(tool.upstream) if tool else None
        if turn.call is None or tool is None or upstream is None or not upstream.trusted or turn.said is None:
            self._outside.append((turn.index, readings.wording(turn.text)))
            return
        sent = [value for _, value in leaves(turn.call.arguments)]
        if tool.type is not ActionType.READ:
            self._written.update(_key(value) for value in sent)
            self._wrote += [readings.wording(value) for value in sent if isinstance(value, str) and _is_text(value)]
        if _is_text(turn.said):
            self._sort_text(turn, tool, [str(value) for value in sent], readings)
            return
        repeated = {_key(value) for value in sent} - {_key(one) for one in shown_ids(turn)}
        quoted = []
        for path, value in (*leaves(turn.said), *_keys(turn.said)):
            key = _key(value)
            if any(covers(pattern, path) for pattern in tool.quotes):
                quoted.append(str(value))
            elif value is None or isinstance(value, bool) or key in repeated:
                continue
            elif key in self._record or key not in self._written:
                self._record.setdefault(key, []).append(turn.index)
        if quoted:
            self._outside.append((turn.index, readings.wording("\n".join(quoted))))

    def _sort_text(self, turn: Turn, tool: Tool, sent: list[str], readings: Readings) -> None:
        """A response in words: record, unless others wrote some of it, for nobody can tell where."""
        wording = readings.wording(turn.text)
        if tool.quotes:
            self._outside.append((turn.index, wording))
        else:
            self._texts.append((turn.index, wording, [*self._wrote, *map(readings.wording, sent)]))

    def recorded(self, value: Any, amount: Decimal | None = None) -> list[int]:
        """The trusted responses that state exactly this value, or in words this `amount` in major units."""
        found = [index for index, text, own in self._texts if _states(text, value, amount) and not _any(own, value)]
        return [*self._record.get(_key(value), []), *found]

    def named(self, value: Any) -> bool:
        """Whether the customer said it."""
        return any(wording.says(value) for _, wording in self.customer)

    def outside(self, value: Any) -> int | None:
        return next((index for index, wording in self._outside if wording.says(value)), None)


def _is_text(value: Any) -> bool:
    """More than a word: a bare id is a value."""
    return isinstance(value, str) and any(sign.isspace() for sign in value.strip())


def _states(text: Wording, value: Any, amount: Decimal | None) -> bool:
    return text.quotes(value) if amount is None else text.states(amount)


def _any(texts: Iterable[Wording], value: Any) -> bool:
    return any(text.says(value) for text in texts)


def traced_of(
    tool: Tool,
    arguments: dict[str, Any],
    facts: Iterable[Fact],
    sources: Sources,
    known: Known,
    digits: int | None = None,
) -> tuple[Traced, ...]:
    """One row for each value at the tool's `consequential_values` and `traced`. `digits`: minor digits of the call's
    currency."""
    by_name = {fact.name: fact for fact in facts if fact.vouched is Vouched.VERIFIED}
    rows = []
    for pattern in dict.fromkeys((*tool.consequential_values, *tool.traced)):
        for path, value in _values(arguments, pattern):
            amount = in_words(tool, path, arguments, value, digits)
            rows.append(_trace(tool, path, value, amount, by_name, sources, known))
    return tuple(rows)


def from_customer(call: Mapping[str, Any], sources: Sources, before: int) -> bool:
    """Whether every value of a call is the customer's own word, said before message `before`."""
    values = [value for _, value in leaves(dict(call)) if value not in (None, "")]
    spoken = [wording for index, wording in sources.customer if index < before]
    return bool(values) and all(mentioned(value, spoken) is not None for value in values)


def _trace(
    tool: Tool, path: str, value: Any, amount: Decimal | None, facts: Mapping[str, Fact], sources: Sources, known: Known
) -> Traced:
    fact = facts.get(_recorded(tool, path))
    if fact is not None:
        if _agrees(fact.value, value):
            return Traced(path, Origin.VERIFIED, -1, "fact")
        return Traced(path, Origin.CONTRADICTED, -1, "fact")
    if amount is None and any(_customers(name, fact, value) for name, fact in facts.items()):
        return Traced(path, Origin.VERIFIED, -1, "fact")
    said = _said(tool, path, value, amount, [wording for _, wording in sources.customer])
    read = sources.recorded(value, amount)
    own = next((message for message in read if not known.foreign(message)), None)
    if own is not None:
        return Traced(path, Origin.RECORD, own, "read")
    if said is not None:
        return Traced(path, Origin.CUSTOMER, sources.customer[said][0], "said")
    if read:
        return Traced(path, Origin.UNTRUSTED, read[0], "other.customer")
    outside = sources.outside(value)
    if outside is not None:
        return Traced(path, Origin.UNTRUSTED, outside, "quoted")
    return Traced(path, Origin.UNKNOWN)


def _customers(name: str, fact: Fact, value: Any) -> bool:
    """Whether a verified fact of the customer is this value: a text, or the customer's id. Other numbers and truths are
    equal by chance (`customer.count` is 1)."""
    if name.partition(".")[0] != "customer" or isinstance(value, bool):
        return False
    if name == "customer.id":
        return str(fact.value) == str(value)
    return isinstance(value, str) and not isinstance(fact.value, bool | int | float) and _agrees(fact.value, value)


def _said(tool: Tool, path: str, value: Any, amount: Decimal | None, wordings: Sequence[Wording]) -> int | None:
    """Place of the customer's text that states the value, or says it in a phrase of its registration."""
    if amount is not None:
        return next((at for at in range(len(wordings) - 1, -1, -1) if wordings[at].states(amount)), None)
    said = mentioned(value, wordings)
    if said is not None:
        return said
    by_value = [values for pattern, values in tool.means.items() if covers(pattern, path)]
    phrases = [phrase.casefold() for values in by_value for phrase in values.get(str(value), ())]
    return next((at for at, wording in enumerate(wordings) if any(phrase in wording.plain for phrase in phrases)), None)


def _recorded(tool: Tool, path: str) -> str:
    return next((fact for pattern, fact in tool.recorded.items() if covers(pattern, path)), "")


def _agrees(fact: Any, value: Any) -> bool:
    if isinstance(fact, list):
        return any(_key(one) == _key(value) for one in fact)
    return bool(_key(fact) == _key(value))


def _key(value: Any) -> Any:
    """Values that mean the same: numbers by size, text without case and outer blanks."""
    if isinstance(value, str):
        return value.strip().casefold()
    return value


def _keys(value: Any) -> Iterable[tuple[str, Any]]:
    """Keys of mappings are values too: a response lists variants by their id."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key), key
            yield from ((f"{key}.{path}", found) for path, found in _keys(item))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from ((f"{place}.{path}", found) for path, found in _keys(item))


def _values(arguments: dict[str, Any], pattern: str) -> Iterable[tuple[str, Any]]:
    if not any(True for _ in values_at(arguments, pattern)):
        return ()
    return [(path, value) for path, value in leaves(arguments) if covers(pattern, path) and value not in (None, "")]
