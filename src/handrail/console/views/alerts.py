"""What the watch has found: a list, one alert, and silences; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from handrail.console.spreadsheet import sheet
from handrail.console.views.incidents import use_case_names, utc
from handrail.console.words import N_, Words
from handrail.people.person import Person
from handrail.policy.ruleset import Ruleset
from handrail.terms.ids import UseCaseId
from handrail.watch.alarm import BY, NAMES, people_of, told_next
from handrail.watch.alert import Alert, AlertKind, AlertState, Severity, Silence

PAGE = 50
MOST = 5_000
"""Alerts that are looked through, the newest."""
STATES = {
    AlertState.RAISED: ("hold", "bell", N_("Unanswered")),
    AlertState.ACKNOWLEDGED: ("canary", "user", N_("Taken")),
    AlertState.CLOSED: ("allow", "check", N_("Closed")),
}
SEVERITIES = {
    Severity.CRITICAL: ("deny", N_("Critical")),
    Severity.WARNING: ("hold", N_("Warning")),
    Severity.INFO: ("", N_("For information")),
}
KINDS = {
    AlertKind.DRIFT: N_("A rate is worse than its own past"),
    AlertKind.TRIGGER: N_("A customer said what a person must see"),
    AlertKind.NEW: N_("Something was never seen before"),
    AlertKind.RELEASE: N_("A release"),
    AlertKind.AUTONOMY: N_("Levels were lowered"),
}
LEFT = "left"
VIEWS = {
    LEFT: N_("Not closed"), "raised": N_("Unanswered"), "acknowledged": N_("Taken"), "closed": N_("Closed"),
    "all": N_("All"),
}  # fmt: skip
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
LENGTHS = (30 * MINUTE_MS, 2 * HOUR_MS, 8 * HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS)
"""Of a silence, to choose from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """`state`: of `VIEWS`. `before`: the id that the page begins after."""

    state: str = LEFT
    severity: str = ""
    use_case: str = ""
    before: str = ""

    def address(self, path: str = "/alerts", **changes: str) -> str:
        values = {
            "state": self.state, "severity": self.severity, "use_case": self.use_case, "before": self.before, **changes,
        }  # fmt: skip
        rest = {name: text for name, text in values.items() if text and (name, text) != ("state", LEFT)}
        return f"{path}?{urlencode(rest)}" if rest else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`often`: how often, where it is more than once. `next`: what comes by itself."""

    id: str
    sentence: str
    promise: str
    tone: str
    icon: str
    state: str
    severity_tone: str
    severity: str
    use_case: str
    metric: str
    often: str
    latest_ms: int
    owner: str
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceRow:
    id: str
    about: str
    until_ms: int
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertList:
    said: str
    chips: tuple[tuple[str, str, bool], ...]
    severities: tuple[tuple[str, str], ...]
    use_cases: tuple[tuple[str, str], ...]
    asking: Asking
    rows: tuple[Row, ...]
    silences: tuple[SilenceRow, ...]
    newer: str
    older: str
    shown: str
    cut: str
    csv: str
    may_answer: bool
    filtered: bool
    announce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """`example`: an interaction to look at; empty: the alert has none. `problem`: why a move failed. `incident`: that
    was opened from it. `use_case`: its id."""

    row: Row
    kind: str
    use_case: str
    cause: str
    first_ms: int
    answered_by: str
    answered_at: int | None
    closed_at: int | None
    note: str
    example: str
    people: tuple[str, ...]
    incident: str
    may_answer: bool
    may_open: bool
    may_take: bool
    may_close: bool
    may_silence: bool
    problem: str
    typed: str
    announce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Silencing:
    """The form. `problem`: why it was not taken."""

    metrics: tuple[tuple[str, str], ...]
    use_cases: tuple[tuple[str, str], ...]
    lengths: tuple[tuple[str, str], ...]
    metric: str
    use_case: str
    lasts: str
    reason: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What rows are told with."""

    ruleset: Ruleset
    persons: Sequence[Person]

    @property
    def names(self) -> dict[str, str]:
        return use_case_names(self.ruleset)

    def called(self, person: str) -> str:
        """Her name; of what was closed by itself, ours."""
        if person == BY.id:
            return "handrail"
        return next((one.name for one in self.persons if one.id == person), person)


def wanted(one: Alert, asking: Asking) -> bool:
    fits = one.state is not AlertState.CLOSED if asking.state == LEFT else asking.state in ("all", one.state.value)
    return (
        fits
        and asking.severity in ("", one.first.severity.value)
        and asking.use_case in ("", one.first.use_case)
    )  # fmt: skip


def alerts(
    found: Sequence[Alert], silences: Sequence[Silence], words: Words, around: Around, *, asking: Asking,
    may_answer: bool, unanswered: int,
) -> AlertList:  # fmt: skip
    """`found`: of the states that are asked for, at most `MOST`, the newest first. `unanswered`: of all."""
    fitting = [one for one in found if wanted(one, asking)]
    later = [one for one in fitting if not asking.before or one.id < asking.before]
    rows, older = later[:PAGE], later[PAGE:]
    first = len(fitting) - len(later) + 1
    names = around.names
    return AlertList(
        said=words.plural("{n} alert waits for an answer.", "{n} alerts wait for an answer.", unanswered)
        if unanswered else words(N_("Every alert is answered.")),
        chips=tuple(
            (words(label), asking.address(state=key, before=""), key == asking.state) for key, label in VIEWS.items()
        ),
        severities=(("", words(N_("Any"))), *((one.value, words(text)) for one, (_, text) in SEVERITIES.items())),
        use_cases=(("", words(N_("Any"))), *names.items()),
        asking=asking, rows=tuple(row_of(one, words, around) for one in rows),
        silences=tuple(_silence(one, words, around) for one in silences),
        newer=asking.address(before="") if asking.before else "",
        older=asking.address(before=rows[-1].id) if older else "",
        shown=words(
            N_("{first} to {last} of {all}"), first=words.number(first), last=words.number(first + len(rows) - 1),
            all=words.number(len(fitting)),
        ) if rows else "",
        cut=words(N_("Only the newest {n} alerts were looked through."), n=words.number(MOST))
        if len(found) >= MOST else "",
        csv=asking.address("/alerts.csv", before=""), may_answer=may_answer,
        filtered=asking != Asking(state=asking.state),
        announce=words.plural("{n} alert waits for an answer", "{n} alerts wait for an answer", unanswered),
    )  # fmt: skip


