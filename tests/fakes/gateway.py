"""A whole gateway in memory: a published use case, a key, real detectors, and an ASGI client that speaks no HTTP."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson
from tests.fakes.guard import (
    Answering,
    CountingIds,
    HandClock,
    MemoryJournal,
    MemoryModelCalls,
    MemoryReferences,
    MemoryThreads,
    ScriptedModel,
)

from handrail.detectors.catalogue import built_in
from handrail.detectors.run import Runner
from handrail.gateway.fields import Bounds
from handrail.gateway.http import Route
from handrail.gateway.identity import Identity, Refusals
from handrail.gateway.metrics import Metrics
from handrail.gateway.routes import face_routes, own_routes
from handrail.gateway.server import Gateway
from handrail.guard.budgets import Budgets
from handrail.guard.chat import Net
from handrail.guard.ports import ModelRequest
from handrail.guard.screen import Memo, Screener
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.people.key import ApiKey, Scope, hash_key
from handrail.policy.ruleset import (
    Audience,
    Dialect,
    Disclosure,
    FindingAction,
    FindingRule,
    Mode,
    PromptMode,
    Provider,
    Ruleset,
    UseCase,
    digest,
)
from handrail.releases.release import LiveRelease, Release, Target
from handrail.terms.finding import Kind
from handrail.terms.ids import KeyId, ProviderId, UseCaseId

DETECTORS = built_in()
KEY = "hr_aaaabbbbccccdddd_testtesttesttesttesttesttesttesttesttesttes"
SENTENCE = "I cannot help with that here."
HANDOVER = "A colleague takes over now."

PROVIDERS = {
    ProviderId("openai"): Provider(id=ProviderId("openai"), dialect=Dialect.OPENAI, base_url="http://up/v1"),
    ProviderId("backup"): Provider(id=ProviderId("backup"), dialect=Dialect.OPENAI, base_url="http://up2/v1"),
    ProviderId("claude"): Provider(id=ProviderId("claude"), dialect=Dialect.ANTHROPIC, base_url="http://up3/v1"),
}
ROUTE = (
    Target(provider=ProviderId("openai"), model="gpt-4o-mini"),
    Target(provider=ProviderId("backup"), model="gpt-backup"),
    Target(provider=ProviderId("claude"), model="claude-x"),
)


MASKED = (Kind.CARD, Kind.EMAIL, Kind.IBAN, Kind.PHONE, Kind.CVV, Kind.PERSON)


def rules(actions: Mapping[Kind, FindingAction] = {}) -> dict[Kind, FindingRule]:
    """A rule for every kind, `mark` unless said."""
    return {
        kind: FindingRule(
            action=actions.get(kind, FindingAction.MARK),
            sentences={"*": HANDOVER if actions.get(kind) is FindingAction.HANDOVER else SENTENCE},
            rule=f"test:{kind}",
        )
        for kind in Kind
    }


def use_case(**changes: Any) -> UseCase:
    """A support bot that masks personal data and blocks injections."""
    masks = dict.fromkeys(MASKED, FindingAction.MASK)
    given: dict[str, Any] = {
        "id": UseCaseId("support"),
        "name": "Support",
        "purpose": "answers questions",
        "owner": "ana",
        "deputy": "ben",
        "escalation": "desk@example.org",
        "channels": ("chat",),
        "audience": Audience.CUSTOMER,
        "languages": ("en",),
        "regions": ("EU",),
        "data_classes": (),
        "levels": {},
        "mode": Mode.ENFORCE,
        "findings": rules({**masks, Kind.INJECTION: FindingAction.BLOCK}),
        "disclosure": Disclosure(wording={"en": "You are talking to an AI assistant."}),
    }
    return UseCase(**{**given, **changes})


@dataclass
class World:
    """Everything a test may look at or change."""

    gateway: Gateway
    model: ScriptedModel
    journal: MemoryJournal
    threads: MemoryThreads
    references: MemoryReferences
    model_calls: MemoryModelCalls
    clock: HandClock
    in_force: InForce
    refusals: Refusals
    steps: list[str] = field(default_factory=list)

    async def post(self, path: str, body: Any, **more: Any) -> "Got":
        """One request; `headers`, `key`, `leave_after` (body messages after which the client leaves)."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return await call(self.gateway, "POST", path, data, log=self.steps, **more)

    async def get(self, path: str, **more: Any) -> "Got":
        return await call(self.gateway, "GET", path, b"", log=self.steps, **more)


