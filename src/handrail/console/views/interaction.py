"""One interaction with its conversation: what was said, found, decided, who answered, and what came of it; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handrail.approvals.store import Line
from handrail.console.record_ports import Drafted
from handrail.console.views.interaction_talk import Marks, Mask, Part, Turn, masks_of, parts
from handrail.console.views.interactions import ALERTING, ARMS, OUTCOMES, VERDICTS, Facts
from handrail.console.views.use_cases_words import KINDS
from handrail.console.visitor import Visitor
from handrail.console.words import N_, Words
from handrail.home.codes import CURRENCIES
from handrail.ledger.entry import InteractionFacts
from handrail.ledger.read import Shown
from handrail.people.authorise import MAY, Act
from handrail.policy.ruleset import Ruleset
from handrail.review.flags import Flag, Mistake
from handrail.review.outcome import OutcomeFacts, OutcomeType
from handrail.review.verdicts import Judged, Tally, Word
from handrail.terms.decision import NO_ANSWER, Outcome
from handrail.terms.finding import PERSONAL, Kind
from handrail.terms.ids import PersonId

LEAST_COST = 0.0001
"""In the currency's own unit."""
REPORTED = {
    OutcomeType.ANSWERED_BY_AI: N_("Answered by the AI"), OutcomeType.TRANSFER: N_("Transferred to a person"),
    OutcomeType.REPEAT_CONTACT: N_("The customer came again"), OutcomeType.COMPLAINT: N_("A complaint followed"),
    OutcomeType.CSAT: N_("Rated"), OutcomeType.OVERRIDE: N_("A person changed the answer"),
    OutcomeType.RESOLUTION: N_("Resolution"), OutcomeType.HANDLE_TIME: N_("Handle time"),
    OutcomeType.REFUND_REVERSED: N_("A refund was reversed"), OutcomeType.FLAG: N_("Flagged by a person"),
}  # fmt: skip

