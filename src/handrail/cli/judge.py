"""`handrail judge`: the statistics of rollback on units or totals that anybody brings; no home is needed."""

import itertools
import math
import sys
from pathlib import Path
from typing import IO, Any

import click
import orjson

from handrail.policy.ramp import Bets
from handrail.releases import totals
from handrail.releases.bets import Kind, Reference, binary, score
from handrail.releases.brought import Brought, Unreadable, instant
from handrail.releases.judge import Conclusion, Metric, MetricVerdict, Plan, with_missing
from handrail.releases.judged import judged
from handrail.releases.percentile import SPREAD, quantiles
from handrail.releases.sentence import sentence

PAST = 50
"""Values of a past below which there is no distribution to stand in."""


@click.command()
@click.option(
    "--input",
    "source",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="-",
    help="JSON Lines, as above; - is standard input.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(1e-9, 0.5),
    default=0.01,
    show_default=True,
    help="Harmless releases called worse.",
)
@click.option(
    "--beta",
    type=click.FloatRange(1e-9, 0.5),
    default=0.05,
    show_default=True,
    help="Releases as bad as the margin called safe.",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="NAME=RATE[:SD]",
    help="From history, else learnt on the way. SD makes it a score.",
)
@click.option("--weight", "weights", multiple=True, metavar="NAME=W", help="Part of the money; 1 each by default.")
@click.option(
    "--margin",
    "margins",
    multiple=True,
    metavar="[NAME=]RISK|none",
    help="Relative risk that is still safe; none: it only guards.  [default: 1.25]",
)
@click.option(
    "--bets",
    type=click.Choice([one.value for one in Bets]),
    default=Bets.ANY.value,
    show_default=True,
    help="Which changes are sought; large: big ones sooner.",
)
@click.option("--score", "scores", multiple=True, metavar="NAME", help="By its mean, although all are 0 or 1.")
@click.option("--may-miss", multiple=True, metavar="NAME", help="Count its missing outcomes, also if none.")
@click.option("--cap", "caps", multiple=True, metavar="NAME=VALUE", help="What counts as 1 (worst), and more.")
@click.option(
    "--percentile",
    "pasts",
    multiple=True,
    metavar="NAME[=PAST]",
    help="By its place among past values: a file of them, or V,V,...; without PAST it is a percentile already.",
)
@click.option("--planned", type=click.IntRange(0), help="Units of its life; left out: all there are.")
@click.option(
    "--restarts",
    type=click.IntRange(0, 64),
    default=8,
    show_default=True,
    help="Later starts, against a change half way; 0: none.",
)
@click.option(
    "--least",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="Canary units; with fewer only worse is said.",
)
@click.option("--as-of", help="Leaves out units matured_at later.")
@click.option("--unit", default="unit", show_default=True, help="What a unit is called.")
def judge(**given: Any) -> None:
    """Say whether a canary is worse, better or safe, from its outcomes, at any time of looking. Prints JSON.

    A unit is `{"arm": "canary"|"control", "share": 0.1, "stage": 1, "metrics": {"complaint": 0, "handle_time": 0.41}}`,
    larger is worse, in [0, 1], null: no outcome; "pair": units of the same task are compared with each other; "unit":
    an id, so that one counted twice is refused. Totals are `{"stage": 1, "share": 0.1, "canary": {"units": 960,
    "complaint": 60}, "control": {...}}`. Lines stand in the order of assignment.
    """
    try:
        told, counted = _judged(given)
    except Unreadable as error:
        for one in error.mistakes:
            click.echo(one, err=True)
        raise click.ClickException(f"{given['source']}: mistakes: {len(error.mistakes)}; nothing was judged") from None
    click.echo(orjson.dumps(_told(told, counted, given["unit"]), option=orjson.OPT_INDENT_2).decode())


def _judged(given: dict[str, Any]) -> tuple[Conclusion, int]:
    """Conclusion, and units that had not matured. Raises Unreadable."""
    with _opened(given["source"]) as lines:
        first = next((line for line in lines if line.strip()), b"")
        every = itertools.chain([first] if first else [], lines)
        if totals.is_totals(first):
            stages = totals.read(every)
            kinds = dict.fromkeys(totals.metrics(stages), Kind.BINARY)
            if given["pasts"]:
                raise click.UsageError("totals count what happened or not; a percentile needs single units")
            return totals.judge(_plan(given, kinds, frozenset(), 0), stages), 0
        as_of = _instant(given["as_of"]) if given["as_of"] else None
        pasts = dict(map(_past, given["pasts"]))
        brought = Brought(
            {name: _cap(name, value) for name, value in _named(given["caps"], "cap")},
            as_of,
            {name: table for name, table in pasts.items() if table},
        )
        brought.read(every)
    plan = _plan(
        given, brought.kinds(frozenset(given["scores"]) | pasts.keys()), brought.missing(), len(brought.canary)
    )
    return judged(plan, brought), brought.immature


