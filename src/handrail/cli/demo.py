"""`handrail demo`."""

import asyncio
import io
import shutil
import sys
from pathlib import Path

import click

from handrail.app.demo import approver
from handrail.app.demo.run import Wish, play
from handrail.app.settings import environment

SECONDS_VARIABLE = "DEMO_SECONDS"
PACE_S = 0.6  # on a terminal: time to read a line
WIDTH = 132


@click.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-home"),
    show_default=True,
    help="Made fresh each time.",
)
@click.option("--keep", is_flag=True, help="Keep a demo home that is there, with its changes and its ledger.")
@click.option("--pace", type=click.FloatRange(0, 10), help="Seconds to wait after each line; on a terminal 0.6.")
@click.option(
    "--decide-within",
    type=click.FloatRange(0, 600),
    default=20.0,
    show_default=True,
    help="Seconds you have for a y or n on the terminal; then the demo's approver decides.",
)
def demo(home: Path, keep: bool, pace: float | None, decide_within: float) -> None:
    """A made-up contact centre behind the net, with a scripted model: plays, checks itself, says where to look.

    On a terminal it asks you about what is held, and stays up until Ctrl-C. Without one, or with DEMO_SECONDS=N, it
    ends by itself (N seconds after its start, or when the play is over). Exit code 1 when anything was not as it
    should be."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a letter gets a question mark
    terminal = sys.stdout.isatty()
    until_s = _seconds(environment().get(SECONDS_VARIABLE, ""))
    stays = terminal and until_s is None
    wish = Wish(
        home=home,
        keep=keep,
        width=max(96, min(160, shutil.get_terminal_size((WIDTH, 40)).columns)),
        colours=terminal,
        pace_s=(PACE_S if terminal else 0.0) if pace is None else pace,
        stay=stays,
        until_s=until_s,
        ask=approver.at_terminal(decide_within) if stays and sys.stdin.isatty() else None,
    )
    sys.exit(asyncio.run(play(wish, environment(), _say)))


def _seconds(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise click.ClickException(f"{SECONDS_VARIABLE} is a number of seconds, such as 30") from None


def _say(line: str) -> None:
    click.echo(line)
