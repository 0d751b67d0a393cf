"""`GET /api/v1/releases` and `GET /api/v1/releases/{digest}`, for keys of the scope `read`: how far each release has
come, its verdict, its units. Nothing is moved here: that needs a person.

A key bound to a use case sees that one alone; what belongs to another is answered like what does not exist.
"""

from typing import Any

import msgspec

from handrail.gateway.http import Request, Response, Route
from handrail.gateway.identity import Identity
from handrail.people.key import ApiKey, Scope
from handrail.releases.lifecycle import Rollout
from handrail.releases.store import UnitReader
from handrail.terms.errors import Code, HandrailError

RELEASES = "/api/v1/releases"
ONE = "/api/v1/releases/"


def release_routes(identity: Identity, units: UnitReader) -> tuple[Route, ...]:
    """The two routes."""

    async def listed(request: Request) -> Response:
        _, key = identity.key(request.headers, Scope.READ)
        rows = [_row(one) for one in await units.rollouts() if _sees(key, one)]
        return Response(200, msgspec.json.encode({"releases": rows}))

    async def one(request: Request) -> Response:
        _, key = identity.key(request.headers, Scope.READ)
        found = next((each for each in await units.rollouts() if each.release == request.tail), None)
        if found is None or not _sees(key, found):
            raise HandrailError(Code.NOT_FOUND, "there is no such release")
        reached = found.reached
        counts = [
            {"stage": stage, "arm": arm, "units": total, "judged": judged}
            for stage, arm, total, judged in await units.counts(found)
        ]
        told = {
            **_row(found),
            "sentence": reached.sentence if reached else "",
            "numbers": msgspec.Raw(reached.numbers if reached else b"null"),
            "units": counts,
        }
        return Response(200, msgspec.json.encode(told))

    why = "facts only, no text of a customer"
    return (
        Route(method="GET", path=RELEASES, handler=listed, scope=Scope.READ, unguarded=why),
        Route(method="GET", path=ONE, handler=one, scope=Scope.READ, unguarded=why),
    )


def _sees(key: ApiKey, rollout: Rollout) -> bool:
    return key.use_case in (None, rollout.use_case)


def _row(one: Rollout) -> dict[str, Any]:
    return {
        "release": one.release, "use_case": one.use_case, "state": one.state.value, "created_at": one.created_at,
        "control": one.control, "run": one.run, "stage": one.stage + 1, "share": one.share, "frozen": one.frozen,
        "asked": one.asked, "safety": one.safety, "verdict": one.reached.verdict if one.reached else None,
        "ended_at": one.ended_at,
    }  # fmt: skip
