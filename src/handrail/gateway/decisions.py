"""Decisions for callers that execute themselves.

`POST /api/v1/decisions`: as `POST /api/v1/actions`, but nothing is executed here. 200 with `permit`: the caller may
redeem it before `expires_at` and then do exactly `arguments`, once. Without `permit` the answer is that of an action:
it waits for a person (202; the same request again gives the permit once it is approved), or it is over (200).
`POST /api/v1/decisions/{id}/redeem`: the right to execute, once; any other status than 200: do nothing.
`POST /api/v1/decisions/{id}/outcome`: what came of it. `GET /api/v1/decisions/keys`: the public keys (RFC 7517).
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta

from handrail.approvals.lifecycle import State
from handrail.approvals.store import ActionReader, Stored
from handrail.gateway.actions import Asked, answer, called_by, probed, require_probe, why
from handrail.gateway.http import Request, Response, Route
from handrail.gateway.identity import Identity
from handrail.gateway.metrics import Counter, Metrics
from handrail.guard.permits import PermitKeys, Permits
from handrail.guard.tool_call import TRIED
from handrail.guard.would_be import Probing
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.people.key import ApiKey, Scope
from handrail.policy.decide_action import Prepared
from handrail.terms.action import ActionId, Door
from handrail.terms.errors import Code, HandrailError
from handrail.tools.registry import gives_permits

PATH = "/api/v1/decisions"
KEYS = f"{PATH}/keys"
REDEEM, OUTCOME = "redeem", "outcome"

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Wanted(Asked, frozen=True, kw_only=True):
    """Body of a decision. `audience`: who shall execute it, as that service calls itself; left out: the tool's
    upstream. `permit_s`: how long the permit lives, at most 30 s. `dry_run`: only say what would be decided; for any
    tool."""

    audience: Name | None = None
    permit_s: Annotated[int, Meta(ge=1, le=30)] = 30
    dry_run: bool = False


class Permitted(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that may be executed now. `arguments`: exactly these, which the rules may have changed. `expires_at`:
    Unix seconds. `report_within_s`: after the redeem; else a person is asked."""

    action_id: str
    status: str
    permit: str
    arguments: dict[str, Any]
    audience: str
    expires_at: int
    report_within_s: int


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What would be decided: `approved`, `held`, `denied` or `drafted`, or how far the same call is already (then
    `action_id` names it). `reasons`: codes. `arguments`: as the rules would change them. `permits`: whether its caller
    may execute it. `why`: as in the answer of an action. No action exists by this."""

    dry_run: bool
    action_id: str
    status: str
    reasons: tuple[str, ...]
    arguments: dict[str, Any]
    permits: bool
    why: tuple[str, ...] = ()


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of a redeem: the permit, who executes, and what exactly."""

    permit: str
    audience: Name
    arguments: dict[str, Any]


class Redeemed(msgspec.Struct, frozen=True, kw_only=True):
    """Execute it now, once, and report. `report_by`: Unix ms."""

    action_id: str
    status: str
    report_by: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of a report. `failed`: certainly without effect; who cannot tell does not report, and a person is asked.
    `response_digest`: SHA-256 of the target's answer as it came, lower-case hex."""

    status: Literal["done", "failed"]
    result: Any = None
    response_digest: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    code: Annotated[str, Meta(max_length=100)] = ""


class Permitting(Protocol):
    """What gives permits; made when the first one is asked for (`app.wire.actions`)."""

    @property
    def permits(self) -> Permits: ...

    @property
    def probing(self) -> Probing: ...


