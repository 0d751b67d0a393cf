"""Which texts go on changed: masked on the way to the model, masked and restored on the way back. Pure over a draft.

What must be masked where it cannot be (the name of a field, or a field named twice) is refused, never passed.
"""

from handrail.detectors.mask import restore
from handrail.guard.masking import declared
from handrail.guard.record import Draft, located
from handrail.guard.turn import Channel, Leaf, Message
from handrail.terms.errors import Code, HandrailError


def masked(draft: Draft) -> dict[Leaf, str]:
    """What the model gets instead of what the client sent: findings to mask as tokens, and once there are tokens, every
    literal that looks like one escaped."""
    weighed = draft.input
    if weighed is None or not weighed.decision.masks:
        return {}
    spans = located(weighed.screened, weighed.decision.masks)
    changes: dict[Leaf, str] = {}
    for place, message in enumerate(draft.turn.messages):
        for index, leaf in enumerate(message.leaves):
            findings = spans.get((place, index), ())
            if findings or "[" in leaf.text:
                text = draft.vault.mask(leaf.text, findings, leaf.role)
                if text != leaf.text:
                    changes[leaf] = text
    if any(leaf.key for leaf in changes):
        what = "the name of a field, or a field named twice, holds data that must be masked; send it once, as a value"
        raise HandrailError(Code.REQUEST_INVALID, what)
    draft.masked = spans  # only now: the record takes what the model got, and a refusal above sends it nothing
    return changes


def changed(draft: Draft, messages: tuple[Message, ...]) -> dict[Leaf, str]:
    """What the client gets instead of what the model said: findings masked, tokens restored where they may be."""
    weighed = draft.output
    spans = located(weighed.screened, weighed.decision.masks) if weighed and weighed.decision.masks else {}
    values = draft.vault.restorable(draft.caller.use_case.audience)
    if not spans and not values:
        return {}
    changes: dict[Leaf, str] = {}
    for place, message in enumerate(messages):
        for index, leaf in enumerate(message.leaves):
            findings = spans.get((place, index), ())
            text = draft.vault.mask(leaf.text, findings, leaf.role) if findings else leaf.text
            if "[" in text:
                arguments = leaf.channel is Channel.TOOL_ARGUMENTS
                text = restore(text, argument_values(draft, leaf) if arguments else values)
            if text != leaf.text:
                changes[leaf] = text
    if any(leaf.key for leaf in changes):
        what = "the model's answer holds data that must be masked where it cannot be: in a field's name, or named twice"
        raise HandrailError(Code.UPSTREAM_INVALID, what)
    return changes


def argument_values(draft: Draft, leaf: Leaf) -> dict[str, str]:
    """Tokens that may be restored in this field of a tool's arguments: those of the kinds its schema declares."""
    kinds = declared(draft.turn.schemas.get(leaf.tool), leaf.field)
    return draft.vault.restorable(draft.caller.use_case.audience, kinds) if kinds else {}


def context(draft: Draft) -> tuple[str, ...]:
    """Tool results and documents, as the model saw them."""
    relied: list[str] = []
    for message in draft.turn.messages:
        for leaf in message.leaves:
            if leaf.channel is Channel.TOOL_RESULT or leaf.channel is Channel.DOCUMENT:
                relied.append(draft.changes.get(leaf, leaf.text))
    return tuple(relied)
