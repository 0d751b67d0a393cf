"""`handrail serve`."""

from pathlib import Path

import click

from handrail.app.serve import serve as run
from handrail.app.settings import HOME_VARIABLE, environment, settings


@click.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar=HOME_VARIABLE,
    show_default="the current folder",
    help="The home folder.",
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Gateway processes.")
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of the home's; 0 takes a free one.")
@click.option(
    "--lost-after",
    type=click.FloatRange(1, 86_400),
    default=900,
    show_default=True,
    help="Seconds until an interaction without an end counts as interrupted; longer than any answer takes.",
)
def serve(home: Path, workers: int, port: int | None, lost_after: float) -> None:
    """Run the gateway until SIGTERM or Ctrl-C, then drain."""
    env = environment()
    run(settings(home, env), env, workers=workers, port=port, lost_after_ms=int(lost_after * 1000))
