"""One release: what became of it in a sentence, its evidence, each metric, what is different, whom it harmed, its ramp,
tests, sign-offs and moves; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from handrail.console.views.frame import ROLE_NAMES
from handrail.console.views.releases_chart import Chart, evidence_chart
from handrail.console.views.releases_hurt import hurt_of
from handrail.console.views.releases_moves import REASONS, Move, SignBox, dialogs_of, moves_of, sign_boxes
from handrail.console.views.releases_rail import Stop, facts, next_of, rail
from handrail.console.views.releases_timeline import Moment, actor_name, timeline
from handrail.console.views.releases_words import (
    cap_of,
    counting_of,
    limit_of,
    metric_name,
    number_of,
    said_of,
    short,
    state_of,
    units_of,
    verdict_of,
    whole_sentence,
    why_said,
)
from handrail.console.visitor import Visitor
from handrail.console.words import N_, Words
from handrail.in_force.snapshot import Snapshot
from handrail.policy.ramp import Ramp, RampMetric, UnitKind
from handrail.policy.ruleset import UseCase
from handrail.releases.curve import Drawing
from handrail.releases.diff import Line, fields, lines
from handrail.releases.judge import MISSING, Conclusion, Verdict
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.release import Release
from handrail.releases.units import plan_of
from handrail.terms.actor import Actor
from handrail.terms.ids import UseCaseId
from handrail.trials.store import Run

MOST_HARM = 8


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """An interaction of a unit that was harmed. `interaction`: empty where none is kept."""

    unit: int
    metrics: tuple[str, ...]
    interaction: str
    conversation: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the ports gave. `rollout`: None for a release that never had a ramp. `against`: what it is compared with,
    None: nothing is. `counts`: (stage, arm, units, judged). `names`: of persons.
    `incident`: opened about it, the newest; empty: none."""

    digest: str
    release: Release
    first_author: Actor
    snapshot: Snapshot | None
    rollout: Rollout | None
    against: Release | None
    against_digest: str
    drawing: Drawing | None
    counts: Sequence[tuple[int, str, int, int]]
    examples: Sequence[Example]
    runs: Sequence[Run]
    entries: Sequence[bytes]
    names: Mapping[str, str]
    barred: str
    incident: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    name: str
    limit: str
    control: str
    canary: str
    tone: str
    icon: str
    verdict: str
    said: str
    worse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    said: str
    interaction: str
    conversation: str
    unit: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TestLine:
    id: str
    tone: str
    icon: str
    verdict: str
    said: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """`lines`: of the prompt; empty: it is the same. `fields`: (name, before, after)."""

    against: str
    against_id: str
    said: str
    lines: tuple[Line, ...]
    fields: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """`dialogs`: of every move that this visitor's roles could ever make of it, since a page stays open while the
    release moves on: (name, label, kind, what it does)."""

    id: str
    short: str
    use_case: str
    use_case_name: str
    tone: str
    icon: str
    state: str
    by: str
    say_tone: str
    say_icon: str
    say: str
    say_small: str
    hurt: str
    incident: str
    chart: Chart | None
    chart_why: str
    counting: str
    chart_title: str
    interval: str
    heads: tuple[str, ...]
    metrics: tuple[MetricRow, ...]
    changed: Changed | None
    harm: tuple[Harm, ...]
    harm_left: str
    rail: tuple[Stop, ...]
    facts: tuple[tuple[str, str], ...]
    tests: tuple[TestLine, ...]
    commands: tuple[tuple[str, str], ...]
    signs: tuple[SignBox, ...]
    moments: tuple[Moment, ...]
    moments_left: str
    moves: tuple[Move, ...]
    dialogs: tuple[tuple[str, str, str, str], ...]
    reasons: tuple[tuple[str, str], ...]
    affected: str
    evidence: str
    next: str
    version: int
    running: bool
    problem: str
    announce: str
    crumb: str
    crumbs: tuple[tuple[str, str], ...]


