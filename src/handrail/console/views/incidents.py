"""Incidents as a list, and the form that opens one by hand; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from handrail.console.spreadsheet import sheet
from handrail.console.views.happened import shortened
from handrail.console.words import N_, Words
from handrail.policy.ruleset import Ruleset
from handrail.review.incident import Incident, IncidentState, Severity
from handrail.review.incidents import Affected
from handrail.terms.finding import Kind
from handrail.watch.alert import Alert

PAGE = 50
"""Rows of one page."""
MOST = 5_000
"""Incidents that are looked through, the newest."""
LONGEST_TITLE = 300
STATES = {
    IncidentState.OPEN: ("deny", "alert", N_("Open")),
    IncidentState.CONTAINED: ("hold", "pause", N_("Contained")),
    IncidentState.REVIEWED: ("canary", "eye", N_("Reviewed")),
    IncidentState.CLOSED: ("allow", "check", N_("Closed")),
}
SEVERITIES = {
    Severity.S1: ("deny", N_("Customers are harmed")),
    Severity.S2: ("hold", N_("Serious, not spreading")),
    Severity.S3: ("", N_("Small")),
}
NOT_CLOSED = "left"
VIEWS = {
    NOT_CLOSED: N_("Not closed"), "open": N_("Open"), "contained": N_("Contained"), "reviewed": N_("Reviewed"),
    "closed": N_("Closed"), "all": N_("All"),
}  # fmt: skip
TRIGGERS = frozenset(kind.value for kind in (Kind.LEGAL, Kind.COMPLAINT, Kind.VULNERABILITY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """`state`: of `VIEWS`. `whose`: `mine`, or empty. `before`: the id that the page begins after."""

    state: str = NOT_CLOSED
    severity: str = ""
    use_case: str = ""
    whose: str = ""
    before: str = ""

    def address(self, **changes: str) -> str:
        """Of the list with these filters."""
        return _address("/incidents", self, changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    id: str
    title: str
    tone: str
    icon: str
    state: str
    severity: str
    severity_tone: str
    severity_said: str
    use_case: str
    owner: str
    opened_at: int
    left: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentList:
    """`cut`: what was not looked through; empty: nothing. `empty_title` and the two after it: said when there is no
    row."""

    said: str
    chips: tuple[tuple[str, str, bool], ...]
    severities: tuple[tuple[str, str], ...]
    use_cases: tuple[tuple[str, str], ...]
    asking: Asking
    rows: tuple[Row, ...]
    newer: str
    older: str
    shown: str
    cut: str
    csv: str
    may_open: bool
    filtered: bool
    empty_title: str
    empty_why: str
    announce: str


def wanted(one: Incident, asking: Asking, mine: str) -> bool:
    """Whether the filters let it through. `mine`: the visitor's address, as owners are named."""
    if asking.state == NOT_CLOSED:
        fits = one.state is not IncidentState.CLOSED
    else:
        fits = asking.state in ("all", one.state.value)
    return (
        fits
        and asking.severity in ("", one.severity.value)
        and asking.use_case in ("", one.use_case)
        and (asking.whose != "mine" or (mine != "" and one.owner.lower() == mine.lower()))
    )


