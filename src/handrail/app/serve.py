"""`handrail serve`: bind the socket, fork gateway workers and the jobs process, wait."""

import contextlib
import ctypes
import gc
import logging
import socket
import sys
from collections.abc import Callable, Mapping

import orjson

from handrail.app import wire
from handrail.app.board import Board
from handrail.app.jobs import LOST_AFTER_MS, Jobs
from handrail.app.settings import Settings, key_encryption_key
from handrail.app.standing import standing
from handrail.app.supervise import Child, Supervisor
from handrail.app.worker import Worker
from handrail.terms.errors import Code, HandrailError

_M_ARENA_MAX = -8  # malloc.h
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def serve(
    given: Settings,
    env: Mapping[str, str],
    *,
    workers: int,
    say: Callable[[str], None],
    port: int | None = None,
    jobs: bool = True,
    lost_after_ms: int = LOST_AFTER_MS,
) -> int:
    """Blocks until stopped; the exit code. Raises HandrailError HOME_INVALID before anything is started."""
    require_safe_bind(given)
    _one_arena()
    key_encryption_key(given, env)
    log_lines()
    listener = bind(given, port)
    screener = wire.runner()
    board = Board(workers)
    children = [
        Child(f"gateway {place + 1}", Worker(given, env, listener, screener, board, place)) for place in range(workers)
    ]
    if jobs:
        children.append(Child("jobs", Jobs(given, env, lost_after_ms), last=True))
    host, bound = listener.getsockname()[:2]
    scheme = "https" if given.boot.tls_cert_file else "http"
    shown = f"[{host}]" if ":" in host else host
    gc.collect()
    gc.freeze()  # what is shared with the children stays untouched
    url = f"{scheme}://{shown}:{bound}/v1"
    return Supervisor(children, say, on_ready=lambda: say(_announced(given, url, bound))).run()


def _announced(given: Settings, url: str, port: int) -> str:
    """What the operator is told once every process runs: that it serves, or what is missing."""
    why = standing(given.boot.host, port, tls=bool(given.boot.tls_cert_file))
    if not why:
        return f"handrail is ready: {url}"
    return f"handrail is up: {url}\n{why}; it refuses calls until then: handrail publish {given.home}"


def _one_arena() -> None:
    """Let glibc serve all threads of a process from one arena. Each further one keeps freed memory for itself: ten
    megabytes and more per process here. Elsewhere than on glibc nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def bind(given: Settings, port: int | None) -> socket.socket:
    """The listening socket. Raises HandrailError HOME_INVALID when the address is taken."""
    host, wanted = given.boot.host, given.boot.port if port is None else port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, wanted))
    except OSError as error:
        listener.close()
        raise HandrailError(
            Code.HOME_INVALID, f"cannot listen on {host}:{wanted} ({error.strerror}); change `listen` or use --port"
        ) from None
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def require_safe_bind(given: Settings) -> None:
    """A public address needs TLS or a proxy that ends it. Raises HandrailError HOME_INVALID."""
    boot = given.boot
    if boot.host in LOOPBACK or boot.tls_cert_file or boot.behind_proxy:
        return
    raise HandrailError(
        Code.HOME_INVALID,
        f"listen: {boot.host} is not this machine alone, and customers' words would pass unencrypted: "
        "give tls.cert_file and tls.key_file, or behind_proxy: true when a proxy in front ends TLS",
    )


class _Lines(logging.Formatter):
    """One JSON object per line: time, level, event, and what was given as `extra`. Never customer content."""

    KNOWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}

    def format(self, record: logging.LogRecord) -> str:
        line = {"at_ms": int(record.created * 1000), "level": record.levelname.lower(), "event": record.getMessage()}
        line |= {name: value for name, value in record.__dict__.items() if name not in self.KNOWN}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def log_lines() -> None:
    """Structured logs on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