def detail(read: Read, visitor: Visitor, words: Words, *, problem: str = "") -> Detail:
    """`problem`: why what was just asked was not done."""
    rollout, case = read.rollout, _case(read)
    ramp = _ramp(read)
    is_live = _is_live(read)
    if rollout is None:
        tone, icon, state = ("allow", "check", words(N_("Live"))) if is_live else ("", "dot", words(N_("Not live")))
    else:
        tone, icon, state = state_of(rollout, words)
    name = short(read.digest)
    told = None if read.drawing is None else read.drawing.told
    say_tone, say_icon, say, small = _say(read, told, words)
    chart, why = _chart(read, ramp, words)
    moments, left = timeline(read.entries, read.names, words)
    moves: tuple[Move, ...] = ()
    signs: tuple[SignBox, ...] = ()
    if rollout is not None:
        in_force = case.ramp if case is not None else None
        moves = moves_of(rollout, in_force, visitor, read.first_author.id, read.barred, told, words)
        signs = sign_boxes(rollout, in_force, visitor, read.first_author.id, read.names, words)
    unit = "" if rollout is None else (
        words(N_("customers")) if ramp and ramp.unit is UnitKind.CUSTOMER_WEEK else words(N_("conversations"))
    )  # fmt: skip
    return Detail(
        id=read.digest, short=name, use_case=str(read.release.use_case),
        use_case_name=case.name if case else str(read.release.use_case), tone=tone, icon=icon, state=state,
        by=_by(read, words), say_tone=say_tone, say_icon=say_icon, say=say, say_small=small, chart=chart,
        hurt=hurt_of(rollout, told, read.entries, words), incident=read.incident,
        chart_why=why, counting=counting_of(read.drawing, words),
        chart_title=words(N_("Evidence that it is worse, over {units}"), units=unit),
        interval=_interval(told, ramp, words),
        heads=(words(N_("Metric")), words(N_("Before")), words(N_("This one")), words(N_("Verdict"))),
        metrics=_metrics(read, ramp, told, words), changed=_changed(read, words),
        harm=_harm(read, words), harm_left=_harm_left(read, words), rail=rail(rollout, ramp, words),
        facts=facts(rollout, None if _counting(read) else read.counts, ramp, told, words), tests=_tests(read, words),
        commands=_commands(rollout, name, words), signs=signs, moments=moments,
        moments_left=words.plural("{n} earlier entry is left out.", "{n} earlier entries are left out.", left)
        if left else "",
        moves=moves, dialogs=() if rollout is None else dialogs_of(visitor, words),
        reasons=tuple((key, words(label)) for key, label in REASONS.items()),
        affected=_affected(read, words), evidence=_evidence(read, told, words), next=next_of(rollout, ramp, words),
        version=rollout.version if rollout else 0,
        running=rollout is not None and rollout.state is State.CANARY, problem=problem,
        announce=words(
            N_("Release {name}: {state}. {said}"), name=name, state=state, said=_heard(read, told, say, words)
        ),
        crumb=name,
        crumbs=((words(N_("Releases")), "/releases"),),
    )  # fmt: skip


def _case(read: Read) -> UseCase | None:
    if read.snapshot is None:
        return None
    return read.snapshot.ruleset.use_cases.get(UseCaseId(read.release.use_case))


def _ramp(read: Read) -> Ramp | None:
    """The one that it runs under, or would."""
    if read.rollout is not None and read.rollout.ramp is not None:
        return read.rollout.ramp
    case = _case(read)
    return None if case is None else case.ramp


def _is_live(read: Read) -> bool:
    live = read.snapshot.live.get(UseCaseId(read.release.use_case)) if read.snapshot else None
    return live is not None and live.digest == read.digest


def _counting(read: Read) -> bool:
    return read.drawing is not None and not read.drawing.complete


