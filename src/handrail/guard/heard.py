"""The conversation of a held action as an approver sees it: masked as it is recorded, the newest lines."""

from collections.abc import Sequence

import msgspec

from handrail.approvals.made_up import Heard
from handrail.approvals.store import Stored
from handrail.guard.recollect import Acted, Record, Spoken
from handrail.guard.record import Payload
from handrail.guard.tool_call import Weighed

LINES = 40
LONGEST = 2_000
"""Characters of one line."""


def heard(stored: Stored, record: Record) -> tuple[Heard, ...]:
    """Of the record, or what a drill's conversation is made up of. A payload that cannot be read is left out and told
    in its place."""
    if stored.given is not None:
        made_up = msgspec.json.decode(stored.given, type=Weighed).said
        if made_up:
            return made_up
    items: list[Spoken | Acted] = sorted((*record.spoken, *record.acted), key=lambda item: item.at_ms)
    lines = [line for item in items for line in _lines(item)]
    if not record.whole:
        lines.append(Heard("", "some of this conversation cannot be read any more"))
    return tuple(lines[-LINES:])


def _lines(item: Spoken | Acted) -> Sequence[Heard]:
    if isinstance(item, Acted):
        said = msgspec.json.encode(item.result).decode()
        return [Heard("tool", f"{item.request.tool}: {said}"[:LONGEST])]
    try:
        payload = msgspec.json.decode(item.payload, type=Payload)
    except msgspec.MsgspecError:
        return [Heard("", "an interaction that cannot be read")]
    texts = [(one.role.value, "\n".join(one.texts)) for one in (*payload.messages, *payload.answer)]
    return [Heard(role, text[:LONGEST]) for role, text in texts if text]
