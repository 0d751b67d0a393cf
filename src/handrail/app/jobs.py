"""The jobs process: what runs beside the request path, and when.

| job | when |
|---|---|
| publish the log (one leader per database) | each second, or at once when 1,000 entries wait |
| judge releases that run as canaries (one judge per database) | each second |
| say when one that was rolled back for safety still answers | each 10 seconds |
| close interactions whose process died | each 10 seconds |
| try outcome events again that matched no conversation | each 10 seconds, those that are due |
| carry out approved actions, expire and escalate held ones, ask about silent claims | four times a second |
| send notices that are due | twice a second |
| put due drills into the queue of held actions | each 10 seconds; a route's own are planned each hour |
| run live probes, of the use cases that declare some | each 10 seconds, those that are due |
| lower autonomy, of the use cases that declare triggers | each second; what is counted each half minute |
| watch: how conversations open, minutes that are over | each 5 seconds, by whichever process counts one first |
| watch: triggers, minutes that are over, alerts that nobody answered | each 5 seconds, by one of several servers |
| end what waits for a process that is gone | each second |
| apply retention | at the start, then each hour |
| fill columns that rows of an older handrail do not have | from the start until all are, 20 steps a second |
| rotate the sealing key | when the newest is 7 days old, looked at each hour |

A job that fails says so in the log and runs again at its next time; it never ends the process.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from handrail.app import wire
from handrail.app.carry import EARLY_MS, EVERY_S, Carrying
from handrail.app.child import begin, give_back, settle
from handrail.app.demoting import EVERY_S as DEMOTE_S
from handrail.app.demoting import demoting
from handrail.app.drills import put_drills, schedule_drills
from handrail.app.forgetting import forget_units
from handrail.app.judging import EVERY_S as JUDGE_S
from handrail.app.judging import judging
from handrail.app.notify import EVERY_S as NOTIFY_S
from handrail.app.notify import Notifying
from handrail.app.openings import EVERY_S as OPENINGS_S
from handrail.app.openings import WatchingOpenings
from handrail.app.plan import Plan
from handrail.app.probes import EVERY_S as PROBES_S
from handrail.app.probes import Probing
from handrail.app.provider_keys import without_key
from handrail.app.settings import Secrets, environment
from handrail.app.supervise import Life
from handrail.app.watching import EVERY_S as WATCH_S
from handrail.app.watching import Watching
from handrail.app.wire.acting import OnceActing
from handrail.in_force.follow import follow, look
from handrail.in_force.snapshot import InForce
from handrail.ledger.entry import Entry, EntryKind
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId, made_at_ms

if TYPE_CHECKING:
    from handrail.app.wire import Sequencer, Store
    from handrail.app.wire.notices import Delivery

log = logging.getLogger("handrail.jobs")
BY = Actor(ActorKind.SYSTEM, "jobs")
HOUR_S = 3_600.0
SILENT_S = 1.0
"""Between two looks for processes of `handrail mcp` that went silent."""
SWEEP_S = 10.0
MATCHES = 2_000
"""Outcome events tried again at a time."""
SETTLED_S = 1.0
"""After the start: by then every job has run once."""
GC_THRESHOLDS = (700, 10, 10)
"""Python's own."""
FILL_S = 0.05
"""Between two steps: the writer is busy with a tenth of it."""
ROTATE_AFTER_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Jobs:
    """`told`: the plan (`app.plan`)."""

    told: bytes

    def __call__(self, life: Life) -> int:
        return uvloop.run(self._run(life, begin(self.told), environment()))

    async def _run(self, life: Life, plan: Plan, env: Mapping[str, str]) -> int:
        async with wire.opened(plan.settings, env, checkpoints=True) as store:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
            loop.add_reader(life.parent, stop.set)
            in_force = InForce()
            await look(in_force, store.in_force, wire.CLOCK)
            if in_force.current is not None:
                for provider, why in without_key(in_force.current, Secrets(plan.settings.home, env)).items():
                    log.warning("provider.no_key", extra={"provider": provider, "reason": why})
            await store.journal.record(_moment(EntryKind.SERVER_STARTED))
            sequencer = wire.sequencer(plan.settings, env, store)
            pause = _pause_until(stop)
            acting = OnceActing(plan.settings, env, store, in_force)
            carrying = Carrying(store, in_force, acting)
            notifying = Notifying(store, lambda: _delivery(plan, env, in_force), _jitter, wire.IDS.new("ow"))
            judge = judging(store, in_force)
            watching = Watching(store, wire.IDS.new("wt"), ids=wire.IDS, clock=wire.CLOCK, in_force=in_force)
            lowering = demoting(store, in_force)
            openings = WatchingOpenings(store, in_force, ids=wire.IDS, clock=wire.CLOCK)
            tasks = [
                asyncio.create_task(_each(JUDGE_S, pause, stop, judge.round)),
                asyncio.create_task(_each(SWEEP_S, pause, stop, judge.alarm)),
                asyncio.create_task(_each(WATCH_S, pause, stop, watching.round)),
                asyncio.create_task(_each(OPENINGS_S, pause, stop, openings.round)),
                asyncio.create_task(_each(DEMOTE_S, pause, stop, lowering.round)),
                asyncio.create_task(follow(in_force, store.in_force, wire.CLOCK, on_change=store.keys.forget)),
                asyncio.create_task(
                    _each(
                        min(SWEEP_S, plan.lost_after_ms / 1000), pause, stop, lambda: _sweep(store, plan.lost_after_ms)
                    )
                ),
                asyncio.create_task(_each(SWEEP_S, pause, stop, lambda: _match(store))),
                asyncio.create_task(_each(EVERY_S, pause, stop, carrying.round)),
                asyncio.create_task(_each(NOTIFY_S, pause, stop, notifying.round)),
                asyncio.create_task(_each(HOUR_S, pause, stop, notifying.forget)),
                asyncio.create_task(_each(HOUR_S, pause, stop, lambda: _hourly(store, in_force))),
                asyncio.create_task(_each(HOUR_S, pause, stop, lambda: _fill(store, pause))),
                asyncio.create_task(_each(HOUR_S, pause, stop, lambda: schedule_drills(in_force, acting))),
                asyncio.create_task(_each(SWEEP_S, pause, stop, lambda: put_drills(store, in_force, acting))),
            ]
            life.ready()
            probing = Probing(store, in_force, plan)
            tasks.append(asyncio.create_task(_each(PROBES_S, pause, stop, probing.round)))
            tasks.append(asyncio.create_task(_each(SILENT_S, pause, stop, lambda: _unreach(store))))
            tasks.append(asyncio.create_task(_want_doors(plan.settings.boot.doors_serve, in_force, life)))
            loop.call_later(SETTLED_S, settle, *GC_THRESHOLDS)
            publishing = asyncio.create_task(
                wire.run_sequencer(
                    sequencer, now_ms=wire.CLOCK.now_ms, pause=pause, report=_report, stopped=stop.is_set
                )
            )
            await stop.wait()
            loop.remove_reader(life.parent)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, publishing, return_exceptions=True)
            await carrying.close()
            await notifying.close()
            await acting.close()
            with contextlib.suppress(HandrailError):
                await watching.close()
            with contextlib.suppress(HandrailError):
                await store.journal.record(_moment(EntryKind.SERVER_STOPPED))
            await _publish_rest(sequencer)
        return 0


