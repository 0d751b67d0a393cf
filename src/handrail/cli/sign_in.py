"""`handrail person reset | sessions | factors`: what an admin does about sign-ins to the console."""

from datetime import UTC, datetime
from pathlib import Path

import click

from handrail.app import wire
from handrail.cli import options
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.people.factors import Factors, Reset, factors_of
from handrail.people.sessions import EndSession, EndSessions
from handrail.people.signin_store import SignInTransaction
from handrail.terms.ids import PersonId


@click.command()
@click.argument("person_id")
@options.token
@options.home
def reset(person_id: str, token: str | None, home: Path) -> None:
    """A new way in for PERSON_ID, who lost hers.

    Her password, app, passkeys, recovery codes, sessions and personal tokens end; prints a one-time link for her.
    """
    given = options.loaded(home)
    shown = options.command(home, Reset(ids=wire.IDS, person_id=PersonId(person_id), token=token))
    base = given.boot.console_url or f"http://{given.boot.console_host}:{given.boot.console_port}"
    click.echo(f"one-time link for her (shown once): {base.rstrip('/')}/sign-in/link?code={shown.text}")


@click.command()
@click.argument("person_id")
@click.option("--end", default="", metavar="SESSION", help="End this one.")
@click.option("--end-all", is_flag=True, help="End every one.")
@options.token
@options.home
def sessions(person_id: str, end: str, end_all: bool, token: str | None, home: Path) -> None:
    """Where PERSON_ID is signed in to the console.

    An ended session does nothing from its next request on.
    """
    person = PersonId(person_id)
    if end:
        options.command(home, EndSession(ids=wire.IDS, name=end, token=token))
    if end_all:
        ended = options.command(home, EndSessions(ids=wire.IDS, person_id=person, token=token))
        click.echo(f"{ended} ended")
    for one in _look(home, person, token).sessions:
        click.echo(f"{one.id}  {one.label or 'browser'}  since {_time(one.created_at)}  seen {_time(one.seen_at)}")


@click.command()
@click.argument("person_id")
@options.token
@options.home
def factors(person_id: str, token: str | None, home: Path) -> None:
    """What PERSON_ID signs in to the console with.

    Kinds and names only: no command shows a secret.
    """
    found = _look(home, PersonId(person_id), token)
    click.echo(f"password: {'set' if found.password else 'none'}")
    click.echo(f"authenticator app: {'set up' if found.app else 'none'}")
    click.echo(f"recovery codes left: {found.recovery_left}")
    for key in found.passkeys:
        click.echo(f"passkey: {key.name}  since {_time(key.created_at)}")
    for identity in found.identities:
        click.echo(f"provider: {identity.issuer}{'  (its groups say her roles)' if identity.managed else ''}")


def _look(home: Path, person: PersonId, token: str | None) -> Factors:
    def look(tx: SignInTransaction) -> Factors:
        acting(tx, token, Act.MANAGE_PEOPLE)
        return factors_of(tx, tx.persons.get(person).id)

    return options.command(home, look)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
