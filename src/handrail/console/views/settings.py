"""What is in force, what is kept, who is told, how people sign in, and what should be mended; pure.

The home is files in git: this page shows, the home changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handrail.approvals.notices import NoticeState, Posted
from handrail.console.ports import Examined, Installed
from handrail.console.views.people import ROLES
from handrail.console.words import N_, Words
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.commitment import RecordedFacts
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.policy.notices import Detail, Receiver, ReceiverKind

STALE_MS = 7 * 86_400_000
"""A backup older than this is said to be old."""
Facts = tuple[tuple[str, str], ...]
KINDS = {
    ReceiverKind.EMAIL: N_("e-mail"), ReceiverKind.CHAT: N_("chat"), ReceiverKind.WEBHOOK: N_("webhook, signed"),
    ReceiverKind.APPRISE: N_("Apprise"), ReceiverKind.PAGER: N_("pager"),
}  # fmt: skip
DETAILS = {
    Detail.NONE: N_("no amount"), Detail.BAND: N_("an order of magnitude"), Detail.AMOUNT: N_("the amount"),
}  # fmt: skip
LEVELS = {
    "broken": ("deny", "x", N_("Broken")), "risk": ("hold", "alert", N_("Risk")), "note": ("", "info", N_("Note")),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsRead:
    """What the ports gave. `published`, `backups`: entries, newest first. `posted`: the newest notice of each receiver
    in each state."""

    snapshot: Snapshot | None
    published: Sequence[RecordedFacts]
    backups: Sequence[RecordedFacts]
    posted: Sequence[Posted]
    persons: Sequence[Person]
    installed: Installed
    examined: Examined | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    at_ms: int
    by: str
    digest: str
    now: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """`sent_at`: of the last event that reached it, Unix ms; None: none did within thirty days."""

    id: str
    kind: str
    events: str
    only: str
    detail: str
    sent_at: int | None
    tone: str
    icon: str
    state: str
    wrong: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    id: str
    name: str
    payload: str
    minimum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    tone: str
    icon: str
    level: str
    what: str
    why: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`backup_at`: Unix ms; None: none was recorded. `advice`: None: doctor has not looked yet."""

    said: str
    digest: str
    organisation: Facts
    published: tuple[Publication, ...]
    kept: tuple[Kept, ...]
    receivers: tuple[ReceiverRow, ...]
    told: str
    sign_in: Facts
    groups: tuple[tuple[str, str], ...]
    installation: Facts
    backup_at: int | None
    backup_tone: str
    backup_said: str
    examined_at: int | None
    examined_failed: str
    advice: tuple[Advice, ...]


def settings(read: SettingsRead, words: Words) -> Settings:
    names = {str(one.id): one.name for one in read.persons}
    current = read.snapshot
    backup_at = read.backups[0].at_ms if read.backups else None
    return Settings(
        said=words(N_("What the home says is changed in the home, reviewed and published; this page shows it.")),
        digest=current.ruleset_digest if current else "", organisation=_organisation(current, words),
        published=tuple(
            Publication(
                at_ms=one.at_ms, by=_by(one, names, words), digest=one.about or str(one.ruleset or ""),
                now=current is not None and current.ruleset_digest in (one.about, one.ruleset),
            )
            for one in read.published
        ),
        kept=_kept(current, words), receivers=_receivers(read, words), told=_told(current, words),
        sign_in=_sign_in(read, words),
        groups=tuple((group, _roles(roles, words)) for group, roles in read.installed.groups),
        installation=(
            (words(N_("Version")), read.installed.version),
            (words(N_("Database")), "PostgreSQL" if read.installed.database == "postgresql" else "SQLite"),
            (words(N_("Address of the console")), read.installed.address),
        ),
        backup_at=backup_at,
        backup_tone="hold" if backup_at is None or words.now_ms - backup_at > STALE_MS else "allow",
        backup_said=_backup(backup_at, words), examined_at=read.examined.at_ms if read.examined else None,
        examined_failed=read.examined.failed if read.examined else "", advice=_advice(read.examined, words),
    )  # fmt: skip


def _organisation(current: Snapshot | None, words: Words) -> Facts:
    if current is None:
        return ()
    ruleset = current.ruleset
    return (
        (words(N_("Organisation")), ruleset.organisation), (words(N_("Time zone")), ruleset.time_zone),
        (words(N_("Currency")), ruleset.currency), (words(N_("Use cases")), words.number(len(ruleset.use_cases))),
        (words(N_("Rules on actions")), words.number(len(ruleset.actions.rules))),
        (words(N_("Limits")), words.number(len(ruleset.actions.limits))),
        (words(N_("Tools")), words.number(len(ruleset.tools))),
        (words(N_("Epoch")), words.number(current.epoch)),
    )  # fmt: skip