def _plan(given: dict[str, Any], kinds: dict[str, Kind], missing: frozenset[str], units: int) -> Plan:
    percentiles = {one.partition("=")[0] for one in given["pasts"]}
    brought = [
        name for option in ("references", "weights", "margins", "caps") for name, _ in _named(given[option], option)
    ]
    for name in (*brought, *percentiles):
        if name and name not in kinds:
            raise click.UsageError(f"no unit has a metric {name}; there are {', '.join(sorted(kinds))}")
    margins = dict(_named(given["margins"], "margin"))
    references = dict(_named(given["references"], "reference"))
    parts = dict(_named(given["weights"], "weight"))
    metrics = []
    for name in sorted(kinds):
        margin = margins.get(name, margins.get("", "1.25"))
        usual = score(0.5, SPREAD) if name in percentiles else None
        reference = _reference(name, references[name], kinds[name]) if name in references else usual
        metrics.append(
            Metric(
                name=name,
                kind=reference.kind if reference else kinds[name],
                reference=reference,
                weight=_number(name, parts.get(name, "1")),
                margin=None if margin == "none" else _number(name, margin),
                percentile=name in percentiles,
            )
        )
    if not metrics or sum(one.weight for one in metrics) <= 0:
        raise click.UsageError("no metric has any weight")
    if any(one.margin is not None and one.margin <= 1 for one in metrics):
        raise click.UsageError("a margin is a relative risk above 1, such as 1.25")
    return Plan(
        metrics=with_missing(tuple(metrics), missing | frozenset(given["may_miss"])),
        alpha=given["alpha"], beta=given["beta"],
        starts=given["restarts"], planned=units if given["planned"] is None else given["planned"], least=given["least"],
        bets=Bets(given["bets"]),
    )  # fmt: skip


def _reference(name: str, written: str, kind: Kind) -> Reference:
    mean, colon, sd = written.partition(":")
    at = _number(name, mean)
    if not 0 < at < 1:
        raise click.UsageError(f"the reference of {name} is {at:g}; expected a mean between 0 and 1")
    if colon:
        return score(at, _number(name, sd))
    if kind is Kind.SCORE:
        return score(at, math.sqrt(at * (1 - at) / 3))  # a third of the widest variance: usual for scores
    return binary(at)


def _named(given: tuple[str, ...], option: str) -> list[tuple[str, str]]:
    found = []
    for one in given:
        name, equals, value = one.rpartition("=")
        if not equals and option != "margins" and option != "margin":
            raise click.UsageError(f"{one}: write NAME=VALUE")
        found.append((name, value))
    return found


def _instant(written: str) -> float:
    try:
        return instant(written)
    except ValueError:
        raise click.UsageError(f"--as-of {written}: expected a date such as 2026-11-21T10:00Z") from None


def _number(name: str, written: str) -> float:
    try:
        number = float(written)
    except ValueError:
        raise click.UsageError(f"{name}: {written} is no number") from None
    if not math.isfinite(number) or number < 0:
        raise click.UsageError(f"{name}: {written} is no number that could be meant")
    return number


def _past(written: str) -> tuple[str, tuple[float, ...]]:
    """Metric and the table of its past; empty: its outcomes are percentiles already."""
    name, equals, source = written.partition("=")
    if not equals:
        return name, ()
    parts = source.split(",")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        try:
            parts = Path(source).read_text().replace(",", " ").split()
        except OSError as error:
            raise click.UsageError(f"--percentile {name}: {source}: {error.strerror}") from None
        values = [_finite_number(name, part) for part in parts]
    if len(values) < PAST:
        raise click.UsageError(f"--percentile {name}: {len(values)} past values; a distribution needs {PAST}")
    try:
        return name, quantiles(values)
    except ValueError as error:
        raise click.UsageError(f"--percentile {name}: {error}") from None


def _finite_number(name: str, written: str) -> float:
    try:
        return float(written)
    except ValueError:
        raise click.UsageError(f"--percentile {name}: {written} is no number") from None


def _cap(name: str, written: str) -> float:
    cap = _number(name, written)
    if not cap:
        raise click.UsageError(f"{name}: what counts as 1 must be above 0")
    return cap


def _opened(source: str) -> IO[bytes]:
    return sys.stdin.buffer if source == "-" else Path(source).open("rb")


def _told(told: Conclusion, immature: int, unit: str) -> dict[str, Any]:
    leading = told.metrics[told.leading]
    return {
        "verdict": told.verdict.value,
        "decided_at": told.decided_at,
        "units": told.units,
        "log_e": _finite(told.log_e),
        "alpha": told.alpha,
        "bets": told.bets.value,
        "leading": told.leading,
        "interval": leading.interval,
        "metrics": {name: _metric(one) for name, one in told.metrics.items()},
        "share_wrong_at": told.share_wrong_at,
        "not_matured": immature,
        "sentence": sentence(told, unit=unit),
    }


def _metric(one: MetricVerdict) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "weight": round(one.weight, 9),
        "log_e": _finite(one.log_e),
        "worse": one.named,
        "canary": {"units": one.canary_units, "mean": one.canary_mean},
        "control": {"units": one.control_units, "mean": one.control_mean},
        "interval": one.interval,
        "interval_of": _interval_of(one),
    }


def _interval_of(one: MetricVerdict) -> str:
    if one.kind is Kind.BINARY:
        return "relative risk"
    return "difference of mean percentiles" if one.percentile else "difference of means"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
