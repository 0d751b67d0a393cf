"""`handrail doctor`."""

import asyncio
import sys
from pathlib import Path

import click
import msgspec

from handrail.app.doctor import Level, diagnose
from handrail.app.examine import gather
from handrail.app.settings import environment
from handrail.cli import options


@click.command()
@click.option("--offline", is_flag=True, help="Ask no provider.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object per line.")
@options.home
def doctor(offline: bool, as_json: bool, home: Path) -> None:
    """Find and explain the likeliest mistakes. Exit code 1 when something is broken.

    Each provider on a route is asked for its list of models, which costs nothing: is it there, does it take our key?
    """
    given = options.loaded(home)
    found = diagnose(asyncio.run(gather(given, environment(), offline=offline)))
    for advice in found if as_json else ():
        click.echo(msgspec.json.encode(advice))
    for advice in () if as_json else found:
        click.echo(f"{advice.level.value:6}  {advice.what}")
        click.echo(f"        {advice.why}")
        click.echo(f"        mend: {advice.mend}")
    if not found and not as_json:
        click.echo("nothing found: home, keys, database, log, server and providers look right")
    if any(advice.level is Level.BROKEN for advice in found):
        sys.exit(1)