def decision_routes(
    identity: Identity,
    in_force: InForce,
    acting: Callable[[], Permitting],
    keys: PermitKeys,
    reader: ActionReader,
    prepared: Callable[[Snapshot], Prepared],
    newer: Callable[[], Awaitable[bool]],
    metrics: Metrics,
) -> tuple[Route, ...]:
    """The routes of permits; a key needs the scope `act`. `newer`: as for actions."""
    count = Counter("handrail_permits_total", "Permits given, redeemed, refused, reported.", ("what",))
    metrics.add(count)

    async def decide(request: Request) -> Response:
        _, key = identity.key(request.headers, Scope.ACT)
        body = _read(request.body, Wanted)
        snapshot = await fresh()
        tool = snapshot.ruleset.tools.get(body.action)
        require_probe(request, key)
        if key.probe:
            return await probed(acting().probing, called_by(body, key), body, request, snapshot, prepared(snapshot))
        audience = body.audience or (tool.upstream if tool is not None else "")
        called = msgspec.structs.replace(
            called_by(body, key), door=Door.PERMIT, permit_ms=1_000 * body.permit_s, dry_run=body.dry_run
        )
        decided = await acting().permits.decide(called, audience, snapshot, prepared(snapshot))
        if body.dry_run:
            return _tried(decided.stored, tool is not None and gives_permits(tool))
        permit, asked = decided.permit, decided.stored.request
        if permit is None or asked is None:
            return answer(decided.stored, body.language)
        count.add(("given",))
        told = Permitted(
            action_id=permit.sub, status=decided.stored.progress.state.value, permit=decided.token,
            arguments=asked.arguments, audience=permit.aud, expires_at=permit.exp,
            report_within_s=decided.report_within_s,
        )  # fmt: skip
        return Response(200, msgspec.json.encode(told))

    async def follow_up(request: Request) -> Response:
        action, _, what = request.tail.partition("/")
        if what not in (REDEEM, OUTCOME):
            raise HandrailError(
                Code.ROUTE_UNKNOWN, f"there is {PATH}/ID/{REDEEM} and {PATH}/ID/{OUTCOME}, nothing else"
            )
        _, key = identity.key(request.headers, Scope.ACT)
        stored = await reader.get(ActionId(action[:64]))
        if stored.about.use_case != key.use_case or key.probe:
            raise HandrailError(Code.NOT_FOUND, "there is no action with this id")
        return await (redeem if what == REDEEM else report)(request.body, stored, key)

    async def redeem(body: bytes, stored: Stored, key: ApiKey) -> Response:
        shown = _read(body, Shown)
        snapshot = await fresh()
        try:
            claimed = await acting().permits.redeem(
                stored.progress.action, shown.permit, key, shown.audience, shown.arguments, snapshot, prepared(snapshot)
            )
        except HandrailError:
            count.add(("refused",))
            raise
        count.add(("redeemed",))
        progress = claimed.progress
        told = Redeemed(action_id=progress.action, status=progress.state.value, report_by=progress.lease_until)
        return Response(200, msgspec.json.encode(told))

    async def report(body: bytes, stored: Stored, key: ApiKey) -> Response:
        said = _read(body, Outcome)
        snapshot = in_force.current
        if snapshot is None:
            raise _unread()
        ended = await acting().permits.report(
            stored.progress.action, key, State(said.status), snapshot, result=said.result,
            response_digest=said.response_digest, code=said.code,
        )  # fmt: skip
        count.add(("reported",))
        return answer(ended, "en")

    async def public(request: Request) -> Response:
        cache = (b"cache-control", b"public, max-age=300")
        body = msgspec.json.encode({"keys": [key.jwk for key in keys.published()]})
        return Response(200, body, ((b"content-type", b"application/json"), cache))

    async def fresh() -> Snapshot:
        """What is in force, read within a second. Raises HandrailError STOP_UNREADABLE or NOT_PUBLISHED."""
        if not await newer():
            raise _unread()
        if in_force.current is None:
            raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish", retry_after_s=1)
        return in_force.current

    ruled = "an action is decided by the ruleset, and its arguments are checked against schema, record and conversation"
    after = "names a stored action; what is reported is kept sealed and counts as the caller's word"
    return (
        Route(method="POST", path=PATH, handler=decide, scope=Scope.ACT, unguarded=ruled),
        Route(method="POST", path=f"{PATH}/", handler=follow_up, scope=Scope.ACT, unguarded=after),
        Route(method="GET", path=KEYS, handler=public, unguarded="public keys only, takes no input"),
    )


def _tried(stored: Stored, permits: bool) -> Response:
    facts, request = stored.about.facts, stored.request
    told = Tried(
        dry_run=True,
        action_id="" if stored.progress.action.startswith(f"{TRIED}_") else stored.progress.action,
        status=stored.progress.state.value,
        reasons=tuple(dict.fromkeys([reason.code for reason in facts.reasons])),
        arguments=request.arguments if request is not None else {},
        permits=permits,
        why=why(stored),
    )
    return Response(200, msgspec.json.encode(told))


def _read(body: bytes, form: type[Any]) -> Any:
    """Raises HandrailError REQUEST_INVALID with the place of what is wrong, or REQUEST_TOO_DEEP."""
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.DecodeError as error:
        raise HandrailError(Code.REQUEST_INVALID, str(error)) from None
    except RecursionError:
        raise HandrailError(Code.REQUEST_TOO_DEEP, "the body is nested too deeply") from None


def _unread() -> HandrailError:
    return HandrailError(
        Code.STOP_UNREADABLE, "what is in force cannot be read; nothing is done until it can", retry_after_s=1
    )
