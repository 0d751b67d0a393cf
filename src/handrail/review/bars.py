"""What keeps a release from going on: an incident of its use case that is not contained."""

from handrail.releases.lifecycle import Rollout
from handrail.review.incident import IncidentState
from handrail.review.incidents import IncidentTransaction
from handrail.terms.ids import UseCaseId


def open_incident_of(tx: IncidentTransaction, rollout: Rollout) -> str:
    """One sentence; empty: nothing does."""
    for one in tx.incidents.open_of(UseCaseId(rollout.use_case)):
        if one.state is IncidentState.OPEN:
            return f"incident {one.id} of this use case is open; contain it first, see handrail incident list"
    return ""
