"""What is different between two releases: the prompt word by word, every other field by its value; pure."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

import msgspec

from handrail.releases.release import Release, Target

AROUND = 4
"""Unchanged words that are shown on either side of a change."""
_WORD = re.compile(r"\s+|[^\s]+")


def differences(before: Release, after: Release) -> Iterator[str]:
    """Lines for a person; none when they are equal. Removed words stand in `[-...-]`, added ones in `{+...+}`."""
    if before.prompt != after.prompt:
        yield "prompt:"
        for piece in words(before.prompt, after.prompt):
            yield f"  {piece}"
    if before.route != after.route:
        yield f"model: {_route(before.route)} -> {_route(after.route)}"
    for name in sorted(before.parameters.keys() | after.parameters.keys()):
        if before.parameters.get(name) != after.parameters.get(name):
            yield f"parameter {name}: {_value(before, name)} -> {_value(after, name)}"
    for field in ("alias", "prompt_mode", "force_parameters", "knowledge_root"):
        one, other = getattr(before, field), getattr(after, field)
        if one != other:
            yield f"{field}: {one} -> {other}"


def words(before: str, after: str) -> Iterator[str]:
    """One piece for each place where words changed, with some unchanged ones around."""
    old, new = [_WORD.findall(text) for text in (before, after)]
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(2 * AROUND):
        found = []
        for kind, old_from, old_to, new_from, new_to in group:
            was, now = "".join(old[old_from:old_to]), "".join(new[new_from:new_to])
            if kind == "equal":
                found.append(was)
                continue
            found += [f"[-{was}-]" if was.strip() else "", f"{{+{now}+}}" if now.strip() else now]
        yield " ".join("".join(found).split())


GAP = 3
"""Unchanged lines that are shown on either side of a change."""
MOST_LINES = 300
MOST_WORDS = 2_000
"""Of two lines together, for their words to be compared."""


class Part(msgspec.Struct, frozen=True):
    text: str
    changed: bool = False


class Line(msgspec.Struct, frozen=True):
    """One line of a prompt. `kind`: same, added, removed, or gap, whose `many` unchanged lines are not shown, or left,
    whose `many` lines with changes were too many to show."""

    kind: str
    parts: tuple[Part, ...] = ()
    many: int = 0


def lines(before: str, after: str) -> tuple[Line, ...]:
    """The prompt line by line, with the words that changed; empty when nothing did."""
    if before == after:
        return ()
    old, new = before.splitlines(), after.splitlines()
    shown: list[Line] = []
    at = 0
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(GAP):
        if group[0][1] > at:
            shown.append(Line("gap", many=group[0][1] - at))
        for kind, old_from, old_to, new_from, new_to in group:
            if kind == "equal":
                shown += [Line("same", (Part(text),)) for text in old[old_from:old_to]]
            else:
                shown += _changed(old[old_from:old_to], new[new_from:new_to])
        at = group[-1][2]
    if at < len(old):
        shown.append(Line("gap", many=len(old) - at))
    if len(shown) > MOST_LINES:
        return (*shown[:MOST_LINES], Line("left", many=len(shown) - MOST_LINES))
    return tuple(shown)


def _changed(old: list[str], new: list[str]) -> list[Line]:
    """Lines that stand for each other are compared word by word; the rest came or went whole."""
    found: list[Line] = []
    for at in range(max(len(old), len(new))):
        was, now = old[at] if at < len(old) else None, new[at] if at < len(new) else None
        if was is not None and now is not None:
            removed, added = _compared(was, now)
            found += [Line("removed", removed), Line("added", added)]
        elif was is not None:
            found.append(Line("removed", (Part(was),)))
        elif now is not None:
            found.append(Line("added", (Part(now),)))
    return found


def _compared(was: str, now: str) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    old, new = _WORD.findall(was), _WORD.findall(now)
    if len(old) + len(new) > MOST_WORDS:
        return (Part(was, True),), (Part(now, True),)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < 0.3:  # two lines that have nothing to do with each other
        return (Part(was),), (Part(now),)
    removed: list[Part] = []
    added: list[Part] = []
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        changed = kind != "equal"
        if old_from < old_to:
            removed.append(Part("".join(old[old_from:old_to]), changed))
        if new_from < new_to:
            added.append(Part("".join(new[new_from:new_to]), changed))
    return tuple(removed), tuple(added)


def fields(before: Release, after: Release) -> tuple[tuple[str, str, str], ...]:
    """(name, before, after) of everything but the prompt that is different."""
    found: list[tuple[str, str, str]] = []
    if before.route != after.route:
        found.append(("model", _route(before.route), _route(after.route)))
    for name in sorted(before.parameters.keys() | after.parameters.keys()):
        if before.parameters.get(name) != after.parameters.get(name):
            found.append((name, _value(before, name), _value(after, name)))
    for field in ("alias", "prompt_mode", "force_parameters", "knowledge_root", "canaries"):
        one, other = getattr(before, field), getattr(after, field)
        if one != other and field == "canaries":
            found.append((field, str(len(one)), str(len(other))))  # planted words stay secret
        elif one != other:
            found.append((field, str(one), str(other)))
    return tuple(found)


def _route(route: tuple[Target, ...]) -> str:
    return ", ".join(f"{target.provider}/{target.model}" for target in route)


def _value(release: Release, name: str) -> str:
    if name not in release.parameters:
        return "not set"
    return msgspec.json.encode(release.parameters[name]).decode()
