"""One entry of the register: what the use case is, how far it may go, and how it stands; pure."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from handrail.approvals.stop import StopScope
from handrail.console.views.charts import Figure
from handrail.console.views.happened import shortened
from handrail.console.views.measured import METRICS, figures_of
from handrail.console.views.overview import AUTONOMY, RISKS
from handrail.console.views.use_cases import highest, standing
from handrail.console.views.use_cases_words import (
    AUDIENCES,
    DONE,
    FAILURES,
    PROMPTS,
    RATES,
    STREAMS,
    THEN,
    TYPES,
    applies,
    held_to,
    kind_words,
    limit_said,
    ramped_said,
    share_said,
    stages_said,
)
from handrail.console.words import N_, Words
from handrail.governance.demote import Demotion
from handrail.guard.ports import Spent
from handrail.in_force.snapshot import Snapshot
from handrail.people.key import ApiKey
from handrail.policy.autonomy import is_below, least
from handrail.policy.ruleset import FindingAction, FindingRule, PromptMode, UseCase
from handrail.releases.lifecycle import Rollout
from handrail.releases.lifecycle import State as ReleaseState
from handrail.review.incident import Incident
from handrail.terms.finding import Kind
from handrail.watch.alert import Alert
from handrail.watch.measure import Cell, Counts
from handrail.watch.metrics import DEFINITIONS, figure
from handrail.watch.series import Series

PROMPT_CHARS = 20_000
"""Of a prompt that are shown."""
_BY_ID = {one.id: one for one in DEFINITIONS}
Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowRead:
    """What the ports gave. `measured`: of the last week. `demotions`: of every use case. `held`: of this one."""

    snapshot: Snapshot
    case: UseCase
    measured: Sequence[tuple[Cell, Counts]]
    series: Sequence[Series]
    incidents: Sequence[Incident]
    alerts: Sequence[Alert]
    rollouts: Sequence[Rollout]
    demotions: Sequence[Demotion]
    keys: Sequence[ApiKey]
    spent: Spent
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRow:
    """`lowered`: why the level that holds is below the declared one; empty: it is not."""

    type: str
    code: str
    risk: str
    risk_tone: str
    level: int
    label: str
    said: str
    lowered: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    tone: str
    text: str
    kinds: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    title: str
    rows: tuple[Done, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    tone: str
    then: str
    why: str
    id: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRow:
    id: str
    title: str
    said: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    title: str
    limit: str
    now: str
    of: str
    tone: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    title: str
    text: str
    value: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """`text`: empty where it may not be shown, is not ours or there is none; `why_not` then says which. `cut`: what of
    it is left out."""

    said: str
    text: str
    why_not: str
    cut: str
    count: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    id: str
    agent: str
    scopes: str
    ends: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseShow:
    """`waits`: tone, sentence, name of a route that must be there, and the address. `commands`: for "what would happen
    if"."""

    crumbs: tuple[tuple[str, str], ...]
    crumb: str
    id: str
    name: str
    purpose: str
    tone: str
    icon: str
    mode: str
    risk: str
    risk_tone: str
    level: int
    level_label: str
    level_said: str
    lowered: str
    waits: tuple[tuple[str, str, str, str], ...]
    answers: Facts
    about: Facts
    levels: tuple[LevelRow, ...]
    figures: tuple[tuple[str, Figure], ...]
    failures: tuple[FailureRow, ...]
    findings: tuple[Where, ...]
    rules: tuple[RuleRow, ...]
    limits: tuple[str, ...]
    tools: tuple[ToolRow, ...]
    release: str
    released: str
    route: tuple[str, ...]
    prompt: Prompt
    budget: tuple[Meter, ...]
    today: str
    safety: Facts
    keeps: Facts
    disclosure: tuple[tuple[str, str], ...]
    disclosed: str
    ramp: tuple[str, ...]
    ramped: str
    keys: tuple[KeyRow, ...]
    commands: tuple[str, ...]


