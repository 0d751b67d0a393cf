"""One text as the detectors read it, with the way back to the characters that were sent.

Folded: NFKC, characters without a glyph, letters of other scripts that stand in for Latin ones, digits of every script,
dashes and quotes, marks over plain letters and digits, URL percent escapes, HTML entities and JSON escapes. Base64 is
opened only by the injection detector (`base64_texts`), never for personal data. Plain text (ASCII, or letters that fold
to themselves) costs one scan and is returned as it is. Raises nothing; what cannot be decoded stays as it was.
"""

import base64
import binascii
import html
import re
import unicodedata
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from handrail.detectors.data.homoglyphs import CYRILLIC, GREEK, OTHER, PUNCTUATION, ZERO_WIDTH


class View(NamedTuple):
    """`text`: what detectors read. `starts[i]`, `ends[i]`: the original characters behind `text[i]`; None = the same
    offsets as the original."""

    text: str
    starts: tuple[int, ...] | None = None
    ends: tuple[int, ...] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original span of `text[start:end]`; `end > start`."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def _one_to_one() -> dict[int, str]:
    """Every character whose folded form differs and is one character long, without the homoglyphs."""
    table: dict[int, str] = {}
    for code in chain(range(0x80, 0x3400), range(0xF900, 0x10000), range(0x1D400, 0x1D800), range(0x1F100, 0x1F200)):
        letter = chr(code)
        if letter.isdigit():
            table[code] = str(unicodedata.digit(letter))
            continue
        folded = unicodedata.normalize("NFKC", letter)
        if len(folded) == 1 and folded != letter:
            table[code] = folded
    for letter, plain in PUNCTUATION.items():
        if len(plain) == 1:
            table[ord(letter)] = plain
    table |= {_TAGS + code: chr(code) for code in range(0x20, 0x7F)}
    return table


_TAGS = 0xE0000
"""Tag characters: ASCII that no screen shows, from here on."""
_PLAIN = re.compile(r"[\x00-\x5f\x61-\x7f\u00a1-\u00a7\u00a9-\u00ac\u00ae\u00b0\u00b1\u00b6\u00bb\u00bf-\u017e]*")
"""Characters that fold to themselves in the languages we serve (the grave accent and the long s are not among them)."""
_ENCODED = re.compile(
    r"%[0-9A-Fa-f]{2}|&(?:[A-Za-z][A-Za-z0-9]{1,30};|#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};?)|"
    r"\\u(?![dD][89A-Fa-f])[0-9A-Fa-f]{4}"
)
_MARKED = re.compile(r"[0-9A-Za-z][\u0300-\u036f\u20d0-\u20f0]")
"""A letter or digit that is struck through, boxed or accented sign by sign."""
_PERCENTS = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ZERO_WIDTH = frozenset(ZERO_WIDTH)
_SHAPES = {
    ord(letter): plain for pair in (CYRILLIC, GREEK, OTHER) for letter, plain in zip(pair[0], pair[1], strict=True)
}
_FOREIGN = re.compile(f"[{''.join(chr(code) for code in _SHAPES)}]")
_SCRIPT_WORD = re.compile(r"[^\W_]+")
_LATIN = re.compile(r"[A-Za-z]")
_OTHER_SCRIPT = re.compile(r"[\u0370-\u03ff\u0400-\u052f]")


_QUOTED = re.compile(
    _PLAIN.pattern[:-2]
    + r"\u2010-\u201f\u2022\u2026\u20ac\u2600-\u2775\u2794-\u27bf\U0001f300-\U0001faff\u00b4\u2212\u00ab]*"
)
"""Plain text with typographic signs and emoji: each sign is folded where it stands."""
_SIGNS = tuple((sign, plain) for sign, plain in PUNCTUATION.items() if len(plain) == 1 and sign > "\u00a0")


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    return _one_to_one()


@lru_cache(maxsize=8)
def normalise(text: str) -> View:
    """The view of `text`. Linear; about 1 us for plain text of a message's length."""
    plain = "`" not in text if text.isascii() else _PLAIN.fullmatch(text) is not None
    if plain and (("%" not in text and "&" not in text and "\\u" not in text) or _ENCODED.search(text) is None):
        return View(text)
    if _ENCODED.search(text) is not None:
        return _shapes(_slow(text))
    if plain:
        return View(text)
    if _QUOTED.fullmatch(text) is not None:
        for sign, mark in _SIGNS:
            if sign in text:
                text = text.replace(sign, mark)
        return View(text)
    return _shapes(_fold(text))


def _fold(text: str) -> View:
    """Non-ASCII text without encodings: one translate when every character keeps its place."""
    folded = text.translate(_table())
    if (
        unicodedata.is_normalized("NFKC", folded)
        and _ZERO_WIDTH.isdisjoint(folded)
        and len(folded) == len(text)
        and _MARKED.search(folded) is None
    ):
        return View(folded)
    return _slow(text)


