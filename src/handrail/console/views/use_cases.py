"""The register as a list: each use case, who answers for it, how far it may go, what is live, what waits; pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from handrail.approvals.store import Line
from handrail.console.views.overview import AUTONOMY, RISKS
from handrail.console.words import N_, Words
from handrail.in_force.snapshot import Snapshot
from handrail.policy.autonomy import least
from handrail.policy.ruleset import Mode, UseCase
from handrail.review.incident import Incident
from handrail.watch.alert import Alert

MODES = {Mode.ENFORCE: N_("Enforces"), Mode.OBSERVE: N_("Observes")}
ROWS = 100
"""Of a page."""
_TONES = ("bad", "warn", "dim")
SORTS = {"name": N_("Name"), "risk": N_("Risk"), "waits": N_("What waits")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRead:
    """What the ports gave. `waiting`: held actions, at most as many as were asked for."""

    snapshot: Snapshot
    waiting: Sequence[Line]
    incidents: Sequence[Incident]
    alerts: Sequence[Alert]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`level`: 0..5 bars. `lowered`: something holds it below what the home says."""

    id: str
    name: str
    purpose: str
    owner: str
    deputy: str
    tone: str
    icon: str
    mode: str
    risk: str
    risk_tone: str
    level: int
    level_label: str
    level_said: str
    lowered: str
    release: str
    waits: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """`more`, `fewer`: addresses of the pages behind and before; empty: none."""

    said: str
    rows: tuple[Row, ...]
    query: str
    chips: tuple[tuple[str, str, bool], ...]
    sorts: tuple[tuple[str, str], ...]
    sort: str
    fewer: str
    more: str
    shown: str


def register(read: ListRead, words: Words, *, query: str = "", sort: str = "name", page: int = 1) -> Register:
    """`query`: a part of the name, the id or the owner."""
    wanted = query.strip().casefold()[:100]
    sort = sort if sort in SORTS else "name"
    cases = list(read.snapshot.ruleset.use_cases.values())
    found = [one for one in cases if wanted in f"{one.name}\n{one.id}\n{one.owner}".casefold()]
    waiting = _waiting(read)
    rows = _sorted([_row(one, read, waiting.get(str(one.id), (0, 0, 0)), words) for one in found], sort)
    page = max(1, min(page, -(-len(rows) // ROWS) or 1))
    first = (page - 1) * ROWS
    asked = f"&query={quote(wanted, safe='')}" if wanted else ""
    base = f"/use_cases?sort={sort}{asked}"
    return Register(
        said=words.plural(
            "{n} place where AI meets customers or staff.", "{n} places where AI meets customers or staff.", len(cases)
        ),
        rows=tuple(rows[first : first + ROWS]), query=query[:100],
        chips=tuple(
            (words(label), f"/use_cases?sort={name}{asked}", name == sort)
            for name, label in SORTS.items()
        ),
        sorts=tuple((name, words(label)) for name, label in SORTS.items()), sort=sort,
        fewer=f"{base}&page={page - 1}" if page > 1 else "",
        more=f"{base}&page={page + 1}" if first + ROWS < len(rows) else "",
        shown=words("{first} to {last} of {all}", first=words.number(first + 1),
                    last=words.number(min(first + ROWS, len(rows))), all=words.number(len(rows)))
        if len(rows) > ROWS else "",
    )  # fmt: skip


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    rows.sort(key=lambda row: (row.name.casefold(), row.id))
    if sort == "risk":
        rows.sort(key=lambda row: (_TONES.index(row.risk_tone), -row.level))
    if sort == "waits":
        rows.sort(key=lambda row: -len(row.waits))
    return rows


def highest(case: UseCase, snapshot: Snapshot) -> tuple[str, str, str]:
    """Risk, declared and effective autonomy: the highest of its types of action."""
    risk = max((level.risk.value for level in case.levels.values()), default="R0")
    declared = max((level.autonomy.value for level in case.levels.values()), default="A0")
    effective = max(
        (least(level.autonomy, snapshot.at_most(case.id, kind)).value for kind, level in case.levels.items()),
        default="A0",
    )
    return risk, declared, effective


def standing(case: UseCase, snapshot: Snapshot, words: Words) -> tuple[str, str, str]:
    """Tone, icon and word: whether it may run, and how."""
    if any(stop.scope.value == "all" or (stop.scope.value == "use-case" and stop.value == case.id)
           for stop in snapshot.stops):  # fmt: skip
        return "deny", "stop", words(N_("Stopped"))
    if case.mode is Mode.OBSERVE:
        return "", "eye", words(MODES[case.mode])
    return "allow", "check", words(MODES[case.mode])


def _row(case: UseCase, read: ListRead, waiting: tuple[int, int, int], words: Words) -> Row:
    risk, declared, effective = highest(case, read.snapshot)
    tone, icon, mode = standing(case, read.snapshot, words)
    live = read.snapshot.live.get(case.id)
    level = int(effective[1]) + 1
    return Row(
        id=case.id, name=case.name, purpose=case.purpose[:200], owner=case.owner, deputy=case.deputy, tone=tone,
        icon=icon, mode=mode, risk=words(RISKS[risk][1]), risk_tone=RISKS[risk][0], level=level,
        level_label=words(N_("Autonomy level {n} of 5"), n=level), level_said=words(AUTONOMY[effective]),
        lowered=words(N_("lowered from: {level}"), level=words(AUTONOMY[declared])) if declared != effective else "",
        release=live.digest[:8] if live else "–", waits=_waits(waiting, words),
    )  # fmt: skip


def _waiting(read: ListRead) -> dict[str, tuple[int, int, int]]:
    """Held actions, incidents and alerts of each use case."""
    held = Counter(str(line.use_case) for line in read.waiting)
    incidents = Counter(str(one.use_case) for one in read.incidents)
    alerts = Counter(str(one.first.use_case) for one in read.alerts)
    return {name: (held[name], incidents[name], alerts[name]) for name in {*held, *incidents, *alerts}}


def _waits(waiting: tuple[int, int, int], words: Words) -> tuple[tuple[str, str], ...]:
    """Tone and sentence of each thing that wants a person."""
    held, incidents, alerts = waiting
    found = []
    if incidents:
        found.append(("deny", words.plural("{n} open incident", "{n} open incidents", incidents)))
    if held:
        found.append(("hold", words.plural("{n} approval waits", "{n} approvals wait", held)))
    if alerts:
        found.append(("hold", words.plural("{n} unanswered alert", "{n} unanswered alerts", alerts)))
    return tuple(found)
