"""Whether this week's openings can be told from the past's, without anybody saying what to look for; pure.

Each new opening is paired with one of the past, of the same part of the week and never used in this round. An online
logistic classifier says how much more the first looks like "now" than the second BEFORE it learns which is which: with
d the difference of their scores, 2/(1 + exp(-d)) - 1 is a fair bet where nothing has changed, since the two could be
swapped. That is the bet on the label of the design (formula 1, share one half, Bradley and Terry 1952 for pairs). The
amounts grow as those of Shiryaev and Roberts: false alarms are at least `wanted` conversations apart on average.
A round lasts a week; amounts and classifier then begin anew, because the past may be used again only by a classifier
that has not seen it. Who comes when the past's openings of this part of the week are used up is not compared.

Features are facts alone (`guard.opening`): no text, no word. Source: the statistics of rollback of the design, part 10.
"""

import math
from collections.abc import Iterable

import msgspec

from handrail.ledger.entry import InteractionFacts
from handrail.terms.ids import UseCaseId
from handrail.watch.alert import AlertKind, Raised, Severity
from handrail.watch.clock import hour_of_week

METRIC = "input"
WANTED = 100_000
LEAST_CASES = 2_000
LEAST_MS = 7 * 86_400_000
SLOTS = 28
"""Parts of the week: six hours each."""
MOST_OF_SLOT = 200
BETS = (0.25, 0.5, 1.0)
"""Parts of the amount that are bet, with equal money."""
RATE = 0.35
"""Of learning (Adagrad: Duchi, Hazan and Singer 2011)."""
HIGHEST = 1e12
FEATURES = frozenset({"size", "questions", "language", "channel", "intent", "finding", "topic"})
SHOWN = 3

Features = tuple[str, ...]


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What the present is compared with: at most `MOST_OF_SLOT` openings of each part of the week, the first ones.
    `zone`: of the parts."""

    zone: str = ""
    slots: tuple[tuple[Features, ...], ...] = ((),) * SLOTS
    first_ms: int | None = None
    learnt_ms: int | None = None

    @property
    def total(self) -> int:
        return sum(map(len, self.slots))


class Round(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`used`: openings of the past by part of the week. `amounts`: of the statistic, one per bet. `weights`, `squares`:
    of the classifier. `now`, `then`: how many openings of either kind had each feature."""

    since_ms: int = 0
    used: tuple[int, ...] = (0,) * SLOTS
    amounts: tuple[float, ...] = (0.0,) * len(BETS)
    weights: dict[str, float] = {}
    squares: dict[str, float] = {}
    now: dict[str, int] = {}
    then: dict[str, int] = {}
    pairs: int = 0

    @property
    def value(self) -> float:
        return sum(self.amounts) / len(BETS)


