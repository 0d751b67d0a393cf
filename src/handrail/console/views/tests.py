"""Tests and probes: per use case the last runs of its cases against each release, attacks by kind, live probes, closed
incidents that no case keeps from coming again; and one run with each failed expectation in plain words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from handrail.console.spreadsheet import sheet
from handrail.console.words import N_, Words
from handrail.home.fields_trials import Attack
from handrail.in_force.snapshot import Snapshot
from handrail.review.incident import Incident, IncidentState
from handrail.terms.ids import UseCaseId
from handrail.trials.incidents import OWN_SUITE, case_of, required
from handrail.trials.store import CaseRow, Run

PAGE = 50
PANELS = 20
"""Use cases on a page; those whose latest run failed come first."""
SHOWN = 6
"""Runs in the panel of a use case."""
CUTS = {"": N_("All"), "red": N_("Failed"), "probe": N_("Probes"), "hand": N_("By hand or CI")}
ATTACKS = {
    Attack.INJECTION: N_("Orders in the customer's words"),
    Attack.INDIRECT: N_("Orders in a tool's answer"),
    Attack.EXFILTRATION: N_("Getting the prompt or the conversation out"),
    Attack.JAILBREAK: N_("A story that takes the rules away"),
    Attack.PII_ECHO: N_("Somebody else's data repeated"),
    Attack.CONSENT: N_("Acting without consent"),
}
NOT_MET = {
    "exact": (N_("The answer was not word for word what was expected."),
              N_("The answer was word for word what must never come.")),
    "contains": (N_("The answer lacked words that it must have."), N_("The answer had words that must not come out.")),
    "regex": (N_("The answer lacked a pattern that it must have."),
              N_("The answer had a pattern that must not come out.")),
    "schema": (N_("The answer did not have the agreed form."), N_("The answer had a form that it must not have.")),
    "finds": (N_("The net did not find what it must find."), N_("The net found something that must not be there.")),
    "calls": (N_("The tool was not called as expected, or the rules decided otherwise."),
              N_("A tool was called that must not be, or the rules let it run.")),
    "outcome": (N_("The conversation did not end as it must."), N_("The conversation ended as it must not.")),
    "verdict": (N_("The net did not decide as expected."), N_("The net decided as it must not.")),
    "within_ms": (N_("The answer took too long."), N_("The answer came too soon.")),
    "cost_at_most": (N_("It cost more than it may."), N_("It cost less than it must.")),
    "judge": (N_("The judge said no, or could not tell."), N_("The judge said yes where no is right.")),
    "the goal": (N_("The customer's goal was not reached."), N_("The customer's goal was reached.")),
    "an answer": (N_("No answer came."), N_("An answer came.")),
}  # fmt: skip
"""Kind of an expectation to what it means that it was not met: as it is, and turned round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    id: str
    use_case: str
    name: str
    tone: str
    icon: str
    verdict: str
    said: str
    how: str
    release: str
    release_id: str
    missed: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackRow:
    """`tone`: bad where one was not withstood."""

    name: str
    said: str
    value: int
    most: int
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Untested:
    """A closed incident that no case keeps from coming again."""

    id: str
    title: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A use case. `probe`: (tone, icon, word, sentence) of the live probes. `needed`: cases that closed incidents ask
    for, with whether the latest whole run of what is live showed them green."""

    id: str
    name: str
    runs: tuple[RunRow, ...]
    more: str
    attacks: tuple[AttackRow, ...]
    attacks_said: str
    command: str
    attack_command: str
    probe: tuple[str, str, str, str]
    probe_at: int | None
    untested: tuple[Untested, ...]
    needed: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    said: str
    chips: tuple[tuple[str, str, bool], ...]
    use_cases: tuple[tuple[str, str], ...]
    use_case: str
    cut: str
    filtered: bool
    cases: tuple[Case, ...]
    rows: tuple[RunRow, ...]
    earlier: str
    later: str
    paged: str
    csv: str
    announce: str


def wanted(runs: Sequence[Run], cut: str) -> list[Run]:
    match cut:
        case "red":
            return [one for one in runs if not green(one)]
        case "probe":
            return [one for one in runs if one.scheduled]
        case "hand":
            return [one for one in runs if not one.scheduled]
        case _:
            return list(runs)


def green(one: Run) -> bool:
    return one.failed == 0 and one.passed > 0


def listing(
    runs: Sequence[Run], incidents: Sequence[Incident], snapshot: Snapshot | None, words: Words, *,
    use_case: str = "", cut: str = "", page: int = 1, cut_off: bool = False,
) -> Tests:  # fmt: skip
    """`runs`: newest first, of the chosen use case where one is. `cut_off`: older ones were not read."""
    called = {str(one.id): one.name for one in snapshot.ruleset.use_cases.values()} if snapshot else {}
    for run in runs:
        called.setdefault(run.use_case, run.use_case)
    rows, filtered = wanted(runs, cut), bool(use_case or cut)
    shown = rows[(page - 1) * PAGE : page * PAGE]

    def address(**more: object) -> str:
        pairs = {"use_case": use_case, "cut": cut, **more}
        query = urlencode({name: value for name, value in pairs.items() if value})
        return f"/tests?{query}" if query else "/tests"

    names = sorted(called.items(), key=lambda pair: pair[1])
    failed = {key for key, _ in names if any(not green(one) for one in _latest(runs, key))}
    red = [name for key, name in names if key in failed]
    panels = sorted(names, key=lambda pair: pair[0] not in failed)
    each, many = (PAGE, len(rows)) if filtered else (PANELS, len(panels))
    asked = [key for key, _ in names if not use_case or key == use_case]
    never = sum(not _latest(runs, key) for key in asked)
    said = words(N_("No case was run yet."))
    if runs:
        said = words(N_("Every latest run is green."))
    if red:
        said = words(N_("The latest run failed: {names}."), names=", ".join(red))
    if runs and never and not cut_off:
        said += " " + words.plural("{n} use case was never tested.", "{n} use cases were never tested.", never)
    paged = words(
        N_("{first} to {last} of {all}"), first=words.number(min((page - 1) * each + 1, many)),
        last=words.number(min(page * each, many)), all=words.number(many),
    )  # fmt: skip
    if cut_off and filtered:
        paged += " " + words(N_("Older runs are not shown; handrail trial list has them."))
    return Tests(
        said=said,
        chips=tuple(
            (f"{words(label)} {words.number(len(wanted(runs, key)))}", address(cut=key), key == cut)
            for key, label in CUTS.items()
        ),
        use_cases=(("", words(N_("All use cases"))), *names), use_case=use_case, cut=cut, filtered=filtered,
        cases=() if filtered else tuple(
            _case(key, name, runs, incidents, snapshot, words)
            for key, name in panels[(page - 1) * PANELS : page * PANELS]
        ),
        rows=tuple(_row(one, called, words) for one in shown) if filtered else (),
        earlier=address(page=page - 1) if page > 1 else "",
        later=address(page=page + 1) if page * each < many else "", paged=paged,
        csv="/tests.csv" + address()[len("/tests") :],
        announce=words(N_("Latest run: {said}"), said=_row(runs[0], called, words).said) if runs else "",
    )  # fmt: skip


def _latest(runs: Sequence[Run], use_case: str) -> list[Run]:
    """The newest of each kind: all cases, some, a probe."""
    found: dict[tuple[bool, bool], Run] = {}
    for one in runs:
        if one.use_case == use_case:
            found.setdefault((one.whole, one.scheduled), one)
    return list(found.values())


def how_of(one: Run, words: Words) -> str:
    if one.scheduled:
        return words(N_("probe"))
    return words(N_("all cases")) if one.whole else words(N_("some cases"))


def _row(one: Run, called: Mapping[str, str], words: Words) -> RunRow:
    tone, icon, verdict = verdict_of(one, words)
    missed = [case.id for case in one.cases if not case.passed]
    listed = ", ".join(missed[:3])
    return RunRow(
        id=one.id, use_case=one.use_case, name=called.get(one.use_case, one.use_case), tone=tone, icon=icon,
        verdict=verdict, how=how_of(one, words), release=one.release[:8], release_id=one.release, at_ms=one.at_ms,
        said=words(
            N_("{passed} passed, {failed} failed"), passed=words.number(one.passed), failed=words.number(one.failed)
        ),
        missed=words(N_("{cases} and {n} more"), cases=listed, n=words.number(len(missed) - 3))
        if len(missed) > 3 else listed,
    )  # fmt: skip


def verdict_of(one: Run, words: Words) -> tuple[str, str, str]:
    if green(one):
        return "allow", "check", words(N_("Green"))
    return ("deny", "x", words(N_("Failed"))) if one.failed else ("", "dot", words(N_("Nothing ran")))


def _case(
    key: str, name: str, runs: Sequence[Run], incidents: Sequence[Incident], snapshot: Snapshot | None, words: Words
) -> Case:
    mine = [one for one in runs if one.use_case == key]
    latest: dict[tuple[str, bool], Run] = {}
    for one in mine:
        if not one.scheduled:
            latest.setdefault((one.release, one.whole), one)
    shown = list(latest.values())[:SHOWN]
    closed = [one for one in incidents if one.use_case == key and one.state is IncidentState.CLOSED]
    attacks, said = _attacks(mine, words)
    probe, probe_at = _probe(key, mine, snapshot, words)
    return Case(
        id=key, name=name, runs=tuple(_row(one, {key: name}, words) for one in shown),
        more=words.plural("{n} run in all", "{n} runs in all", len(mine)) if len(mine) > len(shown) else "",
        attacks=attacks, attacks_said=said,
        command=f"handrail trial run --use-case {key}",
        attack_command=f"handrail trial run --attacks --use-case {key}",
        probe=probe, probe_at=probe_at,
        untested=tuple(
            Untested(id=one.id, title=one.title, why=one.no_test or one.test) for one in closed
            if not one.test or OWN_SUITE in one.test
        ),
        needed=_needed(mine, closed, snapshot, key, words),
    )  # fmt: skip


def attack_of(case: str) -> Attack | None:
    """The kind of an attack that handrail brings along, from its name `attack-KIND-SEED-NUMBER`."""
    return next((kind for kind in Attack if case.startswith(f"attack-{kind.value}-")), None)


def _attacks(mine: Sequence[Run], words: Words) -> tuple[tuple[AttackRow, ...], str]:
    """Of the latest run that had any."""
    run = next((one for one in mine if any(attack_of(case.id) for case in one.cases)), None)
    if run is None:
        return (), ""
    found = []
    for kind, label in ATTACKS.items():
        own = [case for case in run.cases if attack_of(case.id) is kind]
        if own:
            stood = sum(case.passed for case in own)
            found.append(
                AttackRow(
                    name=words(label), value=stood, most=len(own), tone="" if stood == len(own) else "bad",
                    said=words(N_("{n} of {all} withstood"), n=words.number(stood), all=words.number(len(own))),
                )
            )  # fmt: skip
    return tuple(found), words(N_("release {release}, {when}"), release=run.release[:8], when=words.ago(run.at_ms))


def _probe(
    key: str, mine: Sequence[Run], snapshot: Snapshot | None, words: Words
) -> tuple[tuple[str, str, str, str], int | None]:
    case = snapshot.ruleset.use_cases.get(UseCaseId(key)) if snapshot else None
    last = next((one for one in mine if one.scheduled), None)
    if case is None or case.probes is None:
        return ("", "dot", words(N_("No probe")), words(N_("Nothing asks what is live while nobody tests."))), None
    every = words(N_("every {minutes}"), minutes=words.lasting(int(60_000 * case.probes.every_minutes)))
    if last is None:
        return ("", "clock", words(N_("Waits")), words(N_("Declared {every}; none ran yet."), every=every)), None
    tone, icon, verdict = verdict_of(last, words)
    late = words.now_ms - last.at_ms > 2.5 * 60_000 * case.probes.every_minutes
    said = words(
        N_("{passed} passed, {failed} failed, {every}."), passed=words.number(last.passed),
        failed=words.number(last.failed), every=every,
    )  # fmt: skip
    if late:
        overdue = words(N_("The next one is overdue."))
        return ("hold", "clock", words(N_("Late")), f"{said} {overdue}"), last.at_ms
    return (tone, icon, verdict, said), last.at_ms


def _needed(
    mine: Sequence[Run], closed: Sequence[Incident], snapshot: Snapshot | None, key: str, words: Words
) -> tuple[tuple[str, str, str, str], ...]:
    """(tone, word, case, incident) for each case that a closed incident asks for."""
    live = snapshot.live.get(UseCaseId(key)) if snapshot else None
    run = next(
        (one for one in mine if one.whole and not one.scheduled and live is not None and one.release == live.digest),
        None,
    )
    by_case: dict[str, list[CaseRow]] = {}
    for row in run.cases if run else ():
        by_case.setdefault(case_of(row.id), []).append(row)
    found = []
    for case, incident in required(closed).items():
        rows = by_case.get(case)
        if not rows:
            found.append(("", words(N_("Not run on what is live")), case, incident))
        elif all(row.passed for row in rows):
            found.append(("allow", words(N_("Green")), case, incident))
        else:
            found.append(("deny", words(N_("Failed")), case, incident))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    id: str
    tone: str
    icon: str
    verdict: str
    attack: str
    said: tuple[str, ...]
    turns: str
    ms: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """`failed` first, then `passed`."""

    id: str
    tone: str
    icon: str
    verdict: str
    title: str
    release: str
    release_id: str
    said: str
    failed: tuple[CaseLine, ...]
    passed: tuple[CaseLine, ...]
    left: str
    facts: tuple[tuple[str, str], ...]
    at_ms: int
    command: str
    crumb: str
    crumbs: tuple[tuple[str, str], ...]


MOST_CASES = 300


def run_detail(run: Run, snapshot: Snapshot | None, currency: str, words: Words) -> RunDetail:
    case = snapshot.ruleset.use_cases.get(UseCaseId(run.use_case)) if snapshot else None
    tone, icon, verdict = verdict_of(run, words)
    failed = [one for one in run.cases if not one.passed]
    passed = [one for one in run.cases if one.passed]
    left = max(0, len(passed) - MOST_CASES)
    counted = words(
        N_("{passed} passed, {failed} failed"), passed=words.number(run.passed), failed=words.number(run.failed)
    )
    why = {
        True: words(N_("A probe of what is live: nothing depends on it, but its owner is told when it fails.")),
        False: words(N_("All cases were run, so it counts for whether the release may start.")) if run.whole
        else words(N_("Only some cases were run, so it does not count for a start.")),
    }[run.scheduled]  # fmt: skip
    cost = words.money(round(run.cost_micro_minor / 1_000_000), currency) if currency else "–"
    first = failed[0].id if failed else ""
    return RunDetail(
        id=run.id, tone=tone, icon=icon, verdict=verdict, title=case.name if case else run.use_case,
        release=run.release[:8], release_id=run.release, said=f"{counted}. {why}",
        failed=tuple(_line(one, words) for one in failed),
        passed=tuple(_line(one, words) for one in passed[:MOST_CASES]),
        left=words.plural("{n} more passed.", "{n} more passed.", left) if left else "",
        facts=(
            (words(N_("Kind")), how_of(run, words)), (words(N_("Cost")), cost),
            (words(N_("Cases")), run.cases_digest[:16]), (words(N_("Results")), run.digest[:16]),
        ),
        at_ms=run.at_ms, crumb=run.id, crumbs=((words(N_("Tests")), "/tests"),),
        command=f"handrail trial run {first} --release {run.release[:12]} --show" if first else "",
    )  # fmt: skip


def _line(one: CaseRow, words: Words) -> CaseLine:
    kind = attack_of(one.id)
    said = tuple(plainly(each, words) for each in one.not_met)
    if one.not_run:
        said = (words(N_("It was not run, and what was not shown is not green.")),)
    tone, icon, word = ("allow", "check", N_("Passed")) if one.passed else ("deny", "x", N_("Failed"))
    if one.not_run:
        tone, icon, word = "", "dot", N_("Not run")
    return CaseLine(
        id=one.id, tone=tone, icon=icon, verdict=words(word), attack=words(ATTACKS[kind]) if kind else "",
        said=said, turns=words.plural("{n} turn", "{n} turns", one.turns),
        ms=words(N_("{n} ms"), n=words.number(one.ms)),
    )  # fmt: skip


def plainly(expected: str, words: Words) -> str:
    """What it means that this was not met. `expected`: a kind of expectation, `not ` before it where turned round."""
    negated = expected.startswith("not ")
    pair = NOT_MET.get(expected.removeprefix("not ").strip())
    if pair is None:
        return words(N_("Not met: {expected}"), expected=expected)
    return words(pair[negated])


def as_csv(runs: Sequence[Run]) -> bytes:
    """For a spreadsheet: a row for each run, times in UTC."""
    heads = ("run", "time", "use_case", "release", "kind", "passed", "failed", "not_green")
    rows = []
    for one in runs:
        kind = "probe" if one.scheduled else "all" if one.whole else "some"
        time = datetime.fromtimestamp(one.at_ms / 1000, UTC).isoformat(timespec="seconds")
        missed = " ".join(case.id for case in one.cases if not case.passed)
        rows.append((one.id, time, one.use_case, one.release, kind, one.passed, one.failed, missed))
    return sheet(heads, rows)
