"""`handrail find | show | log | report`."""

import re
import sys
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import orjson

from handrail.app import wire
from handrail.cli import options
from handrail.ledger.commitment import RecordedFacts, read_facts
from handrail.ledger.entry import EntryKind, InteractionFacts
from handrail.ledger.erase import reference
from handrail.ledger.read import MAX_LIMIT, PROJECTED, Found, Listing, Page, Query, interaction_facts
from handrail.policy.ruleset import AcceptedFailure
from handrail.review.reading import EntryReadFacts, PayloadReadFacts, RecordReading
from handrail.review.verdicts import Tally
from handrail.terms.decision import NO_ANSWER, Outcome, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import CustomerId, Digest, EntryId, InteractionId, UseCaseId
from handrail.watch.acted import Acted
from handrail.watch.outcomes import Reported, reported
from handrail.watch.refused import Refused
from handrail.watch.report import UseCaseReport
from handrail.watch.report import report as summarise
from handrail.watch.text import lines, unregistered

if TYPE_CHECKING:
    from handrail.app.wire import Store

Accepts = dict[UseCaseId, tuple[AcceptedFailure, ...]]
_SPAN = re.compile(r"(\d{1,9})([smhd])")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
since = click.option("--since", help="An instant (2026-11-21T10:00Z) or a span back from now (90m, 24h, 7d).")
until = click.option("--until", help="Likewise.")


def instant(text: str | None) -> int | None:
    """Unix ms."""
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return wire.CLOCK.now_ms() - int(span[1]) * _SECONDS[span[2]] * 1000
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text} is no instant; write 2026-11-21T10:00Z or 24h") from None
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)


@click.command()
@since
@until
@click.option("--use-case")
@click.option("--release", help="Its digest.")
@click.option("--finding", type=click.Choice([kind.value for kind in Kind], case_sensitive=False))
@click.option("--customer", help="The id your system uses; looked up by its keyed hash.")
@click.option("--conversation", help="Our id, or the one your client gave.")
@click.option("--verdict", type=click.Choice([one.value for one in Verdict]))
@click.option("--would-be", type=click.Choice([one.value for one in Verdict]), help="In observe mode: if enforced.")
@click.option("--outcome", type=click.Choice([one.value for one in Outcome]))
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@options.home
def find(
    since: str | None, until: str | None, use_case: str | None, release: str | None, finding: str | None,
    customer: str | None, conversation: str | None, verdict: str | None, would_be: str | None,
    outcome: str | None, limit: int, as_json: bool, home: Path,
) -> None:  # fmt: skip
    """Search interactions by their facts, newest first. Text is never searched."""
    if release is not None and _DIGEST.fullmatch(release) is None:
        raise click.BadParameter("a release is 64 hex digits, as handrail show prints it", param_hint="--release")
    query = Query(
        since_ms=instant(since),
        until_ms=instant(until),
        use_case=UseCaseId(use_case) if use_case else None,
        release=Digest(release) if release else None,
        finding=Kind(finding) if finding else None,
        customer=CustomerId(customer) if customer else None,
        conversation=conversation,
        verdict=Verdict(verdict) if verdict else None,
        would_be=Verdict(would_be) if would_be else None,
        outcome=Outcome(outcome) if outcome else None,
        limit=limit,
    )

    async def work(store: "Store") -> Page:
        page = await store.reader.find(query)
        if not page.found and query.use_case is not None:
            await _require_use_case(store, query.use_case)
        return page

    page = options.with_store(home, work)
    if page.found and not as_json:
        _heads("at", "interaction", "use case", "verdict", "outcome", "findings")
    for one in page.found:
        click.echo(msgspec.json.encode(one) if as_json else _line(one))
    if not page.found:
        click.echo("nothing found", err=True)
        if query.outcome is Outcome.INTERRUPTED:
            click.echo("a call whose process died is one after serve --lost-after, 15 minutes if left out", err=True)
        elif query.outcome in NO_ANSWER:
            click.echo("calls refused before an interaction began are only counted: handrail log --kind call", err=True)
    elif page.cursor:
        click.echo(f"more than {limit}: narrow the search or raise --limit", err=True)


def _line(one: Found) -> str:
    """One line of a search. A call that ended without an answer and that no rule denied has no verdict to show."""
    verdict = "-" if one.outcome in NO_ANSWER and one.verdict is Verdict.ALLOW else one.verdict.value
    if one.would_be not in (None, one.verdict):
        verdict += f" (would be {one.would_be.value})"
    outcome = one.outcome.value if one.outcome else ""
    kinds = ",".join(kind.value for kind in one.kinds)
    return f"{_time(one.at_ms)}  {one.interaction}  {one.use_case}  {verdict}  {outcome}  {kinds}"