@dataclass
class Got:
    """One response. `parts`: body messages as they were sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    ended: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    def events(self) -> list[Any]:
        """Data of each event; `[DONE]` as a string."""
        found = []
        for event in self.body.decode().split("\n\n"):
            for line in event.split("\n"):
                if line.startswith("data: "):
                    found.append(line[6:] if line[6:] == "[DONE]" else orjson.loads(line[6:]))
        return found


def world(
    script: Callable[[ModelRequest], Any] | None = None,
    *,
    case: UseCase | None = None,
    release: Mapping[str, Any] = {},
    scopes: frozenset[Scope] = frozenset({Scope.CHAT}),
    screener: Screener | None = None,
    bounds: Bounds | None = None,
    routes: Sequence[Route] = (),
) -> World:
    """A gateway with one use case in force. `script` answers for the providers."""
    clock, ids, steps = HandClock(), CountingIds(), []
    case = case or use_case()
    made = Release(
        **{"use_case": case.id, "alias": "support", "route": ROUTE, "prompt_mode": PromptMode.CLIENT, **release}
    )
    ruleset = Ruleset(
        organisation="Test", time_zone="Europe/Berlin", currency="EUR", providers=PROVIDERS, use_cases={case.id: case}
    )
    key = ApiKey(
        id=KeyId("aaaabbbbccccdddd"), hash=hash_key(KEY), use_case=case.id, scopes=scopes, agent="bot", created_at=0
    )
    snapshot = Snapshot(
        epoch=1,
        ruleset_digest=digest(ruleset),
        ruleset=ruleset,
        live={case.id: LiveRelease(digest(made), made)},
        keys={key.hash: key},
    )
    in_force = InForce(snapshot)
    journal, threads, references = MemoryJournal(steps.append), MemoryThreads(), MemoryReferences()
    model_calls = MemoryModelCalls()
    model = ScriptedModel(script or (lambda request: Answering([b"{}"])))
    net = Net(
        model=model,
        threads=threads,
        journal=journal,
        references=references,
        model_calls=model_calls,
        screener=screener or Runner(DETECTORS, clock.monotonic),
        budgets=Budgets(clock),
        memo=Memo(b"k" * 32),
        clock=clock,
        ids=ids,
        in_force=in_force,
    )
    identity, refusals, metrics = Identity(in_force, clock), Refusals(b"s" * 32), Metrics()
    table = (*face_routes(), *own_routes(identity, metrics, lambda: None, None), *routes)
    gateway = Gateway(net, identity, refusals, metrics, table, bounds)
    return World(gateway, model, journal, threads, references, model_calls, clock, in_force, refusals, steps)


async def call(
    app: Any,
    method: str,
    path: str,
    body: bytes,
    *,
    headers: Mapping[str, str] = {},
    key: str | None = KEY,
    leave_after: int | None = None,
    chunks: Sequence[bytes] | None = None,
    log: list[str] | None = None,
) -> Got:
    """Drive the ASGI application once."""
    got = Got()
    pairs = {"content-type": "application/json", **headers}
    if key is not None:
        pairs.setdefault("authorization", f"Bearer {key}")
    waiting = list(chunks if chunks is not None else [body])
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if waiting:
            piece = waiting.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(waiting)}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            got.status = message["status"]
            got.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if message.get("body"):
            got.parts.append(message["body"])
        got.ended = not message.get("more_body", False)
        if log is not None:
            log.append("sent last" if got.ended else "sent")
        if leave_after is not None and len(got.parts) >= leave_after:
            left.set()
            await asyncio.sleep(0)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
        "client": ("127.0.0.1", 1),
        "query_string": b"",
    }
    await app(scope, receive, send)
    return got


def chat_answer(text: str | None, **message: Any) -> bytes:
    """A chat completion."""
    return orjson.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": "gpt-4o-mini",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None, **message},
                    "logprobs": None,
                    "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
                }
            ],
            "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
        }
    )


def chat_stream(deltas: Sequence[str | dict[str, Any]], *, done: bool = True) -> list[bytes]:
    """Events of a chat stream: role, each delta, the end, usage and the terminator."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "gpt-4o-mini"}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return b"data: " + orjson.dumps({**head, "choices": [choice]}) + b"\n\n"

    events = [chunk({"role": "assistant", "content": "", "refusal": None})]
    events += [chunk({"content": delta} if isinstance(delta, str) else delta) for delta in deltas]
    if done:
        events.append(chunk({}, "stop"))
        usage = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
        events.append(b"data: " + orjson.dumps({**head, "choices": [], "usage": usage}) + b"\n\n")
        events.append(b"data: [DONE]\n\n")
    return events


def replaced(case: UseCase, **changes: Any) -> UseCase:
    """The use case with other settings."""
    return msgspec.structs.replace(case, **changes)
