"""An action looked at again: before its claim, when its arguments are edited, when it is to be undone.

Before the claim the ruleset in force now is asked once more with what the decision rested on; it may only tighten: what
it denies or would only draft is revoked, and so is what it would hold, unless a person has approved it. When what it
rested on cannot be read, it is revoked.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from handrail.approvals.desk import Standing
from handrail.approvals.lifecycle import State
from handrail.approvals.settle import Edit, TakeBack, Undo
from handrail.approvals.store import Stored
from handrail.guard.execute import filled
from handrail.guard.history import NO_CEILING
from handrail.guard.tool_call import ToolCalls, Weighed, registered
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.store import Journal
from handrail.people.key import ApiKey, Scope, usable
from handrail.policy.action import Room
from handrail.policy.decide_action import Prepared, decide_action
from handrail.terms.action import Action, ActionId, Door
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids


def refused_now(snapshot: Snapshot, prepared: Prepared, now_ms: int) -> Callable[[Stored, Standing], bool]:
    """Whether what is in force denies a claim; pure, for `approvals.desk.Claim`. Stops are the claim's own."""
    ceilings = {limit.id: limit.at_most for limit in snapshot.ruleset.actions.limits}

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
            if limit in ceilings:
                room.append(Room(limit, ceilings[limit] - standing.used(scope, period) + amount))
        # a demotion since then asks a person; where one was asked already, or undoes it, that stands
        tool, asked = snapshot.ruleset.tools[request.tool], stored.progress.needs or request.door is Door.UNDO
        at_most = given.at_most if asked else snapshot.at_most(request.use_case, tool.type)
        given = msgspec.structs.replace(given, stopped=(), at_most=at_most)
        decision = decide_action(msgspec.structs.replace(given, room=tuple(room)), prepared)
        if decision.verdict is Verdict.DENY or decision.draft:
            return True
        if stored.progress.needs:
            return False
        # nobody was asked: what others reserved since for a person to look at is no reason to ask now
        plenty = tuple(Room(limit, NO_CEILING) for limit in ceilings)
        return decide_action(msgspec.structs.replace(given, room=plenty), prepared).verdict is Verdict.HOLD

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


class Again:
    """What persons make of an action: another one. `calls`: decides as for agents."""

    def __init__(self, calls: ToolCalls, journal: Journal, ids: Ids) -> None:
        self._calls = calls
        self._journal = journal
        self._ids = ids

    async def edit(
        self, stored: Stored, arguments: dict[str, Any], snapshot: Snapshot, prepared: Prepared, *, token: str,
        comment: str = "",
    ) -> Stored:  # fmt: skip
        """The same action with other arguments, decided from the start; it waits for its approvals anew. Raises
        HandrailError NOT_FOUND, TOOL_UNREGISTERED, TOKEN_INVALID, ALREADY_DECIDED, NOT_ALLOWED or LOST_RACE."""
        before = _request(stored)
        use_case, tool = registered(before.use_case, before.tool, snapshot)
        request = msgspec.structs.replace(before, arguments=arguments, revision=before.revision + 1)
        stated = () if stored.given is None else _WEIGHED.decode(stored.given).stated
        linked = stored.given is not None and _WEIGHED.decode(stored.given).input.linked
        weighed = await self._calls.weighed(request, stated, use_case, tool, snapshot, linked)
        release = stored.about.facts.release
        edited: Stored = await self._journal.run(
            Edit(
                ids=self._ids, request=request, before=stored.progress.digest, token=token, comment=comment,
                decide=self._calls.decide(weighed, request, tool, snapshot, prepared, release),
            )
        )  # fmt: skip
        return edited

    async def undo(self, stored: Stored, snapshot: Snapshot, prepared: Prepared, *, token: str) -> Stored:
        """The action that undoes this one; asked twice, the same. What was approved and has not left is taken back
        itself. Raises HandrailError NOT_FOUND, TOOL_UNREGISTERED,
        TOKEN_INVALID, ALREADY_DECIDED or NOT_ALLOWED (nothing undoes it)."""
        if stored.progress.state is State.APPROVED:
            kept: Stored = await self._journal.run(TakeBack(ids=self._ids, action=stored.progress.action, token=token))
            return kept
        done = _request(stored)
        _, tool = registered(done.use_case, done.tool, snapshot)
        if tool.undo is None:
            raise HandrailError(Code.NOT_ALLOWED, "this tool declares no undoing call; see its registration")
        if done.door is Door.PERMIT and "$key" in tool.undo.arguments.values():
            raise HandrailError(
                Code.NOT_ALLOWED, "its caller executed it, so the target knows no key of ours to undo it by; ask there"
            )
        use_case, undoing = registered(done.use_case, tool.undo.tool, snapshot)
        result = None if stored.result is None else msgspec.json.decode(stored.result)["result"]
        request = Action(
            id=ActionId(self._ids.new("ac")), use_case=done.use_case, tool=undoing.id,
            arguments=filled(tool.undo, done, result, self._calls.key_of(done)), salt=self._ids.token(16),
            door=Door.UNDO, key=done.key, agent=done.agent, conversation=done.conversation, customer=done.customer,
            parent=done.id,
        )  # fmt: skip
        weighed = await self._calls.weighed(request, (), use_case, undoing, snapshot, linked=False)
        asked = self._calls.asked(
            request, stored.subject, self._calls.decide(weighed, request, undoing, snapshot, prepared, None), undoing,
            snapshot, at_once=False,
        )  # fmt: skip
        made: Stored = await self._journal.run(Undo(ask=asked, token=token, undo_within_s=tool.undo_within_s))
        return made


def _request(stored: Stored) -> Action:
    if stored.request is None:
        raise HandrailError(Code.NOT_FOUND, "the customer of this action was erased")
    return stored.request
