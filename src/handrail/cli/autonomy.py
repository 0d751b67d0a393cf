"""`handrail autonomy show | demote | promote`: levels that were lowered, and raising them again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from handrail.app import wire
from handrail.app.demoting import standing, tell
from handrail.cli import options
from handrail.governance.autonomy_desk import DemoteByHand, Promote, bars_of
from handrail.governance.demote import Bar, Demotion, Move, declared, effective, needs_two
from handrail.policy.ruleset import UseCase
from handrail.terms.action import ActionType
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

types = click.option(
    "--action-type", "types", multiple=True, type=click.Choice([kind.value for kind in ActionType]),
    help="Of this type of action only; may be given again.",
)  # fmt: skip


@click.group()
def autonomy() -> None:
    """Autonomy: levels that were lowered since something went wrong, and what a person needs to raise them again."""


@autonomy.command()
@click.argument("use_case", required=False)
@click.option("--json", "as_json", is_flag=True)
@options.home
def show(use_case: str | None, as_json: bool, home: Path) -> None:
    """What holds in each use case, and of what is lowered: since when, and what a promotion needs."""

    def look(tx: Any) -> list[tuple[UseCaseId, UseCase | None, Demotion, tuple[Bar, ...]]]:
        current = tx.rulesets.current()
        cases = tx.rulesets.get(current).use_cases if current is not None else {}
        names = sorted({*cases, *(one.use_case for one in tx.autonomy.all())})
        if use_case is not None and use_case not in names:
            raise HandrailError(Code.NOT_FOUND, "there is no such use case; see handrail autonomy show")
        rows = []
        for name in names if use_case is None else [UseCaseId(use_case)]:
            case, demotion = cases.get(name), tx.autonomy.get(name)
            kinds = tuple(demotion.levels)
            bars = bars_of(tx, case, demotion, kinds, standing) if case is not None and kinds else ()
            rows.append((name, case, demotion, bars))
        return rows

    for name, case, demotion, bars in options.command(home, look):
        if as_json:
            click.echo(msgspec.json.encode(_row(name, case, demotion, bars)))
        else:
            _say(name, case, demotion, bars)


def _row(name: UseCaseId, case: UseCase | None, demotion: Demotion, bars: tuple[Bar, ...]) -> dict[str, Any]:
    levels = {} if case is None else case.levels
    return {
        "use_case": name,
        "levels": {
            kind: {"home": level.autonomy, "holds": effective(level.autonomy, demotion, kind)}
            for kind, level in levels.items()
        },
        "lowered": demotion.levels,
        "asked": demotion.asked,
        "promotion": bars,
        "two_persons": bool(demotion.levels) and needs_two(case, demotion.levels),
    }


def _say(name: UseCaseId, case: UseCase | None, demotion: Demotion, bars: tuple[Bar, ...]) -> None:
    click.echo(f"{name}{'' if case is not None else ' (published no more)'}")
    for kind, level in {} if case is None else case.levels.items():
        one = demotion.levels.get(kind)
        if one is None:
            click.echo(f"  {kind.value:15} {level.autonomy.value}")
        else:
            holds = effective(level.autonomy, demotion, kind)
            click.echo(
                f"  {kind.value:15} {holds.value}, lowered since {_time(one.since_ms)}; the home says "
                f"{level.autonomy.value}"
            )
    if not demotion.levels:
        triggers = len(declared(case).triggers) if case is not None else 0
        click.echo(f"  nothing is lowered; {triggers} triggers are declared")
        return
    for bar in bars:
        click.echo(f"  {'met    ' if bar.met else 'NOT MET'} {bar.said}")
    if demotion.asked is not None:
        click.echo(f"  {demotion.asked.by} wants to promote it; another person must agree")
    people = "two persons" if needs_two(case, demotion.levels) else "a person"
    click.echo(f"  {people} may promote it: handrail autonomy promote {name} --reason ...")


@autonomy.command()
@click.argument("use_case")
@types
@click.option("--levels", type=click.IntRange(1, 3), default=1, show_default=True, help="How many levels lower.")
@click.option("--reason", default="", help="Why; it stays in the ledger and names no customer.")
@options.token
@options.home
def demote(use_case: str, types: tuple[str, ...], levels: int, reason: str, token: str | None, home: Path) -> None:
    """Lower levels by hand, within a second, to A1 at the lowest."""
    made = options.command(
        home,
        DemoteByHand(
            ids=wire.IDS, use_case=UseCaseId(use_case), types=tuple(ActionType(one) for one in types), levels=levels,
            reason=reason, token=token, beside=tell(wire.IDS),
        ),
    )  # fmt: skip
    _moved(made)


@autonomy.command()
@click.argument("use_case")
@types
@click.option("--reason", default="", help="Why; it stays in the ledger and names no customer.")
@click.option("--override", is_flag=True, help="Although something is not met; recorded as such.")
@options.token
@options.home
def promote(use_case: str, types: tuple[str, ...], reason: str, override: bool, token: str | None, home: Path) -> None:
    """Raise lowered levels by one, when what was declared is met; from R2 up two persons."""
    done = options.command(
        home,
        Promote(
            ids=wire.IDS, use_case=UseCaseId(use_case), types=tuple(ActionType(one) for one in types), reason=reason,
            token=token, standing=standing, override=override,
        ),
    )  # fmt: skip
    for bar in done.bars:
        click.echo(f"{'met    ' if bar.met else 'NOT MET'} {bar.said}")
    if not done.moves:
        click.echo("recorded; another person must agree within 7 days, with the same command")
    _moved(done.moves)


def _moved(moves: tuple[Move, ...]) -> None:
    for move in moves:
        rest = f"; the home says {move.home.value}" if move.after is not move.home else ""
        click.echo(f"{move.type.value}: {move.before.value} to {move.after.value}{rest}")


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")