def _heads(*names: str) -> None:
    """Heads of columns for a person; a program that reads the lines gets none."""
    if sys.stdout.isatty():
        click.secho("  ".join(names), bold=True)


@click.command()
@click.argument("interaction")
@click.option("--payload", is_flag=True, help="Also the masked texts; recorded as read.")
@click.option("--reason", default="", help="Needed with --payload: a reference such as `ticket 4711`.")
@click.option("--unmask", is_flag=True, help="With --payload: also what the masks stand for, and the customer's id.")
@options.token
@options.home
def show(interaction: str, payload: bool, reason: str, unmask: bool, token: str | None, home: Path) -> None:
    """Show one INTERACTION: its facts, its place in the log and, with --payload, its texts.

    Or one entry (en_..., as `handrail log` names it), such as action.done with its receipt: the digests in its facts
    are SHA-256 over the salt and the bytes. What an entry holds is not masked, so that needs --unmask too."""
    if unmask and not payload:
        raise click.UsageError("--unmask goes with --payload")
    if payload and not reason:
        raise click.UsageError("--payload needs --reason, a reference such as `ticket 4711`; it is recorded for ever")
    if payload and interaction.startswith("en_") and not unmask:
        raise click.UsageError("what an entry holds is not masked, such as a receipt's arguments: add --unmask")
    said = reference(reason) if payload else ""

    async def work(store: "Store") -> dict[str, object]:
        try:
            if interaction.startswith("en_"):
                shown = await store.reader.entry(EntryId(interaction))
            else:
                shown = await store.reader.show(InteractionId(interaction))
        except HandrailError as error:
            if error.code is Code.NOT_FOUND:
                raise HandrailError(Code.NOT_FOUND, _no_interaction(interaction)) from None
            raise
        out: dict[str, object] = {
            "entry": shown.entry,
            "index": shown.index,
            "at": _time(shown.recorded.at_ms),
            "ruleset": shown.recorded.ruleset,
            "release": shown.recorded.release,
            "facts": orjson.loads(bytes(shown.recorded.facts)),
        }
        if payload:
            shown_facts = (
                EntryReadFacts(EntryId(interaction), said, unmask)
                if interaction.startswith("en_")
                else PayloadReadFacts(InteractionId(interaction), said, unmask)
            )
            await store.journal.run(RecordReading(ids=wire.IDS, reads=[shown_facts], token=token))
            out["payload"] = _texts(shown.payload, unmask=unmask) if shown.payload else f"({shown.missing or 'none'})"
        return out

    click.echo(orjson.dumps(options.with_store(home, work), option=orjson.OPT_INDENT_2))


def _no_interaction(name: str) -> str:
    """Why nothing is shown under a name, and where to look."""
    if name.startswith("cv_"):
        return f"{name} is a conversation: handrail find --conversation {name}"
    if name.startswith("ac_"):
        return (
            f"{name} is an action: handrail log --about {name} for what happened, handrail policy explain {name} for "
            f"why, handrail approvals show {name} for the case"
        )
    if name.startswith("en_"):
        return f"there is no entry {name}; handrail log lists them"
    return (
        f"no interaction is recorded under {name}; a call that was refused before it became one (a spent budget, a "
        "body that cannot be read) is only counted: handrail log --kind call; one whose process died is recorded as "
        f"interrupted later (serve --lost-after): handrail log --about {name}"
    )


def _texts(payload: bytes, *, unmask: bool) -> dict[str, object]:
    """The payload as a reader may see it."""
    found: dict[str, object] = orjson.loads(payload)
    if not unmask:
        for name in ("tokens", "customer"):
            if name in found:
                found[name] = "(--unmask shows it)"
    return found


