"""Similar holds side by side, to be decided together, and what became of each; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handrail.approvals.batch import Result, alike, in_batch
from handrail.approvals.eligible import row_of
from handrail.approvals.lifecycle import State
from handrail.approvals.route import APPROVERS
from handrail.approvals.store import Stored
from handrail.approvals.view import CaseView
from handrail.console.refusals import told_why
from handrail.console.views.approval import cut, plain
from handrail.console.views.approvals import STATES, called, reason_not
from handrail.console.words import N_, Words
from handrail.people.person import Person
from handrail.policy.ruleset import Ruleset


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """`left_out`: why it cannot be one of the batch; empty: it can."""

    id: str
    path: str
    digest: str
    customer: str
    amount: str
    arguments: tuple[tuple[str, str], ...]
    agreed_tone: str
    left_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    id: str
    path: str
    tone: str
    icon: str
    status: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`total`: of the money of all that can go together, empty: none moves. `outcomes`: once it was decided.
    `asks`: of which she has to say first why she reads them."""

    crumbs: tuple[tuple[str, str], ...]
    title: str
    said: str
    members: tuple[Member, ...]
    ready: int
    approve: str
    total: str
    outcomes: tuple[Outcome, ...] = ()
    error: str = ""
    reason: str = ""
    asks: tuple[str, ...] = ()


def asking_why(ids: Sequence[str], words: Words, *, error: str = "") -> Batch:
    """Before a reason to read them was given."""
    return Batch(
        crumbs=((words(N_("Approvals")), "/approvals"),), title=words(N_("Decide together")),
        said=words(N_("Each is decided by itself, with its own entry. What changed meanwhile is left out.")),
        members=(), ready=0, approve="", total="", error=error, asks=tuple(ids),
    )  # fmt: skip


def batch(
    cases: Sequence[tuple[Stored, CaseView]], words: Words, *, ruleset: Ruleset, person: Person | None,
    error: str = "", reason: str = "",
) -> Batch:  # fmt: skip
    """The first is what the others are compared with."""
    members = tuple(
        _member(stored, case, cases[0][0], at, words, ruleset, person) for at, (stored, case) in enumerate(cases)
    )
    good = [stored for (stored, _), member in zip(cases, members, strict=True) if not member.left_out]
    amounts = [stored.about.facts.amount_minor for stored in good]
    total = ""
    if amounts and all(amount is not None for amount in amounts):
        total = words.money(sum(amount or 0 for amount in amounts), good[0].about.facts.currency)
    name = called(cases[0][0].about.facts.tool, ruleset) if cases else ""
    ready = len(good)
    approve = words.plural("Approve {n}", "Approve these {n}", ready)
    return Batch(
        crumbs=((words(N_("Approvals")), "/approvals"),), title=words(N_("{what}: decide together"), what=name) if name
        else words(N_("Decide together")),
        said=words(N_("Each is decided by itself, with its own entry. What changed meanwhile is left out.")),
        members=members, ready=ready if ready > 1 else 0,
        approve=words(N_("{approve}, {total} in all"), approve=approve, total=total) if total else approve,
        total=total, error=error, reason=reason,
    )  # fmt: skip


def _member(
    stored: Stored, case: CaseView, first: Stored, at: int, words: Words, ruleset: Ruleset, person: Person | None
) -> Member:
    row = row_of(stored)
    most = (first.about.route or APPROVERS).batch
    if row.state is not State.HELD:
        out = words(N_("It does not wait any more: {state}."), state=words(STATES[row.state][2]))
    elif reason_not(row, person, ruleset, words.now_ms) is not None:
        out = words(N_("It is not yours to decide."))
    elif alike(stored) != alike(first):
        out = words(N_("It is not like the first one (tool, route, reasons)."))
    elif in_batch(stored):
        out = words(N_("Its route decides such a one by itself."))
    else:
        out = words(N_("Its route decides at most {n} together."), n=words.number(most)) if at >= most else ""
    return Member(
        id=case.action, path=f"/approvals/{case.action}", digest=case.digest,
        customer=cut(case.customer or "–", 80),
        amount=words.money(case.amount_minor, case.currency) if case.amount_minor is not None else "–",
        arguments=tuple((name, plain(value)) for name, value in (case.arguments or {}).items()),
        agreed_tone="ok" if case.agreed in ("asked", "confirmed") else "warn", left_out=out,
    )  # fmt: skip


def decided(results: Sequence[Result], words: Words, ruleset: Ruleset, titles: Mapping[str, str]) -> Batch:
    """What became of each. `titles`: of those that were named."""
    outcomes = tuple(_outcome(one, words, titles) for one in results)
    done = sum(one.stored is not None for one in results)
    return Batch(
        crumbs=((words(N_("Approvals")), "/approvals"),), title=words(N_("Decided together")),
        said=words(N_("{done} of {all} decided."), done=words.number(done), all=words.number(len(results))),
        members=(), ready=0, approve="", total="", outcomes=outcomes,
    )  # fmt: skip


def _outcome(result: Result, words: Words, titles: Mapping[str, str]) -> Outcome:
    path = f"/approvals/{result.action}"
    if result.stored is None:
        return Outcome(
            id=result.action,
            path=path,
            tone="deny",
            icon="alert",
            status=words(N_("Left out")),
            said=told_why(result.problem, words) if result.problem is not None else result.left_out,
        )
    tone, icon, label = STATES[result.stored.progress.state]
    drill = result.stored.drilled.sentence() if result.stored.drilled is not None else ""
    left = result.stored.progress.needs - len(result.stored.progress.approvals)
    if result.stored.progress.state is State.HELD:
        drill = words.plural("{n} more person must approve it.", "{n} more people must approve it.", left)
    return Outcome(
        id=result.action, path=path, tone=tone, icon=icon, status=words(label),
        said=drill or titles.get(result.action, ""),
    )  # fmt: skip
