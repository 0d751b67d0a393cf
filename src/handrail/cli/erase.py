"""`handrail erase | legal-hold | rotate-keys`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from handrail.app.rotate_kek import rotate_kek
from handrail.app.settings import environment
from handrail.app.wire.keys import rotate_permit_key
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
reason_ = click.option(
    "--reason", required=True, help="A reference with a number, such as `request 4711`; recorded for ever."
)


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
    """Destroy the key of a customer or a conversation. Cannot be undone; facts and log stay.

    A conversation that names two customers is left whole and listed; with --conversation it is erased by itself, which
    takes the words of both there. Where its words are sealed under the key to be destroyed, decide it first: until then
    nothing is erased. A legal hold on anybody whom it names blocks."""
    who = _who(customer, conversation)
    if not yes:
        try:
            click.confirm("This cannot be undone. Destroy the key?", abort=True)
        except click.Abort:
            click.echo("nothing was erased; --yes erases without asking", err=True)
            raise
    done = _as(home, token, Act.ERASE, lambda store, by: store.erasing.erase(who, reason=reason, by=by))
    click.echo(f"erased: {len(done.subjects)} subjects, {done.conversations} conversations, {done.payloads} payloads")
    for name in done.shared:
        click.echo(
            f"  left whole, for you to decide: conversation {name} names two customers, and the words of both are"
        )
        click.echo(f"  still there; to erase them: handrail erase --conversation {name} --reason REFERENCE")
    if not done.subjects:
        click.echo("the key of the customer who began it stays: older copies of it open until that customer is erased")
        return
    click.echo(f"older copies of the database are closed within {WINDOW_DAYS} days, or now with: handrail rotate-keys")


@click.group()
def legal_hold() -> None:
    """Set, lift or list legal holds: while one stands, neither erasure nor retention touches these records."""


@legal_hold.command(name="set")
@customer_
@conversation_
@reason_
@options.token
@options.home
def set_hold(customer: str | None, conversation: str | None, reason: str, token: str | None, home: Path) -> None:
    """Set a legal hold on a customer or a conversation."""
    who = _who(customer, conversation)
    done = _as(home, token, Act.LEGAL_HOLD, lambda store, by: store.erasing.hold(who, reason=reason, by=by))
    click.echo(f"legal hold set on {len(done.subjects)} subjects")


@legal_hold.command(name="lift")
@customer_
@conversation_
@reason_
@options.token
@options.home
def lift_hold(customer: str | None, conversation: str | None, reason: str, token: str | None, home: Path) -> None:
    """Lift the legal hold on a customer or a conversation."""
    who = _who(customer, conversation)
    done = _as(home, token, Act.LEGAL_HOLD, lambda store, by: store.erasing.lift(who, reason=reason, by=by))
    click.echo(f"legal hold lifted from {len(done.subjects)} subjects")


@legal_hold.command(name="list")
@options.home
def list_holds(home: Path) -> None:
    """List the legal holds that stand, oldest first: since when, on whom, by whom, for which reference.

    A customer's own id is not kept in clear; one of the conversations stands for it."""
    holds = options.with_store(home, lambda store: store.reader.holds())
    for one in holds:
        since = datetime.fromtimestamp(one.since_ms / 1000, UTC).isoformat(timespec="seconds")
        click.echo(f"{since}  {one.subject}  {one.conversation or '-'}  {one.by}  {one.reason}")
    if not holds:
        click.echo("no legal hold stands", err=True)


@click.command()
@click.option("--kek", is_flag=True, help="The key-encryption key instead; the server must be stopped.")
@click.option("--permits", is_flag=True, help="The key that signs permits instead; twice, and one that leaked is void.")
@click.option("--new-env", metavar="NAME", help="With --kek, where keys.kek_env is used: the variable of the new key.")
@options.token
@options.home
def rotate_keys(kek: bool, permits: bool, new_env: str | None, token: str | None, home: Path) -> None:
    """Replace the sealing key and destroy the old one: copies of the database made before are then closed.

    With --kek, replace the key-encryption key: backups made before open only with the old one. A run that was
    interrupted goes on when called again. With --permits, new permits are signed by a new key at once; the one before
    stays published, so that permits which are out stay good, and older ones are destroyed."""
    if new_env and not kek:
        raise click.UsageError("--new-env goes with --kek")
    if permits and kek:
        raise click.UsageError("rotate one at a time: --kek or --permits")
    if permits:
        made = _as(home, token, Act.ROTATE_KEYS, rotate_permit_key)
        click.echo(f"permits are signed by {made.now}; destroyed: {', '.join(made.destroyed) or 'nothing'}")
        return
    if kek:
        count = asyncio.run(rotate_kek(options.loaded(home), environment(), token=token, new_env=new_env))
        click.echo(f"{count} keys wrapped by a new key-encryption key; backups made before need the old one")
        if new_env:
            click.echo(f"now put what {new_env} holds in the variable that keys.kek_env names, then start the server")
        return
    done = _as(home, token, Act.ROTATE_KEYS, lambda store, by: store.erasing.rotate(by=by))
    click.echo(f"{done.subjects} subject keys wrapped anew; destroyed: {', '.join(done.destroyed) or 'nothing'}")