def use_case_show(read: ShowRead, words: Words, *, prompt: bool) -> UseCaseShow:
    """`prompt`: whether this visitor may read the prompt's text."""
    case, snapshot = read.case, read.snapshot
    risk, declared, effective = highest(case, snapshot)
    tone, icon, mode = standing(case, snapshot, words)
    live = snapshot.live.get(case.id)
    figures = figures_of(read.measured, read.series, case.id, words)
    rules, limits = _rules(read, words)
    return UseCaseShow(
        crumbs=((words(N_("Use cases")), "/use_cases"),), crumb=case.name, id=case.id, name=case.name,
        purpose=case.purpose, tone=tone, icon=icon, mode=mode, risk=words(RISKS[risk][1]), risk_tone=RISKS[risk][0],
        level=int(effective[1]) + 1, level_label=words(N_("Autonomy level {n} of 5"), n=int(effective[1]) + 1),
        level_said=words(AUTONOMY[effective]),
        lowered=words(N_("lowered from: {level}"), level=words(AUTONOMY[declared])) if declared != effective else "",
        waits=_waits(read, words), answers=_answers(case, words), about=_about(case, words),
        levels=tuple(_levels(read, words)),
        figures=tuple((words(label), one) for label, one in zip(METRICS.values(), figures, strict=True)),
        failures=tuple(_failures(read, words)), findings=_findings(case, words), rules=rules, limits=limits,
        tools=tuple(_tools(read, words)), release=live.digest if live else "", released=_released(read, words),
        route=tuple(f"{one.provider} / {one.model}" for one in live.release.route) if live else (),
        prompt=_prompt(read, words, may=prompt), budget=tuple(_budget(read, words)), today=_today(read, words),
        safety=_safety(case, words), keeps=_keeps(case, words),
        disclosure=tuple(sorted(case.disclosure.wording.items())) if case.disclosure.required else (),
        disclosed=words(N_("Version {version}. Each customer hears it first."), version=case.disclosure.version)
        if case.disclosure.required else words(N_("Nobody is told: the home says that it is not needed.")),
        ramp=stages_said(case.ramp, words), ramped=ramped_said(case.ramp, words), keys=tuple(_keys(read, words)),
        commands=tuple(f"handrail policy explain {tool}" for tool in case.tools[:3]),
    )  # fmt: skip


def _waits(read: ShowRead, words: Words) -> tuple[tuple[str, str, str, str], ...]:
    case = read.case
    found = [
        (
            "deny", words(N_("Stopped {when}: {reason}. It runs again when an owner or compliance lets it."),
                          when=words.ago(stop.at_ms), reason=stop.reason),
            "stop", f"/stop#{quote(stop.id)}",
        )
        for stop in read.snapshot.stops
        if stop.scope is StopScope.ALL or (stop.scope is StopScope.USE_CASE and stop.value == case.id)
    ]  # fmt: skip
    found += [
        ("deny", shortened(one.title), "incidents.show", f"/incidents/{quote(one.id)}")
        for one in read.incidents
        if one.use_case == case.id
    ]
    if read.held:
        found.append(
            ("hold", words.plural("{n} approval waits", "{n} approvals wait", read.held), "approvals", "/approvals")
        )  # fmt: skip
    found += [
        ("hold", shortened(one.first.sentence), "alerts.show", f"/alerts/{quote(one.id)}")
        for one in read.alerts
        if one.first.use_case == case.id
    ]
    return tuple(found)


def _answers(case: UseCase, words: Words) -> Facts:
    return (
        (words(N_("Owner")), case.owner), (words(N_("Deputy")), case.deputy),
        (words(N_("Escalation")), case.escalation),
    )  # fmt: skip


def _about(case: UseCase, words: Words) -> Facts:
    return (
        (words(N_("Speaks with")), words(AUDIENCES[case.audience])),
        (words(N_("Channels")), ", ".join(case.channels) or "–"),
        (words(N_("Languages")), ", ".join(_language(one, words) for one in case.languages) or "–"),
        (words(N_("Regions")), ", ".join(case.regions) or "–"),
        (words(N_("Data")), ", ".join(case.data_classes) or "–"),
        (words(N_("Id")), case.id),
    )  # fmt: skip


def _language(code: str, words: Words) -> str:
    name = words.locale.languages.get(code.split("-")[0])
    return f"{name} ({code})" if name else code


