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


def _route(route: tuple[Target, ...]) -> str:
    return ", ".join(f"{target.provider}/{target.model}" for target in route)


def _value(release: Release, name: str) -> str:
    if name not in release.parameters:
        return "not set"
    return msgspec.json.encode(release.parameters[name]).decode()
