"""The process of the MCP door: the official SDK, and nothing of the chat path.

`handrail serve` starts it when a tool in force needs it or the home says so; `handrail doors` runs it alone. It binds
its own listener; when that is taken it says so and tries again, since the gateway must not fall with it. Order of
starting: storage, what is in force, the socket. Order of ending: no new requests, what runs gets to its end.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from handrail import VERSION
from handrail.app import listening, wire
from handrail.app.child import begin, settle
from handrail.app.plan import Plan, encoded
from handrail.app.refused import EVER, record, record_each_minute
from handrail.app.serve import bind, require_safe_bind
from handrail.app.settings import Settings, environment
from handrail.app.supervise import Life
from handrail.app.wire.acting import OnceActing
from handrail.gateway.identity import Identity, Refusals
from handrail.in_force.follow import Asked, follow, is_fresh, look
from handrail.in_force.snapshot import InForce

if TYPE_CHECKING:
    from handrail.detectors.run import Runner

log = logging.getLogger("handrail.doors")
GC_THRESHOLDS = (700, 10, 10)


@dataclass(frozen=True, slots=True)
class Doors:
    """`told`: the plan (`app.plan`)."""

    told: bytes

    def __call__(self, life: Life) -> int:
        return uvloop.run(self._run(life, begin(self.told).settings, environment()))

    async def _run(self, life: Life, settings: Settings, env: Mapping[str, str]) -> int:
        try:
            from handrail.gateway.mcp.door import McpDoor  # deferred: an extra, absent in the base install
            from handrail.gateway.mcp.serve import assembled
        except ImportError:
            log.error(
                "doors.missing",
                extra={"reason": "the MCP door needs the extra: make extras, or pip install 'handrail[mcp]'"},
            )
            await listening.until_gone(life)
            return 0
        async with wire.opened(settings, env, checkpoints=False) as store:
            in_force = InForce()
            await look(in_force, store.in_force, wire.CLOCK)
            newer = Asked(in_force, store.in_force, wire.CLOCK, on_change=store.keys.forget)
            refusals = Refusals(wire.IDS.token(32))
            acts = OnceActing(settings, env, store, in_force)

            async def fresh() -> bool:
                if not is_fresh(in_force, wire.CLOCK):
                    await newer()
                return is_fresh(in_force, wire.CLOCK)

            made = assembled(
                in_force=in_force, acting=acts.made, reader=store.acts, journal=store.journal, prepared=acts.prepared,
                newer=fresh, refusals=refusals, clock=wire.CLOCK, ids=wire.IDS, version=VERSION,
                sources=lambda: acts.made().sources(), screener=_screener,
            )  # fmt: skip
            door = McpDoor(
                made.server, identity=Identity(in_force, wire.CLOCK, newer), in_force=in_force, refusals=refusals,
                clock=wire.CLOCK,
            )  # fmt: skip
            listener = await listening.bound(
                lambda: bind(settings, settings.boot.doors_port, host=settings.boot.doors_host),
                life,
                lambda why: log.error("doors.not_listening", extra={"reason": why}),
            )
            if listener is None:
                return 0
            server = listening.server(door, settings)
            listening.stop_on_signals(server, life, lambda: setattr(door, "draining", True))

            tasks = [
                asyncio.create_task(follow(in_force, store.in_force, wire.CLOCK, on_change=store.keys.forget)),
                asyncio.create_task(record_each_minute(refusals, store.journal)),
                asyncio.create_task(made.notices()),
            ]
            host, port = listener.getsockname()[:2]
            scheme = "https" if settings.boot.tls_cert_file else "http"
            shown = f"[{host}]" if ":" in host else host
            print(f"MCP door: {scheme}://{shown}:{port}/mcp/USE-CASE", flush=True)
            log.info("doors.started", extra={"host": host, "port": port, "version": VERSION})
            asyncio.get_running_loop().call_later(1.0, settle, *GC_THRESHOLDS)
            async with door.running():
                try:
                    await server.serve(sockets=[listener])
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
                    await made.close()
                    await record(refusals, store.journal, before_minute=EVER)
                    await acts.close()
                    log.info("doors.stopped")
        return 0


def _screener() -> "Runner":
    from handrail.app.wire.request import runner  # deferred: only resources and prompts are read here

    return runner()


def alone(settings: Settings) -> int:
    """Blocks until stopped; the exit code. Raises HandrailError HOME_INVALID."""
    require_safe_bind(settings)
    plan = Plan(settings=settings, host=settings.boot.doors_host, port=settings.boot.doors_port, lost_after_ms=0)
    parent, _kept = os.pipe()  # never reaches its end while this process lives
    return Doors(encoded(plan))(Life(parent, _kept))