class Input(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one use case. `watched`: conversations that were compared, `alone` those without a partner."""

    use_case: UseCaseId
    past: Past
    wanted: int = WANTED
    round: Round = Round()
    watched: int = 0
    alone: int = 0
    alarmed: bool = False

    @property
    def cause(self) -> str:
        return f"drift/{self.use_case}/{METRIC}"


def begun(use_case: UseCaseId, zone: str, wanted: int = WANTED) -> Input:
    """One that learns from now on."""
    return Input(use_case=use_case, past=Past(zone=zone), wanted=wanted)


def answered(before: Input) -> Input:
    """Somebody has the alarm: a new round."""
    return msgspec.structs.replace(before, round=Round(), alarmed=False)


def features(facts: InteractionFacts) -> Features:
    """Of a conversation's first interaction, sorted."""
    found = {
        f"size:{facts.size}", f"questions:{facts.questions}", f"language:{facts.language}", f"channel:{facts.channel}",
        *(f"finding:{one.kind.value}" for one in facts.findings if one.new and one.side == "input"),
        *(f"topic:{one}" for one in facts.topics),
    }  # fmt: skip
    if facts.intent:
        found.add(f"intent:{facts.intent}")
    return tuple(sorted(found))


def slot_of(at_ms: int, zone: str) -> int:
    return hour_of_week(at_ms, zone) // 6


def after(before: Input, at_ms: int, opening: Features, example: str) -> tuple[Input, Raised | None]:
    """After one more conversation."""
    if before.alarmed:
        return before, None
    slot = slot_of(at_ms, before.past.zone)
    if before.past.learnt_ms is None:
        return msgspec.structs.replace(before, past=_learnt(before.past, at_ms, slot, opening)), None
    pool, turn = before.past.slots[slot], before.round
    if not turn.pairs or at_ms - turn.since_ms >= LEAST_MS:
        turn = Round(since_ms=at_ms)
    if turn.used[slot] >= len(pool):
        return msgspec.structs.replace(before, alone=before.alone + 1), None
    turn = _paired(turn, opening, pool[turn.used[slot]], slot)
    now = msgspec.structs.replace(before, round=turn, watched=before.watched + 1)
    if turn.value < before.wanted:
        return now, None
    return msgspec.structs.replace(now, alarmed=True), _raised(now, at_ms, example)


def payoff(score: float) -> tuple[float, ...]:
    """What each bet gets back for a difference of scores: 1 on average where the two could be swapped."""
    lead = math.tanh(score / 2)  # 2/(1 + exp(-d)) - 1
    return tuple(1 + part * lead for part in BETS)


def _paired(turn: Round, now: Features, then: Features, slot: int) -> Round:
    """The bet first, with what the classifier knew before; then it learns."""
    here, there = set(now), set(then)
    only = [(name, 1.0) for name in sorted(here - there)] + [(name, -1.0) for name in sorted(there - here)]
    score = sum(sign * turn.weights.get(name, 0.0) for name, sign in only)
    amounts = tuple(
        min((1 + amount) * factor, HIGHEST) for amount, factor in zip(turn.amounts, payoff(score), strict=True)
    )
    weights, squares = dict(turn.weights), dict(turn.squares)
    wrong = 1 / (1 + math.exp(min(score, 500.0)))
    for name, sign in only:
        squares[name] = squares.get(name, 0.0) + wrong**2
        weights[name] = weights.get(name, 0.0) + RATE * sign * wrong / math.sqrt(1.0 + squares[name])
    return Round(
        since_ms=turn.since_ms, used=_plus(turn.used, slot), amounts=amounts, weights=weights, squares=squares,
        now=_counted(turn.now, now), then=_counted(turn.then, then), pairs=turn.pairs + 1,
    )  # fmt: skip


def _learnt(past: Past, at_ms: int, slot: int, opening: Features) -> Past:
    first = at_ms if past.first_ms is None else past.first_ms
    slots = past.slots
    if len(slots[slot]) < MOST_OF_SLOT:
        slots = (*slots[:slot], (*slots[slot], opening), *slots[slot + 1 :])
    done = sum(map(len, slots)) >= LEAST_CASES and at_ms - first >= LEAST_MS
    return msgspec.structs.replace(past, slots=slots, first_ms=first, learnt_ms=at_ms if done else None)


def apart(turn: Round) -> list[tuple[str, float, float]]:
    """Features that differ most, with their shares now and then: by how many standard errors, the grown ones first."""

    def far(name: str) -> float:
        now, then, cases = turn.now.get(name, 0), turn.then.get(name, 0), max(turn.pairs, 1)
        return (now - then) / math.sqrt(max(now + then - (now + then) ** 2 / (2 * cases), 1.0))

    names = sorted({*turn.now, *turn.then}, key=lambda name: (-far(name), name))
    return [(name, turn.now.get(name, 0) / turn.pairs, turn.then.get(name, 0) / turn.pairs) for name in names[:SHOWN]]


def in_words(feature: str) -> str:
    """`size:8` is a length of 128 to 255 characters."""
    name, _, value = feature.partition(":")
    if name == "size":
        size = int(value)
        return f"a length of {1 << (size - 1)} to {(1 << size) - 1} characters" if size else "no text"
    if name == "questions":
        return {"0": "no question mark", "3": "3 or more question marks"}.get(value, f"{value} question marks")
    if name == "topic":
        return f"words of topic bucket {value}"
    if name == "finding":
        return f"a finding {value}"
    return f"{name} {value or 'unknown'}"


def _raised(now: Input, at_ms: int, example: str) -> Raised:
    turn = now.round
    grown = ", ".join(f"{in_words(name)} in {new:.0%} (past {old:.0%})" for name, new, old in apart(turn))
    return Raised(
        cause=now.cause, kind=AlertKind.DRIFT, severity=Severity.WARNING, use_case=now.use_case, metric=METRIC,
        sentence=(
            f"What customers of {now.use_case} open with can be told from its past, over {turn.pairs} pairs of "
            f"conversations: {grown}."
        ),
        promise=(
            f"Where nothing has changed, this alarms at most once in {now.wanted:,} conversations on average. A topic "
            "bucket holds many words; look at a conversation to see which."
        ),
        example=example, at_ms=at_ms,
    )  # fmt: skip


def _counted(counts: dict[str, int], opening: Iterable[str]) -> dict[str, int]:
    more = dict(counts)
    for name in opening:
        more[name] = more.get(name, 0) + 1
    return more


def _plus(counts: tuple[int, ...], slot: int) -> tuple[int, ...]:
    return (*counts[:slot], counts[slot] + 1, *counts[slot + 1 :])
