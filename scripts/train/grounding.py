"""Train the grounding model: one monotone curve per measure, from graded answers. Pure Python, deterministic.

    python scripts/train/grounding.py --packs ../shared/data            writes the weights of the package
    python scripts/train/grounding.py --packs ../shared/data --cross    also cross-validates, grouped by context,
                                                                        and leaves each source out in turn

Trains on part A only. Part B of the pack (a quarter of the contexts, by the SHA-256 of the context) is never seen, nor
is `tests/unit/detectors/grounding_cases.txt`. An ungrounded answer of several sentences teaches through the one
sentence that the model finds most doubtful; every sentence of a grounded one teaches.
"""

import argparse
import json
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from math import exp, log
from pathlib import Path

from handrail.detectors.grounding import settled
from handrail.detectors.grounding_claims import claims
from handrail.detectors.grounding_context import prepare
from handrail.detectors.grounding_measures import NAMES, Alignment, Claim, align, measure
from handrail.detectors.grounding_model import Models, models_of
from handrail.detectors.grounding_words import classes

HERE = Path(__file__).parent
WEIGHTS = HERE.parents[1] / "src/handrail/detectors/data/grounding/model.json"
OWN = HERE / "data/grounding_cases.txt"

RISING, FALLING, FREE = 1, -1, 0
DIRECTIONS = {
    "uncovered_share": RISING, "new_words_share": RISING, "pairs_missing": RISING, "longest_run_share": FALLING,
    "copied_share": FALLING, "best_statement": FALLING, "breaks": RISING, "first": RISING, "opinion": RISING,
    "evaluative": RISING, "second": FREE, "question": RISING, "numbers_missing": RISING, "dates_missing": RISING,
    "amounts_missing": RISING, "names_missing": RISING, "negation": RISING, "opposite": RISING, "universal": RISING,
    "dropped_condition": RISING, "added_condition": RISING, "late_uncovered": RISING, "numbers_carried": FREE,
    "replaced": RISING, "exchanged": RISING, "rivals": RISING, "fully": FALLING, "flaws": RISING,
    "flawed_copy": RISING, "mixed": RISING, "new_edge": FREE, "swapped": RISING, "near_only": RISING,
}  # fmt: skip
"""The measures that train and the way each may push. Left out: lengths of answer and context, which tell the packs
apart rather than right from wrong."""
BINS, PASSES, RATE, RIDGE = 24, 40, 0.25, 8.0
OWN_SHARE = {"prose": 0.05, "service": 0.6}
"""Weight of the project's own customer service answers among all, for each of the two sets of weights."""


@dataclass(frozen=True)
class Answer:
    """One graded answer. `claims`: each claim with its measures and alignment."""

    context: str
    source: str
    wrong: bool
    service: bool
    claims: tuple[tuple[list[float], Claim, Alignment], ...]


def part(context: str) -> str:
    """`A` may train, `B` never does: a quarter of all contexts."""
    return "B" if sha256(context.encode()).digest()[0] < 64 else "A"


def answer_of(context: str, text: str, language: str, source: str, wrong: bool) -> Answer:
    prepared, known = prepare((context,), language), classes(language)
    aligned = ((c, align(c, prepared, known)) for c in claims(text, prepared, language))
    measured = tuple((measure(c, a, prepared, known), c, a) for c, a in aligned)
    return Answer(context, source, wrong, prepared.service, measured)


def pack(folder: Path) -> list[Answer]:
    rows = map(json.loads, (folder / "grounded/answers.jsonl").read_text("utf-8").splitlines())
    return [answer_of(r["context"], r["answer"], "en", r["source"], not r["grounded"]) for r in rows]


def own(path: Path) -> list[Answer]:
    language, context, made = "en", "", []
    for line in path.read_text("utf-8").splitlines():
        head, _, rest = line.partition(" ")
        if head == "@":
            language = rest
        elif head == ">":
            context = rest
        elif head in ("=c", "=p"):
            made.append(answer_of(context, rest, language, "own", False))
        elif head in ("!c", "!p"):
            made.append(answer_of(context, rest.partition(" ")[2], language, "own", True))
    return made


