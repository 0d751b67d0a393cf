"""One condition against the registered tools: is there such a thing, of that type, in that unit; pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handrail.policy.action import Agreed, Origin, Vouched
from handrail.policy.action_rules import About, Match, Op, Rule
from handrail.policy.conditions import family
from handrail.policy.contradictions import Key, Region
from handrail.terms.finding import Kind
from handrail.tools.paths import covers
from handrail.tools.registry import Names, Tool, Unit

_PAST = re.compile(
    r"(customer|object|agent|conversation|use_case|fleet)\.[a-z_]+(\.(minute|hour|hours|day|days|month|ever))?"
)
_ORDERED = frozenset({Op.AT_MOST, Op.AT_LEAST, Op.ABOVE, Op.BELOW})
_SETS = frozenset({Op.IN, Op.NOT_IN})
_SAID = frozenset({"customer", "confirmed", "proposed", "nobody"})
_PICKED = frozenset({"named", "described", "ambiguous", "unread"})
_TALK = frozenset({"said.everything", "said.action", "said.declined", "said.compared"})
_JSON = {
    "string": "text", "integer": "number", "number": "number", "boolean": "truth", "array": "list", "object": "object",
    "null": "nothing",
}  # fmt: skip
_WHOLE = frozenset({About.PAST, About.AMOUNT, About.MINUTE, About.WEEKDAY})
_RANGE = {About.MINUTE: (0, 1_439), About.WEEKDAY: (0, 6)}
_WORDS = {About.AGREED: frozenset(Agreed), About.ORIGIN: frozenset(Origin), About.FINDING: frozenset(Kind)}
_TRUTH = frozenset({About.OWN, About.UNTRUSTED, About.LINKED})


@dataclass(frozen=True, slots=True)
class Words:
    """What conditions may name. `shown`: facts of each kind of object with their type (`text`, `number`, `truth`,
    `money`, `list`, `any`). `supplied`: facts of callers, with their type. `digits`: minor digits by currency."""

    shown: Mapping[str, Mapping[str, str]]
    supplied: Mapping[str, str]
    digits: Mapping[str, int]


def words_of(tools: Iterable[Tool], supplied: Mapping[str, str], digits: Mapping[str, int]) -> Words:
    """`tools`: all that are registered, since one tool's read teaches facts for another's call."""
    shown: dict[str, dict[str, str]] = {}
    for tool in tools:
        for shows in tool.shows:
            facts = shown.setdefault(shows.kind, {})
            if shows.owner:
                facts["owner"] = "text"
            for name, at in shows.facts.items():
                many = "*" in at.at.split(".")
                facts[name] = "list" if many else "money" if at.unit is not None else at.type or "any"
    return Words(shown, supplied, digits)


def check_match(match: Match, tools: Sequence[Tool], words: Words) -> Iterator[str]:
    """What is wrong with the condition for any of the tools, each as one sentence."""
    name = f"`{match.about.value}{' ' + match.name if match.name else ''}`"
    if match.vouched not in {vouched.value for vouched in Vouched}:
        yield f"{name}: `vouched` is verified, claimed or said"
    if match.op is Op.EXISTS:
        if not isinstance(match.value, bool) or match.other:
            yield f"{name}: `exists` is true or false"
        yield from _there(match.about, match.name, tools, words)
        return
    if match.value is None and not match.other:
        yield f"{name}: there is nothing to compare with"
        return
    missing = list(_there(match.about, match.name, tools, words))
    yield from missing
    if match.about is About.AMOUNT:
        yield from _amount(match, tools, words.digits)
    elif match.currency:
        yield f"{name}: `currency` belongs to `amount`"
    if match.other:
        yield from _other(match, tools, words)
    elif not missing:
        yield from _literal(match, name, tools, words)


def regions_of(tools: Sequence[Tool], rule: Rule) -> dict[Key, Region]:
    """What schemas admit for the arguments that the rule speaks of, when all its tools agree."""
    found: dict[Key, Region] = {}
    for match in rule.when:
        if match.about is About.ARGUMENT and not match.other:
            regions = {_region(schema) for tool in tools if (schema := _schema(tool, match.name)) is not None}
            if len(regions) == 1:
                found[About.ARGUMENT, match.name, ""] = regions.pop()
    return found


def lists_of(tools: Sequence[Tool], rule: Rule, words: Words) -> frozenset[Key]:
    """Things of the rule that may have many values."""
    keys: set[Key] = set()
    for match in rule.when:
        if match.about is About.FACT and any(_fact(match.name, tool, words) in ("list", "any") for tool in tools):
            keys.add((match.about, match.name, match.vouched))
        many = "*" in match.name.split(".") or match.about in (About.ORIGIN, About.FINDING)
        if match.about is not About.FACT and many:
            keys.add((match.about, match.name, ""))
    return frozenset(keys)


def check_name(about: About, name: str, tools: Sequence[Tool], words: Words) -> Iterator[str]:
    """What is wrong with naming this: an argument by its path, a fact, a count."""
    yield from _there(about, name, tools, words)


def check_value(path: str, value: Any, tool: Tool) -> Iterator[str]:
    """What is wrong with setting an argument to this value, as far as its type and choices tell."""
    yield from _argument(Match(about=About.ARGUMENT, op=Op.IS, name=path, value=value), value, [tool])


def _there(about: About, name: str, tools: Sequence[Tool], words: Words) -> Iterator[str]:
    if about is About.ARGUMENT:
        yield from (f"{tool.id} has no argument {name!r}" for tool in tools if _schema(tool, name) is None)
    elif about is About.FACT and name not in words.supplied:
        unknown = [tool for tool in tools if not _fact(name, tool, words)]
        yield from (f"no read and no caller gives the fact {name!r} to {tool.id}" for tool in unknown)
    elif about is About.PAST and not _PAST.fullmatch(name):
        yield f"{name!r} is no count of the register: write SCOPE.WHAT or SCOPE.WHAT.WINDOW"
    elif about is About.ORIGIN:
        untraced = [tool for tool in tools if not any(covers(name, path) for path in _traced(tool))]
        yield from (f"{tool.id} does not trace {name!r}" for tool in untraced)
    elif about is About.OWN:
        yield from (f"{tool.id} names no object by {name!r}" for tool in tools if name not in tool.objects)


def _traced(tool: Tool) -> tuple[str, ...]:
    return (*tool.consequential_values, *tool.traced)


def _amount(match: Match, tools: Sequence[Tool], digits: Mapping[str, int]) -> Iterator[str]:
    if match.currency not in digits:
        yield f"`amount` needs `currency`, an ISO 4217 code, not {match.currency!r}"
        return
    for tool in tools:
        if tool.money is None:
            yield f"{tool.id} does not say where its amount stands"
        elif tool.money.currency is not None and tool.money.currency != match.currency:
            yield f"{tool.id} moves {tool.money.currency}, not {match.currency}"


def _other(match: Match, tools: Sequence[Tool], words: Words) -> Iterator[str]:
    about, _, name = match.other.partition(":")
    if about not in ("fact", "argument", "past") or not name:
        yield f"{match.other!r} is not `fact:NAME`, `argument:PATH` or `past:NAME`"
        return
    wrong = list(_there(About(about), name, tools, words))
    yield from wrong
    if wrong:
        return
    for tool in tools:
        sides = _type(match.about, match.name, tool, words), _type(About(about), name, tool, words)
        left, right = ("number" if side == "money" else side for side in sides)
        if match.op in _SETS:
            comparable = right in ("list", "")
        else:
            comparable = left == right or "" in (left, right) or "list" in (left, right)
        if not comparable:
            yield f"{match.name or match.about.value} is {left}, {name} is {right}: they cannot be compared"
        else:
            yield from _units(match, About(about), name, sides, tool)


def _units(match: Match, about: About, name: str, sides: tuple[str, str], tool: Tool) -> Iterator[str]:
    """Amounts of facts are in minor units; an argument is as the target writes it, and a count is none."""
    money = [side == "money" or one is About.AMOUNT for side, one in zip(sides, (match.about, about), strict=True)]
    if money[0] == money[1]:
        return
    other, named = (about, name) if money[0] else (match.about, match.name)
    minor = tool.money is not None and tool.money.unit is Unit.MINOR and tool.money.amount == named
    if other is About.PAST or (other is About.ARGUMENT and not minor):
        hint = "compare `amount`" if tool.money is not None and tool.money.amount == named else "it has another unit"
        yield f"{tool.id}: an amount in minor units cannot be compared with {other.value} {named}: {hint}"


def _literal(match: Match, name: str, tools: Sequence[Tool], words: Words) -> Iterator[str]:
    values = match.value if match.op in _SETS else [match.value]
    if match.op in _SETS and (not isinstance(values, list | tuple) or not values):
        yield f"{name}: `{match.op.value}` takes a list of values"
        return
    if match.op in _ORDERED and family(match.value) not in ("number", "text"):
        yield f"{name}: `{match.op.value}` takes a number"
        return
    for value in values:
        yield from _value(match, name, value, tools, words)


def _value(match: Match, name: str, value: Any, tools: Sequence[Tool], words: Words) -> Iterator[str]:
    about = match.about
    if about in _WHOLE and (not isinstance(value, int) or isinstance(value, bool)):
        yield f"{name} is a whole number" + (", in minor units" if about is About.AMOUNT else "")
    elif about in _RANGE and not _RANGE[about][0] <= value <= _RANGE[about][1]:
        yield f"{name} lies between {_RANGE[about][0]} and {_RANGE[about][1]}"
    elif about in _TRUTH and not isinstance(value, bool):
        yield f"{name} is true or false"
    elif about in _WORDS and value not in _WORDS[about]:
        yield f"{name}: {value!r} is none of {', '.join(sorted(_WORDS[about]))}"
    elif about in _WORDS and about is About.FINDING and match.op not in (Op.IS, Op.IN):
        yield f"{name} is asked with `is` or `in`; use `unless` for its absence"
    elif about is About.ARGUMENT:
        yield from _argument(match, value, tools)
    elif about is About.FACT:
        yield from _fact_value(match, value, tools, words)


def _argument(match: Match, value: Any, tools: Sequence[Tool]) -> Iterator[str]:
    for tool in tools:
        schema = _schema(tool, match.name) or {}
        types = _types(schema)
        if types and family(value) not in types and not (match.op is Op.CONTAINS and "list" in types):
            yield f"{tool.id}: {match.name} is {' or '.join(sorted(types))}, not {family(value)}"
        elif match.op in _ORDERED and types and "number" not in types:
            yield f"{tool.id}: {match.name} has no order, `{match.op.value}` does not apply"
        elif match.op in (Op.IS, Op.IN) and "enum" in schema and value not in schema["enum"]:
            yield f"{tool.id}: {value!r} is no value of {match.name}"


def _fact_value(match: Match, value: Any, tools: Sequence[Tool], words: Words) -> Iterator[str]:
    head = match.name.partition(".")[0]
    possible = _SAID if head == "said" and match.name not in _TALK else _PICKED if head == "picked" else None
    if possible is not None and value not in possible:
        yield f"`fact {match.name}`: {value!r} is none of {', '.join(sorted(possible))}"
        return
    for tool in tools:
        kind = _type(About.FACT, match.name, tool, words)
        if kind == "money" and (not isinstance(value, int) or isinstance(value, bool)):
            yield f"`fact {match.name}` is a whole number, in minor units"
        elif kind in ("text", "number", "truth") and family(value) != kind:
            yield f"`fact {match.name}` is {kind}, not {family(value)}"


def _schema(tool: Tool, path: str) -> dict[str, Any] | None:
    """The schema at an argument path; None when the schema knows no such path."""
    schema: Any = tool.arguments
    for part in path.split("."):
        if not isinstance(schema, dict):
            return None
        if part == "*" or part.isdecimal():
            schema = schema.get("items", {} if "array" in _listed(schema.get("type")) else None)
        else:
            schema = schema.get("properties", {}).get(part)
    return schema if isinstance(schema, dict) else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _types(schema: Mapping[str, Any]) -> set[str]:
    return {_JSON[name] for name in _listed(schema.get("type")) if name in _JSON} - {"nothing"}


def _region(schema: Mapping[str, Any]) -> Region:
    low, high = (
        schema.get("minimum", schema.get("exclusiveMinimum")),
        schema.get("maximum", schema.get("exclusiveMaximum")),
    )
    only = schema.get("enum")
    return Region(
        low=low if low is not None else float("-inf"),
        low_open="exclusiveMinimum" in schema and "minimum" not in schema,
        high=high if high is not None else float("inf"),
        high_open="exclusiveMaximum" in schema and "maximum" not in schema,
        only=frozenset(only) if only is not None else None,
    )


def _type(about: About, name: str, tool: Tool, words: Words) -> str:
    """The family of a thing's values, `money` for minor units, or empty when unknown."""
    if about is About.ARGUMENT:
        if "*" in name.split("."):
            return "list"
        types = _types(_schema(tool, name) or {})
        return types.pop() if len(types) == 1 else ""
    if about is About.FACT:
        return words.supplied.get(name) or _fact(name, tool, words).replace("any", "")
    return "number" if about in _WHOLE else ""


