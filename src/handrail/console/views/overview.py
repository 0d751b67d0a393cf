"""The overview: what needs a person, how each use case stands, what the net did today; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from handrail.approvals.lifecycle import State as HoldState
from handrail.approvals.stop import StopScope
from handrail.approvals.store import Line
from handrail.console.views.charts import Figure
from handrail.console.views.happened import Happened, happened, shortened
from handrail.console.views.measured import METRICS, figures_of
from handrail.console.words import N_, Words
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.commitment import RecordedFacts
from handrail.ledger.entry import EntryKind
from handrail.policy.ruleset import UseCase
from handrail.releases.lifecycle import Rollout
from handrail.releases.lifecycle import State as ReleaseState
from handrail.review.incident import Incident
from handrail.watch.alert import Alert
from handrail.watch.measure import Cell, Counts
from handrail.watch.series import Series

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the ports gave. `measured`, `series`: of the use cases that are looked at (`looked_at`), of a week. `day`:
    counts of all together, of the last 24 hours."""

    snapshot: Snapshot
    states: Mapping[HoldState, int]
    oldest: Sequence[Line]
    incidents: Sequence[Incident]
    alerts: Sequence[Alert]
    rollouts: Sequence[Rollout]
    measured: Sequence[tuple[Cell, Counts]]
    series: Sequence[Series]
    entries: Sequence[RecordedFacts]
    day: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """`id`: of the one that it leads to; empty: to the page."""

    tone: str
    icon: str
    status: str
    title: str
    number: str
    said: str
    page: str
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`level`: 0..5 bars. `figures`: in the order of `Overview.heads`."""

    id: str
    name: str
    said: str
    tone: str
    icon: str
    state: str
    waits: str
    risk: str
    risk_tone: str
    level: int
    level_label: str
    level_said: str
    release: str
    release_said: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    tone: str
    text: str
    number: str
    percent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    title: str
    said: str
    announce: str
    tiles: tuple[Tile, ...]
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    left: str
    chips: tuple[tuple[str, str, bool], ...]
    today: tuple[Happened, ...]
    today_cut: str
    shares: tuple[Share, ...]
    counted: str


RISKS = {
    "R0": ("dim", N_("No risk")), "R1": ("dim", N_("Low risk")), "R2": ("warn", N_("Medium risk")),
    "R3": ("bad", N_("High risk")), "R4": ("bad", N_("Highest risk")),
}  # fmt: skip
AUTONOMY = {
    "A0": N_("Reads only"), "A1": N_("Suggests"), "A2": N_("Acts with approval"), "A3": N_("Acts within limits"),
    "A4": N_("Acts alone"),
}  # fmt: skip
MOST_OPEN, MOST_TOLD = 100, 200
"""Incidents or alerts that are counted, entries of a day that are told: of more it says that there are more."""
ROWS = 50
"""Use cases on the page. Of more than these, figures are read and looked at for those that stand first alone."""
_URGENT = ("deny", "back", "hold")
VIEWS = {"all": N_("All"), "attention": N_("Need attention"), "high": N_("High risk"), "mine": N_("Mine")}


def overview(read: Read, words: Words, *, name: str, view: str, mine: str) -> Overview:
    """`name`: of the visitor. `view`: one of `VIEWS`. `mine`: her address as the use cases name who owns
    or deputises; empty: she is not known by one."""
    rules = read.snapshot.ruleset
    cases = rules.use_cases.values()
    measured, learnt = _by_use_case(read)
    states = _states(read, words)
    rows = [
        _row(one, states[one.id], read, measured, learnt, words) for one in looked_at(read, words, view=view, mine=mine)
    ]
    hers = {str(one.id) for one in cases if _is_hers(one, mine)}
    out = [row for row in rows if row.tone not in _URGENT and any(figure.out for figure in row.figures)]
    attention = len(out) + sum(states[one.id][0] in _URGENT for one in cases)
    many = {
        "all": len(cases), "attention": attention, "high": sum(_is_high(one) for one in cases), "mine": len(hers),
    }  # fmt: skip
    cuts = {
        "attention": [row for row in rows if row.tone in _URGENT or row in out],
        "high": [row for row in rows if row.risk_tone == "bad"],
        "mine": [row for row in rows if row.id in hers],
    }
    shown = cuts.get(view, rows)
    left = many.get(view, len(cases)) - len(shown)
    talked = read.day.get("interactions", 0)
    held = read.states.get(HoldState.HELD, 0)
    today, cut = happened(
        read.entries, {str(one.id): one.name for one in cases}, words, most=12, limit=MOST_TOLD,
        tools={str(one.id): one.title for one in rules.tools.values()},
    )  # fmt: skip
    return Overview(
        title=_greeting(words, name),
        said=" ".join(
            [
                words.plural("{n} AI use case", "{n} AI use cases", len(cases)),
                words.plural(
                    "handled {n} interaction in the last 24 hours.",
                    "handled {n} interactions in the last 24 hours.", talked,
                )
                if talked else words(N_("in force; nothing was counted in the last 24 hours yet.")),
                words.plural("{n} needs attention.", "{n} need attention.", attention)
                if attention else words(N_("None needs attention.")),
            ]
        ),
        announce=words.plural("{n} approval waits", "{n} approvals wait", held) if held else "",
        tiles=_tiles(read, words, held),
        heads=tuple(words(label) for label in METRICS.values()),
        rows=tuple(shown),
        left=words.plural("{n} more stands in the list of use cases", "{n} more stand in the list of use cases", left)
        if left > 0 else "",
        chips=tuple(
            (f"{words(label)} {words.number(many[key])}", "/" if key == "all" else f"/?view={key}", key == view)
            for key, label in VIEWS.items() if key != "mine" or hers or view == "mine"
        ),
        today=today, today_cut=words(N_("The newest {n}; the ledger has the rest."), n=words.number(len(today)))
        if cut else "",
        shares=_shares(read, words), counted=_counted(read, words),
    )  # fmt: skip


def looked_at(read: Read, words: Words, *, view: str, mine: str) -> list[UseCase]:
    """The use cases whose figures are read: all of a home with at most `ROWS`, else those of the view, what needs
    somebody first. Needs nothing of `read` that was measured."""
    cases = list(read.snapshot.ruleset.use_cases.values())
    if len(cases) <= ROWS:
        return cases
    if view == "high":
        cases = [one for one in cases if _is_high(one)]
    if view == "mine":
        cases = [one for one in cases if _is_hers(one, mine)]
    states = _states(read, words)
    places = {one.id: _URGENT.index(tone) if (tone := states[one.id][0]) in _URGENT else len(_URGENT) for one in cases}
    return sorted(cases, key=lambda one: places[one.id])[:ROWS]


def _is_high(case: UseCase) -> bool:
    return RISKS[_risk(case)][0] == "bad"


def _risk(case: UseCase) -> str:
    return max((level.risk.value for level in case.levels.values()), default="R0")


def _is_hers(case: UseCase, mine: str) -> bool:
    return bool(mine) and mine.lower() in (case.owner.lower(), case.deputy.lower())


def _by_use_case(read: Read) -> tuple[dict[str, list[tuple[Cell, Counts]]], dict[str, list[Series]]]:
    measured: dict[str, list[tuple[Cell, Counts]]] = {}
    for cell, counts in read.measured:
        measured.setdefault(cell.use_case, []).append((cell, counts))
    learnt: dict[str, list[Series]] = {}
    for one in read.series:
        learnt.setdefault(one.use_case, []).append(one)
    return measured, learnt


def _greeting(words: Words, name: str) -> str:
    first = name.split()[0] if name.strip() else name
    hour = words.hour()
    if hour < 12:
        return words(N_("Good morning, {name}"), name=first)
    return (
        words(N_("Good afternoon, {name}"), name=first) if hour < 18 else words(N_("Good evening, {name}"), name=first)
    )


def _tiles(read: Read, words: Words, held: int) -> tuple[Tile, ...]:
    back = [one for one in read.rollouts if one.state is ReleaseState.ROLLED_BACK and _today(one.ended_at, words)]
    running = [one for one in read.rollouts if one.state is ReleaseState.CANARY]
    return (
        Tile(
            tone="hold" if held else "allow", icon="pause" if held else "check", title=words(N_("Approvals")),
            status=words(N_("Waiting")) if held else words(N_("Nothing waits")), number=words.number(held),
            said=_oldest(read, words, held), page="approvals",
        ),
        Tile(
            tone="deny" if read.incidents else "allow", icon="alert" if read.incidents else "check",
            title=words(N_("Incidents")), status=words(N_("Not closed")) if read.incidents else words(N_("None open")),
            number=_many(read.incidents, words), page="incidents", id=_only(read.incidents),
            said=shortened(read.incidents[0].title) if read.incidents else words(N_("Harm to customers is told here.")),
        ),
        Tile(
            tone="back" if back else ("canary" if running else "allow"),
            icon="undo" if back else ("canary" if running else "check"), title=words(N_("Releases")),
            status=words(N_("Rolled back today")) if back else words(N_("None rolled back today")),
            number=words.number(len(back)), page="releases",
            id=back[0].release if len(back) == 1 and not running else "",
            said=" ".join([*_went_back(back, read, words), words.plural(
                "{n} canary is running.", "{n} canaries are running.", len(running)
            ) if running else words(N_("No canary is running."))]),
        ),
        Tile(
            tone="hold" if read.alerts else "allow", icon="bell" if read.alerts else "check",
            title=words(N_("Alerts")), status=words(N_("Unanswered")) if read.alerts else words(N_("All answered")),
            number=_many(read.alerts, words), page="alerts",
            said=shortened(read.alerts[0].first.sentence)
            if read.alerts else words(N_("What the watch finds is told here.")),
        ),
    )  # fmt: skip


def _many(found: Sequence[object], words: Words) -> str:
    return words.number(len(found)) if len(found) <= MOST_OPEN else f"{words.number(MOST_OPEN)}+"


def _only(found: Sequence[Incident]) -> str:
    return found[0].id if len(found) == 1 else ""


def _went_back(back: Sequence[Rollout], read: Read, words: Words) -> list[str]:
    """Of the newest that was rolled back today: whose it is, and who did it."""
    if not back:
        return []
    one = max(back, key=lambda each: each.ended_at or 0)
    case = read.snapshot.ruleset.use_cases.get(one.use_case)
    alone = one.reached is not None and one.reached.verdict == "worse"
    said = N_("{use_case} went back by itself, {ago}: why, and whom it hurt.") if alone else N_(
        "{use_case} was taken back by a person, {ago}."
    )  # fmt: skip
    return [words(said, use_case=case.name if case else one.use_case, ago=words.ago(one.ended_at or 0))]


def _oldest(read: Read, words: Words, held: int) -> str:
    if not read.oldest:
        return words(N_("What an agent may not do alone will wait here."))
    due = min((line.decide_by for line in read.oldest if line.decide_by is not None), default=None)
    if held > len(read.oldest):  # one behind these may expire before
        due = None
    oldest = words(N_("The oldest came {ago}."), ago=words.ago(read.oldest[0].created_at))
    return oldest if due is None else f"{oldest} " + words(N_("The next one expires {when}."), when=words.ago(due))


def _today(at_ms: int | None, words: Words) -> bool:
    return at_ms is not None and at_ms >= words.today_ms()


def _row(
    case: UseCase, stands: tuple[str, str, str], read: Read,
    measured: Mapping[str, Sequence[tuple[Cell, Counts]]],
    learnt: Mapping[str, Sequence[Series]], words: Words,
) -> Row:  # fmt: skip
    risk = _risk(case)
    autonomy = max((level.autonomy.value for level in case.levels.values()), default="A0")
    tone, icon, state = stands
    waits = sum(line.use_case == case.id for line in read.oldest)
    live = read.snapshot.live.get(case.id)
    level = int(autonomy[1]) + 1
    canary = next((one for one in read.rollouts if one.use_case == case.id and one.state is ReleaseState.CANARY), None)
    return Row(
        id=case.id, name=case.name, said=" · ".join([", ".join(case.channels), case.owner]), tone=tone, icon=icon,
        state=state,
        waits=_waits(waits, read, words),
        risk=words(RISKS[risk][1]), risk_tone=RISKS[risk][0], level=level, level_said=words(AUTONOMY[autonomy]),
        level_label=words(N_("Autonomy level {n} of 5"), n=level), release=live.digest[:8] if live else "–",
        release_said=words(
            N_("{digest} at {share}"), digest=canary.release[:8], share=words.percent(canary.share, 0)
        ) if canary else "",
        figures=figures_of(measured.get(case.id, ()), learnt.get(case.id, ()), case.id, words),
    )  # fmt: skip


def _waits(waits: int, read: Read, words: Words) -> str:
    """Of the oldest that were read: where more wait, at least so many of this use case."""
    if not waits:
        return ""
    if read.states.get(HoldState.HELD, 0) > len(read.oldest):
        return words.plural("at least {n} approval waits", "at least {n} approvals wait", waits)
    return words.plural("{n} approval waits", "{n} approvals wait", waits)


def _states(read: Read, words: Words) -> dict[str, tuple[str, str, str]]:
    """Of each use case the worst that is true: tone, icon, word. Each list is gone through once."""
    stopped = {(stop.scope, stop.value) for stop in read.snapshot.stops}
    everything = any(stop.scope is StopScope.ALL for stop in read.snapshot.stops)
    live = {name: (StopScope.RELEASE, one.digest) for name, one in read.snapshot.live.items()}
    hurt = {one.use_case for one in read.incidents}
    back = {
        one.use_case for one in read.rollouts if one.state is ReleaseState.ROLLED_BACK and _today(one.ended_at, words)
    }
    told = {one.first.use_case for one in read.alerts}
    running = {one.use_case: one.share for one in reversed(read.rollouts) if one.state is ReleaseState.CANARY}

    def state(case: UseCase) -> tuple[str, str, str]:
        if everything or {(StopScope.USE_CASE, str(case.id)), live.get(case.id)} & stopped:
            return "deny", "stop", words(N_("Stopped"))
        if case.id in hurt:
            return "deny", "alert", words(N_("Incident"))
        if case.id in back:
            return "back", "undo", words(N_("Rolled back"))
        if case.id in told:
            return "hold", "bell", words(N_("Alert"))
        if case.id in running:
            return "canary", "canary", words(N_("Canary {share}"), share=words.percent(running[case.id], 0))
        if case.mode.value == "observe":
            return "", "eye", words(N_("Observes"))
        return "allow", "check", words(N_("In control"))

    return {case.id: state(case) for case in read.snapshot.ruleset.use_cases.values()}


def _counted(read: Read, words: Words) -> str:
    """Why there are no counts; empty when no agent ever asked."""
    asked = sum(read.states.values()) or any(one.kind == EntryKind.ACTION_DECIDED for one in read.entries)
    if asked:
        return words(N_("Each minute is counted once it is over; none of the last 24 hours has an action yet."))
    return ""


def _shares(read: Read, words: Words) -> tuple[Share, ...]:
    """Verdicts on actions, last 24 hours; empty when there was none."""
    total = {verdict: read.day.get(f"action.{verdict}", 0) for verdict in ("allow", "change", "hold", "deny")}
    whole = sum(total.values())
    if not whole:
        return ()
    names = (("allow", N_("Allowed")), ("hold", N_("Held for a person")), ("deny", N_("Denied")))
    total["allow"] += total["change"]
    return tuple(
        Share(
            tone=tone, text=words(label), number=words.number(total[tone]), percent=words.percent(total[tone] / whole)
        )
        for tone, label in names
    )
