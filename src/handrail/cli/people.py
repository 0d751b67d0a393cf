"""`handrail person ...` and `handrail key ...`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handrail.app import wire
from handrail.cli import options, sign_in
from handrail.people.desk import AddPerson, ChangePerson, InviteAgain, OpenFirst, Redeem, RenewToken, RevokeToken
from handrail.people.desk import Shown as NewToken
from handrail.people.key import Scope
from handrail.people.keys import CreateKey, RevokeKey, RotateKey
from handrail.people.role import Role
from handrail.people.store import PeopleTransaction
from handrail.people.token import DAY_MS
from handrail.terms.ids import KeyId, PersonId, UseCaseId

if TYPE_CHECKING:
    from handrail.app.wire import Store

roles = click.option("--role", "roles", type=click.Choice([role.value for role in Role]), multiple=True)


@click.group()
def person() -> None:
    """Persons, their roles and personal tokens."""


@person.command()
@options.home
def first(home: Path) -> None:
    """A one-time code for the first admin; she redeems it with `handrail person redeem`."""
    shown = options.command(home, OpenFirst(ids=wire.IDS))
    click.echo(f"one-time code (shown once, ends {_day(shown.token.expires_at)}): {shown.text}")
    click.echo(f"next: handrail person redeem {shown.text} --mail YOU@EXAMPLE --name 'YOUR NAME'")


@person.command()
@click.argument("code")
@click.option("--mail", default="", help="Needed for the first admin, and for nobody else.")
@click.option("--name", default="", help="Likewise.")
@options.home
def redeem(code: str, mail: str, name: str, home: Path) -> None:
    """Use up a one-time CODE and get a personal token."""
    shown = options.command(home, Redeem(ids=wire.IDS, code=code, mail=mail, name=name))
    _show(shown)


@person.command()
@click.option("--mail", required=True)
@click.option("--name", required=True)
@roles
@options.token
@options.home
def add(mail: str, name: str, roles: tuple[str, ...], token: str | None, home: Path) -> None:
    """Add a person; prints a one-time code for her."""
    change = AddPerson(ids=wire.IDS, mail=mail, name=name, roles=frozenset(map(Role, roles)), token=token)
    shown = options.command(home, change)
    assert shown.person is not None
    click.echo(f"{shown.person.id} added; one-time code for her (shown once): {shown.text}")
    click.echo(_next(shown))


@person.command("list")
@options.home
def list_persons(home: Path) -> None:
    """List persons and their roles."""

    def look(tx: PeopleTransaction) -> list[str]:
        return [
            f"{one.id}  {one.name}  {','.join(sorted(role.value for role in one.roles))}"
            f"{'' if one.active else '  (disabled)'}"
            for one in tx.persons.all()
        ]

    for line in options.command(home, look) or ["no persons yet: handrail person first"]:
        click.echo(line)


@person.command()
@click.argument("person_id")
@roles
@click.option("--disable", is_flag=True, help="Ends every token of hers.")
@options.token
@options.home
def change(person_id: str, roles: tuple[str, ...], disable: bool, token: str | None, home: Path) -> None:
    """Give PERSON_ID new roles, or disable her."""
    wanted = frozenset(map(Role, roles)) if roles else None
    done = options.command(
        home, ChangePerson(ids=wire.IDS, person_id=PersonId(person_id), roles=wanted, disable=disable, token=token)
    )
    click.echo(
        f"{done.id}: {', '.join(sorted(role.value for role in done.roles))}{'' if done.active else ' (disabled)'}"
    )


@person.command()
@click.argument("person_id")
@options.token
@options.home
def invite(person_id: str, token: str | None, home: Path) -> None:
    """A new one-time code for somebody who lost her token; her earlier ones end."""
    shown = options.command(home, InviteAgain(ids=wire.IDS, person_id=PersonId(person_id), token=token))
    click.echo(f"one-time code (shown once): {shown.text}")
    click.echo(_next(shown))


@person.command()
@click.option("--token", envvar="HANDRAIL_TOKEN", required=True, help="Your present token.")
@options.home
def renew(token: str, home: Path) -> None:
    """A new personal token in place of one that ends soon."""
    _show(options.command(home, RenewToken(ids=wire.IDS, token=token)))


@person.command()
@click.argument("token_id")
@click.option("--token", envvar="HANDRAIL_TOKEN", required=True)
@options.home
def revoke(token_id: str, token: str, home: Path) -> None:
    """End the token with this public id (the middle part of a token)."""
    done = options.command(home, RevokeToken(ids=wire.IDS, token_id=KeyId(token_id), token=token))
    click.echo(f"token {done.id} is revoked")


for _command in (sign_in.reset, sign_in.sessions, sign_in.factors):
    person.add_command(_command)


@click.group()
def key() -> None:
    """API keys: which use case a caller speaks for."""


scopes = click.option(
    "--scope", "scopes", type=click.Choice([scope.value for scope in Scope]), multiple=True, default=["chat"]
)


@key.command()
@click.option("--use-case", help="Its id. Left out: a key for events and reading over all use cases.")
@scopes
@click.option("--agent", default="", help="A name for the caller.")
@click.option("--days", type=click.IntRange(1, 3_650), help="Until it expires.")
@options.token
@options.home
def create(
    use_case: str | None, scopes: tuple[str, ...], agent: str, days: int | None, token: str | None, home: Path
) -> None:
    """Make an API key; it is printed once and only its hash is stored."""

    async def work(store: "Store") -> str:
        snapshot = await store.in_force.load()
        change = CreateKey(
            ids=wire.IDS,
            use_case=UseCaseId(use_case) if use_case else None,
            registered=frozenset(snapshot.ruleset.use_cases if snapshot else ()),
            scopes=frozenset(map(Scope, scopes)),
            agent=agent,
            expires_in_ms=None if days is None else days * DAY_MS,
            token=token,
        )
        return (await store.journal.run(change)).text

    click.echo(options.with_store(home, work))


@key.command("list")
@options.home
def list_keys(home: Path) -> None:
    """List keys: id, use case, scopes, state."""

    def look(tx: PeopleTransaction) -> list[str]:
        now = tx.now_ms
        return [
            "  ".join(
                [
                    one.id,
                    one.use_case or "(all use cases)",
                    ",".join(sorted(scope.value for scope in one.scopes)),
                    one.agent,
                    _state(one.revoked_at, one.expires_at, now),
                ]
            )
            for one in tx.keys.all()
        ]

    for line in options.command(home, look) or ["no keys yet: handrail key create --use-case ID"]:
        click.echo(line)


@key.command()
@click.argument("key_id")
@click.option(
    "--grace-hours",
    type=click.FloatRange(0, 8_760),
    default=24.0,
    show_default=True,
    help="How long the old one still serves.",
)
@click.option(
    "--days", type=click.IntRange(1, 3_650), help="Until the new one expires. Default: as the old one was made."
)
@options.token
@options.home
def rotate(key_id: str, grace_hours: float, days: int | None, token: str | None, home: Path) -> None:
    """A new key with the same rights; the old one ends after a time of grace.

    The new one lives as long as the old one was made for. In place of one that has expired it ends in any case: after a
    year, if that one was made without an end."""
    change = RotateKey(
        ids=wire.IDS,
        key_id=KeyId(key_id),
        grace_ms=int(grace_hours * 3_600_000),
        token=token,
        expires_in_ms=None if days is None else days * DAY_MS,
    )
    made = options.command(home, change)
    click.echo(made.text)
    ends = made.key.expires_at
    click.echo(f"good until {_minute(ends)}" if ends is not None else "good until it is rotated or revoked", err=True)


@key.command("revoke")
@click.argument("key_id")
@options.token
@options.home
def revoke_key(key_id: str, token: str | None, home: Path) -> None:
    """End a key within a second on every process."""
    click.echo(f"key {options.command(home, RevokeKey(ids=wire.IDS, key_id=KeyId(key_id), token=token)).id} is revoked")


def _next(shown: NewToken) -> str:
    return f"next, by her, until {_day(shown.token.expires_at)}: handrail person redeem {shown.text}"


def _show(shown: NewToken) -> None:
    click.echo(f"personal token (shown once, ends {_day(shown.token.expires_at)}): {shown.text}")
    click.echo("keep it safe; commands read it from HANDRAIL_TOKEN")


def _state(revoked_at: int | None, expires_at: int | None, now: int) -> str:
    if revoked_at is not None:
        return f"revoked {_day(revoked_at)}"
    if expires_at is None:
        return "good"
    when = _minute(expires_at) if _day(expires_at) == _day(now) else _day(expires_at)
    return f"{'expired' if expires_at <= now else 'good until'} {when}"


def _minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")
