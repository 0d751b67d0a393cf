"""Outcome events: what happened to the customer afterwards. Pure: bytes of the API to typed values, or why not.

An event names an interaction, a conversation, or a customer with a time; it may come late, twice or before the
interaction is known here. Identity is (source, id): the same pair again is a duplicate, whatever it says. CloudEvents
1.0 (github.com/cloudevents/spec) are accepted in structured and batch form; `handrail.outcome.` before the type is
optional.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

MAX_BATCH = 1_000
MAX_TEXT = 32_768  # characters of a comment or an edit
PREFIX = "handrail.outcome."
_FORMAT = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,199}")


class OutcomeType(StrEnum):
    """In the ledger for good."""

    ANSWERED_BY_AI = "answered_by_ai"
    TRANSFER = "transfer"
    REPEAT_CONTACT = "repeat_contact"
    COMPLAINT = "complaint"
    CSAT = "csat"
    OVERRIDE = "override"
    RESOLUTION = "resolution"
    HANDLE_TIME = "handle_time"
    REFUND_REVERSED = "refund_reversed"
    FLAG = "flag"


class OutcomeData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What an event carries beside its identity. Which fields a type needs stands in `NEEDS`.

    `score` on a scale that ends at `scale_max`; `seconds` of handling; `resolved`; `amount_minor` and `currency` of a
    reversed refund; `proposed` and `sent`: an override's edit; `reason`: a short code of yours; `comment`: free text.
    `proposed`, `sent` and `comment` are sealed, never in the facts."""

    score: float | None = None
    scale_max: float | None = None
    seconds: float | None = None
    resolved: bool | None = None
    amount_minor: int | None = None
    currency: str | None = None
    proposed: str | None = None
    sent: str | None = None
    reason: str | None = None
    comment: str | None = None


NEEDS: dict[OutcomeType, tuple[str, ...]] = {
    OutcomeType.CSAT: ("score",),
    OutcomeType.HANDLE_TIME: ("seconds",),
    OutcomeType.RESOLUTION: ("resolved",),
    OutcomeType.REFUND_REVERSED: ("amount_minor", "currency"),
}


class OutcomeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as understood. `occurred_at_ms`: Unix ms. Exactly one of `interaction`, `conversation`, `customer`."""

    source: str
    id: str
    type: OutcomeType
    occurred_at_ms: int
    interaction: str | None = None
    conversation: str | None = None
    customer: str | None = None
    use_case: str | None = None
    data: OutcomeData = OutcomeData()


class Invalid(msgspec.Struct, frozen=True):
    """Why one event was not taken. `field`: a path in the event."""

    id: str
    field: str
    message: str


class _Wire(msgspec.Struct, kw_only=True):
    id: str = ""
    source: str = ""
    type: str = ""
    time: str | int | None = None
    interaction: str | None = None
    conversation: str | None = None
    customer: str | None = None
    use_case: str | None = None
    subject: str | None = None
    specversion: str | None = None
    datacontenttype: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


def parse(body: bytes, *, now_ms: int) -> tuple[list[OutcomeEvent], list[Invalid]]:
    """Events and refusals of one request body: an object, an array, or `{"events": [...]}`. Raises ValueError with a
    sentence when the body is no such thing or holds more than MAX_BATCH events."""
    rows = _rows(body)
    if len(rows) > MAX_BATCH:
        raise ValueError(f"a request holds at most {MAX_BATCH} events, this one has {len(rows)}: send several")
    good: list[OutcomeEvent] = []
    bad: list[Invalid] = []
    for row in rows:
        event = _event(row, now_ms)
        if isinstance(event, OutcomeEvent):
            good.append(event)
        else:
            bad.append(event)
    return good, bad


def _rows(body: bytes) -> list[msgspec.Raw]:
    try:
        raw = msgspec.json.decode(body, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
        if isinstance(raw, list):
            return raw
        if raw.keys() == {"events"}:
            return msgspec.json.decode(raw["events"], type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise ValueError(f"the body is not a JSON object or array of events: {error}") from None
    return [msgspec.Raw(body)]


def _event(row: msgspec.Raw, now_ms: int) -> OutcomeEvent | Invalid:
    try:
        wire = msgspec.json.decode(row, type=_Wire)
    except msgspec.DecodeError as error:
        return Invalid("", "", str(error))
    name = wire.type.removeprefix(PREFIX)
    for field, value in (("id", wire.id), ("source", wire.source)):
        if not _FORMAT.fullmatch(value):
            return Invalid(wire.id[:200], field, "needed: 1 to 200 printable ASCII characters, the first no space")
    if name not in OutcomeType.__members__.values():
        known = ", ".join(OutcomeType)
        return Invalid(wire.id, "type", f"unknown type; known are {known}")
    kind = OutcomeType(name)
    when = _time(wire.time, now_ms)
    if when is None:
        return Invalid(wire.id, "time", "needed: RFC 3339 with a zone, such as 2026-11-21T10:00:00Z, or Unix ms")
    data = _data(wire, kind)
    if isinstance(data, Invalid):
        return data
    interaction, conversation = wire.interaction, wire.conversation
    if wire.subject and not (interaction or conversation or wire.customer):  # CloudEvents' own place for it
        interaction, conversation = (wire.subject, None) if wire.subject.startswith("int_") else (None, wire.subject)
    if sum(value is not None for value in (interaction, conversation, wire.customer)) != 1:
        return Invalid(wire.id, "interaction", "name exactly one of interaction, conversation or customer")
    return OutcomeEvent(
        source=wire.source, id=wire.id, type=kind, occurred_at_ms=when, interaction=interaction,
        conversation=conversation, customer=wire.customer, use_case=wire.use_case, data=data,
    )  # fmt: skip


def _time(value: str | int | None, now_ms: int) -> int | None:
    """Unix ms; the time of arrival when none is given; None when it is not a time or lies over a day ahead."""
    if value is None:
        return now_ms
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            return None
        if parsed.tzinfo is None:
            return None
        value = int(parsed.astimezone(UTC).timestamp() * 1000)
    return value if 0 < value < now_ms + 86_400_000 else None


def _data(wire: _Wire, kind: OutcomeType) -> OutcomeData | Invalid:
    try:
        data = msgspec.json.decode(wire.data, type=OutcomeData)
    except msgspec.DecodeError as error:
        return Invalid(wire.id, "data", str(error))
    for field in NEEDS.get(kind, ()):
        if getattr(data, field) is None:
            return Invalid(wire.id, f"data.{field}", f"{kind.value} needs {field}")
    if data.score is not None and not 0 <= data.score <= (data.scale_max or 5):
        return Invalid(wire.id, "data.score", "a score lies between 0 and scale_max (5 unless given)")
    if data.seconds is not None and data.seconds < 0:
        return Invalid(wire.id, "data.seconds", "seconds are not negative")
    if data.currency is not None and not re.fullmatch("[A-Z]{3}", data.currency):
        return Invalid(wire.id, "data.currency", "an ISO 4217 code such as EUR")
    if data.reason is not None and not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", data.reason):
        return Invalid(wire.id, "data.reason", "a short code: lower-case letters, digits, `_.-`; prose goes in comment")
    for field in ("proposed", "sent", "comment"):
        if len(getattr(data, field) or "") > MAX_TEXT:
            return Invalid(wire.id, f"data.{field}", f"at most {MAX_TEXT} characters")
    return data
