"""How far a release has come, and the legal moves; pure.

    draft -> tested -> signed off -> canary -> live -> retired
    canary -> rolled back | draft's end by hand: retired | retired -> live: what came after it was rolled back

Every move takes what is stored and the time of its own transaction and gives what shall be stored, `version` one
higher; the store swaps it only against the version it came from. Tests and sign-offs are bound to the digest, so what
was changed starts anew. A verdict that was reached stays, with its numbers.
"""

from enum import StrEnum

import msgspec

from handrail.policy.ramp import Ramp
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, PersonId, UseCaseId


class State(StrEnum):
    """In the ledger for good."""

    DRAFT = "draft"
    TESTED = "tested"
    SIGNED_OFF = "signed_off"
    CANARY = "canary"
    LIVE = "live"
    RETIRED = "retired"
    ROLLED_BACK = "rolled_back"


OVER = frozenset({State.RETIRED, State.ROLLED_BACK})


class SignOff(msgspec.Struct, frozen=True):
    person: PersonId
    role: str
    at_ms: int


class Tested(msgspec.Struct, frozen=True):
    """What a run of its tests showed. `digest`: of the results."""

    digest: Digest
    passed: int
    failed: int
    at_ms: int


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with its numbers, for good. `numbers`: JSON of a `judge.Conclusion`."""

    verdict: str
    sentence: str
    at_ms: int
    numbers: bytes


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """`salt`: of its draw, new for each start. `run`: how often it was started. `control`: what it is compared with.
    `stage`: index into the ramp, -1: not started. `step`: grows with each change of the stage or share and is what
    units are counted under, so that no two are ever pooled. `frozen`: why the ramp stands still; empty: it does not.
    `asked`: what its owner was asked. `safety`: rolled back so that running conversations leave it at their next turn.
    """

    release: Digest
    use_case: UseCaseId
    author: str
    state: State = State.DRAFT
    version: int = 0
    created_at: int
    tested: Tested | None = None
    sign_offs: tuple[SignOff, ...] = ()
    ramp: Ramp | None = None
    salt: bytes = b""
    run: int = 0
    control: Digest | None = None
    stage: int = -1
    step: int = 0
    stage_at: int = 0
    frozen: str = ""
    asked: str = ""
    reached: Reached | None = None
    safety: bool = False
    ended_at: int | None = None

    @property
    def share(self) -> float:
        """Of new units that the canary gets now."""
        if self.state is not State.CANARY or self.ramp is None:
            return 0.0
        return self.ramp.stages[self.stage].share


def tested(before: Rollout, found: Tested) -> Rollout:
    """Its tests were run. One failure keeps it a draft. Raises RELEASE_STATE."""
    _require(before, State.DRAFT, State.TESTED, State.SIGNED_OFF, move="be tested")
    green = found.failed == 0 and found.passed > 0
    return _moved(before, state=State.TESTED if green else State.DRAFT, tested=found, sign_offs=())


def signed(before: Rollout, person: PersonId, role: str, *, needs: tuple[str, ...], now: int) -> Rollout:
    """One role's yes. `needs`: roles the use case asks for. Raises NOT_ALLOWED, RELEASE_STATE where it was given."""
    _require(before, State.TESTED, State.SIGNED_OFF, move="be signed off")
    if person == before.author:
        raise HandrailError(Code.NOT_ALLOWED, "you wrote this release: another person must sign it off")
    if role not in needs:
        raise HandrailError(Code.NOT_ALLOWED, "this use case does not ask for the role {role}", parts={"role": role})
    if any(one.person == person or one.role == role for one in before.sign_offs):
        raise HandrailError(Code.RELEASE_STATE, "this role or person has signed it off already")
    signs = (*before.sign_offs, SignOff(person, role, now))
    complete = {one.role for one in signs} >= set(needs)
    return _moved(before, state=State.SIGNED_OFF if complete else State.TESTED, sign_offs=signs)


