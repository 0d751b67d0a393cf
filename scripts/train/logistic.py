"""Logistic regression over hashed features by plain SGD in a fixed order: the same rows give the same file."""

import json
import math
from array import array
from collections.abc import Sequence
from pathlib import Path
from random import Random

from handrail.detectors.linear import Header, Linear, features

BITS = 15
EPOCHS = 8
RATE = 0.6
DECAY = 2e-5


class Row:
    """A text with its label, weight and the group by which it is held out (suite, family, source)."""

    def __init__(self, plain: str, label: int, group: str, weight: float = 1.0) -> None:
        self.hashed = sorted(features(plain, BITS))
        self.label, self.group, self.weight, self.plain = label, group, weight, plain


def train(rows: Sequence[Row], *, seed: int = 7) -> tuple[list[float], float]:
    """Weights and bias. L2 by decay at each touch; the classes weigh the same in total."""
    weights = [0.0] * (1 << BITS)
    bias = 0.0
    total = {label: sum(row.weight for row in rows if row.label == label) for label in (0, 1)}
    balance = {label: (total[0] + total[1]) / (2 * max(total[label], 1.0)) for label in (0, 1)}
    order = list(range(len(rows)))
    shuffle = Random(seed)
    for epoch in range(EPOCHS):
        shuffle.shuffle(order)
        rate = RATE / (1 + epoch)
        for i in order:
            row = rows[i]
            if not row.hashed:
                continue
            norm = 1 / math.sqrt(len(row.hashed))
            logit = bias + norm * sum([weights[h] for h in row.hashed])
            miss = row.label - 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))
            step = rate * miss * row.weight * min(balance[row.label], 8.0)
            for h in row.hashed:
                weights[h] += step * norm - DECAY * rate * weights[h]
            bias += 0.1 * step
    return weights, bias


def quantise(weights: Sequence[float]) -> tuple[bytes, float]:
    """Signed bytes and the scale that brings them back."""
    scale = max(abs(w) for w in weights) / 127 or 1.0
    return bytes((round(w / scale)) & 0xFF for w in weights), scale


def probability(row: Row, weights: Sequence[float], bias: float) -> float:
    if not row.hashed:
        return 0.0
    logit = bias + sum([weights[h] for h in row.hashed]) / math.sqrt(len(row.hashed))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def write(path: Path, weights: Sequence[float], bias: float, threshold: float) -> None:
    body, scale = quantise(weights)
    head = {"bits": BITS, "scale": round(scale, 9), "bias": round(bias, 6), "threshold": threshold}
    path.write_bytes(json.dumps(head).encode() + b"\n" + body)


def as_linear(weights: Sequence[float], bias: float, threshold: float) -> Linear:
    """The model as the detector would load it."""
    body, scale = quantise(weights)
    return Linear(Header(BITS, scale, bias, threshold), array("b", body))


def held_out(rows: Sequence[Row], fold_of: dict[str, int], folds: int) -> list[tuple[Row, float]]:
    """Each row's probability by a model that saw no row of its fold (whole groups stand in one fold)."""
    scored: list[tuple[Row, float]] = []
    for fold in range(folds):
        weights, bias = train([row for row in rows if fold_of[row.group] != fold])
        scored += [(row, probability(row, weights, bias)) for row in rows if fold_of[row.group] == fold]
    return scored


def report(name: str, scored: Sequence[tuple[Row, float]], thresholds: Sequence[float]) -> None:
    """Found and false shares per threshold, then found share per group."""
    positives = [(r, p) for r, p in scored if r.label == 1]
    negatives = [(r, p) for r, p in scored if r.label == 0]
    print(f"{name}: held-out, {len(positives)} positive, {len(negatives)} negative")
    for threshold in thresholds:
        found = sum(p >= threshold for _, p in positives) / len(positives)
        wrong = sum(p >= threshold for _, p in negatives) / len(negatives)
        print(f"  at {threshold:.2f}: found {found:.2%}, false {wrong:.3%}")
