"""One metric of one use case beside its own past: first it learns, then it watches; pure.

Learning ends after `LEAST_CASES` and `LEAST_MS`. For what customers report it begins with the first bad report: zeros
before it may only say that nobody reports yet, and would make a baseline of them. What was learnt stays until a person
lets it learn anew, since a past that follows the present hides a slow decline. An amount is watched by how many cases
exceed what 95 % of its first cases did not. It pages; it rolls nothing back.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from handrail.terms.ids import UseCaseId
from handrail.watch.alert import AlertKind, Raised, Severity
from handrail.watch.clock import hour_of_week
from handrail.watch.declared import Declared
from handrail.watch.drift import HOURS, Baseline, Drift, after_minute
from handrail.watch.measure import SIZES, Cases, top

WANTED = 100_000
"""Cases between two false alarms of a metric, at least, on average."""
LEAST_CASES = 2_000
LEAST_MS = 7 * 86_400_000
LIMIT_CASES = 500
"""Amounts seen before their limit is set."""
HIGH = 0.95
HOUR_MS = 3_600_000
YEAR_MS = 365 * 86_400_000
LOOKED_FOR = 2.0
"""Times the baseline: since when it is worse is said by the evidence for this."""
REPORTED = frozenset(
    {"transfer", "complaint", "repeat_contact", "refund_reversed", "override", "low_csat", "unresolved"}
)
"""Metrics that somebody must report; their cases are conversations, those of all others interactions."""
SILENT = REPORTED - {"low_csat", "unresolved"}
"""Of these, those whose silence looks as if all were well: they learn from the first bad report on."""


class Series(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`bands`: of an amount whose `limit` is not set yet. `bad`, `cases`: by hour of the week in `zone` (empty: UTC),
    while it learns and kept afterwards. `bounds`: the baseline by hour; empty while it learns. `watched`: cases since.
    `alarmed`: it stands still until somebody answers the alert. `run_*`: the stretch in which it has been worse.
    `generation`: how often a person let it learn anew; what a process remembers of an older one is not kept."""

    use_case: UseCaseId
    metric: str
    wanted: int = WANTED
    limit: int | None = None
    bands: dict[str, int] = {}
    bad: tuple[int, ...] = (0,) * HOURS
    cases: tuple[int, ...] = (0,) * HOURS
    first_ms: int | None = None
    learnt_ms: int | None = None
    bounds: tuple[float, ...] = ()
    drift: Drift = Drift()
    watched: int = 0
    alarmed: bool = False
    run_since: int | None = None
    run_bad: int = 0
    run_cases: int = 0
    run_evidence: float = 0.0
    generation: int = 0
    zone: str = ""

    @property
    def unit(self) -> str:
        return "conversations" if self.metric in REPORTED else "interactions"

    @property
    def cause(self) -> str:
        return f"drift/{self.use_case}/{self.metric}"


def false_alarms_a_year(series: Iterable[Series]) -> float:
    """At most so many, on average, where nothing changes: of all metrics of a use case together, at the pace at which
    they learnt."""
    paces = [
        sum(one.cases) / (one.learnt_ms - one.first_ms) / one.wanted
        for one in series
        if one.learnt_ms is not None and one.first_ms is not None and one.learnt_ms > one.first_ms
    ]
    return sum(paces) * YEAR_MS


def with_bands(before: Series, bands: Mapping[str, int]) -> Series:
    """More amounts; with enough of them the limit is set."""
    total = dict(before.bands)
    for name, count in bands.items():
        total[name] = total.get(name, 0) + count
    seen = sum(total.values())
    if seen < LIMIT_CASES:
        return msgspec.structs.replace(before, bands=total)
    below = 0
    limit = 0
    for number in sorted(map(int, total)):
        below += total[str(number)]
        limit = top(number)
        if below >= HIGH * seen:
            break
    return msgspec.structs.replace(before, bands={}, limit=limit)


def as_declared(before: Series, here: Declared) -> Series:
    """Under its use case's plan: how often it may alarm, at once; the zone of its hours, where it begins to learn."""
    zone = here.zone if before.first_ms is None else before.zone
    wanted = here.plan.cases_between_false_alarms
    if (zone, wanted) == (before.zone, before.wanted):
        return before
    return msgspec.structs.replace(before, zone=zone, wanted=wanted)


