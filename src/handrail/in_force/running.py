"""The rollouts that the request path must know of: which draws now, and which releases conversations may still hold;
pure."""

from collections.abc import Callable, Container, Iterable

import msgspec

from handrail.releases.lifecycle import Rollout, State
from handrail.releases.release import LiveRelease
from handrail.terms.ids import Digest, UseCaseId

HELD_MS = 7 * 86_400_000
"""A conversation may go on for so long on a release that was left without harm: promoted over, rolled back by hand."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Of one use case. `rollout`: the canary; None: nothing is drawn. `held`: releases other than the live one that a
    conversation goes on with, and the runs in which it may have been drawn (empty: any). `previous`: what was live
    before. A release that was rolled back for safety is not among them: its conversations move to what is live."""

    rollout: Rollout | None = None
    held: dict[Digest, LiveRelease] = {}
    runs: dict[Digest, int] = {}
    previous: Digest | None = None


def running(
    rollouts: Iterable[Rollout],
    live: dict[UseCaseId, LiveRelease],
    release: Callable[[Digest], LiveRelease],
    now_ms: int,
    compared: Container[UseCaseId] = (),
) -> dict[UseCaseId, Running]:
    """By use case; without those that hold nothing. `rollouts`: all, newest first. `compared`: use cases whose
    permanent hold-out is answered by what was live before, so that it is held for as long as that lasts."""
    found: dict[UseCaseId, Running] = {}
    every = list(rollouts)
    unsafe = {one.release for one in every if one.state is State.ROLLED_BACK and one.safety}
    for one in every:
        now = live.get(one.use_case)
        if now is None or one.ramp is None:
            continue
        had = found.get(one.use_case) or Running()
        names: list[Digest] = []
        if one.state is State.CANARY:
            had = msgspec.structs.replace(had, rollout=one, runs={**had.runs, one.release: one.run})
            names.append(one.release)
        elif one.state is State.ROLLED_BACK and not one.safety and _recent(one.ended_at, now_ms):
            had = msgspec.structs.replace(had, runs={**had.runs, one.release: one.run})
            names.append(one.release)
        elif one.state is State.LIVE and one.control is not None:
            had = msgspec.structs.replace(had, previous=had.previous or one.control)
            if _recent(one.stage_at, now_ms) or one.use_case in compared:
                names.append(one.control)
        elif one.state is State.RETIRED and one.control is not None and _recent(one.stage_at, now_ms):
            names.append(one.control)  # promoted over twice within the time that a conversation may go on
        new = {name: release(name) for name in names if name not in {now.digest, *unsafe, *had.held}}
        had = msgspec.structs.replace(had, held={**had.held, **new})
        if had != Running():
            found[one.use_case] = had
    return found


def _recent(at_ms: int | None, now_ms: int) -> bool:
    return at_ms is not None and now_ms - at_ms < HELD_MS