def _levels(read: ShowRead, words: Words) -> list[LevelRow]:
    mine = next((one for one in read.demotions if one.use_case == read.case.id), None)
    found = []
    for kind, level in read.case.levels.items():
        holds = least(level.autonomy, read.snapshot.at_most(read.case.id, kind))
        lowered = ""
        if is_below(holds, level.autonomy):
            known = mine.levels.get(kind) if mine is not None else None
            declared = words(AUTONOMY[level.autonomy.value])
            lowered = words(N_("declared: {level}"), level=declared)
            if known is not None:
                lowered = words(N_("declared: {level}; lowered {ago}"), level=declared, ago=words.ago(known.since_ms))
        n = int(holds.value[1]) + 1
        found.append(
            LevelRow(
                type=words(TYPES[kind]), code=kind.value, risk=words(RISKS[level.risk.value][1]),
                risk_tone=RISKS[level.risk.value][0], level=n, said=words(AUTONOMY[holds.value]), lowered=lowered,
                label=words(N_("Autonomy level {n} of 5"), n=n),
            )
        )  # fmt: skip
    return found


def _failures(read: ShowRead, words: Words) -> list[FailureRow]:
    total: Counter[str] = Counter()
    for cell, counts in read.measured:
        if cell.use_case == read.case.id:
            total.update(counts)
    found = []
    for one in read.case.accepted_failures:
        metric, title = RATES.get(one.metric, ("", ""))
        limit = words(N_("up to {share}"), share=words.percent(one.limit, 2)) if one.limit else words(N_("never"))
        now, of, tone, state = "–", "", "", words(N_("Not measured"))
        if metric:
            shown = figure(_BY_ID[metric], total, total)
            if shown.count is not None and shown.cases:
                share = shown.count / shown.cases
                now = words.percent(share, 2)
                of = words(
                    N_("{count} of {cases}"), count=words.number(shown.count), cases=words.number(shown.cases)
                )  # fmt: skip
                tone, state = held_to(shown.count, shown.cases, one.limit)
                state = words(state)
            else:
                of = words(N_("Nothing was counted in the last 7 days."))
        found.append(
            FailureRow(title=words(title) if title else one.metric, limit=limit, now=now, of=of, tone=tone, state=state)
        )
    return found


def _findings(case: UseCase, words: Words) -> tuple[Where, ...]:
    places = (
        (N_("In what customers write"), case.findings),
        (N_("In what the model says"), {**case.findings, **case.answer_findings}),
        (N_("In what tools and documents say"), {**case.findings, **case.source_findings}),
    )
    return tuple(Where(title=words(title), rows=_done(rules, words)) for title, rules in places)


def _done(rules: Mapping[Kind, FindingRule], words: Words) -> tuple[Done, ...]:
    by: dict[FindingAction, list[str]] = {}
    for kind, rule in rules.items():
        by.setdefault(rule.action, []).append(kind_words(kind, words))
    return tuple(
        Done(tone=tone, text=words(text), kinds=", ".join(sorted(by[action], key=str.casefold)))
        for action, (tone, text) in DONE.items()
        if action in by
    )


def _rules(read: ShowRead, words: Words) -> tuple[tuple[RuleRow, ...], tuple[str, ...]]:
    case, ruleset = read.case, read.snapshot.ruleset
    tools = frozenset(map(str, case.tools))
    types = frozenset(ruleset.tools[name].type for name in case.tools if name in ruleset.tools)
    rules = tuple(
        RuleRow(tone=THEN[one.then][0], then=words(THEN[one.then][1]), why=one.why, id=one.id, place=one.place)
        for one in ruleset.actions.rules
        if applies(one, case.id, tools, types)
    )
    limits = tuple(
        f"{limit_said(one, words)} ({one.id})" for one in ruleset.actions.limits if applies(one, case.id, tools, types)
    )
    return rules, limits


def _tools(read: ShowRead, words: Words) -> list[ToolRow]:
    found = []
    for name in read.case.tools:
        tool = read.snapshot.ruleset.tools.get(name)
        if tool is None:
            continue
        level = read.case.levels.get(tool.type)
        holds = least(level.autonomy, read.snapshot.at_most(read.case.id, tool.type)) if level is not None else None
        found.append(
            ToolRow(
                id=name, title=tool.title or name, said=words(TYPES[tool.type]),
                level=words(AUTONOMY[holds.value]) if holds is not None else words(N_("Has no level: it is refused")),
            )
        )  # fmt: skip
    return found


