"""Drills as jobs: what the routes declare is planned each week, and what is due enters the queue at its time."""

import logging
from typing import TYPE_CHECKING

from handrail.app import wire
from handrail.app.wire.acting import OnceActing
from handrail.in_force.snapshot import InForce

if TYPE_CHECKING:
    from handrail.app.wire import Store

log = logging.getLogger("handrail.drills")


async def schedule_drills(in_force: InForce, acting: OnceActing) -> None:
    """Nothing when no route declares any, so that a server without tools keeps what acts out of its memory."""
    snapshot = in_force.current
    if snapshot is None or not any(route.drills_a_week for route in snapshot.ruleset.actions.routes):
        return
    planned = await acting.made().drilling.schedule(snapshot)
    if planned:
        log.info("drills.planned", extra={"count": planned})


async def put_drills(store: "Store", in_force: InForce, acting: OnceActing) -> None:
    """What is due. Which action is a drill is not logged: approvers may read logs."""
    snapshot = in_force.current
    next_at = await store.acts.next_drill()
    if snapshot is None or next_at is None or next_at > wire.CLOCK.now_ms():
        return
    made, skipped = await acting.made().drilling.due(snapshot, acting.prepared(snapshot))
    if made or skipped:
        log.info("drills.put", extra={"count": len(made), "skipped": len(skipped)})
