"""Interactions by their facts: filters that stand in the address, one row each; pure. No text of a customer is here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from handrail.console.views.use_cases_words import KINDS
from handrail.console.words import N_, Words
from handrail.ledger.read import Found, Query
from handrail.policy.ruleset import Ruleset
from handrail.terms.decision import NO_ANSWER, Outcome, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import Digest, SubjectId, UseCaseId

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
PAGE = 50
VERDICTS = {
    Verdict.ALLOW: ("allow", N_("Allowed")), Verdict.CHANGE: ("acc", N_("Changed")),
    Verdict.HOLD: ("hold", N_("Held")), Verdict.DENY: ("deny", N_("Denied")),
}  # fmt: skip
OUTCOMES = {
    Outcome.ANSWERED: N_("Answered"), Outcome.BLOCKED: N_("Stopped by a rule"),
    Outcome.HANDOVER: N_("Handed to a person"),
    Outcome.REFUSED: N_("Refused"), Outcome.FAILED: N_("The model failed"), Outcome.CANCELLED: N_("The customer left"),
    Outcome.INTERRUPTED: N_("Cut off by a restart"),
}  # fmt: skip
ARMS = {
    "canary": N_("Canary"), "control": N_("Control group"), "pilot": N_("Pilot"), "hold_out": N_("Kept out"),
}  # fmt: skip
PERIODS = {
    "24h": (DAY_MS, N_("Last 24 hours")), "7d": (7 * DAY_MS, N_("Last 7 days")),
    "30d": (30 * DAY_MS, N_("Last 30 days")), "all": (0, N_("Any time")),
}  # fmt: skip
WHY_NOTHING = N_("A call that was refused before it became an interaction is only counted; the ledger has it.")
WHY_NONE = N_("Each answer that passes the gateway becomes an interaction and stands here, newest first.")
ALERTING = frozenset(
    {Kind.COMPLAINT, Kind.LEGAL, Kind.VULNERABILITY, Kind.INJECTION, Kind.UNGROUNDED, Kind.PROMPT_LEAK}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is asked, as it stands in the address; empty: not asked. `since`, `until`: days (2026-11-21) of the
    organisation; they win over `period`. `subject`: a customer, by her random id."""

    period: str = ""
    since: str = ""
    until: str = ""
    use_case: str = ""
    conversation: str = ""
    subject: str = ""
    finding: str = ""
    verdict: str = ""
    outcome: str = ""
    language: str = ""
    channel: str = ""
    release: str = ""
    arm: str = ""
    flagged: str = ""
    cursor: str = ""

    def address(self, path: str, **changes: str) -> str:
        """With these instead; the page begins anew unless a cursor is given."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__} | {"cursor": ""} | changes
        kept = {name: value for name, value in given.items() if value}
        return f"{path}?{urlencode(kept)}" if kept else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    id: str
    at_ms: int
    use_case: str
    tone: str
    verdict: str
    outcome: str
    findings: tuple[tuple[str, str], ...]  # tone, words
    conversation: str
    release: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A choice: (value, text)."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    chosen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    said: str
    periods: tuple[tuple[str, str, bool], ...]
    fields: tuple[Field, ...]
    more: tuple[Field, ...]
    more_open: bool
    facts: Facts
    rows: tuple[Row, ...]
    later: str
    first: str
    counted: str
    csv: str
    empty_title: str
    empty_why: str
    empty_path: str
    empty_next: str
    chosen: tuple[tuple[str, str], ...]  # words of each filter that is set, and the address without it
    error: str = ""


def query_of(asked: Facts, words: Words, *, limit: int) -> Query:
    """Raises HandrailError REQUEST_INVALID with what is wrong and how to write it."""
    since, until = _times(asked, words)
    release = asked.release.strip().lower()
    if release and (len(release) != 64 or not set(release) <= set("0123456789abcdef")):
        raise HandrailError(Code.REQUEST_INVALID, words(N_("A release is 64 hex digits, as its page shows them.")))
    try:
        return Query(
            since_ms=since, until_ms=until, use_case=UseCaseId(asked.use_case) if asked.use_case else None,
            conversation=asked.conversation.strip() or None,
            subject=SubjectId(asked.subject) if asked.subject else None,
            finding=Kind(asked.finding) if asked.finding else None,
            verdict=Verdict(asked.verdict) if asked.verdict else None,
            outcome=Outcome(asked.outcome) if asked.outcome else None, language=asked.language.strip() or None,
            channel=asked.channel or None, arm=asked.arm or None, release=Digest(release) if release else None,
            flagged=asked.flagged == "yes", limit=limit, cursor=asked.cursor or None,
        )  # fmt: skip
    except ValueError:
        raise HandrailError(
            Code.REQUEST_INVALID, words(N_("This filter names a kind that there is not. Choose from the lists."))
        ) from None


def _times(asked: Facts, words: Words) -> tuple[int | None, int | None]:
    since = words.day_ms(asked.since) if asked.since else None
    until = words.day_ms(asked.until) if asked.until else None
    if (asked.since and since is None) or (asked.until and until is None):
        raise HandrailError(Code.REQUEST_INVALID, words(N_("Write a day as 2026-11-21.")))
    if since is None and until is None:
        length, _ = PERIODS.get(asked.period, PERIODS["all"])
        return (words.now_ms - length if length else None), None
    return since, None if until is None else words.day_after_ms(until)


def listed(
    asked: Facts, found: Sequence[Found], cursor: str | None, rules: Ruleset, words: Words, *, path: str, csv: str,
    error: str = "",
) -> Listed:  # fmt: skip
    """`path`: of the list. `error`: what was wrong with the filter; then nothing was looked for."""
    names = {str(one.id): one.name for one in rules.use_cases.values()}
    fields, more = _fields(asked, rules, words)
    period = "" if asked.since or asked.until else asked.period or "all"
    chosen = _chosen(asked, (*fields, *more), words, path)
    any_filter = bool(chosen) or bool(asked.period) or bool(asked.since) or bool(asked.until)
    return Listed(
        said=words(N_("Search by facts: what was said is never searched, so nothing private is found by chance.")),
        periods=tuple(
            (words(text), asked.address(path, period=name, since="", until=""), name == period)
            for name, (_, text) in PERIODS.items()
        ),
        fields=fields, more=more, more_open=any(one.chosen for one in more) or bool(asked.release or asked.language),
        facts=asked, rows=tuple(row_of(one, names, words) for one in found),
        later=asked.address(path, cursor=cursor) if cursor else "",
        first=asked.address(path) if asked.cursor else "",
        counted=words.plural("{n} on this page, newest first", "{n} on this page, newest first", len(found)),
        csv=asked.address(csv),
        empty_title=words(N_("Nothing fits these facts.")) if any_filter else words(N_("No conversation yet.")),
        empty_why=words(WHY_NOTHING if any_filter else WHY_NONE),
        empty_path=path if any_filter else "", empty_next=words(N_("Take every filter off")) if any_filter else "",
        chosen=chosen, error=error,
    )  # fmt: skip


def row_of(one: Found, names: Mapping[str, str], words: Words) -> Row:
    tone, verdict = VERDICTS[one.verdict]
    if one.outcome in NO_ANSWER and one.verdict is Verdict.ALLOW:
        tone, verdict = "", N_("No answer")
    return Row(
        id=one.interaction, at_ms=one.at_ms, use_case=names.get(one.use_case, one.use_case), tone=tone,
        verdict=words(verdict), outcome=words(OUTCOMES[one.outcome]) if one.outcome else "",
        findings=tuple(("deny" if kind in ALERTING else "hold", words(KINDS[kind])) for kind in one.kinds),
        conversation=one.conversation, release=(one.release or "")[:12], language=one.language,
    )  # fmt: skip


def csv_rows(found: Sequence[Found], words: Words) -> list[tuple[str, ...]]:
    """Heads first; facts as the record has them, for programs: nothing is translated. `at`: `at_ms` as a time
    of UTC, for people."""
    heads: tuple[str, ...] = (
        "at_ms",
        "interaction",
        "conversation",
        "use_case",
        "verdict",
        "would_be",
        "outcome",
        "findings",
        "language",
        "release",
        "at",
    )
    return [heads] + [
        (
            str(one.at_ms), one.interaction, one.conversation, one.use_case, one.verdict.value,
            one.would_be.value if one.would_be else "", one.outcome.value if one.outcome else "",
            " ".join(kind.value for kind in one.kinds), one.language, one.release or "",
            words.iso(one.at_ms),
        )
        for one in found
    ]  # fmt: skip


def _fields(asked: Facts, rules: Ruleset, words: Words) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    none = ("", words(N_("Any")))
    cases = rules.use_cases.values()
    channels = sorted({channel for one in cases for channel in one.channels})

    def field(name: str, label: str, options: Sequence[tuple[str, str]]) -> Field:
        return Field(name=name, label=words(label), options=(none, *options), chosen=getattr(asked, name))

    kinds: list[tuple[str, str]] = sorted(
        ((kind.value, words(text)) for kind, text in KINDS.items()), key=lambda one: one[1].casefold()
    )
    first = (
        field("use_case", N_("Use case"), [(str(one.id), one.name) for one in cases]),
        field("finding", N_("Finding"), kinds),
        field("outcome", N_("What the customer got"), [(one.value, words(text)) for one, text in OUTCOMES.items()]),
    )
    more = (
        field("verdict", N_("Decision"), [(one.value, words(text)) for one, (_, text) in VERDICTS.items()]),
        field("flagged", N_("Flagged by staff"), [("yes", words(N_("Yes")))]),
        field("channel", N_("Channel"), [(one, one) for one in channels]),
        field("arm", N_("Group of a release"), [(one, words(text)) for one, text in ARMS.items()]),
    )
    return first, more


def _chosen(asked: Facts, fields: Sequence[Field], words: Words, path: str) -> tuple[tuple[str, str], ...]:
    found = []
    for one in fields:
        if one.chosen:
            text = dict(one.options).get(one.chosen, one.chosen)
            found.append((f"{one.label}: {text}", asked.address(path, **{one.name: ""})))
    plain = {
        "conversation": N_("Conversation"), "subject": N_("Customer"), "language": N_("Language"),
        "release": N_("Release"), "since": N_("From"), "until": N_("Until"),
    }  # fmt: skip
    for name, label in plain.items():
        value = getattr(asked, name)
        if value:
            shown = value[:12] if name == "release" else value
            found.append((f"{words(label)}: {shown}", asked.address(path, **{name: ""})))
    return tuple(found)
