"""What the ledger keeps of an action and of stops: ids, verdict, times and the money it would move; no argument."""

import msgspec

from handrail.approvals.lifecycle import Progress
from handrail.ledger.entry import Entry, EntryKind
from handrail.policy.action import Why
from handrail.policy.action_rules import Route
from handrail.terms.action import Action
from handrail.terms.actor import Actor
from handrail.terms.decision import Reason, Verdict
from handrail.terms.ids import Digest, EntryId, Ids, SubjectId, UseCaseId


class ActionFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`state`: after the move. `amount_minor`: in `currency`. `persons`: who approved so far. `step`: of the route's
    escalations. `request`, `response`: digests of what was sent and what came back (salted by the action's salt).
    `parent`: the action that this one undoes."""

    action: str
    revision: int = 0
    tool: str = ""
    type: str = ""
    agent: str = ""
    door: str = ""
    digest: Digest | None = None
    state: str = ""
    verdict: Verdict | None = None
    would_be: Verdict | None = None
    reasons: tuple[Reason, ...] = ()
    rules: tuple[str, ...] = ()
    route: str = ""
    needs: int = 0
    persons: tuple[str, ...] = ()
    step: int = 0
    amount_minor: int | None = None
    currency: str = ""
    decide_by: int | None = None
    execute_by: int | None = None
    request: Digest | None = None
    response: Digest | None = None
    verified: bool | None = None
    took_ms: int | None = None
    by_claim: str = ""  # how an outcome became known: `answer`, `asked`, `person`; `restored`: why not
    drill: bool = False
    parent: str = ""
    upstream: str = ""
    release: Digest | None = None  # of the conversation
    handed_to: str = ""  # the person who alone decides for a while


def unread(facts: ActionFacts) -> bool:
    """Whether it moves money and nobody could read how much."""
    return any(reason.code == Why.AMOUNT for reason in facts.reasons)


class About(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands in clear beside a stored action, no argument among it: `facts` as decided, `route`: who may settle
    it, as it was when it was held. `rules`: digests of the rules that it was held by. `told`: what the agent is told of
    the decision (`policy.say`)."""

    use_case: UseCaseId
    facts: ActionFacts
    route: Route | None = None
    ruleset: Digest | None = None
    rules: tuple[Digest, ...] = ()
    told: tuple[str, ...] = ()


class ReadFacts(msgspec.Struct, frozen=True):
    """Facts of `payload.read` when a person looks at a case in order to decide it."""

    action: str
    reason: str = "approval"


class StopFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`revoked`: how many waiting actions the stop's own transaction ended; more may follow (`approvals.halt`).
    `reason`: the person's words, at most 200 characters; they must name no customer."""

    stop: str
    scope: str
    value: str = ""
    reason: str = ""
    revoked: int = 0


def action_entry(
    kind: EntryKind,
    progress: Progress,
    request: Action | None,
    *,
    ids: Ids,
    at_ms: int,
    by: Actor,
    subject: SubjectId | None = None,
    payload: bytes | None = None,
    ruleset: Digest | None = None,
    facts: ActionFacts | None = None,
) -> Entry:
    """`payload` is sealed under `subject`, like an interaction's; it is left out when the subject was erased."""
    facts = facts or ActionFacts(action=progress.action)
    facts = msgspec.structs.replace(
        facts,
        action=progress.action,
        revision=progress.revision,
        digest=progress.digest,
        state=progress.state.value,
        route=progress.route,
        needs=progress.needs,
        persons=tuple(given.person for given in progress.approvals),
        step=progress.step,
        handed_to=progress.handed_to,
        decide_by=progress.decide_by,
        execute_by=progress.execute_by,
        drill=progress.drill,
        tool=request.tool if request else facts.tool,
        agent=request.agent if request else facts.agent,
        door=request.door.value if request else facts.door,
        parent=request.parent if request else facts.parent,
    )
    return Entry(
        id=EntryId(ids.new("en")),
        kind=kind,
        at_ms=at_ms,
        actor=by,
        facts=facts,
        about=progress.action,
        use_case=request.use_case if request else None,
        conversation=request.conversation if request else None,
        subject=subject if payload is not None else None,
        payload=payload,
        ruleset=ruleset,
    )
