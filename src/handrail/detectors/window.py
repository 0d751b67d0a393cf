"""A stream that is cleared while it arrives: text waits only while its tail may still become a finding.

Sans-I/O: `feed` takes what arrived and gives what may be sent. At most `HOLD_BACK` characters wait; at that length an
open candidate is treated as found, and what continues it is swallowed. Plain prose waits for one word. The text that
was sent is never read again, but for the last words before the held ones, which say what a number is called.

When the finder raises, `feed` raises and nothing of what is held has been sent: the caller refuses or marks.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from handrail.detectors.base import HOLD_BACK
from handrail.detectors.data.dates import MONTHS
from handrail.detectors.data.links import AFTER_WORDS
from handrail.detectors.data.numbers import FILLERS
from handrail.detectors.normalise import View, normalise, unaccent
from handrail.detectors.personal import persons
from handrail.detectors.personal.anchors import Label, anchor_words, find_anchors
from handrail.detectors.personal.page import Page
from handrail.detectors.personal.watch import may_open
from handrail.detectors.pii import find_personal
from handrail.detectors.spoken import again_words, article_words, counted_words, digits_view, gate_words, runs
from handrail.terms.finding import Finding, Kind

LEFT = 160
"""Characters already sent that are kept to say what comes: more than any name of a value reaches back."""
_NEAR = 56  # characters of `LEFT` in which the gate looks for an introduction
_VALUE_WAIT = 64  # characters behind "password" in which its value may begin and end
_NAME_WAIT = 17  # characters behind a name that say whether it is one


class Cleared(msgspec.Struct, frozen=True):
    """`text`: to send, changes applied. `findings`: offsets in the whole stream as it arrived. `blocked`: the finding
    that ends the stream; nothing after it comes out."""

    text: str
    findings: tuple[Finding, ...] = ()
    blocked: Finding | None = None


_NOTHING = Cleared(text="")
_NUMBERS = gate_words() | counted_words()
_BETWEEN = FILLERS | again_words() | article_words()
"""What may stand between two number words, or a factor and its number: "zwei mal die vier"."""
_BETWEEN_MOST = 3
_LINKS = (
    frozenset(AFTER_WORDS.split())
    | _BETWEEN
    | frozenset({"of", "and", "de", "del", "den", "do", "d", "or", "oder", "ou"})
    | frozenset({"private", "rsa", "ec", "dsa", "openssh", "encrypted", "pgp"})  # the head of a private key
)
_SAID_LEAST = 7
"""Digits of a number in words that fills the window without an end: read out for somebody to write down."""
_MONTHS = frozenset(MONTHS.split("|"))
_RISKY_SIGN = re.compile(
    r"[\d@]|%[0-9A-Fa-f]{2}|&[#A-Za-z]|-----|[\[({<](?:at|dot|punkt)|[^\x00-\x7f\u00a0-\u017e\u2010-\u201f\u2026\u20ac]"
    r"|[\u00aa\u00b2\u00b3\u00b9\u00ba\u00bc-\u00be\u00ad]"
)
_RISKY_WORD = re.compile(
    r"\W*(?:at|dot|arobas|arobase|arroba|klammeraffe|chiocciola|apenstaartje|malpa|punkt|point|punto|ponto|punt|kropka|"
    r"bearer)\W*|\w{3,}com\W*|couk|\w*(?:gmail|yahoo|hotmail|outlook|icloud|rediff|gmx)\w*\W*"
)
_TOKEN = re.compile(r"\S+")
_LONG = 20  # characters of a token that may be a credential


class Window:
    """One channel of one stream. `change(finding, value)` gives what replaces the value, or None to leave it (a mark);
    kinds in `blocking` end the stream. `find`: the finder of window kinds."""

    __slots__ = ("_base", "_blocked", "_blocking", "_change", "_find", "_held", "_left", "_swallow")

    def __init__(
        self,
        change: Callable[[Finding, str], str | None],
        *,
        blocking: frozenset[Kind] = frozenset(),
        find: Callable[[str], Sequence[Finding]] = find_personal,
    ) -> None:
        self._change = change
        self._blocking = blocking
        self._find = find
        self._left = ""
        self._held = ""
        self._base = 0
        self._blocked: Finding | None = None
        self._swallow: _GoesOn | None = None

    @property
    def held(self) -> int:
        """Characters that wait."""
        return len(self._held)

    def feed(self, text: str, final: bool = False) -> Cleared:
        """What may be sent now that `text` has arrived. After a block: nothing, and the finding again."""
        prose = None if final else self.prose(text)
        return self.look(text, final) if prose is None else Cleared(text=prose)

    def prose(self, text: str) -> str | None:
        """As `feed` where the gate sees nothing that may become a finding, as in nearly all of a stream; else None, and
        nothing is done: `look` goes on."""
        held = self._held + text
        if self._blocked is not None or self._swallow is not None or len(held) >= HOLD_BACK:
            return None
        if may_open(self._left[-_NEAR:] + held):
            return None
        cut = _last_words(held)
        if cut <= 0:
            self._held = held
            return ""
        self._send(held, cut)
        return held[:cut]

    def look(self, text: str, final: bool = False) -> Cleared:
        """As `feed`, where something may become a finding."""
        if self._blocked is not None:
            return Cleared(text="", blocked=self._blocked)
        return self._until_short(self._slow(self._held + text, final))

    def _until_short(self, cleared: Cleared) -> Cleared:
        """Go on until no more than `HOLD_BACK` characters wait: a long piece may hold many values."""
        parts = [cleared]
        while len(self._held) > HOLD_BACK and self._blocked is None:
            before = len(self._held)
            parts.append(self._slow(self._held, final=False))
            if len(self._held) >= before:
                parts.append(self._all())
        if len(parts) == 1:
            return cleared
        return Cleared(
            text="".join(part.text for part in parts),
            findings=tuple(finding for part in parts for finding in part.findings),
            blocked=self._blocked,
        )

    def _all(self) -> Cleared:
        """Everything held, its findings applied: the last resort when nothing moves."""
        page = self._left + self._held
        return self._release(page, len(self._left), len(page), self._held)

    def _send(self, held: str, cut: int) -> None:
        """Move the first `cut` held characters to the left context."""
        left = self._left + held[:cut]
        if len(left) > 2 * LEFT:
            left = _whole_words(left)
        self._left = left
        self._held = held[cut:]
        self._base += cut

    def _slow(self, held: str, final: bool) -> Cleared:
        if self._swallow is not None:
            held = self._swallowed(held, final)
            if not held and not final:
                return _NOTHING
        page = self._left + held
        start = len(self._left)
        if final:
            return self._release(page, start, len(page), held)
        at, settled = _open_from(page, start)
        if len(page) - at > HOLD_BACK:
            return self._force(page, start, at, held)
        if at <= start:
            self._held = held
            return _NOTHING
        if not settled:
            self._send(held, at - start)
            return Cleared(text=held[: at - start])
        return self._release(page, start, at, held)

    def _release(self, page: str, start: int, stop: int, held: str) -> Cleared:
        """Send `page[start:stop]` with its findings applied; one that reaches over `stop` waits."""
        findings = [finding for finding in self._find(page) if finding.end > start]
        for finding in findings:
            if finding.start < stop < finding.end:
                stop = max(finding.start, start)
        return self._apply(page, start, stop, held, [f for f in findings if f.start >= start and f.end <= stop])

    def _apply(self, page: str, start: int, stop: int, held: str, findings: Sequence[Finding]) -> Cleared:
        out: list[str] = []
        told: list[Finding] = []
        at = start
        for finding in findings:
            if finding.start < at:
                continue
            moved = self._moved(finding, start)
            told.append(moved)
            if finding.kind in self._blocking:
                out.append(page[at : finding.start])
                self._blocked = moved
                self._held = ""
                return Cleared(text="".join(out), findings=tuple(told), blocked=moved)
            value = page[finding.start : finding.end]
            other = self._change(moved, value)
            out.append(page[at : finding.start])
            out.append(value if other is None else other)
            at = finding.end
        out.append(page[at:stop])
        self._send(held, stop - start)
        return Cleared(text="".join(out), findings=tuple(told))

    def _moved(self, finding: Finding, start: int) -> Finding:
        shift = self._base - start
        return Finding(
            kind=finding.kind,
            start=finding.start + shift,
            end=finding.end + shift,
            score=finding.score,
            reason=finding.reason,
        )

    def _force(self, page: str, start: int, at: int, held: str) -> Cleared:
        """More than `HOLD_BACK` characters wait: what is open counts as found."""
        findings = [finding for finding in self._find(page) if finding.start >= start]
        stop = len(page)
        for finding in findings:
            if finding.end >= stop - 1 or finding.start >= at:
                onward = _goes_on(finding)
                open_still = finding.end >= stop - 1 or onward.unclear.fullmatch(page, finding.end) is not None
                self._swallow = onward if open_still else None
                finding = _in_whole_words(page, finding)
                before = [earlier for earlier in findings if earlier.end <= finding.start]
                return self._apply(page, start, finding.end, held, [*before, finding])
        said = _said_to_the_end(page[at:])
        if said is not None:
            found = Finding(kind=Kind.CARD, start=at + said, end=stop, score=0.6, reason="hold_back")
            found = _in_whole_words(page, found)
            self._swallow = _number_goes_on()
            return self._apply(page, start, stop, held, [*(one for one in findings if one.end <= found.start), found])
        if _digits(page[at:]) >= 12 and at >= start:
            found = Finding(kind=Kind.CARD, start=at, end=stop, score=0.6, reason="hold_back")
            self._swallow = _number_goes_on()
            before = [earlier for earlier in findings if earlier.end <= at]
            return self._apply(page, start, stop, held, [*before, found])
        keep = _word_start(page, max(start + 1, stop - HOLD_BACK // 2), start)
        return self._release(page, start, keep, held)

    def _swallowed(self, held: str, final: bool) -> str:
        """Drop what continues a value that was already masked; what may still continue it waits."""
        assert self._swallow is not None
        numbers = self._swallow is _number_goes_on()
        low = unaccent(held) if numbers else held  # number words are listed without accents
        match = self._swallow.value.match(low)
        end = match.end() if match is not None else 0
        closed = match is not None and match.lastgroup == "closed"
        if numbers and not final and end == len(held):
            end = _before_cut_word(held, end, 0)
        rest = held[end:]
        waits = self._swallow.unclear.fullmatch(low, end) is not None
        self._base += end
        self._held = rest
        if not final and not closed and waits and len(rest) < HOLD_BACK:
            return ""
        self._swallow = None
        return rest


class _GoesOn(NamedTuple):
    """How a value goes on that was masked already. `unclear`: what may stand at the end of a piece before it is clear
    whether it does."""

    value: re.Pattern[str]
    unclear: re.Pattern[str]


_TOKEN_GOES_ON = _GoesOn(re.compile(r"[A-Za-z0-9+/=_.\-]*"), re.compile(""))
_PEM_GOES_ON = _GoesOn(
    re.compile(r"[A-Za-z0-9+/=\s:,]*(?P<closed>-----END[A-Z0-9 ]*-----)?"), re.compile(r"-{0,5}[A-Z0-9 ]*-{0,5}")
)


@lru_cache(maxsize=1)
def _number_goes_on() -> _GoesOn:
    """Compiled at its first use, 20 ms: a server is ready before it."""
    words = "|".join(sorted(_NUMBERS, key=len, reverse=True))
    between = rf"(?:(?:{'|'.join(sorted(_BETWEEN))})[\s,.\-]+){{0,{_BETWEEN_MOST}}}"
    value = rf"(?:[\s,.\-]*{between}(?:\d+|{words})(?![^\W_]))*(?=[\s,.\-]*[\s,.]|$)|"
    begun = rf"(?:(?:{'|'.join(sorted(_BETWEEN))}|{words})[\s,.\-]+){{0,{_BETWEEN_MOST}}}"
    unclear = rf"[\s,.\-]*{begun}[^\W_]*"
    return _GoesOn(re.compile(value, re.IGNORECASE), re.compile(unclear, re.IGNORECASE))


def warm() -> None:
    """Compile what the first stream would compile."""
    may_open("")
    _number_goes_on()


def _goes_on(finding: Finding) -> _GoesOn:
    if finding.kind is not Kind.SECRET:
        return _number_goes_on()
    return _PEM_GOES_ON if finding.reason == "private_key" else _TOKEN_GOES_ON


def _digits(text: str) -> int:
    view = normalise(text)
    spoken: View = digits_view(view) or view
    return sum(letter.isdigit() for letter in spoken.text)


def _before_cut_word(text: str, end: int, start: int) -> int:
    """Where the word before the one that ends at `end` ends: what is to come may make another word of "ein". `end`
    itself behind a digit or a sign."""
    if end <= start or not text[end - 1].isalpha():
        return end
    while end > start and text[end - 1].isalnum():
        end -= 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    return end


def _in_whole_words(page: str, finding: Finding) -> Finding:
    """A number in words without the last word where the page may cut it: it waits and is swallowed when it is whole."""
    if finding.end < len(page):
        return finding
    end = _before_cut_word(page, finding.end, finding.start)
    word = unaccent(page[end:]).strip(" ,.-\t\n")
    if end in (finding.start, finding.end) or not any(number.startswith(word) for number in _NUMBERS | _BETWEEN):
        return finding
    return Finding(kind=finding.kind, start=finding.start, end=end, score=finding.score, reason=finding.reason)


def _said_to_the_end(text: str) -> int | None:
    """Where a number in words begins that fills the text up to its last words: long before as many digits as a card
    has are read out, since "czterdzieści trzy" is one of eight groups."""
    view = normalise(text)
    read = runs(view)
    if not read or len(read[-1].digits) < _SAID_LEAST:
        return None
    if _number_goes_on().unclear.fullmatch(view.text, read[-1].spans[-1][1]) is None:
        return None
    return view.span(*read[-1].spans[0])[0]


def _last_words(held: str) -> int:
    """Where the last complete word begins; what is before it may go."""
    stop = held.rfind(" ")
    if stop > 0 and "\n" not in held and not held[stop - 1].isspace():  # one blank behind a word, as nearly always
        return held.rfind(" ", 0, stop) + 1
    if "\n" in held:
        held = held.replace("\n", " ")
        stop = held.rfind(" ")
    while stop > 0 and held[stop - 1].isspace():
        stop -= 1
    return held.rfind(" ", 0, stop) + 1 if stop > 0 else 0


def _whole_words(left: str) -> str:
    """The last `LEFT` characters, from the beginning of a word."""
    cut = len(left) - LEFT
    while cut < len(left) and not left[cut - 1].isspace():
        cut += 1
    return left[cut:]


def _word_start(page: str, at: int, start: int) -> int:
    while at > start and not page[at - 1].isspace():
        at -= 1
    return at if at > start else len(page)


class _Word(NamedTuple):
    start: int
    end: int
    low: str
    risky: bool
    number: bool
    stops: bool  # ends a sentence


def _words(page: str, low: str, start: int) -> list[_Word]:
    words: list[_Word] = []
    for match in _TOKEN.finditer(page, start):
        token = low[match.start() : match.end()]
        bare = token.strip(".,;:!?\"'()[]-")
        risky = (
            _RISKY_SIGN.search(match.group()) is not None
            or len(token) >= _LONG
            or _RISKY_WORD.fullmatch(token) is not None
        )
        number = bare in _NUMBERS or ("-" in bare and not _NUMBERS.isdisjoint(bare.split("-")))
        words.append(_Word(match.start(), match.end(), bare, risky, number, token[-1] in "!?."))
    return words


def _open_from(page: str, start: int) -> tuple[int, bool]:
    """(From which character on a finding may still appear, whether one may be complete before it)."""
    low = unaccent(page)
    words = _words(page, low, start)
    complete = len(words) if not words or words[-1].end < len(page) else len(words) - 1
    floor = words[complete - 1].start if complete else start
    number_at, settled = _numbers_open(words, complete, start)
    value_at, found = _values_open(page, low, start, complete, words)
    name_at, named = _names_open(page, low, start)
    return min(floor, number_at, value_at, name_at), settled or found or named


def _numbers_open(words: list[_Word], complete: int, start: int) -> tuple[int, bool]:
    """The first run of digits, signs or number words that two plain words have not closed yet."""
    settled = False
    open_at: int | None = None
    plain = 0
    last = 0
    for index, word in enumerate(words):
        whole = index < complete
        if word.risky or (word.number and (open_at is not None or _paired(words, index, complete))):
            if open_at is None:
                open_at = words[index - 1].start if index else start
            plain, last = 0, word.end
            continue
        if open_at is None or not whole:
            continue
        near = word.start - last <= _NEAR
        if near and (word.low in _LINKS or word.low in _MONTHS or word.low in anchor_words()):
            continue
        plain += 1
        if plain == 2 or not near or word.stops:
            open_at, settled = None, True
    end = 1 << 60
    return (open_at if open_at is not None else end), settled


def _paired(words: list[_Word], index: int, complete: int) -> bool:
    """Whether a number word may open a spoken number: another follows, or may still follow."""
    following = index + 1
    while following < min(len(words), index + 1 + _BETWEEN_MOST) and words[following].low in _BETWEEN:
        following += 1
    if following >= len(words):
        return True
    word = words[following]
    return word.number or word.risky or following >= complete


def _values_open(page: str, low: str, start: int, complete: int, words: list[_Word]) -> tuple[int, bool]:
    """The first place behind "password" or "email" where its value may still begin or go on."""
    settled = False
    for anchor in find_anchors(low):
        if anchor.label not in (Label.PASSWORD, Label.EMAIL) or anchor.end + _VALUE_WAIT + _LONG < start:
            continue
        behind = [word for word in words[:complete] if word.start >= anchor.end]
        if len(page) - anchor.end < _VALUE_WAIT and sum(word.low not in _LINKS for word in behind) < 6:
            return max(start, anchor.end), settled
        settled = True
    return 1 << 60, settled


def _names_open(page: str, low: str, start: int) -> tuple[int, bool]:
    """The first name behind an introduction that may still go on."""
    settled = False
    laid_out = Page(View(page))
    for begin, end in persons.introduced(laid_out):
        if (end or begin) <= start - 1 and end is not None:
            continue
        if end is None:
            if _first_word_open(page, begin):
                return max(begin, start), settled
            continue
        if len(page) < end + _NAME_WAIT or not page[end + 1 : end + _NAME_WAIT].strip().count(" "):
            return max(begin, start), settled
        settled = True
    return 1 << 60, settled


def _first_word_open(page: str, begin: int) -> bool:
    return not any(letter.isspace() for letter in page[begin:])
