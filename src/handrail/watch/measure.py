"""From interactions and outcomes to counts: what happened in an hour, by release, language and channel, and which cases
of each watched metric were bad; pure.

Two clocks. What the net does is counted in the minute in which the interaction ended. What customers do afterwards is
counted for the conversation, in the minute in which it began, once `MATURITY_MS` have passed: before that, nothing that
is missing is good.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from handrail.ledger.entry import InteractionFacts
from handrail.policy.ruleset import FindingAction
from handrail.releases.assign import Arm
from handrail.review.outcome import OutcomeFacts, OutcomeType
from handrail.terms.decision import NO_ANSWER, Outcome
from handrail.terms.finding import Kind
from handrail.watch.outcomes import LOW, SCALE_MAX

HOUR_MS = 3_600_000
MATURITY_MS = 48 * HOUR_MS
LONGEST_S = 30 * 86_400
"""Of handling one conversation: what is said to be longer counts as so long."""
Counts: TypeAlias = Counter[str]


class Cell(NamedTuple):
    """What counts stand under. `hour`: since 1970, UTC. `release`: digest, or empty."""

    use_case: str
    hour: int
    release: str
    language: str
    channel: str


class Asked(NamedTuple):
    at_ms: int
    facts: InteractionFacts


class Told(NamedTuple):
    """An outcome that found its conversation."""

    conversation: str
    facts: OutcomeFacts


class Used(NamedTuple):
    """An action that an agent asked for. `drill`: ours, of no customer."""

    id: str
    use_case: str
    tool: str
    drill: bool
    verdict: str


class Cases(NamedTuple):
    """Of one metric in one minute."""

    bad: int
    cases: int


Minute: TypeAlias = dict[tuple[str, str], Cases]
"""By use case and metric."""

REPORTED = {
    OutcomeType.TRANSFER: "transfer",
    OutcomeType.COMPLAINT: "complaint",
    OutcomeType.REPEAT_CONTACT: "repeat_contact",
    OutcomeType.REFUND_REVERSED: "refund_reversed",
}
SIZES = ("latency", "length", "cost", "turns", "tool_calls")
"""Amounts that are watched by how many exceed what 95 % of the past did not."""

METRICS = frozenset(
    {
        *SIZES, *REPORTED.values(), "override", "low_csat", "unresolved", "blocked", "handed_over", "failed",
        "ungrounded", "finding", "declined",
    }
)  # fmt: skip
"""All that are compared with their past."""


def band(amount: int) -> int:
    """Of a histogram whose bands are a quarter of a power of two wide (19 %): 0 for 0, 1 for 1, 5 for 2, 9 for 4."""
    if amount <= 0:
        return 0
    power = amount.bit_length() - 1
    return 1 + 4 * power + ((amount - (1 << power)) << 2 >> power)


def top(number: int) -> int:
    """The largest amount of a band."""
    if number == 0:
        return 0
    power, part = divmod(number - 1, 4)
    return max(((4 + part + 1) << power >> 2) - ((1 << power) >= 4), 1 << power)


def amounts(facts: InteractionFacts) -> dict[str, int]:
    """Of `SIZES`, of an interaction that the model answered."""
    return {
        "latency": facts.latency_ms,
        "length": facts.output_tokens,
        "cost": facts.cost_micro_minor,
        "turns": facts.messages_total,
        "tool_calls": facts.tool_calls,
    }


def of_interactions(asked: Iterable[Asked]) -> dict[Cell, Counts]:
    """Counts of what the net and the model did."""
    cells: dict[Cell, Counts] = {}
    for one in asked:
        facts = one.facts
        cell = _cell(one, facts)
        counts = cells.setdefault(cell, Counter())
        counts["interactions"] += 1
        counts["new_conversations"] += facts.first
        for name, bad in flags(facts).items():
            counts[name] += bad
        for found in facts.findings:
            if found.new:
                counts[f"finding.{found.side}.{found.kind.value}"] += 1
        if facts.outcome is Outcome.ANSWERED:
            counts["answered"] += 1
            for name, amount in amounts(facts).items():
                counts[f"{name}/{band(amount)}"] += 1
        counts["input_tokens"] += facts.input_tokens
        counts["output_tokens"] += facts.output_tokens
        counts["cost_micro_minor"] += facts.cost_micro_minor
    return cells


def held_out(facts: InteractionFacts) -> bool:
    """It heard the hand-over sentence because it was drawn into the hold-out, and no rule asked for it."""
    if facts.arm != Arm.HOLD_OUT or facts.outcome is not Outcome.HANDOVER:
        return False
    return all(found.action != FindingAction.HANDOVER for found in facts.findings)


def flags(facts: InteractionFacts) -> dict[str, bool]:
    """What is bad about one interaction, by metric."""
    return {
        "blocked": facts.outcome is Outcome.BLOCKED,
        "handed_over": facts.outcome is Outcome.HANDOVER and not held_out(facts),
        "failed": facts.outcome in NO_ANSWER,
        "ungrounded": any(found.new and found.kind is Kind.UNGROUNDED for found in facts.findings),
        "finding": any(found.new and found.kind is not Kind.DECLINED for found in facts.findings),
        "declined": any(found.kind is Kind.DECLINED and found.side == "output" for found in facts.findings),
    }


def minute_of_interactions(
    asked: Iterable[Asked], limits: Mapping[tuple[str, str], int | None]
) -> tuple[Minute, dict[tuple[str, str], Counts]]:
    """Cases of each metric, and the bands of those whose limit is not known yet. `limits`: of `SIZES`, by use case and
    metric."""
    bad: Counter[tuple[str, str]] = Counter()
    cases: Counter[tuple[str, str]] = Counter()
    bands: dict[tuple[str, str], Counts] = {}
    for one in asked:
        facts = one.facts
        for name, is_bad in flags(facts).items():
            cases[facts.use_case, name] += 1
            bad[facts.use_case, name] += is_bad
        if facts.outcome is not Outcome.ANSWERED:
            continue
        for name, amount in amounts(facts).items():
            key = (facts.use_case, name)
            limit = limits.get(key)
            if limit is None:
                bands.setdefault(key, Counter())[str(band(amount))] += 1
            else:
                cases[key] += 1
                bad[key] += amount > limit
    return {key: Cases(bad[key], count) for key, count in cases.items()}, bands


class Conversation(NamedTuple):
    """A conversation that began in the minute, with what became of it."""

    cell: Cell
    bad: dict[str, bool]
    counts: Counts


def forced_of(asked: Iterable[Asked]) -> list[tuple[str, str]]:
    """Use case and conversation of what a rule handed over."""
    return [(one.facts.use_case, str(one.facts.conversation)) for one in asked if one.facts.outcome is Outcome.HANDOVER]


def of_conversations(
    asked: Iterable[Asked], told: Iterable[Told], forced: frozenset[str] = frozenset()
) -> list[Conversation]:
    """`asked`: interactions of the minute, of which the first ones count; `told`: outcomes of their conversations;
    `forced`: conversations that a rule handed over. What happened after `MATURITY_MS` does not count, however late the
    counting is."""
    by: dict[str, list[OutcomeFacts]] = {}
    for outcome in told:
        by.setdefault(outcome.conversation, []).append(outcome.facts)
    return [
        _conversation(
            one,
            [facts for facts in by.get(one.facts.conversation, []) if facts.occurred_at_ms < one.at_ms + MATURITY_MS],
            forced=one.facts.conversation in forced or one.facts.outcome is Outcome.HANDOVER,
        )
        for one in asked
        if one.facts.first
    ]


def _conversation(one: Asked, outcomes: list[OutcomeFacts], *, forced: bool) -> Conversation:
    types = {facts.type for facts in outcomes}
    bad = {name: kind in types for kind, name in REPORTED.items()}
    bad["transfer"] = bad["transfer"] and not forced
    bad["override"] = any(facts.type is OutcomeType.OVERRIDE and facts.same is not True for facts in outcomes)
    counts = Counter({"conversations": 1})
    contained = not (types & {OutcomeType.TRANSFER, OutcomeType.REPEAT_CONTACT, OutcomeType.COMPLAINT})
    counts["contained"] += contained and one.facts.outcome is Outcome.ANSWERED and not forced
    counts["forced"] += forced
    scored = _latest(outcomes, OutcomeType.CSAT)
    counts["csat_answered"] += scored is not None
    if scored is not None and scored.score is not None:
        bad["low_csat"] = scored.score <= LOW * (scored.scale_max or SCALE_MAX)
    resolved = _latest(outcomes, OutcomeType.RESOLUTION)
    if resolved is not None:
        bad["unresolved"] = resolved.resolved is False
        counts["resolution_known"] += 1
        counts["resolved_for_good"] += resolved.resolved is True and OutcomeType.REPEAT_CONTACT not in types
    handled = sum(facts.seconds or 0 for facts in outcomes if facts.type is OutcomeType.HANDLE_TIME)
    handled = min(handled, LONGEST_S)
    if OutcomeType.HANDLE_TIME in types or not (forced or OutcomeType.TRANSFER in types):
        counts[f"handle_time/{band(int(handled))}"] += 1  # else a person worked on it and nobody said how long
    counts["human_seconds"] += int(handled)
    for name, is_bad in bad.items():
        counts[name] += is_bad
    for kind in types:
        counts[f"told.{kind.value}"] += 1
    if one.facts.intent:
        counts.update({f"intent/{one.facts.intent}/{name}": count for name, count in counts.items()})
    return Conversation(_cell(one, one.facts), bad, counts)


def minute_of_conversations(conversations: Iterable[Conversation]) -> Minute:
    bad: Counter[tuple[str, str]] = Counter()
    cases: Counter[tuple[str, str]] = Counter()
    for one in conversations:
        for name, is_bad in one.bad.items():
            cases[one.cell.use_case, name] += 1
            bad[one.cell.use_case, name] += is_bad
    return {key: Cases(bad[key], count) for key, count in cases.items()}


def _latest(outcomes: list[OutcomeFacts], kind: OutcomeType) -> OutcomeFacts | None:
    return max((one for one in outcomes if one.type is kind), key=lambda one: one.occurred_at_ms, default=None)


def _cell(one: Asked, facts: InteractionFacts) -> Cell:
    return Cell(facts.use_case, one.at_ms // HOUR_MS, facts.release or "", facts.language, facts.channel)
