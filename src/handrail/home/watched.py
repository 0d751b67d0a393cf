"""`intents`, `watch` and `costs` of a home without mistakes, as the ruleset holds them; pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from handrail.detectors.intents import computed
from handrail.home.codes import CURRENCIES
from handrail.policy.watching import Costs, Intent, WatchPlan

MICRO = 1_000_000


def intents_of(value: Mapping[str, Any]) -> tuple[tuple[Intent, ...], float]:
    """By name, and how near an opening must be: as declared, or computed from the examples."""
    given = {name: tuple(examples) for name, examples in sorted((value.get("intents") or {}).items())}
    if not given:
        return (), 0.0
    sure = (value.get("watch") or {}).get("intents_sure")
    return tuple(Intent(*one) for one in given.items()), computed(given) if sure is None else float(sure)


def watch_of(value: Mapping[str, Any]) -> WatchPlan:
    plain = {name: one for name, one in (value.get("watch") or {}).items() if name != "intents_sure"}
    return msgspec.convert(plain, WatchPlan)


def costs_of(home: Mapping[str, Any]) -> Costs:
    given = home.get("costs") or {}
    digits = CURRENCIES[home["currency"]]
    return Costs(
        human_minute_micro_minor=_micro(given.get("human_minute"), digits),
        refund_reversed_micro_minor=_micro(given.get("refund_reversed"), digits),
    )


def _micro(amount: float | None, digits: int) -> int | None:
    return None if amount is None else round(Decimal(str(amount)).scaleb(digits) * MICRO)
