"""Which alert a move of a rollout or of a level is, for its use case's owner; pure."""

from handrail.governance.demote import Happened, Move
from handrail.releases.lifecycle import Rollout, State
from handrail.terms.ids import UseCaseId
from handrail.watch.alert import AlertKind, Raised, Severity


def raised_by(rollout: Rollout, now: int) -> Raised | None:
    """Of what the judge did; None: nobody need be told at once."""
    alpha = rollout.ramp.alpha if rollout.ramp is not None else 0.01
    name = rollout.release[:12]
    by_chance = f"less than once in {round(1 / alpha):,} releases that are no worse"
    if rollout.state is State.ROLLED_BACK and rollout.asked:
        what, severity, promise = "still_answering", Severity.CRITICAL, "never without a reason"
        sentence = f"Release {name} was rolled back for safety and still answered a minute later. Restart the servers."
    elif rollout.state is State.ROLLED_BACK and rollout.safety:
        what, severity, promise = "rolled_back", Severity.CRITICAL, by_chance
        sentence = rollout.reached.sentence if rollout.reached is not None else f"Release {name} was rolled back."
    elif rollout.state is State.CANARY and rollout.frozen:
        what, severity, promise = "frozen", Severity.WARNING, by_chance
        sentence = f"The ramp of release {name} stands still: {rollout.frozen}."
    elif rollout.state is State.CANARY and rollout.asked:
        what, severity, promise = "asked", Severity.INFO, "each time a release waits for its owner"
        sentence = f"Release {name} waits for its owner: {rollout.asked}."
    else:
        return None
    return Raised(
        cause=f"release.{rollout.release}.{rollout.run}.{what}", kind=AlertKind.RELEASE, severity=severity,
        use_case=UseCaseId(rollout.use_case), metric=f"release.{what}", sentence=sentence, promise=promise, at_ms=now,
    )  # fmt: skip


def over(rollout: Rollout) -> tuple[str, ...]:
    """Causes of alerts that have nothing left to ask of anybody, once a rollout is as it is: that it stood still, or
    waited for its owner."""
    waits = rollout.state is State.CANARY
    found = {"frozen": waits and rollout.frozen, "asked": waits and rollout.asked}
    return tuple(f"release.{rollout.release}.{rollout.run}.{what}" for what, still in found.items() if not still)


def raised_by_demotion(use_case: UseCaseId, one: Happened, moves: tuple[Move, ...], now: int) -> Raised:
    """Of levels that a trigger lowered."""
    said = ", ".join(f"{move.type.value} from {move.before.value} to {move.after.value}" for move in moves)
    why = one.sentence.removesuffix(".")
    sentence = (
        f"In {use_case} autonomy was lowered ({said}): {why}. A person may promote it again, see handrail "
        f"autonomy show {use_case}."
    )
    return Raised(
        cause=f"autonomy/{use_case}/{one.key}", kind=AlertKind.AUTONOMY, severity=Severity.CRITICAL, use_case=use_case,
        metric="autonomy", sentence=sentence, promise="Told by rule, each time that levels are lowered.",
        example=one.about, at_ms=now,
    )  # fmt: skip
