"""What the detectors say of a request or an answer, message by message, in the form that a decision is made from.

The texts of one message and channel are read together, fields with their names in front ("cvv: 123"), so that nothing
hides between two parts and a bare number keeps the words that give it its meaning; a user's short message is read with
what the assistant said just before. Results for messages that come again are remembered by a keyed hash under what they
depend on, that question too; new messages are always read. That a reply held data that may never rest is remembered for
its customer without the question, which a client may have cut off when it sends the reply again.

When a detector cannot answer, its failure stands in `Screened.failures` and `policy.evaluate` decides; an exception of
the runner itself counts as the failure of every detector. Nothing here lets a text pass.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import msgspec

from handrail.detectors.base import ASKED, REPLY, Failure, Report, Text
from handrail.guard.turn import ROLE_OF, Channel, Leaf, Message
from handrail.policy.evaluate import Found, Side, Unreadable
from handrail.terms.finding import NEVER_REST, PERSONAL, Finding, Kind, Role


class Screener(Protocol):
    """`detectors.run.Runner`, or any other reader of texts."""

    def screen(self, text: Text, kinds: frozenset[Kind], deadline: float | None = None) -> Report:
        """Findings of the wanted kinds. `deadline`: monotonic seconds. Never raises by intent; a raise counts as the
        failure of every detector."""
        ...


TRIGGERS = frozenset({Kind.COMPLAINT, Kind.LEGAL, Kind.VULNERABILITY, Kind.HUMAN, Kind.LEAVE})
UNSAFE = frozenset({Kind.UNGROUNDED, Kind.LINK, Kind.MARKUP, Kind.PROMPT_LEAK, Kind.DECLINED})

WANTED: dict[tuple[Side, Role], frozenset[Kind]] = {
    (Side.INPUT, Role.USER): PERSONAL | TRIGGERS | {Kind.INJECTION},
    (Side.INPUT, Role.TOOL): PERSONAL | {Kind.INJECTION},
    (Side.INPUT, Role.DOCUMENT): PERSONAL | {Kind.INJECTION},
    (Side.INPUT, Role.ASSISTANT): PERSONAL | {Kind.INJECTION},
    (Side.INPUT, Role.SYSTEM): PERSONAL,  # instructions are its business
    **{(Side.OUTPUT, role): PERSONAL | UNSAFE for role in Role},
}
"""Which kinds are looked for, by side and by who wrote the text."""


class Spot(msgspec.Struct, frozen=True):
    """Where a finding stands: characters `start` to `end` of one leaf (its index) of one message (its index)."""

    message: int
    leaf: int
    start: int
    end: int


class Hit(msgspec.Struct, frozen=True, array_like=True):
    """One finding of a message, with every leaf it touches."""

    finding: Finding
    role: Role
    spots: tuple[tuple[int, int, int], ...]  # leaf index, start, end


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """What the detectors said of one message; holds no text. This is what the memo keeps."""

    hits: tuple[Hit, ...]
    language: str
    failures: tuple[str, ...] = ()


class Screened(msgspec.Struct, frozen=True):
    """All messages of one side. `found[i]` stands at `spots[i]` with `findings[i]`. `failed`: messages that were not
    fully read."""

    found: tuple[Found, ...]
    findings: tuple[Finding, ...]
    spots: tuple[tuple[Spot, ...], ...]
    failures: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    language: str
    failed: frozenset[int]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a reading depends on besides the text. `deadline`: monotonic seconds, for all messages together. `context`:
    what an answer may rely on. `under`: the digests that a remembered reading is valid under. `subject`: whose messages
    they are; for nobody else it is remembered where data that may never rest stood."""

    side: Side
    screener: Screener
    deadline: float | None = None
    language: str | None = None
    links_allowed: tuple[str, ...] = ()
    canaries: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    under: bytes = b""
    subject: str = ""


MAX_UNDER = 1_024
"""Use cases and releases whose hash beginnings are kept."""


_PACK = msgspec.msgpack.Encoder().encode
_UNPACK = msgspec.msgpack.Decoder(Seen).decode


