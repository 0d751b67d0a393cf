"""`handrail init | check | schema | publish`."""

import sys
from pathlib import Path

import click

from handrail.app import wire
from handrail.app.running import behind
from handrail.app.settings import HOME_VARIABLE
from handrail.app.trials import trials_of, unknown_probes
from handrail.app.wire.policy import engines
from handrail.cli import options
from handrail.home.check import look
from handrail.home.compile import all_mistakes, compile_home
from handrail.home.init import KEK_BYTES
from handrail.home.init import init as start
from handrail.home.mistake import Mistake
from handrail.home.notes import notes
from handrail.home.problem import HomeInvalid
from handrail.home.publish import Publish
from handrail.home.read import read
from handrail.home.schema import FILES, encoded
from handrail.home.text import HomeText

folder = click.argument(
    "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(), envvar=HOME_VARIABLE
)
new_folder = click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())


@click.command()
@new_folder
def init(folder: Path) -> None:
    """Write a commented starter home into FOLDER."""
    started = start(folder, kek=wire.IDS.token(KEK_BYTES))
    for name in started.files:
        click.echo(f"wrote {folder / name}")
    click.echo(f"next: handrail check {folder}, then handrail publish {folder}")


@click.command()
@folder
def check(folder: Path) -> None:
    """Say every mistake of the home in FOLDER with file, line and column. Exit code 1 when there is one."""
    playing = engines()
    looked = look(read(folder), playing)
    mistakes = [*all_mistakes(looked, playing), *_of_trials(read(folder))]
    for mistake in mistakes:
        click.echo(str(mistake))
    for note in notes(looked):
        click.echo(f"note: {note}")
    if mistakes:
        click.echo(f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}", err=True)
        sys.exit(1)
    click.echo(f"{folder}: no mistakes in {len(read(folder).use_cases)} use cases")


def _of_trials(text: HomeText) -> tuple[Mistake, ...]:
    """Mistakes of tests/*.yaml. Use cases and tools are known once the rest of the home is good."""
    try:
        ruleset = compile_home(text, engines()).ruleset
    except HomeInvalid:
        return trials_of(text).mistakes
    found = trials_of(text, ruleset)
    return (*found.mistakes, *unknown_probes(ruleset, found.trials))


@click.command()
@click.argument("name", type=click.Choice(sorted(FILES)), default=sorted(FILES)[0])
def schema(name: str) -> None:
    """Print the JSON Schema of one kind of file, for editors."""
    click.echo(encoded(name).decode())


@click.command()
@folder
@options.token
def publish(folder: Path, token: str | None) -> None:
    """Put the home in FOLDER in force: a ruleset and a release per use case, in one transaction."""
    try:
        compiled = compile_home(read(folder), engines())
    except HomeInvalid as problem:
        for mistake in problem.mistakes:
            click.echo(str(mistake), err=True)
        click.echo("nothing was published: what was in force stays in force", err=True)
        sys.exit(1)
    if wrong := _of_trials(read(folder)):
        for mistake in wrong:
            click.echo(str(mistake), err=True)
        click.echo("nothing was published: what was in force stays in force", err=True)
        sys.exit(1)
    done = options.command(folder, Publish(ids=wire.IDS, compiled=compiled, token=token))
    for line in done.unsettled:
        click.echo(f"note: {line}; no persons yet: handrail person first")
    for line in done.lowered:
        click.echo(f"demoted: {line}; see handrail autonomy show")
    waiting = behind(options.loaded(folder))
    if waiting:
        click.echo(f"read at start only: restart handrail serve to take {', '.join(waiting)}")
    if not done.changed:
        click.echo(
            "nothing else changed: the rest is in force" if waiting else "nothing changed: this is in force already"
        )
        return
    click.echo(f"ruleset {done.ruleset[:12]} {'is in force' if done.ruleset_changed else 'unchanged'}")
    for use_case, drafted in sorted(done.drafted.items()):
        click.echo(
            f"  {use_case}: release {drafted[:12]} is a draft; next: handrail trial run --release {drafted[:12]}"
        )
        if use_case in done.went_back:
            click.echo(f"    it was rolled back before and is a draft again: {done.went_back[use_case]}")
            click.echo("    not meant? Mend the home and publish, or: handrail release retire " + drafted[:12])
    for use_case, release in sorted(done.went_live.items()):
        click.echo(f"  {use_case}: {f'release {release[:12]} is live' if release else 'retired'}")
