"""The demo's home, keys and processes: everything that stands before the first word is said."""

import contextlib
import fcntl
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from handrail.app import wire
from handrail.app.demo.script import HOME
from handrail.app.settings import TOKEN_VARIABLE, Settings, settings
from handrail.app.wire.policy import engines
from handrail.home.compile import compile_home
from handrail.home.init import KEK_BYTES, init
from handrail.home.problem import HomeInvalid
from handrail.home.publish import Publish
from handrail.home.read import read
from handrail.home.text import HOME_FILE
from handrail.people.demo import ENDING, AddDemoPerson, MarkDemo
from handrail.people.desk import AddPerson, OpenFirst, Redeem
from handrail.people.key import Scope
from handrail.people.keys import CreateKey
from handrail.people.role import Role
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

MARKER = ".demo"
"""A folder that holds this file is the demo's own, and may be thrown away by the next run."""

REMEMBER = 10_000
START_S = 60.0
END_S = 40.0
CONSOLE_S = 20.0
"""It starts after the gateway, which does not wait for it."""
SHOP_KEY = ".handrail/shop.key"
AGENT = "order-care"
"""The use case whose agent acts."""
EVENTS = "events"
"""Among the keys: of the system that reports how contacts ended."""
STAFF = ".handrail/demo-staff.json"
"""Tokens of the demo's persons, so that a kept home can be played again. A real home never keeps tokens."""
VISITORS = {
    Role.OWNER: "Olive Owner", Role.APPROVER: "Arun Approver", Role.REVIEWER: "Rita Reviewer",
    Role.STAFF: "Stan Staff", Role.COMPLIANCE: "Cleo Compliance", Role.ENGINEER: "Enzo Engineer",
    Role.AUDITOR: "Aude Auditor", Role.ADMIN: "Ada Admin",
}  # fmt: skip
"""Whom a visitor of the console can choose to be: one for each role."""
_PORT = re.compile(r"(base_url: http://127\.0\.0\.1:)\d+")
_CONSOLE = re.compile(r"(console: \{listen: 127\.0\.0\.1:)\d+")
CONSOLE_PORT = 8082
_MAIL = "kestrel-and-pine.example"


class Staff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Personal tokens. `marked`: of the approver that the demo itself is. `person`: of whoever is at the terminal, a
    reviewer too. `plays`: how often this home was played."""

    admin: str
    marked: str
    person: str
    plays: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """A child process that said where it serves. `host`: host:port."""

    process: "subprocess.Popen[str]"
    host: str


def write_home(folder: Path, *, keep: bool) -> bool:
    """The demo's configuration in `folder`; True when it was written, False when a kept one stands there. Raises
    HandrailError ALREADY rather than touch a folder that is not the demo's, or that a running demo uses."""
    if (folder / MARKER).exists():
        with held(folder):
            if keep and (folder / HOME_FILE).exists():
                return False
            shutil.rmtree(folder)
    elif (folder / HOME_FILE).exists():
        raise HandrailError(Code.ALREADY, f"{folder} is a home, but not the demo's: give another with --home")
    elif folder.is_dir() and any(folder.iterdir()):
        raise HandrailError(Code.ALREADY, f"{folder} holds other things: give another folder with --home")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("made by handrail demo; the next run without --keep replaces this folder\n")
    init(folder, kek=wire.IDS.token(KEK_BYTES), starter=HOME)
    return True


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other demos away from the folder meanwhile. Raises HandrailError ALREADY when one is there."""
    with (folder / MARKER).open("rb") as marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"a demo is running on {folder}: end it, or give another folder with --home"
            raise HandrailError(Code.ALREADY, message) from None
        yield


def point_at(folder: Path, file: str, host: str) -> None:
    """Put the address of a server, host:port, into a file of the home."""
    path = folder / file
    port = host.rpartition(":")[2]
    path.write_text(_PORT.sub(rf"\g<1>{port}", path.read_text("utf-8")), "utf-8")


def give_console_a_port(folder: Path) -> None:
    """The usual one, or a free one where something else listens there."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", CONSOLE_PORT))
        except OSError:
            tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    path = folder / HOME_FILE
    path.write_text(_CONSOLE.sub(rf"\g<1>{port}", path.read_text("utf-8")), "utf-8")


def console_of(log: Path) -> str:
    """Where the console of `gateway` listens, host:port; empty when it did not say so in time."""
    deadline = time.monotonic() + CONSOLE_S
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if line.startswith("console: http://"):
                return line.rpartition("//")[2].strip()
        time.sleep(0.05)
    return ""


def staff_of(folder: Path) -> Staff | None:
    """Of a kept home."""
    path = folder / STAFF
    return msgspec.json.decode(path.read_bytes(), type=Staff) if path.exists() else None