MISTAKES = {
    Mistake.WRONG: N_("The answer is wrong"), Mistake.UNSAFE: N_("It is unsafe"), Mistake.TONE: N_("The tone is wrong"),
    Mistake.PRIVATE: N_("It told or asked what it should not"), Mistake.PERSON: N_("A person should have taken over"),
    Mistake.ACTION: N_("It did or promised what it may not"), Mistake.OTHER: N_("Something else"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the ports gave. `turns`: of the conversation, oldest first. `words`: of persons on the findings."""

    shown: Shown
    facts: InteractionFacts
    turns: Sequence[Turn]
    more: bool
    acts: Sequence[Line]
    outcomes: Sequence[OutcomeFacts]
    judged: Sequence[Judged]
    flags: Sequence[Flag]
    tallies: Sequence[Tally]
    names: Mapping[PersonId, str]
    rules: Ruleset
    keys: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`where`: address of the marked words, empty where they were not read. `mine`: the visitor's word. `next`: the one
    that the keys act on."""

    place: int
    tone: str
    name: str
    sure: str
    said: str
    where: str
    mine: str
    words: str
    counted: str
    next: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """`mine`: the visitor raised it and may take it back."""

    at_ms: int
    by: str
    what: str
    note: str
    mine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """`error`: of the reason to read, `mask_error`: of that to see `mask`; `typed`: what was written as either."""

    crumbs: tuple[tuple[str, str], ...]
    crumb: str
    id: str
    title: str
    said: str
    badges: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    read: bool
    may_read: bool
    who_may_read: str
    waits: int
    masks: tuple[Mask, ...]
    hidden: str
    findings: tuple[Finding, ...]
    may_judge: bool
    flags: tuple[Flagged, ...]
    may_flag: bool
    mistakes: tuple[tuple[str, str], ...]
    answered: tuple[tuple[str, str], ...]
    release: str
    release_said: str
    came: tuple[tuple[int, str, str], ...]
    same: str
    entry: str
    index: str
    keys: str
    error: str = ""
    flag_error: str = ""
    mask_error: str = ""
    typed: str = ""
    mask: str = ""
    revealed: str = ""
    revealed_label: str = ""
    drafted: Drafted | None = None


def interaction(read: Read, words: Words, visitor: Visitor, *, marks: Marks, path: str, **more: object) -> Interaction:
    """`marks`: where the detectors see a kind. `path`: of the list. `more`: what a form adds: an error, a draft."""
    facts = read.facts
    mine = next((turn for turn in read.turns if turn.id == facts.interaction), None)
    shown, places = parts(read.turns, read.acts, words, marks=marks, focus=facts.interaction)
    was_read = any(turn.payload is not None for turn in read.turns)
    use_case = read.rules.use_cases.get(facts.use_case)
    masks = masks_of(mine, words)
    may_read = bool(visitor.roles & MAY[Act.READ_PAYLOAD])
    return Interaction(
        crumbs=((words(N_("Interactions")), path),), crumb=facts.interaction, id=facts.interaction,
        title=words(N_("A conversation with {use_case}"), use_case=use_case.name if use_case else facts.use_case),
        said=_said(read, words), badges=_badges(read, words), parts=shown, read=was_read, may_read=may_read,
        who_may_read=", ".join(sorted(role.value for role in MAY[Act.READ_PAYLOAD])),
        waits=sum(turn.missing == "unread" for turn in read.turns), masks=masks,
        hidden=words.plural("{n} value hidden", "{n} values hidden", len(masks)) if masks else "",
        findings=_findings(read, words, visitor, places), may_judge=bool(visitor.roles & MAY[Act.JUDGE]),
        flags=_flags(read, words, visitor), may_flag=bool(visitor.roles & MAY[Act.FLAG]),
        mistakes=tuple((one.value, words(text)) for one, text in MISTAKES.items()),
        answered=_answered(read, words), release=facts.release or "",
        release_said=words(ARMS[facts.arm]) if facts.arm in ARMS else "", came=_came(read, words),
        same=Facts(conversation=facts.conversation).address(path), entry=read.shown.entry,
        index=words.number(read.shown.index + 1) if read.shown.index is not None else "", keys=" ".join(read.keys),
        **more,  # type: ignore[arg-type]  # fields of this class, named by its callers
    )  # fmt: skip


def _said(read: Read, words: Words) -> str:
    first, last = read.turns[0].at_ms, read.turns[-1].at_ms
    span = dict.fromkeys((words.moment(first), words.moment(last)))
    said = [
        " – ".join(span), words.plural("{n} interaction", "{n} interactions", len(read.turns)),
        words.plural("{n} action", "{n} actions", len(read.acts)),
    ]  # fmt: skip
    if read.facts.channel:
        said.append(read.facts.channel)
    if read.more:
        said.append(words(N_("earlier ones are not shown")))
    return " · ".join(said)


def _badges(read: Read, words: Words) -> tuple[tuple[str, str], ...]:
    facts = read.facts
    tone, text = VERDICTS[facts.verdict]
    found = [(tone, words(text))]
    if facts.outcome in NO_ANSWER:
        found = [("off", words(OUTCOMES[facts.outcome]))]
    elif facts.outcome is not None and facts.outcome is not Outcome.ANSWERED:
        found.append(("hold", words(OUTCOMES[facts.outcome])))
    if facts.would_be not in (None, facts.verdict):
        would = words(VERDICTS[facts.would_be][1])
        found.append(("off", words(N_("Only observed: would be {verdict}"), verdict=would)))
    if facts.untrusted:
        found.append(("deny", words(N_("Rests on an attack"))))
    return tuple(found)


def _findings(read: Read, words: Words, visitor: Visitor, places: Mapping[int, str]) -> tuple[Finding, ...]:
    said: dict[int, list[Judged]] = {}
    for one in read.judged:
        if one.interaction == read.facts.interaction:
            said.setdefault(one.finding, []).append(one)
    tallies = {one.kind: one for one in read.tallies}
    made: list[Finding] = []
    waits = True
    for place, fact in enumerate(read.facts.findings):
        own = next((one.word.value for one in said.get(place, ()) if one.person == visitor.person), "")
        tally = tallies.get(fact.kind)
        made.append(
            Finding(
                place=place, tone="deny" if fact.kind in ALERTING else "hold", name=words(KINDS[fact.kind]),
                sure=words(N_("sure to {share}"), share=words.percent(fact.score, 0)),
                said=_why(fact.kind, fact.side, fact.action, words),
                where=places.get(place, ""), mine=own,
                words="; ".join(_word(one, read.names, words) for one in said.get(place, ())),
                counted=words(
                    N_("{right} of {all} of this kind judged right"), right=words.number(tally.right),
                    all=words.number(tally.right + tally.wrong),
                ) if tally else words(N_("None of this kind was judged yet")),
                next=waits and not own,
            )
        )  # fmt: skip
        waits = waits and bool(own)
    return tuple(made)


def _flags(read: Read, words: Words, visitor: Visitor) -> tuple[Flagged, ...]:
    return tuple(
        Flagged(
            at_ms=one.at_ms, by=read.names.get(PersonId(one.person), one.person), what=words(MISTAKES[one.mistake]),
            note=one.note, mine=one.person == visitor.person,
        )
        for one in read.flags if one.interaction == read.facts.interaction
    )  # fmt: skip


def _word(one: Judged, names: Mapping[PersonId, str], words: Words) -> str:
    name = names.get(PersonId(one.person), one.person)
    text = words(N_("{name}: right") if one.word is Word.RIGHT else N_("{name}: wrong"), name=name)
    return f"{text} ({one.note})" if one.note else text


def _why(kind: Kind, side: str, action: str, words: Words) -> str:
    where = words(N_("In the answer")) if side == "output" else words(N_("In what the agent was sent"))
    done = {
        "mask": N_("replaced before the model and the record saw it"),
        "block": N_("stopped the answer"),
        "handover": N_("sent to a person"),
        "mark": N_("recorded only"),
    }.get(action, N_("below the rule's threshold: nothing followed"))
    text = f"{where}: {words(done)}."
    return text + " " + words(N_("Personal data.")) if kind in PERSONAL else text


def _answered(read: Read, words: Words) -> tuple[tuple[str, str], ...]:
    facts, recorded = read.facts, read.shown.recorded
    share = words(N_(", step {step}, {share} of customers"), step=facts.stage + 1, share=words.percent(facts.share, 0))
    arm = (words(ARMS[facts.arm]) + (share if facts.arm == "canary" else "")) if facts.arm in ARMS else ""
    rows = [
        (N_("Group"), arm),
        (N_("Model"), " · ".join(filter(None, (facts.model, facts.provider)))),
        (N_("Answered by"), facts.answered_by if facts.answered_by != facts.model else ""),
        (N_("Prompt"), (facts.prompt_digest or "")[:16]),
        (N_("Knowledge"), (facts.knowledge_root or "")[:16]),
        (N_("Rules"), (recorded.ruleset or "")[:16]),
        (N_("Agent"), facts.agent),
        (N_("Language"), facts.language),
        (N_("Time"), words(
            N_("{all} ms, of which the model {model} ms"), all=words.number(facts.latency_ms),
            model=words.number(facts.upstream_ms),
        ) if facts.latency_ms else ""),
        (N_("Tokens"), words(
            N_("{read} read, {written} written"), read=words.number(facts.input_tokens),
            written=words.number(facts.output_tokens),
        )),
        (N_("Cost"), _cost(facts.cost_micro_minor, read.rules.currency, words)),
        (N_("Not answered"), ", ".join(facts.failures)),
    ]  # fmt: skip
    return tuple((words(name), value) for name, value in rows if value)


def _cost(micro_minor: int, currency: str, words: Words) -> str:
    if not micro_minor:
        return ""
    major = micro_minor / 1_000_000 / 10 ** CURRENCIES.get(currency, 2)
    if major < LEAST_COST:  # never nought for what was not free
        return words(N_("less than {amount}"), amount=f"{words.number(LEAST_COST, 4)} {currency}")
    return f"{words.number(major, 4)} {currency}"


def _came(read: Read, words: Words) -> tuple[tuple[int, str, str], ...]:
    """(when, what, how much)."""
    made = []
    for one in read.outcomes:
        much = ""
        if one.score is not None:
            most = words.number(one.scale_max or 5, 0)
            much = words(N_("{score} of {most}"), score=words.number(one.score, 1), most=most)
        elif one.seconds is not None:
            much = words.lasting(int(one.seconds * 1000))
        elif one.resolved is not None:
            much = words(N_("solved") if one.resolved else N_("not solved"))
        elif one.amount_minor is not None and one.currency:
            much = words.money(one.amount_minor, one.currency)
        made.append((one.occurred_at_ms, words(REPORTED[one.type]), much or (one.reason or "")))
    return tuple(made)
