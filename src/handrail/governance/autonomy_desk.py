"""Commands on lowered levels: the move, its entry and the new epoch in one transaction. Time is the database's.

Who may: a machine lowers by declared triggers and never raises. Anybody who works here may lower by hand; owner and
compliance may promote, two of them from R2 up. What the home says is read in the transaction, so a publish that comes
first is obeyed and one that comes later finds the demotion standing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from handrail.governance import demote as moves
from handrail.governance.demote import Asked, Bar, Demotion, Fallen, Figures, Happened, Move
from handrail.governance.store import AutonomyTransaction
from handrail.ledger.entry import Entry, EntryKind
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.policy.autonomy import Cause
from handrail.policy.ruleset import UseCase
from handrail.terms.action import ActionType
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, EntryId, Ids, UseCaseId

BY = Actor(ActorKind.SYSTEM, "autonomy")
LONGEST = 500
"""Characters of a reason. It names no customer."""
Standing = Callable[[AutonomyTransaction, UseCase], tuple[str, ...]]
"""Triggers of a use case that have not ended, in words: an open incident, a drift that nobody answered."""
Beside = Callable[[AutonomyTransaction, UseCase, Happened, tuple[Move, ...]], None]
"""What more belongs into the commit of a demotion, such as an alert."""


class AutonomyFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of every entry about lowered levels. `number`: of the move, within the use case, and so their order.
    `moves`: none where a trigger only begins the wait anew. `bad` of `cases`, `above`, `least`: the numbers that caused
    it. `met`, `unmet`: what a promotion needs, with its figures. `first`: the other of two persons."""

    number: int
    cause: Cause
    key: str = ""
    what: str = ""
    sentence: str = ""
    about: str = ""
    bad: int = 0
    cases: int = 0
    above: float = 0.0
    least: int = 0
    moves: tuple[Move, ...] = ()
    types: tuple[ActionType, ...] = ()
    reason: str = ""
    met: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    first: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """What a trigger leads to. None: it acted before, or the rules in force make nothing of it."""

    ids: Ids
    use_case: UseCaseId
    happened: Happened
    beside: Beside | None = None

    def __call__(self, tx: AutonomyTransaction) -> Fallen | None:
        """Raises HandrailError LOST_RACE."""
        ruleset, use_case = _in_force(tx, self.use_case)
        if use_case is None:
            return None
        before = tx.autonomy.get(self.use_case)
        made = moves.fallen(before, use_case, self.happened, tx.now_ms)
        if made is None or not tx.autonomy.spend(self.use_case, self.happened.key):
            return None
        one = self.happened
        facts = AutonomyFacts(
            number=made.after.version, cause=one.cause, key=one.key, what=one.what, sentence=one.sentence,
            about=one.about, bad=one.bad, cases=one.cases, above=made.trigger.above, least=made.trigger.least,
            moves=made.moves,
        )  # fmt: skip
        kind = EntryKind.AUTONOMY_DEMOTED if made.moves else EntryKind.AUTONOMY_KEPT
        _keep(tx, self.ids, before, made.after, kind, BY, facts, ruleset)
        if made.moves and self.beside is not None:
            self.beside(tx, use_case, one, made.moves)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoteByHand:
    """`types`: none: all. Raises HandrailError NOT_FOUND, REQUEST_INVALID, ALREADY (nothing to lower), TOKEN_INVALID or
    NOT_ALLOWED."""

    ids: Ids
    use_case: UseCaseId
    types: tuple[ActionType, ...]
    levels: int
    reason: str
    token: str | None
    beside: Beside | None = None

    def __call__(self, tx: AutonomyTransaction) -> tuple[Move, ...]:
        by = acting(tx, self.token, Act.DEMOTE)
        ruleset, use_case = _in_force(tx, self.use_case)
        if use_case is None:
            raise HandrailError(Code.NOT_FOUND, "this use case is not in force; see handrail autonomy show")
        before = tx.autonomy.get(self.use_case)
        after, made = moves.lowered_by_hand(before, use_case, self.types, self.levels, tx.now_ms)
        if not made:
            raise HandrailError(Code.ALREADY, "nothing is above A1 there; to end actions altogether: handrail stop")
        facts = AutonomyFacts(number=after.version, cause=Cause.PERSON, reason=_reason(self.reason), moves=made)
        _keep(tx, self.ids, before, after, EntryKind.AUTONOMY_DEMOTED, by, facts, ruleset)
        if self.beside is not None:
            sentence = f"a person did it ({by.id})"
            one = Happened(cause=Cause.PERSON, key=f"person/{after.version}", sentence=sentence)
            self.beside(tx, use_case, one, made)
        return made