def _released(read: ShowRead, words: Words) -> str:
    canary = next(
        (one for one in read.rollouts if one.use_case == read.case.id and one.state is ReleaseState.CANARY), None
    )
    if canary is None:
        return words(N_("It answers every conversation."))
    return words(N_("{digest} is tried at {share}."), digest=canary.release[:8], share=share_said(canary.share, words))


def _prompt(read: ShowRead, words: Words, *, may: bool) -> Prompt:
    live = read.snapshot.live.get(read.case.id)
    if live is None or live.release.prompt_mode is PromptMode.CLIENT:
        said = words(PROMPTS[PromptMode.CLIENT])
        return Prompt(said=said, text="", why_not="", cut="", count="", digest="")
    text = live.release.prompt
    count = words.plural("{n} word", "{n} words", len(text.split()))
    left = len(text) - PROMPT_CHARS
    return Prompt(
        said=words(PROMPTS[PromptMode.MANAGED]), text=text[:PROMPT_CHARS] if may else "",
        why_not="" if may else words(N_("Owners, engineers, compliance, auditors and admins can read it.")),
        cut=words.plural("{n} more character is not shown.", "{n} more characters are not shown.", left)
        if may and left > 0 else "",
        count=count, digest=hashlib.sha256(text.encode()).hexdigest(),
    )  # fmt: skip


def _budget(read: ShowRead, words: Words) -> list[Meter]:
    budget, spent, currency = read.case.budget, read.spent, read.snapshot.ruleset.currency
    found = []
    if budget.requests is not None:
        found.append((N_("Requests"), spent.requests, budget.requests, ""))
    if budget.tokens is not None:
        found.append((N_("Tokens"), spent.tokens, budget.tokens, ""))
    if budget.cost_minor is not None:
        found.append((N_("Cost"), spent.cost_micro_minor // 1_000_000, budget.cost_minor, currency))
    return [
        Meter(
            title=words(title), value=min(used, most), most=max(most, 1),
            text=words(
                N_("{used} of {most}"), used=words.money(used, money) if money else words.number(used),
                most=words.money(most, money) if money else words.number(most),
            ),
        )
        for title, used, most, money in found
    ]  # fmt: skip


def _today(read: ShowRead, words: Words) -> str:
    spent = read.spent
    said = words(
        N_("Today: {requests} requests, {tokens} tokens, {cost}."), requests=words.number(spent.requests),
        tokens=words.number(spent.tokens),
        cost=words.money(round(spent.cost_micro_minor / 1_000_000), read.snapshot.ruleset.currency),
    )  # fmt: skip
    minute = read.case.budget.requests_per_minute
    return (
        said if minute is None else f"{said} " + words.plural("At most {n} a minute.", "At most {n} a minute.", minute)
    )


def _safety(case: UseCase, words: Words) -> Facts:
    return (
        (words(N_("When a detector fails")), words(FAILURES[case.on_detector_failure])),
        (words(N_("What nobody can read")), words(FAILURES[case.on_unreadable_part])),
        (words(N_("While an answer streams")), words(STREAMS[case.stream])),
    )


def _keeps(case: UseCase, words: Words) -> Facts:
    days = case.retention
    return (
        (words(N_("Texts are kept")), words.plural("{n} day", "{n} days", days.payload_days)),
        (
            words(N_("At the least")),
            words.plural("{n} day", "{n} days", days.minimum_days) if days.minimum_days else words(N_("no minimum")),
        ),
    )


def _keys(read: ShowRead, words: Words) -> list[KeyRow]:
    now = words.now_ms
    good = [
        key for key in read.keys
        if key.use_case == read.case.id and key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
    ]  # fmt: skip
    return [
        KeyRow(
            id=key.id, agent=key.agent, scopes=", ".join(sorted(scope.value for scope in key.scopes)),
            ends=words(N_("until {day}"), day=words.day(key.expires_at))
            if key.expires_at is not None else words(N_("without an end")),
        )
        for key in good
    ]  # fmt: skip
