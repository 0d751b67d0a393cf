"""What customers come for: the mix of intents beside its own past, what grew, and whether openings can be told from
those of the past at all; pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from handrail.console.views.watch_chart import amount_said, share_of_way
from handrail.console.words import N_, Words
from handrail.policy.ruleset import UseCase
from handrail.watch import inputs, mix
from handrail.watch.clock import hour_of_week
from handrail.watch.inputs import Input, apart, in_words
from handrail.watch.measure import HOUR_MS, Counts
from handrail.watch.mix import Mix
from handrail.watch.openings import Held
from handrail.watch.usual import Place, Rate, place

MOST = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRow:
    """`share`: 0 to 1, for a meter. `past`: its share then, empty: not learnt. `grew`: above what its past allows."""

    name: str
    share: float
    text: str
    of: str
    past: str
    grew: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """Of a detector: `way`: how far it is to the alarm, 0 to 1; None: it still learns. `grown`: what differs most: in
    words of the record (English), share now, share then."""

    title: str
    text: str
    tone: str
    way: float | None
    grown: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """`declared`: the home names intents."""

    declared: bool
    said: str
    rows: tuple[IntentRow, ...]
    left: str
    stands: tuple[Stands, ...]


def mixed(hours: Mapping[int, Counts], held: Held, case: UseCase, words: Words) -> Mixed:
    """`hours`: of the part that is shown; the past is that of the whole use case."""
    opened = {
        hour: {name.removeprefix("opened/"): count for name, count in counts.items() if name.startswith("opened/")}
        for hour, counts in hours.items()
    }
    total: Counter[str] = Counter()
    for here in opened.values():
        total.update(here)
    whole = sum(total.values())
    past = held.mix.past if held.mix is not None and held.mix.past.learnt_ms is not None else None
    tops = _tops(opened, held.mix) if past is not None else {}
    rows = [
        IntentRow(
            name=words(N_("None of these")) if name == "other" else name, share=count / whole,
            text=words.percent(count / whole),
            of=words(N_("{count} of {cases}"), count=words.number(count), cases=words.number(whole)),
            past=words.percent(past.total(name) / sum(past.cases)) if past is not None and name in past.names else "",
            grew=place(Rate(count, whole), tops.get(name)) is Place.ABOVE,
        )
        for name, count in total.items()
    ]  # fmt: skip
    rows.sort(key=lambda one: (not one.grew, -one.share, one.name))
    grew = [one for one in rows if one.grew]
    said = ""
    if grew:
        told = [
            words(N_("{name} {share} (past: {past})"), name=one.name, share=one.text, past=one.past) for one in grew[:4]
        ]
        said = words(N_("More come with: {names}."), names=", ".join(told))
    elif rows and past is not None:
        said = words(N_("They come for the same as ever."))
    return Mixed(
        declared=bool(case.intents), said=said, rows=tuple(rows[:MOST]),
        left=words.plural("{n} more intent is not shown.", "{n} more intents are not shown.", len(rows) - MOST)
        if len(rows) > MOST else "",
        stands=tuple(_stands(held, case, words)),
    )  # fmt: skip


def _tops(opened: Mapping[int, Mapping[str, int]], one: Mix | None) -> dict[str, float]:
    """The highest usual share of each intent, by the hours in which conversations opened."""
    if one is None:
        return {}
    by_slot: Counter[int] = Counter()
    for hour, here in opened.items():
        by_slot[hour_of_week(hour * HOUR_MS, one.past.zone)] += sum(here.values())
    whole = sum(by_slot.values())
    weighed: dict[str, float] = dict.fromkeys(one.past.names, 0.0)
    for slot, cases in by_slot.items():
        for name, bound in zip(one.past.names, mix.bounds(one.past, slot), strict=True):
            weighed[name] += bound * cases
    return {name: value / whole for name, value in weighed.items()} if whole else {}


def _stands(held: Held, case: UseCase, words: Words) -> list[Stands]:
    titles = ((mix.METRIC, N_("The mix of intents"), held.mix), (inputs.METRIC, N_("How customers open"), held.input))
    found = []
    for metric, title, one in titles:
        if metric == mix.METRIC and not case.intents:
            continue
        if not case.watch.watches(metric):
            found.append(Stands(title=words(title), text=words(N_("the home leaves it out")), tone="", way=None))
        elif one is None:
            found.append(Stands(title=words(title), text=words(N_("learns from the first one on")), tone="", way=None))
        else:
            found.append(_stand(words(title), one, words))
    return found


def _stand(title: str, one: Mix | Input, words: Words) -> Stands:
    cases = sum(one.past.cases) if isinstance(one, Mix) else one.past.total
    value = one.value if isinstance(one, Mix) else one.round.value
    if one.past.learnt_ms is None:
        text = words(
            N_("learns: {n} of {most} conversations, and a week"), n=words.number(min(cases, mix.LEAST_CASES)),
            most=words.number(mix.LEAST_CASES),
        )  # fmt: skip
        return Stands(title=title, text=text, tone="", way=None)
    grown: tuple[tuple[str, str, str], ...] = ()
    if isinstance(one, Input) and one.round.pairs:
        grown = tuple(
            (in_words(name), words.percent(now, 0), words.percent(then, 0)) for name, now, then in apart(one.round)
        )
    if one.alarmed:
        return Stands(title=title, text=words(N_("Alarm: it waits for an answer")), tone="deny", way=1.0, grown=grown)
    return Stands(
        title=title, tone="", way=share_of_way(value, one.wanted), grown=grown,
        text=words(
            N_("evidence {value} of {wanted}"), value=amount_said(value, words), wanted=words.number(one.wanted)
        ),
    )  # fmt: skip