def incidents(
    found: Sequence[Incident], words: Words, ruleset: Ruleset, *, asking: Asking, mine: str, may_open: bool,
    left: Sequence[Incident] | None = None,
) -> IncidentList:  # fmt: skip
    """`found`: at most `MOST`, the newest first. `left`: those that are not closed, where `found` has closed ones too
    and may not reach the oldest."""
    names = use_case_names(ruleset)
    all_rows = [one for one in found if wanted(one, asking, mine)]
    later = [one for one in all_rows if not asking.before or one.id < asking.before]
    rows, older = later[:PAGE], later[PAGE:]
    first = len(all_rows) - len(later) + 1
    open_now = [one for one in (found if left is None else left) if one.state is IncidentState.OPEN]
    plain = Asking(state=asking.state)
    filtered = asking != plain
    title, why = _nothing(asking, filtered, words)
    return IncidentList(
        said=_said(open_now, _not_closed(found if left is None else left), words),
        chips=tuple(
            (words(label), asking.address(state=key, before=""), key == asking.state) for key, label in VIEWS.items()
        ),
        severities=(("", words(N_("Any"))), *((one.value, severity_text(one, words)) for one in Severity)),
        use_cases=(("", words(N_("Any"))), *names.items()),
        asking=asking,
        rows=tuple(_row(one, names, words) for one in rows),
        newer=asking.address(before="") if asking.before else "",
        older=asking.address(before=rows[-1].id) if older else "",
        shown=words(
            N_("{first} to {last} of {all}"), first=words.number(first), last=words.number(first + len(rows) - 1),
            all=words.number(len(all_rows)),
        ) if rows else "",
        cut=words(N_("Only the newest {n} incidents were looked through."), n=words.number(MOST))
        if len(found) >= MOST else "",
        csv=_address("/incidents.csv", asking, {"before": ""}),
        may_open=may_open, filtered=filtered, empty_title=title, empty_why=why,
        announce=words.plural("{n} incident is open", "{n} incidents are open", len(open_now)),
    )  # fmt: skip


def use_case_names(ruleset: Ruleset) -> dict[str, str]:
    return {str(one.id): one.name for one in ruleset.use_cases.values()}


def severity_text(severity: Severity, words: Words) -> str:
    return f"{severity.value}: {words(SEVERITIES[severity][1])}"


def _not_closed(found: Sequence[Incident]) -> int:
    return sum(one.state is not IncidentState.CLOSED for one in found)


def _said(open_now: Sequence[Incident], left: int, words: Words) -> str:
    """`left`: those that are not closed."""
    if not open_now and left:
        return words.plural(
            "{n} incident is contained: it hurts nobody any more, and what happened is still to be looked into.",
            "{n} incidents are contained: they hurt nobody any more, and what happened is still to be looked into.",
            left,
        )  # fmt: skip
    if not open_now:
        return words(N_("Nothing hurts customers as far as anybody knows."))
    return words.plural(
        "{n} incident may still hurt customers; while it does, no release of its use case goes on.",
        "{n} incidents may still hurt customers; while they do, no release of their use cases goes on.", len(open_now),
    )  # fmt: skip


def _nothing(asking: Asking, filtered: bool, words: Words) -> tuple[str, str]:
    if filtered:
        return words(N_("No incident fits.")), words(N_("Another one may, with fewer filters."))
    if asking.state == NOT_CLOSED:
        return (
            words(N_("No incident is open.")),
            words(N_("A release that is rolled back for safety opens one by itself; others are opened by hand.")),
        )  # fmt: skip
    return words(N_("There is none of these.")), words(N_("Each incident stays listed, closed ones too."))


def _row(one: Incident, names: Mapping[str, str], words: Words) -> Row:
    tone, icon, state = STATES[one.state]
    left = sum(task.done_at is None for task in one.tasks)
    severity_tone, severity = SEVERITIES[one.severity]
    return Row(
        id=one.id, title=shortened(one.title), tone=tone, icon=icon, state=words(state), severity=one.severity.value,
        severity_tone=severity_tone, severity_said=words(severity),
        use_case=names.get(one.use_case, one.use_case), owner=one.owner, opened_at=one.opened_at,
        left=words.plural("{n} task left", "{n} tasks left", left) if left else "",
    )  # fmt: skip


def as_csv(found: Sequence[Incident]) -> bytes:
    heads = (
        "id", "state", "severity", "use_case", "owner", "title", "opened", "contained", "reviewed", "closed",
        "tasks_left", "test", "no_test",
    )  # fmt: skip
    return sheet(
        heads,
        (
            (
                one.id, one.state.value, one.severity.value, one.use_case, one.owner, one.title, utc(one.opened_at),
                utc(one.contained_at), utc(one.reviewed_at), utc(one.closed_at),
                str(sum(task.done_at is None for task in one.tasks)), one.test, one.no_test,
            )
            for one in found
        ),
    )  # fmt: skip