def _fact(name: str, tool: Tool, words: Words) -> str:
    """The type of a fact that reads or the conversation give to calls of this tool: `any` when only its name is known,
    empty when there is no such fact."""
    if name in _TALK:
        return "truth"
    head, _, rest = name.partition(".")
    if head == "said":
        return "text" if rest in tool.arguments.get("properties", {}) else ""
    if head in ("picked", "named"):
        return ("text" if head == "picked" else "number") if rest in tool.names else ""
    if name in tool.totals:
        return "number"
    if name in ("customer.id", "customer.count"):
        return "text" if name == "customer.id" else "number"
    if head not in tool.names:
        return ""
    many = "*" in tool.names[head].argument.split(".")
    if rest in ("known", "distinct", "count"):
        return "number" if rest == "count" else "truth"
    if rest == "id":
        return "list" if many else "any"
    found = words.shown.get(tool.names[head].kind, {}).get(rest, "")
    return "list" if many and found else found


def check_tool(tool: Tool, words: Words) -> Iterator[str]:
    """What is wrong with the roles, totals and paths of a registration."""
    for paths, where in (
        (tool.objects, "objects"),
        (tool.consequential_values, "consequential_values"),
        (tool.traced, "traced"),
        (tool.business_key, "business_key"),
        (tool.recorded, "recorded"),
        (tool.means, "means"),
    ):
        yield from (f"`{where}`: there is no argument {path!r}" for path in paths if _schema(tool, path) is None)
    for role, names in tool.names.items():
        yield from _role(tool, role, names, words)
    for name, total in tool.totals.items():
        for term in (*total.plus, *total.minus):
            if not _term_known(term, tool, words):
                yield f"`totals` {name}: {term!r} is no fact, argument or whole number"
    for fact in tool.recorded.values():
        if not _fact(fact, tool, words) and fact not in words.supplied:
            yield f"`recorded`: no read and no caller gives the fact {fact!r}"


def _role(tool: Tool, role: str, names: Names, words: Words) -> Iterator[str]:
    if names.kind not in words.shown:
        yield f"`names` {role}: no response shows a {names.kind!r}"
    if bool(names.argument) == bool(names.fact):
        yield f"`names` {role}: either an argument or a fact"
    if names.argument and _schema(tool, names.argument) is None:
        yield f"`names` {role}: there is no argument {names.argument!r}"
    for fact in filter(None, (names.fact, names.among, *names.known_as)):
        if not _fact(fact, tool, words) and fact not in words.supplied:
            yield f"`names` {role}: no read gives the fact {fact!r}"
    if names.alike and names.alike not in words.shown.get(names.kind, {}):
        yield f"`names` {role}: a {names.kind!r} has no fact {names.alike!r}"


def _term_known(term: str, tool: Tool, words: Words) -> bool:
    if term.lstrip("-").isdecimal():
        return True
    about, _, name = term.removeprefix("count:").partition(":")
    if about == "argument":
        return _schema(tool, name) is not None
    return about == "fact" and (bool(_fact(name, tool, words)) or name in words.supplied)
