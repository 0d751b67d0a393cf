"""What the demo expects of the net; pure. Every failed expectation is a sentence that says what went wrong."""

import json
import re
from collections.abc import Iterator
from typing import Any

from handrail.app.demo.client import Answer
from handrail.app.demo.script import Turn
from handrail.ledger.entry import InteractionFacts
from handrail.terms.decision import Outcome

_LOOSE = re.compile(r"[\W_]+")


def occurs(value: str, text: str) -> bool:
    """Whether the value is in the text, however it is spaced or punctuated; a short one as a word of its own."""
    plain = _LOOSE.sub("", value.casefold())
    if len(plain) < 6:
        return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None
    return plain in _LOOSE.sub("", text.casefold())


def of_turn(turn: Turn, answers: list[Answer], facts: list[InteractionFacts]) -> list[str]:
    """`answers` and `facts`: of the turn's interactions, in order."""
    last = answers[-1]
    wrong: list[str] = []
    outcome = last.outcome or (facts[-1].outcome or "" if facts else "")  # a stream's is not known at its first byte
    if outcome != turn.outcome:
        wrong.append(f"the outcome was to be {turn.outcome.value} and was {outcome or last.status}")
    if len(facts) != len(answers) and turn.outcome is not Outcome.REFUSED:
        wrong.append(f"{len(answers)} answers came and the ledger holds {len(facts)} of them")
    for value in turn.shown:
        if value not in last.text:
            wrong.append(f"{value!r} was to reach the client and did not")
    for value in turn.hidden:
        if occurs(value, last.raw) or occurs(value, last.text):  # a stream's pieces hide it from the one or the other
            wrong.append(f"{value!r} reached the client")
    found = {found.kind for fact in facts for found in fact.findings}
    missed = [kind.value for kind in turn.finds if kind not in found]
    if missed:
        wrong.append(f"not noticed: {', '.join(missed)}")
    return wrong


def of_model(planted: tuple[str, ...], seen: list[str]) -> list[str]:
    """`seen`: every request body that arrived at the model, as JSON."""
    texts = ["\n".join(_texts(json.loads(body))) for body in seen]
    wrong = [
        f"planted value {value!r} reached the model unmasked"
        for value in planted
        if any(occurs(value, text) for text in texts)
    ]
    return wrong if seen else ["the model saw no request at all, so nothing was shown"]


def _texts(value: Any) -> Iterator[str]:
    """Every string, names of fields and strings that hold JSON of their own included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def of_disk(planted: tuple[str, ...], files: dict[str, bytes]) -> list[str]:
    """`files`: name to content of everything in the data folder; values long enough not to turn up by chance."""
    return [
        f"planted value {value!r} lies in clear in {name}"
        for value in planted
        if len(value) >= 8
        for name, data in files.items()
        if value.encode() in data or _LOOSE.sub("", value).encode() in data
    ]
