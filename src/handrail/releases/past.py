"""The past that a rollout's percentiles are of: what the live release's units were measured as, read before the start,
made into a table, and kept with the rollout; pure.

A unit counts when it is as old as outcomes need to be complete, with what had been reported of it by then, just as a
unit of the rollout will be. Too little of a past refuses the start, or, where the ramp says so, judges by the mean.
"""

from collections.abc import Iterable

import msgspec

from handrail.policy.ramp import Form, Outcome, Past, Ramp
from handrail.releases.assign import unit_of
from handrail.releases.percentile import quantiles
from handrail.releases.unit import Signals, merged
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest

NEEDED = 500
"""Measured units of the live release, for a table whose steps stand for a few each."""
NEWEST = 20_000
"""Of the conversations with an outcome, that are read."""


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the units of one release, by metric."""

    release: Digest
    values: dict[str, tuple[float, ...]]


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome of a conversation of the live release. `customer`: the subject, where it is a customer's."""

    conversation: str
    customer: str | None
    began_at: int
    occurred_at: int
    received_at: int
    name: str
    value: float


def metrics_of(ramp: Ramp) -> frozenset[Outcome]:
    """Those that are to be judged by their percentile."""
    return frozenset(one.name for one in ramp.metrics if one.form is not Form.MEAN)


def before(ramp: Ramp, release: Digest, reported: Iterable[Reported], now_ms: int) -> Before:
    """Values of the units that have matured, the latest of each."""
    matures, wanted = ramp.maturity_minutes * 60_000, {one.value for one in metrics_of(ramp)}
    rows = [
        (unit_of(ramp.unit, one.conversation, one.customer, one.began_at), one)
        for one in reported
        if one.name in wanted
    ]
    began: dict[str, int] = {}
    for unit, one in rows:
        began[unit] = min(one.began_at, began.get(unit, one.began_at))
    units: dict[str, Signals] = {}
    for unit, one in rows:
        ends = began[unit] + matures
        if ends <= now_ms and one.received_at <= ends:
            units[unit] = merged(units.get(unit, {}), one.name, one.occurred_at, one.value)
    return Before(
        release=release,
        values={
            name: tuple(signals[name][1] for signals in units.values() if name in signals) for name in sorted(wanted)
        },
    )


def with_past(ramp: Ramp, known: Before | None, live: Digest) -> Ramp:
    """The ramp as its rollout keeps it. Raises RELEASE_STATE where a percentile is declared and cannot be had."""
    metrics = []
    for one in ramp.metrics:
        if one.form is not Form.MEAN:
            values = () if known is None or known.release != live else known.values.get(one.name.value, ())
            if len(values) >= NEEDED:
                one = msgspec.structs.replace(one, past=Past(len(values), quantiles(values)))
            elif one.form is Form.PERCENTILE:
                raise HandrailError(
                    Code.RELEASE_STATE,
                    f"{one.name.value} is to be judged by its percentile among the units of the live release: that "
                    f"needs {NEEDED} with complete outcomes, there are {len(values)}. Wait for them, or write "
                    "`as: percentile_or_mean` in the ramp",
                )
        metrics.append(one)
    return msgspec.structs.replace(ramp, metrics=tuple(metrics))
