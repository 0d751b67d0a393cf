"""What runs on a data folder: the server, and every process that has its keys open.

`hold` leaves what the server was started with (fields of `handrail.yaml` that are read at start only) in a file of the
data folder, under a lock that every process of the server keeps until it ends; so whoever finds the lock free knows
that no server runs, also after a crash. Of several servers the last one started is known.

`sharing` and `alone` exclude each other by a lock in the keys folder, which every machine on one database shares: who
has the storage open would wrap the next key by the key-encryption key that it was started with.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from handrail.app.settings import Settings
from handrail.home.boot import Bootstrap
from handrail.terms.errors import Code, HandrailError

FILE = "serving.json"
LOCK = "in-use.lock"
FIELDS = {
    "host": "listen", "port": "listen", "tls_cert_file": "tls", "tls_key_file": "tls", "kek_file": "keys",
    "kek_env": "keys", "log_key_file": "keys", "log_key_env": "keys", "log_origin": "log", "database_env": "database",
    "doors_host": "doors", "doors_port": "doors", "doors_serve": "doors",
    "console_host": "console", "console_port": "console", "console_serve": "console", "console_url": "console",
}  # fmt: skip
"""Names of the fields in the home where they differ."""


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """A server that was started. `boot`: as the home was then. `host`, `port`: what it has bound, which may be another
    port than the home's (`serve --port`)."""

    boot: Bootstrap
    host: str
    port: int


def hold(given: Settings, host: str | None = None, port: int | None = None) -> None:
    """For this process and all that come from it, by fork or exec, until the last one ends. `host`, `port`: what it has
    bound, where that is not the home's."""
    serving = Serving(boot=given.boot, host=host or given.boot.host, port=given.boot.port if port is None else port)
    held = _opened(given)
    fcntl.flock(held, fcntl.LOCK_SH)
    os.ftruncate(held, 0)
    os.write(held, msgspec.json.encode(serving))
    os.set_inheritable(held, True)


@contextmanager
def sharing(given: Settings) -> Iterator[None]:
    """While it lasts the key-encryption key is not replaced. Raises HandrailError LOG_CONFLICT when it is just being
    replaced."""
    message = "the key-encryption key is being replaced (rotate-keys --kek); call again when that has ended"
    with _locked(_lock_of_keys(given), fcntl.LOCK_SH, message):
        yield


@contextmanager
def alone(given: Settings) -> Iterator[None]:
    """While it lasts no server of this data folder runs or starts on this machine, and nobody else is `sharing`. Raises
    HandrailError LOG_CONFLICT when one does."""
    server = "handrail serve runs on this data folder; stop it first"
    other = "another handrail process has the keys of this data folder open; call again when it has ended"
    with _locked(_opened(given), fcntl.LOCK_EX, server), _locked(_lock_of_keys(given), fcntl.LOCK_EX, other):
        yield


def behind(given: Settings) -> list[str]:
    """Fields that differ from those the running server was started with, by their names in the home. Empty when no
    server of this home runs on this machine."""
    started = serving(given)
    if started is None:
        return []
    now = msgspec.structs.asdict(given.boot)
    names = [name for name, value in msgspec.structs.asdict(started.boot).items() if now[name] != value]
    return list(dict.fromkeys(FIELDS.get(name, name) for name in names))


def serving(given: Settings) -> Serving | None:
    """The server of this data folder; None when none runs on this machine."""
    try:
        looked = os.open(given.data_dir / FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(looked, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _decoded(os.pread(looked, 65_536, 0))
    finally:
        os.close(looked)
    return None


def _opened(given: Settings) -> int:
    given.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # with every key elsewhere nothing has made it yet
    return os.open(given.data_dir / FILE, os.O_RDWR | os.O_CREAT, 0o600)


def _lock_of_keys(given: Settings) -> int:
    given.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    given.keys_dir.mkdir(mode=0o700, exist_ok=True)
    return os.open(given.keys_dir / LOCK, os.O_RDWR | os.O_CREAT, 0o600)


@contextmanager
def _locked(held: int, how: int, message: str) -> Iterator[None]:
    """Closes `held` at the end. Raises HandrailError LOG_CONFLICT with the message when another has the lock."""
    try:
        try:
            fcntl.flock(held, how | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HandrailError(Code.LOG_CONFLICT, message) from None
        yield
    finally:
        os.close(held)


def _decoded(data: bytes) -> Serving | None:
    """None for what another version wrote."""
    try:
        return msgspec.json.decode(data, type=Serving)
    except msgspec.MsgspecError:
        return None
