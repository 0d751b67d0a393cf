"""Commands on releases. Each is called with a transaction: the move, its entry and what the request path must see of it
commit together or not at all. Time is the database's.

Who may: publishing roles make, test and retire; owner and compliance sign off; owner or approver start, move on and
promote; anybody who works here may freeze a ramp or roll it back. The author of a release signs nothing of it off and
does not start or promote it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from handrail.ledger.entry import Entry, EntryKind
from handrail.people.acting import acting, person_of
from handrail.people.authorise import Act
from handrail.people.role import Role
from handrail.policy.ramp import Past, Ramp
from handrail.releases import lifecycle
from handrail.releases.lifecycle import Reached, Rollout, State, Tested
from handrail.releases.past import Before, with_past
from handrail.releases.record import RolloutFacts, entry_of
from handrail.releases.release import Release
from handrail.releases.store import ReleaseTransaction
from handrail.releases.unit import UnitRow
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, EntryId, Ids, PersonId, UseCaseId

Bars = Callable[[ReleaseTransaction, Rollout], str]
"""Why a release may not go on now, such as an open incident; empty: it may."""
Beside = Callable[[ReleaseTransaction, Rollout], None]
"""What more belongs into the commit of a move, such as an incident, or the end of an alert."""
JUDGE = Actor(ActorKind.SYSTEM, "judge")
RESTORE = Actor(ActorKind.SYSTEM, "restore")
SALT = 16


_ONWARD = frozenset({EntryKind.RELEASE_ADVANCED, EntryKind.RELEASE_PROMOTED})


def draft(tx: ReleaseTransaction, ids: Ids, release: Digest, use_case: UseCaseId, by: Actor) -> bool:
    """Make a draft of a release that is stored, within a command. False: it is one already, or further."""
    known = tx.rollouts.find(release)
    if known is None:
        made = Rollout(release=release, use_case=use_case, author=by.id, created_at=tx.now_ms)
        tx.rollouts.add(made)
    elif known.state in lifecycle.OVER:
        made = lifecycle.drafted_again(known, by.id, now=tx.now_ms)
        tx.rollouts.swap(known, made)
    else:
        return False
    tx.append(entry_of(ids, EntryKind.RELEASE_DRAFTED, made, by, tx.now_ms))
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDraft:
    """By hand: a release as JSON gives it, or the live one with changes. Raises NOT_FOUND for a use case that is not in
    force, RELEASE_STATE for one without a ramp."""

    ids: Ids
    use_case: UseCaseId
    change: Callable[[Release], Release]
    digest: Callable[[Release], Digest]
    token: str | None = None

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        by = acting(tx, self.token, Act.PUBLISH)
        ramp_in_force(tx, self.use_case)
        live = tx.releases.live().get(self.use_case)
        if live is None:
            raise HandrailError(Code.NOT_FOUND, "nothing is live for this use case; run: handrail publish")
        release = self.change(tx.releases.get(live))
        name = self.digest(release)
        if name == live:
            raise HandrailError(Code.ALREADY, "nothing is different from the live release")
        if tx.releases.put(name, release, by=by, at_ms=tx.now_ms):
            facts = RolloutFacts(release=name, state=State.DRAFT, author=by.id)
            tx.append(
                Entry(
                    id=EntryId(self.ids.new("en")), kind=EntryKind.RELEASE_PUBLISHED, at_ms=tx.now_ms, actor=by,
                    facts=facts, about=name, use_case=self.use_case, release=name,
                )
            )  # fmt: skip
        if not draft(tx, self.ids, name, self.use_case, by):
            raise HandrailError(
                Code.ALREADY,
                "release {release} is known already; see handrail release status",
                parts={"release": name[:12]},
            )
        return tx.rollouts.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTests:
    """What its tests showed. `digest`: SHA-256 of the results. `answered`: releases that the results name, where
    they do; those of another release are worth nothing (RELEASE_STATE)."""

    ids: Ids
    release: str
    passed: int
    failed: int
    digest: Digest
    token: str | None = None
    answered: frozenset[str] = frozenset()

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        by = acting(tx, self.token, Act.PUBLISH)
        before = tx.rollouts.named(self.release)
        others = self.answered - {before.release}
        if others:
            raise HandrailError(
                Code.RELEASE_STATE,
                "these are results of release {other}; run the tests on {release} itself",
                parts={"other": min(others)[:12], "release": before.release[:12]},
            )
        found = Tested(digest=self.digest, passed=self.passed, failed=self.failed, at_ms=tx.now_ms)
        after = lifecycle.tested(before, found)
        tx.rollouts.swap(before, after)
        tx.append(
            entry_of(
                self.ids, EntryKind.RELEASE_TESTED, after, by, tx.now_ms, passed=self.passed, failed=self.failed,
                results=self.digest,
            )
        )  # fmt: skip
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One role's yes, of a person who has the role and did not write the release."""

    ids: Ids
    release: str
    role: str
    token: str | None = None

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        by = acting(tx, self.token, Act.SIGN_OFF)
        if self.token is None:
            raise HandrailError(Code.NOT_ALLOWED, "a sign-off is a person's: make one with handrail person first")
        person = person_of(tx, self.token)
        before = tx.rollouts.named(self.release)
        _require_not_its_writer(tx, before, by)
        if self.role not in {role.value for role in person.roles}:
            raise HandrailError(Code.NOT_ALLOWED, "you do not have the role {role}", parts={"role": self.role})
        needs = ramp_in_force(tx, UseCaseId(before.use_case)).sign_offs
        after = lifecycle.signed(before, person.id, self.role, needs=needs, now=tx.now_ms)
        tx.rollouts.swap(before, after)
        tx.append(entry_of(self.ids, EntryKind.RELEASE_SIGNED_OFF, after, by, tx.now_ms, role=self.role))
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first stage of the ramp that is in force, under a new salt, against what is live. `past`: how the live
    release's units were measured, for a ramp that judges by percentiles (`app.starting` reads it)."""

    ids: Ids
    release: str
    token: str | None = None
    bars: Bars | None = None
    past: Before | None = None

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        before = tx.rollouts.named(self.release)
        by = _by_another(tx, self.token, before)
        _require_free(tx, before, self.bars)
        ramp = ramp_in_force(tx, UseCaseId(before.use_case))
        control = tx.releases.live().get(UseCaseId(before.use_case))
        if control is None:
            raise HandrailError(Code.RELEASE_STATE, "nothing is live that it could be compared with")
        ramp = with_past(ramp, self.past, control)
        used = frozenset(one.salt for one in tx.rollouts.all() if one.salt)
        salt = self.ids.token(SALT)
        after = lifecycle.started(before, ramp, salt=salt, control=control, used=used, now=tx.now_ms)
        tx.rollouts.swap(before, after)
        tx.bump_epoch()
        tx.append(entry_of(self.ids, EntryKind.RELEASE_STARTED, after, by, tx.now_ms, pasts=_pasts(ramp)))
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """The next stage, by a person: its least time is kept, its least units are the person's to judge."""

    ids: Ids
    release: str
    token: str | None = None
    bars: Bars | None = None
    beside: Beside | None = None

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        before = tx.rollouts.named(self.release)
        by = _by_another(tx, self.token, before)
        _require_free(tx, before, self.bars)
        return _with(self.beside, tx, advance(tx, self.ids, before, by))


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    ids: Ids
    release: str
    token: str | None = None

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        by = acting(tx, self.token, Act.ROLL_BACK)
        return freeze(tx, self.ids, tx.rollouts.named(self.release), by, "frozen by a person")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thaw:
    """Let a ramp that stands still go on, from its first stage."""

    ids: Ids
    release: str
    token: str | None = None
    beside: Beside | None = None

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        before = tx.rollouts.named(self.release)
        by = _by_another(tx, self.token, before)
        after = lifecycle.thawed(before, now=tx.now_ms)
        tx.rollouts.swap(before, after)
        tx.append(entry_of(self.ids, EntryKind.RELEASE_THAWED, after, by, tx.now_ms))
        return _with(self.beside, tx, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Every new conversation gets it. Running ones end on the release they began on."""

    ids: Ids
    release: str
    token: str | None = None
    bars: Bars | None = None
    beside: Beside | None = None

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        before = tx.rollouts.named(self.release)
        by = _by_another(tx, self.token, before)
        _require_free(tx, before, self.bars)
        return _with(self.beside, tx, promote(tx, self.ids, before, by))


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """By a person. `safety`: running conversations leave it at their next turn; else they may end on it. `beside`: as
    of `Judged`. `why`: a sentence of ours that the person chose, never her own words."""

    ids: Ids
    release: str
    safety: bool = True
    token: str | None = None
    why: str = ""
    beside: Beside | None = None

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        by = acting(tx, self.token, Act.ROLL_BACK)
        before = tx.rollouts.named(self.release)
        return _with(self.beside, tx, roll_back(tx, self.ids, before, by, safety=self.safety, why=self.why))


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """A draft that will not be tried."""

    ids: Ids
    release: str
    token: str | None = None

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        before = tx.rollouts.named(self.release)
        by = acting(tx, self.token, Act.PUBLISH)
        if before.state is State.LIVE:
            raise HandrailError(Code.RELEASE_STATE, "it is live: promote another, or roll it back")
        after = lifecycle.retired(before, now=tx.now_ms)
        tx.rollouts.swap(before, after)
        tx.append(entry_of(self.ids, EntryKind.RELEASE_RETIRED, after, by, tx.now_ms))
        return after


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge found to do. `kind`: release.rolled_back, advanced, promoted, frozen or asked. `why`: of a freeze
    or a question."""

    kind: EntryKind
    why: str = ""
    reached: Reached | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Units that were folded, and what follows, in one commit. `before`: the rollout they were judged as; when it was
    moved meanwhile (LOST_RACE), nothing is kept and they are judged again. `bars`: asked before it goes on.
    `known`: units that had been folded, as the judge believes; when another folded more while this one slept
    (LOST_RACE), what it believes is of no use. `beside`: more that belongs into the same commit, such as the incident
    of a rollback."""

    ids: Ids
    holder: str
    lease_ms: int
    before: Rollout
    folded: tuple[UnitRow, ...]
    known: int = 0
    step: Step | None = None
    beside: Beside | None = None
    bars: Bars | None = None

    def __call__(self, tx: ReleaseTransaction) -> Rollout:
        """Raises LOST_RACE, also when another process judges, or folded one of the units."""
        if not tx.units.lead(self.holder, self.lease_ms):
            raise HandrailError(Code.LOST_RACE, "another process judges")
        if tx.rollouts.get(self.before.release).version != self.before.version:
            raise HandrailError(Code.LOST_RACE, "the rollout was moved meanwhile")
        if tx.units.last_folded(self.before.release, self.before.run) != self.known:
            raise HandrailError(Code.LOST_RACE, "another process folded units meanwhile")
        if not tx.units.fold(self.folded):
            raise HandrailError(Code.LOST_RACE, "a unit was folded meanwhile")
        step = self.step
        if step is not None and step.kind in _ONWARD and self.bars is not None and self.bars(tx, self.before):
            step = None  # looked at again with the next units
        return self.before if step is None else _with(self.beside, tx, self._moved(tx, step))

    def _moved(self, tx: ReleaseTransaction, step: Step) -> Rollout:
        match step.kind:
            case EntryKind.RELEASE_ROLLED_BACK:
                return roll_back(tx, self.ids, self.before, JUDGE, safety=True, reached=step.reached)
            case EntryKind.RELEASE_ADVANCED:
                return advance(tx, self.ids, self.before, JUDGE)
            case EntryKind.RELEASE_PROMOTED:
                return promote(tx, self.ids, self.before, JUDGE, reached=step.reached)
            case EntryKind.RELEASE_FROZEN:
                return freeze(tx, self.ids, self.before, JUDGE, step.why)
            case _:
                after = lifecycle.asked(self.before, step.why)
                tx.rollouts.swap(self.before, after)
                more = _numbers(step.reached)
                tx.append(entry_of(self.ids, EntryKind.RELEASE_ASKED, after, JUDGE, tx.now_ms, why=step.why, **more))
                return after


@dataclass(frozen=True, slots=True, kw_only=True)
class StillAnswering:
    """A release that was rolled back for safety answered after its time; written once for each."""

    ids: Ids
    release: Digest
    late: int
    beside: Beside | None = None

    def __call__(self, tx: ReleaseTransaction) -> bool:
        before = tx.rollouts.get(self.release)
        if before.state is not State.ROLLED_BACK or before.asked:
            return False
        after = msgspec.structs.replace(before, version=before.version + 1, asked="still answering")
        tx.rollouts.swap(before, after)
        tx.append(entry_of(self.ids, EntryKind.RELEASE_STILL_ANSWERING, after, JUDGE, tx.now_ms, late=self.late))
        if self.beside is not None:
            self.beside(tx, after)
        return True


def _with(beside: Beside | None, tx: ReleaseTransaction, after: Rollout) -> Rollout:
    if beside is not None:
        beside(tx, after)
    return after


def _by_another(tx: ReleaseTransaction, token: str | None, rollout: Rollout) -> Actor:
    """Who moves a release on: neither who made this draft of it, nor who wrote it first."""
    by = acting(tx, token, Act.RELEASE, author=PersonId(rollout.author))
    _require_not_its_writer(tx, rollout, by)
    return by


def _require_not_its_writer(tx: ReleaseTransaction, rollout: Rollout, by: Actor) -> None:
    """A release that is drafted again stays its first author's, so that nobody's yes to their own work counts."""
    if by.kind is ActorKind.PERSON and tx.releases.author(rollout.release) == by:
        raise HandrailError(Code.NOT_ALLOWED, "you wrote this release: its author cannot sign it off or move it on")


def _require_free(tx: ReleaseTransaction, rollout: Rollout, bars: Bars | None) -> None:
    why = "" if bars is None else bars(tx, rollout)
    if why:
        raise HandrailError(Code.RELEASE_STATE, why)


def ramp_in_force(tx: ReleaseTransaction, use_case: UseCaseId) -> Ramp:
    """Raises NOT_FOUND for a use case that is not in force, RELEASE_STATE for one without a ramp."""
    current = tx.rulesets.current()
    case = None if current is None else tx.rulesets.get(current).use_cases.get(use_case)
    if case is None:
        raise HandrailError(Code.NOT_FOUND, "the use case {use_case} is not in force", parts={"use_case": use_case})
    if case.ramp is None:
        raise HandrailError(
            Code.RELEASE_STATE,
            "the use case {use_case} has no ramp: its changes go live at once with handrail publish",
            parts={"use_case": use_case},
        )
    return case.ramp


def advance(tx: ReleaseTransaction, ids: Ids, before: Rollout, by: Actor) -> Rollout:
    after = lifecycle.advanced(before, now=tx.now_ms)
    tx.rollouts.swap(before, after)
    tx.bump_epoch()
    tx.append(entry_of(ids, EntryKind.RELEASE_ADVANCED, after, by, tx.now_ms))
    return after


def freeze(tx: ReleaseTransaction, ids: Ids, before: Rollout, by: Actor, why: str) -> Rollout:
    after = lifecycle.froze(before, why, now=tx.now_ms)
    tx.rollouts.swap(before, after)
    if after.step != before.step:
        tx.bump_epoch()
    tx.append(entry_of(ids, EntryKind.RELEASE_FROZEN, after, by, tx.now_ms, why=why))
    return after


def promote(tx: ReleaseTransaction, ids: Ids, before: Rollout, by: Actor, *, reached: Reached | None = None) -> Rollout:
    after = lifecycle.promoted(before, now=tx.now_ms, reached=reached)
    use_case = UseCaseId(before.use_case)
    tx.rollouts.swap(before, after)
    tx.releases.set_live(use_case, before.release, expected=before.control, at_ms=tx.now_ms)
    _retire_live(tx, ids, use_case, by, but=before.release)
    tx.bump_epoch()
    tx.append(entry_of(ids, EntryKind.RELEASE_PROMOTED, after, by, tx.now_ms))
    return after


def roll_back(
    tx: ReleaseTransaction, ids: Ids, before: Rollout, by: Actor, *, safety: bool, reached: Reached | None = None,
    why: str = "",
) -> Rollout:  # fmt: skip
    """Of a canary, or of a release that went live and whose predecessor is known: that one is live again, and a canary
    that was compared with what leaves ends."""
    after = lifecycle.rolled_back(before, now=tx.now_ms, safety=safety, reached=reached)
    tx.rollouts.swap(before, after)
    if before.state is State.LIVE:
        if before.control is None:
            raise HandrailError(Code.RELEASE_STATE, "nothing was live before it")
        end_canary(tx, ids, UseCaseId(before.use_case), by, "what it was compared with was rolled back")
        _restore(tx, ids, before.control, by)
        tx.releases.set_live(UseCaseId(before.use_case), before.control, expected=before.release, at_ms=tx.now_ms)
    tx.bump_epoch()
    tx.append(entry_of(ids, EntryKind.RELEASE_ROLLED_BACK, after, by, tx.now_ms, why=why))
    return after


def _restore(tx: ReleaseTransaction, ids: Ids, release: Digest, by: Actor) -> None:
    """A release that had been promoted over is what answers again, and can go back to its own predecessor."""
    known = tx.rollouts.find(release)
    if known is not None and known.state is State.RETIRED and known.control is not None:
        after = lifecycle.restored(known)
        tx.rollouts.swap(known, after)
        tx.append(entry_of(ids, EntryKind.RELEASE_LIVE, after, by, tx.now_ms, why="what came after it was rolled back"))


def end_canary(tx: ReleaseTransaction, ids: Ids, use_case: UseCaseId, by: Actor, why: str) -> None:
    """What is live changes outside a rollout: there is nothing left to compare a canary with, and what was live is
    over. Running conversations end on it."""
    for one in tx.rollouts.all(use_case, frozenset({State.CANARY})):
        roll_back(tx, ids, one, by, safety=False, why=why)
    _retire_live(tx, ids, use_case, by)


def end_restored(tx: ReleaseTransaction, ids: Ids) -> int:
    """After a restore, in its transaction: a canary of the backup may have been rolled back since, so it serves nobody
    until it is drafted, tested and started again. How many there were."""
    canaries = tx.rollouts.all(None, frozenset({State.CANARY}))
    for one in canaries:
        roll_back(tx, ids, one, RESTORE, safety=True, why="a backup was restored: what happened since is not known")
    return len(canaries)


def _retire_live(tx: ReleaseTransaction, ids: Ids, use_case: UseCaseId, by: Actor, but: Digest | None = None) -> None:
    for one in tx.rollouts.all(use_case, frozenset({State.LIVE})):
        if one.release != but:
            gone = lifecycle.retired(one, now=tx.now_ms)
            tx.rollouts.swap(one, gone)
            tx.append(entry_of(ids, EntryKind.RELEASE_RETIRED, gone, by, tx.now_ms))


def _numbers(reached: Reached | None) -> dict[str, object]:
    if reached is None:
        return {}
    return {"verdict": reached.verdict, "sentence": reached.sentence, "numbers": msgspec.Raw(reached.numbers)}


def _pasts(ramp: Ramp) -> dict[str, Past]:
    return {one.name.value: one.past for one in ramp.metrics if one.past is not None}


def may_sign() -> frozenset[str]:
    """Roles that a ramp can ask for."""
    return frozenset({Role.OWNER.value, Role.COMPLIANCE.value})
