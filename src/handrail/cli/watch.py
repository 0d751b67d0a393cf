"""`handrail watch ...`: what customers get beside what the AI does, and each metric beside its own past."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from handrail.app import wire
from handrail.cli import options
from handrail.policy.watching import Costs
from handrail.terms.ids import UseCaseId
from handrail.watch.fold import LearnAnew
from handrail.watch.measure import HOUR_MS, Cell, Counts
from handrail.watch.metrics import DEFINITIONS, Group, grouped
from handrail.watch.mix import Mix
from handrail.watch.openings import METRICS, Held, LearnOpeningsAnew
from handrail.watch.series import LEAST_CASES, REPORTED, Series, false_alarms_a_year

if TYPE_CHECKING:
    from handrail.app.wire import Store

CUTS = ("release", "language", "channel", "intent")


@click.group()
def watch() -> None:
    """What runs now: figures of customers beside figures of the AI, and each beside its own past."""


@watch.command()
@click.option("--use-case", default="", help="One use case; else all.")
@click.option("--days", type=click.FloatRange(0.05, 400), default=7.0, show_default=True, help="Back from now.")
@click.option("--by", "cuts", type=click.Choice(CUTS), multiple=True, help="Cut by it; may be given several times.")
@click.option("--define", is_flag=True, help="Say with each figure what is counted and what it hides.")
@click.option("--json", "as_json", is_flag=True)
@options.home
def figures(use_case: str, days: float, cuts: tuple[str, ...], define: bool, as_json: bool, home: Path) -> None:
    """Figures of a time. Of customers: conversations that began in it at least 48 h ago; of the AI: interactions."""
    now = wire.CLOCK.now_ms() // HOUR_MS + 1

    async def work(store: "Store") -> tuple[list[tuple[Cell, Counts]], Costs]:
        snapshot = await store.in_force.load()
        costs = snapshot.ruleset.costs if snapshot is not None else Costs()
        return await store.watch.measured(now - round(24 * days), now), costs

    rows, costs = options.with_store(home, work)
    groups = grouped([row for row in rows if use_case in ("", row[0].use_case)], frozenset(cuts), costs)
    for group in groups:
        if as_json:
            click.echo(msgspec.json.encode(group))
        else:
            _show(group, define)
    if not groups and not as_json:
        click.echo("nothing was counted in this time; a running server counts each minute once it is over", err=True)


@watch.command()
@click.option("--use-case", default="")
@click.option("--json", "as_json", is_flag=True)
@options.home
def drift(use_case: str, as_json: bool, home: Path) -> None:
    """Each watched metric: still learning, or its evidence of being worse than its own past and what was promised."""

    async def work(store: "Store") -> tuple[list[Series], dict[str, Held]]:
        return await store.watch.series(), await store.openings.held()

    series, opened = options.with_store(home, work)
    rows = [one for one in series if use_case in ("", one.use_case)]
    for name, held in sorted(opened.items()):
        if use_case in ("", name):
            for line in _openings(held, as_json=as_json):
                click.echo(line)
    for one in rows:
        if as_json:
            click.echo(msgspec.json.encode(one))
            continue
        bad, cases = sum(one.bad), sum(one.cases)
        past = f"past {bad} of {cases}" + (f" ({bad / cases:.2%})" if cases else "")
        if one.learnt_ms is None:
            told = "" if bad or one.metric not in REPORTED else "; nothing was ever reported"
            state = f"learning, {min(cases, LEAST_CASES)} of {LEAST_CASES} {one.unit} and 7 days{told}"
        elif one.alarmed:
            state = "ALARM, waits for an answer: handrail alerts list"
        else:
            state = f"evidence {one.drift.value:,.0f} of {one.wanted:,}, over {one.watched} {one.unit}"
        limit = f", above {one.limit}" if one.limit is not None else ""
        click.echo(f"{one.use_case}  {one.metric}{limit}  {past}  {state}")
    for name in sorted({one.use_case for one in rows}) if not as_json else ():
        watched = [one for one in rows if one.use_case == name and one.learnt_ms is not None]
        if watched:
            click.echo(
                f"{name}: of its {len(watched)} metrics that have learnt, at most {false_alarms_a_year(watched):.1f} "
                "alarms a year in all come without a reason, at the pace of their learning",
                err=True,
            )
    if rows and not as_json:
        click.echo(
            "a metric that has not changed alarms at most once in its number of cases on average",
            err=True,
        )
    if not rows and not as_json:
        click.echo("nothing is watched yet; a running server counts each minute once it is over", err=True)


@watch.command()
@click.argument("use_case")
@click.argument("metric")
@options.token
@options.home
def relearn(use_case: str, metric: str, token: str | None, home: Path) -> None:
    """What is now is the new usual: METRIC learns its past again. Until it has, it does not alarm."""
    kind = LearnOpeningsAnew if metric in METRICS else LearnAnew
    options.command(home, kind(ids=wire.IDS, use_case=UseCaseId(use_case), metric=metric, token=token))
    click.echo(f"{metric} of {use_case} learns anew")


def _show(group: Group, define: bool) -> None:
    cut = "  ".join(
        f"{name} {value[: 12 if name == 'release' else None]}"
        for name, value in zip(CUTS, (group.release, group.language, group.channel, group.intent), strict=True)
        if value
    )
    click.echo(
        f"{group.use_case}{'  ' + cut if cut else ''}: {group.interactions} interactions, {group.conversations} "
        "conversations whose 48 h are over"
    )
    by = {one.metric: one for one in group.figures}
    side = ""
    for definition in DEFINITIONS:
        if definition.side.value != side:
            side = definition.side.value
            click.echo(f"  {side}")
        one = by[definition.id]
        click.echo(f"    {definition.id:20}{one.text}{'  ' + one.missing if one.missing else ''}")
        if define:
            pitfall = f"; but {definition.pitfall}" if definition.pitfall else ""
            click.echo(f"      {definition.words}, of {definition.of}{pitfall}")
    opened = sum(count for _, count in group.mix)
    if opened:
        click.echo("  what customers came for")
    for intent, count in group.mix:
        click.echo(f"    {intent:20}{count / opened:.1%} ({count} of {opened})")


def _openings(held: Held, *, as_json: bool) -> Iterator[str]:
    """The mix of intents and the input, as a line each."""
    for one in (held.mix, held.input):
        if one is None:
            continue
        cases = sum(one.past.cases) if isinstance(one, Mix) else one.past.total
        evidence = one.value if isinstance(one, Mix) else one.round.value
        metric = one.cause.rpartition("/")[2]
        if as_json:
            told = {
                "use_case": one.use_case, "metric": metric, "learnt_ms": one.past.learnt_ms, "past": cases,
                "evidence": evidence, "wanted": one.wanted, "watched": one.watched, "alarmed": one.alarmed,
            }  # fmt: skip
            yield msgspec.json.encode(told).decode()
            continue
        if one.past.learnt_ms is None:
            state = f"learning, {min(cases, LEAST_CASES)} of {LEAST_CASES} conversations and 7 days"
        elif one.alarmed:
            state = "ALARM, waits for an answer: handrail alerts list"
        else:
            state = f"evidence {evidence:,.0f} of {one.wanted:,}, over {one.watched} conversations"
        yield f"{one.use_case}  {metric}  past {cases} conversations  {state}"
