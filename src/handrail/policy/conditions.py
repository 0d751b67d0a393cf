"""Typed conditions of rules against one input; pure.

A list (a path with `*`, a fact of several objects) satisfies `is`, `in`, `at-most`, `at-least` when every value does;
`is-not`, `not-in`, `above`, `below` are their contraries, so they speak of any value. A missing value, and a list
without members, matches nothing but `exists: false`. What was never read, and a count that nobody keeps, is `unknown`:
a rule that would tighten holds for it, since nobody can say that it does not match. When both sides are there and
cannot be compared (text with a number, another currency) this raises `Unanswerable`, and the action holds: a rule is
never silently skipped.
"""

from collections.abc import Callable
from typing import Any

from handrail.policy.action import ActionInput, Vouched
from handrail.policy.action_rules import About, Match, Op
from handrail.tools.paths import covers, values_at
from handrail.tools.registry import Tool

_MISSING = object()
_STRENGTH = {Vouched.SAID: 0, Vouched.CLAIMED: 1, Vouched.VERIFIED: 2}
_CONTRARY = {Op.IS_NOT: Op.IS, Op.NOT_IN: Op.IN, Op.ABOVE: Op.AT_MOST, Op.BELOW: Op.AT_LEAST}


class Unanswerable(ValueError):
    """A condition that this input cannot answer. The text names places only, never values."""


class View:
    """One input as conditions read it; looked up once per decision."""

    __slots__ = ("_facts", "_past", "given")

    def __init__(self, given: ActionInput) -> None:
        self.given = given
        self._facts: dict[str, Any] | None = None
        self._past: dict[str, int] | None = None

    def fact(self, name: str, vouched: Vouched) -> Any:
        if self._facts is None:
            self._facts = {fact.name: fact for fact in self.given.facts}
        found = self._facts.get(name)
        return found.value if found is not None and _STRENGTH[found.vouched] >= _STRENGTH[vouched] else _MISSING

    def past(self, name: str) -> Any:
        if self._past is None:
            self._past = {past.name: past.value for past in self.given.past}
        return self._past.get(name, _MISSING)

    def argument(self, path: str) -> Any:
        """A list for a path with `*` (missing when nothing is there), else the value."""
        if "." not in path:
            return self.given.arguments.get(path, _MISSING)
        found = list(values_at(self.given.arguments, path))
        if "*" in path.split("."):
            return found or _MISSING
        return found[0] if found else _MISSING

    def left(self, match: Match) -> Any:
        """What the matcher looks at, or `_MISSING`."""
        return _LEFT[match.about](self, match)

    def right(self, match: Match) -> Any:
        if not match.other:
            return match.value
        about, _, name = match.other.partition(":")
        if about == "fact":
            return self.fact(name, Vouched(match.vouched))
        return self.argument(name) if about == "argument" else self.past(name)


def holds(match: Match, view: View) -> bool:
    """Whether the condition is true of the input. Raises Unanswerable."""
    left = view.left(match)
    if missing(left):
        left = _MISSING
    if match.op is Op.EXISTS:
        return (left is not _MISSING) is bool(match.value)
    if left is _MISSING:
        return False
    if match.about is About.AMOUNT and match.currency != view.given.currency:
        raise Unanswerable(f"the amount is not in {match.currency}")
    right = view.right(match)
    if right is _MISSING or right is None:
        return False
    positive = _CONTRARY.get(match.op)
    try:
        if positive is not None:
            return not _OPS[positive](left, right)
        return _OPS[match.op](left, right)
    except _Apart:
        raise Unanswerable(f"{match.about.value} {match.name}: the two sides are of different types") from None


def unknown(match: Match, view: View, tool: Tool) -> bool:
    """Whether the condition cannot be told, because a fact or count that it compares is not there. What the call does
    not speak of (an optional argument's object, words about it) is no unknown: it is certainly absent."""
    if match.op is Op.EXISTS:
        return False
    if match.about in (About.FACT, About.PAST) and _untold(match.about.value, match.name, view.left(match), view, tool):
        return True
    about, _, name = match.other.partition(":")
    return about in ("fact", "past") and _untold(about, name, view.right(match), view, tool)


