"""One Apprise message in a process of its own: JSON on standard input, one word on standard output.

Before the address is read, an audit hook (PEP 578) is set that refuses to look up any name but the receiver's hosts, to
connect to any address that the gate would not admit or any other port, and to start processes. It cannot be taken off
again, so it holds for every plugin and whatever it imports. When it is in doubt it refuses.
"""

import logging
import sys
from typing import Any

import msgspec

from handrail.backends.egress import objection
from handrail.policy.notices import listed_host

PORTS = {"http": 80, "https": 443}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`hosts`: `name` or `name:port`; without a port 443, and 80 inside a private network."""

    url: str
    title: str
    body: str
    hosts: tuple[str, ...]
    private_network: bool


class Fence:
    """`crossed`: something else was wanted."""

    def __init__(self, asked: Asked) -> None:
        self.crossed = False
        self._private = asked.private_network
        listed = [listed_host(host) for host in asked.hosts]
        self._names = frozenset(name for name, _ in listed)
        plain = {PORTS["https"], PORTS["http"]} if asked.private_network else {PORTS["https"]}
        self._ports = frozenset(port for _, port in listed if port is not None) | (
            frozenset(plain) if any(port is None for _, port in listed) else frozenset()
        )

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        """Raises PermissionError."""
        if event in ("socket.getaddrinfo", "socket.gethostbyname"):
            self._require(str(given[0]).lower() in self._names)
        elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            self._require(self._admits(given[1]))
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"):
            self._require(False)

    def _admits(self, address: object) -> bool:
        if not isinstance(address, tuple) or len(address) < 2 or address[1] not in self._ports:
            return False
        return objection(str(address[0]), private_network=self._private) is None

    def _require(self, fine: bool) -> None:
        if not fine:
            self.crossed = True
            raise PermissionError("not one of the hosts of this receiver")


def main() -> str:
    """The word: `ok`, or why not."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    logging.disable(logging.CRITICAL)  # plugins log addresses, which are secrets
    import requests.sessions  # deferred: an extra
    from apprise import Apprise  # deferred: likewise

    requests.sessions.DEFAULT_REDIRECT_LIMIT = 0  # type: ignore[attr-defined]  # not in its stubs: so many are followed
    fence = Fence(asked)
    sys.addaudithook(fence)
    apprise = Apprise()
    if not apprise.add(asked.url):
        return "apprise.egress" if fence.crossed else "apprise.url"
    sent = apprise.notify(title=asked.title, body=asked.body)
    if fence.crossed:
        return "apprise.egress"
    return "ok" if sent else "apprise.refused"


if __name__ == "__main__":
    try:
        word = main()
    except Exception:  # noqa: BLE001  whatever a plugin does is one word, never a trace with an address in it
        word = "apprise.broken"
    print(word)
