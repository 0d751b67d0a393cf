"""A notice as people and programs read it: subject and text in the receiver's language, a webhook's body; pure.

Everything comes from the `Notice`, which holds nothing personal. The link is a plain address: opening it reads nothing
and changes nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from handrail.approvals.notices import Notice
from handrail.policy.notices import Event

LANGUAGES = ("en", "de")
PAGE = "/approvals/"
"""Path of the link, before the action's id."""

_SUBJECT: dict[str, dict[str, str]] = {
    "en": {
        Event.HELD: "An action waits for a decision",
        Event.ESCALATED: "Nobody has decided yet: an action waits for you too",
        Event.EXPIRING: "An action that waits is about to expire",
        Event.EXPIRED: "Nobody decided in time: an action was denied",
        Event.HANDOVER: "Nobody decided in time: please take this case over",
        Event.HANDED_ON: "An action was handed on and waits for a decision",
        Event.UNKNOWN: "Please find out whether an action took effect: nobody can tell",
        Event.UNREPORTED: "Please find out what became of an action: its caller has not reported",
        Event.STOP_SET: "Actions were stopped",
        Event.STOP_LIFTED: "A stop of actions was lifted",
        Event.ALERT: "An alert of the watch",
        Event.ALERT_ESCALATED: "Nobody has answered yet: an alert of the watch",
        Event.TEST: "TEST: a notice of handrail that asks for nothing",
        "ended": "An action has ended",
    },
    "de": {
        Event.HELD: "Eine Aktion wartet auf eine Entscheidung",
        Event.ESCALATED: "Noch hat niemand entschieden: Eine Aktion wartet auch auf Sie",
        Event.EXPIRING: "Die Zeit für eine wartende Aktion läuft bald ab",
        Event.EXPIRED: "Niemand hat rechtzeitig entschieden: Eine Aktion wurde abgelehnt",
        Event.HANDOVER: "Niemand hat rechtzeitig entschieden: Bitte übernehmen Sie diesen Fall",
        Event.HANDED_ON: "Eine Aktion wurde weitergegeben und wartet auf eine Entscheidung",
        Event.UNKNOWN: "Bitte klären: Niemand weiß, ob eine Aktion gewirkt hat",
        Event.UNREPORTED: "Bitte klären: Wer eine Aktion ausführen durfte, hat nicht gemeldet, was daraus wurde",
        Event.STOP_SET: "Aktionen wurden gestoppt",
        Event.STOP_LIFTED: "Ein Stopp von Aktionen wurde aufgehoben",
        Event.ALERT: "Ein Alarm der Überwachung",
        Event.ALERT_ESCALATED: "Noch hat niemand geantwortet: Ein Alarm der Überwachung",
        Event.TEST: "TEST: eine Nachricht von handrail, die nichts verlangt",
        "ended": "Eine Aktion ist beendet",
    },
}
_LABEL = {
    "en": {
        "use_case": "Use case", "tool": "Tool", "route": "Route", "amount": "Amount", "decide_by": "Decide by",
        "action": "Action", "status": "Status", "stop": "Stop", "scope": "Of", "look": "Look at it",
        "alert": "Alert", "owner": "Owner", "severity": "Severity", "said": "What",
        "below": "to below", "plain": "Opening this page changes nothing.",
    },
    "de": {
        "use_case": "Anwendungsfall", "tool": "Werkzeug", "route": "Weg", "amount": "Betrag",
        "decide_by": "Entscheiden bis", "action": "Aktion", "status": "Stand", "stop": "Stopp", "scope": "Für",
        "look": "Ansehen", "alert": "Alarm", "owner": "Zuständig", "severity": "Schwere", "said": "Was",
        "below": "bis unter", "plain": "Das Öffnen dieser Seite ändert nichts.",
    },
}  # fmt: skip


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What words need beside the notice. `digits`: decimal places by currency. `public_url`: without a last slash."""

    time_zone: str
    digits: Mapping[str, int]
    public_url: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent. `body`: JSON for a signed webhook. `at_ms`: of the event. `about`: of what. `cause`, `severity`,
    `to` (whose it is): of an alert."""

    id: str
    at_ms: int
    subject: str
    text: str
    body: bytes
    about: str = ""
    cause: str = ""
    severity: str = ""
    to: str = ""