async def publish(
    folder: Path, env: Mapping[str, str], staff: Staff | None
) -> tuple[Settings, dict[str, str], Staff]:  # fmt: skip
    """Put the home in force, make a key for each use case (use case to key) and the persons who decide. Raises
    HandrailError HOME_INVALID."""
    given = settings(folder, env)
    try:
        compiled = compile_home(read(folder), engines())
    except HomeInvalid as problem:
        raise HandrailError(Code.HOME_INVALID, "\n".join(str(mistake) for mistake in problem.mistakes)) from None
    keys: dict[str, str] = {}
    token = staff.admin if staff else None
    async with wire.opened(given, env, checkpoints=True) as store:
        if staff is None:
            await store.journal.run(MarkDemo(ids=wire.IDS))  # only while it is empty: see people.demo
        await store.journal.run(Publish(ids=wire.IDS, compiled=compiled, token=token))
        registered = frozenset(compiled.ruleset.use_cases)
        for use_case in sorted(registered):
            scopes = {Scope.CHAT, Scope.ACT, Scope.FACTS} if use_case == AGENT else {Scope.CHAT}
            change = CreateKey(
                ids=wire.IDS, use_case=UseCaseId(use_case), registered=registered, agent="demo",
                scopes=frozenset(scopes), token=token,
            )  # fmt: skip
            keys[use_case] = (await store.journal.run(change)).text
        told = CreateKey(
            ids=wire.IDS, use_case=None, registered=registered, agent="desk", scopes=frozenset({Scope.EVENTS}),
            token=token,
        )  # fmt: skip
        keys[EVENTS] = (await store.journal.run(told)).text
        staff = staff or await _hired(store)
    staff = msgspec.structs.replace(staff, plays=staff.plays + 1)
    _secret(folder / STAFF, msgspec.json.encode(staff))
    return given, keys, staff


async def _hired(store: "wire.Store") -> Staff:
    """The first admin, and the two who approve."""
    code = (await store.journal.run(OpenFirst(ids=wire.IDS))).text
    first = Redeem(ids=wire.IDS, code=code, mail=f"demo-admin@{_MAIL}", name="Demo admin")
    admin = (await store.journal.run(first)).text
    tokens = []
    for mail, name, roles in (
        ("demo-approver", "Demo approver (no person)", {Role.APPROVER, Role.OWNER}),
        ("terminal", "Person at the terminal", {Role.APPROVER, Role.REVIEWER}),
    ):
        added = AddPerson(ids=wire.IDS, mail=f"{mail}@{_MAIL}", name=name, roles=frozenset(roles), token=admin)
        invited = (await store.journal.run(added)).text
        tokens.append((await store.journal.run(Redeem(ids=wire.IDS, code=invited))).text)
    for role, name in VISITORS.items():
        mail = f"{role.value}@demo{ENDING}"
        await store.journal.run(AddDemoPerson(ids=wire.IDS, mail=mail, name=name, roles=frozenset({role})))
    return Staff(admin, tokens[0], tokens[1])


def _secret(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


@contextmanager
def model_server(script: str, log: Path) -> Iterator[Running]:
    """The scripted model as a process on a free port, remembering what it saw."""
    path = log.with_suffix(".script.json")
    path.write_text(script, "utf-8")
    arguments = ["-m", "handrail.app.scripted_model", "--port", "0", "--remember", str(REMEMBER)]
    with _running([*arguments, "--script", str(path)], log, "no model inside") as running:
        yield running


@contextmanager
def shop(folder: Path, orders: dict[str, Any], log: Path) -> Iterator[Running]:
    """The demo's shop as a process on a free port, with a new key that only it and handrail know."""
    books = log.with_suffix(".orders.json")
    books.write_bytes(msgspec.json.encode(orders))
    key = folder / SHOP_KEY
    _secret(key, wire.IDS.token(24).hex().encode())
    arguments = ["-m", "handrail.app.demo.shop", "--orders", str(books), "--key", str(key)]
    with _running(arguments, log, "the shop is open") as running:
        yield running


@contextmanager
def gateway(folder: Path, log: Path) -> Iterator[Running]:
    """`handrail serve` as a process on a free port."""
    arguments = ["-m", "handrail.cli.main", "serve", "--home", str(folder), "--port", "0"]
    with _running(arguments, log, "handrail is ready") as running:
        yield running


def command(
    folder: Path, env: Mapping[str, str], *arguments: str, token: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run `handrail ...` on the home, as a person would; `token`: whose."""
    return subprocess.run(
        [sys.executable, "-m", "handrail.cli.main", *arguments],
        cwd=folder, capture_output=True, encoding="utf-8", check=False, timeout=START_S,
        env={**env, TOKEN_VARIABLE: token} if token else env,
    )  # fmt: skip


@contextmanager
def _running(arguments: list[str], log: Path, sign: str) -> Iterator[Running]:
    """In a session of its own, so that Ctrl-C reaches the demo alone and it ends its children in order. Raises
    HandrailError HOME_INVALID with the last lines of its log when it does not start."""
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=out, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
    try:
        yield Running(process, _wait_for(sign, process, log))
    finally:
        _end(process)


def _wait_for(sign: str, process: "subprocess.Popen[str]", log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if sign in line:
                return line.rpartition("http://")[2].removesuffix("/v1")
        time.sleep(0.02)
    tail = "\n".join(log.read_text().splitlines()[-12:])
    raise HandrailError(Code.HOME_INVALID, f"a process of the demo did not start; its last lines:\n{tail}")


def _end(process: "subprocess.Popen[str]") -> None:
    """SIGTERM, then wait for the drain."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
