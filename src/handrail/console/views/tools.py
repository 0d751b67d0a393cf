"""What agents may call and which models answer: declared in the ruleset in force, beside what the record says of late;
pure."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from handrail.approvals.facts import ActionFacts
from handrail.console.views.overview import AUTONOMY
from handrail.console.views.use_cases_words import REVERSIBLE, THEN, TYPES, applies, limit_said
from handrail.console.words import N_, Words
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.commitment import RecordedFacts
from handrail.ledger.entry import EntryKind, InteractionFacts
from handrail.policy.action import Why
from handrail.policy.autonomy import least
from handrail.policy.explain_action import built_in
from handrail.terms.ids import ProviderId
from handrail.tools.registry import Reversibility, Tool, Upstream, UpstreamKind, gives_permits

MOST = 1_000
"""Newest entries of a kind that are looked at; more is said to be left out."""
WEEK_MS = 7 * 86_400_000
DAY_MS = 86_400_000
CALLED = EntryKind.ACTION_DECIDED
MOVES = (
    CALLED, EntryKind.ACTION_DONE, EntryKind.ACTION_FAILED, EntryKind.ACTION_UNKNOWN, EntryKind.ACTION_UNREACHABLE,
)  # fmt: skip
WRONG = frozenset({EntryKind.ACTION_FAILED, EntryKind.ACTION_UNKNOWN, EntryKind.ACTION_UNREACHABLE})
OUTCOMES = {
    EntryKind.ACTION_FAILED: N_("Failed, certainly without effect"),
    EntryKind.ACTION_UNKNOWN: N_("Nobody knows whether it had an effect"),
    EntryKind.ACTION_UNREACHABLE: N_("The target could not be reached"),
    EntryKind.ACTION_DONE: N_("Done"),
}
WAYS = {
    UpstreamKind.HTTP: N_("over HTTP"), UpstreamKind.MCP: N_("MCP server"),
    UpstreamKind.MCP_STDIO: N_("MCP server in a process of its own"),
}  # fmt: skip


@dataclass(slots=True)
class Calls:
    """Of one tool. `last_wrong`: kind, when and the action; `drifted_at`: when a call was last held because the target
    announces something else."""

    verdicts: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    latest: list[tuple[int, str, str, str]] = field(default_factory=list)
    last_wrong: tuple[EntryKind, int, str] | None = None
    drifted_at: int | None = None
    took: list[int] = field(default_factory=list)


def calls_of(entries: Sequence[RecordedFacts]) -> dict[str, Calls]:
    """`entries`: of `MOVES`, newest first. Drills count nowhere."""
    found: dict[str, Calls] = {}
    for one in entries:
        facts = msgspec.json.decode(one.facts, type=ActionFacts)
        if facts.drill or not facts.tool:
            continue
        calls = found.setdefault(facts.tool, Calls())
        kind = EntryKind(one.kind)
        if kind is CALLED:
            verdict = facts.verdict.value if facts.verdict else ""
            calls.verdicts[verdict] += 1
            codes = [reason.code for reason in facts.reasons]
            if Why.MANIFEST in codes:
                calls.drifted_at = max(calls.drifted_at or 0, one.at_ms)
            if len(calls.latest) < 10:
                calls.latest.append((one.at_ms, verdict, codes[0] if codes else "", facts.action))
            continue
        calls.ended[kind.value] += 1
        if facts.took_ms is not None:
            calls.took.append(facts.took_ms)
        if kind in WRONG and calls.last_wrong is None:
            calls.last_wrong = (kind, one.at_ms, facts.action)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsRead:
    """What the ports gave. `decided`, `ended`: entries of the last 7 days, newest first, at most `MOST` of each.
    `spoken`: interactions of the last 24 hours, likewise. `changed`: a test's answer that changed (`probe.changed`).
    `published_at`: of the ruleset in force, as far as it is known."""

    snapshot: Snapshot
    decided: Sequence[RecordedFacts]
    ended: Sequence[RecordedFacts]
    spoken: Sequence[RecordedFacts] = ()
    changed: Sequence[RecordedFacts] = ()
    published_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRow:
    """`drift`: why its calls wait; empty: they do not."""

    id: str
    title: str
    type: str
    reversible: str
    called: str
    held: str
    denied: str
    failed: str
    wrong: str
    wrong_at: int | None
    drift: str
    tone: str
    icon: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRow:
    id: str
    kind: str
    address: str
    said: str
    tools: tuple[ToolRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    id: str
    dialect: str
    address: str
    routes: tuple[str, ...]
    tone: str
    icon: str
    state: str
    asked: str
    failed: str
    middle: str
    slow: str
    wrong: str
    wrong_at: int | None
    answered_by: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """`counted`: what the counts are of."""

    said: str
    counted: str
    upstreams: tuple[UpstreamRow, ...]
    providers: tuple[ProviderRow, ...]
    spoken: str
    changed: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    id: str
    name: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    at_ms: int
    tone: str
    text: str
    why: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolShow:
    crumbs: tuple[tuple[str, str], ...]
    crumb: str
    row: ToolRow
    description: str
    facts: tuple[tuple[str, str], ...]
    users: tuple[UserRow, ...]
    limits: tuple[str, ...]
    rules: tuple[tuple[str, str, str, str], ...]
    counts: tuple[tuple[str, str], ...]
    counted: str
    late: tuple[Late, ...]
    schema: str
    schema_cut: str
    command: str


SCHEMA_CHARS = 10_000


def tools(read: ToolsRead, words: Words) -> Tools:
    ruleset = read.snapshot.ruleset
    calls = calls_of([*read.decided, *read.ended])
    by: dict[str, list[Tool]] = {}
    for tool in ruleset.tools.values():
        by.setdefault(tool.upstream, []).append(tool)
    return Tools(
        said=", ".join(
            [
                words.plural("{n} tool", "{n} tools", len(ruleset.tools)),
                words.plural("{n} target system", "{n} target systems", len(ruleset.upstreams)),
                words.plural("{n} model provider", "{n} model providers", len(ruleset.providers)),
            ]
        ),
        counted=_counted(read, words),
        upstreams=tuple(_upstream(one, by.get(one.id, []), calls, read, words) for one in ruleset.upstreams.values()),
        providers=tuple(_providers(read, words)),
        spoken=words(N_("of the newest {n} answers since {when}"), n=words.number(len(read.spoken)),
                     when=words.moment(read.spoken[-1].at_ms)) if len(read.spoken) >= MOST
        else words(N_("last 24 hours")),
        changed=tuple((one.at_ms, str(one.use_case or one.about)) for one in read.changed[:10]),
    )  # fmt: skip


def tool_show(read: ToolsRead, tool: Tool, words: Words) -> ToolShow:
    ruleset = read.snapshot.ruleset
    calls = calls_of([*read.decided, *read.ended]).get(tool.id, Calls())
    schema = json.dumps(tool.arguments, indent=2, ensure_ascii=False)
    left = len(schema) - SCHEMA_CHARS
    names, types = frozenset({str(tool.id)}), frozenset({tool.type})
    users = [one for one in ruleset.use_cases.values() if tool.id in one.tools]
    concerned = [str(one.id) for one in users] or [""]
    return ToolShow(
        crumbs=((words(N_("Tools and providers")), "/tools"),), crumb=tool.title or tool.id,
        row=_tool(tool, calls, read, words), description=tool.description[:2_000],
        facts=_facts(tool, ruleset.upstreams.get(tool.upstream), words),
        users=tuple(
            UserRow(id=one.id, name=one.name, said=_level(one.id, tool, read.snapshot, words)) for one in users
        ),
        limits=tuple(
            f"{limit_said(one, words)} ({one.id})" for one in ruleset.actions.limits
            if any(applies(one, case, names, types) for case in concerned)
        ),
        rules=tuple(
            (THEN[one.then][0], words(THEN[one.then][1]), one.why, one.place or one.id) for one in ruleset.actions.rules
            if any(applies(one, case, names, types) for case in concerned)
        ),
        counts=_counts(calls, words), counted=_counted(read, words),
        late=tuple(
            Late(at_ms=at, tone=_tone(verdict), text=words(_VERDICTS.get(verdict, verdict)),
                 why=words(built_in(code)) if built_in(code) else "", action=action)
            for at, verdict, code, action in calls.latest
        ),
        schema=schema[:SCHEMA_CHARS],
        schema_cut=words.plural("{n} more character is not shown.", "{n} more characters are not shown.", left)
        if left > 0 else "",
        command=f"handrail policy explain {tool.id}",
    )  # fmt: skip


_VERDICTS = {
    "allow": N_("Allowed"), "change": N_("Allowed with changes"), "hold": N_("Held for a person"), "deny": N_("Denied"),
}  # fmt: skip


def _tone(verdict: str) -> str:
    return {"allow": "allow", "change": "acc", "hold": "hold", "deny": "deny"}.get(verdict, "")


def _counted(read: ToolsRead, words: Words) -> str:
    if len(read.decided) >= MOST:
        return words(
            N_("Of the newest {n} calls, since {when}; older ones are not counted here."), n=words.number(MOST),
            when=words.moment(read.decided[-1].at_ms),
        )  # fmt: skip
    return words(N_("Of the last 7 days. Drills and tests count nowhere."))


def _upstream(
    one: Upstream, own: Sequence[Tool], calls: Mapping[str, Calls], read: ToolsRead, words: Words
) -> UpstreamRow:
    said = [words(N_("its reads count as the record")) if one.trusted else words(N_("what it quotes is not trusted"))]
    if one.private_network:
        said.append(words(N_("inside the own network")))
    said.append(words(N_("waits at most {time}"), time=words.lasting(one.timeout_ms)))
    return UpstreamRow(
        id=one.id, kind=words(WAYS[one.kind]), address=_host(one.base_url), said=" · ".join(said),
        tools=tuple(_tool(tool, calls.get(tool.id, Calls()), read, words) for tool in own),
    )  # fmt: skip


def _host(url: str) -> str:
    """Without path and query: who is spoken to, and nothing that could be a secret."""
    return url.split("//", 1)[-1].split("/", 1)[0].rsplit("@", 1)[-1][:120]


def _tool(tool: Tool, calls: Calls, read: ToolsRead, words: Words) -> ToolRow:
    stopped = any(
        stop.scope.value == "all" or (stop.scope.value == "tool" and stop.value == tool.id)
        or (stop.scope.value == "provider" and stop.value == tool.upstream) for stop in read.snapshot.stops
    )  # fmt: skip
    drifted = calls.drifted_at is not None and calls.drifted_at >= (read.published_at or 0)
    drift = words(
        N_(
            "Its server announces something else than what was published. Every call waits for a person until it is "
            "looked at and published again: handrail tools, then handrail publish."
        )
    ) if drifted else ""  # fmt: skip
    failed = sum(calls.ended[kind.value] for kind in WRONG)
    if stopped:
        tone, icon, state = "deny", "stop", words(N_("Stopped"))
    elif drifted:
        tone, icon, state = "hold", "alert", words(N_("Changed, held"))
    elif failed:
        tone, icon, state = "hold", "alert", words(N_("Had failures"))
    elif calls.verdicts:
        tone, icon, state = "allow", "check", words(N_("In use"))
    else:
        tone, icon, state = "", "dot", words(N_("Not called"))
    wrong = calls.last_wrong
    return ToolRow(
        id=tool.id, title=tool.title or tool.id, type=words(TYPES[tool.type]), reversible=_reversible(tool, words),
        called=words.number(sum(calls.verdicts.values())), held=words.number(calls.verdicts["hold"]),
        denied=words.number(calls.verdicts["deny"]), failed=words.number(failed),
        wrong=words(OUTCOMES[wrong[0]]) if wrong else "", wrong_at=wrong[1] if wrong else None, drift=drift, tone=tone,
        icon=icon, state=state,
    )  # fmt: skip


def _reversible(tool: Tool, words: Words) -> str:
    if tool.type.value == "read":
        return words(N_("Changes nothing"))
    if tool.reversibility is Reversibility.WINDOW:
        return words(REVERSIBLE[tool.reversibility], time=words.lasting(1_000 * (tool.undo_within_s or 0)))
    return words(REVERSIBLE[tool.reversibility])


def _facts(tool: Tool, target: Upstream | None, words: Words) -> tuple[tuple[str, str], ...]:
    yes, no = words(N_("yes")), words(N_("no"))
    found = [
        (words(N_("Effect")), words(TYPES[tool.type])), (words(N_("Back again")), _reversible(tool, words)),
        (words(N_("Undone by")), tool.undo.tool if tool.undo else "–"),
        (words(N_("Target")), f"{tool.upstream} ({_host(target.base_url)})" if target else tool.upstream),
        (words(N_("Same call again")), ", ".join(tool.business_key) or words(N_("by all arguments"))),
        (words(N_("Target knows repetitions")), yes if tool.idempotency else no),
        (words(N_("Effect is checked")), tool.verify.call.tool if tool.verify else no),
        (words(N_("After a crash it asks")), tool.outcome.call.tool if tool.outcome else no),
        (words(N_("Waits before it leaves")), words.lasting(1_000 * tool.cool_off_s) if tool.cool_off_s else no),
        (words(N_("Callers may execute it")), yes if gives_permits(tool) else no),
        (words(N_("Written in")), tool.place or "–"),
    ]  # fmt: skip
    if tool.manifest:
        found.append((words(N_("Manifest published")), str(tool.manifest)[:16]))
    return tuple(found)


def _level(use_case: str, tool: Tool, snapshot: Snapshot, words: Words) -> str:
    case = next(one for one in snapshot.ruleset.use_cases.values() if one.id == use_case)
    level = case.levels.get(tool.type)
    if level is None:
        return words(N_("Has no level: it is refused"))
    return words(AUTONOMY[least(level.autonomy, snapshot.at_most(case.id, tool.type)).value])


def _counts(calls: Calls, words: Words) -> tuple[tuple[str, str], ...]:
    found = [(words(label), words.number(calls.verdicts[verdict])) for verdict, label in _VERDICTS.items()]
    found += [(words(label), words.number(calls.ended[kind.value])) for kind, label in OUTCOMES.items()]
    if calls.took:
        ordered = sorted(calls.took)
        found.append((words(N_("Half of them took at most")), f"{words.number(ordered[len(ordered) // 2])} ms"))
    return tuple(found)


def _providers(read: ToolsRead, words: Words) -> list[ProviderRow]:
    asked: dict[str, list[tuple[int, InteractionFacts]]] = {}
    for entry in read.spoken:
        facts = msgspec.json.decode(entry.facts, type=InteractionFacts)
        if facts.provider:
            asked.setdefault(facts.provider, []).append((entry.at_ms, facts))
    routes: dict[ProviderId, list[str]] = {}
    for case, live in read.snapshot.live.items():
        for target in live.release.route:
            routes.setdefault(target.provider, []).append(f"{case}: {target.model}")
    found = []
    for one in read.snapshot.ruleset.providers.values():
        mine = asked.get(one.id, [])
        bad = [(at, facts) for at, facts in mine if facts.error.startswith("upstream.")]
        took = sorted(facts.upstream_ms for _, facts in mine if not facts.error and facts.upstream_ms)
        tone, icon, state = _health(one.id, mine, bad, read, words)
        by: dict[str, int] = {}
        for at, facts in mine:
            if facts.answered_by:
                by.setdefault(facts.answered_by[:120], at)
        found.append(
            ProviderRow(
                id=one.id, dialect=one.dialect.value, address=_host(one.base_url),
                routes=tuple(sorted(routes.get(one.id, ()))), tone=tone, icon=icon, state=state,
                asked=words.number(len(mine)), failed=words.number(len(bad)),
                middle=f"{words.number(took[len(took) // 2])} ms" if took else "–",
                slow=f"{words.number(took[int(len(took) * 0.95)])} ms" if took else "–",
                wrong=bad[0][1].error if bad else "", wrong_at=bad[0][0] if bad else None,
                answered_by=tuple(by.items())[:6],
            )
        )  # fmt: skip
    return found


def _health(
    name: str, mine: Sequence[tuple[int, InteractionFacts]], bad: Sequence[tuple[int, InteractionFacts]],
    read: ToolsRead, words: Words,
) -> tuple[str, str, str]:  # fmt: skip
    """From the record: the newest answer says more than older ones."""
    if any(stop.scope.value == "provider" and stop.value == name for stop in read.snapshot.stops):
        return "deny", "stop", words(N_("Stopped"))
    if not mine:
        return "", "dot", words(N_("Not asked"))
    newest = mine[0][1]
    if newest.error == "upstream.circuit_open":
        return "deny", "x", words(N_("Circuit open"))
    if newest.error.startswith("upstream."):
        return "deny", "x", words(N_("Failing"))
    if bad:
        return "hold", "alert", words(N_("Had failures"))
    return "allow", "check", words(N_("Answers"))
