"""The figures of the watch with their definitions: what is counted, of what, in which window, and what it hides; pure.

Definitions and pitfalls are those of the design's part 10. A figure that nobody reports is not zero: it is not there.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from handrail.policy.watching import Costs
from handrail.review.outcome import OutcomeType
from handrail.watch.measure import Cell, Counts, top


class Side(StrEnum):
    CUSTOMER = "customers"
    AI = "AI"


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """`of`: the denominator. `needs`: outcome events, each of which it takes for a figure. `pitfall`: what it hides."""

    id: str
    side: Side
    words: str
    of: str
    pitfall: str = ""
    needs: tuple[OutcomeType, ...] = ()


_BEGUN = "conversations that began, once 48 h have passed"
_ASKED = "interactions that ended"
_ANSWERED = "interactions the model answered"

DEFINITIONS = (
    Definition(
        id="transfer", side=Side.CUSTOMER, words="handed to a person", of=_BEGUN, needs=(OutcomeType.TRANSFER,),
        pitfall="a hand-over that a rule forced is not among them (see forced), and is no failure",
    ),
    Definition(
        id="forced", side=Side.CUSTOMER, words="handed to a person by a rule, at any turn", of=_BEGUN,
        pitfall="a rule at work, no failure; not contained either",
    ),
    Definition(
        id="contained", side=Side.CUSTOMER, words="answered, without transfer, repeat contact and complaint", of=_BEGUN,
        needs=(OutcomeType.REPEAT_CONTACT, OutcomeType.TRANSFER),
        pitfall="dead ends count as contained until the customer comes back: read it beside repeat_contact only",
    ),
    Definition(
        id="repeat_contact", side=Side.CUSTOMER, words="the customer came again about it within 48 h", of=_BEGUN,
        needs=(OutcomeType.REPEAT_CONTACT,), pitfall="of customers who are not known nobody can tell",
    ),
    Definition(
        id="override", side=Side.CUSTOMER, words="staff edited or rejected the AI's proposal", of=_BEGUN,
        needs=(OutcomeType.OVERRIDE,), pitfall="a proposal that was ignored is not accepted: report shown and used too",
    ),
    Definition(
        id="complaint", side=Side.CUSTOMER, words="complained", of=_BEGUN, needs=(OutcomeType.COMPLAINT,),
        pitfall="those reported; what the detector finds stands under findings, with its own precision and recall",
    ),
    Definition(
        id="low_csat", side=Side.CUSTOMER, words="1 or 2 of 5", of="conversations with an answered survey",
        needs=(OutcomeType.CSAT,), pitfall="who answers differs: never read it without csat_answered",
    ),
    Definition(
        id="csat_answered", side=Side.CUSTOMER, words="the survey was answered", of=_BEGUN, needs=(OutcomeType.CSAT,),
        pitfall="where it falls, low_csat says less",
    ),
    Definition(
        id="unresolved", side=Side.CUSTOMER, words="not resolved", of="conversations whose resolution is known",
        needs=(OutcomeType.RESOLUTION,),
    ),
    Definition(
        id="handle_time", side=Side.CUSTOMER, words="seconds of people's work with after-work: median, 90th percentile",
        of=_BEGUN + ": without a person 0; with one, those reported", needs=(OutcomeType.HANDLE_TIME,),
        pitfall="no mean: a few long cases would move it; percentiles to 19 %",
    ),
    Definition(
        id="cost_per_resolution", side=Side.CUSTOMER,
        words="cost of the model for all interactions of hours whose 48 h are over, of people's time and of refunds "
        "taken back, for each of their conversations resolved and not repeated",
        of="conversations resolved and not repeated within 48 h", needs=(OutcomeType.RESOLUTION,),
        pitfall="people and refunds are in it only where `costs` of the home has a price and their events come",
    ),
    Definition(id="finding", side=Side.AI, words="with a finding first seen in it", of=_ASKED),
    Definition(id="blocked", side=Side.AI, words="blocked", of=_ASKED),
    Definition(
        id="handed_over", side=Side.AI, words="handed over by a rule", of=_ASKED, pitfall="a rule at work, no failure",
    ),
    Definition(id="held", side=Side.AI, words="held for a person", of="actions that agents asked for"),
    Definition(
        id="declined", side=Side.AI, words="refused by the model: its answer declined to help", of=_ASKED,
        pitfall="by rules in English and German; what is told as a fact (it cannot be changed) is not among them",
    ),
    Definition(id="failed", side=Side.AI, words="without an answer", of=_ASKED),
    Definition(
        id="ungrounded", side=Side.AI, words="with a claim its sources do not carry", of=_ASKED,
        pitfall="judged against remembered context; sources it never saw are unknown to it",
    ),
    Definition(
        id="latency", side=Side.AI, words="ms to the last byte: median, 95th percentile", of=_ANSWERED,
        pitfall="percentiles to 19 %",
    ),
    Definition(id="length", side=Side.AI, words="tokens of the answer: median, 95th percentile", of=_ANSWERED),
    Definition(id="tokens", side=Side.AI, words="tokens in and out, per interaction", of=_ASKED),
    Definition(
        id="cost", side=Side.AI, words="cost of the model, minor units per interaction", of=_ASKED,
        pitfall="0 for models without a price in the home",
    ),
)  # fmt: skip
"""In the order they are shown."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`text`: as a person reads it. `count`, `cases`: of a share. `value`: of what is no share. `missing`: why there is
    none."""

    metric: str
    side: str
    text: str
    cases: int = 0
    count: int | None = None
    value: float | None = None
    missing: str = ""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one use case, cut by what was asked for; empty: all together. `mix`: conversations that opened, by
    intent, the most frequent first. Cut by intent there are figures of conversations alone."""

    use_case: str
    release: str = ""
    language: str = ""
    channel: str = ""
    intent: str = ""
    interactions: int
    conversations: int
    figures: tuple[Figure, ...]
    mix: tuple[tuple[str, int], ...] = ()


