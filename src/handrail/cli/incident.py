"""`handrail incident ...`: open, list, show, whom it concerns, tasks, notes, its moves."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from handrail.app import wire
from handrail.app.trials import trials_of
from handrail.cli import options
from handrail.home.read import read
from handrail.ledger.commitment import read_facts
from handrail.review import incident as moves
from handrail.review.incident import Incident, Scope, Severity
from handrail.review.incidents import Affected, Change, Open
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import Digest, UseCaseId
from handrail.trials.incidents import require_case

if TYPE_CHECKING:
    from handrail.app.wire import Store

DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
LONGEST = 160
"""Characters of a fact in the timeline."""
BEFORE_MS = 86_400_000
"""The timeline begins so long before the incident was opened, or where its scope begins."""
TIME = click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"])


@click.group()
def incident() -> None:
    """Incidents: what went wrong, whom it concerns, what is left to do, and the test that would have caught it."""


@incident.command("open")
@click.argument("use_case")
@click.argument("title")
@click.option("--severity", type=click.Choice([one.value for one in Severity]), default="S2", show_default=True)
@click.option("--release", default="", help="Digest, or its first characters: its interactions are concerned.")
@click.option("--finding", type=click.Choice([kind.value for kind in Kind]), help="Interactions with it are concerned.")
@click.option("--since", type=TIME, help="UTC, such as 2026-11-21T10:00Z: interactions from then on.")
@click.option("--until", type=TIME, help="UTC: interactions before.")
@click.option("--owner", default="", help="Who sees to it; else the owner of the use case.")
@options.token
@options.home
def open_incident(
    use_case: str, title: str, severity: str, release: str, finding: str | None, since: datetime | None,
    until: datetime | None, owner: str, token: str | None, home: Path,
) -> None:  # fmt: skip
    """Open one by hand. TITLE names no customer."""

    async def work(store: "Store") -> Incident:
        scope = Scope(
            release=await _digest(store, release) if release else None, finding=finding or "", since_ms=_ms(since),
            until_ms=_ms(until),
        )  # fmt: skip
        return await store.journal.run(
            Open(
                ids=wire.IDS, use_case=UseCaseId(use_case), title=title, severity=Severity(severity), scope=scope,
                token=token, owner=owner,
            )
        )  # fmt: skip

    made = options.with_store(home, work)
    click.echo(f"{made.id} is open; owner {made.owner or 'nobody'}")
    click.echo(f"whom it concerns: handrail incident affected {made.id}", err=True)


@incident.command("list")
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@options.home
def list_incidents(everything: bool, limit: int, as_json: bool, home: Path) -> None:
    """Incidents, the newest first."""
    rows: list[Incident] = options.with_store(
        home, lambda store: store.incidents.listed(all_states=everything, limit=limit)
    )
    for one in rows:
        if as_json:
            click.echo(msgspec.json.encode(one))
            continue
        left = sum(task.done_at is None for task in one.tasks)
        tasks = f"  {left} tasks left" if left else ""
        where = f"{one.severity.value}  {one.use_case}  {one.owner}"
        click.echo(f"{one.id}  {one.state.value}  {where}  {one.title}{tasks}")
    if not rows and not as_json:
        click.echo("no incidents" if everything else "no open incidents", err=True)


@incident.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True)
@options.home
def show(name: str, as_json: bool, home: Path) -> None:
    """One in full, with its timeline from the ledger."""

    async def work(store: "Store") -> tuple[Incident, list[bytes]]:
        one = await store.incidents.get(name)
        since = min(one.opened_at - BEFORE_MS, one.scope.since_ms or one.opened_at)
        until = (one.closed_at or wire.CLOCK.now_ms()) + 1
        return one, await store.incidents.timeline(one.id, one.use_case, since, until)

    one, rows = options.with_store(home, work)
    if as_json:
        click.echo(msgspec.json.encode(one))
        return
    click.echo(f"{one.id}  {one.state.value}  {one.severity.value}  {one.use_case}: {one.title}")
    click.echo(f"owner: {one.owner or 'nobody'}")
    for number, task in enumerate(one.tasks, 1):
        click.echo(f"task {number}: [{'x' if task.done_at is not None else ' '}] {task.text} {task.owner}".rstrip())
    who = options.called(home)
    for note in one.notes:
        click.echo(f"note {_time(note.at_ms)} {who(note.by)}: {note.text}")
    if one.test or one.no_test:
        click.echo(f"test that would have caught it: {one.test or 'none: ' + one.no_test}")
    click.echo("timeline:")
    for data in rows:
        recorded = read_facts(data)
        facts = _in_short(bytes(recorded.facts), {one.title, recorded.about, recorded.actor.id})
        about = _short(str(recorded.about))
        said = filter(None, (_time(recorded.at_ms), recorded.kind, recorded.actor.id, about, facts))
        click.echo("  " + "  ".join(said))
    click.echo("each entry in full: handrail log")


@incident.command()
@click.argument("name", metavar="ID")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write one JSON line per conversation.")
@click.option("--json", "as_json", is_flag=True)
@options.home
def affected(name: str, out: Path | None, as_json: bool, home: Path) -> None:
    """Whom it concerns: conversations and customers with an interaction on its release, with its finding, in its time.

    Customers are named by our id of them; who they are stands in the sealed payloads (handrail show)."""

    async def work(store: "Store") -> tuple[Incident, list[Affected]]:
        one = await store.incidents.get(name)
        return one, await store.incidents.affected(one.use_case, one.scope)

    one, rows = options.with_store(home, work)
    if out is not None:
        with out.open("wb") as file:
            for row in rows:
                file.write(msgspec.json.encode(row) + b"\n")
    told = summary(rows)
    if as_json:
        click.echo(msgspec.json.encode({"incident": one.id, **told}))
        return
    click.echo(
        f"{told['interactions']} interactions in {told['conversations']} conversations of {told['customers']} known "
        f"customers; {told['unknown']} conversations without a known customer, {told['erased']} erased since"
    )
    if rows:
        click.echo(f"first {_time(rows[0].first_ms)}, latest {_time(max(row.latest_ms for row in rows))}")
    if out is None and rows:
        click.echo("their ids: --out FILE", err=True)


def summary(rows: list[Affected]) -> dict[str, int]:
    """Counts of whom an incident concerns."""
    count: Counter[str] = Counter(interactions=0, conversations=len(rows), unknown=0, erased=0)
    people = set()
    for row in rows:
        count["interactions"] += row.interactions
        count["erased"] += row.erased
        if row.person:
            people.add(row.subject)
        elif not row.erased:
            count["unknown"] += 1
    return {**count, "customers": len(people)}


@incident.command()
@click.argument("name", metavar="ID")
@click.argument("text", required=False)
@click.option("--owner", default="", help="Who does it.")
@click.option("--done", type=click.IntRange(1), help="Number of a task that is done.")
@options.token
@options.home
def task(name: str, text: str | None, owner: str, done: int | None, token: str | None, home: Path) -> None:
    """Add a task, or say that one is done."""
    if (text is None) == (done is None):
        raise click.UsageError("give the text of a new task, or --done NUMBER")
    if done is not None:
        number = done
        _change(home, name, token, lambda one, _, now: moves.task_done(one, number, now=now), f"task {number} is done")
    else:
        _change(home, name, token, lambda one, _, __: moves.tasked(one, text or "", owner=owner), text or "")


@incident.command()
@click.argument("name", metavar="ID")
@click.argument("text")
@options.token
@options.home
def note(name: str, text: str, token: str | None, home: Path) -> None:
    """Write down what happened, what was done and what was learnt; it names no customer and stays in the ledger."""
    _change(home, name, token, lambda one, by, now: moves.noted(one, text, by=by.id, now=now), text)


@incident.command()
@click.argument("name", metavar="ID")
@options.token
@options.home
def contain(name: str, token: str | None, home: Path) -> None:
    """It hurts nobody any more."""
    _change(home, name, token, lambda one, _, now: moves.contained(one, now=now))


@incident.command()
@click.argument("name", metavar="ID")
@options.token
@options.home
def review(name: str, token: str | None, home: Path) -> None:
    """Its notes say what happened."""
    _change(home, name, token, lambda one, _, now: moves.reviewed(one, now=now))


@incident.command()
@click.argument("name", metavar="ID")
@click.option("--severity", type=click.Choice([one.value for one in Severity]))
@click.option("--owner", help="Who sees to it now.")
@options.token
@options.home
def change(name: str, severity: str | None, owner: str | None, token: str | None, home: Path) -> None:
    """Another severity or owner."""
    worse = Severity(severity) if severity else None
    _change(home, name, token, lambda one, _, __: moves.changed(one, severity=worse, owner=owner))


@incident.command()
@click.argument("name", metavar="ID")
@click.option("--test", default="", help="The test that would have caught it: of tests/*.yaml, or file::name of yours.")
@click.option("--no-test", default="", help="Why no test can.")
@options.token
@options.home
def close(name: str, test: str, no_test: str, token: str | None, home: Path) -> None:
    """It is over: its tasks are done, its notes written, and the next time a test catches it."""
    trials = trials_of(read(home)).trials if test else ()

    def move(one: Incident, _: Actor, now: int) -> Incident:
        after = moves.closed(one, test=test, no_test=no_test, now=now)
        if test:
            require_case(trials, one, test.strip())
        return after

    _change(home, name, token, move)


@incident.command()
@click.argument("name", metavar="ID")
@click.option("--test", default="", help="The test that would have caught it, as of close.")
@click.option("--no-test", default="", help="Why no test can.")
@options.token
@options.home
def retest(name: str, test: str, no_test: str, token: str | None, home: Path) -> None:
    """Another test of an incident that is closed.

    Every release of the use case must show it before it starts."""
    trials = trials_of(read(home)).trials if test else ()

    def move(one: Incident, _: Actor, __: int) -> Incident:
        after = moves.retested(one, test=test, no_test=no_test)
        if test:
            require_case(trials, one, test.strip())
        return after

    _change(home, name, token, move, said=f"its test is {test or 'none'}")


def _change(
    home: Path, name: str, token: str | None, move: Callable[[Incident, Actor, int], Incident], said: str = ""
) -> None:
    after = options.command(home, Change(ids=wire.IDS, incident=name, token=token, move=move, said=said))
    click.echo(f"{after.id} is {after.state.value}")


async def _digest(store: "Store", beginning: str) -> Digest:
    """Of the one stored release that begins so."""
    found: list[str] = await store.incidents.releases(beginning)
    if len(found) != 1:
        what = "no release begins" if not found else f"{len(found)} releases begin"
        raise HandrailError(Code.NOT_FOUND, f"{what} with {beginning!r}; see handrail release list")
    return Digest(found[0])


def _ms(at: datetime | None) -> int | None:
    return None if at is None else int(at.replace(tzinfo=UTC).timestamp() * 1_000)


def _in_short(facts: bytes, known: set[str]) -> str:
    """What an entry says, for a timeline: digests by their beginning, long texts cut, numbers of a verdict and what is
    known already left out."""
    found = []
    for name, value in msgspec.json.decode(facts).items():
        if isinstance(value, dict | list) or value in known:
            continue
        text = _short(str(value))
        found.append(f"{name} {text if len(text) <= LONGEST else text[:LONGEST] + '...'}")
    return ", ".join(found)


def _short(text: str) -> str:
    return DIGEST.sub(lambda found: found.group()[:12], text)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
