"""`handrail console`."""

from pathlib import Path

import click

from handrail.app.settings import HOME_VARIABLE
from handrail.cli.options import loaded


@click.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar=HOME_VARIABLE,
    show_default="the current folder",
    help="The home folder.",
)
def console(home: Path) -> None:
    """Run the console alone, until SIGTERM or Ctrl-C: pages for people on the listener of `console:` in handrail.yaml.

    `handrail serve` runs it too, unless the home says `console: {serve: false}`; alone it may stand on another machine
    of the same database."""
    from handrail.app.console import alone  # deferred: only this command needs it

    raise SystemExit(alone(loaded(home)))
