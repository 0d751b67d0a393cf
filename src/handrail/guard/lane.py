"""One text of a streamed answer while it grows: what may go on, and what was found in it.

Three ways, by the use case's `stream`: `window` (window kinds are cleared with at most 96 characters of delay; the
others are looked for behind it, sentence by sentence, and a late finding that would change the text ends the stream),
`sentence` (a sentence, at most 600 characters, waits until every kind was looked for) and `whole` (everything waits).

Nothing comes out that was not read. `Stop` says that nothing more may come out: a finding blocks, or a reader failed
and the rules do not let that pass marked.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from handrail.detectors.base import Report, Text
from handrail.detectors.mask import Restorer
from handrail.detectors.normalise import unaccent
from handrail.detectors.pii import PersonalDetector
from handrail.detectors.spoken import gate_words
from handrail.detectors.window import Cleared, Window
from handrail.guard.masking import Vault
from handrail.guard.screen import WANTED, Setting
from handrail.guard.turn import ROLE_OF, Channel
from handrail.policy.evaluate import Found, Rules, Side
from handrail.policy.ruleset import FindingAction, Mode, OnFailure, StreamMode
from handrail.terms.clock import Clock
from handrail.terms.finding import NEVER_REST, Finding, Kind, Role

SENTENCE_LIMIT = 600
"""Characters that wait at most in `sentence` mode (decisions.md, streams), and that go at most without a look behind
the window."""

WINDOW_KINDS = PersonalDetector().kinds

_SENTENCE_END = re.compile(r"[.!?…。！？][\"')\]»”]*(?=\s+[^\s\d])|\n(?=\s*[^\s\d])")
_MAY_END = re.compile(r"[.!?…。！？\n]")
_WORD = re.compile(r"[^\W_]+")
_NUMBERS = gate_words()
_BEFORE = 48
"""Characters before an end of a sentence in which the two words before it are looked for."""
_STOPS = frozenset({FindingAction.BLOCK, FindingAction.HANDOVER})


class Stop(Exception):
    """Nothing more may come out."""


class Reader(msgspec.Struct, frozen=True):
    """How the lanes of one stream are read. `setting`: of the answer; its deadline is set anew for each look."""

    setting: Setting
    rules: Rules
    vault: Vault
    values: Mapping[str, str]
    mode: StreamMode
    clock: Clock
    late_s: float


class Lane(Protocol):
    """What `guard.stream` feeds."""

    channel: Channel
    findings: list[Finding]
    failures: dict[str, None]

    @property
    def raw(self) -> str:
        """Everything the model said so far."""
        ...

    def feed(self, text: str) -> str:
        """What may be sent now. Raises Stop."""
        ...

    def finish(self) -> str:
        """The rest. Raises Stop."""
        ...

    def close(self) -> None:
        """No more comes, and nothing comes out. A text that was broken off is read whole, so that what is kept of it
        was read to its last word."""
        ...


class _Base:
    """Reading and deciding, which all lanes share."""

    def __init__(self, channel: Channel, reader: Reader) -> None:
        self.channel = channel
        self.findings: list[Finding] = []
        self.failures: dict[str, None] = {}
        self._role = ROLE_OF[channel]
        self._reader = reader
        self._parts: list[str] = []
        self._read = False  # to its end
        self._restorer = Restorer(reader.values) if reader.values else None

    @property
    def raw(self) -> str:
        return "".join(self._parts)

    def close(self) -> None:
        if self._read:
            return
        self._read = True
        try:
            report = self._look(self.raw, WANTED[Side.OUTPUT, self._role])
        except Stop:
            return  # the failure is kept
        for finding in report.findings:
            if all(finding.end <= known.start or known.end <= finding.start for known in self.findings):
                self.findings.append(finding)
        self.findings.sort(key=lambda finding: finding.start)

    def _look(self, text: str, kinds: frozenset[Kind]) -> Report:
        """One look; a failure is kept, and raised as Stop when the rules refuse it."""
        reader = self._reader
        setting = reader.setting
        given = Text(text, self._role, setting.language, setting.context, setting.links_allowed, setting.canaries)
        try:
            report = setting.screener.screen(given, kinds, reader.clock.monotonic() + reader.late_s)
        except Exception:  # noqa: BLE001  whatever broke, the text counts as not screened
            self._failed("runner:error")
            return Report("", ())
        for failure in report.failures:
            self._failed(f"{failure.detector}:{failure.why}")
        return report

    def _failed(self, what: str) -> None:
        self.failures[what] = None
        use_case = self._reader.rules.use_case
        if use_case.mode is Mode.ENFORCE and use_case.on_detector_failure is OnFailure.REFUSE:
            raise Stop

    def _action(self, finding: Finding) -> FindingAction | None:
        """What the rules do about it in this mode; None = it stays."""
        rules = self._reader.rules
        action = rules.action(Found(finding.kind, Side.OUTPUT, self._role, finding.score))
        if rules.use_case.mode is Mode.OBSERVE:
            return FindingAction.MASK if action is not None and finding.kind in NEVER_REST else None
        return None if action is FindingAction.MARK else action

    def _restored(self, text: str, *, final: bool = False) -> str:
        if self._restorer is None:
            return text
        return self._restorer.feed(text, final)


class WindowLane(_Base):
    """Clears window kinds as the text arrives; looks for the others behind."""

    def __init__(self, channel: Channel, reader: Reader) -> None:
        super().__init__(channel, reader)
        blocking = reader.rules.stopping(Side.OUTPUT, self._role) & WINDOW_KINDS
        self._window = Window(self._change, blocking=blocking, find=self._find)
        self._late = WANTED[Side.OUTPUT, self._role] - WINDOW_KINDS
        self._behind: list[str] = []
        self._behind_at = 0
        self._again = 0  # characters of `behind` that were looked over and are kept for what follows them
        self._searched = 0  # characters of `behind` in which no sentence ends
        self._unread = 0

    def feed(self, text: str) -> str:
        self._parts.append(text)
        self._behind.append(text)
        self._unread += len(text)
        if self._unread >= SENTENCE_LIMIT or _MAY_END.search(text) is not None:
            self._look_behind(final=False)
        prose = self._window.prose(text)
        if prose is not None:
            return prose if self._restorer is None else self._restorer.feed(prose)
        cleared = self._window.look(text)
        if cleared.findings or cleared.blocked is not None or self._restorer is not None:
            return self._sendable(cleared, final=False)
        return cleared.text

    def finish(self) -> str:
        self._look_behind(final=True)
        rest = self._sendable(self._window.feed("", True), final=True)
        self._read = True
        return rest

    def close(self) -> None:
        super().close()
        vars(self).pop("_window", None)  # the two know each other: 20 KB that would wait for the collector

    def _sendable(self, cleared: Cleared, *, final: bool) -> str:
        if cleared.findings:
            self.findings += cleared.findings
        if cleared.blocked is not None:
            raise Stop
        return cleared.text if self._restorer is None else self._restorer.feed(cleared.text, final)

    def _look_behind(self, *, final: bool) -> None:
        """Late kinds, over whole sentences; one that would have changed the text comes too late and ends the stream.
        A text without an end of a sentence is looked over each `SENTENCE_LIMIT` characters, with as many before them,
        so that what lies across is found."""
        text = "".join(self._behind)
        end = keep = len(text)
        if not final:
            end = keep = _last_end(text, self._searched)
            if not end and self._unread >= SENTENCE_LIMIT:
                end, keep = len(text), max(0, len(text) - SENTENCE_LIMIT)
        if not end:
            self._behind, self._searched = [text], _unsure(text)
            return
        known = self.findings if self._again else []
        found = [_moved(finding, self._behind_at) for finding in self._looked(text, end)]
        self.findings += [finding for finding in found if not any(_same(finding, other) for other in known)]
        self._behind, self._behind_at = [text[keep:]], self._behind_at + keep
        self._again, self._unread = end - keep, len(text) - end
        self._searched = max(0, _unsure(text) - keep)
        if any(self._action(finding) is not None for finding in found):
            raise Stop

    def _looked(self, text: str, end: int) -> Sequence[Finding]:
        return self._look(text[:end], self._late).findings if end > self._again else ()

    def _find(self, page: str) -> Sequence[Finding]:
        rules = self._reader.rules
        report = self._look(page, WINDOW_KINDS)
        return [
            finding
            for finding in report.findings
            if rules.action(Found(finding.kind, Side.OUTPUT, self._role, finding.score)) is not None
        ]

    def _change(self, finding: Finding, value: str) -> str | None:
        if self._action(finding) is None:
            return None
        whole = Finding(finding.kind, 0, len(value), finding.score, finding.reason)
        return self._reader.vault.mask(value, [whole], Role.ASSISTANT)


class WaitingLane(_Base):
    """Lets a sentence, or everything, wait until every kind was looked for."""

    def __init__(self, channel: Channel, reader: Reader) -> None:
        super().__init__(channel, reader)
        self._kinds = WANTED[Side.OUTPUT, self._role]
        self._whole = reader.mode is StreamMode.WHOLE
        self._waiting = ""
        self._searched = 0  # characters of `waiting` in which no sentence ends
        self._at = 0

    def feed(self, text: str) -> str:
        self._parts.append(text)
        if self._whole:
            return ""
        self._waiting += text
        out = ""
        while end := self._end():
            out += self._release(end, final=False)
        return out

    def _end(self) -> int:
        """How much may be looked over and go; 0 while a sentence is open."""
        waiting = self._waiting
        end = _last_end(waiting, self._searched)
        if not end and len(waiting) >= SENTENCE_LIMIT:
            end = _forced_end(waiting)
        self._searched = max(0, _unsure(waiting) - end)
        return end

    def finish(self) -> str:
        if self._whole:
            self._waiting = self.raw
        rest = self._release(len(self._waiting), final=True)
        self._read = True
        return rest

    def _release(self, end: int, *, final: bool) -> str:
        text, self._waiting = self._waiting[:end], self._waiting[end:]
        if not text:
            return self._restored("", final=final)
        report = self._look(text, self._kinds)
        self.findings += [_moved(finding, self._at) for finding in report.findings]
        self._at += end
        actions = [(finding, self._action(finding)) for finding in report.findings]
        if any(action in _STOPS for _, action in actions):
            raise Stop
        masks = [finding for finding, action in actions if action is FindingAction.MASK]
        if masks:
            text = self._reader.vault.mask(text, masks, Role.ASSISTANT)
        return self._restored(text, final=final)


def lane_for(channel: Channel, reader: Reader) -> WindowLane | WaitingLane:
    """The lane of a channel under the use case's stream mode."""
    return WindowLane(channel, reader) if reader.mode is StreamMode.WINDOW else WaitingLane(channel, reader)


