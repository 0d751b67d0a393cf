"""`handrail doctor`: the likeliest mistakes of an installation, what each means, and how to mend it.

Pure: `app.examine` looks, `diagnose` decides on what was seen. A look that failed is itself an advice; nothing is taken
for good because it could not be seen.
"""

from enum import StrEnum

import msgspec

from handrail.in_force.snapshot import Snapshot
from handrail.people.key import ApiKey
from handrail.policy.ruleset import Durability, Mode, OnFailure

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
LITTLE_DISK = 2 * 1024**3
MANY_UNLINKED = 0.2
BEHIND_MS = 10_000


class Level(StrEnum):
    BROKEN = "broken"  # something does not work
    RISK = "risk"  # it works, and the net has a hole
    NOTE = "note"


class Advice(msgspec.Struct, frozen=True):
    """One thing to do something about. `mend`: a command or an edit."""

    level: Level
    what: str
    why: str
    mend: str


class Seen(msgspec.Struct, kw_only=True):
    """What was looked at; None = could not be seen, and `unseen` then says why."""

    mistakes: int = 0
    unseen: dict[str, str] = msgspec.field(default_factory=dict)
    snapshot: Snapshot | None = None
    unpublished: bool | None = None
    missing_secrets: dict[str, str] = msgspec.field(default_factory=dict)
    unreached: dict[str, str] = msgspec.field(default_factory=dict)
    wide_open: list[str] = msgspec.field(default_factory=list)
    not_ignored: bool = False
    one_holder: bool = False
    witnessed: bool = False
    disk_free: int | None = None
    clock_off_ms: int | None = None
    log_behind_ms: int | None = None
    people: int | None = None
    interactions: int = 0
    unlinked: int = 0
    untold: dict[str, int] = msgspec.field(default_factory=dict)
    mute: dict[str, str] = msgspec.field(default_factory=dict)
    server: str = ""
    restart_for: list[str] = msgspec.field(default_factory=list)
    now_ms: int = 0


def diagnose(seen: Seen) -> list[Advice]:
    """The worst first."""
    found = [*_broken(seen), *_risks(seen), *_notes(seen)]
    return sorted(found, key=lambda advice: list(Level).index(advice.level))


def _broken(seen: Seen) -> list[Advice]:
    found = []
    if seen.mistakes:
        found.append(
            _say(
                Level.BROKEN,
                f"the home has {seen.mistakes} mistake{'' if seen.mistakes == 1 else 's'}",
                "publish refuses it; what was in force stays",
                "handrail check",
            )
        )
    for what, why in seen.unseen.items():
        found.append(
            _say(Level.BROKEN, f"{what} could not be looked at", why, "see the sentence; then run doctor again")
        )
    if "database" not in seen.unseen and seen.snapshot is None:
        found.append(
            _say(Level.BROKEN, "nothing is published", "the gateway refuses every call until then", "handrail publish")
        )
    for provider, why in seen.missing_secrets.items():
        found.append(
            _say(
                Level.BROKEN,
                f"provider {provider} has no key",
                why,
                "set the variable or the file, in the server's environment",
            )
        )
    for provider, why in seen.unreached.items():
        found.append(
            _say(
                Level.BROKEN,
                f"provider {provider} cannot be used",
                why,
                f"providers.{provider} in handrail.yaml: base_url, key_env or key_file; or leave it out: --offline",
            )
        )
    if seen.server:
        found.append(_say(Level.BROKEN, "the server does not answer", seen.server, "handrail serve, or read its log"))
    if seen.disk_free is not None and seen.disk_free < LITTLE_DISK:
        found.append(
            _say(
                Level.BROKEN,
                f"{seen.disk_free // 1024**2} MiB of disk are left",
                "a full disk stops every answer: nothing passes unrecorded",
                "free some, or move data_dir",
            )
        )
    if seen.log_behind_ms is not None and seen.log_behind_ms > BEHIND_MS:
        found.append(
            _say(
                Level.BROKEN,
                f"the log is {seen.log_behind_ms // 1000} s behind the journal",
                "entries are durable, but not under a signed checkpoint",
                "is the jobs process of handrail serve running? read its log",
            )
        )
    if seen.clock_off_ms is not None and abs(seen.clock_off_ms) > 2_000:
        found.append(
            _say(
                Level.BROKEN,
                f"this machine and the database differ by {seen.clock_off_ms} ms",
                "expiry, budgets and records disagree about time",
                "run a time service on both",
            )
        )
    return found


