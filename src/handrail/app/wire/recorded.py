"""A recorded conversation as a case: read under a recorded reason, masked, and masked once more."""

from typing import TYPE_CHECKING

import msgspec

from handrail.app.wire import IDS
from handrail.app.wire.request import runner
from handrail.detectors.base import Text
from handrail.guard.record import Payload
from handrail.ledger.entry import InteractionFacts
from handrail.ledger.erase import reference
from handrail.ledger.read import Query
from handrail.review.reading import PayloadReadFacts, RecordReading
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import PERSONAL, Role
from handrail.terms.ids import InteractionId
from handrail.trials.imported import Heard, Imported, from_talk, plain_masks

if TYPE_CHECKING:
    from handrail.app.wire import Store

MOST = 100
"""Interactions of one conversation."""


async def recorded_case(
    store: "Store", interaction: str, reason: str, token: str | None, name: str
) -> tuple[Imported, str]:
    """The case and its use case. Raises HandrailError NOT_FOUND, NOT_ALLOWED or REQUEST_INVALID."""
    said = reference(reason)
    last = await store.reader.show(InteractionId(interaction))
    facts = msgspec.json.decode(bytes(last.recorded.facts), type=InteractionFacts)
    page = await store.reader.find(Query(conversation=facts.conversation, limit=MOST))
    heard: list[Heard] = []
    left_out = [f"what was said before the last {MOST} interactions"] if page.cursor else []
    for found in sorted(page.found, key=lambda one: (one.at_ms, one.interaction)):
        if found.at_ms > last.recorded.at_ms:
            continue
        reads = [PayloadReadFacts(found.interaction, said)]
        await store.journal.run(RecordReading(ids=IDS, reads=reads, token=token))
        shown = await store.reader.show(found.interaction)
        if shown.payload is None:
            left_out.append(f"an interaction whose texts are gone ({shown.missing or 'none were kept'})")
            continue
        payload = msgspec.json.decode(shown.payload, type=Payload)
        for message in (*payload.messages, *payload.answer):
            if message.left_out or not message.texts:
                left_out.append("a message that was not fully read when it was recorded")
                continue
            heard.append(Heard(message.role.value, _masked("\n".join(message.texts), message.role)))
    try:
        why = f"From {interaction} ({said})."
        return from_talk(
            heard, name=name or f"from-{interaction[-8:].lower()}", why=why, left_out=left_out
        ), facts.use_case
    except ValueError as error:
        raise HandrailError(Code.REQUEST_INVALID, f"no case can be made: {error}") from None


async def incident_cases(
    store: "Store", incident: str, reason: str, token: str | None, name: str, most: int
) -> tuple[Imported, str]:
    """A draft for each of the first `most` conversations that the incident concerned, up to the last interaction in its
    scope, and their use case. Raises HandrailError as `recorded_case`, and REQUEST_INVALID when nothing can be read."""
    found = await store.incidents.get(incident)
    made = Imported()
    affected = await store.incidents.affected(found.use_case, found.scope)
    stem = name or incident.replace("_", "-").lower()
    for number, one in enumerate(affected[:most], 1):
        page = await store.reader.find(
            Query(conversation=one.conversation, since_ms=one.latest_ms, until_ms=one.latest_ms + 1, limit=1)
        )
        try:
            if not page.found:
                raise HandrailError(Code.REQUEST_INVALID, "its interactions are gone")
            case, _ = await recorded_case(store, page.found[0].interaction, reason, token, f"{stem}-{number}")
        except HandrailError as error:
            if error.code is not Code.REQUEST_INVALID:
                raise
            made.left_out.append(f"conversation {number}: {error.message}")
            continue
        for each in case.cases:
            made.cases.append({"id": each.pop("id"), "incident": found.id, "draft": True, **each})
        made.left_out += case.left_out
    if len(affected) > most:
        made.left_out.append(f"{len(affected) - most} further conversations of the incident (--most)")
    if not made.cases:
        raise HandrailError(Code.REQUEST_INVALID, f"no case can be made: {'; '.join(made.left_out) or 'nobody was'}")
    return made, found.use_case


def _masked(text: str, role: Role) -> str:
    """Personal data that the rules of that day let rest, replaced by its kind. Raises HandrailError
    GUARD_UNAVAILABLE: what was not fully read goes into no file."""
    text = plain_masks(text)
    report = runner().screen(Text(text, role), PERSONAL)
    if report.failures:
        raise HandrailError(Code.GUARD_UNAVAILABLE, "a text could not be fully read for personal data; nothing is made")
    for found in sorted(report.findings, key=lambda one: one.start, reverse=True):
        text = f"{text[: found.start]}[{found.kind.value}]{text[found.end :]}"
    return text
