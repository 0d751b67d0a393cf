"""`handrail backup | restore`."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click

from handrail.app.backup import backup as make
from handrail.app.backup import only_erasures as make_erasures
from handrail.app.restore import Asked
from handrail.app.restore import restore as put_back
from handrail.app.settings import environment
from handrail.cli import options

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--with-kek", is_flag=True, help="Put the key-encryption key in: the backup then opens by itself.")
@click.option(
    "--only-erasures", is_flag=True, help="Write only the list of erased subjects, small enough for each hour."
)
@options.token
@options.home
def backup(target: Path, with_kek: bool, only_erasures: bool, token: str | None, home: Path) -> None:
    """Copy keys, database and log to TARGET, a new folder or a .zip file, while the server runs.

    The home's own files are yours to keep (in git), and so is the key-encryption key."""
    given = options.loaded(home)
    if only_erasures:
        count = asyncio.run(make_erasures(given, environment(), target, token=token))
        click.echo(f"wrote {target}: {count} erased subjects")
        return
    made = asyncio.run(make(given, environment(), target, token=token, with_kek=with_kek))
    click.echo(
        f"wrote {target}: {made.id}, {made.log_size} entries under a checkpoint, {made.erasures} erasures, "
        f"{made.size / 1024**2:.1f} MiB"
    )
    if with_kek:
        click.secho(
            "WARNING: the key-encryption key is inside. Whoever has this file reads every customer's words: keep it as "
            "you keep that key.",
            fg="red",
            bold=True,
            err=True,
        )
    else:
        click.echo("without the key-encryption key it cannot be opened: keep that key elsewhere, and keep it")


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--known-checkpoint", "known", type=_FILE, multiple=True, help="A checkpoint kept elsewhere.")
@click.option("--erasures", type=_FILE, multiple=True, help="A newer list of erased subjects.")
@click.option("--replace", is_flag=True, help="Move a data folder that is there aside; nothing is deleted.")
@click.option("--accept-older", default="", metavar="REFERENCE", help="Accept a log older than one known; recorded.")
@options.token
@options.home
def restore(
    source: Path,
    known: tuple[Path, ...],
    erasures: tuple[Path, ...],
    replace: bool,
    accept_older: str,
    token: str | None,
    home: Path,
) -> None:
    """Put the backup SOURCE back as this home's data folder; a PostgreSQL database must be empty.

    Erasures made since are made again as far as they are known here; a log older than one known is refused."""
    given = options.loaded(home)
    asked = Asked(token=token, known=known, erasures=erasures, replace=replace, accept_older=accept_older)
    done = asyncio.run(put_back(given, environment(), source, asked))
    made = datetime.fromtimestamp(done.made_at_ms / 1000, UTC).isoformat(timespec="seconds")
    click.echo(f"restored {done.id} of {made}: {done.entries} entries verify, {done.erased} subjects erased again")
    if done.aside is not None:
        click.echo(f"what was there is now {done.aside}; delete it when you are sure: erased keys may be in it")
    if done.new_log_key:
        click.secho("the log goes on under a NEW KEY: give it to those who check it (handrail log-key)", bold=True)
    click.echo(f"keys and tokens revoked after {made} are good again: handrail key list, and revoke them anew")
    if not erasures:
        click.echo(
            "erasures that only another machine knew are not made again here: if any, restore with --erasures FILE"
        )