async def _unreach(store: "Store") -> None:
    """What waits for a process that went silent."""
    since = await store.acts.silent_since()
    if since is None or since > wire.CLOCK.now_ms() + EARLY_MS:
        return
    from handrail.approvals.awaited import Unreach  # deferred: only processes of `handrail mcp` need it

    ended = await store.journal.run(Unreach(ids=wire.IDS))
    if ended:
        log.warning("actions.unreachable", extra={"actions": ended})


async def _want_doors(serve: str, in_force: InForce, life: Life) -> None:
    """Asks once for the process of the MCP door, as soon as it is needed."""
    while serve != "never":
        snapshot = in_force.current
        kinds = {str(one.kind) for one in snapshot.ruleset.upstreams.values()} if snapshot is not None else set()
        if serve == "always" or "mcp" in kinds:
            life.want()
            return
        await asyncio.sleep(EVERY_S)


def _delivery(plan: Plan, env: Mapping[str, str], in_force: InForce) -> "Delivery":
    from handrail.app.wire.notices import Delivery  # deferred: a server without receivers keeps no sender in memory

    return Delivery(plan.settings, env, in_force)


def _jitter() -> float:
    from handrail.app.wire.notices import jitter  # deferred: as above

    return jitter()


def _moment(kind: EntryKind) -> Entry:
    return Entry(id=EntryId(wire.IDS.new("en")), kind=kind, at_ms=wire.CLOCK.now_ms(), actor=BY)


def _pause_until(stop: asyncio.Event) -> Callable[[float], Awaitable[None]]:
    async def pause(seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)

    return pause


async def _each(
    seconds: float,
    pause: Callable[[float], Awaitable[None]],
    stop: asyncio.Event,
    work: Callable[[], Awaitable[None]],
) -> None:
    while not stop.is_set():
        try:
            await work()
        except HandrailError as error:
            log.warning("jobs.failed", extra={"code": error.code.value})
        except Exception:  # the job, not the process: the next time may go well
            log.exception("jobs.broken")
        await pause(seconds)


async def _sweep(store: "Store", lost_after_ms: int) -> None:
    give_back()  # what a large batch of the log took
    closed = await store.erasing.interrupted(older_than_ms=lost_after_ms, by=BY)
    if closed:
        log.warning("jobs.interrupted", extra={"interactions": closed})


async def _match(store: "Store") -> None:
    await store.outcomes.match(limit=MATCHES)


async def _fill(store: "Store", pause: Callable[[float], Awaitable[None]]) -> None:
    while await store.filling.step():
        await pause(FILL_S)


async def _hourly(store: "Store", in_force: InForce) -> None:
    if in_force.current is not None:
        for name, use_case in in_force.current.ruleset.use_cases.items():
            days = use_case.retention
            await store.erasing.expire(name, keep_days=days.payload_days, minimum_days=days.minimum_days, by=BY)
            await store.erasing.expire_actions(name, keep_days=days.payload_days, minimum_days=days.minimum_days, by=BY)
        await forget_units(store, in_force.current.ruleset.use_cases, wire.CLOCK.now_ms())
    made = [made_at_ms(name) for name in store.keys.folder.names() if name.startswith("intermediate-")]
    if made and wire.CLOCK.now_ms() - max(made) >= ROTATE_AFTER_MS:
        await store.erasing.rotate(by=BY)


def _report(outcome: object) -> None:
    if isinstance(outcome, HandrailError):
        level = logging.ERROR if outcome.code is Code.LOG_CONFLICT else logging.WARNING
        log.log(level, "log.unpublished", extra={"code": outcome.code.value, "reason": outcome.message})
    elif isinstance(outcome, Exception):
        log.warning("log.unpublished", extra={"reason": type(outcome).__name__})


async def _publish_rest(sequencer: "Sequencer") -> None:
    """What is journaled by now, under a last checkpoint; what fails is published at the next start."""
    with contextlib.suppress(HandrailError, OSError):
        while await sequencer.step(wire.CLOCK.now_ms()) is not None:
            pass
        await sequencer.close()
