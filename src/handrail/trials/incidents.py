"""The tests that closed incidents ask of every release of their use case; pure but for the transaction that is read.

An incident is closed by a case of `tests/*.yaml` that would have caught it. A release shows that case on its own digest
before it starts; a case that was deleted, renamed or made a draft keeps it from starting. A test of the user's own
suite (`file::name`) is the suite's to run.
"""

from collections.abc import Iterable

from handrail.releases.lifecycle import Rollout, State
from handrail.review.incident import Incident
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId
from handrail.trials.case import Trial
from handrail.trials.store import TrialTransaction

BEFORE = frozenset({State.DRAFT, State.TESTED, State.SIGNED_OFF})
OWN_SUITE = "::"


def required(closed: Iterable[Incident]) -> dict[str, str]:
    """Case to the first incident that asks for it."""
    found: dict[str, str] = {}
    for one in closed:
        if one.test and OWN_SUITE not in one.test:
            found.setdefault(case_of(one.test), one.id)
    return found


def case_of(name: str) -> str:
    """A case's name in the file, of one that says in which API it was asked too."""
    return name.partition("[")[0]


def not_shown(tx: TrialTransaction, rollout: Rollout) -> str:
    """Why a release may not start, in one sentence: the latest run of all its cases lacks a case that a closed incident
    asks for, or it was not green. Empty: it may, or has started already."""
    use_case = UseCaseId(rollout.use_case)
    wanted = required(tx.incidents.closed_of(use_case))
    if rollout.state not in BEFORE or not wanted:
        return ""
    runs = tx.trials.runs(use_case, rollout.release, limit=200)
    whole = next((one for one in runs if one.whole and not one.scheduled), None)
    rows = () if whole is None else whole.cases
    failed = {case_of(one.id) for one in rows if not one.passed}
    shown = {case_of(one.id) for one in rows} - failed
    for case, incident in wanted.items():
        if case not in shown:
            return (
                f"incident {incident} was closed by the test {case}, and no run of all cases showed it green on this "
                f"release: handrail trial run --release {rollout.release[:12]}"
            )
    return ""


def without_test(closed: Iterable[Incident]) -> list[str]:
    """A line for each that no case keeps from coming again."""
    return [
        f"incident {one.id} was closed without a case: {one.no_test or one.test}"
        for one in closed
        if not one.test or OWN_SUITE in one.test
    ]


def require_case(trials: Iterable[Trial], incident: Incident, test: str) -> None:
    """Whether this test would be run for the incident. Raises HandrailError NOT_FOUND, or INCIDENT_STATE for a draft
    and for a case that does not name the incident."""
    if OWN_SUITE in test:
        return
    own = [one for one in trials if test in (one.id, one.case) and one.use_case == incident.use_case]
    if not own:
        raise HandrailError(
            Code.NOT_FOUND,
            f"there is no case {test!r} of {incident.use_case} in tests/*.yaml; write it there, name a test of your "
            "own suite as file::name, or say with --no-test why none can catch it",
        )
    if any(one.draft for one in own):
        raise HandrailError(Code.INCIDENT_STATE, f"{test} is a draft: read it, write what must come, take `draft` out")
    if any(one.incident != incident.id for one in own):
        raise HandrailError(Code.INCIDENT_STATE, f"{test} does not say what it is for: write `incident: {incident.id}`")
