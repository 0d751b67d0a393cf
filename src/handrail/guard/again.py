"""An action looked at again: before its claim, when its arguments are edited, when it is to be undone.

Before the claim the ruleset in force now is asked once more with what the decision rested on; it may only tighten: what
it denies is revoked, what it would hold was approved. When what it rested on cannot be read, it is revoked.
"""

from collections.abc import Callable, Iterable

import msgspec

from handrail.approvals.desk import Standing
from handrail.approvals.store import Stored
from handrail.guard.tool_call import Weighed
from handrail.in_force.snapshot import Snapshot
from handrail.people.key import ApiKey, Scope, usable
from handrail.policy.action import Room
from handrail.policy.decide_action import Prepared, decide_action
from handrail.terms.action import Action, Door
from handrail.terms.decision import Verdict
from handrail.terms.errors import HandrailError


def refused_now(snapshot: Snapshot, prepared: Prepared, now_ms: int) -> Callable[[Stored, Standing], bool]:
    """Whether what is in force denies a claim; pure, for `approvals.desk.Claim`. Stops are the claim's own."""
    at_most = {limit.id: limit.at_most for limit in snapshot.ruleset.actions.limits}

    def refused(stored: Stored, standing: Standing) -> bool:
        request = stored.request
        if request is None or stored.given is None or not _listed(snapshot, request):
            return True
        if request.door is not Door.UNDO and not _identity(snapshot.keys.values(), request, now_ms):
            return True
        try:
            given = _WEIGHED.decode(stored.given).input
        except msgspec.MsgspecError:
            return True
        room = []
        for scope, period, amount in stored.reserved:
            limit = scope.partition(":")[0]
            if limit in at_most:
                room.append(Room(limit, at_most[limit] - standing.used(scope, period) + amount))
        decision = decide_action(msgspec.structs.replace(given, stopped=(), room=tuple(room)), prepared)
        return decision.verdict is Verdict.DENY

    return refused


def _listed(snapshot: Snapshot, request: Action) -> bool:
    use_case = snapshot.ruleset.use_cases.get(request.use_case)
    return use_case is not None and request.tool in use_case.tools and request.tool in snapshot.ruleset.tools


def _identity(keys: Iterable[ApiKey], request: Action, now_ms: int) -> bool:
    """Whether the key that asked, or one that it was rotated into, may still act."""
    listed = list(keys)
    asked = next((key for key in listed if key.id == request.key), None)
    if asked is None:
        return False
    for key in listed:
        if key.lineage != asked.lineage:
            continue
        try:
            usable(key, now_ms=now_ms, scope=Scope.ACT)
        except HandrailError:
            continue
        return True
    return False


_WEIGHED = msgspec.json.Decoder(Weighed)
