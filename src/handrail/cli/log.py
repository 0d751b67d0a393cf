"""`handrail verify | proof | check-proof | export | log-key`."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handrail.app import wire
from handrail.app.settings import environment
from handrail.app.wire import copies
from handrail.cli import options
from handrail.ledger.note import BadNote, Trust, VerifierKey, parse_verifier_key
from handrail.ledger.proof import check_proof as check
from handrail.ledger.proof import prove
from handrail.ledger.read import columns
from handrail.ledger.tree import BadProof
from handrail.ledger.verify import BadLog, Report
from handrail.ledger.verify import verify as run
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.people.store import PeopleTransaction
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId, InteractionId

if TYPE_CHECKING:
    from handrail.app.wire import Store

_LOOKS = "a public key looks like name+1a2b3c4d+AQ..., as handrail log-key prints it"
log_keys = click.option("--key", "keys", multiple=True, help="The log's public key, or a file with it.")
witnesses = click.option("--witness", "witnesses", multiple=True, help="A witness's public key, or a file with it.")
quorum = click.option("--quorum", type=int, default=0, help="So many witnesses must have cosigned.")


@click.command()
@click.argument("target", default=".")
@log_keys
@witnesses
@quorum
@click.option("--payloads", is_flag=True, help="Also check every ciphertext against the log.")
@click.option("--ca-file", help="PEM of an own authority, for an https address.")
def verify(
    target: str, keys: tuple[str, ...], witnesses: tuple[str, ...], quorum: int, payloads: bool, ca_file: str | None
) -> None:
    """Check the ledger at TARGET: a home folder, an address that ends with /log/, or an exported bundle.

    Names the first bad entry and ends with 1. For an address or a bundle give --key: a log that vouches for itself
    proves nothing to you."""
    held = "for an address only the log is checked"
    try:
        if target.startswith(("http://", "https://")):
            _needs_key(keys)
            with copies.HttpLog(target, ca_file=ca_file) as log:
                report = run(log.read, _trust(keys, witnesses, quorum))
        elif (Path(target) / "handrail.yaml").exists():
            held = "" if payloads else "payloads not read (--payloads)"
            report = _home(Path(target), keys, witnesses, quorum, payloads=payloads)
        else:
            report, held = _bundle(Path(target), keys, witnesses, quorum)
    except BadLog as bad:
        click.echo(f"BAD: {bad}")
        sys.exit(1)
    _show(report, held)


def _home(folder: Path, keys: tuple[str, ...], witnesses: tuple[str, ...], quorum: int, *, payloads: bool) -> Report:
    given = options.loaded(folder)
    if not keys:
        keys = tuple(key.verifier.encode() for key in wire.log_keys(given, environment(), make=False))
    trust = _trust(keys, witnesses, quorum, origin=given.boot.log_origin or "")

    async def work(store: "Store") -> Report:
        rows = wire.records(store, payloads=payloads)
        log = wire.LogFolder(given.log_dir)
        return await asyncio.to_thread(run, log.read, trust, records=rows, project=columns)

    return options.with_store(folder, work)


def _bundle(path: Path, keys: tuple[str, ...], witnesses: tuple[str, ...], quorum: int) -> tuple[Report, str]:
    """The report, and what of the records is not in the bundle."""
    try:
        try:
            bundle = copies.Export(path)
        except copies.Damaged:
            raise
        except (FileNotFoundError, ValueError) as error:
            raise click.ClickException(f"{error}; TARGET is a home folder, an address, or an exported bundle") from None
        return _opened(bundle, keys, witnesses, quorum)
    except copies.Damaged as error:
        raise BadLog(str(error)) from None


def _opened(
    bundle: copies.Export, keys: tuple[str, ...], witnesses: tuple[str, ...], quorum: int
) -> tuple[Report, str]:
    if not keys:
        click.echo("note: checked with the keys inside the bundle; give --key to know whose log it is", err=True)
        keys = tuple(bundle.keys())
    trust = _trust(keys, witnesses, quorum)
    if not bundle.has_records:
        return run(bundle.read, trust), "facts not in this bundle: only the log was checked"
    return run(bundle.read, trust, records=bundle), "" if bundle.has_payloads else "payloads not in this bundle"


def _show(report: Report, held: str) -> None:
    """`held`: what was not checked and why; no count is given of that."""
    checkpoint = report.trusted.checkpoint
    click.echo(
        f"OK: {report.entries} entries under the checkpoint of {checkpoint.origin}, root {checkpoint.root.hex()}"
    )
    click.echo(
        "  "
        + (f"facts {report.facts}, " if report.facts else "")
        + (f"index columns {report.columns}, " if report.columns else "")
        + (held or _payloads(report))
    )
    if report.entries == 0:
        click.echo("  the log is empty: nothing was shown")
    if report.witnessed is None:
        click.echo("  no outside witness: a rollback of this whole machine would not be noticed")
    else:
        names = ", ".join(name for name, _ in report.witnessed.cosigned)
        click.echo(f"  witnessed up to entry {report.witnessed.checkpoint.size} by {names}")


def _payloads(report: Report) -> str:
    absent = [
        (report.payloads_gone, "erased or past retention"),
        (report.payloads_untold, "absent when this bundle was made, which does not show why"),
        (report.payloads_left_out, "not read"),
    ]
    said = ", ".join(f"{count} {why}" for count, why in absent if count)
    return f"payloads {report.payloads}" + (f" ({said})" if said else "")


def _needs_key(keys: tuple[str, ...]) -> None:
    if not keys:
        raise click.UsageError("give --key, which the operator prints with: handrail log-key")


def _trust(keys: tuple[str, ...], witnesses: tuple[str, ...], quorum: int, origin: str = "") -> Trust:
    return Trust(
        log=tuple(_key(key) for key in keys),
        witnesses=tuple(_key(key) for key in witnesses),
        quorum=quorum,
        origin=origin,
    )


def _key(text: str) -> VerifierKey:
    path = Path(text)
    if "+" not in text and not path.is_file():
        raise click.BadParameter(f"there is no file {text}, and it is no public key: {_LOOKS}", param_hint="--key")
    try:
        return parse_verifier_key(text if "+" in text else path.read_text().strip())
    except (BadNote, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{error}; {_LOOKS}", param_hint="--key") from None


@click.command()
@click.argument("entry")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: ENTRY.tlog-proof")
@options.home
def proof(entry: str, out: Path | None, home: Path) -> None:
    """Write a proof file of ENTRY (an entry or interaction id): entry, place in the tree, signed checkpoint."""
    given = options.loaded(home)

    async def work(store: "Store") -> bytes:
        if entry.startswith("in_"):
            shown = await store.reader.show(InteractionId(entry))
        else:
            shown = await store.reader.entry(EntryId(entry))
        if shown.index is None:
            raise HandrailError(Code.NOT_FOUND, "this entry is not in the log yet; try again in a second")
        log = wire.LogFolder(given.log_dir)
        try:
            return prove(log.read, shown.index, shown.commitment, shown.facts).encode()
        except BadProof as error:
            raise HandrailError(Code.NOT_FOUND, f"no proof can be made yet: {error}") from None

    data = options.with_store(home, work)
    path = out or Path(f"{entry}.tlog-proof")
    path.write_bytes(data)
    click.echo(f"wrote {path} ({len(data)} bytes); anyone checks it with: handrail check-proof {path} --key KEY")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@log_keys
@witnesses
@quorum
def check_proof(file: Path, keys: tuple[str, ...], witnesses: tuple[str, ...], quorum: int) -> None:
    """Check a proof FILE against the log's public key; needs no server and no home."""
    _needs_key(keys)
    try:
        proven = check(file.read_bytes(), _trust(keys, witnesses, quorum))
    except (BadProof, BadNote) as error:
        click.echo(f"BAD: {error}")
        sys.exit(1)
    click.echo(f"OK: entry {proven.commitment.id} ({proven.commitment.kind}) stands at {proven.index}")
    click.echo(bytes(proven.facts.facts).decode())


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--payloads", is_flag=True, help="With the ciphertexts.")
@options.token
@options.home
def export(target: Path, payloads: bool, token: str | None, home: Path) -> None:
    """Write the log and its facts to TARGET (a folder, or a .zip file), for `handrail verify` anywhere."""
    given = options.loaded(home)
    keys = [key.verifier for key in wire.log_keys(given, environment(), make=False)]

    def allowed(tx: PeopleTransaction) -> Actor:
        return acting(tx, token, Act.EXPORT)

    async def work(store: "Store") -> copies.Exported:
        await store.journal.run(allowed)
        rows, log = wire.records(store, payloads=payloads), wire.LogFolder(given.log_dir)
        return await asyncio.to_thread(copies.export, log.read, rows, target, keys=keys, payloads=payloads)

    try:
        done = options.with_store(home, work)
    except (FileExistsError, BadProof) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"wrote {target}: {done.size} entries, {done.payloads} payloads")


@click.command()
@options.home
def log_key(home: Path) -> None:
    """Print the log's public key: give it to whoever checks the log."""
    for key in wire.log_keys(options.loaded(home), environment(), make=False):
        click.echo(key.verifier.encode())