def edges_of(values: list[float]) -> list[float]:
    """At most BINS - 1 cuts between distinct values, about equally many values in each bin."""
    distinct = sorted(set(values))
    if len(distinct) <= BINS:
        return [(a + b) / 2 for a, b in pairwise(distinct)]
    ranked = sorted(values)
    cuts = sorted({ranked[len(ranked) * k // BINS] for k in range(1, BINS)})
    return [c for c in cuts if c > distinct[0]]


def monotone(values: list[float], weights: list[float], way: int) -> list[float]:
    """The nearest curve that only rises (or falls): pool adjacent violators."""
    if way == FREE:
        return values
    blocks: list[list[float]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append([value * way, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            v, w, n = blocks.pop()
            u, x, m = blocks.pop()
            blocks.append([(u * x + v * w) / (x + w), x + w, m + n])
    return [v * way for v, _, n in blocks for _ in range(int(n))]


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-max(-30.0, min(30.0, x))))


def fit(answers: list[Answer]) -> dict[str, object]:
    """Both sets of weights, in the form of `model.json`."""
    return {name: fit_one(answers, share) for name, share in OWN_SHARE.items()}


def fit_one(answers: list[Answer], own_share: float) -> dict[str, object]:
    """One set of weights. Cyclic Newton steps per bin, shrunk; projected to each direction."""
    answers = [a for a in answers if a.claims]
    rows = [(m, index) for index, a in enumerate(answers) for m, _, _ in a.claims]
    wrong = [answers[index].wrong for _, index in rows]
    owned = sum(a.source == "own" for a in answers)
    share = own_share * (len(answers) - owned) / ((1 - own_share) * owned) if 0 < owned < len(answers) else 1.0
    base = [share if answers[index].source == "own" else 1.0 for _, index in rows]
    used = [name for name in DIRECTIONS if len({m[NAMES.index(name)] for m, _ in rows}) > 1]
    edges = {name: edges_of([m[NAMES.index(name)] for m, _ in rows]) for name in used}
    bins = {name: [bisect_right(edges[name], m[NAMES.index(name)]) for m, _ in rows] for name in used}
    curves = {name: [0.0] * (len(edges[name]) + 1) for name in used}
    weight = [b / (len(answers[index].claims) if w else 1) for b, w, (_, index) in zip(base, wrong, rows, strict=True)]
    mass = sum(weight)
    positive = sum(w for w, y in zip(weight, wrong, strict=True) if y)
    bias = log(positive / (mass - positive))
    total = [bias] * len(rows)
    for turn in range(PASSES):
        if turn and turn % 5 == 0:
            weight = doubtful(rows, wrong, total, base)
        for name in used:
            step(curves[name], bins[name], total, wrong, weight, DIRECTIONS[name])
        shift = newton(total, wrong, weight)
        bias += shift
        total = [t + shift for t in total]
    return {
        "bias": round(bias, 5),
        "curves": {
            n: {"edges": [round(e, 5) for e in edges[n]], "values": [round(v, 5) for v in curves[n]]} for n in used
        },
    }


def doubtful(
    rows: list[tuple[list[float], int]], wrong: list[bool], total: list[float], base: list[float]
) -> list[float]:
    """Weights for the next passes: of an ungrounded answer only the claim with the highest score counts."""
    top: dict[int, int] = {}
    for place, (_, index) in enumerate(rows):
        if index not in top or total[place] > total[top[index]]:
            top[index] = place
    return [
        b if not w or top[index] == place else 0.0
        for place, (b, w, (_, index)) in enumerate(zip(base, wrong, rows, strict=True))
    ]


def step(
    curve: list[float], bins: list[int], total: list[float], wrong: list[bool], weight: list[float], way: int
) -> None:
    slope, bend = [0.0] * len(curve), [RIDGE] * len(curve)
    for place, b in enumerate(bins):
        w = weight[place]
        if w:
            p = sigmoid(total[place])
            slope[b] += w * (wrong[place] - p)
            bend[b] += w * p * (1 - p)
    moved = monotone([c + RATE * s / h for c, s, h in zip(curve, slope, bend, strict=True)], bend, way)
    change = [new - old for new, old in zip(moved, curve, strict=True)]
    curve[:] = moved
    for place, b in enumerate(bins):
        total[place] += change[b]


def newton(total: list[float], wrong: list[bool], weight: list[float]) -> float:
    slope = bend = 0.0
    for t, y, w in zip(total, wrong, weight, strict=True):
        p = sigmoid(t)
        slope += w * (y - p)
        bend += w * p * (1 - p)
    return slope / (bend + 1)


def score(models: Models, answer: Answer) -> float:
    model = models.service if answer.service else models.prose
    return max((settled(claim, aligned, model.probability(m)) for m, claim, aligned in answer.claims), default=0.0)


def auc(scored: Iterable[tuple[float, bool]]) -> float:
    """Area under the ROC curve, ties counted half."""
    ranked = sorted(scored)
    positives = sum(y for _, y in ranked)
    below = area = 0.0
    place = 0
    while place < len(ranked):
        end = place
        while end < len(ranked) and ranked[end][0] == ranked[place][0]:
            end += 1
        here = sum(y for _, y in ranked[place:end])
        area += here * (below + (end - place - here) / 2)
        below += end - place - here
        place = end
    return area / (positives * (len(ranked) - positives))


def told(name: str, answers: list[Answer], scores: list[float]) -> str:
    said = [f"{name}: AUC {auc(zip(scores, [a.wrong for a in answers], strict=True)):.4f} on {len(answers)}"]
    for source in sorted({a.source for a in answers}):
        held = [(s, a.wrong) for s, a in zip(scores, answers, strict=True) if a.source == source]
        if 0 < sum(y for _, y in held) < len(held):
            said.append(f"{source} {auc(held):.3f}")
    return ", ".join(said)


def cross(answers: list[Answer], mine: list[Answer]) -> None:
    scores = [0.0] * len(answers)
    for fold in range(5):
        inside = [sha256(a.context.encode()).digest()[1] % 5 != fold for a in answers]
        model = models_of(fit([a for a, i in zip(answers, inside, strict=True) if i] + mine))
        for place, (a, i) in enumerate(zip(answers, inside, strict=True)):
            if not i:
                scores[place] = score(model, a)
    print(told("5-fold, grouped by context", answers, scores), flush=True)
    for source in sorted({a.source for a in answers}):
        model = models_of(fit([a for a in answers if a.source != source] + mine))
        held = [a for a in answers if a.source == source]
        print(told(f"without {source}", held, [score(model, a) for a in held]), flush=True)
    scores = [0.0] * len(mine)
    for fold in range(5):
        inside = [sha256(a.context.encode()).digest()[1] % 5 != fold for a in mine]
        model = models_of(fit(answers + [a for a, i in zip(mine, inside, strict=True) if i]))
        scores = [s if i else score(model, a) for s, a, i in zip(scores, mine, inside, strict=True)]
    print(told("own, 5-fold, grouped by context", mine, scores))
    for threshold in (0.4, 0.5, 0.6, 0.7):
        flagged = [a.wrong for s, a in zip(scores, mine, strict=True) if s >= threshold]
        share = sum(flagged) / sum(a.wrong for a in mine)
        print(f"  at {threshold}: precision {sum(flagged) / len(flagged):.3f}, recall {share:.3f}")
    model = models_of(fit(answers))
    print(told("packs only, on own answers", mine, [score(model, a) for a in mine]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packs", type=Path, default=HERE.parents[2] / "shared/data")
    parser.add_argument("--cross", action="store_true")
    arguments = parser.parse_args()
    answers, mine = pack(arguments.packs), own(OWN)
    train = [a for a in answers if part(a.context) == "A"]
    held = [a for a in answers if part(a.context) == "B"]
    print(
        f"read as service text: {sum(a.service for a in answers)} of the packs, "
        f"{sum(a.service for a in mine)} of {len(mine)} own"
    )
    weights = fit(train + mine)
    model = models_of(weights)
    print(told("part A (trained on)", train, [score(model, a) for a in train]))
    print(told("part B (never seen)", held, [score(model, a) for a in held]))
    print(told("own (trained on)", mine, [score(model, a) for a in mine]))
    WEIGHTS.write_text(
        json.dumps({"source": "scripts/train/grounding.py; card: docs/models/grounding.md", **weights}, indent=1) + "\n"
    )
    print(f"wrote {WEIGHTS.relative_to(HERE.parents[1])}, {WEIGHTS.stat().st_size} bytes")
    if arguments.cross:
        cross(answers, mine)


if __name__ == "__main__":
    main()
