"""The OpenAPI 3.1 document of the gateway, made from the table of routes and the types that the handlers use.

The model faces are described by what handrail adds: headers, refusals, and examples. Their bodies belong to the
providers, whose references are linked; a copy here would be wrong soon. A route that is not described here makes
`document` fail, so none can be forgotten.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import orjson

from handrail.gateway.actions import PATH as ACTIONS
from handrail.gateway.actions import Asked, Told
from handrail.gateway.count_tokens import PATH as COUNT_TOKENS
from handrail.gateway.decisions import KEYS, OUTCOME, REDEEM, Outcome, Permitted, Redeemed, Shown, Tried, Wanted
from handrail.gateway.decisions import PATH as DECISIONS
from handrail.gateway.errors import SHAPES, Form
from handrail.gateway.events import BATCH, STRUCTURED, NoneTaken, Results
from handrail.gateway.http import Request, Response, Route
from handrail.gateway.reading import INTERACTIONS
from handrail.gateway.releases import ONE
from handrail.gateway.runners import RUNNERS, TOOLS
from handrail.people.key import Scope
from handrail.review.outcome import MAX_BATCH, MAX_NAME, NEEDS, OutcomeData, OutcomeType
from handrail.terms.errors import Code

PATH = "/openapi.json"
_REF = "#/components/schemas/"

REFERENCES = {
    "/v1/chat/completions": "https://platform.openai.com/docs/api-reference/chat/create",
    "/v1/responses": "https://platform.openai.com/docs/api-reference/responses/create",
    "/v1/embeddings": "https://platform.openai.com/docs/api-reference/embeddings/create",
    "/v1/messages": "https://docs.anthropic.com/en/api/messages",
    "/v1/models": "https://platform.openai.com/docs/api-reference/models",
}
_SAY = [{"role": "user", "content": "Where is my order 48213?"}]
FACE_EXAMPLES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "support-chat", "messages": _SAY},
    "/v1/responses": {"model": "support-chat", "input": "Where is my order 48213?"},
    "/v1/messages": {"model": "support-chat", "max_tokens": 200, "messages": _SAY},
    "/v1/embeddings": {"model": "support-chat", "input": "Where is my order 48213?"},
}
EVENT_EXAMPLES: dict[str, tuple[str, Any]] = {
    "one": ("application/json", {"source": "crm", "id": "4711", "type": "csat", "conversation": "ticket-9",
                                 "data": {"score": 4, "comment": "quick and friendly"}}),
    "several": ("application/json", {"events": [
        {"source": "crm", "id": "4712", "type": "transfer", "customer": "c-17", "time": "2026-11-21T10:00:00Z",
         "data": {"reason": "asked_for_human"}},
        {"source": "crm", "id": "4713", "type": "refund_reversed", "conversation": "ticket-9",
         "data": {"amount_minor": 4000, "currency": "EUR"}},
    ]}),
    "cloudevent": (STRUCTURED, {"specversion": "1.0", "id": "9", "source": "/helpdesk", "subject": "ticket-9",
                                "type": "handrail.outcome.resolution", "data": {"resolved": True}}),
    "cloudevents": (BATCH, [{"specversion": "1.0", "id": "10", "source": "/helpdesk", "subject": "ticket-9",
                             "type": "handrail.outcome.handle_time", "data": {"seconds": 312.5}}]),
}  # fmt: skip
"""By name: media type and body. A test sends each to a live server."""

_PLAIN = {
    "/v1/models": ("The models this key may name", "application/json"),
    "/v1/models/{model}": ("One model this key may name", "application/json"),
    COUNT_TOKENS: ("Refused: tokens are not counted ahead", "application/json"),
    "/healthz": ("Whether the process runs", "application/json"),
    "/readyz": ("Whether it may get traffic", "application/json"),
    "/metrics": ("Prometheus text format 0.0.4, summed over all workers", "text/plain"),
    "/approvals/{action}": ("What the link of a notice opens; reads and changes nothing", "text/plain"),
    "/log/{path}": ("A file of the transparency log (C2SP tlog-tiles)", "application/octet-stream"),
    "/api/v1/interactions/{interaction}": ("The recorded facts of a finished interaction", "application/json"),
    "/api/v1/releases": ("How far each release has come", "application/json"),
    "/api/v1/releases/{release}": ("One release: its verdict, its numbers and its units", "application/json"),
    "/api/v1/use-cases": ("The use cases in force", "application/json"),
    ACTIONS + "/{action}": ("How far an action has come, or take back one that waits", "application/json"),
    TOOLS: ("The registered tools of the key's use case; with `upstream`, those of one", "application/json"),
    RUNNERS: ("A process of `handrail mcp` says that it lives, and which actions wait for it", "application/json"),
    KEYS: ("The public keys that permits are signed by (JWK set)", "application/json"),
    PATH: ("This document", "application/json"),
}
_PREFIXED = {"/v1/models/": ("/v1/models/{model}",), "/log/": ("/log/{path}",), "/approvals/": ("/approvals/{action}",),
             INTERACTIONS: (INTERACTIONS + "{interaction}",), ONE: (ONE + "{release}",),
             ACTIONS + "/": (ACTIONS + "/{action}",),
             DECISIONS + "/": (f"{DECISIONS}/{{action}}/{REDEEM}", f"{DECISIONS}/{{action}}/{OUTCOME}")}  # fmt: skip

_REQUEST_HEADERS = {
    "x-handrail-conversation": "The conversation, by your id or ours; left out: inferred from the resent history.",
    "x-handrail-customer": "The customer's id. Sealed, never sent to a provider unless declared.",
    "x-handrail-channel": "Where the customer writes or speaks, such as chat, email, voice.",
    "x-handrail-region": "Where the customer is: one of the use case's regions.",
    "traceparent": "W3C trace context; kept with the interaction.",
}
_RESPONSE_HEADERS = {
    "x-handrail-interaction": "Id of this interaction, also on refusals.",
    "x-handrail-conversation": "Our id of the conversation.",
    "x-handrail-outcome": "answered, changed, blocked, handover, refused, failed and the like.",
    "x-handrail-disclosure": "On the first interaction: version, language, wording to show the customer.",
}


def document(routes: Iterable[Route], *, version: str) -> dict[str, Any]:
    """JSON. Raises ValueError for a route that is not described."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for path in _PREFIXED.get(route.path, (route.path,)):
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
    _, schemas = msgspec.json.schema_components(
        [OutcomeData, Results, NoneTaken, Asked, Told, Wanted, Permitted, Tried, Shown, Redeemed, Outcome],
        ref_template=_REF + "{name}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "handrail",
            "version": version,
            "summary": "The safety net for AI in customer experience",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**schemas, **_written()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of handrail, `hr_...`."},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def openapi_route(routes: Iterable[Route], *, version: str) -> Route:
    """The route that serves the document of these routes and of itself."""
    cached: list[bytes] = []

    async def openapi(request: Request) -> Response:
        return Response(200, cached[0])

    own = Route(method="GET", path=PATH, handler=openapi, unguarded="takes no input")
    cached.append(orjson.dumps(document([*routes, own], version=version)))
    return own


def _operation(route: Route, path: str) -> dict[str, Any]:
    if route.face is not None:
        found = _face(route, path)
    elif route.scope is Scope.EVENTS:
        found = _events()
    elif path.startswith(DECISIONS) and path != KEYS:
        found = _decision(path)
    elif path.startswith(ACTIONS):
        found = _action(path)
    elif path in _PLAIN:
        found = _plain(route, path)
    else:
        raise ValueError(f"{route.method} {path} is not described in gateway.openapi")
    if route.scope is not None:
        found["security"] = [{"bearer": []}, {"header": []}]
        found["description"] = (
            f"{found.get('description', '')} Needs a key with the scope `{route.scope.value}`.".strip()
        )
        found["responses"] |= _refusals(_form(route), (401, 403))
    else:
        found["security"] = []
    found["operationId"] = f"{route.method.lower()}_" + path.strip("/").translate(str.maketrans("/.{}-", "_____"))
    return found


def _face(route: Route, path: str) -> dict[str, Any]:
    headers = {name: {"description": about, "schema": {"type": "string"}} for name, about in _RESPONSE_HEADERS.items()}
    body = {"schema": {"type": "object"}, "examples": {"plain": {"value": FACE_EXAMPLES[path]}}}
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if path != "/v1/embeddings":
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return {
        "summary": "A guarded call of a model, in the provider's own dialect",
        "externalDocs": {"url": REFERENCES[path], "description": "Body and answer, as the provider describes them"},
        "parameters": [
            {"name": name, "in": "header", "required": False, "description": about, "schema": {"type": "string"}}
            for name, about in _REQUEST_HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {
                "description": "The answer, or the declared sentence of a block or handover, in the dialect",
                "headers": headers,
                "content": content,
            },
            **_refusals(_form(route), sorted({shape.status for shape in SHAPES.values()})),
        },
    }


def _events() -> dict[str, Any]:
    event = {"$ref": _REF + "Event"}
    bodies = {
        "application/json": {"anyOf": [event, {"$ref": _REF + "Events"}, {"type": "array", "items": event}]},
        STRUCTURED: event,
        BATCH: {"type": "array", "items": event},
    }
    examples: dict[str, dict[str, Any]] = {kind: {} for kind in bodies}
    for name, (kind, value) in EVENT_EXAMPLES.items():
        examples[kind][name] = {"value": value}

    def results(description: str, schema: str) -> dict[str, Any]:
        return {"description": description, "content": {"application/json": {"schema": {"$ref": _REF + schema}}}}

    return {
        "summary": "Report outcomes",
        "description": (
            f"At most {MAX_BATCH} events; also CloudEvents 1.0 in binary mode (`ce-*` headers, the body is `data`). "
            "Safe to repeat: source and id identify an event."
        ),
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": schema, "examples": examples[kind]} for kind, schema in bodies.items()},
        },
        "responses": {
            "202": results("Every event was taken: accepted, duplicate or unmatched", "Results"),
            "200": results("Some were taken; the invalid rows say why they were not", "Results"),
            "400": results("None was taken", "NoneTaken"),
            **_refusals(Form.OPENAI, (413, 503)),
        },
    }


