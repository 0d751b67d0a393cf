"""The judge in the jobs process: once a second, the matured units of every canary in the order of assignment.

Of several servers on one database one judges (a lease of 10 s). What it folds and what follows are one commit, which
fails as a whole when the rollout was moved meanwhile; then it forgets what it knew and reads the units again. A server
without a canary writes nothing.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from handrail.app import wire
from handrail.in_force.snapshot import InForce
from handrail.ledger.entry import EntryKind
from handrail.releases.desk import Bars, Judged, Step, StillAnswering
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.store import ReleaseTransaction
from handrail.review.bars import open_incident_of
from handrail.review.incidents import IncidentTransaction, of_rollback
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, Ids
from handrail.trials.incidents import not_shown
from handrail.trials.store import TrialTransaction
from handrail.watch.alarm import WatchTransaction, close_causes, raise_alerts, unanswered_drift_of
from handrail.watch.rollouts import over, raised_by

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.releases.canary import Canary

log = logging.getLogger("handrail.judge")

EVERY_S = 1.0
LEASE_MS = 10_000
AT_ONCE = 500
"""Units folded in one commit, so that it keeps no other writer waiting."""
PORTION = 10_000
"""Folded units read at once by a judge that starts; between two of them it renews its lease."""
ARRIVALS_MS = 5_000
"""Between two looks at failures of units that have not matured."""
ALARM_MS = 60_000
"""After this, a release that was rolled back for safety must answer nothing."""
LOOKED_BACK_MS = 86_400_000


class Judging:
    """`beside`: what more belongs into the commit of a move, such as an incident. `bars`: asked before a
    release goes on."""

    def __init__(
        self,
        store: "Store",
        in_force: InForce,
        holder: str,
        *,
        ids: Ids,
        clock: Clock,
        beside: Callable[[ReleaseTransaction, Rollout], None] | None = None,
        bars: Bars | None = None,
        portion: int = PORTION,
    ) -> None:
        self._store, self._in_force, self._holder = store, in_force, holder
        self._ids, self._clock, self._beside, self._bars = ids, clock, beside, bars
        self._canaries: dict[Digest, Canary] = {}
        self._portion = portion
        self._arrivals_at: dict[Digest, int] = {}
        self._late_from: dict[Digest, int] = {}

    async def round(self) -> None:
        """Everything that is due now. Raises HandrailError JOURNAL_UNAVAILABLE."""
        snapshot = self._in_force.current
        runs = [] if snapshot is None else [one.rollout for one in snapshot.running.values() if one.rollout]
        for known in self._canaries.keys() - {one.release for one in runs}:
            del self._canaries[known]
        failed: Exception | None = None
        for rollout in runs:
            try:
                while await self._judge(rollout.release):
                    pass
            except Exception as error:  # noqa: BLE001  keeps no other from its rollback; raised at the end
                if not (isinstance(error, HandrailError) and error.code is Code.LOST_RACE):
                    failed = failed or error
        if failed is not None:
            raise failed

    async def _judge(self, release: Digest) -> bool:
        """One commit's worth; True: there may be more. Whatever breaks off on the way leaves nothing believed that is
        not stored."""
        try:
            return await self._commit(release)
        except BaseException:  # also a cancelled one: what was counted in memory may not be stored
            self._canaries.pop(release, None)
            raise

    async def _commit(self, release: Digest) -> bool:
        now_ms = await self._lead()
        if now_ms is None:
            self._canaries.pop(release, None)
            return False
        rollout = await self._store.units.rollout(release)
        if rollout is None or rollout.state is not State.CANARY:
            return False
        canary = await self._canary(rollout)
        if canary.ramp.stages[rollout.stage].pilot:
            counts = await self._store.units.counts(rollout)
            canary.step_units[rollout.step] = sum(units for stage, _, units, _ in counts if stage == rollout.step)
        waiting = await self._store.units.waiting(rollout, limit=AT_ONCE)
        known = canary.folded
        folded = canary.mature(waiting, now_ms)
        step = canary.next(rollout, now_ms, await self._arrived(canary, rollout, now_ms))
        if not folded and step is None:
            return False
        command = Judged(
            ids=self._ids, holder=self._holder, lease_ms=LEASE_MS, before=rollout, folded=tuple(folded), step=step,
            known=known, beside=self._beside, bars=self._bars,
        )  # fmt: skip
        after = await self._run(command)
        if step is not None and after.version != rollout.version:
            self._say(step, after)
        return after.state is State.CANARY and len(folded) == AT_ONCE

    async def _run(self, command: Judged) -> Rollout:
        """A rollback is not kept up by what belongs beside it: when that fails, it goes without, and says so."""
        try:
            return await self._store.journal.run(command)
        except HandrailError as error:
            if error.code in (Code.LOST_RACE, Code.JOURNAL_UNAVAILABLE) or command.beside is None:
                raise
            log.error("judge.beside", extra={"code": error.code.value})
        except Exception:  # whatever is wrong with an incident or an alert: the release goes back
            log.exception("judge.beside")
        return await self._store.journal.run(replace(command, beside=None))

    async def _lead(self) -> int | None:
        """The database's time; None: another process judges."""

        def lead(tx: ReleaseTransaction) -> tuple[bool, int]:
            return tx.units.lead(self._holder, LEASE_MS), tx.now_ms

        leads, now_ms = await self._store.journal.run(lead)
        return now_ms if leads else None

    async def _canary(self, rollout: Rollout) -> "Canary":
        """What is known of it, from the units where it is not. Raises LOST_RACE when another process judges by then."""
        known = self._canaries.get(rollout.release)
        if known is not None and known.run == rollout.run:
            return known
        from handrail.releases.canary import Canary  # deferred: only a server with a canary keeps the statistics

        canary = Canary(rollout)
        while units := await self._store.units.folded(rollout, after=canary.folded, limit=self._portion):
            canary.restore(units)
            if await self._lead() is None:
                raise HandrailError(Code.LOST_RACE, "another process judges")
        self._canaries[rollout.release] = canary
        return canary

    async def _arrived(self, canary: "Canary", rollout: Rollout, now_ms: int) -> float:
        if now_ms < self._arrivals_at.get(rollout.release, 0) + ARRIVALS_MS:
            return 0.0
        self._arrivals_at[rollout.release] = now_ms
        return canary.arrived(await self._store.units.reported(rollout))

    def _say(self, step: Step, after: Rollout) -> None:
        about = {"release": after.release, "use_case": after.use_case, "state": after.state.value}
        bad = step.kind in (EntryKind.RELEASE_ROLLED_BACK, EntryKind.RELEASE_FROZEN)
        log.log(logging.WARNING if bad else logging.INFO, step.kind.value, extra=about)

    async def alarm(self) -> None:
        """Releases that were rolled back for safety and still answer: an entry and an error in the log, once each."""
        now_ms = self._clock.now_ms()
        for one in await self._store.units.rollouts():
            ended = one.ended_at
            if one.state is not State.ROLLED_BACK or not one.safety or ended is None or one.asked:
                continue
            if not ended + ALARM_MS < now_ms < ended + LOOKED_BACK_MS:
                continue
            since = self._late_from.get(one.release, ended + ALARM_MS)
            late = await self._store.units.late(one.release, max(since, ended + ALARM_MS))
            self._late_from[one.release] = now_ms - 5_000
            if late and await self._store.journal.run(
                StillAnswering(ids=self._ids, release=one.release, late=late, beside=self._beside)
            ):
                log.error("release.still_answering", extra={"release": one.release, "interactions": late})


