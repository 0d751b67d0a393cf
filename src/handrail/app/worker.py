"""One gateway worker: the request path and nothing else.

Order of starting: storage, what is in force, detectors, then the socket is served. Order of ending: no new requests
(`gateway.draining`), running ones end, what is queued is committed, storage closes.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import uvicorn
import uvloop

from handrail import VERSION
from handrail.app import listening, telemetry, wire
from handrail.app.board import Board
from handrail.app.child import begin, settle
from handrail.app.gauges import Watched, gauges
from handrail.app.log_thread import LogThread
from handrail.app.refused import EVER, record, record_each_minute
from handrail.app.settings import Settings, environment
from handrail.app.supervise import Life
from handrail.app.wire.acting import OnceActing
from handrail.app.wire.keys import permit_keys
from handrail.app.wire.request import net as net_of
from handrail.app.wire.request import runner
from handrail.detectors.base import Text
from handrail.detectors.window import warm as warm_streams
from handrail.gateway.actions import action_routes
from handrail.gateway.decisions import decision_routes
from handrail.gateway.events import event_routes
from handrail.gateway.identity import Identity, Refusals
from handrail.gateway.metrics import Metrics
from handrail.gateway.openapi import openapi_route
from handrail.gateway.reading import reading_routes
from handrail.gateway.releases import release_routes
from handrail.gateway.request_lines import RequestLines
from handrail.gateway.routes import face_routes, own_routes
from handrail.gateway.runners import runner_routes
from handrail.gateway.server import Gateway
from handrail.guard.budgets import Budgets
from handrail.guard.ports import Spending
from handrail.guard.screen import Screener
from handrail.in_force.follow import Asked, follow, is_fresh, look
from handrail.in_force.snapshot import InForce
from handrail.terms.errors import HandrailError
from handrail.terms.finding import Kind, Role

said = logging.getLogger("handrail.server")
WARM_TEXT = "Hello, where is order 48213? Write to a@b.example, call +44 20 7946 0000, card 4111 1111 1111 1111."
GC_THRESHOLDS = (50_000, 50, 100)
"""A request makes a thousand objects and no cycles: the default of 700 would look for them twice in each."""
EXCHANGE_S = 1.0
PUBLISH_S = 1.0


def load() -> None:
    """Everything that workers may share when it is there before they are forked."""
    runner()


@dataclass(frozen=True, slots=True)
class Worker:
    """`told`: the plan (`app.plan`). `listener`: the descriptor of the bound socket. `board`, `place`: where its
    metrics are published."""

    told: bytes
    listener: int
    board: Board
    place: int

    def __call__(self, life: Life) -> int:
        return uvloop.run(self._run(life, begin(self.told).settings, environment()))

    async def _run(self, life: Life, settings: Settings, env: Mapping[str, str]) -> int:
        async with wire.opened(settings, env, checkpoints=False) as store:
            in_force = InForce()
            await look(in_force, store.in_force, wire.CLOCK)
            net = net_of(settings, env, store, in_force)
            tracing = telemetry.spans(env, version=VERSION)
            if tracing is not None:
                net = replace(net, journal=telemetry.Observed(net.journal, tracing.seen))
            newer = Asked(in_force, store.in_force, wire.CLOCK, on_change=store.keys.forget)
            identity, metrics = Identity(in_force, wire.CLOCK, newer), Metrics(self._share)
            refusals = Refusals(wire.IDS.token(32))
            log = wire.LogFolder(settings.log_dir)
            table = [
                *face_routes(),
                *own_routes(identity, metrics, lambda: _standing(in_force, gateway), log),
                *event_routes(identity, store.outcomes, net.screener, wire.CLOCK, metrics),
            ]
            table += reading_routes(identity, store.reader, in_force)
            table += release_routes(identity, store.units)
            acts = OnceActing(settings, env, store, in_force, net.journal)
            table += action_routes(
                identity, in_force, acts.made, store.acts, net.journal, acts.prepared,
                lambda: _fresh(in_force, newer), wire.IDS,
            )  # fmt: skip
            table += runner_routes(identity, in_force, net.journal)
            table += decision_routes(
                identity, in_force, acts.made, permit_keys(store), store.acts, acts.prepared,
                lambda: _fresh(in_force, newer), metrics,
            )  # fmt: skip
            table.append(openapi_route(table, version=VERSION))
            lines = RequestLines(wire.CLOCK, requests=settings.boot.log_requests)
            writing = LogThread(lines)
            gateway = Gateway(net, identity, refusals, metrics, table, lines=lines, drafts=store.in_force.release)
            watched = Watched(store, in_force, net.model, wire.CLOCK)
            for metric in gauges(watched):
                metrics.add(metric)
            metrics.load(self.board.read(self.place))
            server = listening.server(gateway, settings)
            tasks = [
                asyncio.create_task(
                    follow(in_force, store.in_force, wire.CLOCK, on_change=store.keys.forget), name="follow"
                ),
                asyncio.create_task(_exchange(net.budgets, store.spending), name="budgets"),
                asyncio.create_task(record_each_minute(refusals, store.journal), name="refusals"),
                asyncio.create_task(_publish(metrics), name="metrics"),
                asyncio.create_task(watched.follow(), name="gauges"),
                asyncio.create_task(_ready(server, life), name="ready"),
                asyncio.create_task(_warm(server, net.screener), name="warm"),
            ]
            listening.stop_on_signals(server, life, lambda: _draining(gateway))
            said.info("server.started", extra={"worker": self.place + 1, "version": VERSION})
            try:
                await server.serve(sockets=[socket.socket(fileno=self.listener)])
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                with contextlib.suppress(HandrailError):
                    await net.budgets.exchange(store.spending)
                await record(refusals, store.journal, before_minute=EVER)
                metrics.publish()
                await acts.close()
                writing.close()
                said.info("server.stopped", extra={"worker": self.place + 1})
                if tracing is not None:
                    await asyncio.to_thread(tracing.close)
        return 0

    def _share(self, own: bytes) -> Sequence[bytes]:
        self.board.write(self.place, own)
        return self.board.all()


async def _fresh(in_force: InForce, newer: Asked) -> bool:
    """Whether what is in force was read within a second, after one more look if not."""
    if not is_fresh(in_force, wire.CLOCK):
        await newer()
    return is_fresh(in_force, wire.CLOCK)


def _standing(in_force: InForce, gateway: Gateway) -> str | None:
    if gateway.draining:
        return "draining"
    return None if in_force.current is not None else "nothing is published yet"


def _draining(gateway: Gateway) -> None:
    if not gateway.draining:
        said.info("server.draining", extra={"running": gateway.running})
    gateway.draining = True


async def _warm(server: uvicorn.Server, screener: Screener) -> None:
    """Read one made-up text in each role: the patterns build their automata at the first text that needs them, which
    takes tens of milliseconds, and a customer should not wait for that."""
    while not server.started:
        await asyncio.sleep(0.01)
    for role in (Role.USER, Role.TOOL, Role.ASSISTANT):
        screener.screen(Text(WARM_TEXT, role), frozenset(Kind))
        await asyncio.sleep(0)
    warm_streams()
    settle(*GC_THRESHOLDS)


async def _ready(server: uvicorn.Server, life: Life) -> None:
    while not server.started:
        await asyncio.sleep(0.005)
    life.ready()


async def _publish(metrics: Metrics) -> None:
    """Its numbers, for the scrapes that reach other workers."""
    while True:
        metrics.publish()
        await asyncio.sleep(PUBLISH_S)


async def _exchange(budgets: Budgets, spending: Spending) -> None:
    """Counts of budgets are shared once a second; when that fails, own counts go on and are given the next time."""
    while True:
        await asyncio.sleep(EXCHANGE_S)
        with contextlib.suppress(HandrailError):
            await budgets.exchange(spending)