NO_COSTS = Costs()
SHARES = {
    "low_csat": "csat_answered", "unresolved": "resolution_known", "transfer": "conversations",
    "contained": "conversations", "forced": "conversations", "repeat_contact": "conversations",
    "override": "conversations",
    "complaint": "conversations", "csat_answered": "conversations", "finding": "interactions",
    "blocked": "interactions", "handed_over": "interactions", "failed": "interactions",
    "ungrounded": "interactions", "declined": "interactions",
}  # fmt: skip
"""Of figures that are shares: the count that each is a share of."""


def grouped(rows: Iterable[tuple[Cell, Counts]], by: frozenset[str], costs: Costs = NO_COSTS) -> list[Group]:
    """`by`: of release, language, channel, intent. `costs`: as declared now. The parts add up to the whole: what is
    reported for a use case at all is zero, not unknown, in a part without a report."""
    rows = [(cell, counts if not by else _of_interactions(counts)) for cell, counts in rows]
    over: dict[str, int] = {}
    told: dict[str, Counts] = {}
    for cell, counts in rows:
        if counts["conversations"]:
            over[cell.use_case] = max(over.get(cell.use_case, 0), cell.hour)
        reported = Counts({name: count for name, count in counts.items() if name.startswith("told.")})
        told.setdefault(cell.use_case, Counts()).update(reported)
    totals: dict[tuple[str, str, str, str, str], Counts] = {}
    for cell, counts in rows:
        if not counts:
            continue
        key = (
            cell.use_case,
            cell.release if "release" in by else "",
            cell.language if "language" in by else "",
            cell.channel if "channel" in by else "",
        )
        for intent, part in by_intent(counts).items() if "intent" in by else [("", counts)]:
            total = totals.setdefault((*key, intent), Counts())
            total.update(part)
            total["cost_over"] += part["cost_micro_minor"] if cell.hour <= over.get(cell.use_case, -1) else 0
    return [
        Group(
            use_case=key[0], release=key[1], language=key[2], channel=key[3], intent=key[4],
            interactions=counts["interactions"], conversations=counts["conversations"],
            figures=tuple(
                figure(one, counts, told[key[0]], cut=bool(by), costs=None if key[4] else costs) for one in DEFINITIONS
            ),
            mix=mix_of(counts),
        )
        for key, counts in sorted(totals.items())
    ]  # fmt: skip


def _of_interactions(counts: Counts) -> Counts:
    """Actions have neither release nor language nor channel."""
    return Counts(
        {name: count for name, count in counts.items() if name.partition(".")[0] not in ("action", "actions")}
    )