def after(before: Series, at_ms: int, found: Cases, *, watched: bool = True) -> tuple[Series, Raised | None]:
    """After a minute; an alarm when the evidence has reached what was promised. `at_ms`: when the minute began.
    `watched`: False: it is counted, and never alarms."""
    if not found.cases:
        return before, None
    hour = hour_of_week(at_ms, before.zone)
    if before.learnt_ms is None:
        return _learnt(before, at_ms, hour, found), None
    if before.alarmed:
        return before, None
    if not watched:
        return msgspec.structs.replace(before, watched=before.watched + found.cases), None
    bound = before.bounds[hour]
    drift = after_minute(before.drift, found.bad, found.cases, bound)
    now = _with_run(before, at_ms, bound, found)
    now = msgspec.structs.replace(now, drift=drift, watched=before.watched + found.cases)
    if drift.value < before.wanted:
        return now, None
    return msgspec.structs.replace(now, alarmed=True), _raised(now, at_ms, bound)


def answered(before: Series) -> Series:
    """Somebody has the alarm: the evidence begins anew."""
    return msgspec.structs.replace(
        before, drift=Drift(), alarmed=False, run_since=None, run_bad=0, run_cases=0, run_evidence=0.0
    )


def anew(before: Series) -> Series:
    """It learns its past again, from now."""
    return Series(
        use_case=before.use_case, metric=before.metric, wanted=before.wanted, generation=before.generation + 1
    )


def _learnt(before: Series, at_ms: int, hour: int, found: Cases) -> Series:
    if before.metric in SILENT and before.first_ms is None and not found.bad:
        return before
    first = at_ms if before.first_ms is None else before.first_ms
    now = msgspec.structs.replace(
        before, first_ms=first, bad=_plus(before.bad, hour, found.bad), cases=_plus(before.cases, hour, found.cases)
    )
    if sum(now.cases) < LEAST_CASES or at_ms - first < LEAST_MS:
        return now
    return msgspec.structs.replace(now, learnt_ms=at_ms, bounds=Baseline(now.bad, now.cases).bounds())


def _with_run(before: Series, at_ms: int, bound: float, found: Cases) -> Series:
    """The stretch that speaks for a rate `LOOKED_FOR` times as high; it begins anew whenever nothing does."""
    rate = min(LOOKED_FOR * bound, HIGH)
    evidence = before.run_evidence + found.bad * math.log(rate / bound)
    evidence += (found.cases - found.bad) * math.log((1 - rate) / (1 - bound))
    if evidence <= 0:
        return msgspec.structs.replace(before, run_since=None, run_bad=0, run_cases=0, run_evidence=0.0)
    return msgspec.structs.replace(
        before, run_since=at_ms if before.run_since is None else before.run_since,
        run_bad=before.run_bad + found.bad, run_cases=before.run_cases + found.cases, run_evidence=evidence,
    )  # fmt: skip


def _raised(now: Series, at_ms: int, bound: float) -> Raised:
    what = f"above {now.limit}" if now.metric in SIZES else "bad"
    past, cases = sum(now.bad), sum(now.cases)
    since = "lately" if now.run_since is None else f"since {_utc(now.run_since)}"
    if now.run_cases:
        rate = f"{now.run_bad} of {now.run_cases} {now.unit} ({now.run_bad / now.run_cases:.1%})"
    else:
        rate = f"evidence over {now.watched} {now.unit}"
    return Raised(
        cause=now.cause, kind=AlertKind.DRIFT, severity=Severity.WARNING, use_case=now.use_case, metric=now.metric,
        sentence=(
            f"{now.metric} of {now.use_case} is worse than its own past: {rate} {what} {since}, where the past had "
            f"{past} of {cases} ({past / cases:.1%}) and this hour is held to {bound:.1%}."
        ),
        promise=(
            f"Where nothing has changed, this metric alarms at most once in {now.wanted:,} {now.unit} on average. "
            "Until somebody answers, no release goes on; whether one is to blame is for its comparison to say."
        ),
        at_ms=at_ms,
    )  # fmt: skip


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _plus(counts: tuple[int, ...], hour: int, more: int) -> tuple[int, ...]:
    return (*counts[:hour], counts[hour] + more, *counts[hour + 1 :])
