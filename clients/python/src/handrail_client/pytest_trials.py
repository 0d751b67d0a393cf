"""pytest plug-in: every case of a `*.trial.yaml` is a test against a running handrail.

The files are those of a home's `tests/` folder. HANDRAIL_URL: where the server listens. HANDRAIL_PROBE_KEY: an API key
with the scopes chat, act and probe; for a further use case HANDRAIL_PROBE_KEY_SUPPORT_CHAT, with its id in capitals.
HANDRAIL_RELEASE: the digest of a draft; left out, what is live is asked. HANDRAIL_DIALECT: chat (default), responses or
messages, for cases that name none; HANDRAIL_MCP_URL: the MCP door, for tools with `door: mcp`.

Reading and judging is the package `handrail`
(`pip install 'handrail-client[trials]'`); without it, or without an address and a key, the cases fail and say so: a
test that cannot run is not green. JUnit: pytest's own `--junitxml`.
"""

import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from handrail.trials.case import Trial
    from handrail.trials.results import CaseResult

END = ".trial.yaml"
URL = "HANDRAIL_URL"
KEY = "HANDRAIL_PROBE_KEY"
RELEASE = "HANDRAIL_RELEASE"
DIALECT = "HANDRAIL_DIALECT"
DOORS = "HANDRAIL_MCP_URL"


class NotGreen(Exception):
    """A case whose expectations were not met, or that could not run."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "TrialFile | None":
    """Files of trials, wherever pytest looks."""
    if not file_path.name.endswith(END):
        return None
    found: TrialFile = TrialFile.from_parent(parent, path=file_path)
    return found


class TrialFile(pytest.File):
    """One file; its mistakes are errors of the collection, each with its line."""

    def collect(self) -> Iterator["TrialItem"]:
        try:
            from handrail.trials.reading import read_trials  # deferred: an extra of this package
        except ImportError:
            raise self.CollectError("trials need the package handrail: pip install 'handrail-client[trials]'") from None
        read = read_trials({self.path.name: self.path.read_text("utf-8")})
        if read.mistakes:
            raise self.CollectError("\n".join(str(one) for one in read.mistakes))
        for trial in read.trials:
            if trial.draft:
                continue  # nobody has reviewed it: it shows nothing, green or not
            yield TrialItem.from_parent(self, name=trial.id, trial=trial)


class TrialItem(pytest.Item):
    """One case."""

    def __init__(self, *, trial: "Trial", **more: Any) -> None:
        super().__init__(**more)
        self.trial = trial
        self.user_properties.append(("use_case", trial.use_case))

    def runtest(self) -> None:
        """Raises NotGreen."""
        from handrail.home.fields_trials import Dialect  # deferred: an extra of this package
        from handrail.trials.client import Client, Sending  # deferred: an extra of this package
        from handrail.trials.run import Plan, run

        url = os.environ.get(URL, "")
        keys = {name: key for name in {self.trial.use_case, *self.trial.judges} if (key := key_of(name))}
        if not url or self.trial.use_case not in keys:
            raise NotGreen(f"set {URL} to the address of a server and {KEY} to a key of it with the scope probe")
        sending = Sending(monotonic=time.monotonic, sleep=time.sleep)
        speaks = {name: Dialect(said) for name in keys if (said := os.environ.get(DIALECT, ""))}
        doors = Client(os.environ[DOORS], sending) if os.environ.get(DOORS) else None
        plan = Plan(
            keys=keys, run=uuid.uuid4().hex, release=os.environ.get(RELEASE, ""), parallel=1, speaks=speaks, doors=doors
        )
        results = run([self.trial], Client(url, sending), plan)
        result = results.cases[0]
        self.user_properties.append(("release", result.release))
        if not result.passed:
            raise NotGreen(_told(result))

    def repr_failure(self, excinfo: "pytest.ExceptionInfo[BaseException]", style: Any = None) -> Any:
        """The expectation and what came, without a trace of this plug-in."""
        if isinstance(excinfo.value, NotGreen):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        line = int(self.trial.place.rpartition(":")[2] or 1)
        return self.path, line - 1, f"{self.trial.use_case}/{self.trial.id}"


def key_of(use_case: str) -> str:
    """Of a use case, or the one for all; empty: there is none."""
    own = f"{KEY}_{re.sub(r'[^A-Z0-9]', '_', use_case.upper())}"
    return os.environ.get(own) or os.environ.get(KEY, "")


def _told(result: "CaseResult") -> str:
    from handrail.trials.results import lines  # deferred: an extra of this package

    talk = [f"     {said.role}: {said.text}" for said in result.talk]
    return "\n".join([*lines(result), *talk])