def _last_end(text: str, start: int = 0) -> int:
    """Behind the last sentence that is certainly complete, looked for from `start` on; 0 when none is."""
    end = 0
    for match in _SENTENCE_END.finditer(text, start):
        if _certain(text, match.start(), match.end()):
            end = match.end()
    return end


def _certain(text: str, at: int, end: int) -> bool:
    """Whether a sentence ends with the sign at `at`, and no value goes on behind it.

    A number may be said over two lines or two short sentences. So a line ends nothing behind a number, a number word or
    a colon, nor before a number; another sign ends nothing between two numbers. Where the next word says which, it must
    have come whole."""
    line = text[at] == "\n"
    before = text[max(0, at - _BEFORE) : at]
    if line and before.rstrip().endswith((":", "：")):
        return False
    number = any(_numeric(word) for word in _WORD.findall(before)[-2:])
    if line and number:
        return False
    if not line and not number:
        return True
    following = _WORD.search(text, end)
    return following is not None and following.end() < len(text) and not _numeric(following.group())


def _numeric(word: str) -> bool:
    return (not word.isalpha() and any(letter.isdigit() for letter in word)) or unaccent(word) in _NUMBERS


def _unsure(text: str) -> int:
    """Where to look for an end again when more has come: before the last word, which may be cut, and its signs."""
    at = len(text)
    while at and text[at - 1].isalnum():
        at -= 1
    while at and not text[at - 1].isalnum():
        at -= 1
    return at


def _forced_end(text: str) -> int:
    """A place to cut a sentence that is too long: between two words that are no numbers, else at the limit."""
    for at in range(SENTENCE_LIMIT - 1, SENTENCE_LIMIT // 2, -1):
        if not text[at].isspace():
            continue
        words = [*_WORD.findall(text[max(0, at - _BEFORE) : at])[-1:], *_WORD.findall(text[at : at + _BEFORE])[:1]]
        if not any(_numeric(word) for word in words):
            return at
    return SENTENCE_LIMIT


def _same(one: Finding, other: Finding) -> bool:
    """What was found in two looks over the same words."""
    return one.kind is other.kind and one.start < other.end and other.start < one.end


def _moved(finding: Finding, by: int) -> Finding:
    return Finding(finding.kind, finding.start + by, finding.end + by, finding.score, finding.reason)