def judging(store: "Store", in_force: InForce) -> Judging:
    """As the jobs process runs it."""
    return Judging(store, in_force, wire.IDS.new("jd"), ids=wire.IDS, clock=wire.CLOCK, beside=beside, bars=barred)


def barred(tx: ReleaseTransaction, rollout: Rollout) -> str:
    """What keeps a release from going on, for the judge and for commands."""
    incident = open_incident_of(cast(IncidentTransaction, tx), rollout)
    drift = incident or unanswered_drift_of(cast(WatchTransaction, tx), rollout.use_case)
    return drift or not_shown(cast(TrialTransaction, tx), rollout)


def beside(tx: ReleaseTransaction, rollout: Rollout) -> None:
    """What belongs into the commit of a move of the judge: an incident, and an alert to the owner."""
    incident(tx, rollout)
    raised = raised_by(rollout, tx.now_ms)
    if raised is not None:
        raise_alerts(cast(WatchTransaction, tx), wire.IDS, [raised])


def incident(tx: ReleaseTransaction, rollout: Rollout) -> None:
    """What any move leaves in its own commit: a rollback for safety its incident; and alerts that ask for what is done
    by it are closed, so that they go on to nobody."""
    of_rollback(cast(IncidentTransaction, tx), wire.IDS, rollout)
    close_causes(cast(WatchTransaction, tx), wire.IDS, over(rollout), f"The release is {state_of(rollout)}.")


def state_of(rollout: Rollout) -> str:
    return rollout.state.value.replace("_", " ") if rollout.state is not State.CANARY else "going on"