def _heard(read: Read, told: Conclusion | None, say: str, words: Words) -> str:
    """What a screen reader says when it changes: of a canary that runs its verdict alone, since the numbers of the
    sentence move every few seconds."""
    rollout = read.rollout
    if rollout is None or told is None or rollout.state is not State.CANARY or rollout.frozen or rollout.asked:
        return say
    return verdict_of(told.verdict, words)[2] if told.units else say


def _by(read: Read, words: Words) -> str:
    author = actor_name(read.first_author.kind, read.first_author.id, read.names, words)
    said = [words(N_("By {name}"), name=author)]
    if read.rollout is not None and read.rollout.sign_offs:
        signed = ", ".join(
            words(
                N_("{name} ({role})"),
                name=read.names.get(one.person, one.person),
                role=words(ROLE_NAMES.get(one.role, one.role)),
            )
            for one in read.rollout.sign_offs
        )
        said.append(words(N_("signed off by {names}"), names=signed))
    models = ", ".join(f"{one.provider}/{one.model}" for one in read.release.route[:3])
    same = read.against is not None and read.against.route == read.release.route
    said.append(words(N_("model {models}, unchanged"), models=models) if same
                else words(N_("model {models}"), models=models))  # fmt: skip
    return ", ".join(said) + "."


def _say(read: Read, told: Conclusion | None, words: Words) -> tuple[str, str, str, str]:
    """Tone, icon, the sentence on top, and a smaller one."""
    rollout = read.rollout
    if rollout is None:
        if _is_live(read):
            return (
                "allow",
                "check",
                words(N_("It answers every conversation.")),
                words(N_("This use case declares no ramp, so its changes go live at once and nothing compares them.")),
            )
        return "", "dot", words(N_("It answers nobody.")), ""
    unit = "customer" if rollout.ramp and rollout.ramp.unit is UnitKind.CUSTOMER_WEEK else "conversation"
    sentence = counting_of(read.drawing, words) if told is None else whole_sentence(rollout, told, words, unit)
    why = why_said(rollout.frozen or rollout.asked, words)
    match rollout.state:
        case State.ROLLED_BACK:
            after = words(N_("Running conversations left it at their next turn.")) if rollout.safety else words(
                N_("Running conversations could end on it.")
            )  # fmt: skip
            when = words(N_("Since {when} what was live before answers every new conversation."),
                         when=words.moment(rollout.ended_at))  # fmt: skip
            if rollout.reached is not None and rollout.reached.verdict == "worse":
                alone = words(N_("Nobody had to act."))
                return "back", "undo", sentence, f"{alone} {when} {after}"
            return "back", "undo", words(N_("It was rolled back, not by its evidence.")), f"{when} {after}"
        case State.CANARY if rollout.frozen:
            return "hold", "pause", words(N_("It stands still: {why}."), why=why), sentence
        case State.CANARY if rollout.asked:
            return "hold", "pause", words(N_("It waits for its owner: {why}."), why=why), sentence
        case State.CANARY:
            if _counting(read):
                return "canary", "canary", words(N_("It runs.")), sentence
            if read.drawing is None or not read.drawing.units:
                return (
                    "canary",
                    "canary",
                    words(N_("It runs, and no unit is complete yet.")),
                    words(
                        N_("Outcomes of each one are waited for before it counts: {minutes}."),
                        minutes=words.lasting(int(rollout.ramp.maturity_minutes * 60_000)) if rollout.ramp else "",
                    ),
                )
            return "canary", "canary", sentence, ""
        case State.LIVE:
            return "allow", "check", words(N_("It answers every new conversation.")), sentence
        case State.RETIRED:
            return "", "dot", words(N_("Nothing new begins on it.")), sentence
        case State.DRAFT:
            return "acc", "info", words(N_("It answers nobody yet: its tests come first.")), read.barred
        case _:
            return "acc", "info", words(N_("It answers nobody yet.")), read.barred


