"""`POST /api/v1/actions`: an agent asks for an action; `GET /api/v1/actions/{id}`: how far it has come; `DELETE`: the
agent takes back what still waits.

The answer is the same for all: `{"action_id", "status", "message", "retry_after"?, "result"?, "why"?}`. 200: it has
ended; 202: it waits or runs. `status` is the action's state (`held`, `done`, `denied`, ...). The same call again gives
the same action, and later its stored result: nothing happens twice. `?wait=SECONDS` (at most 30) waits for the end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs

import msgspec

from handrail.approvals.lifecycle import ENDED, Otherwise, State
from handrail.approvals.settle import Cancel
from handrail.approvals.store import ActionReader, Stored
from handrail.gateway.http import JSON, Request, Response, Route
from handrail.gateway.identity import Identity
from handrail.guard.tool_call import Called, ToolCalls
from handrail.guard.would_be import Probing
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.ledger.store import Journal
from handrail.people.key import ApiKey, Scope
from handrail.policy.action import Fact, Vouched
from handrail.policy.decide_action import Prepared
from handrail.policy.evaluate import sentence_for
from handrail.terms.action import ActionId, Door, ToolId
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId, Digest, Ids

PATH = "/api/v1/actions"
POLL_S, SLOWEST_S = 0.1, 0.5
"""Between two looks of a caller that waits, at first and later: a thousand waiting callers read 2,000 rows a second."""
MAX_WAIT_S = 30.0
RETRY_AFTER_S = 5
WOULD_BE = "would_be"
"""The status of a probe's action."""
SETTLED = ENDED | {State.UNKNOWN}
"""What a caller need not wait on: only a person can tell what became of an unknown one."""

