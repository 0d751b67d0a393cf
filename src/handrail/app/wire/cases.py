"""Held actions in the hands of persons: a look that is recorded, and what needs the tools: an edited call, an undo."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from handrail.app.settings import Settings
from handrail.app.wire import IDS
from handrail.app.wire.acting import OnceActing
from handrail.approvals.behind import behind
from handrail.approvals.edited import edits_of
from handrail.approvals.settle import ReadCase
from handrail.approvals.store import Stored
from handrail.approvals.view import CaseView, view
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.policy.action_rules import ActionRules
from handrail.terms.action import ActionId, ToolId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest

if TYPE_CHECKING:
    from handrail.app.wire import Store

PAST = 5


async def looked_at(
    store: "Store",
    action: ActionId,
    token: str,
    *,
    snapshot: Snapshot | None,
    most: int = PAST,
    reason: str = "",
) -> tuple[Stored, CaseView]:
    """The case, after the look was recorded. `most`: similar cases. `reason`: where the ruleset asks for one. Raises
    HandrailError NOT_FOUND, TOKEN_INVALID, NOT_ALLOWED, REASON_NEEDED or REQUEST_INVALID."""
    from handrail.guard.heard import heard  # deferred: only a look decodes what decisions rest on
    from handrail.guard.recollect import MOST, Record
    from handrail.guard.tool_call import Weighed

    rules = None if snapshot is None else snapshot.ruleset
    stored: Stored = await store.journal.run(ReadCase(ids=IDS, action=action, token=token, rules=rules, reason=reason))
    given = None if stored.given is None else msgspec.json.decode(stored.given, type=Weighed).input
    tools = {} if snapshot is None else snapshot.ruleset.tools
    linked = stored.request.conversation if stored.request is not None else None
    record = Record() if linked is None else await store.acts.record(linked, most=MOST)
    past = await store.acts.past(stored.about, most=most)
    return stored, view(
        stored, given, tools.get(ToolId(stored.about.facts.tool)),
        snapshot.ruleset.actions if snapshot is not None else ActionRules(), past, said=heard(stored, record),
        known=await store.journal.run(lambda tx: behind(tx, stored, past)), tools=tools,
        edits=await edits_of(store.reader, stored),
    )  # fmt: skip


class StoredCases:
    """`console.ports.Cases`."""

    def __init__(self, given: Settings, env: Mapping[str, str], store: "Store", in_force: InForce) -> None:
        self._store = store
        self._in_force = in_force
        self._acting = OnceActing(given, env, store, in_force)

    async def look(self, action: ActionId, *, token: str, most_past: int, reason: str = "") -> tuple[Stored, CaseView]:
        snapshot = self._in_force.current
        return await looked_at(self._store, action, token, snapshot=snapshot, most=most_past, reason=reason)

    async def edit(
        self, action: ActionId, arguments: dict[str, object], *, digest: Digest, token: str, comment: str
    ) -> Stored:
        snapshot = self._snapshot()
        stored = await self._store.acts.get(action)
        if stored.progress.digest != digest:
            raise HandrailError(Code.LOST_RACE, "the arguments have changed since you looked; read them again")
        acting = self._acting.made()
        return await acting.again.edit(
            stored, arguments, snapshot, acting.prepared(snapshot), token=token, comment=comment
        )

    async def undo(self, action: ActionId, *, token: str) -> Stored:
        snapshot = self._snapshot()
        stored = await self._store.acts.get(action)
        acting = self._acting.made()
        return await acting.again.undo(stored, snapshot, acting.prepared(snapshot), token=token)

    async def close(self) -> None:
        """Running calls end unsure."""
        await self._acting.close()

    def _snapshot(self) -> Snapshot:
        if self._in_force.current is None:
            raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish")
        return self._in_force.current
