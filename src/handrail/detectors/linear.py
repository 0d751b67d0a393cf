"""A small linear model over words and pairs of words: hashed features, logistic regression, int8 weights.

File: one line of JSON (`bits`, `scale`, `bias`, `threshold`), a line break, then 2**bits signed bytes. The
features of a text are the set of its hashed words and neighbouring pairs; the logit is
bias + scale * sum(weights) / sqrt(features). CRC-32 as the hash: the pair is chained from the first word, so no string
is built; about 0.25 us per word. Trained by `scripts/train`; cards in docs/models. Pure; linear in the text.
"""

import math
import re
from array import array
from dataclasses import dataclass
from importlib.resources import files
from zlib import crc32

import msgspec

_WORD = re.compile(r"[^\W\d_]+|\d+|[?!:<>{}\[\]|*#]")
_REDACTED = re.compile(r"x{2,}")
_NUMBER = b"0"


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
        total = sum([self.weights[i] for i in hashed])
        return 1.0 / (1.0 + math.exp(-self.header.bias - self.header.scale * total / math.sqrt(len(hashed))))


def features(plain: str, bits: int) -> set[int]:
    """Hashed words and pairs of folded text. Numbers are one word; runs of x (redaction) are left out."""
    mask = (1 << bits) - 1
    found = set()
    before = 0
    for word in _WORD.findall(plain):
        if word.isdigit():
            octets = _NUMBER
        elif word[0] == "x" and _REDACTED.fullmatch(word):
            continue
        else:
            octets = word.encode()
        single = crc32(octets)
        found.add(single & mask)
        found.add(crc32(octets, before) & mask)
        before = single
    return found


def load_linear(name: str) -> Linear:
    """The model file `detectors/data/NAME`. Raises ValueError when its length does not fit its header."""
    head, _, body = files("handrail.detectors.data").joinpath(name).read_bytes().partition(b"\n")
    header = msgspec.json.decode(head, type=Header)
    if len(body) != 1 << header.bits:
        raise ValueError(f"{name}: {len(body)} weights, the header says {1 << header.bits}; train it again")
    return Linear(header, array("b", body))
