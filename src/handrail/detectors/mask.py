"""Masking with tokens that only the value's own audience gets back.

A token is `[KIND_ABCDEFGH]`: the kind, then 8 base32 characters (RFC 4648, A-Z2-7) of HMAC-SHA-256(conversation key,
kind, 0, normalised value). The same value in the same conversation gives the same token; another key gives another.
Kinds that must never rest (`NEVER_REST`) become the constant `[KIND]`, without a token: nothing can bring them back.
Text that already looks like a token is escaped (`[\\KIND_ABCDEFGH]`), never restored. Pure; raises nothing.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256

import msgspec

from handrail.detectors.normalise import normalise
from handrail.detectors.spoken import digits_view
from handrail.terms.finding import NEVER_REST, Finding, Kind

TOKEN_CHARACTERS = 8
_KINDS = "|".join(sorted((kind.value for kind in Kind), key=len, reverse=True))
TOKEN = re.compile(rf"\[(?:{_KINDS})_[A-Z2-7]{{{TOKEN_CHARACTERS}}}\]")
LONGEST_TOKEN = 2 + max(len(kind.value) for kind in Kind) + 1 + TOKEN_CHARACTERS
_DIGIT_KINDS = frozenset({Kind.CARD, Kind.ACCOUNT, Kind.PHONE, Kind.SSN})


class Token(msgspec.Struct, frozen=True):
    """`value` is personal data: sealed before it is stored, never logged."""

    token: str
    kind: Kind
    value: str


class Masked(msgspec.Struct, frozen=True):
    """`tokens`: one each, in order of first appearance; none for kinds that must never rest."""

    text: str
    tokens: tuple[Token, ...]


_SAID_AT = re.compile(r"\s*(?:@|[\[({]at[\])}]|\bat\b)\s*")
_SAID_DOT = re.compile(r"\s*(?:[\[({]dot[\])}]|\bdot\b)\s*")
_MAY_BE_SAID = re.compile(r"\s|at|dot")
_LETTER = re.compile(r"[^\W\d_]")


def normalised(kind: Kind, value: str) -> str:
    """The form two spellings of one value share: `4111-1111` and `4111 1111`, `A@B.de` and `a@b.de`."""
    view = normalise(value)
    if kind in _DIGIT_KINDS or kind is Kind.IBAN:
        if _LETTER.search(view.text) is not None:  # a number without letters was not said in words
            view = digits_view(view) or view
        body = "".join(filter(str.isalnum, view.text)).upper()
        digits = "".join(filter(str.isdigit, body))
        return digits if kind in _DIGIT_KINDS and len(digits) >= 4 else body
    folded = unicodedata.normalize("NFKC", view.text).casefold()
    if kind is Kind.EMAIL and _MAY_BE_SAID.search(folded) is not None:
        folded = _SAID_AT.sub("@", folded, count=1)
        folded = _SAID_DOT.sub(".", folded)
    return " ".join(folded.split())


def token_of(kind: Kind, value: str, key: bytes) -> str:
    """The token of a value under a conversation key (any length, 32 bytes expected)."""
    code = int.from_bytes(hmac_sha256(key, f"{kind}\0{normalised(kind, value)}".encode())[:5], "big")
    pairs = _PAIRS
    return f"[{kind}_{pairs[code >> 30]}{pairs[code >> 20 & 1023]}{pairs[code >> 10 & 1023]}{pairs[code & 1023]}]"


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
"""Ten bits at a time."""
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104, 32 bytes. Two plain hashes: OpenSSL's own takes twice as long for short messages. A request takes
    three."""
    key = (key if len(key) <= 64 else sha256(key).digest()).ljust(64, b"\0")
    return sha256(key.translate(_OUTER) + sha256(key.translate(_INNER) + message).digest()).digest()


def constant_of(kind: Kind) -> str:
    """What stands for a value that must never rest."""
    return f"[{kind.value}]"


def mask(
    text: str,
    findings: Iterable[Finding],
    key: bytes,
    ours: Collection[str] = (),
    made: dict[tuple[Kind, str], str] | None = None,
) -> Masked:
    """The text with every finding replaced; of nested ones the outer, overlapping ones become one span. `ours`: tokens
    of this conversation that may stand in the text as they are, because handrail wrote them there. `made`: tokens made
    under this key before, by kind and value; new ones are added."""
    spans = _outermost(findings)
    if not spans and "[" not in text:
        return Masked(text=text, tokens=())
    out: list[str] = []
    tokens: dict[str, Token] = {}
    made = {} if made is None else made
    at = 0
    for finding in spans:
        out.append(escape(text[at : finding.start], ours))
        out.append(_replace(text, finding, key, tokens, made))
        at = finding.end
    out.append(escape(text[at:], ours))
    return Masked(text="".join(out), tokens=tuple(tokens.values()))


def _replace(
    text: str, finding: "_Span", key: bytes, tokens: dict[str, Token], made: dict[tuple[Kind, str], str]
) -> str:
    if finding.kind in NEVER_REST:
        return constant_of(finding.kind)
    value = text[finding.start : finding.end]
    for start, end, kind in reversed(finding.never_rest):
        value = value[: start - finding.start] + constant_of(kind) + value[end - finding.start :]
    token = made.get((finding.kind, value))
    if token is None:
        token = made[finding.kind, value] = token_of(finding.kind, value, key)
    if token not in tokens:
        tokens[token] = Token(token, finding.kind, value)
    return token


