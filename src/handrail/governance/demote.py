"""Lowering autonomy by itself, and raising it again by a person; pure.

A demotion stands beside the ruleset and only tightens it. One trigger is told by its key and acts once. Within the
cool-down of a type further triggers lower nothing, or one level once, as declared; whatever they do, the wait for a
promotion begins anew. So nothing flaps: a machine only lowers, and only a person raises, one level at a time.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from handrail.policy.autonomy import RATES, Again, Autonomy, Cause, Demote, Trigger, is_below, least, lowered, raised
from handrail.policy.ruleset import Risk, UseCase
from handrail.terms.action import ActionType
from handrail.terms.ids import UseCaseId

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
ASKED_MS = 7 * 86_400_000
"""So long the yes of a first person stands."""
MISTAKEN = 0.05
"""The upper bound of a rate is too low at most so often."""
_FOUR_EYES = frozenset({Risk.R2, Risk.R3, Risk.R4})
NOTHING = Demote()
"""What holds for promotions of a use case that declares nothing: persons may lower its levels too."""


class Lowered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One type of action. `level`: at most this. `cool_until`: from then on a trigger lowers as declared again; `more`:
    one has lowered further before that. `clean_ms`: of the last trigger, promotion or demotion: what a person needs to
    see before a promotion is counted from there."""

    level: Autonomy
    since_ms: int
    cool_until: int
    clean_ms: int
    more: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The yes of the first of two persons."""

    by: str
    at_ms: int
    types: tuple[ActionType, ...]
    override: bool = False


class Demotion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one use case. `levels`: the types that are lowered. `clean_ms`: of the last trigger that acted or move of any
    type, kept when nothing is lowered any more: rates count from there, so that the same cases never lower twice."""

    use_case: UseCaseId
    version: int = 0
    clean_ms: int = 0
    levels: dict[ActionType, Lowered] = {}
    asked: Asked | None = None


