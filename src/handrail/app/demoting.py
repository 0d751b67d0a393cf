"""Lowering autonomy in the jobs process: each second what happened, each half minute what was counted, of the use cases
that declare triggers.

Every server may look: a trigger acts once, by the rules in force when its transaction runs, so two that see the same
lower once. What cannot be read now is read at the next time; what is lowered stays meanwhile.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from handrail.app import wire
from handrail.governance import autonomy_desk, demote
from handrail.governance.autonomy_desk import Fall
from handrail.governance.demote import HOUR_MS, Demotion, Fallen, Happened, Move
from handrail.governance.store import AutonomyTransaction
from handrail.in_force.snapshot import InForce
from handrail.policy.autonomy import RATES, Cause
from handrail.policy.ruleset import UseCase
from handrail.releases.lifecycle import State
from handrail.review.incident import Incident, IncidentState
from handrail.review.incidents import IncidentTransaction
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids
from handrail.watch.alarm import WatchTransaction, raise_alerts
from handrail.watch.alert import Alert, AlertKind, AlertState
from handrail.watch.rollouts import raised_by_demotion

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.approvals.drill import Drill

log = logging.getLogger("handrail.autonomy")
EVERY_S = 1.0
COUNTED_MS = 30_000
DAY_MS = 86_400_000
AT_MOST = 1_000
"""Open incidents and alerts that are looked at."""


class Demoting:
    """One round is `round()`."""

    def __init__(self, store: "Store", in_force: InForce, *, ids: Ids, clock: Clock) -> None:
        self._store, self._in_force, self._ids, self._clock = store, in_force, ids, clock
        self._counted_at = 0

    async def round(self) -> None:
        """All that is due now. Raises HandrailError JOURNAL_UNAVAILABLE."""
        snapshot = self._in_force.current
        cases = [] if snapshot is None else [one for one in snapshot.ruleset.use_cases.values() if one.demote]
        if not cases:
            return
        now = self._clock.now_ms()
        known = {one.use_case: one for one in await self._store.autonomy.all()}
        causes = {trigger.cause for case in cases for trigger in demote.declared(case).triggers}
        incidents = await self._incidents() if Cause.INCIDENT in causes else []
        alerts = await self._alerts() if Cause.DRIFT in causes else []
        happened = {case.id: [*of_incidents(case, incidents, now), *of_alerts(case, alerts)] for case in cases}
        if Cause.ROLLBACK in causes:
            for case in cases:
                happened[case.id] += await self._rollbacks(case, now)
        if now >= self._counted_at + COUNTED_MS:
            self._counted_at = now
            drills = await self._drills(now) if Cause.DRILL in causes else []
            for case in cases:
                before = known.get(case.id) or Demotion(use_case=case.id)
                happened[case.id] += [*of_drills(case, drills), *await self._counted(case, before, now)]
        for case in cases:
            await self._take(case, known.get(case.id) or Demotion(use_case=case.id), happened[case.id], now)

    async def _take(self, case: UseCase, before: Demotion, happened: Iterable[Happened], now: int) -> None:
        """Only what would do something is tried, so that what stands as it is costs no transaction."""
        able = [one for one in happened if demote.fallen(before, case, one, now) is not None]
        spent = await self._store.autonomy.spent(case.id, [one.key for one in able])
        for one in able:
            if one.key in spent:
                continue
            try:
                made = await self._run(Fall(ids=self._ids, use_case=case.id, happened=one, beside=tell(self._ids)))
            except HandrailError as error:
                if error.code is not Code.LOST_RACE:
                    raise
                continue  # another process moved it: at the next time it is seen as it is then
            if made is not None:
                about = {"use_case": case.id, "cause": one.cause.value, "lowered": len(made.moves)}
                log.warning("autonomy.demoted" if made.moves else "autonomy.kept", extra=about)

    async def _run(self, command: Fall) -> Fallen | None:
        """A demotion is not kept up by its alert: when that fails, it goes without, and says so."""
        try:
            return await self._store.journal.run(command)
        except HandrailError as error:
            if error.code in (Code.LOST_RACE, Code.JOURNAL_UNAVAILABLE):
                raise
            log.error("autonomy.beside", extra={"code": error.code.value})
        except Exception:  # whatever is wrong with an alert: the level falls
            log.exception("autonomy.beside")
        return await self._store.journal.run(replace(command, beside=None))

    async def _incidents(self) -> list[Incident]:
        return await self._store.incidents.listed(all_states=False, limit=AT_MOST)

    async def _alerts(self) -> list[Alert]:
        return await self._store.watch.alerts(states=frozenset({AlertState.RAISED}), limit=AT_MOST)

    async def _rollbacks(self, case: UseCase, now: int) -> list[Happened]:
        """For safety, within a day: what was before this use case declared its triggers is no news."""
        found = []
        for one in await self._store.units.rollouts():
            ended = one.ended_at
            recent = ended is not None and now - ended < DAY_MS
            if one.use_case == case.id and one.state is State.ROLLED_BACK and one.safety and recent:
                said = one.reached.sentence if one.reached is not None else ""
                sentence = f"release {one.release[:12]} was rolled back for safety. {said}".strip()
                key = f"rollback/{one.release}/{one.run}"
                found.append(Happened(cause=Cause.ROLLBACK, key=key, sentence=sentence, about=one.release))
        return found

    async def _drills(self, now: int) -> list["Drill"]:
        found: list[Drill] = await self._store.journal.run(lambda tx: tx.drills.since(now - 7 * DAY_MS, now + DAY_MS))
        return [one for one in found if one.decided_at is not None and now - one.decided_at < DAY_MS]

    async def _counted(self, case: UseCase, before: Demotion, now: int) -> list[Happened]:
        """Rates since the last trigger or move, so that the same cases never lower twice; findings of today, UTC."""
        clean = before.clean_ms // HOUR_MS + 1
        found = []
        for trigger in demote.declared(case).triggers:
            if trigger.cause is Cause.RATE:
                # what matures in these days began up to two before
                since = max(clean, (now - (trigger.days + 2) * DAY_MS) // HOUR_MS)
                counts = await self._counts(case, since)
                found.append(of_rate(trigger.what, counts, before.version))
            elif trigger.cause is Cause.FINDINGS:
                counts = await self._counts(case, now // DAY_MS * 24)
                found.append(of_findings(trigger.what, counts, now // DAY_MS))
        return found

    async def _counts(self, case: UseCase, since: int) -> Counter[str]:
        return await self._store.watch.summed([case.id], since, self._clock.now_ms() // HOUR_MS + 1)


def of_incidents(case: UseCase, incidents: Iterable[Incident], now: int) -> list[Happened]:
    """Open ones, and those that a person opened and contained within a day. What a rollback opened is told by the
    rollback."""
    return [
        Happened(
            cause=Cause.INCIDENT, key=f"incident/{one.id}", what=one.severity.value, about=one.id,
            sentence=f"incident {one.id} ({one.severity.value}) was opened",
        )
        for one in incidents
        if one.use_case == case.id
        and (one.state is IncidentState.OPEN or (not one.cause and now - one.opened_at < DAY_MS))
    ]  # fmt: skip


def of_alerts(case: UseCase, alerts: Iterable[Alert]) -> list[Happened]:
    """Drift that nobody has answered."""
    return [
        Happened(
            cause=Cause.DRIFT, key=f"drift/{one.id}", what=one.first.metric, about=one.id,
            sentence=f"{one.first.metric} drifts (alert {one.id})",
        )
        for one in alerts
        if one.first.kind is AlertKind.DRIFT and one.first.use_case == case.id
    ]  # fmt: skip


def of_drills(case: UseCase, drills: Iterable["Drill"]) -> list[Happened]:
    """Wrong requests that were approved within a day; each one more is told anew. Never who approved them."""
    missed = sorted(
        one.id for one in drills if one.caught is False and one.made is not None and one.made.use_case == case.id
    )
    if not missed:
        return []
    sentence = f"{len(missed)} wrong request{'s were' if len(missed) > 1 else ' was'} approved in drills within a day"
    return [Happened(cause=Cause.DRILL, key=f"drill/{missed[-1]}", bad=len(missed), sentence=sentence)]


def of_rate(metric: str, counts: Counter[str], version: int) -> Happened:
    """`version`: of the state that it is counted since; the same rate acts once for each."""
    bad, cases = counts[metric], counts[RATES[metric]]
    sentence = f"{metric}: {bad} of {cases} {RATES[metric].replace('_', ' ')}"
    return Happened(
        cause=Cause.RATE, key=f"rate/{metric}/{version}", what=metric, bad=bad, cases=cases, sentence=sentence
    )


def of_findings(kind: str, counts: Counter[str], day: int) -> Happened:
    """`day`: since 1970, UTC."""
    found = counts[f"finding.input.{kind}"] + counts[f"finding.output.{kind}"]
    return Happened(
        cause=Cause.FINDINGS, key=f"findings/{kind}/{day}", what=kind, bad=found, sentence=f"{found} of {kind} today"
    )


def standing(tx: AutonomyTransaction, case: UseCase) -> tuple[str, ...]:
    """Triggers that have not ended, in words: `governance.autonomy_desk.Standing`."""
    incidents = cast(IncidentTransaction, tx).incidents.open_of(case.id)
    return standing_in(case, incidents, cast(WatchTransaction, tx).alerts.unanswered(case.id, AlertKind.DRIFT))


def standing_in(case: UseCase, incidents: Iterable[Incident], alerts: Iterable[Alert]) -> tuple[str, ...]:
    """The same of incidents and of unanswered alerts of any use case, oldest first; pure."""
    known = sorted((one for one in incidents if one.use_case == case.id), key=lambda one: one.id)
    drifting = [one for one in alerts if one.first.kind is AlertKind.DRIFT and one.first.use_case == case.id]
    found = []
    for trigger in demote.declared(case).triggers:
        if trigger.cause is Cause.INCIDENT:
            for incident in known:
                if incident.state is IncidentState.OPEN and incident.severity.value <= trigger.what:
                    found.append(f"incident {incident.id} is open; handrail incident contain")
        elif trigger.cause is Cause.DRIFT:
            for alert in sorted(drifting, key=lambda one: one.id):
                if trigger.what in ("", alert.first.metric):
                    found.append(f"alert {alert.id} ({alert.first.metric} drifts) is unanswered; handrail alerts ack")
    return tuple(dict.fromkeys(found))


def tell(ids: Ids) -> autonomy_desk.Beside:
    """The alert to the owner, in the commit of the demotion."""

    def beside(tx: AutonomyTransaction, case: UseCase, one: Happened, moves: tuple[Move, ...]) -> None:
        raise_alerts(cast(WatchTransaction, tx), ids, [raised_by_demotion(case.id, one, moves, tx.now_ms)])

    return beside


def demoting(store: "Store", in_force: InForce) -> Demoting:
    """As the jobs process runs it."""
    return Demoting(store, in_force, ids=wire.IDS, clock=wire.CLOCK)
