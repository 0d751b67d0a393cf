"""Trials of a home against a running server: what is asked, with which keys, and what is kept of it.

Keys are made for one run, with the scope `probe`, and end by themselves an hour later; the text of a key is in this
process's memory alone.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from handrail.app import wire
from handrail.app.settings import Settings
from handrail.home.codes import CURRENCIES
from handrail.home.fields_trials import Dialect
from handrail.home.mistake import Mistake, Place, did_you_mean, mistake
from handrail.home.text import HomeText
from handrail.in_force.snapshot import Snapshot
from handrail.people.key import Scope
from handrail.people.keys import CreateProbeKey
from handrail.policy import ruleset as ruleset_terms
from handrail.policy.ruleset import Ruleset
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId
from handrail.trials.case import Trial
from handrail.trials.client import Client, Sending
from handrail.trials.desk import Recorded, RecordRun
from handrail.trials.reading import Read, read_trials
from handrail.trials.results import CaseResult, Results
from handrail.trials.run import Plan, run

if TYPE_CHECKING:
    from handrail.app.wire import Store

HOUR_MS = 3_600_000
SCOPES = frozenset({Scope.CHAT, Scope.ACT, Scope.FACTS, Scope.PROBE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`url`: of the server; `mcp_url`: of its MCP door, empty: not known. `release`: a digest; empty: what is
    live. `whole`: the trials are all there are of their use cases. `cost_limit`: millionths of a minor unit. `keys`: by
    use case, where they are given; others are made. `by`: who acts when it is no person. `then`: what else the
    transaction does that keeps a run."""

    trials: Sequence[Trial]
    url: str
    whole: bool
    release: str = ""
    token: str | None = None
    parallel: int = 4
    cost_limit: int | None = None
    mcp_url: str = ""
    scheduled: bool = False
    by: Actor | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    told: Callable[[CaseResult], None] = lambda _: None
    then: Callable[[Any, Recorded], None] = lambda _, __: None


def trials_of(text: HomeText, ruleset: Ruleset | None = None) -> Read:
    """The cases of a home. `ruleset`: of the same home, so that use cases and tools are known; None: they are not
    checked."""
    if ruleset is None:
        return read_trials(text.tests)
    return read_trials(
        text.tests, use_cases=frozenset(ruleset.use_cases), tools=frozenset(ruleset.tools),
        digits=CURRENCIES[ruleset.currency],
    )  # fmt: skip


def unknown_probes(ruleset: Ruleset, trials: Sequence[Trial]) -> tuple[Mistake, ...]:
    """Cases that `probes` of a use case names and that there are not."""
    found = []
    for name, use_case in ruleset.use_cases.items():
        known = sorted({one.case for one in trials if one.use_case == name and not one.draft})
        for case in use_case.probes.cases if use_case.probes is not None else ():
            if case not in known:
                found.append(
                    mistake(
                        Place(f"use-cases/{name}"), "probes.unknown",
                        f"probes: there is no case {case} of this use case",
                        expected=", ".join(known) or "a case in tests/*.yaml", hint=did_you_mean(case, known),
                    )
                )  # fmt: skip
    return tuple(found)


async def run_trials(store: "Store", wanted: Wanted) -> tuple[Results, list[Recorded]]:
    """Run and keep: one record for each use case. Raises HandrailError NOT_PUBLISHED, NOT_FOUND, NOT_ALLOWED."""
    snapshot = await store.in_force.load()
    if snapshot is None:
        raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish")
    releases = _releases(wanted, snapshot)
    if wanted.release:
        await store.in_force.release(Digest(wanted.release))
    keys = {**await keys_for(store, wanted, snapshot), **wanted.keys}
    plan = Plan(
        keys=keys, run=wire.IDS.new("run"), release=wanted.release, parallel=wanted.parallel,
        cost_limit=wanted.cost_limit, speaks=await _speaks(store, wanted, snapshot),
        doors=_client(wanted.mcp_url) if wanted.mcp_url else None,
    )  # fmt: skip
    results = await asyncio.to_thread(run, wanted.trials, _client(wanted.url), plan, wanted.told)
    recorded = []
    for use_case, release in sorted(releases.items()):
        own = results.of(use_case)
        answered = own.releases
        if len(answered) > 1 or (wanted.release and answered - {wanted.release}):
            raise HandrailError(
                Code.LOST_RACE, f"the release of {use_case} changed while its trials ran; run them again"
            )
        change = RecordRun(
            ids=wire.IDS, use_case=use_case, release=Digest(next(iter(answered), release)), results=own,
            whole=wanted.whole, token=wanted.token, scheduled=wanted.scheduled,
        )  # fmt: skip
        recorded.append(await store.journal.run(partial(_kept, change, wanted.then)))
    return results, recorded


