"""`GET /api/v1/interactions/{id}` and `GET /api/v1/use-cases`, for keys of the scope `read`: facts, never a payload.

A key bound to a use case sees that one alone; what belongs to another is answered like what does not exist.
"""

import msgspec
import orjson

from handrail.gateway.http import Request, Response, Route
from handrail.gateway.identity import Identity
from handrail.in_force.snapshot import InForce
from handrail.ledger.read import Reader
from handrail.people.key import Scope
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import InteractionId

INTERACTIONS = "/api/v1/interactions/"
USE_CASES = "/api/v1/use-cases"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One finished interaction. `facts` as recorded; `commitment`: hex, the leaf of the log; `index`: its place there,
    null until sequenced. `payload`: whether there is one to show to whom may see it, or why it is gone."""

    entry: str
    at_ms: int
    release: str | None
    ruleset: str | None
    facts: msgspec.Raw
    commitment: str
    index: int | None
    payload: str


def reading_routes(identity: Identity, reader: Reader, in_force: InForce) -> tuple[Route, ...]:
    """The two routes."""

    async def interaction(request: Request) -> Response:
        _, key = identity.key(request.headers, Scope.READ)
        name = InteractionId(request.tail[:64])
        shown = await reader.show(name)
        recorded = shown.recorded
        if key.use_case is not None and recorded.use_case != key.use_case:
            raise HandrailError(Code.NOT_FOUND, f"nothing is recorded under {name}")
        found = Recorded(
            entry=shown.entry,
            at_ms=recorded.at_ms,
            release=recorded.release,
            ruleset=recorded.ruleset,
            facts=recorded.facts,
            commitment=shown.commitment.hex(),
            index=shown.index,
            payload=shown.missing or ("sealed" if shown.payload is not None else "none"),
        )
        return Response(200, msgspec.json.encode(found))

    async def use_cases(request: Request) -> Response:
        _, key = identity.key(request.headers, Scope.READ)
        snapshot = in_force.current
        assert snapshot is not None  # `identity.key` refuses before anything is published
        rows = [
            {
                "id": case.id, "name": case.name, "purpose": case.purpose, "mode": case.mode.value,
                "audience": case.audience.value, "languages": list(case.languages), "channels": list(case.channels),
                "release": snapshot.live[case.id].digest if case.id in snapshot.live else None,
            }
            for case in snapshot.ruleset.use_cases.values()
            if key.use_case in (None, case.id)
        ]  # fmt: skip
        return Response(200, orjson.dumps({"ruleset": snapshot.ruleset_digest, "use_cases": rows}))

    why = "facts only, no text of a customer"
    return (
        Route(method="GET", path=INTERACTIONS, handler=interaction, scope=Scope.READ, unguarded=why),
        Route(method="GET", path=USE_CASES, handler=use_cases, scope=Scope.READ, unguarded=why),
    )