SENTENCES: Mapping[State, Mapping[str, str]] = {
    State.HELD: {
        "en": "I have passed this to a colleague, who will look at it. I cannot do it myself.",
        "de": "Das habe ich an eine Kollegin oder einen Kollegen weitergegeben. Selbst kann ich es nicht ausführen.",
        "fr": "J'ai transmis cette demande à un collègue, qui va l'examiner. Je ne peux pas le faire moi-même.",
        "es": "He pasado esto a un compañero, que lo revisará. Yo no puedo hacerlo directamente.",
        "it": "L'ho passato a un collega, che lo esaminerà. Non posso farlo direttamente.",
        "nl": "Ik heb dit doorgegeven aan een collega, die ernaar kijkt. Zelf kan ik het niet uitvoeren.",
        "pt": "Passei isto a um colega, que vai analisar. Não posso fazê-lo eu próprio.",
        "pl": "Przekazałem to koledze, który się tym zajmie. Sam nie mogę tego zrobić.",
    },
    State.DENIED: {
        "en": "I am not able to do this.",
        "de": "Das kann ich nicht tun.",
        "fr": "Je ne suis pas en mesure de le faire.",
        "es": "No puedo hacer esto.",
        "it": "Non posso farlo.",
        "nl": "Dit kan ik niet doen.",
        "pt": "Não posso fazer isto.",
        "pl": "Nie mogę tego zrobić.",
    },
}
_SAID = {
    State.HELD: State.HELD,
    State.UNKNOWN: State.HELD,
    **dict.fromkeys(
        (State.DENIED, State.EXPIRED, State.LAPSED, State.REVOKED, State.UNREACHABLE, State.FAILED), State.DENIED
    ),
}
"""What the agent may say to the customer. For every other state the agent has the result, or nothing to say."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of the request. `facts`: verified when the key has the scope `facts`, else claimed. `said`: only of a key
    with the scope `probe`, whose conversation is recorded nowhere: what came before, as OpenAI messages."""

    action: ToolId
    arguments: dict[str, Any] = {}
    conversation: str | None = None
    customer: CustomerId | None = None
    facts: dict[str, Any] = {}
    language: str = "en"
    said: tuple[dict[str, Any], ...] = ()


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer. `message`: for the customer. `retry_after`: seconds, while it is not over. `result`: what the target
    answered. `why`: for the agent, what it can mend: words of the rules' authors, arguments outside the schema. The
    others are for probes: the status is `would_be`, `verdict` is what a customer's action would have got, `reasons` and
    `rules` why, `route` who would have been asked."""

    action_id: str
    status: str
    message: str = ""
    retry_after: int | None = None
    result: Any = None
    why: tuple[str, ...] = ()
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    route: str = ""


class Acting(Protocol):
    """What carries actions out; made when the first one comes (`app.wire.actions`)."""

    @property
    def calls(self) -> ToolCalls: ...

    @property
    def probing(self) -> Probing: ...


def action_routes(
    identity: Identity,
    in_force: InForce,
    acting: Callable[[], Acting],
    reader: ActionReader,
    journal: Journal,
    prepared: Callable[[Snapshot], Prepared],
    newer: Callable[[], Awaitable[bool]],
    ids: Ids,
) -> tuple[Route, ...]:
    """The routes of actions; a key needs the scope `act`. `newer`: looks at what is in force when the last look is too
    old, and says whether it is fresh then: what may have been changed or stopped unseen refuses every action."""

    async def ask(request: Request) -> Response:
        _, key = identity.key(request.headers, Scope.ACT)
        body = understood(request.body)
        if not await newer():
            raise HandrailError(
                Code.STOP_UNREADABLE, "what is in force cannot be read; nothing is done until it can", retry_after_s=1
            )
        snapshot = in_force.current
        if snapshot is None:
            raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish", retry_after_s=1)
        called = called_by(body, key)
        require_probe(request, key)
        if key.probe:
            return await probed(acting().probing, called, body, request, snapshot, prepared(snapshot))
        stored = await acting().calls.call(called, snapshot, prepared(snapshot))
        return answer(await _waited(reader, stored, request.query), body.language)

    async def look(request: Request) -> Response:
        return answer(await _waited(reader, await own(request), request.query), "en")

    async def cancel(request: Request) -> Response:
        _, key = identity.key(request.headers, Scope.ACT)
        stored = await own(request)
        return answer(await journal.run(Cancel(ids=ids, action=stored.progress.action, key=key.id)), "en")

    async def own(request: Request) -> Stored:
        """The action in the path, when it is of the key's use case; else it is answered like one that is not there."""
        _, key = identity.key(request.headers, Scope.ACT)
        nothing = HandrailError(Code.NOT_FOUND, "there is no action with this id")
        try:
            stored = await reader.get(ActionId(request.tail[:64]))
        except HandrailError as error:
            raise nothing if error.code is Code.NOT_FOUND else error from None
        if stored.about.use_case != key.use_case or key.probe:
            raise nothing
        return stored

    ruled = "an action is decided by the ruleset, and its arguments are checked against schema, record and conversation"
    stored = "reads a stored action"
    return (
        Route(method="POST", path=PATH, handler=ask, scope=Scope.ACT, unguarded=ruled),
        Route(method="GET", path=f"{PATH}/", handler=look, scope=Scope.ACT, unguarded=stored),
        Route(method="DELETE", path=f"{PATH}/", handler=cancel, scope=Scope.ACT, unguarded=stored),
    )


def understood(body: bytes) -> Asked:
    """Raises HandrailError REQUEST_INVALID with the place of what is wrong."""
    try:
        return msgspec.json.decode(body, type=Asked)
    except msgspec.DecodeError as error:
        raise HandrailError(Code.REQUEST_INVALID, str(error)) from None
    except RecursionError:
        raise HandrailError(Code.REQUEST_TOO_DEEP, "the body is nested too deeply") from None


def answer(stored: Stored, language: str) -> Response:
    """200 when it has ended, 202 while it waits or runs. A denial is an answer, not an error: the agent goes on. When
    nobody decided and a person takes the case over, the customer is told so, and a header tells the agent's system."""
    state = stored.progress.state
    handed = state is State.EXPIRED and stored.progress.otherwise is Otherwise.HANDOVER
    said = State.HELD if handed else _SAID.get(state)
    over = state in ENDED
    result = msgspec.json.decode(stored.result) if stored.result is not None else None
    told = Told(
        action_id=stored.progress.action,
        status=state.value,
        message=sentence_for({"*": "", **(SENTENCES[said] if said is not None else {})}, language),
        retry_after=None if over else RETRY_AFTER_S,
        result=result["result"] if isinstance(result, dict) else None,
        why=why(stored),
    )
    headers = (JSON, (b"x-handrail-outcome", b"handover")) if handed else (JSON,)
    return Response(200 if over else 202, msgspec.json.encode(told), headers)


