"""What a CEL condition names of `arguments`, `facts` and `past`, read off its text; pure.

To the language these are maps, so a misspelt member is only found when the condition is asked, and `has(...)` of one is
silently false. Here every member that is written out is told, so that it can be compared with the registered tools.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from handrail.policy.action_rules import About

_ROOTS = {"arguments": About.ARGUMENT, "facts": About.FACT, "past": About.PAST}
_TOKEN = re.compile(r"r?\"(?:[^\"\\]|\\.)*\"|r?'(?:[^'\\]|\\.)*'|[A-Za-z_]\w*|\d+|\S")
_WORD = re.compile(r"[A-Za-z_]\w*")


class Named(NamedTuple):
    """`path`: as typed conditions write it; `*` for any place of a list."""

    about: About
    path: str


def names_of(source: str) -> Iterator[Named]:
    """Every member that the text names, in its order."""
    tokens = _TOKEN.findall(source)
    for at, token in enumerate(tokens):
        if token in _ROOTS and (at == 0 or tokens[at - 1] != "."):
            about = _ROOTS[token]
            path = _path(tokens, at + 1)
            if path:
                yield Named(about, ".".join(path if about is About.ARGUMENT else path[:1]))
            if at > 1 and tokens[at - 1] == "in" and _is_text(tokens[at - 2]) and not path:
                yield Named(about, _text(tokens[at - 2]))


def _path(tokens: list[str], at: int) -> list[str]:
    path: list[str] = []
    while at < len(tokens):
        rest = tokens[at : at + 4]
        if rest[0] == "." and len(rest) > 1 and _WORD.fullmatch(rest[1]):
            if rest[2:3] == ["("]:  # a function, such as `.size()`
                return path
            path.append(rest[1])
            at += 2
        elif rest[0] == "[" and rest[2:3] == ["]"] and (_is_text(rest[1]) or rest[1].isdecimal()):
            path.append(_text(rest[1]) if _is_text(rest[1]) else "*")
            at += 3
        else:
            return path
    return path


def _is_text(token: str) -> bool:
    return token[-1] in "\"'" and len(token) > 1


def _text(token: str) -> str:
    return token.removeprefix("r")[1:-1]