def _by(one: RecordedFacts, names: Mapping[str, str], words: Words) -> str:
    if one.actor.kind.value == "person":
        return names.get(one.actor.id, one.actor.id)
    return words(N_("the operator of the machine"))


def _kept(current: Snapshot | None, words: Words) -> tuple[Kept, ...]:
    cases = current.ruleset.use_cases.values() if current else ()
    return tuple(
        Kept(
            id=one.id, name=one.name,
            payload=words.plural("{n} day", "{n} days", one.retention.payload_days),
            minimum=words.plural("{n} day", "{n} days", one.retention.minimum_days)
            if one.retention.minimum_days else words(N_("no minimum")),
        )
        for one in list(cases)[:200]
    )  # fmt: skip


def _receivers(read: SettingsRead, words: Words) -> tuple[ReceiverRow, ...]:
    known = read.snapshot.ruleset.notices.receivers.values() if read.snapshot else ()
    return tuple(
        _receiver(one, [each for each in read.posted if each.notice.receiver == one.id], words) for one in known
    )


def _receiver(one: Receiver, posted: Sequence[Posted], words: Words) -> ReceiverRow:
    newest = {state: max((each for each in posted if each.state is state), key=lambda each: each.notice.at_ms,
                         default=None) for state in NoticeState}  # fmt: skip
    sent, lost, waits = newest[NoticeState.SENT], newest[NoticeState.GIVEN_UP], newest[NoticeState.WAITING]
    sent_at = sent.notice.at_ms if sent else None
    wrong = ""
    if waits is not None and waits.tries and waits.code:
        tone, icon, state = "hold", "clock", words(N_("Tried in vain so far"))
        wrong = waits.code
    elif lost is not None and (sent_at is None or lost.notice.at_ms > sent_at):
        tone, icon, state, wrong = "deny", "x", words(N_("Given up")), lost.code
    elif sent is not None:
        tone, icon, state = "allow", "check", words(N_("Reached"))
    else:
        tone, icon, state = "", "dot", words(N_("Nothing sent yet"))
    only = [*one.use_cases, *one.routes]
    return ReceiverRow(
        id=one.id, kind=words(KINDS[one.kind]),
        events=words.plural("{n} kind of event", "{n} kinds of events", len(one.events)),
        only=", ".join(map(str, only))[:200], detail=words(DETAILS[one.detail]), sent_at=sent_at, tone=tone, icon=icon,
        state=state, wrong=wrong,
    )  # fmt: skip


def _told(current: Snapshot | None, words: Words) -> str:
    if current is None:
        return ""
    given_up = current.ruleset.notices.give_up_after_s
    return words(
        N_("What does not arrive is tried again for {time}, then recorded as given up. A notice names no customer."),
        time=words.lasting(1_000 * given_up),
    )  # fmt: skip


def _sign_in(read: SettingsRead, words: Words) -> Facts:
    one = read.installed
    currency = read.snapshot.ruleset.currency if read.snapshot else ""
    found = [
        (words(N_("A session ends")), words(
            N_("after {idle} without a request, after {most} in any case"), idle=words.lasting(one.idle_ms),
            most=words.lasting(one.most_ms))),
        (words(N_("A second factor")), _roles(one.second_factor, words) or words(N_("nobody needs one"))),
        (words(N_("A fresh proof counts")), words.lasting(one.fresh_ms)),
        (words(N_("Asked for from")), words.money(one.above_minor, currency)
         if one.above_minor is not None and currency else words(N_("no amount"))),
        (words(N_("Provider")),
         f"{one.provider} ({one.issuer})" if one.provider else words(N_("none: local accounts"))),
    ]  # fmt: skip
    if one.provider:
        made = words(N_("made at their first sign-in")) if one.creates else words(N_("added by an admin first"))
        found.append((words(N_("New persons")), made))
    return tuple(found)


def _roles(names: Sequence[str], words: Words) -> str:
    return ", ".join(words(ROLES[Role(name)][0]) if name in set(Role) else name for name in names)


def _backup(at_ms: int | None, words: Words) -> str:
    if at_ms is None:
        return words(N_("No backup is recorded: handrail backup."))
    if words.now_ms - at_ms > STALE_MS:
        return words(N_("The last one is older than a week."))
    return words(N_("The last one is of this week."))


def _advice(examined: Examined | None, words: Words) -> tuple[Advice, ...]:
    found = []
    for one in examined.found if examined else ():
        tone, icon, level = LEVELS.get(one.level, ("", "info", one.level))
        found.append(
            Advice(
                tone=tone, icon=icon, level=words(level), what=one.what[:400], why=one.why[:400], mend=one.mend[:400]
            )
        )
    return tuple(found)
