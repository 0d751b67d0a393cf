"""The watch: per use case what customers get beside what the AI does, each figure beside its own past; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from handrail.console.spreadsheet import sheet
from handrail.console.views.incidents import utc
from handrail.console.views.watch_rates import PERIODS, Shown, Window, by_hour, shown, told_in, within
from handrail.console.views.watch_words import CUTS, LISTED, METRICS, SIDES
from handrail.console.words import N_, Words
from handrail.policy.ruleset import Ruleset, UseCase
from handrail.policy.watching import Costs
from handrail.watch.alert import Alert
from handrail.watch.measure import HOUR_MS, Cell, Counts
from handrail.watch.metrics import SHARES, Side, grouped
from handrail.watch.series import Series
from handrail.watch.usual import Rate, held_to, place

PAGE = 25
MOST_PARTS = 12
"""Of one use case, those with the most cases."""
_NEEDED = frozenset(
    {
        *(name for side in LISTED for name in side), *(SHARES[name] for side in LISTED for name in side),
        *(f"told.{named.needs.value}" for named in METRICS.values() if named.needs is not None),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """As it stands in the address. `period`: of `PERIODS`; `by`: of `CUTS`, empty: use cases as a whole."""

    period: str = "7d"
    by: str = ""
    query: str = ""
    page: int = 1

    def address(self, path: str = "/watch", **changes: str) -> str:
        values = {"period": self.period, "by": self.by, "query": self.query, "page": str(self.page), **changes}
        usual = {"period": "7d", "page": "1"}
        rest = {name: text for name, text in values.items() if text and usual.get(name) != text}
        return f"{path}?{urlencode(rest)}" if rest else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the ports gave. `cases`: of this page, in its order. `cells`: of them, the newest hours first."""

    ruleset: Ruleset
    cases: Sequence[UseCase]
    all: int
    cells: Sequence[tuple[Cell, Counts]]
    series: Sequence[Series]
    alerts: Sequence[Alert]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A use case, or a part of one. `path`: its own page, with the same cut."""

    name: str
    part: str
    said: str
    path: str
    tone: str
    icon: str
    state: str
    figures: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """`heads`: of the columns, by side."""

    said: str
    periods: tuple[tuple[str, str, bool], ...]
    cuts: tuple[tuple[str, str, bool], ...]
    sides: tuple[tuple[str, int], ...]
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    asking: Asking
    note: str
    cut: str
    fewer: str
    more: str
    shown: str
    csv: str
    filtered: bool
    announce: str


def chosen(ruleset: Ruleset, alerts: Sequence[Alert], asking: Asking) -> tuple[list[UseCase], int]:
    """The use cases of this page and how many fit: those with unanswered alerts first, then by name."""
    wanted = asking.query.strip().casefold()
    fitting = [
        one for one in ruleset.use_cases.values()
        if not wanted or any(wanted in text.casefold() for text in (one.id, one.name, one.owner))
    ]  # fmt: skip
    told = [one.first.use_case for one in alerts]
    fitting.sort(key=lambda one: (-told.count(one.id), one.name.casefold(), one.id))
    first = (max(asking.page, 1) - 1) * PAGE
    return fitting[first : first + PAGE], len(fitting)


def watch(read: Read, words: Words, when: Window, *, asking: Asking) -> Watch:
    when, cells = within(when, read.cells)
    learnt = {(str(one.use_case), one.metric): one for one in read.series}
    rows = [row for case in read.cases for row in _rows(case, cells, learnt, read, words, when, asking)]
    out = sum(any(figure.out for figure in row.figures) for row in rows if not row.part)
    first = (max(asking.page, 1) - 1) * PAGE
    whole = [row for row in rows if not row.part]
    return Watch(
        said=_said(whole, out, words), asking=asking, rows=tuple(rows),
        periods=tuple(
            (words(text), asking.address(period=name), name == when.name) for name, (_, _, text) in PERIODS.items()
        ),
        cuts=tuple(
            (words(text), asking.address(by=name), name == asking.by)
            for name, text in {"": N_("Whole"), **CUTS}.items()
        ),
        sides=tuple((words(SIDES[side]), len(names)) for side, names in zip(Side, LISTED, strict=True)),
        heads=tuple(words(METRICS[name].name) for side in LISTED for name in side),
        note=words(N_("Parts have no past of their own: they stand beside the usual range of the whole use case."))
        if asking.by else "",
        cut=cut_said(when, words),
        fewer=asking.address(page=str(asking.page - 1)) if asking.page > 1 else "",
        more=asking.address(page=str(asking.page + 1)) if first + PAGE < read.all else "",
        shown=words(
            N_("{first} to {last} of {all}"), first=words.number(first + 1),
            last=words.number(first + len(read.cases)), all=words.number(read.all),
        ) if read.cases else "",
        csv=asking.address("/watch.csv"), filtered=bool(asking.query.strip()),
        announce=_said(whole, out, words) if out else "",
    )  # fmt: skip


def cut_said(when: Window, words: Words) -> str:
    if not when.cut:
        return ""
    return words(
        N_("There is more than fits: only what was counted since {since} is here. The command handrail watch figures "
           "shows all of it."),
        since=words.moment(when.since * HOUR_MS),
    )  # fmt: skip


def _said(rows: Sequence[Row], out: int, words: Words) -> str:
    if not rows:
        return words(N_("What already runs, beside its own past."))
    if out:
        return words.plural(
            "{n} use case has a figure above its usual range.", "{n} use cases have a figure above their usual range.",
            out,
        )  # fmt: skip
    if not any(figure.top is not None for row in rows for figure in row.figures):
        return words(N_("Nothing is learnt yet: what is usual is known after a week and 2,000 cases of a figure."))
    return words(N_("No figure is above its usual range."))


def _rows(
    case: UseCase, cells: Sequence[tuple[Cell, Counts]], learnt: Mapping[tuple[str, str], Series], read: Read,
    words: Words, when: Window, asking: Asking,
) -> list[Row]:  # fmt: skip
    mine = [one for one in cells if one[0].use_case == case.id]
    hours = by_hour(mine, _NEEDED)
    told = told_in(mine)
    names = [name for side in LISTED for name in side]
    carried = urlencode({"period": when.name}) if when.name != "7d" else ""
    path = f"/watch/{quote(case.id, safe='')}"

    def row(part: str, value: str, here: Mapping[int, Counts]) -> Row:
        figures = tuple(shown(name, here, told, learnt.get((case.id, name)), when, words) for name in names)
        tone, icon, state = ("", "dot", "") if part else _state(case, figures, read, words)
        if part:
            tone, icon, state = part_state(figures, words)
        query = "&".join(filter(None, [carried, urlencode({asking.by: value}) if part and value else ""]))
        asked = sum(counts["interactions"] for counts in here.values())
        return Row(
            name=case.name, part=part, path=f"{path}?{query}" if query else path, tone=tone, icon=icon, state=state,
            said=words.plural("{n} interaction", "{n} interactions", asked)
            if asked else words(N_("nothing was counted")),
            figures=figures,
        )  # fmt: skip

    found = [row("", "", hours)]
    if asking.by:
        found += [
            row(part_name(asking.by, value, words), value, by_hour(part, _NEEDED))
            for value, part in parts_of(mine, asking.by)[:MOST_PARTS]
        ]
    return found


def parts_of(cells: Sequence[tuple[Cell, Counts]], by: str) -> list[tuple[str, list[tuple[Cell, Counts]]]]:
    """By a field of the cell; those with the most interactions first. What has none (actions) is no part."""
    found: dict[str, list[tuple[Cell, Counts]]] = {}
    for cell, counts in cells:
        if counts["interactions"] or counts["conversations"]:
            found.setdefault(getattr(cell, by), []).append((cell, counts))

    def many(cells: list[tuple[Cell, Counts]]) -> int:
        return sum(counts["interactions"] + counts["conversations"] for _, counts in cells)

    return sorted(found.items(), key=lambda one: (-many(one[1]), one[0]))


def part_name(by: str, value: str, words: Words) -> str:
    if not value:
        return words(N_("not known"))
    if by == "release":
        return value[:12]
    if by == "language":
        name = words.locale.languages.get(value.split("-")[0])
        return f"{name} ({value})" if name else value
    return value


def part_state(figures: Sequence[Shown], words: Words) -> tuple[str, str, str]:
    out = sum(figure.out for figure in figures)
    if out:
        return "hold", "flag", words.plural("{n} above", "{n} above", out)
    if all(figure.top is None for figure in figures):
        return "", "clock", words(N_("Not known"))
    return "allow", "check", words(N_("Usual"))


def _state(case: UseCase, figures: Sequence[Shown], read: Read, words: Words) -> tuple[str, str, str]:
    """The worst that is true."""
    alarms = sum(one.alarmed for one in read.series if one.use_case == case.id)
    if alarms:
        return "deny", "bell", words(N_("Alarm"))
    tone, icon, state = part_state(figures, words)
    if not tone and any(one.first_ms is not None for one in read.series if one.use_case == case.id):
        return "", "clock", words(N_("Learns"))
    return tone, icon, state


def as_csv(
    cells: Sequence[tuple[Cell, Counts]], when: Window, by: str, costs: Costs, series: Sequence[Series]
) -> bytes:
    """One line per figure, as `handrail watch figures` has them, with what shares are held to."""
    when, cells = within(when, cells)
    heads = (
        "use_case", "release", "language", "channel", "side", "figure", "count", "cases", "share_or_value",
        "usual_up_to", "place", "missing", "from", "until", "cut",
    )  # fmt: skip
    tops = _tops(cells, series)
    lines = []
    for group in grouped(cells, frozenset({by} if by else ()), costs):
        for one in group.figures:
            top = tops.get((group.use_case, one.metric)) if one.count is not None else None
            rate = Rate(one.count or 0, one.cases)
            value = rate.share if one.count is not None and one.cases else one.value
            lines.append(
                (
                    group.use_case, group.release, group.language, group.channel, one.side, one.metric,
                    "" if one.count is None else str(one.count), str(one.cases),
                    "" if value is None else f"{value:.6g}",
                    "" if top is None else f"{top:.6g}", place(rate, top).value if one.count is not None else "",
                    one.missing, utc(when.since * HOUR_MS), utc(when.until * HOUR_MS), "yes" if when.cut else "no",
                )
            )  # fmt: skip
    return sheet(heads, lines)


def _tops(cells: Sequence[tuple[Cell, Counts]], series: Sequence[Series]) -> dict[tuple[str, str], float | None]:
    """What each share of each use case is held to in the hours that were counted."""
    found = {}
    for past in series:
        if past.metric in SHARES:
            of = SHARES[past.metric]
            hours = by_hour([one for one in cells if one[0].use_case == past.use_case], frozenset({of}))
            cases = {hour: counts[of] for hour, counts in hours.items()}
            found[str(past.use_case), past.metric] = held_to(past, cases)
    return found
