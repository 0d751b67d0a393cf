"""Figures that are no share, as a person reads them: times, tokens, money; pure."""

from decimal import Decimal

from babel import numbers

from handrail.console.words import N_, Words
from handrail.policy.watching import Costs
from handrail.watch.measure import SIZES, Counts
from handrail.watch.metrics import DEFINITIONS, figure, quantile

_BY_ID = {one.id: one for one in DEFINITIONS}


def value_of(
    metric: str, total: Counts, told: Counts, words: Words, currency: str, costs: Costs, limit: int | None, *, cut: bool
) -> str:
    """Empty for a share, and where there is nothing to tell. `total`: with `cost_over`, the model's cost
    of hours whose 48 hours are over. `limit`: of an amount, above which it counts as too much.
    `cut`: of a part of the use case: costs per resolution are told of the whole alone."""
    if metric in SIZES:
        return _amount(metric, total, words, currency, limit)
    if metric == "handle_time" and told["told.handle_time"]:
        half, most = quantile(metric, total, 0.5), quantile(metric, total, 0.9)
        return f"{words.lasting(half * 1000)} / {words.lasting(most * 1000)}" if most else ""
    if metric == "tokens" and total["interactions"]:
        return words.number(round((total["input_tokens"] + total["output_tokens"]) / total["interactions"]))
    if metric == "cost_per_resolution" and not cut:
        one = figure(_BY_ID[metric], total, told, costs=costs)
        if one.value is None:
            return ""
        said = _money(one.value, currency, words)
        return f"{said}, {words(N_('without what has no price or no event'))}" if one.missing else said
    return ""


def _amount(metric: str, total: Counts, words: Words, currency: str, limit: int | None) -> str:
    half, most = quantile(metric, total, 0.5), quantile(metric, total, 0.95)
    if not most and not half:
        return ""
    above = words(N_("too much is above {amount}"), amount=_said(metric, limit, words, currency)) if limit else ""
    return f"{_said(metric, half, words, currency)} / {_said(metric, most, words, currency)}" + (
        f", {above}" if above else ""
    )


def _said(metric: str, amount: int, words: Words, currency: str) -> str:
    if metric == "latency":
        return words(N_("{n} s"), n=words.number(amount / 1000, 1))
    if metric == "cost":
        return _money(amount / 1e6, currency, words)
    return words.number(amount)


def _money(minor: float, currency: str, words: Words) -> str:
    """With so many digits that less than a cent can be told apart."""
    amount = Decimal(str(minor)).scaleb(-numbers.get_currency_precision(currency))
    digits = 2 if amount >= 1 else 4
    return f"{words.number(float(amount), digits)} {currency}"
