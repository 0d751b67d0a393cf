"""Similar approvals decided together: what is seen of each, one reason, a result for each."""

from urllib.parse import urlencode

from handrail.approvals.batch import Member, alike, decide_batch, in_batch
from handrail.approvals.eligible import row_of
from handrail.approvals.lifecycle import State
from handrail.approvals.route import APPROVERS
from handrail.approvals.store import Stored
from handrail.approvals.view import CaseView
from handrail.console.answers import Again, Go
from handrail.console.here import Here
from handrail.console.pages.approval import DECIDERS, amount_of
from handrail.console.pages.approvals import SCANNED
from handrail.console.read_before import reason_for, wants_reason
from handrail.console.refusals import told_why
from handrail.console.routes import Asked, Route, Verb
from handrail.console.views.approvals import titled
from handrail.console.views.batch import Batch, asking_why, batch, decided
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.erase import reference
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest

MOST = 50


class BatchAsked(Asked, frozen=True, kw_only=True):
    """`id`: those that were selected. `like`: or one, with those that are like it. `read_reason`: why a program reads
    them, where the ruleset asks."""

    id: tuple[str, ...] = ()
    like: str = ""
    read_reason: str = ""


class ReadAsked(Asked, frozen=True, kw_only=True):
    """`reason`: a reference such as `ticket 4711`, for all."""

    id: tuple[str, ...] = ()
    reason: str = ""


class DecideAsked(Asked, frozen=True, kw_only=True):
    """`id`, `digest`: of what was seen, in the same order. `decide`: `approve` or `deny`."""

    id: tuple[str, ...] = ()
    digest: tuple[str, ...] = ()
    decide: str = ""
    reason: str = ""


async def show(visitor: Visitor, asked: BatchAsked, here: Here) -> Batch:
    ids = list(dict.fromkeys(asked.id))[:MOST]
    if asked.like:
        ids = await _like(ActionId(asked.like), here)
    return await _shown(visitor, ids, here, typed=asked.read_reason)


async def read(visitor: Visitor, asked: ReadAsked, here: Here) -> Go | Again:
    """Why she reads them, recorded for each."""
    ids = list(dict.fromkeys(asked.id))[:MOST]
    try:
        reason = reference(asked.reason.strip())
    except HandrailError as problem:
        return Again(asking_why(ids, here.words, error=told_why(problem, here.words)), "batch.html")
    for one in ids:
        await here.ports.cases.look(ActionId(one), token=visitor.token, most_past=0, reason=reason)
    query = urlencode([("id", one) for one in ids])
    return Go(f"/approvals-together?{query}", here.words(N_("Recorded: you read this, and why.")))


async def decide(visitor: Visitor, asked: DecideAsked, here: Here) -> Batch | Again:
    """One by one; what was decided before a failure stays decided."""
    ids = asked.id[:MOST]
    if asked.decide not in ("approve", "deny") or not ids or len(ids) != len(asked.digest[:MOST]):
        raise HandrailError(Code.REQUEST_INVALID, "a batch names each action with the digest of what you saw")
    if asked.decide == "deny" and not asked.reason.strip():
        error = here.words(N_("Say why you deny them."))
        return Again(await _shown(visitor, list(ids), here, error=error), "batch.html")
    stored = [await here.ports.acts.get(ActionId(one)) for one in ids]
    rows = [row_of(one) for one in stored]
    amounts = [amount_of(row, here) for row in rows]
    whole = None if any(one is None for one in amounts) else sum(one or 0 for one in amounts)
    here.require_fresh(visitor, whole)
    results = await decide_batch(
        here.ports.journal, [Member(ActionId(one), Digest(seen)) for one, seen in zip(ids, asked.digest, strict=False)],
        alike(stored[0]), ids=here.ports.ids, approve=asked.decide == "approve", token=visitor.token,
        comment=asked.reason,
    )  # fmt: skip
    titles = {str(row.action): titled(row, here.words, here.ruleset) for row in rows}
    return decided(results, here.words, here.ruleset, titles)


async def _shown(visitor: Visitor, ids: list[str], here: Here, *, error: str = "", typed: str = "") -> Batch:
    """Each look is recorded."""
    person = next((one for one in await here.ports.people.persons() if one.id == visitor.person), None)
    cases: list[tuple[Stored, CaseView]] = []
    try:
        for one in ids:
            cases.append(await _look(visitor, ActionId(one), here, typed))
    except HandrailError as problem:
        if not wants_reason(problem) or here.by_program:
            raise
        return asking_why(ids, here.words)
    return batch(cases, here.words, ruleset=here.ruleset, person=person, error=error)


async def _look(visitor: Visitor, action: ActionId, here: Here, typed: str) -> tuple[Stored, CaseView]:
    try:
        return await here.ports.cases.look(action, token=visitor.token, most_past=0)
    except HandrailError as problem:
        reason = await reason_for(visitor, action, typed, here) if wants_reason(problem) else ""
        if not reason:
            raise
    return await here.ports.cases.look(action, token=visitor.token, most_past=0, reason=reason)


async def _like(first: ActionId, here: Here) -> list[str]:
    """It and the waiting ones like it, the oldest first, as many as its route decides together."""
    one = await here.ports.acts.get(first)
    most = (one.about.route or APPROVERS).batch
    found: list[str] = [first]
    if in_batch(one):
        return found
    mine = row_of(one)
    for row in await here.ports.acts.queued(frozenset({State.HELD}), limit=SCANNED):
        if len(found) >= min(most, MOST):
            break
        if row.action == first or (row.tool, row.route, row.use_case) != (mine.tool, mine.route, mine.use_case):
            continue
        other = await here.ports.acts.get(row.action)
        if alike(other) == alike(one) and not in_batch(other):
            found.append(row.action)
    return found


ROUTES = (
    Route(
        name="approvals.batch", path="/approvals-together", title=N_("Decide together"), handler=show, asks=BatchAsked,
        roles=DECIDERS, template="batch.html",
    ),
    Route(
        name="approvals.read_batch", path="/approvals-together/read", title=N_("Decide together"), verb=Verb.POST,
        handler=read, asks=ReadAsked, roles=DECIDERS, template="batch.html",
    ),
    Route(
        name="approvals.decide_batch", path="/approvals-together", title=N_("Decide together"), verb=Verb.POST,
        handler=decide, asks=DecideAsked, roles=DECIDERS, template="batch.html",
    ),
)  # fmt: skip
