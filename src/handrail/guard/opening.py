"""What the opening of a conversation is about, as facts that hold no word of it: intent, size, questions, topics.

Read is the first message of the customer, with every personal finding cut out whatever the rules say of it. A topic is
one of `TOPICS` buckets of a word's keyed hash: many words share each, at most `MOST_TOPICS` are taken, the key never
leaves the data folder, and nothing leads back from a bucket to a word. What was not fully read says nothing. Nothing
here decides: facts are counted by the watch.
"""

from collections.abc import Callable, Sequence

import msgspec

from handrail.detectors.intents import Intents, words_of
from handrail.guard.screen import Screened
from handrail.guard.turn import Channel, Message
from handrail.terms.finding import PERSONAL, Role

TOPICS = 64
MOST_TOPICS = 6
LEAST_LETTERS = 4
"""Of a word that may be a topic: shorter ones are seldom one."""


class Opening(msgspec.Struct, frozen=True):
    """`size`: bit length of the number of characters. `questions`: question marks, at most 3. `topics`: buckets."""

    intent: str = ""
    size: int = 0
    questions: int = 0
    topics: tuple[int, ...] = ()


NOTHING = Opening()


def opening(
    messages: Sequence[Message],
    screened: Screened,
    intents: Intents | None,
    keyed: Callable[[bytes], bytes] | None,
) -> Opening:
    """Of the first interaction of a conversation. `intents`: None where none are declared. `keyed`: a keyed hash of
    at least one byte; None: no topics are taken."""
    for place, message in enumerate(messages):
        if message.role is not Role.USER or message.history is None:
            continue
        if not any(leaf.channel is Channel.USER for leaf in message.leaves):
            continue
        if place in screened.failed:
            return NOTHING
        return _opening(_without_personal(message, place, screened), intents, keyed)
    return NOTHING


def _opening(text: str, intents: Intents | None, keyed: Callable[[bytes], bytes] | None) -> Opening:
    return Opening(
        intent=intents.of(text) if intents is not None else "",
        size=len(text).bit_length(),
        questions=min(3, text.count("?") + text.count("？")),
        topics=topics(text, keyed) if keyed is not None else (),
    )


def topics(text: str, keyed: Callable[[bytes], bytes]) -> tuple[int, ...]:
    """Buckets of the longest words, sorted. Of equally long ones the earlier in the alphabet, so that the order in
    which they were said leaves no trace."""
    words = sorted({word for word in words_of(text) if len(word) >= LEAST_LETTERS})
    words.sort(key=len, reverse=True)  # keeps the alphabet among equally long ones
    return tuple(sorted({keyed(b"topic\0" + word.encode())[0] % TOPICS for word in words[:MOST_TOPICS]}))


def _without_personal(message: Message, place: int, screened: Screened) -> str:
    cuts: dict[int, list[tuple[int, int]]] = {}
    for at, finding in enumerate(screened.findings):
        if finding.kind in PERSONAL:
            for spot in screened.spots[at]:
                if spot.message == place:
                    cuts.setdefault(spot.leaf, []).append((spot.start, spot.end))
    texts = []
    for index, leaf in enumerate(message.leaves):
        if leaf.channel is Channel.USER:
            text = leaf.text
            for start, end in sorted(cuts.get(index, ()), reverse=True):
                text = f"{text[:start]} {text[end:]}"
            texts.append(text)
    return texts[0] if len(texts) == 1 else "\n".join(texts)