def _untold(about: str, name: str, value: Any, view: View, tool: Tool) -> bool:
    if value is not _MISSING:
        return False
    head = name.partition(".")[0]
    if about == "fact" and head in _OF_TALK:
        return False
    role = tool.names.get(head) if about == "fact" else None
    if role is None or not role.argument:
        return True
    return any(True for _ in values_at(view.given.arguments, role.argument))


_OF_TALK = frozenset({"said", "picked", "named"})


def absent(value: Any) -> bool:
    """Whether `View.left` found nothing at all, not even an empty value."""
    return value is _MISSING


def missing(value: Any) -> bool:
    """Whether `View.left` found nothing; a list without members is nothing."""
    return value is _MISSING or value is None or (isinstance(value, list | tuple) and not value)


class _Apart(Exception):
    """Two values that cannot be compared."""


def family(value: Any) -> str:
    """The type of a JSON value as comparisons see it: whole and decimal numbers are one."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list | tuple) else "object" if isinstance(value, dict) else "nothing"


def _same(one: Any, other: Any) -> bool:
    if family(one) != family(other):
        raise _Apart
    return bool(one == other)


def _is(left: Any, right: Any) -> bool:
    if family(left) == "list" and family(right) != "list":
        return all(_same(item, right) for item in left)
    if family(left) == "list":
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    return _same(left, right)


def _in(left: Any, right: Any) -> bool:
    if family(right) != "list":
        raise _Apart
    return all(_one_in(item, right) for item in (left if family(left) == "list" else (left,)))


def _one_in(item: Any, right: Any) -> bool:
    kind = family(item)
    alike = [value for value in right if family(value) == kind]
    if right and not alike:
        raise _Apart
    return item in alike


def _at_most(left: Any, right: Any) -> bool:
    return _ordered(left, right, lambda a, b: a <= b)


def _at_least(left: Any, right: Any) -> bool:
    return _ordered(left, right, lambda a, b: a >= b)


def _ordered(left: Any, right: Any, compare: Callable[[Any, Any], bool]) -> bool:
    if family(left) == "list":
        return all(_ordered(item, right, compare) for item in left)
    kind = family(left)
    if kind != family(right) or kind not in ("number", "text"):
        raise _Apart
    return compare(left, right)


def _contains(left: Any, right: Any) -> bool:
    if family(left) == "list":
        return any(family(item) == family(right) and item == right for item in left)
    if family(left) == "text" and family(right) == "text":
        return str(right).casefold() in str(left).casefold()
    raise _Apart


_OPS: dict[Op, Callable[[Any, Any], bool]] = {
    Op.IS: _is,
    Op.IN: _in,
    Op.AT_MOST: _at_most,
    Op.AT_LEAST: _at_least,
    Op.CONTAINS: _contains,
}


def _finding(view: View, match: Match) -> Any:
    """A finding is a set: `is` and `in` ask for one that is there."""
    kinds = {found.kind.value for found in view.given.found}
    wanted = match.value if isinstance(match.value, list | tuple) else [match.value]
    return next((kind for kind in wanted if kind in kinds), _MISSING)


def _origin(view: View, match: Match) -> Any:
    from_paths = [traced.origin.value for traced in view.given.traced if covers(match.name, traced.path)]
    return from_paths or _MISSING


_LEFT: dict[About, Callable[[View, Match], Any]] = {
    About.ARGUMENT: lambda view, match: view.argument(match.name),
    About.AMOUNT: lambda view, match: view.given.amount_minor,
    About.FACT: lambda view, match: view.fact(match.name, Vouched(match.vouched)),
    About.PAST: lambda view, match: view.past(match.name),
    About.FINDING: _finding,
    About.ORIGIN: _origin,
    About.OWN: lambda view, match: match.name in view.given.own,
    About.AGREED: lambda view, match: view.given.agreed.value,
    About.MINUTE: lambda view, match: view.given.minute,
    About.WEEKDAY: lambda view, match: view.given.weekday,
    About.UNTRUSTED: lambda view, match: view.given.untrusted,
    About.LINKED: lambda view, match: view.given.linked,
}
