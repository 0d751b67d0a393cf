"""The HTTP server of a child process: how each of them listens, and that it stops as its parent says."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from handrail.app import http_protocol
from handrail.app.settings import Settings
from handrail.app.supervise import Life
from handrail.terms.errors import HandrailError

DRAIN_S = 20
AGAIN_S = 5.0
"""Between two tries of a listener that is taken."""


class Server(uvicorn.Server):
    """Leaves signals to us: who drains has to be told first (`stop_on_signals`)."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(app: object, settings: Settings, *, backlog: int = 2048) -> Server:
    """`app`: an ASGI application. TLS and the proxy in front are the home's."""
    boot = settings.boot
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI application; uvicorn's types want its own scopes
        loop="uvloop",
        http=http_protocol.Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=boot.behind_proxy,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=backlog,
        ssl_certfile=str(settings.home / boot.tls_cert_file) if boot.tls_cert_file else None,
        ssl_keyfile=str(settings.home / boot.tls_key_file) if boot.tls_key_file else None,
    )
    return Server(config)


def stop_on_signals(server: uvicorn.Server, life: Life, first: Callable[[], None]) -> None:
    """SIGTERM, SIGINT or the parent's end: `first`, then no new requests and an end when the running ones are over."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        first()
        server.should_exit = True
        loop.remove_reader(life.parent)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_reader(life.parent, stop)


async def until_gone(life: Life) -> None:
    """Waits for SIGTERM, SIGINT or the parent's end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(life.parent, stop.set)
    try:
        await stop.wait()
    finally:
        loop.remove_reader(life.parent)


async def bound(bind: Callable[[], socket.socket], life: Life, refused: Callable[[str], None]) -> socket.socket | None:
    """The listener; None when the parent has ended before it was free. `refused`: hears why of each try."""
    while True:
        try:
            return bind()
        except HandrailError as error:
            refused(error.message)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(until_gone(life), AGAIN_S)
            return None