def _slow(text: str) -> View:
    """Piece by piece: each escape or base character with its marks becomes its folded form, offsets kept."""
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    table = _table()
    for start, end, piece in _pieces(text):
        folded = unicodedata.normalize("NFKC", piece.translate(table)).translate(table)
        letters = [letter for letter in folded if letter not in _ZERO_WIDTH]
        if len(letters) > 1 and _MARKED.match("".join(letters[:2])) is not None:
            del letters[1:]
        out += letters
        starts += [start] * len(letters)
        ends += [end] * len(letters)
    return View("".join(out), tuple(starts), tuple(ends))


_MARKS = frozenset({"Mn", "Me"})
_MOST = 31
"""A letter and its marks, as many as UAX #15 (stream-safe text) lets stand; those behind are dropped, since the time to
put them in order grows with their square."""


def _pieces(text: str) -> list[tuple[int, int, str]]:
    """(start, end, decoded text) in order, covering the whole text."""
    pieces: list[tuple[int, int, str]] = []
    at = 0
    while at < len(text):
        letter = text[at]
        if letter in "%&\\":
            escape = _PERCENTS.match(text, at) if letter == "%" else _ENCODED.match(text, at)
            if escape is not None:
                pieces.extend(_decoded(escape.group(), at))
                at = escape.end()
                continue
        end = at + 1
        while end < len(text) and text[end] > "\u02ff" and unicodedata.category(text[end]) in _MARKS:
            end += 1
        pieces.append((at, end, text[at : min(end, at + _MOST)]))
        at = end
    return pieces


def _decoded(escape: str, at: int) -> list[tuple[int, int, str]]:
    """An HTML entity, a JSON escape, or a run of percent escapes: each decoded character with what it came from."""
    if escape.startswith("\\"):
        return [(at, at + len(escape), chr(int(escape[2:], 16)))]
    if escape.startswith("&"):
        return [(at, at + len(escape), html.unescape(escape))]
    octets = bytes.fromhex(escape.replace("%", ""))
    try:
        decoded = octets.decode("utf-8")
    except UnicodeDecodeError:
        return [(at + i, at + i + 1, letter) for i, letter in enumerate(escape)]
    pieces = []
    for letter in decoded:
        size = 3 * len(letter.encode("utf-8"))
        pieces.append((at, at + size, letter))
        at += size
    return pieces


def _shapes(view: View) -> View:
    """Look-alike letters become Latin: in a word that mixes scripts, and in any word when the text is mostly Latin."""
    text = view.text
    if _FOREIGN.search(text) is None:
        return view
    latin, other = len(_LATIN.findall(text)), len(_OTHER_SCRIPT.findall(text))
    letters = list(text)
    for word in _SCRIPT_WORD.finditer(text):
        piece = word.group()
        if _FOREIGN.search(piece) is None:
            continue
        mixed = _LATIN.search(piece) is not None
        lookalike = all(ord(letter) in _SHAPES for letter in piece if letter > "\u02ff")
        if mixed or (lookalike and latin >= other):
            letters[word.start() : word.end()] = piece.translate(_SHAPES)
    return view._replace(text="".join(letters))


_ACCENTS = {
    code: base
    for code in range(0xC0, 0x180)
    if len(parts := unicodedata.normalize("NFD", chr(code))) == 2 and (base := parts[0]).isascii()
} | {ord(a): b for a, b in zip("łŁøØđĐı", "lLoOdDi", strict=True)}

_BASES = bytes(ord(_ACCENTS.get(code, chr(code))) for code in range(256))
"""`_ACCENTS` of Latin-1."""


def unaccent(text: str) -> str:
    """Lower case without accents, one character for each (people leave them out): `Téléfono` -> `telefono`."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(_lower(letter) for letter in text)
    return without_accents(lower)


def without_accents(text: str) -> str:
    """The text in its own case without accents, one character for each."""
    if text.isascii():
        return text
    try:  # in Latin-1, as most languages here are, one octet for each letter: ten times as fast
        return text.encode("latin-1").translate(_BASES).decode("latin-1")
    except UnicodeEncodeError:
        return text.translate(_ACCENTS)


def _lower(letter: str) -> str:
    lower = letter.lower()
    return lower if len(lower) == 1 else letter


_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,4096}={0,2}(?![A-Za-z0-9+/_=-])")


def base64_texts(text: str, limit: int = 8) -> list[tuple[int, int, str]]:
    """Readable texts hidden as base64 in `text`: (start, end, decoded), at most `limit`; for the injection detector."""
    found: list[tuple[int, int, str]] = []
    for match in _BASE64.finditer(text):
        body = match.group().rstrip("=").replace("-", "+").replace("_", "/")
        if len(body) % 4 == 1 or body.islower() or body.isdigit():
            continue
        try:
            decoded = base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            continue
        if sum(letter.isprintable() or letter in "\r\n\t" for letter in decoded) == len(decoded):
            found.append((match.start(), match.end(), decoded))
            if len(found) == limit:
                break
    return found
