"""`handrail approvals ...`, `handrail stop | resume | undo`: what persons decide, with their personal tokens."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from handrail.app import wire
from handrail.app.settings import environment
from handrail.app.wire.acting import OnceActing
from handrail.approvals.batch import Member, Result, alike, decide_batch, in_batch
from handrail.approvals.behind import name_of
from handrail.approvals.halt import LiftStop, PullStop, revoke_stopped
from handrail.approvals.lifecycle import State
from handrail.approvals.route import APPROVERS
from handrail.approvals.settle import Approve, Deny, HandOn, HandTo, Settle, settled
from handrail.approvals.stop import Stop, StopScope
from handrail.approvals.store import Stored
from handrail.approvals.view import CaseView
from handrail.cli import options
from handrail.cli.case_text import case_text, escaped, escaped_json
from handrail.home.codes import money
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.app.wire.actions import Acting

T = TypeVar("T")
OPEN = frozenset({State.HELD, State.UNKNOWN})
"""What a person owes an answer."""
action = click.argument("action")
token = click.option("--token", envvar="HANDRAIL_TOKEN", required=True, help="Your personal token.")
reason = click.option("--reason", default="", help="Where the ruleset asks why you read: such as `ticket 4711`.")
comment = click.option("--comment", default="", help="For your colleagues; sealed like the call itself.")


_FILE = click.option("--batch", "lines", type=click.File(), help="Lines of ID and DIGEST, as `similar` prints.")
_BELOW = click.option("--below", type=click.IntRange(0), help="With --batch: only amounts up to this, in minor units.")


def batch(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a batch."""
    return _FILE(_BELOW(command))


@click.group()
def approvals() -> None:
    """Held actions, and who decides them."""


