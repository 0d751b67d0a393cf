"""What a process of `handrail mcp` needs beside decisions: the tools that are registered for its child, and a way to
say that it lives.

`GET /api/v1/tools?upstream=ID`: the registered tools of the key's use case at an upstream. `POST /api/v1/runners`: this
process still waits for these actions; the answer says where each stands. After 8 s of silence what waits for it becomes
`unreachable`.
"""

from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta

from handrail.approvals.awaited import SILENT_MS, Alive
from handrail.gateway.http import Request, Response, Route
from handrail.gateway.identity import Identity
from handrail.in_force.snapshot import InForce
from handrail.ledger.store import Journal
from handrail.people.key import Scope
from handrail.terms.action import ActionId, ActionType
from handrail.terms.errors import Code, HandrailError
from handrail.tools.registry import Reversibility, Tool, UpstreamKind

TOOLS = "/api/v1/tools"
RUNNERS = "/api/v1/runners"
MOST = 1_000

Id = Annotated[str, Meta(min_length=1, max_length=64)]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One registered tool. `upstream_kind`: http, mcp or mcp-stdio."""

    id: str
    name: str
    upstream: str
    upstream_kind: UpstreamKind
    type: ActionType
    title: str
    description: str
    arguments: dict[str, Any]
    result: dict[str, Any] | None
    reversibility: Reversibility
    manifest: str | None
    fails_with: tuple[str, ...]


class ToolList(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the use case."""

    use_case: str
    tools: tuple[Listed, ...]


class Living(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`runner`: the random id that the process gives itself."""

    runner: Id
    actions: Annotated[tuple[Id, ...], Meta(max_length=MOST)]


class Standings(msgspec.Struct, frozen=True, kw_only=True):
    """Action to state. `silent_after_s`: the process says again within this time that it lives."""

    actions: dict[str, str]
    silent_after_s: float


def runner_routes(identity: Identity, in_force: InForce, journal: Journal) -> tuple[Route, ...]:
    """The two routes; a key needs the scope `act`."""

    async def tools(request: Request) -> Response:
        _, key = identity.key(request.headers, Scope.ACT)
        snapshot = in_force.current
        use_case = None
        if snapshot is not None and key.use_case is not None:
            use_case = snapshot.ruleset.use_cases.get(key.use_case)
        if snapshot is None or use_case is None:
            raise HandrailError(Code.USE_CASE_UNREGISTERED, "the use case of this API key is not registered")
        wanted = parse_qs(request.query.decode("latin-1")).get("upstream", [""])[0]
        known = [snapshot.ruleset.tools[name] for name in use_case.tools if name in snapshot.ruleset.tools]
        kinds = {name: upstream.kind for name, upstream in snapshot.ruleset.upstreams.items()}
        rows = tuple(_listed(tool, kinds[tool.upstream]) for tool in known if wanted in ("", tool.upstream))
        return Response(200, msgspec.json.encode(ToolList(use_case=use_case.id, tools=rows)))

    async def alive(request: Request) -> Response:
        _, key = identity.key(request.headers, Scope.ACT)
        if key.probe:
            raise HandrailError(Code.KEY_SCOPE, "a key for probes executes nothing, so it says nothing of runners")
        try:
            said = msgspec.json.decode(request.body, type=Living)
        except msgspec.DecodeError as error:
            raise HandrailError(Code.REQUEST_INVALID, str(error)) from None
        if key.use_case is None:
            raise HandrailError(Code.USE_CASE_UNREGISTERED, "this API key is of no use case")
        states = await journal.run(
            Alive(runner=said.runner, use_case=key.use_case, actions=[ActionId(one) for one in said.actions])
        )
        told = Standings(
            actions={action: state.value for action, state in states.items()}, silent_after_s=SILENT_MS / 1_000
        )
        return Response(200, msgspec.json.encode(told))

    return (
        Route(
            method="GET", path=TOOLS, handler=tools, scope=Scope.ACT,
            unguarded="what is published of the use case's own tools; takes no text",
        ),
        Route(
            method="POST", path=RUNNERS, handler=alive, scope=Scope.ACT,
            unguarded="names stored actions; carries no text",
        ),
    )  # fmt: skip


def _listed(tool: Tool, kind: UpstreamKind) -> Listed:
    return Listed(
        id=tool.id, name=tool.name, upstream=tool.upstream, upstream_kind=kind, type=tool.type, title=tool.title,
        description=tool.description, arguments=tool.arguments, result=tool.result, reversibility=tool.reversibility,
        manifest=tool.manifest, fails_with=tool.fails_with,
    )  # fmt: skip
