"""How conversations open, minute by minute: the mix of intents and whether the input can be told from its past; pure
but for the commands, which keep what a minute made and move the stream's cursor in one transaction.

So each opening is counted once, whoever counts it, and a process that dies in between has counted nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from handrail.ledger.entry import Entry, EntryKind
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId, Ids, UseCaseId
from handrail.watch import inputs, mix
from handrail.watch.alarm import BY, raise_alerts
from handrail.watch.alert import AlertState, Raised
from handrail.watch.declared import Declared, Plans
from handrail.watch.fold import FoldingTransaction, LearntFacts
from handrail.watch.inputs import Input
from handrail.watch.measure import HOUR_MS, Asked, Cell, Counts
from handrail.watch.mix import Mix

STREAM = "openings"
METRICS = frozenset({mix.METRIC, inputs.METRIC})


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one use case. `versions`: of the stored rows, by metric; a row that is not there yet has 0."""

    mix: Mix | None = None
    input: Input | None = None
    versions: dict[str, int] = {}


class OpeningStore(Protocol):
    """Inside a command."""

    def held(self, use_case: str) -> Held: ...

    def keep(self, use_case: str, before: Held, after: Held) -> None:
        """Those that differ. Raises HandrailError LOST_RACE when a row has moved on since `before`."""
        ...


class OpeningTransaction(FoldingTransaction, Protocol):
    @property
    def openings(self) -> OpeningStore: ...


class OpeningReader(Protocol):
    async def held(self) -> dict[str, Held]:
        """By use case."""
        ...

    async def of(self, use_case: str) -> Held:
        """One alone; at most four rows."""
        ...


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """What a minute makes. `before`, `after`: by use case."""

    before: dict[str, Held] = {}
    after: dict[str, Held] = {}
    cells: dict[Cell, Counts] = {}
    raised: tuple[Raised, ...] = ()