def _chart(read: Read, ramp: Ramp | None, words: Words) -> tuple[Chart | None, str]:
    drawing, rollout = read.drawing, read.rollout
    if rollout is None or ramp is None or rollout.ramp is None or drawing is None:
        return None, words(N_("Evidence is gathered once it runs as a canary beside what is live."))
    if not drawing.points:
        if not drawing.complete:
            return None, counting_of(drawing, words)
        if not drawing.kept:
            return None, words(
                N_("Its units are no longer kept, so the curve cannot be drawn; what it was judged by stands below.")
            )
        return None, words(N_("Nothing is counted yet: outcomes of the first units are waited for."))
    decided = drawing.told is not None and drawing.told.verdict is Verdict.WORSE
    axis = words(N_("customers")) if ramp.unit is UnitKind.CUSTOMER_WEEK else words(N_("conversations"))
    return evidence_chart(drawing, ramp.alpha, words, name=short(read.digest), decided=decided, unit=axis), ""


def _declared(ramp: Ramp | None) -> dict[str, RampMetric]:
    return {one.name.value: one for one in ramp.metrics} if ramp else {}


def _interval(told: Conclusion | None, ramp: Ramp | None, words: Words) -> str:
    """Beside the curve: how large the difference of what leads may be."""
    if told is None or ramp is None or not told.metrics:
        return ""
    one = told.metrics[told.leading]
    declared = _declared(ramp).get(told.leading.removesuffix(MISSING))
    said = said_of(Verdict.CANNOT_TELL, one, declared, 0, cap_of(told.leading, declared), words)
    return f"{metric_name(told.leading, words)}: {said}"


def _metrics(read: Read, ramp: Ramp | None, told: Conclusion | None, words: Words) -> tuple[MetricRow, ...]:
    """Worst first: those that are worse, then by their evidence."""
    if told is None or ramp is None or read.drawing is None:
        return ()
    declared, verdicts, least = _declared(ramp), read.drawing.words, plan_of(ramp).least
    order = sorted(told.metrics, key=lambda name: (verdicts[name] is not Verdict.WORSE, -told.metrics[name].log_e))
    found = []
    for name in order:
        one, known = told.metrics[name], declared.get(name.removesuffix(MISSING))
        verdict, cap = verdicts[name], cap_of(name, known)
        tone, icon, word = verdict_of(verdict, words)
        found.append(
            MetricRow(
                name=metric_name(name, words), limit=limit_of(known, words),
                control=number_of(one, one.control_mean, cap, words) if one.control_units else "–",
                canary=number_of(one, one.canary_mean, cap, words) if one.canary_units else "–",
                tone=tone, icon=icon, verdict=word, said=said_of(verdict, one, known, least, cap, words),
                worse=verdict is Verdict.WORSE,
            )
        )  # fmt: skip
    return tuple(found)


def _changed(read: Read, words: Words) -> Changed | None:
    if read.against is None:
        return None
    prompt = lines(_without_planted(read.against), _without_planted(read.release))
    added, removed = (sum(one.kind == kind for one in prompt) for kind in ("added", "removed"))
    said = words(N_("the prompt is the same"))
    if prompt:
        counts = (
            words.plural("{n} line added", "{n} lines added", added),
            words.plural("{n} removed", "{n} removed", removed),
        )
        said = ", ".join(counts)
    names = {"model": N_("Model"), "canaries": N_("Planted words"), "prompt_mode": N_("Who sets the prompt")}
    return Changed(
        against=short(read.against_digest), against_id=read.against_digest, said=said, lines=prompt,
        fields=tuple(
            (words(names[name]) if name in names else name, before[:2_000], after[:2_000])
            for name, before, after in fields(read.against, read.release)
        ),
    )  # fmt: skip


PLANTED = "•••"


def _without_planted(release: Release) -> str:
    """The prompt without the words that must never come out of it, here neither."""
    text = release.prompt
    for word in sorted(release.canaries, key=len, reverse=True):
        text = text.replace(word, PLANTED)
    return text