class Happened(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a trigger may be. `key`: names it for good. `what`: severity, metric or kind. `bad` of `cases`: of a rate;
    `bad`: findings or drills. `about`: an id to look at."""

    cause: Cause
    key: str
    sentence: str
    what: str = ""
    bad: int = 0
    cases: int = 0
    about: str = ""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Of one type. `home`: what the home says. `before`, `after`: what held and what holds. `lowered`: what it is
    lowered to from now on; None: to nothing. The moves of all entries, in order, give the state again."""

    type: ActionType
    home: Autonomy
    before: Autonomy
    after: Autonomy
    lowered: Autonomy | None


class Fallen(msgspec.Struct, frozen=True):
    """`moves`: empty when a trigger only begins the wait anew. `trigger`: the one that lowered most."""

    after: Demotion
    moves: tuple[Move, ...]
    trigger: Trigger


def declared(use_case: UseCase) -> Demote:
    return use_case.demote or NOTHING


def effective(home: Autonomy, demotion: Demotion | None, kind: ActionType) -> Autonomy:
    """The level that holds."""
    one = demotion.levels.get(kind) if demotion is not None else None
    return least(home, one.level if one is not None else None)


def at_most(demotion: Demotion) -> dict[ActionType, Autonomy]:
    """What the request path must know of it."""
    return {kind: one.level for kind, one in demotion.levels.items()}


def matches(trigger: Trigger, happened: Happened) -> bool:
    """Severities count from the declared one up: S1 is worse than S2. A rate is above its limit with enough cases."""
    if trigger.cause is not happened.cause:
        return False
    match trigger.cause:
        case Cause.INCIDENT:
            return happened.what <= trigger.what
        case Cause.DRIFT:
            return trigger.what in ("", happened.what)
        case Cause.RATE:
            enough = happened.cases >= trigger.least and happened.cases > 0
            return trigger.what == happened.what and enough and happened.bad > trigger.above * happened.cases
        case Cause.FINDINGS:
            return trigger.what == happened.what and happened.bad >= trigger.least
        case Cause.DRILL:
            return happened.bad >= trigger.least
        case Cause.ROLLBACK:
            return True
    return False


def fallen(before: Demotion, use_case: UseCase, happened: Happened, now: int) -> Fallen | None:
    """What a trigger leads to; None: it is none of this use case, or there is nothing that it could do."""
    rule = declared(use_case)
    levels = dict(before.levels)
    moves: list[Move] = []
    most: Trigger | None = None
    touched = False
    for trigger in sorted(rule.triggers, key=lambda one: -one.levels):
        if not matches(trigger, happened):
            continue
        most = most or trigger
        for kind in _types(use_case, trigger.types):
            if any(move.type is kind for move in moves):
                continue
            home, known = use_case.levels[kind].autonomy, levels.get(kind)
            after = _after(home, known, trigger, rule, now)
            if after is None:
                continue
            touched = True
            levels[kind] = after
            held = least(home, known.level if known is not None else None)
            if is_below(after.level, held):
                moves.append(Move(type=kind, home=home, before=held, after=after.level, lowered=after.level))
    if most is None or not touched:
        return None
    return Fallen(_moved(before, levels, now), tuple(moves), most)


def _after(home: Autonomy, known: Lowered | None, trigger: Trigger, rule: Demote, now: int) -> Lowered | None:
    """None: nothing changes, since nothing is lowered and nothing can be."""
    held = least(home, known.level if known is not None else None)
    cool_until = now + round(rule.cool_down_minutes * MINUTE_MS)
    if known is not None and now < known.cool_until:
        further = lowered(held, 1, rule.floor) if rule.again is Again.ONE_LEVEL and not known.more else held
        falls = is_below(further, held)
        level = further if falls else known.level
        return msgspec.structs.replace(known, level=level, clean_ms=now, more=known.more or falls)
    further = lowered(held, trigger.levels, rule.floor)
    if is_below(further, held):
        since = known.since_ms if known is not None else now
        return Lowered(level=further, since_ms=since, cool_until=cool_until, clean_ms=now)
    return None if known is None else msgspec.structs.replace(known, clean_ms=now)


def lowered_by_hand(
    before: Demotion, use_case: UseCase, kinds: Sequence[ActionType], by: int, now: int
) -> tuple[Demotion, tuple[Move, ...]]:
    """A person may lower at any time, to A1 at the lowest: what should do nothing at all is stopped."""
    rule = declared(use_case)
    cool_until = now + round(rule.cool_down_minutes * MINUTE_MS)
    levels, moves = dict(before.levels), []
    for kind in _types(use_case, kinds):
        home, known = use_case.levels[kind].autonomy, levels.get(kind)
        held = least(home, known.level if known is not None else None)
        further = lowered(held, by, Autonomy.A1)
        if is_below(further, held):
            since = known.since_ms if known is not None else now
            levels[kind] = Lowered(level=further, since_ms=since, cool_until=cool_until, clean_ms=now)
            moves.append(Move(type=kind, home=home, before=held, after=further, lowered=further))
    return _moved(before, levels, now), tuple(moves)


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a promotion needs. `said`: with its figures."""

    met: bool
    said: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted in whole hours since the last trigger. `standing`: triggers that have not ended, in words."""

    counts: Mapping[str, int]
    standing: tuple[str, ...] = ()


def units(counts: Mapping[str, int]) -> int:
    """Conversations begun, or actions where there are more."""
    return max(counts.get("new_conversations", 0), counts.get("actions", 0))


def bars(use_case: UseCase, clean_ms: int, figures: Figures, now: int) -> tuple[Bar, ...]:
    """Everything that a promotion needs, met or not."""
    rule = declared(use_case)
    minutes, seen = (now - clean_ms) / MINUTE_MS, units(figures.counts)
    found = [
        Bar(
            met=minutes >= rule.after_minutes,
            said=f"{_span(minutes)} since the last trigger or move, {_span(rule.after_minutes)} are needed",
        ),
        Bar(
            met=seen >= rule.least_units,
            said=f"{seen} conversations or actions since, {rule.least_units} are needed (whole hours are counted)",
        ),
    ]
    for metric, limit in sorted(rule.below.items()):
        bad, cases = figures.counts.get(metric, 0), figures.counts.get(RATES[metric], 0)
        bound = upper_bound(bad, cases)
        found.append(
            Bar(met=bound < limit, said=f"{metric}: {bad} of {cases}, at most {bound:.2%}; below {limit:.2%} is needed")
        )
    return (*found, *(Bar(met=False, said=said) for said in figures.standing))


def promoted(
    before: Demotion, use_case: UseCase | None, kinds: Iterable[ActionType], now: int
) -> tuple[Demotion, tuple[Move, ...]]:
    """One level up of each, or back to what the home says. `use_case`: None where it is published no more."""
    levels, moves = dict(before.levels), []
    for kind in kinds:
        one = levels.pop(kind)
        level = use_case.levels.get(kind) if use_case is not None else None
        home = level.autonomy if level is not None else one.level
        up = raised(one.level)
        stays = is_below(up, home)
        if stays:
            levels[kind] = msgspec.structs.replace(one, level=up, clean_ms=now, cool_until=now, more=False)
        moves.append(
            Move(type=kind, home=home, before=least(home, one.level), after=least(home, up),
                 lowered=up if stays else None)
        )  # fmt: skip
    return _moved(before, levels, now), tuple(moves)


def asked(before: Demotion, one: Asked) -> Demotion:
    """The first of two has said yes."""
    return msgspec.structs.replace(before, version=before.version + 1, asked=one)


def agrees(before: Demotion, by: str, kinds: tuple[ActionType, ...], *, override: bool, now: int) -> bool:
    """Whether another person has asked for exactly this, not too long ago."""
    first = before.asked
    return (
        first is not None
        and first.by != by
        and first.types == kinds
        and first.override == override
        and now - first.at_ms < ASKED_MS
    )


def needs_two(use_case: UseCase | None, kinds: Iterable[ActionType]) -> bool:
    """From R2 up; of a use case that is published no more too."""
    if use_case is None:
        return True
    levels = [use_case.levels.get(kind) for kind in kinds]
    return any(level is None or level.risk in _FOUR_EYES for level in levels)


def replayed(moves: Iterable[Move]) -> dict[ActionType, Autonomy]:
    """What is lowered after these moves, from their entries alone."""
    levels: dict[ActionType, Autonomy] = {}
    for move in moves:
        levels.pop(move.type, None)
        if move.lowered is not None:
            levels[move.type] = move.lowered
    return levels


def upper_bound(bad: int, cases: int) -> float:
    """What a rate is at most, wrong in 5 % of cases at most: the largest p with cases * KL(bad/cases, p) <= ln(20)
    (Chernoff 1952, so never too low). 1.0 without cases."""
    if cases <= 0 or bad >= cases:
        return 1.0
    seen, room = bad / cases, math.log(1 / MISTAKEN) / cases
    low, high = seen, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if middle < 1.0 and _divergence(seen, middle) <= room:
            low = middle
        else:
            high = middle
    return high


def _divergence(seen: float, p: float) -> float:
    first = seen * math.log(seen / p) if seen else 0.0
    return first + (1 - seen) * math.log((1 - seen) / (1 - p))


def _types(use_case: UseCase, kinds: Iterable[ActionType]) -> list[ActionType]:
    """What is told to a customer is no action that could wait, so `assert` is never lowered."""
    wanted = tuple(kinds)
    return [
        kind
        for kind in ActionType
        if kind in use_case.levels and kind is not ActionType.ASSERT and (not wanted or kind in wanted)
    ]


def _moved(before: Demotion, levels: dict[ActionType, Lowered], now: int) -> Demotion:
    return Demotion(use_case=before.use_case, version=before.version + 1, clean_ms=now, levels=levels)


def _span(minutes: float) -> str:
    if minutes >= 2_880:
        return f"{minutes / 1_440:.1f} days"
    return f"{minutes / 60:.1f} hours" if minutes >= 120 else f"{minutes:.0f} minutes"
