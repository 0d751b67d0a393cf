"""Options that several commands share, and how a command opens the home."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from handrail.app import wire
from handrail.app.settings import HOME_VARIABLE, TOKEN_VARIABLE, Settings, environment, settings

if TYPE_CHECKING:
    from handrail.app.wire import Store

T = TypeVar("T")

home = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar=HOME_VARIABLE,
    show_default="the current folder",
    help="The home folder.",
)
token = click.option("--token", envvar=TOKEN_VARIABLE, help="Your personal token; once one person exists, needed.")


def loaded(folder: Path) -> Settings:
    """Raises HandrailError HOME_INVALID."""
    return settings(folder, environment())


def with_store(folder: Path, work: "Callable[[Store], Awaitable[T]]") -> T:
    """Open the storage of a home, work on it, close it."""
    given = loaded(folder)

    async def run() -> T:
        async with wire.opened(given, environment(), checkpoints=False) as store:
            return await work(store)

    return asyncio.run(run())


def command(folder: Path, change: Callable[[Any], T]) -> T:
    """Run one command on the journal: the change and its entries commit together."""

    async def work(store: "Store") -> T:
        return await store.journal.run(change)

    return with_store(folder, work)


def called(folder: Path) -> Callable[[str], str]:
    """Who an id is, for a person to read: `Ada (pe_...)`, with the id since two may have one name. What is nobody's id
    stays as it is."""
    names = command(folder, lambda tx: {str(one.id): one.name for one in tx.persons.all()})
    return lambda who: f"{names[who]} ({who})" if who in names else who
