"""One use case under the watch: a figure over time, all of them beside their own past, how near the drift detector is
to its alarm, parts, what customers come for, and how far it may go; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from handrail.console.spreadsheet import sheet
from handrail.console.views.incidents import utc
from handrail.console.views.interactions import Facts, Field
from handrail.console.views.watch import cut_said, part_name, parts_of
from handrail.console.views.watch_chart import Chart, Evidence, amount_said, chart, evidence, share_of_way
from handrail.console.views.watch_levels import Levels, trim
from handrail.console.views.watch_mix import Mixed, mixed
from handrail.console.views.watch_rates import (
    LEARNT,
    PERIODS,
    Shown,
    Window,
    by_hour,
    by_size,
    learning,
    rates_by_step,
    shown,
    told_in,
    tops_by_step,
    within,
)
from handrail.console.views.watch_values import value_of
from handrail.console.views.watch_words import CUTS, METRICS, SIDES
from handrail.console.words import N_, Words
from handrail.policy.ruleset import UseCase
from handrail.policy.watching import Costs
from handrail.review.incident import Incident
from handrail.watch.alert import Alert
from handrail.watch.measure import HOUR_MS, SIZES, Cell, Counts
from handrail.watch.metrics import SHARES, Side, by_intent
from handrail.watch.openings import Held
from handrail.watch.series import Series
from handrail.watch.usual import rate_of

MOST_PARTS = 20
MOST_CHARS = 240
"""Of a sentence beside the figures; its own page has all of it."""
FINDINGS = {"ungrounded": ("finding", "UNGROUNDED"), "blocked": ("outcome", "blocked"), "failed": ("outcome", "failed"),
            "handed_over": ("outcome", "handover"), "declined": ("finding", "DECLINED"),
            "complaint": ("finding", "COMPLAINT")}  # fmt: skip
"""Of a metric: the filter of the list of interactions that shows what it counts, or what comes nearest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """As it stands in the address. `metric`: whose chart is drawn; empty: the one that is farthest out. `by`: of `CUTS`
    or `intent`."""

    use_case: str
    period: str = "7d"
    metric: str = ""
    by: str = "channel"
    release: str = ""
    language: str = ""
    channel: str = ""

    def address(self, **changes: str) -> str:
        values = {
            "period": self.period, "metric": self.metric, "by": self.by, "release": self.release,
            "language": self.language, "channel": self.channel, **changes,
        }  # fmt: skip
        usual = {"period": "7d", "by": "channel"}
        rest = {name: text for name, text in values.items() if text and usual.get(name) != text}
        path = f"/watch/{quote(self.use_case, safe='')}{values.get('path', '')}"
        rest.pop("path", None)
        return f"{path}?{urlencode(rest)}" if rest else path

    @property
    def cut(self) -> bool:
        return bool(self.release or self.language or self.channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the ports gave. `cells`: of this use case, the newest hours first. `alerts`: not closed, `incidents`: open;
    both of every use case."""

    case: UseCase
    currency: str
    costs: Costs
    cells: Sequence[tuple[Cell, Counts]]
    series: Sequence[Series]
    opened: Held
    alerts: Sequence[Alert]
    incidents: Sequence[Incident]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifts:
    """Where the detector of one metric stands. `way`: how far it is to the alarm, 0 to 1; None: it does not watch."""

    text: str
    tone: str = ""
    way: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """`value`: of what is no share, as a person reads it. `path`: the page with its chart; empty: it has none."""

    shown: Shown
    hint: str
    value: str
    path: str
    chosen: bool
    drifts: Drifts


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRows:
    """`absent`: names of figures that are not there, by why."""

    title: str
    rows: tuple[FigureRow, ...]
    absent: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    name: str
    path: str
    shown: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The metric whose chart is drawn. `chart`: None: nothing to draw, `none` says why. `evidence`: None: it does not
    watch yet; `drift` says how far it is, `promise` what an alarm means."""

    label: str
    hint: str
    shown: Shown
    chart: Chart | None
    none: str
    evidence: Evidence | None
    drift: str
    drift_tone: str
    promise: str
    interactions: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchShow:
    """`waits`: tone, sentence, name of a route that must be there, its address."""

    crumbs: tuple[tuple[str, str], ...]
    crumb: str
    id: str
    name: str
    asking: Asking
    tone: str
    icon: str
    said: str
    small: str
    periods: tuple[tuple[str, str, bool], ...]
    fields: tuple[Field, ...]
    filtered: bool
    note: str
    chosen: Chosen
    sides: tuple[SideRows, ...]
    cuts: tuple[tuple[str, str, bool], ...]
    parts: tuple[PartRow, ...]
    mixed: Mixed
    levels: Levels
    waits: tuple[tuple[str, str, str, str], ...]
    cut: str
    csv: str
    interactions: str
    announce: str


def watch_show(read: Read, levels: Levels, words: Words, when: Window, *, asking: Asking) -> WatchShow:
    when, cells = within(when, read.cells)
    told = told_in(cells)
    mine = [one for one in cells if _fits(one[0], asking)]
    hours = by_hour(mine)
    learnt = {one.metric: one for one in read.series if one.use_case == read.case.id}
    sized = by_size(hours)
    figures = {
        name: shown(name, sized.get(name, hours), told, learnt.get(name), when, words)
        for name in METRICS if _is_rate(name)
    }  # fmt: skip
    metric = asking.metric if asking.metric in figures else _worst(figures)
    out = [one for one in figures.values() if one.out]
    alarms = [one for one in read.alerts if one.first.use_case == read.case.id]
    tone, icon, said, small = _said(out, learnt, alarms, words)
    total = _total(hours)
    return WatchShow(
        crumbs=((words(N_("Watch")), "/watch"),), crumb=read.case.name, id=read.case.id, name=read.case.name,
        asking=asking, tone=tone, icon=icon, said=said, small=small,
        periods=tuple(
            (words(text), asking.address(period=name), name == when.name) for name, (_, _, text) in PERIODS.items()
        ),
        fields=_fields(cells, asking, words), filtered=asking.cut,
        note=words(N_("Parts have no past of their own: they stand beside the usual range of the whole use case."))
        if asking.cut else "",
        chosen=_chosen(
            metric, figures[metric], sized.get(metric, hours), learnt.get(metric), read, words, when, asking
        ),
        sides=tuple(
            _side(
                words(SIDES[side]),
                [
                    _row(name, figures, total, told, learnt.get(name), read, words, asking, metric)
                    for name, named in METRICS.items() if named.side is side
                ],
            )
            for side in Side
        ),
        cuts=tuple(
            (words(text), f"{asking.address(by=name)}#parts", name == asking.by)
            for name, text in {**CUTS, **({"intent": N_("Intent")} if read.case.intents else {})}.items()
        ),
        parts=_by_intent(metric, hours, told, learnt.get(metric), words, when)
        if asking.by == "intent" else _parts(metric, mine, told, learnt.get(metric), words, when, asking),
        mixed=mixed(hours, read.opened, read.case, words), levels=levels,
        waits=_waits(read, alarms, words), cut=cut_said(when, words),
        csv=asking.address(path="/series.csv", metric=metric),
        interactions=_interactions(asking, when, {}), announce=said if out or alarms else "",
    )  # fmt: skip


def as_csv(read: Read, when: Window, *, asking: Asking) -> bytes:
    """Every rate of every step of the window, with what it is held to. Codes, times in UTC."""
    when, cells = within(when, read.cells)
    hours = by_hour([one for one in cells if _fits(one[0], asking)])
    told = told_in(cells)
    learnt = {one.metric: one for one in read.series if one.use_case == read.case.id}
    lines = []
    for name, named in METRICS.items():
        past = learnt.get(name)
        silent = named.needs is not None and not told[f"told.{named.needs.value}"]
        if not _is_rate(name) or silent or (name in SIZES and (past is None or past.limit is None)):
            continue
        limit = past.limit if past is not None else None
        rates = {hour: rate_of(name, counts, limit) for hour, counts in hours.items()}
        steps = zip(when.steps, rates_by_step(rates, when), tops_by_step(rates, past, when), strict=True)
        lines += [
            (
                read.case.id, name, utc(step.start * HOUR_MS), utc(step.stop * HOUR_MS), str(one.bad), str(one.cases),
                f"{one.share:.6g}" if one.cases else "", "" if top is None else f"{top:.6g}",
            )
            for step, one, top in steps
        ]  # fmt: skip
    heads = ("use_case", "figure", "from", "until", "count", "cases", "share", "usual_up_to")
    return sheet(heads, lines)


def _total(hours: Mapping[int, Counts]) -> Counts:
    """With the model's cost of hours whose 48 hours are over."""
    total = Counts()
    over = max((hour for hour, counts in hours.items() if counts["conversations"]), default=-1)
    for hour, counts in hours.items():
        total.update(counts)
        total["cost_over"] += counts["cost_micro_minor"] if hour <= over else 0
    return total


def _is_rate(name: str) -> bool:
    return METRICS[name].share


def _fits(cell: Cell, asking: Asking) -> bool:
    return (
        asking.release in ("", cell.release)
        and asking.language in ("", cell.language)
        and asking.channel in ("", cell.channel)
    )


def _worst(figures: Mapping[str, Shown]) -> str:
    """The one that is farthest above its range; without one the first that has anything to show."""
    out = [one for one in figures.values() if one.out and one.top]
    if out:
        return max(out, key=lambda one: one.rate.share / (one.top or 1.0)).metric
    return next((name for name, one in figures.items() if not one.missing), next(iter(figures)))


def _said(
    out: Sequence[Shown], learnt: Mapping[str, Series], alarms: Sequence[Alert], words: Words
) -> tuple[str, str, str, str]:
    """Tone, icon, what carries the page, and beneath."""
    small = "; ".join(f"{one.label} {one.text}, {one.usual}" for one in out[:6])
    if any(one.alarmed for one in learnt.values()):
        number = sum(one.alarmed for one in learnt.values())
        said = words.plural(
            "The drift detector alarms: {n} figure is worse than its own past.",
            "The drift detector alarms: {n} figures are worse than their own past.", number,
        )  # fmt: skip
        return "deny", "bell", said, small
    if out:
        said = words.plural(
            "{n} figure is above its usual range.", "{n} figures are above their usual range.", len(out)
        )
        return "hold", "flag", said, small
    if alarms:
        said = words.plural("{n} alert is not closed.", "{n} alerts are not closed.", len(alarms))
        known = any(one.learnt_ms is not None for one in learnt.values())
        usual = words(N_("No figure is above its usual range.") if known else N_("It still learns what is usual here."))
        return "hold", "bell", said, usual
    if not any(one.learnt_ms is not None for one in learnt.values()):
        said = words(N_("It still learns what is usual here."))
        return "", "clock", said, words(N_("That takes a week and 2,000 cases of a figure; until then nothing alarms."))
    return "allow", "check", words(N_("No figure is above its usual range.")), ""


def _side(title: str, rows: Sequence[FigureRow]) -> SideRows:
    """Figures that are not there take one line for each reason."""
    absent: dict[str, list[str]] = {}
    for row in rows:
        if row.shown.missing and not row.value:
            absent.setdefault(row.shown.missing, []).append(row.shown.label)
    return SideRows(
        title=title, rows=tuple(row for row in rows if not row.shown.missing or row.value),
        absent=tuple((why, ", ".join(names)) for why, names in absent.items()),
    )  # fmt: skip


def _row(
    name: str, figures: Mapping[str, Shown], total: Counts, told: Counts, past: Series | None, read: Read, words: Words,
    asking: Asking, metric: str,
) -> FigureRow:  # fmt: skip
    one = figures.get(name)
    value = value_of(name, total, told, words, read.currency, read.costs, past.limit if past else None, cut=asking.cut)
    if one is None:
        missing = "" if value else words(N_("nobody reported it, or nothing was counted"))
        one = Shown(metric=name, label=words(METRICS[name].name), text=value or words(N_("Not measured")),
                    missing=missing, usual=words(N_("has no usual range")))  # fmt: skip
        value = ""
    if name == "held" and asking.cut:
        one = Shown(metric=name, label=one.label, text=words(N_("Not measured")),
                    missing=words(N_("actions are counted for the use case as a whole")))  # fmt: skip
    drifts = _drifts(name, past, read.case, words)
    if drifts.text == one.usual:
        drifts = Drifts(text="–")  # said beside it already
    return FigureRow(
        shown=one, hint=words(METRICS[name].hint), value=value, chosen=name == metric,
        path=asking.address(metric=name) if name in figures else "", drifts=drifts,
    )  # fmt: skip


def _drifts(name: str, past: Series | None, case: UseCase, words: Words) -> Drifts:
    if name not in LEARNT:
        return Drifts(text="–")
    if not case.watch.watches(name):
        return Drifts(text=words(N_("the home leaves it out")))
    if past is None or past.learnt_ms is None:
        return Drifts(text=learning(past, name, words))
    if past.alarmed:
        return Drifts(text=words(N_("Alarm")), tone="deny", way=1.0)
    return Drifts(text=amount_said(past.drift.value, words), way=share_of_way(past.drift.value, past.wanted))


def _chosen(
    metric: str, one: Shown, hours: Mapping[int, Counts], past: Series | None, read: Read, words: Words, when: Window,
    asking: Asking,
) -> Chosen:  # fmt: skip
    named = METRICS[metric]
    rates = {hour: rate_of(metric, counts, past.limit if past else None) for hour, counts in hours.items()}
    drawn = None
    if not one.missing:
        drawn = chart(
            one.label, rates_by_step(rates, when), tops_by_step(rates, past, when), when, words,
            customers=named.side is Side.CUSTOMER,
        )  # fmt: skip
    told = _drifts(metric, past, read.case, words)
    watches = past is not None and past.learnt_ms is not None and told.way is not None
    drift, promise = told.text, ""
    if watches and past is not None:
        drift = words(N_("It alarmed: an answer is waited for, and the evidence stands still until then."))
        if not past.alarmed:
            drift = words(
                N_("Evidence {value} of {wanted}, over {n} cases since its past was learnt."), value=told.text,
                wanted=words.number(past.wanted), n=words.number(past.watched),
            )  # fmt: skip
        promise = words(
            N_("Each minute is weighed against the same hour of the week. Where nothing has changed it alarms at most "
               "once in {wanted} cases on average; until somebody answers, no release goes on."),
            wanted=words.number(past.wanted),
        )  # fmt: skip
    return Chosen(
        label=one.label, hint=words(named.hint), shown=one, chart=drawn, none="" if drawn else one.missing,
        evidence=evidence(past.drift.value if not past.alarmed else past.wanted, past.wanted, words)
        if watches and past is not None else None,
        drift=drift, drift_tone=told.tone, promise=promise,
        interactions=_interactions(asking, when, dict([FINDINGS[metric]]) if metric in FINDINGS else {}),
    )  # fmt: skip


def _parts(
    metric: str, mine: Sequence[tuple[Cell, Counts]], told: Counts, past: Series | None, words: Words, when: Window,
    asking: Asking,
) -> tuple[PartRow, ...]:  # fmt: skip
    if metric == "held":
        return ()
    names = frozenset({metric, SHARES.get(metric, "conversations")}) if metric not in SIZES else None

    def row(name: str, path: str, hours: Mapping[int, Counts]) -> PartRow:
        return PartRow(name=name, path=path, shown=shown(metric, hours, told, past, when, words))

    by = asking.by if asking.by in CUTS else "channel"
    return tuple(
        row(part_name(by, value, words), asking.address(**{by: value}) if value else "", by_hour(cells, names))
        for value, cells in parts_of(mine, by)[:MOST_PARTS]
    )


def _by_intent(
    metric: str, hours: Mapping[int, Counts], told: Counts, past: Series | None, words: Words, when: Window
) -> tuple[PartRow, ...]:
    """Only conversations have an intent."""
    if METRICS[metric].side is not Side.CUSTOMER:
        return ()
    intents: dict[str, dict[int, Counts]] = {}
    for hour, counts in hours.items():
        for intent, part in by_intent(counts).items():
            intents.setdefault(intent, {})[hour] = part
    many = {name: sum(counts["conversations"] for counts in each.values()) for name, each in intents.items()}
    chosen = sorted(intents, key=lambda name: (-many[name], name))[:MOST_PARTS]
    return tuple(
        PartRow(name=name, path="", shown=shown(metric, intents[name], told, past, when, words)) for name in chosen
    )


def _fields(cells: Sequence[tuple[Cell, Counts]], asking: Asking, words: Words) -> tuple[Field, ...]:
    """What is found in the cells, and what is chosen already."""
    found = []
    for name, label in CUTS.items():
        values = sorted({getattr(cell, name) for cell, _ in cells} | {getattr(asking, name)} - {""})
        options = [("", words(N_("Any"))), *((one, part_name(name, one, words)) for one in values if one)]
        found.append(Field(name=name, label=words(label), options=tuple(options), chosen=getattr(asking, name)))
    return tuple(found)


def _waits(read: Read, alarms: Sequence[Alert], words: Words) -> tuple[tuple[str, str, str, str], ...]:
    found = [
        ("deny", trim(one.title, MOST_CHARS), "incidents.show", f"/incidents/{quote(one.id)}")
        for one in read.incidents if one.use_case == read.case.id
    ]  # fmt: skip
    found += [
        ("hold", trim(one.first.sentence, MOST_CHARS), "alerts.show", f"/alerts/{quote(one.id)}") for one in alarms
    ]
    return tuple(found[:12])


def _interactions(asking: Asking, when: Window, more: Mapping[str, str]) -> str:
    """The list of interactions of this cell."""
    facts = Facts(
        period=when.name, use_case=asking.use_case, release=asking.release, language=asking.language,
        channel=asking.channel,
    )  # fmt: skip
    return facts.address("/interactions", **more)