class Promoted(msgspec.Struct, frozen=True):
    """`moves`: none when another person must agree first."""

    moves: tuple[Move, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """One level up, by a person. `types`: none: all that are lowered. `override`: although something is not met; it has
    a kind of entry of its own."""

    ids: Ids
    use_case: UseCaseId
    types: tuple[ActionType, ...]
    reason: str
    token: str | None
    standing: Standing
    override: bool = False

    def __call__(self, tx: AutonomyTransaction) -> Promoted:
        """Raises HandrailError NOT_ALLOWED with the figures of what is not met, without a token, or for the same person
        twice; NOT_FOUND when nothing is lowered; REQUEST_INVALID, TOKEN_INVALID or LOST_RACE."""
        by = acting(tx, self.token, Act.PROMOTE)
        if by.kind is not ActorKind.PERSON:
            raise HandrailError(
                Code.NOT_ALLOWED, "only a person promotes: give --token; the first one is made by handrail person first"
            )
        reason = _reason(self.reason)
        before = tx.autonomy.get(self.use_case)
        kinds = self._kinds(before)
        ruleset, use_case = _in_force(tx, self.use_case)
        found = () if use_case is None else bars_of(tx, use_case, before, kinds, self.standing)
        unmet = tuple(bar.said for bar in found if not bar.met)
        if unmet and not self.override:
            raise HandrailError(
                Code.NOT_ALLOWED, f"not yet: {'; '.join(unmet)}. Against that: --override, which is recorded as such"
            )
        override = bool(unmet)
        first = before.asked.by if before.asked is not None else ""
        met = tuple(bar.said for bar in found if bar.met)
        if moves.needs_two(use_case, kinds) and not moves.agrees(
            before, by.id, kinds, override=override, now=tx.now_ms
        ):
            if first == by.id and tx.now_ms - before.asked.at_ms < moves.ASKED_MS:  # type: ignore[union-attr]  # `first`
                raise HandrailError(Code.NOT_ALLOWED, "you have agreed already; from R2 up another person must too")
            asked = moves.asked(before, Asked(by=by.id, at_ms=tx.now_ms, types=kinds, override=override))
            facts = AutonomyFacts(
                number=asked.version, cause=Cause.PERSON, types=kinds, reason=reason, met=met, unmet=unmet
            )
            _keep(tx, self.ids, before, asked, EntryKind.AUTONOMY_ASKED, by, facts, ruleset, obeyed=False)
            return Promoted((), found)
        after, made = moves.promoted(before, use_case, kinds, tx.now_ms)
        facts = AutonomyFacts(
            number=after.version, cause=Cause.PERSON, types=kinds, reason=reason, met=met, unmet=unmet, first=first,
            moves=made,
        )  # fmt: skip
        kind = EntryKind.AUTONOMY_OVERRIDDEN if override else EntryKind.AUTONOMY_PROMOTED
        _keep(tx, self.ids, before, after, kind, by, facts, ruleset)
        return Promoted(made, found)

    def _kinds(self, before: Demotion) -> tuple[ActionType, ...]:
        kinds = tuple(kind for kind in ActionType if kind in before.levels and (not self.types or kind in self.types))
        if not kinds or set(self.types) - set(kinds):
            raise HandrailError(Code.NOT_FOUND, "no such level is lowered; see handrail autonomy show")
        return kinds


def bars_of(
    tx: AutonomyTransaction, use_case: UseCase, before: Demotion, kinds: tuple[ActionType, ...], standing: Standing
) -> tuple[Bar, ...]:
    """What a promotion of these types needs now. Counts are of whole hours after the last trigger."""
    clean = max(before.levels[kind].clean_ms for kind in kinds)
    counts = tx.autonomy.counts(use_case.id, clean // moves.HOUR_MS + 1)
    figures = Figures(counts=counts, standing=standing(tx, use_case))
    return moves.bars(use_case, clean, figures, tx.now_ms)


def _in_force(tx: AutonomyTransaction, use_case: UseCaseId) -> tuple[Digest | None, UseCase | None]:
    current = tx.rulesets.current()
    return current, None if current is None else tx.rulesets.get(current).use_cases.get(use_case)


def _reason(text: str) -> str:
    if not text.strip() or len(text) > LONGEST:
        raise HandrailError(Code.REQUEST_INVALID, f"give --reason in 1 to {LONGEST} characters, naming no customer")
    return text.strip()


def _keep(
    tx: AutonomyTransaction, ids: Ids, before: Demotion, after: Demotion, kind: EntryKind, by: Actor,
    facts: AutonomyFacts, ruleset: Digest | None, *, obeyed: bool = True,
) -> None:  # fmt: skip
    tx.autonomy.swap(before, after)
    if obeyed and facts.moves:
        tx.bump_epoch()
    tx.append(
        Entry(
            id=EntryId(ids.new("en")), kind=kind, at_ms=tx.now_ms, actor=by, facts=facts, about=after.use_case,
            use_case=after.use_case, ruleset=ruleset,
        )
    )  # fmt: skip
