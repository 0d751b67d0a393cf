"""A real home with real processes: the command line, `handrail serve`, a scripted model."""

import atexit
import contextlib
import functools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HANDRAIL = [sys.executable, "-m", "handrail.cli.main"]
HOME = """\
organisation: House
time_zone: UTC
currency: EUR
database: {database}
listen: 127.0.0.1:{port}
console: {{ serve: false }}
providers:
  mock:
    dialect: openai
    base_url: {model}
    private_network: true
defaults:
  owner: owner@house.example
  deputy: deputy@house.example
  escalation: desk@house.example
  languages: [en]
  regions: [GB]
  sentences:
    block: {{"*": "I can't help with that here."}}
    handover: {{"*": "I am passing you to a colleague."}}
"""
USE_CASE = """\
id: orders
name: Orders
purpose: Answers questions about orders.
channels: [chat]
audience: customer
data_classes: [contact, order]
levels: {{assert: {{risk: R1, autonomy: A3}}}}
mode: {mode}
on_detector_failure: refuse
on_unreadable_part: refuse
stream: window
model:
  route: [mock/scripted-1, mock/scripted-echo, mock/scripted-slow-1500, mock/scripted-stall]
prompt: client
"""


ZYGOTE = """
import importlib.util, json, os, sys
from handrail.cli import main as cli
for module, _ in cli.COMMANDS.values():
    if importlib.util.find_spec(f"handrail.cli.{module}"):
        importlib.import_module(f"handrail.cli.{module}")
for line in sys.stdin:
    asked = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["env"])
        for number, name in enumerate(asked["files"]):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
        sys.argv = ["handrail", *asked["words"]]
        code = 70
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


COMMAND_S = 120
"""A command that takes longer stands still: what it waits for is told by its own words."""


class Zygote:
    """Runs commands, each in a new process forked from one that has imported everything: a tenth of the time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lock = threading.Lock()
        atexit.register(self.end)

    def run(self, words: tuple[str, ...], env: dict[str, str], cwd: Path, stdin: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        with tempfile.TemporaryDirectory() as folder, self._lock:
            files = [Path(folder) / name for name in ("in", "out", "err")]
            files[0].write_text(stdin)
            asked = {"words": words, "env": env, "cwd": str(cwd), "files": [str(path) for path in files]}
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], COMMAND_S)[0]:
                raise AssertionError(f"handrail {' '.join(words)} has not ended within {COMMAND_S} s")
            code = int(self._process.stdout.readline())
            return code, files[1].read_text() if files[1].exists() else "", files[2].read_text()

    def end(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:  # a command stands still, and the test of it has failed by that
                self._process.kill()


@functools.cache
def zygote() -> Zygote:
    return Zygote()


class House:
    """`env`: on top of the process environment, for every command and server."""

    def __init__(
        self, root: Path, *, model: str = "http://127.0.0.1:1/v1", database: str = "sqlite", mode: str = "enforce",
        port: int = 8080,
    ) -> None:  # fmt: skip
        self.root = root
        self.env: dict[str, str] = {"HANDRAIL_HOME": str(root)}
        (root / "use-cases").mkdir(parents=True)
        if database != "sqlite":
            self.env["HANDRAIL_TEST_DATABASE"] = database
        named = "sqlite" if database == "sqlite" else "{env: HANDRAIL_TEST_DATABASE}"
        (root / "handrail.yaml").write_text(HOME.format(database=named, model=model, port=port))
        self.use_case(mode)
        self.data = root / ".handrail"
        self.data.mkdir(mode=0o700)
        kek = self.data / "kek"
        kek.touch(mode=0o600)
        kek.write_bytes(os.urandom(32))

    def copy(self, root: Path) -> "House":
        """The same home in another folder: configuration, keys, records."""
        other = House.__new__(House)
        other.root, other.data = root, root / ".handrail"
        other.env = {**self.env, "HANDRAIL_HOME": str(root)}
        shutil.copytree(self.root, root)
        return other

    def use_case(self, mode: str = "enforce", more: str = "") -> None:
        (self.root / "use-cases" / "orders.yaml").write_text(USE_CASE.format(mode=mode) + more)

    def run(self, *words: str, code: int | None = 0, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """`code`: the exit code that is asserted; None for any. No command may ever show a traceback."""
        env = {**os.environ, **self.env}
        done = subprocess.CompletedProcess(words, *zygote().run(words, env, self.root, stdin or ""))
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        if code is not None:
            assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def said(self, *words: str, code: int = 0, stdin: str | None = None) -> str:
        """What a command prints, both streams."""
        done = self.run(*words, code=code, stdin=stdin)
        return done.stdout + done.stderr

    def publish(self) -> None:
        self.run("publish", str(self.root))

    def key(self, *more: str) -> str:
        return self.run("key", "create", "--use-case", "orders", *more).stdout.strip()

    @contextlib.contextmanager
    def serving(self, *words: str, sweep_s: float | None = None) -> Iterator["Server"]:
        """A server on a free port, ended by SIGTERM at the end unless it ended before."""
        more = [] if sweep_s is None else ["--lost-after", str(sweep_s)]
        process = subprocess.Popen(
            [*HANDRAIL, "serve", "--port", "0", *more, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **self.env},
            cwd=self.root,
            start_new_session=True,
        )
        with process:
            try:
                yield Server(process)
            finally:
                if process.poll() is None:
                    process.terminate()
                    try:
                        process.wait(40)
                    except subprocess.TimeoutExpired:
                        print(f"killed: {' '.join(map(str, process.args))} has not ended within 40 s of SIGTERM")  # type: ignore[arg-type]  # a list of words
                        os.killpg(process.pid, signal.SIGKILL)


class Server:
    """`url`: ends with `/v1`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self.url = ""
        assert process.stdout is not None
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not self.url:
            if not select.select([process.stdout], [], [], 0.2)[0]:
                continue
            some = os.read(process.stdout.fileno(), 65_536)  # a line that waits in a buffer would wake nobody
            if not some:
                break
            self.lines.append(some.decode())
            for line in "".join(self.lines).splitlines(keepends=True):
                if line.startswith(("handrail is ready: ", "handrail is up: ")) and line.endswith("\n"):
                    self.url = line.split()[-1]
        assert self.url, "".join(self.lines)

    def ask(self, key: str, text: str = "Where is my order?", **more: Any) -> tuple[int, dict[str, Any], Any]:
        """Status, body, headers."""
        body = {"model": "scripted-1", "messages": [{"role": "user", "content": text}], **more}
        return post(f"{self.url}/chat/completions", key, body)

    def stream(self, key: str, text: str, **more: Any) -> Any:
        """An open response; the caller reads and closes it."""
        body = {"model": "scripted-1", "messages": [{"role": "user", "content": text}], "stream": True, **more}
        return urllib.request.urlopen(_request(f"{self.url}/chat/completions", key, body), timeout=30)

    def get(self, path: str) -> tuple[int, bytes]:
        root = self.url.removesuffix("/v1")
        try:
            with urllib.request.urlopen(f"{root}{path}", timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Its log is read into `lines` meanwhile: who runs long fills the pipe (64 KiB), and then a process of it
        stands still over a line of the log."""
        assert self.process.stdout is not None
        end, descriptor = threading.Event(), self.process.stdout.fileno()

        def hear() -> None:
            while not end.is_set():
                if select.select([descriptor], [], [], 0.2)[0]:
                    some = os.read(descriptor, 65_536)
                    if not some:
                        return
                    self.lines.append(some.decode(errors="replace"))

        thread = threading.Thread(target=hear, name="heard", daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join(5)

    def kill(self) -> None:
        """Every process of it, at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def post(url: str, key: str, body: Any) -> tuple[int, dict[str, Any], Any]:
    try:
        with urllib.request.urlopen(_request(url, key, body), timeout=30) as answer:
            return answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}"), error.headers


def open_stream(url: str, key: str, body: Any) -> Any:
    """The answer, to be read and closed."""
    return urllib.request.urlopen(_request(url, key, body), timeout=30)


def _request(url: str, key: str, body: Any) -> urllib.request.Request:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return urllib.request.Request(url, json.dumps(body).encode(), headers)


@contextlib.contextmanager
def scripted_model(*words: str) -> Iterator[str]:
    """Its address, ending with `/v1`."""
    command = [sys.executable, "-m", "handrail.app.scripted_model", "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert select.select([process.stdout], [], [], 30)[0], "the scripted model has said nothing within 30 s"
            yield process.stdout.readline().rsplit(" ", 1)[1].strip()
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()


def within(seconds: float, look: Any) -> Any:
    """What `look()` gives once it is true; asserts that this is within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
