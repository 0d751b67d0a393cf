"""A small linear model over words and pairs of words: hashed features, logistic regression, int8 weights.

File: one line of JSON (`bits`, `scale`, `bias`, `threshold`), a line break, then 2**bits signed bytes. The
features of a text are the set of its hashed words and neighbouring pairs; the logit is
bias + scale * sum(weights) / sqrt(features). CRC-32 as the hash: the pair is chained from the first word, so no string
is built; about 0.4 us per word. Trained by `scripts/train`; cards in docs/models. Pure; linear in the text.
"""

import math
import re
from array import array
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from zlib import crc32

import msgspec

DATA = Path(__file__).parent / "data"
_WORD = re.compile(r"[^\W\d_]+|\d+|[?!:<>{}\[\]|*#]")
_NUMBER = b"0"
_NUMBERS = re.compile(rb"[0-9]+")
_DIGITS = b"0123456789"
_SIGNS = b"?!:<>{}[]|*#"
_OTHERS = bytes(code for code in range(256) if code not in _SIGNS + _DIGITS)
_BLANKED = bytes(code if chr(code).isalpha() or code in _SIGNS + _DIGITS else 32 for code in range(128)) + b" " * 128


class Header(msgspec.Struct, frozen=True):
    """The first line of a model file. `threshold`: the probability (0..1) from which the text counts as found."""

    bits: int
    scale: float
    bias: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Linear:
    """A loaded model."""

    header: Header
    weights: "array[int]"

    def probability(self, plain: str) -> float:
        """0..1 for folded text; the share of the bias alone for text without words."""
        hashed = features(plain, self.header.bits)
        if not hashed:
            return 0.0
        total = sum(itemgetter(*hashed, 0)(self.weights)) - self.weights[0]  # two places at least make it a tuple
        return 1.0 / (1.0 + math.exp(-self.header.bias - self.header.scale * total / math.sqrt(len(hashed))))


def features(plain: str, bits: int) -> set[int]:
    """Hashed words and pairs of folded text. Numbers are one word; runs of x (redaction) are left out."""
    mask = (1 << bits) - 1
    words = _words(plain)
    hashed = list(map(crc32, words))
    hashed += map(crc32, words[1:], hashed)
    return {each & mask for each in hashed}


def _words(plain: str) -> list[bytes]:
    """The words and the signs that speak, in order, in UTF-8."""
    if plain.isascii():
        octets = plain.encode()
        rare = octets.translate(None, _OTHERS)
        for sign in set(rare.translate(None, _DIGITS)):
            octets = octets.replace(b"%c" % sign, b" %c " % sign)
        if rare.strip(_SIGNS):
            octets = _NUMBERS.sub(b" %b " % _NUMBER, octets)
        words = octets.translate(_BLANKED).split()
    else:
        words = [_NUMBER if word.isdigit() else word.encode() for word in _WORD.findall(plain)]
    return [word for word in words if word.strip(b"x") or word == b"x"] if "xx" in plain else words


def load_linear(name: str) -> Linear:
    """The model file `detectors/data/NAME`. Raises ValueError when its length does not fit its header."""
    head, _, body = (DATA / name).read_bytes().partition(b"\n")
    header = msgspec.json.decode(head, type=Header)
    if len(body) != 1 << header.bits:
        raise ValueError(f"{name}: {len(body)} weights, the header says {1 << header.bits}; train it again")
    return Linear(header, array("b", body))
