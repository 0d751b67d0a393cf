"""What log probabilities say besides the text that they repeat token by token: it is read like any other text."""

from collections.abc import Mapping
from typing import Any, Final

from handrail.gateway.leaves import walk
from handrail.guard.turn import Channel, Leaf

_KNOWN: Final = frozenset({"token", "bytes", "top_logprobs"})
_SHORT: Final = 16
_DIGITS: Final = 6


def beside(entries: Any, text: str) -> str:
    """Whatever stands in a list of log probabilities and is not `text`: the tokens together when they say another text,
    alternatives that are more than a token, what is no log probability. Empty for what providers usually send."""
    if not entries:
        return ""
    out: list[str] = []
    tokens: list[str] = []
    coded = bytearray()
    for entry in entries if isinstance(entries, list) else [entries]:
        token, code = _token(entry, out)
        tokens.append(token)
        coded += code
        if isinstance(entry, dict):
            others = entry.get("top_logprobs") or ()
            for other in others if isinstance(others, list) else [others]:
                out += [each for each in _texts(*_token(other, out)) if not _usual(each)]
    out += [each for each in _texts("".join(tokens), bytes(coded)) if each not in ("", text)]
    return "\n".join(dict.fromkeys(out))


def of_choice(logprobs: Any, said: Mapping[str, Any]) -> str:
    """The same for the log probabilities of a choice, a list for each text field of `said`, its message or delta."""
    if not isinstance(logprobs, dict):
        return beside(logprobs, "")
    out = [beside(entries, str(said.get(name) or "")) for name, entries in logprobs.items()]
    out += [name for name in logprobs if name not in ("content", "refusal")]
    return "\n".join(each for each in out if each)


def _token(entry: Any, out: list[str]) -> tuple[str, bytes]:
    """A token and its bytes; texts in any other place of the entry are added to `out`."""
    token, code, rest = "", b"", entry
    if isinstance(entry, dict):
        rest = {name: part for name, part in entry.items() if name not in _KNOWN}
        if isinstance(entry.get("token"), str):
            token = entry["token"]
        else:
            rest["token"] = entry.get("token")
        given = entry.get("bytes")
        if isinstance(given, list) and all(isinstance(each, int) and 0 <= each < 256 for each in given):
            code = bytes(given)
        else:
            rest["bytes"] = given
    leaves: list[Leaf] = []
    walk(rest, (), Channel.ASSISTANT, leaves)
    out += [leaf.text for leaf in leaves]
    return token, code


def _texts(token: str, code: bytes) -> list[str]:
    """What a token says, and its bytes when they say something else."""
    decoded = code.decode("utf-8", "replace")
    return [token] if decoded in (token, "") else [token, decoded]


def _usual(token: str) -> bool:
    """Whether an alternative is a token that could have stood there: a word, or too short for a value."""
    bare = token.strip()
    short = len(bare) <= _SHORT and sum(sign.isdigit() for sign in bare) <= _DIGITS and "@" not in bare[1:]
    return short or bare.isalpha()