@approvals.command("list")
@click.option("--state", "states", type=click.Choice([state.value for state in State]), multiple=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@options.home
def list_cases(states: tuple[str, ...], limit: int, as_json: bool, home: Path) -> None:
    """What waits for a person, the oldest first. Nothing personal stands in it."""
    wanted = frozenset(map(State, states)) or OPEN
    rows = options.with_store(home, lambda store: store.acts.queue(wanted, limit=limit))
    for one in rows:
        if as_json:
            click.echo(msgspec.json.encode(one))
            continue
        amount = money(one.amount_minor, one.currency) if one.amount_minor is not None else "-"
        until = _time(one.decide_by) if one.decide_by is not None else "-"
        click.echo(
            f"{one.action}  {one.state.value}  {one.use_case}  {one.tool}  {amount}  {one.given}/{one.needs} "
            f"{one.route}  until {until}  {','.join(one.reasons)}"
        )
    if not rows:
        click.echo("nothing waits", err=True)


@approvals.command()
@action
@click.option("--json", "as_json", is_flag=True)
@reason
@token
@options.home
def show(action: str, as_json: bool, reason: str, token: str, home: Path) -> None:
    """One case: what, to whom, why it waits and by whose rule, how far it reaches, until when it can be undone.

    Also similar cases, where each value came from, the conversation, and what happens when nobody decides. The look
    is recorded."""
    case = options.with_store(home, lambda store: looked_at(store, ActionId(action), token, reason))
    if as_json:
        click.echo(escaped_json(msgspec.json.format(msgspec.json.encode(case), indent=2)))
        return
    for line in case_text(case):
        click.echo(line)


async def looked_at(store: "Store", action: ActionId, token: str, reason: str) -> CaseView:
    """The case, after the look was recorded. Raises HandrailError NOT_FOUND, TOKEN_INVALID, NOT_ALLOWED, REASON_NEEDED
    or REQUEST_INVALID."""
    from handrail.app.wire.cases import looked_at as look  # deferred: only this command needs it

    snapshot = await store.in_force.load()
    _, case = await look(store, action, token, snapshot=snapshot, reason=reason)
    return case


@approvals.command()
@action
@click.option("--below", type=click.IntRange(0), help="Only amounts up to this, in minor units.")
@click.option("--json", "as_json", is_flag=True)
@reason
@token
@options.home
def similar(action: str, below: int | None, as_json: bool, reason: str, token: str, home: Path) -> None:
    """ACTION and the waiting ones like it, that its route lets you decide together: ID and DIGEST in each line.

    Read them, keep the lines you mean, and give them to `approve --batch FILE` or `deny --batch FILE`. Each look is
    recorded."""

    async def work(store: "Store") -> list[CaseView]:
        first = await store.acts.get(ActionId(action))
        most = (first.about.route or APPROVERS).batch
        why_not = in_batch(first, below=below)
        if why_not:
            raise HandrailError(Code.NOT_ALLOWED, f"{why_not}; see: handrail approvals show {action}")
        found = [first.progress.action]
        for line in await store.acts.queue(frozenset({State.HELD}), limit=10_000):
            if len(found) == most:
                break
            if (line.tool, line.route, line.use_case) != (
                first.about.facts.tool, first.progress.route, first.about.use_case
            ) or line.action == first.progress.action:  # fmt: skip
                continue
            other = await store.acts.get(line.action)
            if alike(other) == alike(first) and not in_batch(other, below=below):
                found.append(line.action)
        return [await looked_at(store, one, token, reason) for one in found]

    for case in options.with_store(home, work):
        if as_json:
            click.echo(escaped_json(msgspec.json.encode(case)))
        else:
            arguments = msgspec.json.encode(case.arguments).decode()
            click.echo(escaped(f"{case.action} {case.digest} {case.customer or '-'} {arguments}"))


@approvals.command()
@click.argument("action", required=False)
@click.option("--digest", help="Of what you saw; `show` prints it.")
@batch
@comment
@token
@options.home
def approve(
    action: str | None, digest: str | None, lines: Any, below: int | None, comment: str, token: str, home: Path
) -> None:
    """Your yes to exactly the call whose --digest you saw; it runs within a second when no other yes is needed.

    With --batch to several similar ones, each by itself: what changed meanwhile is left out and told."""
    if lines is not None:
        _batch(home, action, lines, approve=True, token=token, comment=comment, below=below)
        return
    action = _named(action)
    if not digest:
        raise HandrailError(
            Code.REQUEST_INVALID,
            f"a yes is to what you saw: handrail approvals show {action}, then give the digest at its end: "
            f"handrail approvals approve {action} --digest DIGEST",
        )
    change = Approve(ids=wire.IDS, action=ActionId(action), digest=Digest(digest), token=token, comment=comment)
    _say(options.with_store(home, lambda store: settled(store.journal, change)))


@approvals.command()
@click.argument("action", required=False)
@batch
@comment
@token
@options.home
def deny(action: str | None, lines: Any, below: int | None, comment: str, token: str, home: Path) -> None:
    """Your no; one is enough. With --batch to several similar ones, with one comment for all."""
    if lines is not None:
        _batch(home, action, lines, approve=False, token=token, comment=comment, below=below)
        return
    action = _named(action)
    change = Deny(ids=wire.IDS, action=ActionId(action), token=token, comment=comment)
    _say(options.with_store(home, lambda store: settled(store.journal, change)))


@approvals.command()
@action
@click.option("--arguments", required=True, help="The whole arguments as JSON.")
@comment
@token
@options.home
def edit(action: str, arguments: str, comment: str, token: str, home: Path) -> None:
    """Other arguments: decided from the start, then approved like a new call."""
    try:
        values = msgspec.json.decode(arguments, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise click.BadParameter(f"not a JSON object: {error}", param_hint="--arguments") from None

    async def work(store: "Store", acting: "Acting", snapshot: Snapshot) -> Stored:
        prepared = acting.prepared(snapshot)
        stored = await store.acts.get(ActionId(action))
        return await acting.again.edit(stored, values, snapshot, prepared, token=token, comment=comment)

    _say(_with_acting(home, work))


@approvals.command("hand-on")
@action
@click.option("--route", help="To the people of this route, such as one that may decide a higher amount.")
@click.option("--to", help="To this person (id or address), who alone decides for a while; then the route again.")
@comment
@token
@options.home
def hand_on(action: str, route: str | None, to: str | None, comment: str, token: str, home: Path) -> None:
    """To another route, or to one person who may decide it: --route or --to."""
    if (route is None) == (to is None):
        raise click.UsageError("say to whom: --route ROUTE or --to PERSON")
    if to is not None:
        hand = HandTo(ids=wire.IDS, action=ActionId(action), to=to, token=token, comment=comment)
        stored = options.command(home, hand)
        _say(stored)
        click.echo(f"{stored.progress.handed_to} alone decides until {_time(stored.progress.handed_until or 0)}")
        return
    change = HandOn(ids=wire.IDS, action=ActionId(action), route=str(route), token=token, comment=comment)
    _say(options.command(home, change))


@approvals.command()
@action
@click.option("--done/--failed", default=None, help="Whether the effect is there, as you found out.")
@comment
@token
@options.home
def settle(action: str, done: bool | None, comment: str, token: str, home: Path) -> None:
    """What became of a call whose outcome nobody could tell: --done or --failed."""
    if done is None:
        raise click.UsageError("say what you found out: --done (the effect is there) or --failed (certainly not)")
    change = Settle(ids=wire.IDS, action=ActionId(action), done=done, token=token, comment=comment)
    _say(options.command(home, change))


@click.command()
@click.argument("scope", type=click.Choice([scope.value for scope in StopScope]), required=False, metavar="[SCOPE]")
@click.argument("value", required=False, default="")
@click.option("--reason", default="", help="For your colleagues; it names no customer.")
@click.option("--list", "listed", is_flag=True, help="Print the stops in force.")
@options.token
@options.home
def stop(scope: str | None, value: str, reason: str, listed: bool, token: str | None, home: Path) -> None:
    """Stop actions at once: SCOPE VALUE, or all. What waits under it is revoked.

    SCOPE is agent, use-case, tool, release, provider or all."""
    if listed:
        for one, name in options.with_store(home, _stops):
            by = f"{escaped(name)} ({one.by})" if name != one.by else one.by
            click.echo(f"{one.id}  {one.scope.value}  {one.value}  by {by}  {_time(one.at_ms)}  {escaped(one.reason)}")
        return
    if scope is None:
        raise click.UsageError("say what to stop: handrail stop SCOPE VALUE --reason ..., or --list")
    change = PullStop(ids=wire.IDS, scope=StopScope(scope), value=value, reason=reason, token=token)

    async def work(store: "Store") -> tuple[str, int]:
        made, revoked = await store.journal.run(change)
        return made.id, revoked + await revoke_stopped(store.journal, wire.IDS)

    name, revoked = options.with_store(home, work)
    click.echo(f"{name}: stopped; {revoked} waiting actions revoked. Another person lifts it: handrail resume {name}")


async def _stops(store: "Store") -> list[tuple[Stop, str]]:
    """The stops in force, with the name of who pulled each."""
    stops = await store.acts.stops()
    return await store.journal.run(lambda tx: [(one, name_of(tx, one.by)) for one in stops])


@click.command()
@click.argument("stop")
@options.token
@options.home
def resume(stop: str, token: str | None, home: Path) -> None:
    """Lift STOP; another person than who pulled it."""
    lifted = options.command(home, LiftStop(ids=wire.IDS, stop=stop, token=token))
    click.echo(f"{lifted.id} is lifted: {lifted.scope.value} {lifted.value}".rstrip())


@click.command()
@action
@token
@options.home
def undo(action: str, token: str, home: Path) -> None:
    """Undo ACTION by the call that its tool declares; that is an action of its own, decided like any other."""

    async def work(store: "Store", acting: "Acting", snapshot: Snapshot) -> Stored:
        stored = await store.acts.get(ActionId(action))
        return await acting.again.undo(stored, snapshot, acting.prepared(snapshot), token=token)

    _say(_with_acting(home, work))


def _named(action: str | None) -> str:
    if action is None:
        raise click.UsageError("name an ACTION, or several with --batch FILE")
    return action


def _batch(
    home: Path, action: str | None, lines: Any, *, approve: bool, token: str, comment: str, below: int | None
) -> None:
    """Exit code 1 when one was left out, so that a script does not take all for decided."""
    words = [line.split() for line in lines if line.strip()]
    if action is not None or any(len(each) < 2 for each in words):
        raise click.UsageError("--batch takes a file of lines that begin with ID and DIGEST, and no ACTION beside it")
    members = [Member(ActionId(each[0]), Digest(each[1])) for each in words]

    async def work(store: "Store") -> list[Result]:
        if not members:
            return []
        like = alike(await store.acts.get(members[0].action))
        return await decide_batch(
            store.journal, members, like, ids=wire.IDS, approve=approve, token=token, comment=comment, below=below
        )

    results = options.with_store(home, work)
    for one in results:
        if one.stored is not None:
            _say(one.stored)
        else:
            click.echo(f"{one.action} is left out: {escaped(one.left_out)}", err=True)
    if any(one.stored is None for one in results) or not results:
        raise SystemExit(1)


def _with_acting(folder: Path, work: "Callable[[Store, Acting, Snapshot], Awaitable[T]]") -> T:
    given = options.loaded(folder)

    async def run(store: "Store") -> T:
        snapshot = await store.in_force.load()
        if snapshot is None:
            raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish")
        once = OnceActing(given, environment(), store, InForce(snapshot))
        try:
            return await work(store, once.made(), snapshot)
        finally:
            await once.close()

    return options.with_store(folder, run)


def _say(stored: Stored) -> None:
    progress = stored.progress
    left = f"; {progress.needs - len(progress.approvals)} more needed" if progress.state is State.HELD else ""
    click.echo(f"{progress.action} is {progress.state.value}{left}  digest {progress.digest}")
    if stored.drilled is not None:
        click.echo(stored.drilled.sentence())


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
