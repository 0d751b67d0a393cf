"""`handrail erase | legal-hold | rotate-keys`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from handrail.app.rotate_kek import rotate_kek
from handrail.app.settings import environment
from handrail.cli import options
from handrail.ledger.erase import Who
from handrail.ledger.seal import WINDOW_DAYS
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.people.store import PeopleTransaction
from handrail.terms.actor import Actor
from handrail.terms.ids import CustomerId

if TYPE_CHECKING:
    from handrail.app.wire import Store

T = TypeVar("T")

customer_ = click.option("--customer", help="The id your system uses.")
conversation_ = click.option("--conversation", help="Our id, or the one your client gave.")
reason_ = click.option("--reason", required=True, help="A reference such as `request 4711`; recorded for ever.")


def _who(customer: str | None, conversation: str | None) -> Who:
    if (customer is None) == (conversation is None):
        raise click.UsageError("name one: --customer ID or --conversation ID")
    return Who(customer=CustomerId(customer) if customer else None, conversation=conversation)


def _as(home: Path, token: str | None, act: Act, work: "Callable[[Store, Actor], Awaitable[T]]") -> T:
    """Find out who asks, in the journal, then do it."""

    async def run(store: "Store") -> T:
        def allowed(tx: PeopleTransaction) -> Actor:
            return acting(tx, token, act)

        return await work(store, await store.journal.run(allowed))

    return options.with_store(home, run)


@click.command()
@customer_
@conversation_
@reason_
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.token
@options.home
def erase(
    customer: str | None, conversation: str | None, reason: str, yes: bool, token: str | None, home: Path
) -> None:
    """Destroy the key of a customer or a conversation. Cannot be undone; facts and log stay."""
    who = _who(customer, conversation)
    if not yes:
        click.confirm("This cannot be undone. Destroy the key?", abort=True)
    done = _as(home, token, Act.ERASE, lambda store, by: store.erasing.erase(who, reason=reason, by=by))
    click.echo(f"erased: {len(done.subjects)} subjects, {done.conversations} conversations, {done.payloads} payloads")
    for name in done.shared:
        click.echo(f"  left for a person to decide, names two customers: conversation {name}")
    click.echo(f"older copies of the database are closed within {WINDOW_DAYS} days, or now with: handrail rotate-keys")


@click.command()
@click.argument("what", type=click.Choice(["set", "lift"]))
@customer_
@conversation_
@reason_
@options.token
@options.home
def legal_hold(
    what: str, customer: str | None, conversation: str | None, reason: str, token: str | None, home: Path
) -> None:
    """Set or lift a legal hold: while it stands, neither erasure nor retention touches these records."""
    who = _who(customer, conversation)

    async def work(store: "Store", by: Actor) -> int:
        change = store.erasing.hold if what == "set" else store.erasing.lift
        return len((await change(who, reason=reason, by=by)).subjects)

    count = _as(home, token, Act.LEGAL_HOLD, work)
    click.echo(f"legal hold {'set on' if what == 'set' else 'lifted from'} {count} subjects")


@click.command()
@click.option("--kek", is_flag=True, help="The key-encryption key instead; the server must be stopped.")
@click.option("--new-env", metavar="NAME", help="With --kek, where keys.kek_env is used: the variable of the new key.")
@options.token
@options.home
def rotate_keys(kek: bool, new_env: str | None, token: str | None, home: Path) -> None:
    """Replace the sealing key and destroy the old one: copies of the database made before are then closed.

    With --kek, replace the key-encryption key: backups made before open only with the old one. A run that was
    interrupted goes on when called again."""
    if new_env and not kek:
        raise click.UsageError("--new-env goes with --kek")
    if kek:
        count = asyncio.run(rotate_kek(options.loaded(home), environment(), token=token, new_env=new_env))
        click.echo(f"{count} keys wrapped by a new key-encryption key; backups made before need the old one")
        if new_env:
            click.echo(f"now put what {new_env} holds in the variable that keys.kek_env names, then start the server")
        return
    done = _as(home, token, Act.ROTATE_KEYS, lambda store, by: store.erasing.rotate(by=by))
    click.echo(f"{done.subjects} subject keys wrapped anew; destroyed: {', '.join(done.destroyed) or 'nothing'}")