def require_probe(request: Request, key: ApiKey) -> None:
    """A request that names a release is a test. Raises HandrailError KEY_SCOPE for a key that would carry it out."""
    if request.header(b"x-handrail-release") is not None and not key.probe:
        raise HandrailError(
            Code.KEY_SCOPE, "x-handrail-release chooses a release for a test: only a key with the scope probe may"
        )


async def probed(
    probing: Probing, called: Called, body: Asked, request: Request, snapshot: Snapshot, prepared: Prepared
) -> Response:
    """200 with what would have become of it: decided, recorded as a probe, and nothing more."""
    named = request.header(b"x-handrail-release") or ""
    told = await would_be(probing, called, body.said, named, body.language, snapshot, prepared)
    return Response(200, msgspec.json.encode(told))


async def would_be(
    probing: Probing, called: Called, said: Sequence[Mapping[str, Any]], named: str, language: str, snapshot: Snapshot,
    prepared: Prepared,
) -> Told:  # fmt: skip
    """What a probe hears, at whichever door. `named`: the release that it chooses; empty or `live`: the one that is."""
    live = snapshot.live.get(called.key.use_case) if called.key.use_case is not None else None
    release = Digest(named[:64]) if named and named != "live" else (live.digest if live is not None else None)
    found = await probing.decide(called, said, snapshot, prepared, release)
    decision, route = found.ruled.decision, found.ruled.route
    state = {Verdict.HOLD: State.HELD, Verdict.DENY: State.DENIED}.get(decision.verdict)
    return Told(
        action_id=found.action,
        status=WOULD_BE,
        message=sentence_for({"*": "", **SENTENCES[state]}, language) if state is not None else "",
        verdict=(decision.would_be or decision.verdict).value,
        reasons=tuple(dict.fromkeys(f"{reason.code} {reason.rule}".strip() for reason in decision.reasons)),
        rules=tuple(decision.rules),
        route=route.id if route is not None else "",
    )


def why(stored: Stored) -> tuple[str, ...]:
    """What the agent is told of the rules' own decision; of a person's denial nothing is."""
    by_rules = {State.DENIED: Verdict.DENY, State.HELD: Verdict.HOLD}
    decided = by_rules.get(stored.progress.state)
    return stored.about.told if decided is not None and stored.about.facts.verdict is decided else ()


def called_by(body: Asked, key: ApiKey) -> Called:
    """The call, with the caller's facts as its key vouches for them. Raises HandrailError KEY_SCOPE for a conversation
    that is brought along by another than a probe."""
    if body.said and not key.probe:
        raise HandrailError(Code.KEY_SCOPE, "said: only a key with the scope probe brings its conversation along")
    vouched = Vouched.VERIFIED if Scope.FACTS in key.scopes else Vouched.CLAIMED
    return Called(
        key=key,
        tool=body.action,
        arguments=body.arguments,
        door=Door.HTTP,
        conversation=body.conversation,
        customer=body.customer,
        facts=tuple(Fact(name, value, vouched) for name, value in sorted(body.facts.items())),
        language=body.language,
    )


async def _waited(reader: ActionReader, stored: Stored, query: bytes) -> Stored:
    """Looks again until it has ended, nobody can tell what became of it, or the time is over."""
    given = parse_qs(query.decode("latin-1")).get("wait", ["0"])[0]
    known = given.isascii() and given.replace(".", "", 1).isdigit()
    left, pause = min(float(given), MAX_WAIT_S) if known else 0.0, POLL_S
    while left > 0 and stored.progress.state not in SETTLED:
        await asyncio.sleep(pause)
        left -= pause
        pause = min(SLOWEST_S, pause * 1.5)
        stored = await reader.get(stored.progress.action)
    return stored
