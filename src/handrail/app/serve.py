"""`handrail serve`: check, bind the socket, and become the parent of the server's processes.

This process has read the home and parsed a command line, which takes megabytes that nobody needs afterwards; exec
leaves them behind and keeps the process id (`app.parent`).
"""

import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import NoReturn

from handrail.app.plan import Plan, written
from handrail.app.running import hold
from handrail.app.settings import Settings, key_encryption_key
from handrail.app.supervise import ENDING
from handrail.terms.errors import Code, HandrailError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def serve(
    given: Settings, env: Mapping[str, str], *, workers: int, port: int | None = None, lost_after_ms: int
) -> NoReturn:
    """Does not return: the process serves from here on. Raises HandrailError HOME_INVALID before that."""
    require_safe_bind(given)
    key_encryption_key(given, env)
    listener = bind(given, port)
    host, bound = listener.getsockname()[:2]
    hold(given, host, bound)
    plan = written(Plan(settings=given, host=host, port=bound, lost_after_ms=lost_after_ms))
    listener.set_inheritable(True)
    told = [str(plan), str(listener.fileno()), str(workers)]
    # who stops it while it loads is heard when it has: until then nobody takes signals, and process 1 would lose them
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    # -P: a file in the current folder is no module of ours
    os.execve(sys.executable, [sys.executable, "-P", "-m", "handrail.app.parent", *told], env)  # noqa: S606  no shell is wanted


def bind(given: Settings, port: int | None, *, host: str | None = None) -> socket.socket:
    """The listening socket. `host`: another one than the gateway's. Raises HandrailError HOME_INVALID when the address
    is taken."""
    host, wanted = host or given.boot.host, given.boot.port if port is None else port
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
    open_ = [(name, host) for name, host in (("listen", boot.host), ("doors.listen", boot.doors_host),
                                         ("console.listen", boot.console_host))
             if host not in LOOPBACK]  # fmt: skip
    if not open_ or boot.tls_cert_file or boot.behind_proxy:
        return
    name, host = open_[0]
    raise HandrailError(
        Code.HOME_INVALID,
        f"{name}: {host} is not this machine alone, and customers' words would pass unencrypted: "
        "give tls.cert_file and tls.key_file, or behind_proxy: true when a proxy in front ends TLS",
    )
