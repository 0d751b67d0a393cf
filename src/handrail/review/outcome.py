"""Outcome events: what happened to the customer afterwards. Pure: bytes of the API to typed values, or why not.

An event names an interaction, a conversation, or a customer with a time; it may come late, twice or before the
interaction is known here. Identity is (source, id): the same pair again is a duplicate, whatever it says. CloudEvents
1.0 (github.com/cloudevents/spec) are accepted in structured, batch and binary form; `handrail.outcome.` before the type
is optional, and their extension `usecase` stands for `use_case`.
"""

import base64
import binascii
import re
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import unquote

import msgspec

from handrail.terms.ids import ALPHABET

MAX_BATCH = 1_000
MAX_TEXT = 32_768  # characters of a comment or an edit
PREFIX = "handrail.outcome."
MAX_NAME = 200
_FORMAT = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,199}")
_OURS = re.compile(f"(?:in|cv)_[{ALPHABET}]{{26}}")
_USE_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST = 2**53
"""Larger integers are not exact in JSON everywhere (RFC 8259, section 6)."""


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
    usecase: str | None = None
    specversion: str | None = None
    datacontenttype: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")
    data_base64: str | None = None


class _Named(msgspec.Struct):
    id: str = ""


def is_ours(name: str) -> bool:
    """Whether this is an interaction or conversation id that handrail made."""
    return _OURS.fullmatch(name) is not None


def parse(body: bytes, *, now_ms: int, cloud: bool = False) -> list[OutcomeEvent | Invalid]:
    """Each event of one request body, or why it is not taken, in order: an object, an array, or `{"events": [...]}`.
    `cloud`: they say to be CloudEvents. Raises ValueError with a sentence when the body is no such thing or holds more
    than MAX_BATCH events."""
    rows = _rows(body)
    if len(rows) > MAX_BATCH:
        raise ValueError(f"a request holds at most {MAX_BATCH} events, this one has {len(rows)}: send several")
    return [_event(row, now_ms, cloud) for row in rows]


def parse_binary(headers: list[tuple[bytes, bytes]], body: bytes, *, now_ms: int) -> OutcomeEvent | Invalid:
    """A CloudEvent in binary mode: attributes in `ce-*` headers (percent-encoded), data as the body."""
    known = _Wire.__struct_fields__
    given = {}
    for name, value in headers:
        attribute = name[3:].decode("latin-1")
        if name.startswith(b"ce-") and attribute in known and attribute not in ("data", "data_base64"):
            given[attribute] = unquote(value.decode("latin-1"))
    wire = _Wire(data=msgspec.Raw(body or b"{}"))
    for attribute, text in given.items():
        setattr(wire, attribute, text)
    return _understood(wire, now_ms, cloud=True)


