"""The process of the console: pages for people, on a listener of its own, and nothing of the request path.

`handrail serve` starts it unless the home says `console: {serve: false}`; `handrail console` runs it alone. When its
address is taken it says so and tries again, since the gateway must not fall with it. Order of starting: storage, what
is in force, the socket. Order of ending: no new requests, streams end, what runs gets to its end.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from handrail import VERSION
from handrail.app import listening, wire
from handrail.app.child import begin, settle
from handrail.app.plan import Plan, encoded
from handrail.app.serve import bind, require_safe_bind
from handrail.app.settings import Settings, environment
from handrail.app.supervise import Life
from handrail.in_force.follow import follow, look
from handrail.in_force.snapshot import InForce
from handrail.terms.errors import HandrailError

if TYPE_CHECKING:
    from handrail.app.wire import Store

log = logging.getLogger("handrail.console")
GC_THRESHOLDS = (5_000, 10, 20)


@dataclass(frozen=True, slots=True)
class ConsoleProcess:
    """`told`: the plan (`app.plan`)."""

    told: bytes

    def __call__(self, life: Life) -> int:
        return uvloop.run(self._run(life, begin(self.told).settings, environment()))

    async def _run(self, life: Life, settings: Settings, env: Mapping[str, str]) -> int:
        from handrail.app.levels import levels  # deferred: the parent keeps no page in its memory
        from handrail.app.moving import moves  # likewise
        from handrail.app.wire.console import app_of  # likewise

        async with wire.opened(settings, env, checkpoints=False) as store:
            in_force = InForce()
            await look(in_force, store.in_force, wire.CLOCK)
            try:
                app, live = await app_of(settings, env, store, in_force, moves, levels)
            except HandrailError as error:
                log.error("console.not_served", extra={"reason": error.message})
                await listening.until_gone(life)
                return 0
            listener = await listening.bound(
                lambda: bind(settings, settings.boot.console_port, host=settings.boot.console_host),
                life,
                lambda why: log.error("console.not_listening", extra={"reason": why}),
            )
            if listener is None:
                return 0
            server = listening.server(app, settings)
            listening.stop_on_signals(server, life, live.end)
            tasks = [
                asyncio.create_task(follow(in_force, store.in_force, wire.CLOCK, on_change=store.keys.forget)),
                asyncio.create_task(live.run()),
            ]
            _say(settings, listener)
            await _say_first(settings, store, listener)
            asyncio.get_running_loop().call_later(1.0, settle, *GC_THRESHOLDS)
            try:
                await server.serve(sockets=[listener])
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                log.info("console.stopped")
        return 0


def alone(settings: Settings) -> int:
    """Blocks until stopped; the exit code. Raises HandrailError HOME_INVALID."""
    require_safe_bind(settings)
    boot = settings.boot
    plan = Plan(settings=settings, host=boot.console_host, port=boot.console_port, lost_after_ms=0)
    parent, _kept = os.pipe()  # never reaches its end while this process lives
    return ConsoleProcess(encoded(plan))(Life(parent, _kept))


def _say(settings: Settings, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    scheme = "https" if settings.boot.tls_cert_file else "http"
    shown = f"[{host}]" if ":" in host else host
    print(f"console: {settings.boot.console_url or f'{scheme}://{shown}:{port}'}", flush=True)
    log.info("console.started", extra={"host": host, "port": port, "version": VERSION})


async def _say_first(settings: Settings, store: "Store", listener: socket.socket) -> None:
    """While there is no person: the one-time link for the first admin, on standard output and never in the log."""
    from handrail.app.wire.signin import first_link  # deferred, as above

    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.boot.tls_cert_file else "http"
    link = await first_link(settings, store, f"{scheme}://{shown}:{port}")
    if link is not None:
        print(f"nobody can sign in yet; the first admin opens this once: {link}", flush=True)