def _risks(seen: Seen) -> list[Advice]:
    found = []
    if seen.wide_open:
        found.append(
            _say(
                Level.RISK,
                f"others on this machine can read {', '.join(seen.wide_open)}",
                "keys open everything recorded",
                "chmod 700 the data folder, 600 the keys",
            )
        )
    if seen.not_ignored:
        found.append(
            _say(
                Level.RISK,
                "the data folder is not in .gitignore",
                "keys and customers' records could be committed",
                "add it to .gitignore beside handrail.yaml",
            )
        )
    if seen.one_holder and not seen.witnessed:
        found.append(
            _say(
                Level.RISK,
                "log key, key-encryption key and database have one holder, and there is no witness",
                "whoever holds this machine can rewrite the record unseen",
                "keep one key elsewhere (keys.kek_env, keys.log_key_file) or have checkpoints cosigned",
            )
        )
    if seen.people == 0:
        found.append(
            _say(
                Level.RISK,
                "no person is registered",
                "anyone on this machine can publish and erase, and the record names only `operator`",
                "handrail person first",
            )
        )
    if seen.interactions and seen.unlinked / seen.interactions > MANY_UNLINKED:
        found.append(
            _say(
                Level.RISK,
                f"{seen.unlinked} of {seen.interactions} recent interactions could not be linked to a conversation",
                "repeat contacts, canaries and erasure work by conversation",
                "send the header x-handrail-conversation",
            )
        )
    for receiver, count in sorted(seen.untold.items()):
        found.append(
            _say(
                Level.RISK,
                f"{count} notices did not reach {receiver} within the last day, or have not yet",
                "people do not hear of what waits for them",
                f"handrail notices test {receiver}; then handrail notices list and retry",
            )
        )
    for receiver, why in sorted(seen.mute.items()):
        found.append(_say(Level.RISK, f"nothing can be sent to {receiver}", why, "set it for the server too"))
    return [*found, *_loose(seen)]


def _loose(seen: Seen) -> list[Advice]:
    """Use cases whose rules let something pass unread or unrecorded, as declared."""
    found = []
    for name, use_case in (seen.snapshot.ruleset.use_cases if seen.snapshot else {}).items():
        if use_case.on_detector_failure is OnFailure.MARK:
            found.append(
                _say(
                    Level.RISK,
                    f"{name}: passes when a detector fails",
                    "on_detector_failure is mark",
                    "refuse, unless the owner accepts it",
                )
            )
        if use_case.on_unreadable_part is OnFailure.MARK:
            found.append(
                _say(
                    Level.NOTE,
                    f"{name}: images, audio and files pass unread",
                    "on_unreadable_part is mark",
                    "refuse, or accept it knowingly",
                )
            )
        if use_case.durability is Durability.RELAXED:
            found.append(
                _say(
                    Level.NOTE,
                    f"{name}: answers may leave before they are recorded",
                    "durability is relaxed: a crash can lose what was queued",
                    "strict",
                )
            )
        if use_case.mode is Mode.OBSERVE:
            found.append(
                _say(
                    Level.NOTE,
                    f"{name}: observes only",
                    "nothing is masked or blocked but data that must never rest",
                    "handrail report, then mode: enforce",
                )
            )
    return found


def _notes(seen: Seen) -> list[Advice]:
    found = []
    if seen.unpublished:
        found.append(
            _say(
                Level.NOTE,
                "the home differs from what is in force",
                "somebody edited and did not publish",
                "handrail publish",
            )
        )
    if seen.snapshot is not None:
        spoken_for = {key.use_case for key in seen.snapshot.keys.values() if key.revoked_at is None}
        for name in sorted(seen.snapshot.ruleset.use_cases.keys() - spoken_for):
            found.append(
                _say(Level.NOTE, f"{name}: no API key", "nobody can call it", f"handrail key create --use-case {name}")
            )
        for key in seen.snapshot.keys.values():
            if key.revoked_at is None and key.expires_at is not None and key.expires_at > seen.now_ms:
                found += _ending(key, key.expires_at - seen.now_ms, seen.snapshot)
    if seen.snapshot is not None:
        for name, kinds in sorted(seen.snapshot.lowered.items()):
            said = ", ".join(f"{kind.value} at {level.value}" for kind, level in sorted(kinds.items()))
            found.append(
                _say(
                    Level.NOTE,
                    f"{name}: autonomy was lowered ({said} at most)",
                    "a trigger or a person did; no publish lifts it",
                    f"handrail autonomy show {name}",
                )
            )
    if seen.restart_for:
        found.append(
            _say(
                Level.NOTE,
                f"the running server was started with another {', '.join(seen.restart_for)}",
                "these fields of handrail.yaml are read at start only",
                "restart handrail serve",
            )
        )
    return found


def _ending(key: ApiKey, left_ms: int, snapshot: Snapshot) -> list[Advice]:
    """A key that ends within two weeks. One that was rotated ends on purpose: its caller needs the new one."""
    lasts = (key.expires_at or 0) - key.created_at
    if left_ms > 14 * DAY_MS or (key.probe and lasts <= 25 * DAY_MS // 24):  # made for one run of trials, or one day
        return []
    newer = [one for one in snapshot.keys.values() if one.lineage == key.lineage and one.created_at > key.created_at]
    good = [one.id for one in newer if one.revoked_at is None]
    left = _span(left_ms)
    if good:
        return [
            _say(
                Level.NOTE,
                f"API key {key.id} was rotated and ends in {left}",
                f"{good[-1]} has taken its place",
                "see that its caller uses the new key by then; nothing else is to be done",
            )
        ]
    what = f"API key {key.id} ends in {left}"
    return [_say(Level.NOTE, what, "its caller is refused from then on", f"handrail key rotate {key.id}")]


def _span(ms: int) -> str:
    """In the unit a person would use."""
    if ms >= 2 * DAY_MS:
        return f"{ms // DAY_MS} days"
    hours, minutes = round(ms / HOUR_MS), ms // MINUTE_MS
    if ms >= HOUR_MS:
        return f"{hours} hour{'' if hours == 1 else 's'}"
    return f"{minutes} minute{'' if minutes == 1 else 's'}" if minutes else "less than a minute"


def _say(level: Level, what: str, why: str, mend: str) -> Advice:
    return Advice(level, what, why, mend)
