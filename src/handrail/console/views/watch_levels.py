"""How far an AI may go, why that may rise or not, and what moved it lately; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from handrail.console.views.overview import AUTONOMY
from handrail.console.views.use_cases_words import TYPES
from handrail.console.visitor import Visitor
from handrail.console.words import N_, Words
from handrail.governance.autonomy_desk import AutonomyFacts
from handrail.governance.demote import ASKED_MS, Bar, Demotion, declared, effective, needs_two
from handrail.ledger.commitment import RecordedFacts
from handrail.ledger.entry import EntryKind
from handrail.people.authorise import MAY, Act
from handrail.policy.autonomy import is_below, least, raised
from handrail.policy.ruleset import UseCase
from handrail.terms.action import ActionType
from handrail.terms.actor import ActorKind

MOVES = {
    EntryKind.AUTONOMY_DEMOTED.value: ("hold", N_("Lowered")),
    EntryKind.AUTONOMY_KEPT.value: ("", N_("The wait began anew")),
    EntryKind.AUTONOMY_ASKED.value: ("canary", N_("A first person agreed")),
    EntryKind.AUTONOMY_PROMOTED.value: ("allow", N_("Raised")),
    EntryKind.AUTONOMY_OVERRIDDEN.value: ("deny", N_("Raised although something was not met")),
}
"""Kinds of entries, in the order of their tones."""
MOST_MOVES = 5
LONGEST = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """`rises`: what it would be after the next step up; empty: it is not lowered."""

    kind: str
    type: str
    level: int
    label: str
    said: str
    lowered: str
    rises: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    tone: str
    at_ms: int
    title: str
    by: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """`bars`: met or not, in words of the record (English). `may`: this visitor may raise it now; `why_not`: why not.
    `override`: only against what is not met. `agreed`: whose yes stands. `types`: chosen already, since a second
    person agrees to exactly what the first one asked; empty: she chooses. `seen`: the version of what stands here."""

    rows: tuple[Level, ...]
    said: str
    bars: tuple[tuple[bool, str], ...]
    may: bool
    why_not: str
    override: bool
    agreed: str
    two: str
    types: tuple[str, ...]
    seen: int
    reason: str
    problem: str
    moves: tuple[Moved, ...]
    triggers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the ports gave. `moves`: facts of entries `autonomy.*` of this use case, newest first. `names`: of persons.
    `reason`, `problem`: of a form that was refused."""

    case: UseCase
    demotion: Demotion
    bars: Sequence[Bar]
    moves: Sequence[RecordedFacts]
    names: Mapping[str, str]
    reason: str = ""
    problem: str = ""


def levels(read: Read, visitor: Visitor, words: Words) -> Levels:
    demotion, now = read.demotion, words.now_ms
    kinds = tuple(demotion.levels)
    two = bool(kinds) and needs_two(read.case, kinds)
    first = demotion.asked if demotion.asked is not None and now - demotion.asked.at_ms < ASKED_MS else None
    mine = first is not None and first.by == visitor.person
    unmet = any(not bar.met for bar in read.bars)
    why_not = ""
    if kinds and not visitor.roles & MAY[Act.PROMOTE]:
        why_not = words(N_("Owners and compliance may raise it."))
    elif mine and two:
        why_not = words(N_("You have agreed. Another person, owner or compliance, must too."))
    second = first is not None and not mine and two
    return Levels(
        rows=tuple(_rows(read, words)), said=_said(read, words),
        bars=tuple((bar.met, bar.said) for bar in read.bars), may=bool(kinds) and not why_not, why_not=why_not,
        override=unmet,
        agreed=words(
            N_("{who} agreed {when}. The yes of another person raises it."),
            who=read.names.get(first.by, first.by), when=words.ago(first.at_ms),
        ) if first is not None and two else "",
        two=words(N_("From medium risk up two persons agree, each with this form."))
        if two and first is None else "",
        types=tuple(kind.value for kind in first.types) if second and first is not None else (),
        seen=demotion.version, reason=read.reason, problem=read.problem,
        moves=tuple(_moved(one, read.names, words) for one in read.moves[:MOST_MOVES]),
        triggers=words.plural(
            "{n} trigger lowers it by itself.", "{n} triggers lower it by themselves.",
            len(declared(read.case).triggers),
        ) if declared(read.case).triggers else words(N_("Nothing lowers it by itself: the home declares no trigger.")),
    )  # fmt: skip


def _said(read: Read, words: Words) -> str:
    if not read.demotion.levels:
        return words(N_("Nothing is lowered: it may do what the home says."))
    if any(not bar.met for bar in read.bars):
        return words(N_("It was lowered, and not all that a raise needs is met."))
    return words(N_("It was lowered, and all that a raise needs is met. A person must raise it."))


def _rows(read: Read, words: Words) -> list[Level]:
    found = []
    for kind, level in read.case.levels.items():
        one = read.demotion.levels.get(kind)
        holds = effective(level.autonomy, read.demotion, kind)
        n = int(holds.value[1]) + 1
        lowered = rises = ""
        if one is not None and is_below(holds, level.autonomy):
            lowered = words(
                N_("lowered {ago}; the home says: {level}"), ago=words.ago(one.since_ms),
                level=words(AUTONOMY[level.autonomy.value]),
            )  # fmt: skip
        if one is not None:
            rises = words(AUTONOMY[least(level.autonomy, raised(one.level)).value])
        found.append(
            Level(
                kind=kind.value, type=words(TYPES[kind]), level=n, said=words(AUTONOMY[holds.value]), lowered=lowered,
                label=words(N_("Autonomy level {n} of 5"), n=n), rises=rises,
            )
        )  # fmt: skip
    return found


def _moved(one: RecordedFacts, names: Mapping[str, str], words: Words) -> Moved:
    facts = msgspec.json.decode(one.facts, type=AutonomyFacts)
    tone, title = MOVES[one.kind]
    steps = [
        f"{words(TYPES[move.type])}: {words(AUTONOMY[move.before.value])} → {words(AUTONOMY[move.after.value])}"
        for move in facts.moves
    ]
    by = names.get(one.actor.id, one.actor.id) if one.actor.kind is ActorKind.PERSON else words(N_("by itself"))
    said = ". ".join(filter(None, [*steps, facts.sentence or facts.reason]))
    return Moved(
        tone=tone, at_ms=one.at_ms, title=words(title), by=by,
        said=trim(said, LONGEST),
    )  # fmt: skip


def trim(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def known_types(names: Sequence[str]) -> tuple[ActionType, ...]:
    """Raises ValueError for a type that there is not."""
    return tuple(ActionType(name) for name in names)