def row_of(one: Alert, words: Words, around: Around) -> Row:
    tone, icon, state = STATES[one.state]
    severity_tone, severity = SEVERITIES[one.first.severity]
    first = one.first
    return Row(
        id=one.id, sentence=first.sentence, promise=first.promise, tone=tone, icon=icon, state=words(state),
        severity_tone=severity_tone, severity=words(severity),
        use_case=around.names.get(first.use_case, first.use_case), metric=first.metric,
        often=words.plural("{n} time", "{n} times", one.count), latest_ms=one.latest_ms or first.at_ms,
        owner=one.owner, next=next_of(one, words, around),
    )  # fmt: skip


def next_of(one: Alert, words: Words, around: Around) -> str:
    """What happens by itself while nobody does anything."""
    if one.state is AlertState.CLOSED:
        return words(N_("The same cause is told anew."))
    if one.state is AlertState.ACKNOWLEDGED:
        return words(N_("{who} has it; it escalates no further."), who=around.called(one.by))
    if one.due_at is None:
        return words(N_("Nobody else is told by time alone."))
    if one.silent:
        return words(N_("Nobody is told until its silence ends, {when}."), when=words.ago(one.due_at))
    people = people_of(around.ruleset.use_cases.get(UseCaseId(one.first.use_case)), around.persons)
    who = told_next(one, people)
    if not who:
        return words(N_("Nobody is named who could be told next."))
    return words(N_("Told to {who} {when}."), who=who, when=words.ago(max(one.due_at, words.now_ms)))


def alert_view(
    one: Alert, words: Words, around: Around, *, incident: str, may_answer: bool, may_open: bool, problem: str = "",
    typed: str = "",
) -> AlertView:  # fmt: skip
    row = row_of(one, words, around)
    return AlertView(
        row=row, kind=words(KINDS[one.first.kind]), use_case=one.first.use_case, cause=one.first.cause,
        first_ms=one.first.at_ms,
        answered_by=around.called(one.by) if one.by else "", answered_at=one.acknowledged_at,
        closed_at=one.closed_at, note=one.note, example=one.latest or one.first.example,
        people=people_of(around.ruleset.use_cases.get(UseCaseId(one.first.use_case)), around.persons),
        incident=incident, may_answer=may_answer, may_open=may_open,
        may_take=may_answer and one.state is AlertState.RAISED,
        may_close=may_answer and one.state is not AlertState.CLOSED, may_silence=may_answer,
        problem=problem, typed=typed, announce=words(N_("The alert is now: {state}"), state=row.state),
    )  # fmt: skip


def answered_meanwhile(one: Alert, words: Words, around: Around) -> str:
    """Who was faster, and when."""
    at = one.closed_at if one.state is AlertState.CLOSED else one.acknowledged_at
    values = {"who": around.called(one.by), "when": words.ago(at)}
    if one.state is AlertState.CLOSED:
        return words(N_("{who} answered it, and it was closed {when}. Nothing of yours was saved."), **values)
    if one.state is AlertState.ACKNOWLEDGED:
        return words(N_("{who} took it {when}. Nothing of yours was saved."), **values)
    return words(N_("It was told anew meanwhile. Look at it again."))


def silencing(
    words: Words, ruleset: Ruleset, *, metric: str, use_case: str, lasts: str, reason: str, problem: str = ""
) -> Silencing:
    known = sorted({*NAMES, metric} - {""})
    return Silencing(
        metrics=(("", words(N_("Every metric, except critical alerts"))), *((one, one) for one in known)),
        use_cases=(("", words(N_("Every use case"))), *use_case_names(ruleset).items()),
        lengths=tuple((str(ms), words.lasting(ms)) for ms in LENGTHS),
        metric=metric, use_case=use_case, lasts=lasts, reason=reason, problem=problem,
    )  # fmt: skip


def as_csv(found: Sequence[Alert], names: Mapping[str, str]) -> bytes:
    """`names`: of persons."""
    heads = (
        "id", "state", "severity", "use_case", "metric", "kind", "sentence", "promise", "times", "first", "latest",
        "example", "owner", "escalations", "silent", "answered_by", "answered", "closed", "note",
    )  # fmt: skip
    return sheet(
        heads,
        (
            (
                one.id, one.state.value, one.first.severity.value, one.first.use_case, one.first.metric,
                one.first.kind.value, one.first.sentence, one.first.promise, str(one.count), utc(one.first.at_ms),
                utc(one.latest_ms), one.latest, one.owner, str(one.step), "yes" if one.silent else "no",
                names.get(one.by, one.by), utc(one.acknowledged_at), utc(one.closed_at), one.note,
            )
            for one in found
        ),
    )  # fmt: skip


def _silence(one: Silence, words: Words, around: Around) -> SilenceRow:
    parts = [around.names.get(one.use_case, one.use_case), one.metric]
    return SilenceRow(
        id=one.id, about=" · ".join(filter(None, parts)) or words(N_("Everything that is not critical")),
        until_ms=one.until_ms, reason=one.reason, by=around.called(one.by),
    )  # fmt: skip
