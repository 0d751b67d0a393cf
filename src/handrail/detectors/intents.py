"""What a customer wants, of the intents that a home declares with a handful of examples each; pure and deterministic.

Nearest centroid over words, their first letters and pairs of words, weighed by how few intents use them (tf-idf; Salton
and Buckley 1988; Rocchio 1971). The examples are all it knows: no model file, no dependency, the same answer anywhere.
Below `sure` it says `OTHER`. It names, it never decides: the name stands in the facts of the entry and is counted.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from handrail.detectors.normalise import unaccent

OTHER = "other"
LONGEST = 240
"""Characters that are read: an opening says what it is about early, and this bounds the cost."""
MOST_WORDS = 18
MOST_WEIGHTS = 4
"""Intents that one word or pair of words can speak for."""
STEM = 5
"""Letters by which forms of one word meet."""
COMMON = 1 / 3
"""Of the intents; what more of them use says nothing."""
FOLDS = 5
LEFT_OUT = 0.1
"""Of the declared examples that may fall to `OTHER` where the others alone are known: sets the computed `sure`."""

LEAST_SURE = 0.25
"""Computed from a handful of examples that share no word, `sure` would be 0 and everything near to something."""

_WORD = re.compile(r"[^\W\d_]+")
_MASKED = re.compile(r"\[\\?[A-Z_]+(?:_[A-Z2-7]{8})?\]")
_ASCII = {code: " " for code in range(128) if not chr(code).isalpha()}
_Weights = dict[str, tuple[tuple[int, float], ...]]


class Intents(msgspec.Struct, frozen=True, kw_only=True):
    """Made by `learn`. `words`, `stems` (of words that no example has), `pairs`: weights by intent, its place in
    `names`."""

    names: tuple[str, ...]
    words: _Weights
    stems: _Weights
    pairs: _Weights
    sure: float

    def of(self, text: str) -> str:
        """The intent of a masked text; `OTHER` where none is near enough; empty where there is no word."""
        best, near = self.nearest(text)
        if best < 0:
            return ""
        return self.names[best] if near > 0 and near >= self.sure else OTHER

    def nearest(self, text: str) -> tuple[int, float]:
        """The place of the nearest intent and how near it is, 0 and more; -1 without a word."""
        words = words_of(text)
        if not words:
            return -1, 0.0
        scores = [0.0] * len(self.names)
        known, stems, pairs = self.words, self.stems, self.pairs
        for word in dict.fromkeys(words):
            for at, weight in known[word] if word in known else stems.get(word[:STEM], ()):
                scores[at] += weight
        for pair in map(" ".join, pairwise(words)):
            if pair in pairs:
                for at, weight in pairs[pair]:
                    scores[at] += weight
        near = max(scores)
        return scores.index(near), near / math.sqrt(len(words))


def words_of(text: str) -> list[str]:
    """Lower case without accents, what is masked left out, at most `MOST_WORDS`."""
    cut = text[:LONGEST]
    if "[" in cut:
        cut = _MASKED.sub(" ", cut)
    plain = unaccent(cut)
    words = plain.translate(_ASCII).split() if plain.isascii() else _WORD.findall(plain)
    return words[:MOST_WORDS]


def learn(examples: Mapping[str, Sequence[str]], sure: float | None = None) -> Intents:
    """Of the declared examples by intent. `sure`: as declared; left out, `computed`."""
    made = _made(examples)
    return msgspec.structs.replace(made, sure=computed(examples) if sure is None else sure)


def computed(examples: Mapping[str, Sequence[str]]) -> float:
    """The nearness that all but `LEFT_OUT` of the examples reach when a fifth of them is not known, rounded. Intents
    with fewer than two examples set nothing; `LEAST_SURE` where that would be less."""
    near: list[float] = []
    for fold in range(FOLDS):
        kept = {name: [one for at, one in enumerate(given) if at % FOLDS != fold] for name, given in examples.items()}
        made = _made(kept)
        for name, given in examples.items():
            if kept[name]:
                near += [made.nearest(one)[1] for one in given[fold::FOLDS]]
    near.sort()
    return max(round(near[int(LEFT_OUT * len(near))], 4) if near else 0.0, LEAST_SURE)


def right(examples: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, str]]:
    """How many examples of each intent are named by it when a fifth of all is not known, and what the others are taken
    for most often (empty: nothing)."""
    found: dict[str, Counter[str]] = {name: Counter() for name in examples}
    for fold in range(FOLDS):
        kept = {name: [one for at, one in enumerate(given) if at % FOLDS != fold] for name, given in examples.items()}
        made = _made(kept)
        for name, given in examples.items():
            for one in given[fold::FOLDS]:
                best, near = made.nearest(one)
                found[name][made.names[best] if best >= 0 and near > 0 else OTHER] += 1
    return {
        name: (counted[name], next((other for other, _ in counted.most_common() if other != name), ""))
        for name, counted in found.items()
    }


def _made(examples: Mapping[str, Sequence[str]]) -> Intents:
    names = tuple(sorted(examples))
    used = [Counter(feature for one in examples[name] for feature in _features(one)) for name in names]
    spread = Counter(feature for each in used for feature in each)
    most = max(2, COMMON * len(names))
    weights: dict[str, list[tuple[int, float]]] = {}
    for at, each in enumerate(used):
        rare = {feature: math.log(1 + len(names) / spread[feature]) for feature in each if spread[feature] <= most}
        length = math.sqrt(sum(each[feature] * weight**2 for feature, weight in rare.items())) or 1.0
        for feature in sorted(rare):
            weight = math.sqrt(each[feature]) * rare[feature] ** 2 / length
            weights.setdefault(feature, []).append((at, round(weight, 6)))
    stems = {name[1:]: _cut(given) for name, given in weights.items() if name[0] == "#"}
    pairs = {name: _cut(given) for name, given in weights.items() if " " in name}
    own = {name: given for name, given in weights.items() if name[0] != "#" and " " not in name}
    known = {word for each in used for word in each if word[0] != "#" and " " not in word}
    return Intents(
        names=names, words={word: _joined(own.get(word, ()), stems.get(word[:STEM], ())) for word in sorted(known)},
        stems=stems, pairs=pairs, sure=0.0,
    )  # fmt: skip


def _features(text: str) -> set[str]:
    words = words_of(text)
    return {*words, *(f"#{word[:STEM]}" for word in words), *(f"{one} {two}" for one, two in pairwise(words))}


def _joined(one: Iterable[tuple[int, float]], two: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """A known word brings the weights of its stem too, added up once."""
    total: dict[int, float] = {}
    for at, weight in (*one, *two):
        total[at] = total.get(at, 0.0) + weight
    return _cut(total.items())


def _cut(weights: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """The `MOST_WEIGHTS` that say most: bounds what one word costs."""
    return tuple(sorted(sorted(weights, key=lambda one: (-one[1], one[0]))[:MOST_WEIGHTS]))
