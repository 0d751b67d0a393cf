"""One minute of the record, folded: counts, every watched metric, what was never seen before, and the alerts that
follow; pure but for the command, which keeps all of it and moves its stream's cursor in one transaction.

So each minute is counted once, whoever counts it, and a process that dies in between has counted nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from handrail.ledger.entry import Entry, EntryKind, InteractionFacts
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId, Ids, UseCaseId
from handrail.watch import series as lines
from handrail.watch.alarm import BY, WatchTransaction, raise_alerts
from handrail.watch.alert import Alert, AlertKind, AlertState, Raised, Severity
from handrail.watch.declared import NO_PLANS, Plans
from handrail.watch.measure import (
    SIZES,
    Asked,
    Cases,
    Cell,
    Conversation,
    Counts,
    Minute,
    Told,
    Used,
    forced_of,
    minute_of_conversations,
    minute_of_interactions,
    of_conversations,
    of_interactions,
)
from handrail.watch.series import Series

SETTLED = 2_000
"""Interactions of a use case before a value that was never seen is news."""
INTERACTIONS, CONVERSATIONS = "interactions", "conversations"
"""Streams, each with a cursor."""
MANY = 5
"""New values of one kind in a day that are each told by themselves; what comes after is told as one."""
MOST_VALUES = 500
"""Values of one kind that are kept: a provider that names itself anew with each answer fills no table."""
DAY_MS = 86_400_000
NO_CASES = Cases(0, 0)
FORCED = "forced"
"""Of seen values: conversations that a rule handed over."""


class WatchStore(Protocol):
    """Inside a command."""

    def lead(self, holder: str, lease_ms: int) -> bool:
        """Become or stay the one who watches, by the transaction's clock."""
        ...

    def resign(self, holder: str) -> None:
        """No longer be the one who watches."""
        ...

    def cursor(self, stream: str) -> int | None:
        """Everything before is counted."""
        ...

    def advance(self, stream: str, before_ms: int | None, until_ms: int) -> None:
        """Move a cursor. Raises HandrailError LOST_RACE when it is not at `before_ms`."""
        ...

    def count(self, cells: Mapping[Cell, Counts]) -> None:
        """Add to what is counted."""
        ...

    def keep(self, series: Iterable[Series]) -> None: ...

    def see(self, use_case: str, what: str, value: str) -> bool:
        """Whether it was never seen before; from now on it was."""
        ...

    def saw(self, use_case: str, what: str, value: str) -> bool:
        """Whether it was seen before."""
        ...

    def values(self, use_case: str, what: str, since_ms: int = 0) -> int:
        """How many were seen for the first time since then."""
        ...

    def forget(self, what: str, before_ms: int) -> None:
        """Values of any use case that were seen for the first time before."""
        ...

    def series_of(self, use_case: str, metric: str) -> Series | None: ...


class FoldingTransaction(WatchTransaction, Protocol):
    @property
    def watch(self) -> WatchStore: ...


class New(msgspec.Struct, frozen=True, kw_only=True):
    """A value that may never have been seen. `tell`: it is news when it was not. `beside`: only where another value
    was seen, so that the first one is none."""

    use_case: UseCaseId
    what: str
    value: str
    example: str
    tell: bool
    beside: bool = False


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """What a minute makes. `series`: as they are after it, those that changed. `forced`: use case and conversation of
    each that a rule handed over."""

    cells: dict[Cell, Counts] = {}
    series: tuple[Series, ...] = ()
    raised: tuple[Raised, ...] = ()
    new: tuple[New, ...] = ()
    forced: tuple[tuple[str, str], ...] = ()


Known = Mapping[tuple[str, str], Series]
"""By use case and metric."""


