"""Label betting: how much to bet that an outcome tells which version a customer got; pure.

Each randomised unit is canary with a known probability, its share. If the canary is not worse, knowing the outcome does
not help to guess the label, and every bet below loses on average, whatever time of day, drift or the provider do to
both arms: its factor has mean at most 1. Five sizes of bet stand for five sizes of harm. Source: the statistics
of rollback of the design, formulae (1) to (4), where the grid was measured.
"""

import math
from collections.abc import Callable
from enum import StrEnum

import msgspec

from handrail.policy.ramp import Bets

SHIFTS = (0.05, 0.10, 0.20, 0.40, 0.80)
"""Sizes of harm, in standard deviations of the outcome."""
MONEY = (0.15, 0.25, 0.30, 0.20, 0.10)
"""What is put on each; sums to 1."""
MONEY_FOR = {Bets.ANY: MONEY, Bets.LARGE: (0.02, 0.03, 0.05, 0.40, 0.50)}
"""The same, for what was declared before launch. Each factor has mean at most 1 for a release that is not worse, so any
weighted mean of the five has, whatever the weights, as long as they were fixed before the first unit: they cost or win
time, never validity. The bet that turns out right has `log(1 / its weight)` to make good first."""
BELOW = (0.5, 0.6, 0.7, 0.8, 0.9)
"""For promotion: relative risks below the margin, bet on with equal money."""
KEPT = 0.1
"""No factor is smaller, so one outcome never takes everything."""
SCALE = float(1 << 36)
"""Logarithms of factors of scores are kept as whole multiples of 1 / SCALE: sums of them are exact, in any order."""


class Kind(StrEnum):
    BINARY = "binary"  # 0 good, 1 bad
    SCORE = "score"  # 0 good to 1 bad


class Reference(msgspec.Struct, frozen=True):
    """What the bets expect of the outcome: mean and standard deviation, fixed before the units they are used on. Wrong
    values cost speed, never validity."""

    kind: Kind
    mean: float
    sd: float


def binary(mean: float) -> Reference:
    """Reference of a rate. It is kept off 0 and 1, where nothing could be bet."""
    held = min(max(mean, 1e-6), 0.9)
    return Reference(Kind.BINARY, held, math.sqrt(held * (1 - held)))


def score(mean: float, sd: float) -> Reference:
    return Reference(Kind.SCORE, min(max(mean, 1e-3), 1 - 1e-3), max(sd, 1e-3))


def risks(mean: float) -> tuple[float, ...]:
    """Relative risks that the five shifts mean for a rate."""
    return tuple(1 + shift * math.sqrt((1 - mean) / mean) for shift in SHIFTS)


def sizes(reference: Reference, share: float) -> tuple[float, ...]:
    """The five lambdas of `1 + lambda (A - share) (Y - mean)`. A binary one is log-optimal at its relative risk."""
    mean = reference.mean
    if reference.kind is Kind.BINARY:
        most = (1 - KEPT) / ((1 - share) * mean)
        leans = (risk / (1 + share * (risk - 1)) for risk in risks(mean))
        return tuple(min((lean - 1) / ((1 - share) * (1 - mean)), most) for lean in leans)
    most = (1 - KEPT) / max((1 - share) * mean, share * (1 - mean))
    return tuple(min(shift / reference.sd, most) for shift in SHIFTS)


class Cells(msgspec.Struct, frozen=True):
    """Logarithm of the factor per bet, for the four things a unit with a binary outcome can be."""

    canary_bad: tuple[float, ...]
    control_bad: tuple[float, ...]
    canary_good: tuple[float, ...]
    control_good: tuple[float, ...]


def cells(reference: Reference, share: float) -> Cells:
    bets, mean = sizes(reference, share), reference.mean
    return Cells(
        canary_bad=tuple(math.log1p(bet * (1 - share) * (1 - mean)) for bet in bets),
        control_bad=tuple(math.log1p(-bet * share * (1 - mean)) for bet in bets),
        canary_good=tuple(math.log1p(-bet * (1 - share) * mean) for bet in bets),
        control_good=tuple(math.log1p(bet * share * mean) for bet in bets),
    )


def lean(reference: Reference, share: float, canary: bool, outcome: float) -> tuple[int, ...]:
    """One score's logarithms, in multiples of 1 / SCALE."""
    moved = ((1.0 if canary else 0.0) - share) * (outcome - reference.mean)
    return tuple(round(math.log1p(bet * moved) * SCALE) for bet in sizes(reference, share))


def mixed(logs: tuple[float, ...] | list[float], money: tuple[float, ...] = MONEY) -> float:
    """Logarithm of the money's weighted mean of what is given as logarithms."""
    most = max(logs)
    return most + math.log(sum(part * math.exp(one - most) for part, one in zip(money, logs, strict=True)))


def failures_only(
    canary: int, stages: tuple[tuple[float, int], ...], risks_: tuple[float, ...], margin: float
) -> list[float]:
    """Formula (4), per relative risk: logarithms for H0 `canary at most margin times as often`, from failures alone.
    `canary`: its failures over all stages; `stages`: share and failures of both arms, for each. With risks below 1 they
    are bets against H0 `at least margin times as often`."""
    return [
        canary * math.log(risk)
        - sum(
            failures * math.log((1 + share * (margin * risk - 1)) / (1 + share * (margin - 1)))
            for share, failures in stages
        )
        for risk in risks_
    ]


def interval(stages: tuple[tuple[float, int, int], ...], alpha: float) -> tuple[float, float]:
    """Relative risks that the failures do not contradict, at any time of looking. `stages`: share, canary's failures,
    failures of both arms, for each. From 0 to infinity without failures. Source: part 2, last formula; several stages
    multiply, since each is a bet made after the other."""

    def against(log_risk: float) -> float:
        """Evidence against one relative risk, as a logarithm: convex."""
        total = 0.0
        for share, canary, failures in stages:
            odds = log_risk + math.log(share / (1 - share))
            log_q, log_p = -_softplus(-odds), -_softplus(odds)
            total += (
                math.lgamma(canary + 1)
                + math.lgamma(failures - canary + 1)
                - math.lgamma(failures + 2)
                - canary * log_q
                - (failures - canary) * log_p
            )
        return total

    limit = math.log(1 / alpha)
    low, high = -30.0, 30.0
    for _ in range(200):  # where it is least
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, b) if against(a) < against(b) else (a, high)
    best = (low + high) / 2
    return (
        0.0 if against(-30.0) < limit else math.exp(_crossing(against, -30.0, best, limit)),
        math.inf if against(30.0) < limit else math.exp(_crossing(against, 30.0, best, limit)),
    )


def _crossing(against: Callable[[float], float], outside: float, inside: float, limit: float) -> float:
    for _ in range(100):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if against(middle) >= limit else (outside, middle)
    return (outside + inside) / 2


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