def message(notice: Notice, language: str, around: Surroundings) -> Message:
    """In `language`, or English."""
    language = language if language in LANGUAGES else "en"
    subjects = _SUBJECT[language]
    subject = subjects["ended"] if notice.status else subjects[notice.event]
    lines = [f"{label}: {value}" for label, value in _lines(notice, language, around) if value]
    link = link_of(notice, around)
    if link:
        lines.append(f"{_LABEL[language]['look']}: {link}\n{_LABEL[language]['plain']}")
    return Message(
        id=notice.id, at_ms=notice.at_ms, subject=subject, text="\n".join(lines), body=_body(notice, link),
        about=notice.about, cause=notice.cause, severity=notice.severity, to=notice.owner,
    )  # fmt: skip


def link_of(notice: Notice, around: Surroundings) -> str:
    """Of an action that people look at; empty without a public address, and for programs."""
    if not around.public_url or not notice.about.startswith("ac_") or notice.status:
        return ""
    return f"{around.public_url.rstrip('/')}{PAGE}{notice.about}"


def _lines(notice: Notice, language: str, around: Surroundings) -> list[tuple[str, str]]:
    label = _LABEL[language]
    what = "stop" if notice.scope else "alert" if notice.cause else "action"
    until = "" if notice.decide_by is None else _local(notice.decide_by, around.time_zone)
    return [
        (label["said"], notice.said), (label["severity"], notice.severity), (label["owner"], notice.owner),
        (label["use_case"], notice.use_case), (label["tool"], notice.tool), (label["route"], notice.route),
        (label["amount"], _money(notice, label["below"], around.digits)), (label["decide_by"], until),
        (label["status"], notice.status), (label["scope"], f"{notice.scope} {notice.value}".strip()),
        (label[what], notice.about if notice.event != Event.TEST else ""),
    ]  # fmt: skip


def _money(notice: Notice, below: str, digits: Mapping[str, int]) -> str:
    places = digits.get(notice.currency, 0)
    if notice.amount_minor is not None:
        return f"{_major(notice.amount_minor, places)} {notice.currency}"
    if notice.low is not None and notice.high is not None:
        return f"{_major(notice.low, places)} {below} {_major(notice.high, places)} {notice.currency}"
    return ""


def _major(minor: int, places: int) -> str:
    """Exact: minor units as a decimal with a point."""
    if not places:
        return str(minor)
    sign, whole = "-" if minor < 0 else "", str(abs(minor)).rjust(places + 1, "0")
    return f"{sign}{whole[:-places]}.{whole[-places:]}"


def _local(at_ms: int, zone: str) -> str:
    at = datetime.fromtimestamp(at_ms // 1_000, UTC).astimezone(ZoneInfo(zone))
    return f"{at:%Y-%m-%d %H:%M} ({zone})"


def _instant(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1_000, UTC):%Y-%m-%dT%H:%M:%S}Z"


def _body(notice: Notice, link: str) -> bytes:
    """`type`, `timestamp`, `data`, as the standard-webhooks specification recommends."""
    data: dict[str, object] = {}
    if notice.status:
        data = {"action_id": notice.about, "status": notice.status}
    elif notice.cause:
        data = {
            "alert_id": notice.about, "cause": notice.cause, "severity": notice.severity, "use_case": notice.use_case,
            "summary": notice.said, "owner": notice.owner,
        }  # fmt: skip
    elif notice.scope:
        data = {"stop_id": notice.about, "scope": notice.scope, "value": notice.value}
    elif notice.event != Event.TEST:
        data = {"action_id": notice.about, "use_case": notice.use_case, "tool": notice.tool, "route": notice.route}
        if notice.decide_by is not None:
            data["decide_by"] = _instant(notice.decide_by)
        if notice.amount_minor is not None:
            data["amount"] = {"minor": notice.amount_minor, "currency": notice.currency}
        elif notice.low is not None:
            data["amount"] = {"from_minor": notice.low, "below_minor": notice.high, "currency": notice.currency}
        if link:
            data["link"] = link
    return msgspec.json.encode({"type": notice.event, "timestamp": _instant(notice.at_ms), "data": data})