def _rows(body: bytes) -> list[msgspec.Raw]:
    try:
        raw = msgspec.json.decode(body, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
        if isinstance(raw, list):
            return raw
        if raw.keys() == {"events"}:
            return msgspec.json.decode(raw["events"], type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"the body is not a JSON object or array of events: {error}") from None
    except RecursionError:
        raise ValueError("the body is not a JSON object or array of events: nested too deep") from None
    return [msgspec.Raw(body)]


def _event(row: msgspec.Raw, now_ms: int, cloud: bool) -> OutcomeEvent | Invalid:
    try:
        wire = msgspec.json.decode(row, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Invalid(_id_of(row), _path(str(error)), str(error))
    return _understood(wire, now_ms, cloud)


def _id_of(row: msgspec.Raw) -> str:
    """What a row that cannot be read calls itself, so that its sender finds it."""
    try:
        return msgspec.json.decode(row, type=_Named).id[:MAX_NAME]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _path(message: str) -> str:
    """The field that msgspec names at the end of its sentence."""
    found = re.search(r"at `\$\.?([^`]*)`$", message)
    return found[1] if found else ""


def _understood(wire: _Wire, now_ms: int, cloud: bool) -> OutcomeEvent | Invalid:
    if (cloud or wire.specversion is not None) and wire.specversion != "1.0":
        return Invalid(wire.id[:MAX_NAME], "specversion", "a CloudEvent says specversion 1.0")
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
        return Invalid(
            wire.id, "time", "RFC 3339 with a zone, such as 2026-11-21T10:00:00Z, or Unix ms; at most a day ahead"
        )
    data = _data(wire, kind)
    if isinstance(data, Invalid):
        return data
    interaction, conversation = wire.interaction, wire.conversation
    if wire.subject and not (interaction or conversation or wire.customer):  # CloudEvents' own place for it
        interaction, conversation = (wire.subject, None) if wire.subject.startswith("in_") else (None, wire.subject)
    names = {"interaction": interaction, "conversation": conversation, "customer": wire.customer}
    if sum(value is not None for value in names.values()) != 1:
        return Invalid(wire.id, "interaction", "name exactly one of interaction, conversation or customer")
    for field, name_given in names.items():
        if name_given is not None and not 0 < len(name_given) <= MAX_NAME:
            return Invalid(wire.id, field, f"needed: 1 to {MAX_NAME} characters")
    use_case = wire.use_case or wire.usecase
    if use_case is not None and not _USE_CASE.fullmatch(use_case):
        return Invalid(wire.id, "use_case", "needed: the id of a use case")
    return OutcomeEvent(
        source=wire.source, id=wire.id, type=kind, occurred_at_ms=when, interaction=interaction,
        conversation=conversation, customer=wire.customer, use_case=use_case, data=data,
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
        try:
            value = int(parsed.astimezone(UTC).timestamp() * 1000)
        except OverflowError:  # year 1 or 9999 with a zone that leaves the calendar
            return None
    return value if 0 < value < now_ms + 86_400_000 else None


def _data(wire: _Wire, kind: OutcomeType) -> OutcomeData | Invalid:
    try:
        raw = wire.data if wire.data_base64 is None else base64.b64decode(wire.data_base64, validate=True)
        data = msgspec.json.decode(raw, type=OutcomeData)
    except binascii.Error:
        return Invalid(wire.id, "data_base64", "this is not base64")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Invalid(wire.id, ".".join(filter(None, ("data", _path(str(error))))), str(error))
    for field in NEEDS.get(kind, ()):
        if getattr(data, field) is None:
            return Invalid(wire.id, f"data.{field}", f"{kind.value} needs {field}")
    if data.scale_max is not None and not 0 < data.scale_max <= 1_000:
        return Invalid(wire.id, "data.scale_max", "a scale ends above 0, at 1,000 at most")
    if data.score is not None and not 0 <= data.score <= (data.scale_max or 5):
        return Invalid(wire.id, "data.score", "a score lies between 0 and scale_max (5 unless given)")
    if data.seconds is not None and not 0 <= data.seconds <= _MOST:
        return Invalid(wire.id, "data.seconds", "seconds are not negative, and no more than 2^53")
    if data.amount_minor is not None and not -_MOST <= data.amount_minor <= _MOST:
        return Invalid(wire.id, "data.amount_minor", "an amount lies between -2^53 and 2^53")
    if data.currency is not None and not re.fullmatch("[A-Z]{3}", data.currency):
        return Invalid(wire.id, "data.currency", "an ISO 4217 code such as EUR")
    if data.reason is not None and not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", data.reason):
        return Invalid(wire.id, "data.reason", "a short code: lower-case letters, digits, `_.-`; prose goes in comment")
    for field in ("proposed", "sent", "comment"):
        if len(getattr(data, field) or "") > MAX_TEXT:
            return Invalid(wire.id, f"data.{field}", f"at most {MAX_TEXT} characters")
    return data


class OutcomeFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of `outcome.reported` and `outcome.matched`. A figure counts an outcome once: in the entry that has
    `matched`. `outcome`: our id. `named`: which name the event gave. `late_ms`: from what happened to its arrival here,
    0 when it came from ahead of our clock. `texts`: empty (none came), `sealed`, or `erased` (its subject was erased
    before it came, so they were not kept). `proposed_chars`, `sent_chars`: lengths of an override's two texts."""

    outcome: str
    type: OutcomeType
    key: str
    named: str
    matched: bool = False
    occurred_at_ms: int
    late_ms: int = 0
    score: float | None = None
    scale_max: float | None = None
    seconds: float | None = None
    resolved: bool | None = None
    amount_minor: int | None = None
    currency: str | None = None
    reason: str | None = None
    proposed_chars: int | None = None
    sent_chars: int | None = None
    same: bool | None = None  # an override whose two texts are equal
    texts: str = ""


class OutcomePayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sealed: the event's own names and its texts."""

    source: str
    id: str
    interaction: str | None = None
    conversation: str | None = None
    customer: str | None = None
    proposed: str | None = None
    sent: str | None = None
    comment: str | None = None


def facts_of(event: OutcomeEvent, *, outcome: str, key: str, received_ms: int) -> OutcomeFacts:
    """The facts of an event that matched nothing yet, its texts left out."""
    data = event.data
    both = data.proposed is not None and data.sent is not None
    return OutcomeFacts(
        outcome=outcome,
        type=event.type,
        key=key,
        named="interaction" if event.interaction else "conversation" if event.conversation else "customer",
        occurred_at_ms=event.occurred_at_ms,
        late_ms=max(0, received_ms - event.occurred_at_ms),
        score=data.score,
        scale_max=data.scale_max,
        seconds=data.seconds,
        resolved=data.resolved,
        amount_minor=data.amount_minor,
        currency=data.currency,
        reason=data.reason,
        proposed_chars=None if data.proposed is None else len(data.proposed),
        sent_chars=None if data.sent is None else len(data.sent),
        same=data.proposed == data.sent if both else None,
    )


def payload_of(event: OutcomeEvent) -> bytes | None:
    """JSON to be sealed; None when the event carries no text."""
    data = event.data
    if data.proposed is None and data.sent is None and data.comment is None:
        return None
    return msgspec.json.encode(
        OutcomePayload(
            source=event.source,
            id=event.id,
            interaction=event.interaction,
            conversation=event.conversation,
            customer=event.customer,
            proposed=data.proposed,
            sent=data.sent,
            comment=data.comment,
        )
    )
