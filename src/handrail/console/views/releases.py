"""The list of releases: per use case what is live, the canary and how it stands, drafts, what came before; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from handrail.console.spreadsheet import sheet
from handrail.console.views.frame import ROLE_NAMES
from handrail.console.views.happened import shortened as in_short
from handrail.console.views.releases_chart import evidence_said, meter
from handrail.console.views.releases_moves import unsigned
from handrail.console.views.releases_timeline import author_name
from handrail.console.views.releases_words import counting_of, state_of, units_of, verdict_of
from handrail.console.views.releases_words import short as shortened
from handrail.console.words import N_, SOURCE, Words
from handrail.in_force.snapshot import Snapshot
from handrail.releases.curve import Drawing
from handrail.releases.judge import Verdict
from handrail.releases.lifecycle import OVER, Rollout, State
from handrail.terms.ids import UseCaseId

PAGE = 50
FEW = 3
"""Of what came before, in the panel of a use case."""
CUTS = {
    "": N_("All"), "canary": N_("Canaries"), "draft": N_("Drafts"), "live": N_("Live by a ramp"), "over": N_("Before"),
    "back": N_("Rolled back"),
}  # fmt: skip
DRAFTS = frozenset({State.DRAFT, State.TESTED, State.SIGNED_OFF})
_IN = {
    "canary": frozenset({State.CANARY}), "draft": DRAFTS, "live": frozenset({State.LIVE}), "over": OVER,
    "back": frozenset({State.ROLLED_BACK}),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`meter`: 0 to 1 of the way to going back; None: there is no evidence. `at_ms`: when it came to this state."""

    id: str
    short: str
    use_case: str
    name: str
    tone: str
    icon: str
    state: str
    said: str
    meter: float | None
    meter_said: str
    verdict: tuple[str, str, str] | None
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A use case. `live`: of no rollout where it never had one."""

    id: str
    name: str
    live: str
    live_id: str
    live_said: str
    live_at: int | None
    has_ramp: bool
    rows: tuple[Row, ...]
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """`cases`: unfiltered; `rows`: of a filter, paged."""

    said: str
    chips: tuple[tuple[str, str, bool], ...]
    use_cases: tuple[tuple[str, str], ...]
    use_case: str
    cut: str
    filtered: bool
    cases: tuple[Case, ...]
    rows: tuple[Row, ...]
    earlier: str
    later: str
    paged: str
    csv: str
    renews: str
    announce: str
    running: bool


def wanted(rollouts: Sequence[Rollout], *, use_case: str, cut: str) -> list[Rollout]:
    """What the filters leave, newest first."""
    states = _IN.get(cut)
    return [
        one for one in rollouts
        if (not use_case or one.use_case == use_case) and (states is None or one.state in states)
    ]  # fmt: skip


def releases(
    rollouts: Sequence[Rollout], snapshot: Snapshot | None, drawings: Mapping[str, Drawing], names: Mapping[str, str],
    words: Words, *, use_case: str = "", cut: str = "", page: int = 1,
) -> Releases:  # fmt: skip
    """`drawings`: of the canaries. `names`: of persons by id."""
    called = {str(one.id): one.name for one in snapshot.ruleset.use_cases.values()} if snapshot else {}
    known = dict(called)
    for rollout in rollouts:
        known.setdefault(rollout.use_case, rollout.use_case)
    rows = wanted(rollouts, use_case=use_case, cut=cut)
    shown = rows[(page - 1) * PAGE : page * PAGE]
    running = [one for one in rollouts if one.state is State.CANARY]
    drafts = sum(one.state in DRAFTS for one in rollouts)
    filtered = bool(use_case or cut)

    def address(**more: object) -> str:
        pairs = {"use_case": use_case, "cut": cut, **more}
        query = urlencode({name: value for name, value in pairs.items() if value})
        return f"/releases?{query}" if query else "/releases"

    def row(one: Rollout) -> Row:
        case = snapshot.ruleset.use_cases.get(UseCaseId(one.use_case)) if snapshot else None
        lacks = unsigned(one, case.ramp) if case is not None and case.ramp is not None else []
        return _row(one, drawings.get(one.release), known, names, words, lacks)

    return Releases(
        said=" ".join([
            words.plural("{n} canary is running.", "{n} canaries are running.", len(running))
            if running else words(N_("No canary is running.")),
            words.plural("{n} draft waits for its start.", "{n} drafts wait for their start.", drafts)
            if drafts else words(N_("No draft waits.")),
        ]),
        chips=tuple(
            (f"{words(label)} {words.number(len(wanted(rollouts, use_case=use_case, cut=key)))}", address(cut=key),
             key == cut)
            for key, label in CUTS.items()
        ),
        use_cases=(("", words(N_("All use cases"))), *sorted(known.items(), key=lambda pair: pair[1])),
        use_case=use_case, cut=cut, filtered=filtered,
        cases=() if filtered else tuple(sorted(
            (_case(key, name, rollouts, snapshot, row, words) for key, name in known.items()),
            key=lambda case: (not case.rows, not case.has_ramp, case.name),
        )),
        rows=tuple(row(one) for one in shown) if filtered else (),
        earlier=address(page=page - 1) if page > 1 else "",
        later=address(page=page + 1) if page * PAGE < len(rows) else "",
        paged=words(
            N_("{first} to {last} of {all}"), first=words.number(min((page - 1) * PAGE + 1, len(rows))),
            last=words.number(min(page * PAGE, len(rows))), all=words.number(len(rows)),
        ),
        csv="/releases.csv" + address()[len("/releases"):],
        renews=address(page=page if page > 1 else "", part="list"),
        announce=_announced(running, drawings, known, words), running=bool(running),
    )  # fmt: skip


def _announced(
    running: Sequence[Rollout], drawings: Mapping[str, Drawing], known: Mapping[str, str], words: Words
) -> str:
    return " ".join(
        words(N_("{use_case}: canary at {share}."), use_case=known[one.use_case], share=words.percent(one.share, 0))
        for one in running
    )


def _row(
    one: Rollout, drawing: Drawing | None, known: Mapping[str, str], names: Mapping[str, str], words: Words,
    lacks: Sequence[str],
) -> Row:  # fmt: skip
    """`lacks`: roles that have not agreed to it."""
    tone, icon, state = state_of(one, words)
    told = None if drawing is None else drawing.told
    verdict = told.verdict if told is not None and one.state is State.CANARY else _reached(one)
    alpha = one.ramp.alpha if one.ramp is not None else 0.01
    evidence = "" if told is None else words(
        N_("evidence {n} of {limit}"), n=evidence_said(told.log_e, words), limit=words.number(round(1 / alpha))
    )  # fmt: skip
    return Row(
        id=one.release, short=shortened(one.release), use_case=one.use_case, name=known.get(one.use_case, one.use_case),
        tone=tone, icon=icon, state=state, said=_said(one, drawing, words, lacks),
        meter=None if told is None or one.state is not State.CANARY else meter(told.log_e, alpha), meter_said=evidence,
        verdict=None if verdict is None else verdict_of(verdict, words),
        by=words(N_("written by {name}"), name=author_name(one.author, names, words)), at_ms=_since(one),
    )  # fmt: skip


def _reached(one: Rollout) -> Verdict | None:
    if one.reached is None or one.state not in (State.ROLLED_BACK, State.LIVE, State.RETIRED):
        return None
    return Verdict(one.reached.verdict)


def _since(one: Rollout) -> int:
    if one.ended_at is not None:
        return one.ended_at
    if one.state is State.CANARY or one.state is State.LIVE:
        return one.stage_at or one.created_at
    latest = [sign.at_ms for sign in one.sign_offs]
    return max([one.created_at, *latest, one.tested.at_ms if one.tested else 0])


def _said(one: Rollout, drawing: Drawing | None, words: Words, lacks: Sequence[str]) -> str:
    """One line beside a row: what is next, or how it ended."""
    match one.state:
        case State.CANARY:
            assert one.ramp is not None
            stage = words(N_("step {n} of {all}"), n=one.stage + 1, all=len(one.ramp.stages))
            counted = counting_of(drawing, words) or units_of(one, drawing.units if drawing else 0, words)
            return f"{stage} · {counted}"
        case State.DRAFT:
            if one.tested is not None:
                return words.plural("{n} test failed.", "{n} tests failed.", one.tested.failed)
            return words(N_("Its tests have not been run."))
        case State.TESTED | State.SIGNED_OFF if lacks:
            roles = ", ".join(words(ROLE_NAMES.get(role, role)) for role in lacks)
            return words(N_("Tests are green; it waits for the sign-off of: {roles}."), roles=roles)
        case State.TESTED:
            return words(N_("Tests are green; it can be started."))
        case State.SIGNED_OFF:
            return words(N_("Everybody agreed; it can be started."))
        case State.LIVE:
            return words(N_("Answers every new conversation."))
        case State.ROLLED_BACK:
            if one.reached is not None and one.reached.verdict == "worse":
                if words.language == SOURCE:
                    return in_short(one.reached.sentence)
                return words(N_("By the rule, from its evidence."))
            return words(N_("By a person, or what it was compared with changed."))
        case _:
            return words(N_("Nothing new begins on it."))


def _case(
    key: str, name: str, rollouts: Sequence[Rollout], snapshot: Snapshot | None, row: Callable[[Rollout], Row],
    words: Words,
) -> Case:  # fmt: skip
    mine = [one for one in rollouts if one.use_case == key]
    live = snapshot.live.get(UseCaseId(key)) if snapshot else None
    case = snapshot.ruleset.use_cases.get(UseCaseId(key)) if snapshot else None
    now = [one for one in mine if one.state is State.CANARY or one.state in DRAFTS]
    before = [one for one in mine if one.state in OVER]
    left = len(now[8:]) + len(before[FEW:])
    is_live = next((one for one in mine if live is not None and one.release == live.digest), None)
    return Case(
        id=key, name=name, live=shortened(live.digest) if live else "", live_id=live.digest if live else "",
        live_said=words(N_("answers every new conversation")) if live else words(N_("nothing is live")),
        live_at=None if is_live is None else is_live.stage_at or is_live.created_at,
        has_ramp=case is not None and case.ramp is not None,
        rows=tuple(row(one) for one in [*now[:8], *before[:FEW]]),
        more=words.plural("{n} more", "{n} more", left) if left else "",
    )  # fmt: skip


HEADS = ("release", "use_case", "state", "share", "stage", "verdict", "author", "created", "since", "sentence")


def as_csv(rollouts: Sequence[Rollout], names: Mapping[str, str]) -> bytes:
    """For a spreadsheet: times in UTC, a digest whole, and no cell that begins a formula."""
    rows = []
    for one in rollouts:
        reached = one.reached
        cells = (
            one.release, one.use_case, one.state.value, f"{one.share:g}", one.stage + 1,
            reached.verdict if reached else "", names.get(one.author, one.author), _time(one.created_at),
            _time(_since(one)), reached.sentence if reached else "",
        )  # fmt: skip
        rows.append(cells)
    return sheet(HEADS, rows)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