def _action(path: str) -> dict[str, Any]:
    told = {"application/json": {"schema": {"$ref": _REF + "Told"}}}
    found: dict[str, Any] = {
        "summary": "Ask for an action",
        "description": "The same call again gives the same action, and later its stored result.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REF + "Asked"}}},
        },
        "parameters": [],
        "responses": {
            "200": {"description": "It has ended: done, failed, denied and the like", "content": told},
            "202": {"description": "It waits or runs; ask again", "content": told},
            **_refusals(Form.OPENAI, (400, 409, 413, 503)),
        },
    }
    if path in _PLAIN:
        del found["requestBody"]
        found |= {"summary": _PLAIN[path][0], "description": ""}
        found["parameters"] = [{"name": "action", "in": "path", "required": True, "schema": {"type": "string"}}]
        found["responses"] |= _refusals(Form.OPENAI, (404,))
    wait = "Seconds to wait for its end, at most 30."
    found["parameters"].append(
        {"name": "wait", "in": "query", "required": False, "description": wait, "schema": {"type": "number"}}
    )
    return found


def _decision(path: str) -> dict[str, Any]:
    """A decision for a caller that executes itself, its redeem, its report."""
    summary, body, said, over = {
        DECISIONS: ("Decide only, for a caller that executes itself", "Wanted", "Permitted", "Told"),
        f"{DECISIONS}/{{action}}/{REDEEM}": ("Redeem a permit: the right to execute, once", "Shown", "Redeemed", ""),
        f"{DECISIONS}/{{action}}/{OUTCOME}": ("Report what came of a redeemed permit", "Outcome", "Told", ""),
    }[path]
    good = [{"$ref": _REF + name} for name in (said, over, "Tried" if over else "") if name]
    found: dict[str, Any] = {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": _REF + body}}}},
        "responses": {
            "200": {
                "description": "A permit, or how it has ended" if over else summary,
                "content": {"application/json": {"schema": {"anyOf": good} if over else good[0]}},
            },
            **_refusals(Form.OPENAI, (400, 409, 413, 503)),
        },
    }
    if over:
        told = {"application/json": {"schema": {"$ref": _REF + over}}}
        found["responses"]["202"] = {"description": "It waits for a person; ask again", "content": told}
    else:
        found["parameters"] = [{"name": "action", "in": "path", "required": True, "schema": {"type": "string"}}]
        found["responses"] |= _refusals(Form.OPENAI, (404,))
    return found


