"""`handrail notices ...`: what is on its way to receivers, what was given up, and whether a receiver can be reached."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from handrail.app import wire
from handrail.app.settings import environment
from handrail.approvals.lifecycle import State
from handrail.approvals.notices import Notice, NoticeState, Posted
from handrail.approvals.outbox import RetryNotice
from handrail.cli import options
from handrail.home.mistake import did_you_mean
from handrail.in_force.snapshot import InForce
from handrail.policy.notices import Event
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.app.wire.notices import Outcome

OPEN = frozenset({NoticeState.WAITING, NoticeState.GIVEN_UP})


@click.group()
def notices() -> None:
    """Notices of what waits for people: on their way, given up, tested."""


@notices.command("list")
@click.option("--state", "states", type=click.Choice([state.value for state in NoticeState]), multiple=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@options.home
def list_notices(states: tuple[str, ...], limit: int, as_json: bool, home: Path) -> None:
    """What waits to be sent and what was given up, the oldest first; sent ones by --state, for 30 days."""
    wanted = frozenset(map(NoticeState, states)) or OPEN

    async def work(store: "Store") -> tuple[list[Posted], int]:
        rows: list[Posted] = await store.notices.listed(wanted, limit=limit)
        over = [one for one in rows if await _moot(store, one)]
        return [one for one in rows if one not in over], len(over)

    rows, over = options.with_store(home, work)
    if over:
        click.echo(f"left out: {over} reminders of actions that wait no more; nobody is sent them", err=True)
    for one in rows:
        if as_json:
            click.echo(msgspec.json.encode(one))
            continue
        due = f"due {_time(one.due_at)}" if one.due_at is not None else "-"
        why = f"  last: {one.code}" if one.code else ""
        notice = one.notice
        click.echo(
            f"{notice.id}  {one.state.value}  {notice.receiver}  {notice.event}  {notice.about}  "
            f"{_time(notice.at_ms)}  tries {one.tries}  {due}{why}"
        )
    if not rows:
        click.echo("nothing waits and nothing was given up" if not states else "none", err=True)


@notices.command()
@click.argument("receiver")
@options.home
def test(receiver: str, home: Path) -> None:
    """Send RECEIVER a marked test message now, once, and say what came back. It is published as it stands."""

    async def work(store: "Store") -> "Outcome":
        snapshot = await store.in_force.load()
        if snapshot is None:
            raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish")
        known = snapshot.ruleset.notices.receivers
        if receiver not in known:
            hint = did_you_mean(receiver, known) or f"published: {', '.join(sorted(known)) or 'none'}"
            raise HandrailError(Code.NOT_FOUND, f"no receiver of this name is published; {hint}")
        from handrail.app.wire.notices import Delivery  # deferred: only this command sends

        now = wire.CLOCK.now_ms()
        delivery = Delivery(options.loaded(home), environment(), InForce(snapshot))
        try:
            return await delivery.deliver(
                Notice(
                    id=wire.IDS.new("nt"), receiver=receiver, event=Event.TEST.value, about="test", at_ms=now,
                    due_ms=now,
                )
            )  # fmt: skip
        finally:
            await delivery.close()

    outcome = options.with_store(home, work)
    if outcome.code:
        click.echo(f"{receiver}: not delivered: {outcome.detail}  [{outcome.code}]", err=True)
        sys.exit(1)
    click.echo(f"{receiver}: {outcome.detail}")


@notices.command()
@click.argument("notice")
@options.token
@options.home
def retry(notice: str, token: str | None, home: Path) -> None:
    """Send NOTICE again now, with its whole time: one that was given up, or that waits for its next try."""
    posted = options.command(home, RetryNotice(ids=wire.IDS, notice=notice, token=token))
    click.echo(f"{posted.notice.id} is due now; a running server sends it within a second")


async def _moot(store: "Store", posted: Posted) -> bool:
    """A reminder that will not be sent, since its action does not wait any more."""
    notice = posted.notice
    if posted.state is not NoticeState.WAITING or notice.event != Event.EXPIRING.value:
        return False
    try:
        return (await store.acts.get(ActionId(notice.about))).progress.state is not State.HELD
    except HandrailError as error:
        if error.code is Code.NOT_FOUND:
            return True
        raise


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
