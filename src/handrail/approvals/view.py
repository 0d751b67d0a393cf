"""What an approver sees of one case; pure. Arguments are among it, so looking is recorded (`settle.ReadCase`)."""

from typing import Any

import msgspec

from handrail.approvals.lifecycle import Otherwise, State
from handrail.approvals.store import Past, Stored
from handrail.policy.action import ActionInput, Agreed
from handrail.policy.action_rules import ActionRules
from handrail.terms.action import ActionId
from handrail.terms.decision import Reason
from handrail.terms.ids import Digest
from handrail.tools.registry import Reversibility, Tool


class Why(msgspec.Struct, frozen=True):
    """One reason. `place`: of the rule or limit in the home; `words`: the rule's own, empty for what is built in."""

    code: str
    place: str = ""
    words: str = ""
    side: str = ""


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """`origins`: argument path to where its value came from. `undo_until_s`: how long after the effect it can be undone
    by a call; None: it cannot, or without an end (`reversibility`). `otherwise`: what happens when nobody decides.
    `digest`: what an approval binds to. Times in Unix ms."""

    action: ActionId
    state: State
    revision: int
    digest: Digest
    use_case: str
    tool: str
    title: str
    type: str
    agent: str
    customer: str | None
    conversation: str | None
    arguments: dict[str, Any] | None
    amount_minor: int | None
    currency: str
    why: tuple[Why, ...]
    origins: dict[str, str]
    agreed: str
    facts: dict[str, Any]
    reversibility: str
    undo_until_s: int | None
    route: str
    roles: tuple[str, ...]
    needs: int
    approvals: tuple[str, ...]
    excluded: tuple[str, ...]
    decide_by: int | None
    otherwise: Otherwise
    settled_by: str
    past: tuple[Past, ...]


def view(
    stored: Stored, given: ActionInput | None, tool: Tool | None, rules: ActionRules, past: tuple[Past, ...]
) -> CaseView:
    """`given`: what the decision rests on, None when it cannot be read any more. `tool`: as it is in force."""
    progress, request, facts, route = stored.progress, stored.request, stored.about.facts, stored.about.route
    words = {rule.place or rule.id: rule.why for rule in rules.rules}
    return CaseView(
        action=progress.action,
        state=progress.state,
        revision=progress.revision,
        digest=progress.digest,
        use_case=stored.about.use_case,
        tool=facts.tool,
        title=tool.title if tool is not None else "",
        type=facts.type,
        agent=facts.agent,
        customer=request.customer if request is not None else None,
        conversation=request.conversation if request is not None else None,
        arguments=request.arguments if request is not None else None,
        amount_minor=facts.amount_minor,
        currency=facts.currency,
        why=tuple([_why(reason, words) for reason in facts.reasons]),
        origins={traced.path: traced.origin.value for traced in given.traced} if given is not None else {},
        agreed=(given.agreed if given is not None else Agreed.UNKNOWN).value,
        facts={f"{fact.name} ({fact.vouched.value})": fact.value for fact in given.facts} if given is not None else {},
        reversibility=(tool.reversibility if tool is not None else Reversibility.NONE).value,
        undo_until_s=tool.undo_within_s if tool is not None and tool.undo is not None else None,
        route=progress.route,
        roles=route.roles if route is not None else (),
        needs=progress.needs,
        approvals=tuple([approval.person for approval in progress.approvals]),
        excluded=tuple(sorted(progress.excluded)),
        decide_by=progress.decide_by,
        otherwise=progress.otherwise,
        settled_by=progress.settled_by,
        past=past,
    )


def _why(reason: Reason, words: dict[str, str]) -> Why:
    return Why(reason.code, reason.rule, words.get(reason.rule, ""), reason.side)
