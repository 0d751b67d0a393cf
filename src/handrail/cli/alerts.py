"""`handrail alerts ...`: what the watch has found: list, show, acknowledge, close, silence."""

import re
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from handrail.app import wire
from handrail.cli import options
from handrail.watch.alarm import Acknowledge, EndSilence, Silencing
from handrail.watch.alert import Alert, AlertState, Silence

OPEN = frozenset({AlertState.RAISED, AlertState.ACKNOWLEDGED})
_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


@click.group()
def alerts() -> None:
    """What the watch has found: one alert for each cause, with how often it comes without a reason."""


@alerts.command("list")
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@options.home
def list_alerts(everything: bool, limit: int, as_json: bool, home: Path) -> None:
    """Alerts, the newest first, and the silences in force."""
    states = frozenset(AlertState) if everything else OPEN
    rows: list[Alert] = options.with_store(home, lambda store: store.watch.alerts(states=states, limit=limit))
    quiet: list[Silence] = options.with_store(home, lambda store: store.watch.silences(wire.CLOCK.now_ms()))
    for one in rows:
        if as_json:
            click.echo(msgspec.json.encode(one))
            continue
        times = f"{one.count} times, latest {_time(one.latest_ms)}" if one.count > 1 else _time(one.first.at_ms)
        silent = "  silent" if one.silent else ""
        click.echo(
            f"{one.id}  {one.state.value}  {one.first.severity.value}  {one.first.use_case}  {one.first.metric}  "
            f"{times}  {one.owner}{silent}"
        )
        click.echo(f"    {one.first.sentence}")
    for pause in quiet if not as_json else ():
        about = " ".join(filter(None, (pause.use_case, pause.metric))) or "everything"
        click.echo(f"{pause.id}  silence of {about} until {_time(pause.until_ms)}: {pause.reason}", err=True)
    if not rows and not as_json:
        click.echo("no alerts" if everything else "no open alerts", err=True)


@alerts.command()
@click.argument("alert")
@click.option("--json", "as_json", is_flag=True)
@options.home
def show(alert: str, as_json: bool, home: Path) -> None:
    """One alert in full."""
    one: Alert = options.with_store(home, lambda store: store.watch.alert(alert))
    if as_json:
        click.echo(msgspec.json.encode(one))
        return
    first = one.first
    lines = [
        ("state", one.state.value), ("severity", first.severity.value), ("what", first.sentence),
        ("false alarms", first.promise), ("use case", first.use_case), ("metric", first.metric),
        ("cause", first.cause), ("raised", _time(first.at_ms)),
        ("latest", f"{_time(one.latest_ms)}, {one.count} in all"),
        ("look at", one.latest), ("owner now", one.owner), ("escalated", f"{one.step} times"),
        ("next", _time(one.due_at) if one.due_at is not None else ""),
        ("silent", "told nobody until its silence is over" if one.silent else ""),
        ("answered by", options.called(home)(one.by)), ("note", one.note),
    ]  # fmt: skip
    for name, value in lines:
        if value:
            click.echo(f"{name + ':':14}{value}")


@alerts.command()
@click.argument("alert")
@click.option("--note", default="", help="What you know of it; names no customer.")
@click.option("--close", is_flag=True, help="It is over: the same cause is told anew.")
@options.token
@options.home
def ack(alert: str, note: str, close: bool, token: str | None, home: Path) -> None:
    """Say that you have ALERT: it escalates no further, and its evidence begins anew."""
    one = options.command(home, Acknowledge(ids=wire.IDS, alert=alert, token=token, note=note, close=close))
    click.echo(f"{one.id} is {one.state.value}")


@alerts.command()
@click.option("--use-case", default="", help="Of one use case; else of all.")
@click.option("--metric", default="", help="Of one metric; else of all.")
@click.option("--for", "lasts", required=True, help="How long, such as 30m, 2h or 7d; at most 30d.")
@click.option("--reason", required=True, help="Why; names no customer.")
@options.token
@options.home
def silence(use_case: str, metric: str, lasts: str, reason: str, token: str | None, home: Path) -> None:
    """Tell nobody of new alerts for a time. They are kept and listed all the same."""
    found = re.fullmatch(r"(\d{1,6})([mhd])", lasts)
    if found is None:
        raise click.BadParameter("write a number and m, h or d, such as 2h", param_hint="--for")
    made = options.command(
        home,
        Silencing(
            ids=wire.IDS, use_case=use_case, metric=metric, for_ms=int(found[1]) * _UNITS[found[2]], reason=reason,
            token=token,
        ),
    )  # fmt: skip
    click.echo(f"{made.id}: silent until {_time(made.until_ms)}")


@alerts.command()
@click.argument("silence_id", metavar="ID")
@options.token
@options.home
def unsilence(silence_id: str, token: str | None, home: Path) -> None:
    """End a silence now. What it hid is told.

    Its id stands in the list of alerts."""
    ended = options.command(home, EndSilence(ids=wire.IDS, silence=silence_id, token=token))
    click.echo(f"{ended.id} is over; what it hid is told")


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
