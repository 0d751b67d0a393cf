"""A real `handrail serve` on a free port over a home of its own, with the bundled scripted model behind it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

COMMAND = [str(Path(sys.executable).parent / "handrail")]
START_S = 60


class Served:
    """`url`: without a path."""

    def __init__(self, home: Path, url: str, process: "subprocess.Popen[str]") -> None:
        self.home = home
        self.url = url
        self.process = process
        self._headers: dict[str, str] = {}

    def header(self, name: str) -> str:
        """Of the last answer."""
        return self._headers[name]

    def key(self, scope: str, use_case: str | None = None) -> str:
        """A new API key; in force within a second."""
        args = ["key", "create", "--scope", scope, "--agent", "test", *(["--use-case", use_case] if use_case else [])]
        out = run(self.home, *args)
        found = re.search(r"hr_[a-z0-9]+_\S+", out)
        assert found, out
        time.sleep(0.6)  # a real process takes it at its next look, each quarter of a second
        return found[0]

    def call(self, method: str, path: str, body: Any = None, key: str = "", **headers: str) -> tuple[int, Any]:
        """Status and JSON (or text)."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if key:
            given["authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self.url + path, data, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, raw = answer.status, answer.read()
                self._headers = {key.lower(): value for key, value in answer.headers.items()}
        except urllib.error.HTTPError as error:
            with error:
                status, raw = error.code, error.read()
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, raw.decode()


def run(home: Path, *args: str) -> str:
    """One command in the home."""
    done = subprocess.run([*COMMAND, *args], cwd=home, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextlib.contextmanager
def serving(
    home: Path, *, workers: int = 1, model_url: str = "http://127.0.0.1:9/v1", variables: Mapping[str, str] = {}
) -> Iterator[Served]:
    """Start, wait until ready, stop. `variables`: more of the environment."""
    run(home.parent, "init", str(home))
    text = (home / "handrail.yaml").read_text()
    ours = f"base_url: {model_url}\n    private_network: true"
    text = text.replace("base_url: https://api.openai.com/v1", ours)
    (home / "handrail.yaml").write_text(text)
    run(home, "publish")
    environment = {**os.environ, "OPENAI_API_KEY": "sk-none", "ANTHROPIC_API_KEY": "sk-none", **variables}
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "--workers", str(workers)],
        cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    lines: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "handrail is ready" in line:
                ready.set()
        ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert ready.wait(START_S), "".join(lines)
        found = re.search(r"(http://\S+)/v1", "".join(lines))
        assert found, "".join(lines)
        yield Served(home, found[1], process)
    finally:
        process.terminate()
        process.wait(40)
        reader.join(5)
        if process.stdout is not None:
            process.stdout.close()