def by_intent(counts: Counts) -> dict[str, Counts]:
    """What is counted of conversations whose 48 h are over, by the intent they opened with."""
    found: dict[str, Counts] = {}
    for name, count in counts.items():
        if name.startswith("intent/"):
            _, intent, metric = name.split("/", 2)
            found.setdefault(intent, Counts())[metric] += count
    return found


def mix_of(counts: Counts) -> tuple[tuple[str, int], ...]:
    """Conversations that opened, by intent."""
    opened = {name.removeprefix("opened/"): count for name, count in counts.items() if name.startswith("opened/")}
    return tuple(sorted(opened.items(), key=lambda one: (-one[1], one[0])))


def figure(
    definition: Definition, counts: Counts, told: Counts, *, cut: bool = False, costs: Costs | None = NO_COSTS
) -> Figure:
    """One figure, or why there is none. `told`: what is reported for the use case. `cut`: this is a part of it.
    `costs`: None: the model's cost is not known of this part."""
    name, side = definition.id, definition.side.value
    missing = [needed.value for needed in definition.needs if not told[f"told.{needed.value}"]]
    if missing:
        why = f"no {missing[0]} event has come, or none is of a conversation that is 48 h old"
        return Figure(metric=name, side=side, text="-", missing=why)
    if name == "held" and cut:
        return Figure(metric=name, side=side, text="-", missing="actions are counted for the use case as a whole")
    if name in SHARES:
        return _share(name, side, counts[name], counts[SHARES[name]])
    if name == "held":
        return _share(name, side, counts["action.hold"], counts["actions"])
    if name in ("handle_time", "latency", "length"):
        high = 0.9 if name == "handle_time" else 0.95
        middle, upper, cases = quantile(name, counts, 0.5), quantile(name, counts, high), _cases(name, counts)
        if not cases:
            return _none(name, side)
        return Figure(metric=name, side=side, text=f"{middle} / {upper}", cases=cases, value=float(middle))
    if name == "cost_per_resolution":
        return _cost_per_resolution(side, counts, told, costs)
    if name == "cost":
        return _mean(name, side, counts["cost_micro_minor"] / 1e6, counts["interactions"])
    return _mean(name, side, counts["input_tokens"] + counts["output_tokens"], counts["interactions"])


def _cost_per_resolution(side: str, counts: Counts, told: Counts, costs: Costs | None) -> Figure:
    """Of all conversations, also those that were not resolved."""
    name = "cost_per_resolution"
    if costs is None:
        return Figure(metric=name, side=side, text="-", missing="the model's cost is not counted by intent")
    minute, taken_back = costs.human_minute_micro_minor, costs.refund_reversed_micro_minor
    total = counts["cost_over"] + counts["human_seconds"] / 60 * (minute or 0)
    total += counts["refund_reversed"] * (taken_back or 0)
    one = _mean(name, side, total / 1e6, counts["resolved_for_good"])
    parts = (
        ("people's time", minute, OutcomeType.HANDLE_TIME),
        ("refunds taken back", taken_back, OutcomeType.REFUND_REVERSED),
    )
    left_out = [what for what, price, kind in parts if price is None or not told[f"told.{kind.value}"]]
    if left_out and not one.missing:
        return msgspec.structs.replace(one, missing=f"without {' and '.join(left_out)}: no price, or no event")
    return one


def quantile(name: str, counts: Counts, share: float) -> int:
    """From the bands of an amount: the top of the band it lies in."""
    bands = sorted((int(key.split("/")[1]), count) for key, count in counts.items() if key.startswith(f"{name}/"))
    left = share * sum(count for _, count in bands)
    for number, count in bands:
        left -= count
        if left <= 0:
            return top(number)
    return 0


def _cases(name: str, counts: Counts) -> int:
    return sum(count for key, count in counts.items() if key.startswith(f"{name}/"))


def _share(name: str, side: str, count: int, cases: int) -> Figure:
    if not cases:
        return _none(name, side)
    return Figure(metric=name, side=side, text=f"{count / cases:.2%} ({count} of {cases})", count=count, cases=cases)


def _mean(name: str, side: str, total: float, cases: int) -> Figure:
    if not cases:
        return _none(name, side)
    return Figure(metric=name, side=side, text=f"{total / cases:.4g}", cases=cases, value=total / cases)


def _none(name: str, side: str) -> Figure:
    return Figure(metric=name, side=side, text="-", missing="no case in this time")
