"""What makes sense in `intents` and `watch`; pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from handrail.detectors.intents import OTHER, words_of
from handrail.home.fit import Fitted, shown
from handrail.home.mistake import Mistake, mistake
from handrail.policy.watching import Watched

MOST = 200
"""Intents of a use case: each has a baseline for each hour of the week."""


def check_watch(case: Fitted) -> Iterator[Mistake]:
    """Every mistake of meaning; those of form are `home.fit`."""
    intents = case.value.get("intents") or {}
    yield from _intents(case, intents)
    watch = case.value.get("watch") or {}
    for place, name in enumerate(watch.get("metrics") or []):
        if name == Watched.INTENTS and "intents" not in case.value:
            yield mistake(
                case.place("watch", "metrics", place), "watch.intents",
                "no intents are declared, so there is no mix to watch", expected="intents: {NAME: [examples]}",
            )  # fmt: skip
    if "intents_sure" in watch and not intents:
        yield mistake(
            case.key("watch", "intents_sure"), "watch.intents", "no intents are declared, so nothing is compared",
            hint="delete it",
        )  # fmt: skip


def _intents(case: Fitted, intents: Mapping[str, Any]) -> Iterator[Mistake]:
    if len(intents) == 1:
        yield mistake(
            case.key("intents"), "intents.few", "one intent alone cannot be told from anything",
            expected="two or more",
        )  # fmt: skip
    if len(intents) > MOST:
        yield mistake(
            case.key("intents"), "intents.many", f"{len(intents)} intents are too many to watch",
            expected=f"at most {MOST}",
        )  # fmt: skip
    said: dict[tuple[str, ...], str] = {}
    for name, examples in intents.items():
        if name == OTHER:
            yield mistake(
                case.key("intents", name), "intents.other", f"{OTHER} is what no declared intent is near to",
                hint="give it another name",
            )  # fmt: skip
        for place, example in enumerate(examples or []):
            words = tuple(words_of(example))
            where = case.place("intents", name, place)
            if not words:
                yield mistake(where, "intents.words", f"{shown(example)} has no word", expected="what a customer says")
            elif said.get(words, name) != name:
                yield mistake(
                    where, "intents.repeated", f"{shown(example)} is an example of {said[words]} too",
                    hint="delete one, or make the two one intent",
                )  # fmt: skip
            said.setdefault(words, name)
