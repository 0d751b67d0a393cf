"""The mix of intents beside its own past: the share of each declared intent, and of `other`; pure.

Each share has a baseline for each hour of the week, at the upper end of what its past allows; the evidence is averaged
over all intents, so that their number is paid for (`watch.drift.after_one_of`). It says which intent grew: where one
shrinks, others grow. Source: the statistics of rollback of the design, part 10 (a).
"""

import math
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from handrail.terms.ids import UseCaseId
from handrail.watch.alert import AlertKind, Raised, Severity
from handrail.watch.clock import HOURS, hour_of_week
from handrail.watch.drift import HIGHEST, Drift, after_one_of, mixed, upper_bound

METRIC = "intents"
WANTED = 100_000
LEAST_CASES = 2_000
LEAST_MS = 7 * 86_400_000
FLOOR = 200
"""Cases of an hour before its own shares are used; until then those of all hours are."""
LATELY = 72
"""Hours of which counts are kept, to say by how much and since when."""
HOUR_MS = 3_600_000


class MixPast(msgspec.Struct, frozen=True, kw_only=True):
    """`names`: intents, `other` among them. `counts`: by intent and hour of the week (as text), those that are not 0.
    `zone`: of these hours. `cases`: by hour."""

    names: tuple[str, ...]
    zone: str = ""
    counts: dict[str, dict[str, int]] = {}
    cases: tuple[int, ...] = (0,) * HOURS
    first_ms: int | None = None
    learnt_ms: int | None = None

    def total(self, name: str) -> int:
        return sum(self.counts.get(name, {}).values())


class Mix(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one use case. `kinds`: evidence, in the order of `past.names`. `lately`: counts by hour since 1970 (as text)
    and intent. `alarmed`: it stands still until somebody answers the alert."""

    use_case: UseCaseId
    past: MixPast
    wanted: int = WANTED
    kinds: tuple[Drift, ...] = ()
    watched: int = 0
    alarmed: bool = False
    lately: dict[str, dict[str, int]] = {}

    @property
    def cause(self) -> str:
        return f"drift/{self.use_case}/{METRIC}"

    @property
    def value(self) -> float:
        return mixed(self.kinds) if self.kinds else 0.0


def begun(use_case: UseCaseId, names: tuple[str, ...], zone: str, wanted: int = WANTED) -> Mix:
    """One that learns from now on."""
    return Mix(use_case=use_case, past=MixPast(names=names, zone=zone), wanted=wanted)


def answered(before: Mix) -> Mix:
    """Somebody has the alarm: the evidence begins anew."""
    return msgspec.structs.replace(
        before, kinds=(Drift(),) * len(before.past.names), alarmed=False, lately={}, watched=before.watched
    )


def after(before: Mix, at_ms: int, intent: str, example: str) -> tuple[Mix, Raised | None]:
    """After one more conversation. An intent that is not among `names` (declared no more) is not counted."""
    if intent not in before.past.names or before.alarmed:
        return before, None
    hour = hour_of_week(at_ms, before.past.zone)
    if before.past.learnt_ms is None:
        return _learnt(before, at_ms, hour, intent), None
    names = before.past.names
    kinds = after_one_of(before.kinds, names.index(intent), bounds(before.past, hour))
    now = msgspec.structs.replace(
        before, kinds=kinds, watched=before.watched + 1, lately=_with(before.lately, at_ms, intent)
    )
    if now.value < before.wanted:
        return now, None
    grown = max(range(len(names)), key=lambda at: kinds[at].value)
    return msgspec.structs.replace(now, alarmed=True), _raised(now, at_ms, names[grown], example)


def bounds(past: MixPast, hour: int) -> tuple[float, ...]:
    """The highest share that the past allows each intent in this hour of the week, in (0, 1)."""
    own = past.cases[hour] >= FLOOR
    cases = past.cases[hour] if own else sum(past.cases)
    return tuple(
        _bound(past.counts.get(name, {}).get(str(hour), 0) if own else past.total(name), cases) for name in past.names
    )


@lru_cache(maxsize=20_000)
def _bound(count: int, cases: int) -> float:
    return min(max(upper_bound(count, cases), 1e-6), 0.94)


def _learnt(before: Mix, at_ms: int, hour: int, intent: str) -> Mix:
    past = before.past
    own = past.counts.get(intent, {})
    counts = {**past.counts, intent: {**own, str(hour): own.get(str(hour), 0) + 1}}
    cases = (*past.cases[:hour], past.cases[hour] + 1, *past.cases[hour + 1 :])
    first = at_ms if past.first_ms is None else past.first_ms
    done = sum(cases) >= LEAST_CASES and at_ms - first >= LEAST_MS
    past = msgspec.structs.replace(past, counts=counts, cases=cases, first_ms=first, learnt_ms=at_ms if done else None)
    kinds = (Drift(),) * len(past.names) if done else ()
    return msgspec.structs.replace(before, past=past, kinds=kinds)


def _with(lately: Mapping[str, Mapping[str, int]], at_ms: int, intent: str) -> dict[str, dict[str, int]]:
    hour = at_ms // HOUR_MS
    kept = {name: dict(counts) for name, counts in lately.items() if int(name) > hour - LATELY}
    own = kept.setdefault(str(hour), {})
    own[intent] = own.get(intent, 0) + 1
    return kept


def _stretch(now: Mix, intent: str, share: float) -> tuple[int, int, int]:
    """The hours back from now that speak most for twice the share: since when, how many of the intent, of how many."""
    rate = min(2 * share, HIGHEST)
    often, rare = math.log(rate / share), math.log((1 - rate) / (1 - share))
    best, count, cases = -math.inf, 0, 0
    found = (0, 0, 0)
    for hour in sorted(now.lately, key=int, reverse=True):
        count += now.lately[hour].get(intent, 0)
        cases += sum(now.lately[hour].values())
        evidence = count * often + (cases - count) * rare
        if evidence > best:
            best, found = evidence, (int(hour) * HOUR_MS, count, cases)
    return found


def _raised(now: Mix, at_ms: int, intent: str, example: str) -> Raised:
    past = now.past
    hour = bounds(past, hour_of_week(at_ms, past.zone))[past.names.index(intent)]
    since, count, cases = _stretch(now, intent, hour)
    before, all_of = past.total(intent), sum(past.cases)
    what = "no declared intent" if intent == "other" else f"the intent {intent}"
    return Raised(
        cause=now.cause, kind=AlertKind.DRIFT, severity=Severity.WARNING, use_case=now.use_case, metric=METRIC,
        sentence=(
            f"In {now.use_case} more customers come with {what}: {count} of {cases} conversations "
            f"({count / max(cases, 1):.1%}) lately, where the past had {before} of {all_of} "
            f"({before / max(all_of, 1):.1%}) and this hour is held to {hour:.1%}."
        ),
        promise=(
            f"Where the mix has not changed, this alarms at most once in {now.wanted:,} conversations on average, all "
            "intents together. What customers come for says nothing yet of how they were served."
        ),
        example=example or f"since {since}", at_ms=at_ms,
    )  # fmt: skip
