"""The ledger: its signed head, what is weak about its keeping, its entries by kind, and who read what; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from handrail.console.record_ports import Checking
from handrail.console.visitor import Visitor
from handrail.console.words import N_, Words
from handrail.ledger.commitment import RecordedFacts
from handrail.ledger.entry import EntryKind
from handrail.ledger.note import parse_checkpoint, parse_note, parse_verifier_key
from handrail.ledger.read import Shown
from handrail.people.role import Role
from handrail.terms.actor import ActorKind
from handrail.terms.ids import PersonId

MAY_SEE_READERS = frozenset({Role.AUDITOR, Role.COMPLIANCE, Role.OWNER, Role.ADMIN})
MAY_CHECK = frozenset({Role.AUDITOR, Role.COMPLIANCE, Role.OWNER, Role.ADMIN, Role.ENGINEER})
ENTRIES = 50
NEWEST = 50_000
"""Rows whose kinds are counted: a bounded look, whatever the ledger's length."""
AREAS = {
    "payload": N_("Who read what"), "release": N_("Releases"), "action": N_("Actions"), "stop": N_("Stops"),
    "incident": N_("Incidents"), "finding": N_("Words on findings"), "flag": N_("Flags"), "person": N_("Persons"),
    "subject": N_("Erasures"), "ruleset": N_("Rules"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the ports gave. `entries`: newest first. `shown`: one entry that was asked for."""

    head: tuple[bytes | None, bytes | None]
    keys: Sequence[str]
    one_holder: bool
    kinds: Sequence[tuple[str, int, int]]
    entries: Sequence[RecordedFacts]
    names: Mapping[PersonId, str]
    check: Checking
    shown: Shown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weak:
    what: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    id: str
    at_ms: int
    kind: str
    by: str
    about: str
    use_case: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """An entry in full; its facts hold nothing personal."""

    id: str
    kind: str
    at_ms: int
    place: str
    facts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    said: str
    head: tuple[tuple[str, str], ...]
    witnesses: tuple[str, ...]
    warnings: tuple[Weak, ...]
    kinds: tuple[tuple[str, str, int, str], ...]  # kind, number, time of the last, address
    kinds_said: str
    chips: tuple[tuple[str, str, bool], ...]
    kind: str
    lines: tuple[Line, ...]
    cut: str
    one: One | None
    keys: str
    may_check: bool
    runs: bool
    checked: str
    checked_tone: str
    done: int
    size: int
    export: str = 'handrail export ledger.zip\nhandrail verify ledger.zip --key "$(cat log.pub)"'
    verify: str = "handrail verify --payloads"
    log_key: str = "handrail log-key"


def ledger(read: Read, words: Words, visitor: Visitor, *, kind: str, path: str) -> Ledger:
    """`kind`: a kind, or an area such as `payload`; empty: every kind."""
    sees = bool(visitor.roles & MAY_SEE_READERS)
    head, witnesses, size = _head(read, words)
    lines = tuple(_line(one, read.names, words) for one in read.entries)
    check = read.check
    tone, checked = _checked(check, words)
    return Ledger(
        said=words.plural(
            "{n} entry under the signed head: nothing in it can be changed unseen.",
            "{n} entries under the signed head: nothing in it can be changed unseen.", size,
        ) if size else words(N_("Nothing is signed yet. The first head comes about a second after the first entry.")),
        head=head, witnesses=witnesses, warnings=_warnings(read, words),
        kinds=tuple(
            (name, words.number(count), last, f"{path}?kind={name}#entries")
            for name, count, last in read.kinds if sees or not name.startswith("payload.")
        ),
        kinds_said=words(N_("Of the newest {n} entries"), n=words.number(NEWEST)),
        chips=(
            (words(N_("All")), f"{path}#entries", not kind),
            *(
                (words(text), f"{path}?kind={area}#entries", kind == area)
                for area, text in AREAS.items() if sees or area != "payload"
            ),
        ),
        kind=kind, lines=lines,
        cut=words(N_("The newest {n}; handrail log shows more, with times."), n=words.number(ENTRIES))
        if len(lines) == ENTRIES else "",
        one=_one(read.shown, words), keys=" ".join(read.keys), may_check=bool(visitor.roles & MAY_CHECK),
        runs=bool(check.began_ms and not check.ended_ms), checked=checked, checked_tone=tone, done=check.done,
        size=check.size,
    )  # fmt: skip


def kinds_of(name: str) -> tuple[EntryKind, ...]:
    """The kind of this name, or all of this area; none for a name that is neither."""
    return tuple(kind for kind in EntryKind if name and (kind.value == name or kind.value.startswith(f"{name}.")))


def _head(read: Read, words: Words) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...], int]:
    newest, witnessed = read.head
    if newest is None:
        return (), (), 0
    note = parse_note(newest)
    head = parse_checkpoint(note.text)
    names = {parse_verifier_key(key).name for key in read.keys}
    rows = [
        (words(N_("Log")), head.origin), (words(N_("Entries")), words.number(head.size)),
        (words(N_("Root")), head.root.hex()),
        (words(N_("Signed by")), ", ".join(sorted({one.name for one in note.signatures if one.name in names}))),
    ]  # fmt: skip
    seen: list[str] = []
    if witnessed is not None:
        vouched = parse_note(witnessed)
        for one in vouched.signatures:
            if one.name not in names:
                at_ms = int.from_bytes(one.value[:8], "big") * 1000
                seen.append(
                    words(
                        N_("{name} saw {n} entries, {when}"), name=one.name,
                        n=words.number(parse_checkpoint(vouched.text).size), when=words.moment(at_ms),
                    )
                )  # fmt: skip
    return tuple(rows), tuple(seen), head.size


def _warnings(read: Read, words: Words) -> tuple[Weak, ...]:
    found = []
    if read.head[1] is None:
        found.append(
            Weak(
                what=words(
                    N_("Nobody outside has seen this log: if the whole machine were rolled back, nobody would notice.")
                ),
                mend=words(
                    N_("Name witnesses under log: in handrail.yaml, or hand the head to your auditor regularly.")
                ),
            )
        )  # fmt: skip
    if read.one_holder:
        found.append(
            Weak(
                what=words(N_("One machine holds the data and every key: who has it can write a new history.")),
                mend=words(N_("Keep the key-encryption key or the log key elsewhere: keys: in handrail.yaml.")),
            )
        )  # fmt: skip
    return tuple(found)


class _Said(msgspec.Struct, frozen=True):
    """What many kinds say of why."""

    reason: str = ""
    unmasked: bool = False
    mask: str = ""
    title: str = ""
    sentence: str = ""
    word: str = ""
    tool: str = ""
    state: str = ""


def _line(one: RecordedFacts, names: Mapping[PersonId, str], words: Words) -> Line:
    by = names.get(PersonId(one.actor.id), one.actor.id) if one.actor.kind is ActorKind.PERSON else one.actor.id
    try:
        facts = msgspec.json.decode(bytes(one.facts), type=_Said)
        said = [facts.reason, facts.title, facts.sentence, facts.word, facts.tool, facts.state]
        if facts.unmasked:
            said.append(words(N_("one hidden value")) if facts.mask else words(N_("with hidden values")))
    except msgspec.MsgspecError:  # a kind whose members of these names are of other types
        said = []
    return Line(
        id=one.id, at_ms=one.at_ms, kind=one.kind, by=by, about=one.about or one.interaction or "",
        use_case=one.use_case or "", said=" · ".join(each for each in said if each)[:300],
    )  # fmt: skip


def _one(shown: Shown | None, words: Words) -> One | None:
    if shown is None:
        return None
    facts = msgspec.json.format(bytes(shown.facts), indent=2).decode()
    place = words.number(shown.index + 1) if shown.index is not None else words(N_("not in the log yet"))
    return One(
        id=shown.entry, kind=shown.recorded.kind, at_ms=shown.recorded.at_ms, place=place, facts=facts
    )  # fmt: skip


def _checked(check: Checking, words: Words) -> tuple[str, str]:
    if not check.began_ms:
        return "", words(N_("Not checked since the console started."))
    if not check.ended_ms:
        done, all_ = words.number(check.done), words.number(check.size)
        return "canary", words(N_("{done} of {all} entries checked"), done=done, all=all_)
    if check.bad:
        return "deny", check.bad
    return "allow", words(
        N_("All {n} entries are what was signed, and the records beside them fit. {when}"), n=words.number(check.done),
        when=words.moment(check.ended_ms),
    )  # fmt: skip
