"""What a run of trials showed, its entry, its golden answers, and the tests of a draft: one transaction."""

from dataclasses import dataclass

import msgspec

from handrail.ledger.entry import Entry, EntryKind
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.releases.desk import RecordTests
from handrail.releases.lifecycle import Rollout, State
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, EntryId, Ids, UseCaseId
from handrail.trials.golden import Change, looked
from handrail.trials.incidents import case_of, required
from handrail.trials.results import Results
from handrail.trials.store import CaseRow, Run, TrialTransaction

PROBES = Actor(ActorKind.SYSTEM, "probes")
TESTABLE = frozenset({State.DRAFT, State.TESTED, State.SIGNED_OFF})


class TrialFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of `trial.ran`. `results`, `cases`: digests. `not_green`: ids of the cases that were not."""

    run: str
    release: Digest
    passed: int
    failed: int
    results: Digest
    cases: Digest
    whole: bool = True
    scheduled: bool = False
    cost_micro_minor: int = 0
    not_green: tuple[str, ...] = ()


class ChangedFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of `probe.changed`. `before`, `after`: digests of the normalised answers; `vendor_*`, `served_*`:
    what the provider said of itself, in its answers and in their heads."""

    case: str
    release: Digest
    why: str
    similarity: float
    before: str
    after: str
    vendor_before: str = ""
    vendor_after: str = ""
    served_before: str = ""
    served_after: str = ""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """`changed`: golden answers by case. `missing`: cases that closed incidents ask for and that there are not.
    `rollout`: the draft whose tests these were; None: it was no draft, or not all cases were run."""

    run: Run
    changed: dict[str, Change] = {}
    missing: tuple[str, ...] = ()
    rollout: Rollout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRun:
    """`results`: of one use case, all of one release. `whole`: every case of it that there is. `token`: of the person;
    `scheduled`: nobody's, the jobs process ran it."""

    ids: Ids
    use_case: UseCaseId
    release: Digest
    results: Results
    whole: bool
    token: str | None = None
    scheduled: bool = False

    def __call__(self, tx: TrialTransaction) -> Recorded:
        """Raises HandrailError NOT_ALLOWED, TOKEN_INVALID, or NOT_FOUND for a release that is not stored."""
        by = PROBES if self.scheduled else acting(tx, self.token, Act.PUBLISH)
        if tx.releases.get(self.release).use_case != self.use_case:
            raise HandrailError(Code.NOT_FOUND, f"there is no such release of use case {self.use_case}")
        run = self._run(tx.now_ms)
        tx.trials.add(run)
        tx.append(self._entry(tx, EntryKind.TRIAL_RAN, by, _facts(run), run.id))
        changed = dict(self._goldens(tx, by))
        rollout = None
        missing: tuple[str, ...] = ()
        if self.whole and not self.scheduled:
            known = tx.rollouts.find(self.release)
            if known is not None and known.state in TESTABLE:
                shown = {case_of(one.id) for one in run.cases}
                wanted = required(tx.incidents.closed_of(self.use_case))
                missing = tuple(f"{case} of incident {of}" for case, of in wanted.items() if case not in shown)
                rollout = RecordTests(
                    ids=self.ids, release=self.release, passed=run.passed, failed=run.failed + len(missing),
                    digest=run.digest, token=self.token, answered=self.results.releases,
                )(tx)  # fmt: skip
        return Recorded(run=run, changed=changed, rollout=rollout, missing=missing)

    def _run(self, now_ms: int) -> Run:
        results = self.results
        return Run(
            id=self.ids.new("tr"), use_case=self.use_case, release=self.release, at_ms=now_ms, passed=results.passed,
            failed=results.failed, digest=results.digest(), cases_digest=results.cases_digest,
            cost_micro_minor=results.cost_micro_minor, whole=self.whole, scheduled=self.scheduled,
            cases=tuple(
                CaseRow(
                    id=one.id, passed=one.passed, turns=one.turns, ms=one.ms, not_run=bool(one.not_run),
                    not_met=tuple(dict.fromkeys(each.expected.partition(":")[0] for each in one.failures)),
                )
                for one in results.cases
            ),
        )  # fmt: skip

    def _goldens(self, tx: TrialTransaction, by: Actor) -> list[tuple[str, Change]]:
        found: list[tuple[str, Change]] = []
        for one in self.results.cases:
            if one.golden is None:
                continue
            known = tx.trials.golden(self.use_case, one.id, self.release)
            kept, change = looked(known, one.golden, one.similar, now_ms=tx.now_ms)
            if kept != known:
                tx.trials.keep(self.use_case, one.id, self.release, kept)
            if change is not None:
                facts = ChangedFacts(
                    case=one.id, release=self.release, why=change.why, similarity=change.similarity,
                    before=change.before.digest, after=change.after.digest, vendor_before=change.before.vendor,
                    vendor_after=change.after.vendor, served_before=change.before.served,
                    served_after=change.after.served,
                )  # fmt: skip
                tx.append(self._entry(tx, EntryKind.PROBE_CHANGED, by, facts, one.id))
                found.append((one.id, change))
        return found

    def _entry(self, tx: TrialTransaction, kind: EntryKind, by: Actor, facts: msgspec.Struct, about: str) -> Entry:
        return Entry(
            id=EntryId(self.ids.new("en")), kind=kind, at_ms=tx.now_ms, actor=by, facts=facts, about=about,
            use_case=self.use_case, release=self.release,
        )  # fmt: skip


def _facts(run: Run) -> TrialFacts:
    return TrialFacts(
        run=run.id, release=run.release, passed=run.passed, failed=run.failed, results=run.digest,
        cases=run.cases_digest, whole=run.whole, scheduled=run.scheduled, cost_micro_minor=run.cost_micro_minor,
        not_green=tuple(one.id for one in run.cases if not one.passed),
    )  # fmt: skip
