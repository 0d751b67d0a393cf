"""`handrail drill ...`: wrong requests among the held actions, and how many of them the approvers catch."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from handrail.app import wire
from handrail.app.settings import environment
from handrail.app.wire.acting import OnceActing
from handrail.approvals.drill import Drill, Row, results, share_text
from handrail.approvals.drills import ForgetResults, ReadResults, StartDrills
from handrail.approvals.made_up import Draw
from handrail.cli import options
from handrail.in_force.snapshot import InForce
from handrail.people.store import PeopleTransaction
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId, UseCaseId

if TYPE_CHECKING:
    from handrail.app.wire import Store

token = click.option("--token", envvar="HANDRAIL_TOKEN", required=True, help="Your personal token.")


@click.group()
def drill() -> None:
    """Drills: seeded wrong requests, which are never executed, and who catches them."""


@drill.command("approvals")
@click.option("--count", type=click.IntRange(1, 200), default=1, show_default=True)
@click.option("--use-case", help="Left out: any that has tools and enforces.")
@click.option("--route", default="", help="Left out: any.")
@click.option("--over", "hours", type=click.FloatRange(0, 720), default=0.0, help="Hours over which they come; 0: now.")
@click.option("--seed", help="The same seed over the same registry and queue makes the same requests.")
@token
@options.home
def seed_approvals(
    count: int, use_case: str | None, route: str, hours: float, seed: str | None, token: str, home: Path
) -> None:
    """Mix wrong requests into the queue of held actions. Owners and compliance may; nobody decides her own.

    They look like any other hold. Who decides one is told at once that it was a drill. With --over they come at times
    that nobody knows; the server must run then. A route's `drills_a_week` does the same for good."""
    given = options.loaded(home)
    chosen = seed or wire.IDS.token(16).hex()
    draw = Draw(wire.IDS.token(16).hex())
    offsets = tuple(sorted(draw.below(int(hours * 3_600_000) + 1) for _ in range(count)))

    async def work(store: "Store") -> tuple[int, list[str], int]:
        snapshot = await store.in_force.load()
        if snapshot is None:
            raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish")
        start = StartDrills(
            ids=wire.IDS, token=token, offsets_ms=offsets, seed=chosen, route=route,
            use_case=None if use_case is None else UseCaseId(use_case),
        )  # fmt: skip
        planned = await store.journal.run(start)
        if hours:
            return 0, [], len(planned)
        acting = OnceActing(given, environment(), store, InForce(snapshot))
        made, not_made = 0, []
        try:
            while True:
                put, skipped = await acting.made().drilling.due(snapshot, acting.prepared(snapshot))
                made += len(put)
                not_made += [why for _, why in skipped]
                if not put and not skipped:
                    return made, not_made, 0
        finally:
            await acting.close()

    made, not_made, planned = options.with_store(home, work)
    if planned:
        drills, time = "drill is" if planned == 1 else "drills are", "hour" if hours == 1 else "hours"
        click.echo(f"{planned} {drills} planned over {hours:g} {time}")
        return
    click.echo(f"{made} drills are in the queue")
    for why in dict.fromkeys(not_made):
        click.echo(f"{not_made.count(why)} not made: {why}", err=True)
    if not made:
        raise SystemExit(1)


@drill.command("results")
@click.option("--since", "days", type=click.IntRange(1, 3_650), default=90, show_default=True, help="Days back.")
@click.option("--person", help="Only this one, by id.")
@click.option("--route", help="Only this one.")
@click.option("--json", "as_json", is_flag=True)
@token
@options.home
def show_results(days: int, person: str | None, route: str | None, as_json: bool, token: str, home: Path) -> None:
    """How many drills each person caught, with the 95 % interval by Wilson's score.

    Owners, compliance and auditors see everybody's, others their own. No cases are no pass, and fewer than 10 say
    little: they are marked."""
    since = wire.CLOCK.now_ms() - days * 86_400_000

    async def work(store: "Store") -> tuple[list[Row], dict[str, str]]:
        found: tuple[Drill, ...] = await store.journal.run(ReadResults(token=token, since_ms=since))
        kept = [one for one in found if route in (None, one.made.route if one.made is not None else "")]
        if person is not None:
            kept = [one for one in kept if one.person == person]
        names = await store.journal.run(_names)
        return results(kept), names

    rows, names = options.with_store(home, work)
    for row in rows:
        if as_json:
            click.echo(msgspec.json.encode(row))
            continue
        who = "all persons" if row.person is None else f"{row.person} {names.get(row.person, '')}".strip()
        left = f"; {row.undecided} undecided" if row.undecided else ""
        click.echo(f"{who or 'forgotten'}  {row.route}  {share_text(row.rate)}{left}")
    if not rows:
        day = (datetime.fromtimestamp(wire.CLOCK.now_ms() / 1_000, UTC) - timedelta(days=days)).date()
        click.echo(f"no cases since {day}", err=True)


@drill.command("forget")
@click.argument("person")
@click.option("--reason", required=True, help="A reference, such as the number of the request; no name.")
@token
@options.home
def forget(person: str, reason: str, token: str, home: Path) -> None:
    """Results of PERSON say no longer whose they were; they stay as figures of their routes. For compliance."""
    change = ForgetResults(ids=wire.IDS, token=token, person=PersonId(person), reason=reason)
    click.echo(f"{options.command(home, change)} results are nobody's now")


def _names(tx: PeopleTransaction) -> dict[str, str]:
    return {person.id: person.name for person in tx.persons.all()}
