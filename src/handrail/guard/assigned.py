"""Which release answers a conversation: drawn at its first turn, kept after that.

A conversation that is known goes on with the release it began on, also when the share grows; only a release that was
rolled back for safety, or left so long ago that nothing holds it any more, gives it up, and the live one answers from
that turn on. One whose beginning is not known is on the live release and in no comparison.

When storage cannot answer, nothing is drawn and the request is refused (JOURNAL_UNAVAILABLE), as everywhere.
"""

import msgspec

from handrail.guard.caller import Caller, Draws
from handrail.guard.ports import Thread, Threads
from handrail.guard.turn import Turn
from handrail.policy.ramp import HeldOut, Ramp, UnitKind
from handrail.policy.ruleset import Mode
from handrail.releases.assign import Arm, Drawn, drawn, held_out, quarter_salt, unit_of
from handrail.releases.lifecycle import Rollout

SAYS_NOTHING = frozenset({"embeddings"})
"""Routes whose answers no customer reads: a call there begins no unit, and the conversation is drawn at its first
answer all the same."""


async def assigned(
    caller: Caller, draws: Draws, threads: Threads, thread: Thread, turn: Turn, now_ms: int
) -> tuple[Thread, Caller]:
    """The conversation with what was drawn for it, and its caller on the release that answers."""
    if thread.release is not None:
        return thread, _kept(caller, draws, thread)
    if turn.route in SAYS_NOTHING:
        return thread, caller
    found = None
    if not thread.unlinked:
        found = await _draw(caller, draws, threads, thread, turn, now_ms)
    if found is None:
        return msgspec.structs.replace(thread, release=caller.live.digest), caller
    thread = threads.assign(thread, found)
    return thread, _kept(caller, draws, thread)


def _kept(caller: Caller, draws: Draws, thread: Thread) -> Caller:
    release, had = thread.release, thread.drawn
    other = None if release is None else draws.others.get(release)
    if other is None or release is None:
        return caller
    run = draws.running.runs.get(release)
    if run is not None and (had is None or had.run != run):
        return caller  # it was drawn by an earlier start of this release, which has ended
    return other


async def _draw(
    caller: Caller, draws: Draws, threads: Threads, thread: Thread, turn: Turn, now_ms: int
) -> Drawn | None:
    ramp, rollout = draws.ramp, draws.running.rollout
    customer = None if turn.customer is None else thread.subject.id
    if ramp is not None and ramp.hold_out and caller.use_case.mode is Mode.ENFORCE:
        held = _held(caller, draws, ramp, unit_of(ramp.unit, thread.conversation, customer, now_ms), now_ms)
        if held is not None:
            return held
    if rollout is None or rollout.ramp is None:
        return None
    unit = unit_of(rollout.ramp.unit, thread.conversation, customer, now_ms)
    found = drawn(rollout, unit, attributes_of(caller, turn))
    if found is None or rollout.ramp.unit is UnitKind.CONVERSATION:
        return found
    return await _as_before(threads, rollout, found)


def _held(caller: Caller, draws: Draws, ramp: Ramp, unit: str, now_ms: int) -> Drawn | None:
    if not held_out(quarter_salt(caller.use_case.id, now_ms), unit, ramp.hold_out):
        return None
    release = caller.live.digest
    if ramp.hold_out_by is HeldOut.PREVIOUS:
        if draws.running.previous not in draws.others:
            return None  # nothing was live before
        release = draws.running.previous or release
    return Drawn(release=release, arm=Arm.HOLD_OUT, unit=unit, share=ramp.hold_out)


async def _as_before(threads: Threads, rollout: Rollout, found: Drawn) -> Drawn:
    """A unit of several conversations keeps what its first one drew."""
    before = await threads.unit(rollout.release, rollout.run, found.unit)
    if before is None:
        return found
    release = before.release or rollout.control or found.release
    return msgspec.structs.replace(before, release=release)


def attributes_of(caller: Caller, turn: Turn) -> dict[str, str]:
    """What a pilot stage may choose by. Channel and region are what the client says, within what the use case declares:
    of any other the conversation is in no pilot."""
    return {
        "channel": turn.channel if turn.channel in caller.use_case.channels else "",
        "region": turn.region if turn.region in caller.use_case.regions else "",
        "audience": caller.use_case.audience.value,
        "agent": caller.key.agent,
        "key": caller.key.id,
    }


def stays_without(caller: Caller, thread: Thread) -> Ramp | None:
    """Whether a conversation of the hold-out is answered by the hand-over sentence: the ramp that says so."""
    ramp = caller.use_case.ramp
    out = thread.drawn is not None and thread.drawn.arm is Arm.HOLD_OUT
    return ramp if out and ramp is not None and ramp.hold_out_by is HeldOut.HANDOVER else None
