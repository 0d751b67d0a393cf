"""Callers that execute themselves: a decision with a permit, its redeem, and what they report; the shell over
`approvals.redeem`.

When this cannot answer, nothing may happen: without a decision there is no permit, and who was not told that a redeem
succeeded must not execute. What the register holds counts, never what a token says of itself.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import msgspec

from handrail.approvals.lifecycle import State
from handrail.approvals.permit import MAX_LIFE_MS, Permit, PermitKey, permit_of, read
from handrail.approvals.redeem import Issue, Redeem, Report, alive
from handrail.approvals.store import Stored
from handrail.guard.again import refused_now
from handrail.guard.tool_call import Called, ToolCalls, require_permits
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.store import Journal
from handrail.people.key import ApiKey
from handrail.policy.decide_action import Prepared
from handrail.terms.action import ActionId
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids
from handrail.tools.registry import gives_permits

MAX_RESULT = 256 * 1024
"""Bytes of a reported result."""


class PermitKeys(Protocol):
    """The signing keys (`backends.permit_keys`)."""

    def current(self) -> PermitKey:
        """The newest, made when there is none. Raises HandrailError HOME_INVALID."""
        ...

    def find(self, kid: str) -> PermitKey | None:
        """One of those that are published."""
        ...

    def published(self) -> tuple[PermitKey, ...]:
        """Those whose permits are taken, newest first."""
        ...


class Decided(NamedTuple):
    """`permit`, `token`: when the caller may execute it now. `report_within_s`: after its redeem."""

    stored: Stored
    permit: Permit | None = None
    token: str = ""
    report_within_s: int = 0


class Permits:
    """`calls`: decides as for every door."""

    def __init__(self, calls: ToolCalls, journal: Journal, keys: PermitKeys, clock: Clock, ids: Ids) -> None:
        self._calls = calls
        self._journal = journal
        self._keys = keys
        self._clock = clock
        self._ids = ids

    async def decide(self, called: Called, audience: str, snapshot: Snapshot, prepared: Prepared) -> Decided:
        """1 the decision, as for an action, with what it reserves. 2 the permit, when it is approved; a dry
        run ends before. Raises HandrailError as `ToolCalls.call`, and PERMIT_REFUSED."""
        stored = await self._calls.call(called, snapshot, prepared)
        if called.dry_run or stored.progress.state is not State.APPROVED or not stored.progress.report_within_ms:
            return Decided(stored)
        require_permits(snapshot.ruleset.tools[called.tool])
        stored = await self._journal.run(
            Issue(
                ids=self._ids, action=stored.progress.action, key=called.key.id, keys=line_of(called.key, snapshot),
                audience=audience, life_ms=min(called.permit_ms, MAX_LIFE_MS),
            )
        )  # fmt: skip
        progress, request, issued = stored.progress, stored.request, stored.progress.permit
        if request is None or issued is None or not alive(stored, called.key.id, audience, issued.at):
            return Decided(stored)
        permit = permit_of(issued, progress, request)
        return Decided(stored, permit, self._keys.current().token(permit), progress.report_within_ms // 1_000)

    async def redeem(
        self,
        action: ActionId,
        token: str,
        key: ApiKey,
        audience: str,
        arguments: dict[str, Any],
        snapshot: Snapshot,
        prepared: Prepared,
    ) -> Stored:
        """The single right to execute, for this caller. Raises HandrailError PERMIT_INVALID; STOPPED when a stop or
        what is in force now ended it instead; ALREADY_DECIDED, LOST_RACE, NOT_FOUND or JOURNAL_UNAVAILABLE."""
        shown = read(token)
        known = self._keys.find(shown.kid)
        if known is None or not known.verifies(shown) or shown.permit.sub != action:
            raise HandrailError(Code.PERMIT_INVALID, "this permit is not signed by this installation, for this action")
        again = refused_now(snapshot, prepared, self._clock.now_ms())

        def refused(stored: Stored, standing: Any) -> bool:
            tool = None if stored.request is None else snapshot.ruleset.tools.get(stored.request.tool)
            return tool is None or not gives_permits(tool) or again(stored, standing)

        stored: Stored = await self._journal.run(
            Redeem(
                ids=self._ids, shown=shown.permit, key=key.id, audience=audience, arguments=arguments, refused=refused
            )
        )
        if stored.progress.state is not State.CLAIMED:
            raise HandrailError(
                Code.STOPPED, f"this action is {stored.progress.state.value} now: it must not be executed"
            )
        return stored

    async def report(
        self,
        action: ActionId,
        key: ApiKey,
        state: State,
        snapshot: Snapshot,
        *,
        result: Any = None,
        response_digest: str = "",
        code: str = "",
    ) -> Stored:
        """What came of it. Raises HandrailError PERMIT_INVALID, ALREADY_DECIDED, NOT_FOUND, REQUEST_TOO_LARGE or
        JOURNAL_UNAVAILABLE: then it is sent again."""
        if len(msgspec.json.encode(result)) > MAX_RESULT:
            raise HandrailError(
                Code.REQUEST_TOO_LARGE, f"the result is larger than {MAX_RESULT} bytes; send its response_digest alone"
            )
        reported: Stored = await self._journal.run(
            Report(
                ids=self._ids, action=action, key=key.id, keys=line_of(key, snapshot), state=state, result=result,
                response_digest=response_digest, code=code,
            )
        )  # fmt: skip
        return reported


def line_of(key: ApiKey, snapshot: Snapshot) -> frozenset[str]:
    """Ids of the keys of its line of rotations."""
    listed: Iterable[ApiKey] = (key, *snapshot.keys.values())
    return frozenset(one.id for one in listed if one.lineage == key.lineage)
