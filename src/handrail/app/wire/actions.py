"""What actions need: targets, schemas, the record of conversations, and the one who carries out. Loaded when the first
action comes, so that a server without tools keeps none of it in memory."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from handrail.app.settings import Secrets, Settings
from handrail.app.wire import CLOCK, IDS
from handrail.app.wire.keys import DOWNSTREAM, permit_keys
from handrail.app.wire.request import published
from handrail.backends.cel import installed_cel
from handrail.backends.egress import Egress, system_resolve
from handrail.backends.schemas import ArgumentSchemas
from handrail.backends.tools.by_kind import ByKind
from handrail.backends.tools.http import HttpTargets
from handrail.backends.upstream.request import Secret
from handrail.detectors.assent import assent_reader
from handrail.guard.again import Again
from handrail.guard.drill import Drilling
from handrail.guard.execute import Executor
from handrail.guard.permits import Permits
from handrail.guard.recollect import Recollect
from handrail.guard.tool_call import ToolCalls
from handrail.guard.would_be import Probing
from handrail.home.codes import CURRENCIES
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.ledger.seal import KEY_SIZE
from handrail.ledger.store import Journal
from handrail.policy.decide_action import Prepared
from handrail.terms.action import ToolId
from handrail.terms.errors import Code, HandrailError
from handrail.tools.registry import Tool, Upstream

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.backends.tools.mcp import McpTargets


class Acting:
    """`calls`: decides and executes. `executor`: carries out and reconciles. `again`: edits and undoes. `permits`: for
    callers that execute themselves. One loop."""

    def __init__(
        self, given: Settings, env: Mapping[str, str], store: "Store", in_force: InForce, journal: Journal | None = None
    ) -> None:
        """Raises HandrailError HOME_INVALID when the key of the keys folder cannot be opened."""
        journal = journal or store.journal
        folder = store.keys.folder
        secret = folder.read(DOWNSTREAM) or folder.make(DOWNSTREAM, IDS.token(KEY_SIZE), IDS)
        egress = Egress(resolve=system_resolve, published=published(in_force), monotonic=CLOCK.monotonic)
        secrets = Secrets(given.home, env)
        self._targets: ByKind[McpTargets] = ByKind(
            HttpTargets(egress=egress, secret=secrets), lambda: mcp_targets(egress, secrets)
        )
        schemas = ArgumentSchemas()
        self.executor = Executor(
            journal=journal, targets=self._targets, registry=Registered(in_force), clock=CLOCK, ids=IDS,
            secret=secret, owner=IDS.new("ow"),
        )  # fmt: skip
        recollect = Recollect(store.acts, reader=assent_reader(), digits=CURRENCIES, schema=schemas.errors)
        self.calls = ToolCalls(
            journal=journal,
            threads=store.threads,
            executor=self.executor,
            schemas=schemas,
            recollection=recollect,
            hashing=store.keys.lookup,
            clock=CLOCK,
            ids=IDS,
            digits=CURRENCIES,
            manifests=self._targets,
            model_calls=store.model_calls,
        )
        self.probing = Probing(self.calls, recollect, journal, IDS)
        self.again = Again(self.calls, journal, IDS)
        self.drilling = Drilling(
            journal=journal, threads=store.threads, recents=store.acts, schemas=schemas, hashing=store.keys.lookup,
            clock=CLOCK, ids=IDS, digits=CURRENCIES,
        )  # fmt: skip
        self.permits = Permits(self.calls, journal, permit_keys(store), CLOCK, IDS)

    def prepared(self, snapshot: Snapshot) -> Prepared:
        """Raises HandrailError GUARD_UNAVAILABLE."""
        return prepared(snapshot)

    def sources(self) -> "McpTargets":
        """The MCP servers, for what is no tool. Raises HandrailError GUARD_UNAVAILABLE."""
        return self._targets.mcp()

    async def close(self) -> None:
        """Running calls end unsure."""
        await self._targets.close()


def mcp_targets(egress: Egress, secrets: Secret) -> "McpTargets":
    """Raises HandrailError GUARD_UNAVAILABLE when the extra is not installed."""
    try:
        from handrail.backends.tools.mcp import McpTargets  # deferred: an extra, and 60 MB that few processes need
    except ImportError:
        raise HandrailError(
            Code.GUARD_UNAVAILABLE, "an MCP target needs the extra: make extras, or pip install 'handrail[mcp]'"
        ) from None
    return McpTargets(egress=egress, secret=secrets, clock=CLOCK)


class Registered:
    """`guard.execute.Registry`: the tools of what is in force."""

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force

    def tool(self, tool: ToolId) -> tuple[Tool, Upstream] | None:
        snapshot = self._in_force.current
        found = None if snapshot is None else snapshot.ruleset.tools.get(tool)
        if snapshot is None or found is None or found.upstream not in snapshot.ruleset.upstreams:
            return None
        return found, snapshot.ruleset.upstreams[found.upstream]


def prepared(snapshot: Snapshot) -> Prepared:
    """Rules on actions as decisions look them up; built once for each ruleset. Raises HandrailError GUARD_UNAVAILABLE
    when a condition needs an implementation that is not installed: nothing is decided without it."""
    known = _PREPARED.get(snapshot.ruleset_digest)
    if known is None:
        ruleset = snapshot.ruleset
        tools = {
            name: [ruleset.tools[tool] for tool in use_case.tools if tool in ruleset.tools]
            for name, use_case in ruleset.use_cases.items()
        }
        try:
            uses_cel = any(rule.cel for rule in ruleset.actions.rules)
            known = Prepared(ruleset.use_cases, tools, ruleset.actions, installed_cel() if uses_cel else None)
        except ValueError as error:
            raise HandrailError(Code.GUARD_UNAVAILABLE, f"a rule on actions cannot be used here: {error}") from None
        _PREPARED.clear()
        _PREPARED[snapshot.ruleset_digest] = known
    return known


_PREPARED: dict[str, Prepared] = {}
"""Of the ruleset in force."""
