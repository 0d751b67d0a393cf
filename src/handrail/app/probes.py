"""Live probes: the cases that a use case declares, run against what is live as often as it says.

The cases are those of the home on this machine at the time of the round. Of several jobs processes one has a round; a
round that breaks off is tried again at the next time, not at once, since it may have cost something.
"""

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from handrail.app import wire
from handrail.app.plan import Plan
from handrail.in_force.snapshot import InForce
from handrail.policy.ruleset import Probes
from handrail.terms.ids import UseCaseId

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.trials.desk import Recorded
    from handrail.trials.store import TrialTransaction

log = logging.getLogger("handrail.probes")
EVERY_S = 10.0
"""Between two looks for rounds that are due."""
KEY_MS = 24 * 3_600_000


class Probing:
    """`keys`: made by this process, for a day."""

    def __init__(self, store: "Store", in_force: InForce, plan: Plan) -> None:
        self._store = store
        self._in_force = in_force
        self._plan = plan
        self._keys: dict[str, str] = {}
        self._made_ms = 0
        self._looked = False

    async def round(self) -> None:
        """Every use case whose turn it is. The first look does nothing: the workers may just be starting. Raises
        HandrailError JOURNAL_UNAVAILABLE."""
        snapshot, ready, self._looked = self._in_force.current, self._looked, True
        if snapshot is None or not ready:
            return
        for name, use_case in snapshot.ruleset.use_cases.items():
            if use_case.probes is None or name not in snapshot.live:
                continue
            every = 60_000 * use_case.probes.every_minutes
            if await self._store.journal.run(partial(_take, name, every)):
                await self._probe(name, use_case.probes)

    async def _probe(self, name: UseCaseId, probes: Probes) -> None:
        from handrail.app.trials import (  # deferred: a server without probes keeps no YAML reader in memory
            Wanted,
            cost_limit_of,
            keys_for,
            mcp_url_of,
            run_trials,
            trials_of,
            url_of,
        )  # fmt: skip
        from handrail.home.read import read
        from handrail.trials.desk import PROBES

        snapshot = self._in_force.current
        if snapshot is None:
            return
        found = trials_of(read(self._plan.settings.home), snapshot.ruleset)
        of = [one for one in found.trials if one.use_case == name and not one.draft]
        trials = [one for one in of if (one.case in probes.cases if probes.cases else not one.attack)]
        missing = sorted(set(probes.cases) - {one.case for one in trials})
        if missing or not trials:
            log.warning("probes.missing", extra={"use_case": name, "cases": missing})
        if not trials:
            return
        now = wire.CLOCK.now_ms()
        if now - self._made_ms >= KEY_MS:
            self._keys, self._made_ms = {}, now
        wanted = Wanted(
            trials=trials, url=url_of(self._plan.settings, host=self._plan.host, port=self._plan.port), whole=False,
            mcp_url=mcp_url_of(self._plan.settings), parallel=1,
            cost_limit=cost_limit_of(probes.cost_at_most_minor), scheduled=True, by=PROBES, keys=self._keys,
            then=_alert,
        )  # fmt: skip
        self._keys |= await keys_for(self._store, wanted, snapshot)
        _, recorded = await run_trials(self._store, wanted)
        for one in recorded:
            _tell(one)


def _take(name: UseCaseId, every_ms: int, tx: "TrialTransaction") -> bool:
    return tx.trials.take_turn(name, every_ms)


def _alert(tx: Any, one: "Recorded") -> None:
    """In the transaction that keeps the round: one alert for each case that failed, and for each changed answer."""
    from handrail.watch.alarm import raise_alerts  # deferred: as above
    from handrail.watch.alert import AlertKind, Raised, Severity

    run = one.run
    promise = "each time it happens; a model that answers by chance may fail a case that is right"
    found = [
        Raised(
            cause=f"probe:{run.use_case}:{case.id}", kind=AlertKind.RELEASE, severity=Severity.WARNING,
            use_case=run.use_case, metric="probe", example=run.id, at_ms=run.at_ms, promise=promise,
            sentence=f"The live probe {case.id} failed: {', '.join(case.not_met) or 'it could not run'}.",
        )
        for case in run.cases
        if not case.passed
    ]  # fmt: skip
    found += [
        Raised(
            cause=f"golden:{run.use_case}:{name}:{run.release}", kind=AlertKind.NEW, severity=Severity.WARNING,
            use_case=run.use_case, metric="golden answer", example=run.id, at_ms=run.at_ms,
            promise="unlike twice in a row by chance alone",
            sentence=f"The answer to {name} changed while the release did not: {change.why}.",
        )
        for name, change in one.changed.items()
    ]  # fmt: skip
    if found:
        raise_alerts(tx, wire.IDS, found)


def _tell(one: "Recorded") -> None:
    run = one.run
    extra = {"use_case": run.use_case, "release": run.release, "run": run.id}
    if run.failed:
        cases = [case.id for case in run.cases if not case.passed]
        log.warning("probes.failed", extra={**extra, "cases": cases})
    for name, change in one.changed.items():
        log.warning("probes.changed", extra={**extra, "case": name, "why": change.why})