def _plain(route: Route, path: str) -> dict[str, Any]:
    summary, kind = _PLAIN[path]
    found: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": {"description": summary, "content": {kind: {}}}},
    }
    if path == "/readyz":
        found["responses"]["503"] = {"description": "Not now; `status` says why", "content": {kind: {}}}
    if "{" in path:
        name = path.partition("{")[2].rstrip("}")
        found["parameters"] = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}]
        found["responses"] |= _refusals(_form(route), (404,))
    if path in REFERENCES:
        found["externalDocs"] = {"url": REFERENCES[path]}
    return found


def _form(route: Route) -> Form:
    return route.face.form if route.face is not None else Form.OPENAI


def _refusals(form: Form, statuses: Iterable[int]) -> dict[str, Any]:
    schema = {"$ref": _REF + ("AnthropicError" if form is Form.ANTHROPIC else "OpenAIError")}
    codes: dict[int, list[str]] = {}
    for code, shape in SHAPES.items():
        codes.setdefault(shape.status, []).append(code.value)
    return {
        str(status): {
            "description": "Refused: " + ", ".join(f"`{code}`" for code in codes[status]),
            "content": {"application/json": {"schema": schema}},
        }
        for status in statuses
    }


def _written() -> dict[str, Any]:
    """Schemas of what the handlers read and write by hand."""
    text: dict[str, Any] = {"type": "string"}
    code = {"type": "string", "enum": sorted(code.value for code in Code)}
    about = {
        "type": "object",
        "required": ["type", "message", "code"],
        "properties": {"type": text, "message": text, "code": code, "interaction": text, "param": {"type": "null"}},
    }
    name = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
    needs = "; ".join(f"{kind.value}: {', '.join(fields)}" for kind, fields in NEEDS.items())
    kinds = [kind.value for kind in OutcomeType]
    event = {
        "type": "object",
        "description": "Names exactly one of interaction, conversation, customer (or `subject`, as a CloudEvent does).",
        "required": ["source", "id", "type"],
        "properties": {
            "id": name,
            "source": name,
            "type": {"type": "string", "enum": [*kinds, *(f"handrail.outcome.{kind}" for kind in kinds)]},
            "time": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]},
            "interaction": name,
            "conversation": name,
            "customer": name,
            "use_case": text,
            "usecase": text,
            "subject": name,
            "specversion": {"const": "1.0"},
            "datacontenttype": text,
            "data": {"$ref": _REF + "OutcomeData", "description": f"Needed in it: {needs}."},
            "data_base64": {"type": "string", "contentEncoding": "base64"},
        },
    }
    return {
        "Event": event,
        "Events": {
            "type": "object",
            "required": ["events"],
            "properties": {"events": {"type": "array", "maxItems": MAX_BATCH, "items": {"$ref": _REF + "Event"}}},
        },
        "OpenAIError": {"type": "object", "required": ["error"], "properties": {"error": about}},
        "AnthropicError": {
            "type": "object",
            "required": ["type", "error"],
            "properties": {"type": {"const": "error"}, "error": about, "request_id": text},
        },
    }