@click.command()
@since
@until
@click.option("--kind", "wanted", multiple=True, help="A kind, such as key.created, or an area, such as key.")
@click.option("--about", help="Only entries about this id, such as ac_... of an action.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="With the facts.")
@options.home
def log(
    since: str | None, until: str | None, wanted: tuple[str, ...], about: str | None, limit: int, as_json: bool,
    home: Path,
) -> None:  # fmt: skip
    """List entries of the ledger by kind, newest first: who changed, erased, read or reported what."""
    kinds = tuple(kind for name in wanted for kind in _kinds(name))
    query = Listing(kinds=kinds, since_ms=instant(since), until_ms=instant(until), limit=limit)

    async def work(store: "Store") -> list[tuple[int, bytes]]:
        return await (store.reader.latest(query) if about is None else _about(store, query, about))

    found = options.with_store(home, work)
    if found and not as_json:
        _heads("at", "entry", "kind", "by", "use case", "about")
    for _, data in found:
        if as_json:
            click.echo(data)
            continue
        one = read_facts(data)
        whom = one.about or one.interaction or ""
        click.echo(f"{_time(one.at_ms)}  {one.id}  {one.kind}  {one.actor.id}  {one.use_case or '-'}  {whom}")
    if not found:
        click.echo("nothing found", err=True)
    elif len(found) == limit:
        click.echo(f"the newest {limit}: narrow the search or raise --limit", err=True)


async def _about(store: "Store", query: Listing, about: str) -> list[tuple[int, bytes]]:
    """As `latest`, of one id only: reads the whole ledger, since nothing is indexed by it."""
    found: deque[tuple[int, bytes]] = deque(maxlen=query.limit)
    after = 0
    while rows := await store.reader.entries(after, 2_000):
        for seq, data in rows:
            one = read_facts(data)
            if (
                about in (one.about, one.interaction, one.id)
                and (not query.kinds or one.kind in query.kinds)
                and (query.since_ms is None or one.at_ms >= query.since_ms)
                and (query.until_ms is None or one.at_ms < query.until_ms)
            ):
                found.append((seq, data))
        after = rows[-1][0]
    return list(reversed(found))


def _kinds(name: str) -> list[EntryKind]:
    """The kind of this name, or all of this area."""
    found = [kind for kind in EntryKind if name == kind.value or kind.value.startswith(f"{name.rstrip('.')}.")]
    if not found:
        areas = ", ".join(dict.fromkeys(kind.value.partition(".")[0] for kind in EntryKind))
        raise click.BadParameter(
            f"{name} is no kind of entry; areas are {areas}, kinds stand in docs/reference/entries.md",
            param_hint="--kind",
        )
    return found


@click.command()
@since
@until
@click.option("--use-case")
@options.home
def report(since: str | None, until: str | None, use_case: str | None, home: Path) -> None:
    """What happened, what enforcing would have done, and what was reported afterwards.

    Calls refused before an interaction began are counted by the minute, and stand here when that minute is over.

    Outcome events count for the conversations of the period, however late they came; each accepted failure of a use
    case is held, exceeded, or not measurable."""
    begin, end = instant(since), instant(until)

    refused, acted = Refused(begin, end), Acted(begin, end)

    only = UseCaseId(use_case) if use_case else None

    async def work(store: "Store") -> tuple[list[UseCaseReport], Accepts, int, list[Tally]]:
        facts: list[InteractionFacts] = []
        events: list[Reported] = []
        async for recorded in _entries(store):
            if refused.take(recorded) or acted.take(recorded):
                continue
            event = reported(recorded)
            if event is not None:
                events.append(event)
            elif (
                recorded.kind in PROJECTED
                and (begin is None or recorded.at_ms >= begin)
                and (end is None or recorded.at_ms < end)
            ):
                facts.append(interaction_facts(recorded))
        snapshot = await store.in_force.load()
        use_cases = snapshot.ruleset.use_cases.values() if snapshot else ()
        accepts = {one.id: one.accepted_failures for one in use_cases}
        rows = summarise(facts, events, refused.by_use_case, acted.by_use_case)
        if use_case is not None:
            rows = [row for row in rows if row.use_case == use_case]
            if not rows:
                await _require_use_case(store, UseCaseId(use_case))
        return rows, accepts, await store.outcomes.unmatched(), await store.verdicts.tallies(only)

    rows, accepts, unmatched, tallies = options.with_store(home, work)
    for line in lines(rows, accepts):
        click.echo(line)
    if use_case is None:
        for line in unregistered(refused.unregistered):
            click.echo(line)
    for one in tallies:
        click.echo(f"{one.use_case}: {one.right} of {one.right + one.wrong} words on {one.kind.value} say right (ever)")
    if unmatched:
        click.echo(f"{unmatched} outcome events have not found their conversation (handrail log --kind outcome)")


async def _require_use_case(store: "Store", name: UseCaseId) -> None:
    """Raises HandrailError NOT_FOUND when it is not in force."""
    snapshot = await store.in_force.load()
    names = sorted(snapshot.ruleset.use_cases) if snapshot else []
    if name not in names:
        known = f"in force are {', '.join(names)}" if names else "nothing is published yet"
        raise HandrailError(Code.NOT_FOUND, f"there is no use case {name}; {known}")


async def _entries(store: "Store") -> AsyncIterator[RecordedFacts]:
    """Of every kind, oldest first."""
    after = 0
    while rows := await store.reader.entries(after, 2_000):
        for _, data in rows:
            yield read_facts(data)
        after = rows[-1][0]


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