def started(before: Rollout, ramp: Ramp, *, salt: bytes, control: Digest, used: frozenset[bytes], now: int) -> Rollout:
    """The first stage begins. `used`: salts of all earlier rollouts. Raises RELEASE_STATE: tests that are not green on
    this very digest, a missing sign-off, or a plan whose counts could not be trusted."""
    if before.state in (State.DRAFT, State.TESTED, State.SIGNED_OFF) and (lacks := lacking(before, ramp)):
        raise HandrailError(
            Code.RELEASE_STATE, "it cannot start yet: it lacks {lacks}", parts={"lacks": ", and ".join(lacks)}
        )
    _require(before, State.SIGNED_OFF if ramp.sign_offs else State.TESTED, State.SIGNED_OFF, move="start")
    require_ramp(ramp)
    if salt in used or len(salt) < 16:
        raise HandrailError(
            Code.RELEASE_STATE, "a draw needs a salt of its own: with an old one the same customers would be canaries"
        )
    if control == before.release:
        raise HandrailError(Code.RELEASE_STATE, "this release is live already; there is nothing to compare it with")
    return _moved(
        before, state=State.CANARY, ramp=ramp, salt=salt, run=before.run + 1, control=control, stage=0, step=1,
        stage_at=now, frozen="", asked="", reached=None, safety=False,
    )  # fmt: skip


def lacking(before: Rollout, ramp: Ramp) -> list[str]:
    """What it needs before it may start, in words, in the order in which it is got."""
    name, found = before.release[:12], []
    if before.state is State.DRAFT:
        found.append(f"green tests on its own digest (handrail trial run --release {name})")
    if missing := sorted(set(ramp.sign_offs) - {one.role for one in before.sign_offs}):
        found.append(f"the sign-off of {', '.join(missing)} (handrail release sign {name} --as {missing[0]})")
    return found


def require_ramp(ramp: Ramp) -> None:
    """Raises RELEASE_STATE for a plan that would compare what cannot be compared."""
    if not ramp.stages:
        raise HandrailError(Code.RELEASE_STATE, "a ramp needs a stage, such as 5 %")
    for number, stage in enumerate(ramp.stages, 1):
        if not 0 < stage.share <= 1:
            raise HandrailError(
                Code.RELEASE_STATE,
                "stage {number} has the share {share}; write 0.05 for 5 %",
                parts={"number": number, "share": f"{stage.share:g}"},
            )
        if stage.share == 1 and not stage.pilot:
            raise HandrailError(
                Code.RELEASE_STATE, "with the share 1 nobody is left to compare with: promote it instead"
            )
    shares = [stage.share for stage in ramp.stages if not stage.pilot]
    if shares != sorted(shares):
        raise HandrailError(Code.RELEASE_STATE, "the shares of a ramp only grow; a smaller one needs a new start")


def advanced(before: Rollout, *, now: int) -> Rollout:
    """The next stage. Raises RELEASE_STATE when it is frozen, at its end, or before its time."""
    _require(before, State.CANARY, move="go to the next stage")
    assert before.ramp is not None
    if before.frozen:
        raise HandrailError(Code.RELEASE_STATE, "the ramp stands still: {why}", parts={"why": before.frozen})
    if before.stage + 1 >= len(before.ramp.stages):
        raise HandrailError(Code.RELEASE_STATE, "this is the last stage; promote it or roll it back")
    least = before.ramp.stages[before.stage].least_minutes
    if now < before.stage_at + least * 60_000:
        since = (now - before.stage_at) / 60_000
        raise HandrailError(
            Code.RELEASE_STATE,
            "this stage has not run for its least time: {since} of {least} minutes",
            parts={"since": f"{since:.1f}", "least": f"{least:g}"},
        )
    return _moved(before, stage=before.stage + 1, step=before.step + 1, stage_at=now, asked="")


