"""What actions need, made when the first action comes: a server that only talks keeps none of it in memory."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from handrail.app.settings import Settings
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.ledger.store import Journal

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.app.wire.actions import Acting
    from handrail.policy.decide_action import Prepared


class OnceActing:
    """`app.wire.actions.Acting`, at most one."""

    def __init__(
        self, given: Settings, env: Mapping[str, str], store: "Store", in_force: InForce, journal: Journal | None = None
    ) -> None:
        self._given = given
        self._env = env
        self._store = store
        self._in_force = in_force
        self._journal = journal
        self._made: Acting | None = None

    def made(self) -> "Acting":
        """Raises HandrailError HOME_INVALID."""
        if self._made is None:
            from handrail.app.wire.actions import Acting  # deferred: see above

            self._made = Acting(self._given, self._env, self._store, self._in_force, self._journal)
        return self._made

    def prepared(self, snapshot: Snapshot) -> "Prepared":
        """Raises HandrailError GUARD_UNAVAILABLE."""
        from handrail.app.wire.actions import prepared  # deferred: see above

        return prepared(snapshot)

    async def close(self) -> None:
        """Running calls end unsure; the jobs process asks for their outcome."""
        if self._made is not None:
            await self._made.close()