class Memo:
    """Readings by keyed hash, at most `size` twice over: a full half is set aside, and the older half forgotten. One
    with findings is kept packed: 0.3 KB instead of 1.4 (three findings, its place in the table included)."""

    __slots__ = ("_base", "_new", "_old", "_size", "_under", "replies")

    def __init__(self, key: bytes, size: int = 8_192) -> None:
        self._base = hashlib.blake2b(key=key, digest_size=16)
        self._under: dict[bytes, hashlib.blake2b] = {}
        self._size = size
        self._new: dict[bytes, Seen | bytes] = {}
        self._old: dict[bytes, Seen | bytes] = {}
        self.replies = False  # whether a reply with data that may never rest was ever remembered: most never hold one

    def name(self, message: Message, under: bytes, asked: str = "") -> bytes:
        """16 bytes: keyed hash of the message's texts, each with its field's name, which is read with it, of `under`,
        the digests that a reading depends on, and of what was `asked` just before."""
        base = self._under.get(under)
        if base is None:
            if len(self._under) >= MAX_UNDER:
                self._under.clear()
            base = self._under[under] = self._base.copy()
            base.update(under)
        hasher = base.copy()
        for leaf in message.leaves:
            label = _label(leaf) if leaf.channel in _NAMED else ""
            hasher.update(_encode((leaf.channel, leaf.key, leaf.number, label, leaf.text)))
        if asked:
            hasher.update(_encode(asked))
        return hasher.digest()

    def get(self, name: bytes) -> Seen | None:
        kept = self._new.get(name)
        if kept is None:
            kept = self._old.get(name)
            if kept is None:
                return None
            self._keep(name, kept)
        return kept if isinstance(kept, Seen) else _UNPACK(kept)

    def put(self, name: bytes, seen: Seen) -> None:
        self._keep(name, _PACK(seen) if seen.hits else seen)

    def _keep(self, name: bytes, kept: Seen | bytes) -> None:
        if len(self._new) >= self._size:
            self._old = self._new
            self._new = {}
        self._new[name] = kept


def screen(
    messages: Sequence[Message], new: Sequence[bool], setting: Setting, memo: Memo | None = None, new_from: int = 0
) -> Screened:
    """Read every message. `new[i]`: what is found in message i counts as found for the first time. Messages before
    `new_from`, and those of no conversation (prompts, tool definitions), may be taken from the memo; the others are
    always read."""
    side = setting.side
    found: list[Found] = []
    findings: list[Finding] = []
    spots: list[tuple[Spot, ...]] = []
    failures: dict[str, None] = {}
    unreadable: list[Unreadable] = []
    failed: list[int] = []
    language = said = ""
    for place, message in enumerate(messages):
        if message.unreadable:
            unreadable += [Unreadable(part, side, new[place]) for part in message.unreadable]
        if not message.leaves:
            continue
        user = message.role is Role.USER
        asked = said if said and user and _short(message) else ""
        again = place < new_from or (message.history is None and not user)
        seen = read(message, setting, asked) if memo is None else _known(message, setting, memo, asked, again=again)
        if not user:
            said = _said(message) or said
        elif memo is not None and setting.subject and (asked or not said):
            seen = _never_resting(message, seen, setting.subject, memo, asked)
        if user or side is Side.OUTPUT:
            language = seen.language or language
        if seen.failures:
            failures.update(dict.fromkeys(seen.failures))
            failed.append(place)
        for hit in seen.hits:
            found.append(Found(hit.finding.kind, side, hit.role, hit.finding.score, new[place], place))
            findings.append(hit.finding)
            spots.append(tuple([Spot(place, leaf, start, end) for leaf, start, end in hit.spots]))
    if not (found or failures or unreadable):
        return _nothing(language)
    return Screened(
        tuple(found), tuple(findings), tuple(spots), tuple(failures), tuple(unreadable), language, frozenset(failed)
    )


@lru_cache(maxsize=256)
def _nothing(language: str) -> Screened:
    """Of most requests and answers; holds no text."""
    return Screened((), (), (), (), (), language, frozenset())


def _said(message: Message) -> str:
    """The end of what the assistant said in this message, which the next message of the user may answer."""
    for leaf in reversed(message.leaves):
        if leaf.channel is Channel.ASSISTANT:
            return leaf.text[-ASKED:]
    return ""


def _short(message: Message) -> bool:
    return sum([len(leaf.text) for leaf in message.leaves]) <= REPLY


def _known(message: Message, setting: Setting, memo: Memo, asked: str, *, again: bool) -> Seen:
    name = memo.name(message, setting.under, asked)
    seen = memo.get(name) if again else None
    if seen is None:
        seen = read(message, setting, asked)
        if not seen.failures:
            memo.put(name, seen)
    return seen