def _harm(read: Read, words: Words) -> tuple[Harm, ...]:
    return tuple(
        Harm(
            said=", ".join(metric_name(name, words) for name in one.metrics), interaction=one.interaction,
            conversation=one.conversation, unit=words.number(one.unit), at_ms=one.at_ms,
        )
        for one in read.examples[:MOST_HARM]
    )  # fmt: skip


def _harm_left(read: Read, words: Words) -> str:
    many = len(read.drawing.harmed) if read.drawing else 0
    if many <= MOST_HARM:
        return ""
    return words(N_("The newest {n} of at least {all}."), n=MOST_HARM, all=words.number(many))


def _tests(read: Read, words: Words) -> tuple[TestLine, ...]:
    """The latest runs, and results that another tool brought."""
    found = [run_line(one, words) for one in read.runs]
    tested = None if read.rollout is None else read.rollout.tested
    if tested is not None and all(one.digest != tested.digest for one in read.runs):
        green = not tested.failed and tested.passed > 0
        said = words(
            N_("{passed} passed, {failed} failed, brought by another tool"), passed=words.number(tested.passed),
            failed=words.number(tested.failed),
        )  # fmt: skip
        tone, icon = ("allow", "check") if green else ("deny", "x")
        verdict = words(N_("Green")) if green else words(N_("Failed"))
        found.append(TestLine(id="", tone=tone, icon=icon, verdict=verdict, said=said, at_ms=tested.at_ms))
    return tuple(sorted(found, key=lambda one: -one.at_ms))


def run_line(one: Run, words: Words) -> TestLine:
    how = N_("probe") if one.scheduled else N_("all cases") if one.whole else N_("some cases")
    green = one.failed == 0 and one.passed > 0
    return TestLine(
        id=one.id, tone="allow" if green else "deny", icon="check" if green else "x",
        verdict=words(N_("Green")) if green else words(N_("Failed")),
        said=words(
            N_("{passed} passed, {failed} failed, {how}"), passed=words.number(one.passed),
            failed=words.number(one.failed), how=words(how),
        ),
        at_ms=one.at_ms,
    )  # fmt: skip


def _commands(rollout: Rollout | None, name: str, words: Words) -> tuple[tuple[str, str], ...]:
    """What a page cannot do: tests run where the cases are."""
    if rollout is None or rollout.state not in (State.DRAFT, State.TESTED, State.SIGNED_OFF):
        return ()
    return (
        (words(N_("Run its cases")), f"handrail trial run --release {name}"),
        (words(N_("Or bring the results of another tool")), f"handrail release test {name} --junit results.xml"),
    )


def _evidence(read: Read, told: Conclusion | None, words: Words) -> str:
    """For the dialog of a promotion."""
    if read.rollout is None or read.rollout.state is not State.CANARY:
        return ""
    if told is None and _counting(read):
        return counting_of(read.drawing, words)
    if told is None or not told.units:
        return words(N_("Nothing is counted yet, so nothing says how it does."))
    unit = "customer" if read.rollout.ramp and read.rollout.ramp.unit is UnitKind.CUSTOMER_WEEK else "conversation"
    return words(N_("Its evidence so far: {sentence}"), sentence=whole_sentence(read.rollout, told, words, unit))


def _affected(read: Read, words: Words) -> str:
    """For the dialog of a rollback: whom it touches."""
    if read.rollout is None:
        return ""
    canary = sum(units for _, arm, units, _ in read.counts if arm in ("canary", "pilot"))
    share = words.percent(read.rollout.share, 0) if read.rollout.state is State.CANARY else words.percent(1.0, 0)
    if _counting(read):
        return words(N_("It gets {share} of new conversations now; how many met it is being counted."), share=share)
    return words(
        N_("It gets {share} of new conversations now; {units} on it were judged so far."), share=share,
        units=units_of(read.rollout, canary, words),
    )  # fmt: skip