def affected_csv(found: Sequence[Affected]) -> bytes:
    """Ids alone: who the customers are stands in the sealed payloads."""
    heads = ("conversation", "first_interaction", "interactions", "first", "latest", "customer", "known", "erased")
    return sheet(
        heads,
        (
            (
                one.conversation, one.first, str(one.interactions), utc(one.first_ms), utc(one.latest_ms), one.subject,
                "yes" if one.person else "no", "yes" if one.erased else "no",
            )
            for one in found
        ),
    )  # fmt: skip


def utc(at_ms: int | None) -> str:
    """For a spreadsheet."""
    if at_ms is None:
        return ""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """As the form sends it. Times as the browser writes them, in the organisation's time zone."""

    use_case: str = ""
    title: str = ""
    severity: str = Severity.S2.value
    owner: str = ""
    release: str = ""
    finding: str = ""
    since: str = ""
    until: str = ""
    alert: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIncident:
    """`problems`: text by field; `""`: of the whole form."""

    given: Given
    alert_said: str
    severities: tuple[tuple[str, str], ...]
    use_cases: tuple[tuple[str, str], ...]
    findings: tuple[tuple[str, str], ...]
    zone: str
    problems: dict[str, str]


def new_incident(
    words: Words, ruleset: Ruleset, given: Given, alert: Alert | None, problems: Mapping[str, str]
) -> NewIncident:
    return NewIncident(
        given=given,
        alert_said="" if alert is None else alert.first.sentence,
        severities=tuple((one.value, severity_text(one, words)) for one in Severity),
        use_cases=(("", words(N_("Choose"))), *use_case_names(ruleset).items()),
        findings=(("", words(N_("Any"))), *((kind.value, kind.value) for kind in Kind)),
        zone=ruleset.time_zone,
        problems=dict(problems),
    )


def from_alert(alert: Alert, words: Words) -> Given:
    """What an alert says of itself. A trigger's conversations have its finding; else they are those of its time."""
    first = alert.first
    return Given(
        use_case=first.use_case, title=first.sentence[:LONGEST_TITLE],
        severity=(Severity.S1 if first.severity.value == "critical" else Severity.S2).value,
        finding=first.metric if first.metric in TRIGGERS else "", alert=alert.id,
        since=local_text(min(first.at_ms, alert.latest_ms or first.at_ms), words),
    )  # fmt: skip


def local_text(at_ms: int, words: Words) -> str:
    """As a `datetime-local` field holds it: the minute in which it was, in the organisation's time zone."""
    return datetime.fromtimestamp(at_ms // 1000, words.zone).strftime("%Y-%m-%dT%H:%M")


def local_ms(text: str, words: Words) -> int | None:
    """Unix ms of a `datetime-local` field; None: empty. Raises ValueError."""
    if not text.strip():
        return None
    return int(datetime.fromisoformat(text.strip()).replace(tzinfo=words.zone).timestamp() * 1000)


def problems_of(given: Given, words: Words) -> dict[str, str]:
    """What can be said before anything is asked of the database."""
    found = {}
    if not given.use_case:
        found["use_case"] = words(N_("Choose the use case that it happened in."))
    if not 0 < len(given.title.strip()) <= LONGEST_TITLE:
        found["title"] = words(N_("Say in one sentence what went wrong, in at most {n} characters."), n=LONGEST_TITLE)
    times = {}
    for name, text in (("since", given.since), ("until", given.until)):
        try:
            times[name] = local_ms(text, words)
        except (ValueError, OverflowError):
            found[name] = words(N_("Write a day and a time, such as 2026-11-21T10:00."))
    since, until = times.get("since"), times.get("until")
    if since is not None and until is not None and until <= since:
        found["until"] = words(N_("It ends before it begins."))
    return found


def _address(path: str, asking: Asking, changes: Mapping[str, str]) -> str:
    values = {
        "state": asking.state, "severity": asking.severity, "use_case": asking.use_case, "whose": asking.whose,
        "before": asking.before, **changes,
    }  # fmt: skip
    rest = {name: text for name, text in values.items() if text and (name, text) != ("state", NOT_CLOSED)}
    return f"{path}?{urlencode(rest)}" if rest else path