class _Span(msgspec.Struct):
    start: int
    end: int
    kind: Kind
    never_rest: list[tuple[int, int, Kind]]


def _outermost(findings: Iterable[Finding]) -> list[_Span]:
    """Disjoint spans; a span remembers the parts inside it that must not be kept, not even under a token."""
    spans: list[_Span] = []
    given = list(findings)
    if len(given) > 1:
        given.sort(key=lambda finding: (finding.start, -finding.end))
    for finding in given:
        if finding.end <= finding.start:
            continue
        inner = (finding.start, finding.end, finding.kind)
        if spans and finding.start < spans[-1].end:
            span = spans[-1]
            if span.kind in NEVER_REST and finding.end > span.end:
                span.never_rest.append((span.start, span.end, span.kind))
                span.kind = finding.kind
            if finding.kind in NEVER_REST and (finding.start, finding.end) == (span.start, span.end):
                span.kind = finding.kind
            elif finding.kind in NEVER_REST:
                span.never_rest.append(inner)
            span.end = max(span.end, finding.end)
        else:
            spans.append(_Span(start=finding.start, end=finding.end, kind=finding.kind, never_rest=[]))
    return spans


def escape(text: str, ours: Collection[str] = ()) -> str:
    """Text in which nothing looks like a token: `[CARD_ABCDEFGH]` becomes `[\\CARD_ABCDEFGH]`, unless it is ours."""
    if "[" not in text:
        return text
    return TOKEN.sub(lambda match: match.group() if match.group() in ours else "[\\" + match.group()[1:], text)


_LINK_RUN = re.compile(
    r"://|^\W*(?:www\.|mailto:|tel:|sms:|data:|javascript:)|\]\(|(?:href|src|action|url)\s*[=(]|[\w\-]\.[A-Za-z]{2,24}(?::\d+)?[/?#]|^\W*//",
    re.IGNORECASE,
)
_OPEN_TAG = re.compile(r"<[A-Za-z/!?][^<>]*$")
_OPEN_DESTINATION = re.compile(r"\]\(\s*<?[^()\s]*$|^\s{0,3}\[[^\]]*\]:\s*\S*$|url\(\s*[\"']?[^)]*$", re.MULTILINE)
_JOINED = re.compile(r"[./:@?=&%\-_]?[A-Za-z0-9]|[/?=&%]|\]\(")
LEFT = 2_048
"""Characters before a token that say whether it stands in a link or a tag."""
_RIGHT = 2


def restore(text: str, values: Mapping[str, str]) -> str:
    """The text with the tokens of `values` (token to value, those of this audience) put back. A token inside a URL, a
    link's destination or a tag stays a token, and so does one nobody gave a value for."""
    stream = Restorer(values)
    return stream.feed(text, final=True)


def _unsafe(left: str, right: str) -> bool:
    """Whether a token between these texts would put its value into an address or a tag."""
    run = left[max(left.rfind(" "), left.rfind("\n"), left.rfind("\t")) + 1 :]
    if len(run) >= LEFT - 1 or _LINK_RUN.search(run) is not None:
        return True
    if "<" in left and _OPEN_TAG.search(left) is not None:
        return True
    if ("](" in left or "]:" in left or "url(" in left) and _OPEN_DESTINATION.search(left) is not None:
        return True
    return _JOINED.match(right) is not None


class Restorer:
    """`restore` for a stream: a token may be split over any number of pieces. Not shared between streams."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._left = ""
        self._held = ""

    def feed(self, text: str, final: bool = False) -> str:
        """What may be sent now; holds at most one token and two characters."""
        if not self._held and "[" not in text:
            self._left = (self._left + text)[-LEFT:]
            return text
        held = self._held + text
        out: list[str] = []
        at = 0
        while True:
            open_at = held.find("[", at)
            if open_at < 0:
                at = self._pass(held, at, len(held), out)
                break
            at = self._pass(held, at, open_at, out)
            match = TOKEN.match(held, at)
            if match is None:
                if not final and _may_become_token(held[at:]):
                    break
                at = self._pass(held, at, at + 1, out)
                continue
            right = held[match.end() : match.end() + _RIGHT]
            if len(right) < _RIGHT and not final:
                break
            value = self._values.get(match.group())
            if value is not None and not _unsafe(self._left, right):
                out.append(value)
                self._left = (self._left + match.group())[-LEFT:]
                at = match.end()
            else:
                at = self._pass(held, at, match.end(), out)
        self._held = held[at:]
        return "".join(out)

    def _pass(self, held: str, start: int, stop: int, out: list[str]) -> int:
        piece = held[start:stop]
        out.append(piece)
        self._left = (self._left + piece)[-LEFT:]
        return stop


_KIND_NAMES = tuple(kind.value for kind in Kind)


def _may_become_token(tail: str) -> bool:
    """Whether `tail`, which begins with a bracket, is the beginning of a token."""
    if len(tail) >= LONGEST_TOKEN or "]" in tail:
        return False
    body = tail[1:]
    name, sign, code = body.rpartition("_")
    if sign and name in _KIND_NAMES and all(letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" for letter in code):
        return len(code) <= TOKEN_CHARACTERS
    return any(kind.startswith(body) or kind + "_" == body for kind in _KIND_NAMES)
