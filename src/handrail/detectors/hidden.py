"""Text hidden inside text: base64, rot13, leetspeak, spaced letters, tag characters. Opened, never decided, here."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from handrail.detectors.normalise import base64_texts

LEET = str.maketrans("013457@$!|+", "oieastasiit")
ROT13 = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm"
)
_SPACED = re.compile(r"(?:\b[A-Za-z][ .\-_*])(?:[A-Za-z][ .\-_*]{1,3}){6,}[A-Za-z]\b")
_LEET_WORD = re.compile(r"[a-z]+[013457@$!|+]+[a-z013457@$!|+]*[a-z]|(?<!\w)[013457@$!|+][a-z]+[013457@$!|+a-z]*[a-z]")
_BREAK = re.compile(r"[ .\-_*]{2,}")
_JOINTS = re.compile(r"[ .\-_*]")
_TAGS = re.compile("(?<!\U0001f3f4)[\U000e0020-\U000e007e]{4,}")


class Piece(NamedTuple):
    """`text` as it reads once opened; `start`, `end`: where it was hidden, in the folded text; `how`: a stable code."""

    start: int
    end: int
    text: str
    how: str


def opened(original: str, plain: str, present: frozenset[str]) -> Iterator[Piece]:
    """Everything hidden in `plain` (folded) or `original`, for the families that the gate saw. Linear."""
    if "base64" in present:
        for start, end, text in base64_texts(original):
            yield Piece(min(start, len(plain)), min(end, len(plain)), text, "base64")
    if "rot13" in present:
        yield Piece(0, len(plain), plain.translate(ROT13), "rot13")
    if "leet" in present:
        plainer = _LEET_WORD.sub(lambda word: word.group().translate(LEET), plain)
        if plainer != plain:
            yield Piece(0, len(plain), plainer, "leet")
    if "spaced" in present:
        for match in _SPACED.finditer(plain):
            words = [_JOINTS.sub("", word) for word in _BREAK.split(match.group())]
            yield Piece(match.start(), match.end(), " ".join(words), "spaced")
    if not original.isascii():
        for match in _TAGS.finditer(original):
            text = "".join(chr(ord(letter) - 0xE0000) for letter in match.group())
            yield Piece(0, len(plain), text, "tags")