def _kept(change: RecordRun, then: Callable[[Any, Recorded], None], tx: Any) -> Recorded:
    done = change(tx)
    then(tx, done)
    return done


async def _speaks(store: "Store", wanted: Wanted, snapshot: Snapshot) -> dict[str, Dialect]:
    """What the first provider on each release's route speaks, for cases that name no dialect."""
    found = {}
    for name in {name for trial in wanted.trials for name in (trial.use_case, *trial.judges)}:
        live = snapshot.live.get(UseCaseId(name))
        asked = {UseCaseId(trial.use_case) for trial in wanted.trials}
        if wanted.release and UseCaseId(name) in asked:
            release = await store.in_force.release(Digest(wanted.release))
        elif live is not None:
            release = live.release
        else:
            continue
        providers = [snapshot.ruleset.providers.get(target.provider) for target in release.route]
        first = next((one for one in providers if one is not None), None)
        if first is not None and first.dialect is ruleset_terms.Dialect.ANTHROPIC:
            found[name] = Dialect.MESSAGES
    return found


def _client(url: str) -> Client:
    return Client(url, Sending(monotonic=wire.CLOCK.monotonic, sleep=time.sleep, context=_context(url)))


async def keys_for(store: "Store", wanted: Wanted, snapshot: Snapshot) -> dict[str, str]:
    """A key with the scope probe for each use case that has none yet. Raises HandrailError NOT_ALLOWED."""
    names = {name for trial in wanted.trials for name in (trial.use_case, *trial.judges)} - set(wanted.keys)
    made = {}
    for name in sorted(names):
        new = await store.journal.run(
            CreateProbeKey(
                ids=wire.IDS, use_case=UseCaseId(name), registered=frozenset(snapshot.live), scopes=SCOPES,
                agent="trial", expires_in_ms=25 * HOUR_MS if wanted.scheduled else HOUR_MS, token=wanted.token,
                by=wanted.by,
            )
        )  # fmt: skip
        made[name] = new.text
    return made


def _releases(wanted: Wanted, snapshot: Snapshot) -> dict[UseCaseId, str]:
    found = {}
    for name in sorted({UseCaseId(trial.use_case) for trial in wanted.trials}):
        live = snapshot.live.get(name)
        if live is None:
            raise HandrailError(
                Code.USE_CASE_UNREGISTERED, f"use case {name} has no live release; run: handrail publish"
            )
        found[name] = wanted.release or live.digest
    if wanted.release and len(found) > 1:
        raise HandrailError(Code.REQUEST_INVALID, "a release is of one use case: give --use-case too")
    return found


def url_of(given: Settings, *, host: str = "", port: int = 0) -> str:
    """Where the server of this home is reached from this machine. `host`, `port`: what it is bound to, where known."""
    boot = given.boot
    if boot.tls_cert_file and boot.public_url:
        return boot.public_url
    host, port = host or boot.host, port or boot.port
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  not bound, translated to loopback
    scheme = "https" if boot.tls_cert_file else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def mcp_url_of(given: Settings) -> str:
    """Where the MCP door of this home is reached from this machine; empty: its port is not fixed."""
    boot = given.boot
    if not boot.doors_port:
        return ""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(boot.doors_host, boot.doors_host)  # noqa: S104  as above
    scheme = "https" if boot.tls_cert_file else "http"
    return f"{scheme}://[{host}]:{boot.doors_port}" if ":" in host else f"{scheme}://{host}:{boot.doors_port}"


def _context(url: str) -> ssl.SSLContext | None:
    return ssl.create_default_context() if url.startswith("https") else None


def cost_limit_of(minor: float | None) -> int | None:
    """Millionths of a minor unit."""
    return None if minor is None else int(minor * 1_000_000)