class Gathered:
    """What the net and the model did in a minute, taken in portions, so that a busy minute is never in memory whole.
    Portions come in the order of their time."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._limits = {key: one.limit for key, one in known.items() if one.metric in SIZES}
        self._minute: Minute = {}
        self._bands: dict[tuple[str, str], Counts] = {}
        self._cells: dict[Cell, Counts] = {}
        self._new: dict[tuple[str, str, str], New] = {}
        self._forced: set[tuple[str, str]] = set()

    def take(self, asked: Sequence[Asked]) -> None:
        minute, bands = minute_of_interactions(asked, self._limits)
        for key, cases in minute.items():
            before = self._minute.get(key, NO_CASES)
            self._minute[key] = Cases(before.bad + cases.bad, before.cases + cases.cases)
        for key, more in bands.items():
            self._bands.setdefault(key, Counts()).update(more)
        for cell, counts in of_interactions(asked).items():
            self._cells.setdefault(cell, Counts()).update(counts)
        self._forced.update(forced_of(asked))
        for one in asked:
            for what, value, tell, beside in _values(self._known, one.facts):
                if value and (one.facts.use_case, what, value) not in self._new:
                    self._see(one.facts.use_case, what, value, one.facts.interaction, tell=tell, beside=beside)

    def folded(self, at_ms: int, used: Sequence[Used] = (), plans: Plans = NO_PLANS) -> Folded:
        """Once, when all of the minute is taken."""
        series, raised = _stepped(self._known, at_ms, self._minute, plans)
        for key, more in self._bands.items():
            before = series.get(key) or _before(self._known, key, plans)
            series[key] = lines.with_bands(before, more)
        for one in used:
            if not one.drill and (one.use_case, "action", one.tool) not in self._new:
                tell = _settled(self._known, one.use_case)
                self._see(UseCaseId(one.use_case), "action", one.tool, one.id, tell=tell, beside=False)
        _count_used(self._cells, at_ms, used)
        return Folded(
            cells=self._cells, series=tuple(series.values()), raised=tuple(raised),
            new=tuple(self._new[key] for key in sorted(self._new)), forced=tuple(sorted(self._forced)),
        )  # fmt: skip

    def _see(self, use_case: UseCaseId, what: str, value: str, example: str, *, tell: bool, beside: bool) -> None:
        self._new[use_case, what, value] = New(
            use_case=use_case, what=what, value=value, example=example, tell=tell, beside=beside
        )


def fold_interactions(
    known: Known, at_ms: int, asked: Sequence[Asked], used: Sequence[Used] = (), plans: Plans = NO_PLANS
) -> Folded:
    """A minute of what the net and the model did, in one portion."""
    gathered = Gathered(known)
    gathered.take(asked)
    return gathered.folded(at_ms, used, plans)


def _values(known: Known, facts: InteractionFacts) -> tuple[tuple[str, str, bool, bool], ...]:
    """Values that may be news: what, value, and `tell` and `beside` of `New`."""
    asked_of = f"{facts.provider}/{facts.model}"
    return (
        ("language", facts.language, _settled(known, facts.use_case), False),
        (f"answering model of {asked_of}", facts.answered_by, True, True),
        (f"response head of {asked_of}", facts.served_with, True, True),
    )


def fold_conversations(
    known: Known, at_ms: int, asked: Sequence[Asked], told: Sequence[Told], forced: frozenset[str] = frozenset(),
    plans: Plans = NO_PLANS,
) -> Folded:  # fmt: skip
    """A minute of conversations that have matured. `at_ms`: when they began. `forced`: those that a rule handed over at
    any time since."""
    begun = of_conversations(asked, told, forced)
    cells: dict[Cell, Counts] = {}
    for one in begun:
        cells.setdefault(one.cell, Counts()).update(one.counts)
    series, raised = _stepped(known, at_ms, minute_of_conversations(_of_reported(begun)), plans)
    return Folded(cells=cells, series=tuple(series.values()), raised=tuple(raised))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """`before_ms`: where the stream's cursor must be; None: it has none yet."""

    ids: Ids
    holder: str
    lease_ms: int
    stream: str
    before_ms: int | None
    until_ms: int
    folded: Folded

    def __call__(self, tx: FoldingTransaction) -> list[Alert]:
        """Alerts that were raised. Raises HandrailError LOST_RACE when another process watches or has counted this, or
        a person let one of the series learn anew meanwhile."""
        if not tx.watch.lead(self.holder, self.lease_ms):
            raise HandrailError(Code.LOST_RACE, "another process watches")
        tx.watch.advance(self.stream, self.before_ms, self.until_ms)
        tx.watch.count(self.folded.cells)
        for one in self.folded.series:
            stored = tx.watch.series_of(one.use_case, one.metric)
            if stored is not None and stored.generation != one.generation:
                raise HandrailError(Code.LOST_RACE, "this metric learns anew")
            if one.learnt_ms is not None and one.watched == 0 and not one.drift.value:
                _record_learnt(tx, self.ids, one)
        tx.watch.keep(self.folded.series)
        for use_case, conversation in self.folded.forced:
            tx.watch.see(use_case, FORCED, conversation)
        if self.until_ms % lines.HOUR_MS == 0:
            cursor = tx.watch.cursor(CONVERSATIONS)
            tx.watch.forget(FORCED, 0 if cursor is None else cursor - lines.HOUR_MS)
        raised = [*self.folded.raised, *(one for value in self.folded.new for one in _seen(tx, value))]
        return raise_alerts(tx, self.ids, raised)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Streams get a cursor where they have none."""

    streams: tuple[str, ...]
    at_ms: int

    def __call__(self, tx: FoldingTransaction) -> None:
        for stream in self.streams:
            if tx.watch.cursor(stream) is None:
                tx.watch.advance(stream, None, self.at_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resign:
    """Another process may watch at once."""

    holder: str

    def __call__(self, tx: FoldingTransaction) -> None:
        tx.watch.resign(self.holder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Evidence begins anew for metrics whose alarm somebody has. `series`: those that stand still, as a process
    remembers them; what is stored counts."""

    series: tuple[Series, ...]

    def __call__(self, tx: FoldingTransaction) -> tuple[Series, ...]:
        """All of them as they are now."""
        now = []
        for one in self.series:
            stored = tx.watch.series_of(one.use_case, one.metric) or one
            alert = tx.alerts.open(stored.cause)
            if stored.alarmed and (alert is None or alert.state is not AlertState.RAISED):
                stored = lines.answered(stored)
                tx.watch.keep([stored])
            now.append(stored)
        return tuple(now)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnAnew:
    """A person says that what is now is the new usual."""

    ids: Ids
    use_case: UseCaseId
    metric: str
    token: str | None

    def __call__(self, tx: FoldingTransaction) -> Series:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.ANSWER_ALERTS)
        before = tx.watch.series_of(self.use_case, self.metric)
        if before is None:
            raise HandrailError(Code.NOT_FOUND, "this metric is not watched; see handrail watch drift")
        after = lines.anew(before)
        tx.watch.keep([after])
        facts = LearntFacts(metric=self.metric, begins=True)
        tx.append(
            Entry(
                id=EntryId(self.ids.new("en")), kind=EntryKind.BASELINE_LEARNT, at_ms=tx.now_ms, actor=by,
                about=before.cause, use_case=self.use_case, facts=facts,
            )
        )  # fmt: skip
        return after


class LearntFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`bad` of `cases` from `first_ms` on; `limit`: of an amount. `begins`: a person lets it learn anew."""

    metric: str
    bad: int = 0
    cases: int = 0
    first_ms: int | None = None
    limit: int | None = None
    begins: bool = False


def _record_learnt(tx: FoldingTransaction, ids: Ids, one: Series) -> None:
    facts = LearntFacts(
        metric=one.metric, bad=sum(one.bad), cases=sum(one.cases), first_ms=one.first_ms, limit=one.limit
    )
    tx.append(
        Entry(
            id=EntryId(ids.new("en")), kind=EntryKind.BASELINE_LEARNT, at_ms=tx.now_ms, actor=BY, about=one.cause,
            use_case=one.use_case, facts=facts,
        )
    )  # fmt: skip


def _before(known: Known, key: tuple[str, str], plans: Plans) -> Series:
    """As it is known, or new; under its use case's plan."""
    before = known.get(key) or Series(use_case=UseCaseId(key[0]), metric=key[1])
    here = plans.get(key[0])
    return before if here is None else lines.as_declared(before, here)


def _stepped(
    known: Known, at_ms: int, minute: Minute, plans: Plans
) -> tuple[dict[tuple[str, str], Series], list[Raised]]:
    changed: dict[tuple[str, str], Series] = {}
    raised = []
    for key, cases in minute.items():
        before = _before(known, key, plans)
        here = plans.get(key[0])
        after, alarm = lines.after(before, at_ms, cases, watched=here is None or here.plan.watches(key[1]))
        if after is not before:
            changed[key] = after
        if alarm is not None:
            raised.append(alarm)
    return changed, raised


def _of_reported(begun: list[Conversation]) -> list[Conversation]:
    return [one for one in begun if one.bad]


def _settled(known: Known, use_case: str) -> bool:
    """Whether the use case has run for long enough that what was never seen is news; also while one metric learns
    anew."""
    series = (known.get((use_case, metric)) for metric in ("failed", "blocked", "handed_over"))
    return any(one is not None and sum(one.cases) + one.watched >= SETTLED for one in series)


def _count_used(cells: dict[Cell, Counts], at_ms: int, used: Sequence[Used]) -> None:
    for one in used:
        if not one.drill:
            cell = Cell(one.use_case, at_ms // lines.HOUR_MS, "", "", "")
            cells.setdefault(cell, Counts()).update({"actions": 1, f"action.{one.verdict}": 1})


def _seen(tx: FoldingTransaction, value: New) -> list[Raised]:
    """Marks the value; the alert that it makes, if any."""
    known = tx.watch.values(value.use_case, value.what)
    if tx.watch.saw(value.use_case, value.what, value.value):
        return []
    if known < MOST_VALUES:
        tx.watch.see(value.use_case, value.what, value.value)
    if not value.tell or (value.beside and not known):
        return []
    lately = tx.watch.values(value.use_case, value.what, tx.now_ms - DAY_MS)
    return [_news(value, tx.now_ms, many=lately > MANY or known >= MOST_VALUES)]


def _news(one: New, now: int, *, many: bool) -> Raised:
    said = f"In {one.use_case} the {one.what} {one.value} was never seen before."
    if many:
        said = f"In {one.use_case} more than {MANY} values of {one.what} came in a day that were never seen before."
    return Raised(
        cause=f"new/{one.use_case}/{one.what}/{'many' if many else one.value}", kind=AlertKind.NEW,
        severity=Severity.WARNING, use_case=one.use_case, metric=f"new.{one.what}", sentence=said,
        promise="Told by rule, once for each value; from the sixth of a day on they are counted in one alert.",
        example=one.example, at_ms=now,
    )  # fmt: skip