def froze(before: Rollout, why: str, *, now: int) -> Rollout:
    """The ramp stands still and falls back to its first stage, until a person lets it go on. Nothing is decided. Raises
    RELEASE_STATE when it stands still already: why it does is not written over."""
    _require(before, State.CANARY, move="be frozen")
    if before.frozen:
        raise HandrailError(Code.RELEASE_STATE, "this ramp stands still already: {why}", parts={"why": before.frozen})
    if before.stage == 0:
        return _moved(before, frozen=why)
    return _moved(before, frozen=why, stage=0, step=before.step + 1, stage_at=now)


def thawed(before: Rollout, *, now: int) -> Rollout:
    """A person lets it go on. Raises RELEASE_STATE when it does not stand still."""
    _require(before, State.CANARY, move="go on")
    if not before.frozen:
        raise HandrailError(Code.RELEASE_STATE, "this ramp does not stand still")
    return _moved(before, frozen="", asked="it was let go on", stage_at=now)


def asked(before: Rollout, what: str) -> Rollout:
    """Its owner is asked; the share stays."""
    _require(before, State.CANARY, move="wait for its owner")
    return _moved(before, asked=what)


def drafted_again(before: Rollout, author: str, *, now: int) -> Rollout:
    """A release that is over is tried once more: as a draft, with new tests, sign-offs and salt. Raises
    RELEASE_STATE."""
    _require(before, *OVER, move="become a draft again")
    return Rollout(
        release=before.release, use_case=before.use_case, author=author, version=before.version + 1, created_at=now,
        run=before.run, salt=before.salt,
    )  # fmt: skip


def promoted(before: Rollout, *, now: int, reached: Reached | None = None) -> Rollout:
    """It answers everybody. Raises RELEASE_STATE after a verdict of worse."""
    _require(before, State.CANARY, move="be promoted")
    if before.reached is not None and before.reached.verdict == "worse":
        raise HandrailError(
            Code.RELEASE_STATE, "it was shown to be worse: {why}", parts={"why": before.reached.sentence}
        )
    return _moved(
        before,
        state=State.LIVE,
        reached=reached or before.reached,
        frozen="",
        asked="",
        ended_at=None,
        stage_at=now,
    )


def rolled_back(before: Rollout, *, now: int, safety: bool, reached: Reached | None = None) -> Rollout:
    """The old release answers every new conversation; with `safety` the running ones too, from their next turn. The
    good verdict of an earlier promotion is no reason for it, so it is left to the ledger."""
    _require(before, State.CANARY, State.LIVE, move="be rolled back")
    return _moved(
        before,
        state=State.ROLLED_BACK,
        reached=before.reached if before.reached is not None and before.reached.verdict == "worse" else reached,
        safety=safety,
        ended_at=now,
        frozen="",
        asked="",
    )


def retired(before: Rollout, *, now: int) -> Rollout:
    """Nothing new begins on it. A canary is rolled back, not retired. Raises RELEASE_STATE."""
    _require(before, State.DRAFT, State.TESTED, State.SIGNED_OFF, State.LIVE, move="be retired")
    return _moved(before, state=State.RETIRED, ended_at=now)


def restored(before: Rollout) -> Rollout:
    """Live again, because what had been promoted over it was rolled back."""
    _require(before, State.RETIRED, move="be live again")
    return _moved(before, state=State.LIVE, ended_at=None)


def _require(before: Rollout, *states: State, move: str) -> None:
    if before.state not in states:
        wanted = " or ".join(sorted({state.value.replace("_", " ") for state in states}))
        raise HandrailError(
            Code.RELEASE_STATE,
            "a release that is {state} cannot {move}; expected {wanted}",
            parts={"state": before.state.value.replace("_", " "), "move": move, "wanted": wanted},
        )


def _moved(before: Rollout, **changes: object) -> Rollout:
    return msgspec.structs.replace(before, version=before.version + 1, **changes)
