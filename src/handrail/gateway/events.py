"""`POST /api/v1/events`: outcomes from contact-centre systems, single, in batches, and as CloudEvents in every mode.

The answer has one row per event in the order they came, `{"results": [{"id", "status", "field"?, "message"?}]}`, where
`status` is accepted, duplicate, unmatched (kept, and tried again) or invalid. 202: all were taken; 200: some were, the
invalid ones say why; 400: none was, with `error` as everywhere here. An invalid event never costs its neighbours.

Values that must never rest (card codes, PINs, passwords) are struck out of comments and edits before anything is kept;
a text that a detector could not read is not kept. When the journal is away: 503, nothing or a portion was kept, and the
same request again counts nothing twice.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from handrail.detectors.base import Text
from handrail.detectors.mask import mask
from handrail.gateway.http import Request, Response, Route
from handrail.gateway.identity import Identity
from handrail.gateway.metrics import Counter, Metrics
from handrail.guard.screen import Screener
from handrail.people.key import Scope
from handrail.review.outcome import Invalid, OutcomeEvent, parse, parse_binary
from handrail.review.store import Outcomes
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import NEVER_REST, Role

PATH = "/api/v1/events"
LEFT_OUT = "[UNSCREENED]"
"""Stands for a text that a detector could not read."""

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
_FREE_TEXT = ("proposed", "sent", "comment")


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event's row. `status`: accepted, duplicate, unmatched, invalid; the last with `field` and `message`."""

    id: str
    status: str
    field: str = ""
    message: str = ""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """One row per event, in the order they came."""

    results: tuple[Result, ...]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """`code`: stable. `type`: as the OpenAI dialect has it."""

    type: str
    message: str
    code: str


class NoneTaken(msgspec.Struct, frozen=True, kw_only=True):
    """Every event was invalid."""

    error: Problem
    results: tuple[Result, ...]


def event_routes(
    identity: Identity, outcomes: Outcomes, screener: Screener, clock: Clock, metrics: Metrics
) -> tuple[Route, ...]:
    """The one route of outcome events; a key needs the scope `events`."""
    counted = Counter("handrail_events_total", "Outcome events by what became of them.", ("type", "status"))
    metrics.add(counted)

    async def events(request: Request) -> Response:
        _, key = identity.key(request.headers, Scope.EVENTS)
        read = understood(request, clock.now_ms())
        good = [await clean(event, screener) for event in read if isinstance(event, OutcomeEvent)]
        taken = await outcomes.save(good, key_id=key.id, use_case=key.use_case) if good else []
        statuses = iter(taken)
        rows = tuple(
            Result(id=each.id, status="invalid", field=each.field, message=each.message)
            if isinstance(each, Invalid)
            else Result(id=each.id, status=next(statuses).value)
            for each in read
        )
        for each, row in zip(read, rows, strict=True):
            counted.add((each.type.value if isinstance(each, OutcomeEvent) else "", row.status))
        return answer(rows)

    return (
        Route(
            method="POST",
            path=PATH,
            handler=events,
            scope=Scope.EVENTS,
            unguarded="reaches no model and no customer; never-rest values are struck out here, texts are sealed",
        ),
    )


def understood(request: Request, now_ms: int) -> Sequence[OutcomeEvent | Invalid]:
    """Every event of the request, in whichever mode it came. Raises HandrailError REQUEST_INVALID."""
    kind = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if kind not in (STRUCTURED, BATCH) and request.header(b"ce-id") is not None:
        return [parse_binary(request.headers, request.body, now_ms=now_ms)]
    try:
        return parse(request.body, now_ms=now_ms, cloud=kind in (STRUCTURED, BATCH))
    except ValueError as error:
        raise HandrailError(Code.REQUEST_INVALID, str(error)) from None


async def clean(event: OutcomeEvent, screener: Screener) -> OutcomeEvent:
    """The event without what must never rest. Gives way to other requests between two texts."""
    changes = {}
    for field in _FREE_TEXT:
        text = getattr(event.data, field)
        if text:
            await asyncio.sleep(0)
            changes[field] = _struck(text, screener)
    if not changes:
        return event
    return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, **changes))


def _struck(text: str, screener: Screener) -> str:
    report = screener.screen(Text(text=text, role=Role.USER), NEVER_REST)
    if report.failures:
        return LEFT_OUT
    return mask(text, report.findings, b"").text if report.findings else text


def answer(rows: tuple[Result, ...]) -> Response:
    """202 when all were taken, 200 when some, 400 when none."""
    invalid = [row for row in rows if row.status == "invalid"]
    if not invalid:
        return Response(202, msgspec.json.encode(Results(results=rows)))
    if len(invalid) < len(rows):
        return Response(200, msgspec.json.encode(Results(results=rows)))
    first = invalid[0]
    message = f"event {first.id or '(without an id)'}: {first.field or 'event'}: {first.message}"
    problem = Problem(type="invalid_request_error", message=message, code=Code.REQUEST_INVALID.value)
    return Response(400, msgspec.json.encode(NoneTaken(error=problem, results=rows)))
