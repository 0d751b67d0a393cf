"""The small model that weighs the measures of a claim: one curve per measure, added up (a generalised additive model).

Trained by `scripts/train/grounding.py`; card: `docs/models/grounding.md`. A curve is a list of steps, so every score
can be read back to the comparisons that made it. No numpy, no pickle: the weights are JSON.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from typing import Any

from handrail.detectors.grounding_measures import NAMES
from handrail.detectors.grounding_words import data

Curve = tuple[int, tuple[float, ...], tuple[float, ...], float]
"""What one measure adds, in log-odds: its place in `NAMES`, edges, values, and what a measure of 0 gets, as most do. A
measure below `edges[k]` gets `values[k]`, one at or above the last edge gets the last value."""


@dataclass(frozen=True, slots=True)
class Model:
    """The trained weights. `bias` in log-odds."""

    bias: float
    curves: tuple[Curve, ...]

    def probability(self, measures: Sequence[float]) -> float:
        """How probable it is that the context does not carry the claim, 0..1."""
        total = self.bias
        for place, edges, values, at_none in self.curves:
            measured = measures[place]
            total += values[bisect_right(edges, measured)] if measured else at_none
        return 1 / (1 + exp(-max(-30.0, min(30.0, total))))


def model_of(rows: Any) -> Model:
    """A model from its JSON form. Raises ValueError where a curve is not well-formed."""
    curves: list[Curve] = []
    for name, curve in rows["curves"].items():
        if name not in NAMES:
            raise ValueError(f"grounding model: no measure is called {name!r}; train it again")
        if len(curve["values"]) != len(curve["edges"]) + 1:
            raise ValueError(f"grounding model: the curve {name!r} needs one value more than edges; train it again")
        edges, values = tuple(curve["edges"]), tuple(curve["values"])
        curves.append((NAMES.index(name), edges, values, values[bisect_right(edges, 0.0)]))
    return Model(float(rows["bias"]), tuple(curves))


@dataclass(frozen=True, slots=True)
class Models:
    """Two sets of weights. `prose` for encyclopedic and narrative contexts, where answers repeat more than they
    rephrase; `service` for policies and records, where they rephrase and go wrong in a figure, a name or a scope."""

    prose: Model
    service: Model


def models_of(rows: Any) -> Models:
    """Both sets from the JSON of `model.json`. Raises ValueError as `model_of`."""
    return Models(model_of(rows["prose"]), model_of(rows["service"]))


@lru_cache(maxsize=1)
def shipped() -> Models:
    """The weights in the package. Raises ValueError for weights that do not fit this version."""
    return models_of(data("model.json"))
