"""`handrail serve`."""

import sys
from pathlib import Path

import click

from handrail.app.serve import serve as run
from handrail.app.settings import environment
from handrail.cli import options


@click.command()
@options.home
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Gateway processes.")
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of the home's; 0 takes a free one.")
def serve(home: Path, workers: int, port: int | None) -> None:
    """Run the gateway until SIGTERM or Ctrl-C, then drain."""
    given = options.loaded(home)
    sys.exit(run(given, environment(), workers=workers, say=_say, port=port))


def _say(line: str) -> None:
    click.echo(line)