_REPLIES = b"replies with data that may never rest"


def _never_resting(message: Message, seen: Seen, subject: str, memo: Memo, asked: str) -> Seen:
    """The reading, with the places where this reply held data that may never rest when its question was still there.
    Kept under the reply alone, in the memo and bounded with it: another process, or this one much later, has not seen
    the question (docs/promises, personal data)."""
    if asked:
        hits = tuple([hit for hit in seen.hits if hit.finding.kind in NEVER_REST]) if seen.hits else ()
        if hits:
            memo.put(memo.name(message, _REPLIES, subject), Seen(hits, ""))
            memo.replies = True
        return seen
    kept = memo.get(memo.name(message, _REPLIES, subject)) if memo.replies and _short(message) else None
    if kept is None:
        return seen
    covered = {spot for hit in kept.hits for spot in hit.spots}
    return Seen(
        tuple([hit for hit in seen.hits if not covered.issuperset(hit.spots)]) + kept.hits, seen.language, seen.failures
    )


_NAMED = frozenset({Channel.TOOL_ARGUMENTS, Channel.OTHER})
"""Channels whose texts stand in named fields."""
_encode = msgspec.json.Encoder().encode


def read(message: Message, setting: Setting, asked: str = "") -> Seen:
    """Read one message now. `asked`: what the assistant said just before a message of the user."""
    leaves = message.leaves
    if len(leaves) == 1 and leaves[0].channel not in _NAMED:
        role = ROLE_OF[leaves[0].channel]
        report = _report(leaves[0].text, role, setting, asked)
        if not report.findings and not report.failures:
            return _clean(report.language)
        return Seen(
            tuple([Hit(f, role, ((0, f.start, f.end),)) for f in report.findings]),
            report.language,
            tuple([f"{failure.detector}:{failure.why}" for failure in report.failures]),
        )
    hits: list[Hit] = []
    failures: list[str] = []
    language = ""
    for channel in dict.fromkeys([leaf.channel for leaf in leaves]):
        text, places = _together(leaves, channel)
        report = _report(text, ROLE_OF[channel], setting, asked)
        language = language or report.language
        failures += [f"{failure.detector}:{failure.why}" for failure in report.failures]
        for finding in report.findings:
            touched = tuple(
                (leaf, max(finding.start, start) - start, min(finding.end, end) - start)
                for leaf, start, end in places
                if finding.start < end and finding.end > start
            )
            if touched:
                hits.append(Hit(finding, ROLE_OF[channel], touched))
    return Seen(tuple(hits), language, tuple(dict.fromkeys(failures)))


@lru_cache(maxsize=256)
def _clean(language: str) -> Seen:
    """Nothing found: one value for all such messages, so that the memo stays small."""
    return Seen((), language)


def _together(leaves: Sequence[Leaf], channel: Channel) -> tuple[str, list[tuple[int, int, int]]]:
    """One text of all leaves of a channel, and where each leaf stands in it: index, start, end."""
    parts: list[str] = []
    places: list[tuple[int, int, int]] = []
    at = 0
    for index, leaf in enumerate(leaves):
        if leaf.channel is not channel:
            continue
        label = _label(leaf)
        start = at + len(label)
        end = start + len(leaf.text)
        places.append((index, start, end))
        parts.append(f"{label}{leaf.text}\n")
        at = end + 1
    return "".join(parts)[:-1], places


def _label(leaf: Leaf) -> str:
    """The field's name before its value, where the value stands in a field that somebody named."""
    if leaf.key:
        return ""
    if leaf.channel is Channel.TOOL_ARGUMENTS:
        names = [step for step in leaf.field if isinstance(step, str)]
    elif leaf.channel is Channel.OTHER:
        names = [step for step in leaf.path if isinstance(step, str)]
    else:
        return ""
    return f"{names[-1]}: " if names else ""


def _report(text: str, role: Role, setting: Setting, asked: str) -> Report:
    given = Text(text, role, setting.language, setting.context, setting.links_allowed, setting.canaries, asked)
    try:
        return setting.screener.screen(given, WANTED[setting.side, role], setting.deadline)
    except Exception:  # noqa: BLE001  whatever broke, the text counts as not screened and the ruleset decides
        return Report("", (), (Failure("runner", "error"),))