def fold(known: Mapping[str, Held], declared: Plans, asked: Sequence[Asked]) -> Minute:
    """First interactions of a minute, in the order in which they ended. Those of a use case that is not in force are
    counted nowhere."""
    before: dict[str, Held] = {}
    after: dict[str, Held] = {}
    cells: dict[Cell, Counts] = {}
    raised: list[Raised] = []
    for one in asked:
        facts = one.facts
        here = declared.get(facts.use_case)
        if not facts.first or here is None:
            continue
        if facts.use_case not in before:
            before[facts.use_case] = known.get(facts.use_case, Held())
            after[facts.use_case] = _fitted(facts.use_case, before[facts.use_case], here)
        if facts.intent:
            cell = Cell(facts.use_case, one.at_ms // HOUR_MS, facts.release or "", facts.language, facts.channel)
            cells.setdefault(cell, Counts())[f"opened/{facts.intent}"] += 1
        after[facts.use_case], alarms = _one(after[facts.use_case], one)
        raised += alarms
    return Minute(before=before, after=after, cells=cells, raised=tuple(raised))


def _fitted(use_case: UseCaseId, held: Held, here: Declared) -> Held:
    """As declared now: other intents have another past, which is learnt anew."""
    plan = here.plan
    watched, opened = held.mix, held.input
    if not here.names or not plan.watches(mix.METRIC):
        watched = None
    elif watched is None or watched.past.names != here.names:
        watched = mix.begun(use_case, here.names, here.zone)
    if not plan.watches(inputs.METRIC):
        opened = None
    elif opened is None:
        opened = inputs.begun(use_case, here.zone)
    wanted = plan.cases_between_false_alarms
    if watched is not None and watched.wanted != wanted:
        watched = msgspec.structs.replace(watched, wanted=wanted)
    if opened is not None and opened.wanted != wanted:
        opened = msgspec.structs.replace(opened, wanted=wanted)
    return msgspec.structs.replace(held, mix=watched, input=opened)


def _one(held: Held, one: Asked) -> tuple[Held, list[Raised]]:
    watched, opened, raised = held.mix, held.input, []
    facts = one.facts
    if watched is not None and facts.intent:
        watched, alarm = mix.after(watched, one.at_ms, facts.intent, facts.interaction)
        raised += [alarm] if alarm is not None else []
    if opened is not None and facts.size:  # an opening without text, or one that was not read, says nothing
        opened, alarm = inputs.after(opened, one.at_ms, inputs.features(facts), facts.interaction)
        raised += [alarm] if alarm is not None else []
    return msgspec.structs.replace(held, mix=watched, input=opened), raised


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOpenings:
    """`before_ms`: where the stream's cursor must be; None: it has none yet."""

    ids: Ids
    before_ms: int | None
    until_ms: int
    minute: Minute

    def __call__(self, tx: OpeningTransaction) -> None:
        """Raises HandrailError LOST_RACE when another process has counted this, or a person has let one learn anew."""
        tx.watch.advance(STREAM, self.before_ms, self.until_ms)
        tx.watch.count(self.minute.cells)
        for use_case, after in self.minute.after.items():
            before = self.minute.before[use_case]
            tx.openings.keep(use_case, before, after)
            for facts, cause in _news(before, after):
                _record(tx, self.ids, UseCaseId(use_case), cause, facts, BY)
        raise_alerts(tx, self.ids, list(self.minute.raised))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredOpenings:
    """Evidence begins anew for those whose alarm somebody has."""

    use_cases: tuple[str, ...]

    def __call__(self, tx: OpeningTransaction) -> None:
        for use_case in self.use_cases:
            before = after = tx.openings.held(use_case)
            if before.mix is not None and before.mix.alarmed and _is_answered(tx, before.mix.cause):
                after = msgspec.structs.replace(after, mix=mix.answered(before.mix))
            if before.input is not None and before.input.alarmed and _is_answered(tx, before.input.cause):
                after = msgspec.structs.replace(after, input=inputs.answered(before.input))
            tx.openings.keep(use_case, before, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnOpeningsAnew:
    """A person says that what is now is the new usual. `metric`: of `METRICS`."""

    ids: Ids
    use_case: UseCaseId
    metric: str
    token: str | None

    def __call__(self, tx: OpeningTransaction) -> None:
        """Raises HandrailError NOT_FOUND, TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.ANSWER_ALERTS)
        before = tx.openings.held(self.use_case)
        one: Mix | Input | None = before.mix if self.metric == mix.METRIC else before.input
        if one is None:
            raise HandrailError(Code.NOT_FOUND, "this metric is not watched; see handrail watch drift")
        if isinstance(one, Mix):
            fresh = mix.begun(self.use_case, one.past.names, one.past.zone, one.wanted)
            after = msgspec.structs.replace(before, mix=fresh)
        else:
            after = msgspec.structs.replace(before, input=inputs.begun(self.use_case, one.past.zone, one.wanted))
        tx.openings.keep(self.use_case, before, after)
        _record(tx, self.ids, self.use_case, one.cause, LearntFacts(metric=self.metric, begins=True), by)


def _is_answered(tx: OpeningTransaction, cause: str) -> bool:
    alert = tx.alerts.open(cause)
    return alert is None or alert.state is not AlertState.RAISED


def _news(before: Held, after: Held) -> list[tuple[LearntFacts, str]]:
    """Of pasts that are learnt now, and of a mix that begins anew because other intents are declared."""
    found = []
    old, new = before.mix, after.mix
    if new is not None and new.past.learnt_ms is not None and (old is None or old.past.learnt_ms is None):
        facts = LearntFacts(metric=mix.METRIC, cases=sum(new.past.cases), first_ms=new.past.first_ms)
        found.append((facts, new.cause))
    if new is not None and old is not None and new.past.names != old.past.names:
        found.append((LearntFacts(metric=mix.METRIC, begins=True), new.cause))
    was, now = before.input, after.input
    if now is not None and now.past.learnt_ms is not None and (was is None or was.past.learnt_ms is None):
        facts = LearntFacts(metric=inputs.METRIC, cases=now.past.total, first_ms=now.past.first_ms)
        found.append((facts, now.cause))
    return found


def _record(tx: OpeningTransaction, ids: Ids, use_case: UseCaseId, cause: str, facts: LearntFacts, by: Actor) -> None:
    tx.append(
        Entry(
            id=EntryId(ids.new("en")), kind=EntryKind.BASELINE_LEARNT, at_ms=tx.now_ms, actor=by, about=cause,
            use_case=use_case, facts=facts,
        )
    )  # fmt: skip
