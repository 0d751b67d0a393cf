"""`handrail trial run | list | import`: synthetic conversations that belong to a release."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from handrail.app.trials import Wanted, cost_limit_of, mcp_url_of, run_trials, trials_of, url_of
from handrail.app.wire.policy import engines
from handrail.app.wire.recorded import incident_cases, recorded_case
from handrail.cli import options
from handrail.cli.tools import document
from handrail.home.codes import CURRENCIES
from handrail.home.compile import compile_home
from handrail.home.fields_trials import Attack
from handrail.home.problem import HomeInvalid
from handrail.home.read import read
from handrail.policy.ruleset import Ruleset
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId
from handrail.trials.attacks import Suite
from handrail.trials.attacks import attacks as attacks_on
from handrail.trials.case import Trial
from handrail.trials.desk import Recorded
from handrail.trials.imported import from_promptfoo, written
from handrail.trials.reading import read_trials
from handrail.trials.results import CaseResult, Results, by_attack, junit, lines
from handrail.trials.store import Run, TrialTransaction

if TYPE_CHECKING:
    from handrail.app.wire import Store


@click.group()
def trial() -> None:
    """Trials: synthetic conversations that a release must pass. They count in no figure and cause no effect."""


@trial.command("run")
@click.argument("cases", nargs=-1)
@click.option("--use-case", help="Only its cases.")
@click.option(
    "--release", default="", help="A draft, or any release, by the first digits of its digest; left out: live."
)
@click.option("--attacks", is_flag=True, help="Only attacks: those declared in the files, else all kinds.")
@click.option("--url", help="The running server; left out: that of the home.")
@click.option("--mcp-url", help="Its MCP door, for tools with `door: mcp`; left out: that of the home.")
@click.option("--junit", "report", type=click.Path(dir_okay=False, path_type=Path), help="Write the results for CI.")
@click.option("--parallel", type=click.IntRange(1, 32), default=4, show_default=True)
@click.option("--cost-limit", type=click.FloatRange(0), help="Stop at so much, in the organisation's currency.")
@click.option("--key", envvar="HANDRAIL_PROBE_KEY", help="A key with the scope probe; left out: made for this run.")
@click.option("--show", is_flag=True, help="Print the conversation of each case that fails.")
@options.token
@options.home
def run_command(
    cases: tuple[str, ...], use_case: str | None, release: str, attacks: bool, url: str | None, mcp_url: str | None,
    report: Path | None, parallel: int, cost_limit: float | None, key: str | None, show: bool, token: str | None,
    home: Path,
) -> None:  # fmt: skip
    """Run the CASES of tests/*.yaml (left out: all) against a running server. Exit code 1 when one fails.

    Run whole for a draft, they are the tests that it needs before it may start."""
    given = options.loaded(home)
    ruleset, trials = _trials(home)
    if attacks:
        trials = _attacks(trials, ruleset, use_case)
    chosen = _chosen(trials, cases, use_case)
    minor = None if cost_limit is None else cost_limit * 10 ** CURRENCIES[ruleset.currency]

    async def work(store: "Store") -> tuple[Results, list[Recorded]]:
        named = await store.journal.run(lambda tx: _release(tx, release)) if release else ""
        mine = chosen
        if named and use_case is None:
            of = (await store.in_force.release(Digest(named))).use_case
            mine = _chosen(chosen, (), of)
        _tell_drafts(trials, {one.use_case for one in mine})
        return await run_trials(
            store,
            Wanted(
                trials=mine, url=url or url_of(given), mcp_url=mcp_url or mcp_url_of(given),
                whole=not cases and not attacks, release=named, token=token, parallel=parallel,
                cost_limit=cost_limit_of(minor), keys={one.use_case: key for one in mine} if key else {},
                told=_progress(len(mine)),
            ),
        )  # fmt: skip

    results, recorded = options.with_store(home, work)
    _print(results, show=show)
    if report is not None:
        report.write_bytes(junit(results))
    for one in recorded:
        _say(one)
    for line in by_attack(results):
        click.echo(line)
    cost = results.cost_micro_minor / 1_000_000 / 10 ** CURRENCIES[ruleset.currency]
    click.echo(f"{results.passed} passed, {results.failed} not; cost {cost:.4f} {ruleset.currency}")
    if results.failed:
        sys.exit(1)


@trial.command("list")
@click.option("--use-case", help="Only of this one.")
@click.option("--release", default="", help="Only of this one, by the first digits of its digest.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@options.home
def list_command(use_case: str | None, release: str, limit: int, as_json: bool, home: Path) -> None:
    """Runs that are kept, newest first."""

    def look(tx: TrialTransaction) -> list[Run]:
        named = Digest(_release(tx, release)) if release else None
        return tx.trials.runs(UseCaseId(use_case) if use_case else None, named, limit=limit)

    runs = options.command(home, look)
    for one in runs:
        if as_json:
            click.echo(msgspec.json.encode(one))
            continue
        how = "probe" if one.scheduled else ("all cases" if one.whole else "some cases")
        missed = ", ".join(case.id for case in one.cases if not case.passed)
        click.echo(
            f"{_time(one.at_ms)}  {one.id}  {one.use_case}  {one.release[:12]}  {how}  "
            f"{one.passed} passed, {one.failed} not{f': {missed}' if missed else ''}"
        )
    if not runs:
        click.echo("no runs yet: handrail trial run", err=True)


@trial.command("import")
@click.argument("file", required=False)
@click.option("--from", "interaction", help="A recorded interaction instead of FILE: its conversation so far, masked.")
@click.option("--from-incident", "incident", help="A recorded incident instead: a draft of each of its conversations.")
@click.option("--most", type=click.IntRange(1, 50), default=5, show_default=True, help="Conversations of an incident.")
@click.option("--reason", default="", help="Needed with --from...: a reference such as `ticket 4711`; recorded.")
@click.option("--use-case", help="Of the cases; needed with FILE.")
@click.option("--judge", default="", help="The use case of a judge model, for rubrics.")
@click.option("--name", default="", help="The beginning of the cases' names.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write here; nothing is overwritten.")
@options.token
@options.home
def import_command(
    file: str | None, interaction: str | None, incident: str | None, most: int, reason: str, use_case: str | None,
    judge: str, name: str, output: Path | None, token: str | None, home: Path,
) -> None:  # fmt: skip
    """Draft cases from FILE, as promptfoo reads it (- is standard input), or from a recorded interaction.

    What has no equivalent is listed, here and at the head of the file. A person reads the draft."""
    if sum(one is not None for one in (file, interaction, incident)) != 1:
        raise click.UsageError("FILE, --from INTERACTION, or --from-incident ID")
    if file is None and not reason:
        raise click.UsageError("this needs --reason, a reference such as `ticket 4711`; it is recorded for ever")
    if interaction is not None:
        made, of = options.with_store(home, lambda store: recorded_case(store, interaction, reason, token, name))
        source = "From a recorded conversation, masked. Write what must come instead."
    elif incident is not None:
        made, of = options.with_store(home, lambda store: incident_cases(store, incident, reason, token, name, most))
        source = "From an incident, masked. Write what must come instead, then take `draft` out."
    else:
        if use_case is None:
            raise click.UsageError("--use-case: whose cases they are")
        try:
            made = from_promptfoo(document(str(file)), name=name or "imported", judge=judge)
        except ValueError as error:
            raise HandrailError(Code.REQUEST_INVALID, f"nothing can be imported: {error}") from None
        of, source = use_case, "Imported from another tool's tests."
    text = written(made, use_case=of, source=source)
    if output is None:
        click.echo(text, nl=False)
    else:
        try:
            with output.open("x", encoding="utf-8") as target:
                target.write(text)
        except FileExistsError:
            raise HandrailError(Code.ALREADY, f"{output} is there already, and nothing is overwritten") from None
    for line in made.left_out:
        click.echo(f"not imported: {line}", err=True)
    for wrong in read_trials({output.name if output else "draft": text}).mistakes:
        click.echo(str(wrong), err=True)
    click.echo(f"cases: {len(made.cases)}; parts that were not imported: {len(made.left_out)}", err=True)


def _trials(home: Path) -> tuple[Ruleset, tuple[Trial, ...]]:
    """Of a home without a mistake in its tests. Raises HandrailError HOME_INVALID."""
    text = read(home)
    try:
        ruleset = compile_home(text, engines()).ruleset
    except HomeInvalid as problem:
        raise HandrailError(Code.HOME_INVALID, f"the home has mistakes: handrail check {home} ({problem})") from None
    found = trials_of(text, ruleset)
    for one in found.mistakes:
        click.echo(str(one), err=True)
    if found.mistakes:
        raise HandrailError(Code.HOME_INVALID, f"mistakes in the tests: {len(found.mistakes)}; none was run")
    return ruleset, found.trials


def _chosen(trials: tuple[Trial, ...], cases: tuple[str, ...], use_case: str | None) -> tuple[Trial, ...]:
    """Raises HandrailError NOT_FOUND for a case that there is not, and when nothing is left."""
    unknown = sorted(set(cases) - {name for one in trials for name in (one.id, one.case)})
    if unknown:
        raise HandrailError(Code.NOT_FOUND, f"there is no case {unknown[0]} in tests/*.yaml")
    named = [one for one in trials if not cases or one.id in cases or one.case in cases]
    kept = tuple(one for one in named if use_case in (None, one.use_case) and (cases or not one.draft))
    if not kept:
        raise HandrailError(Code.NOT_FOUND, "there are no such cases in tests/*.yaml; nothing would be shown")
    return kept


def _attacks(trials: tuple[Trial, ...], ruleset: Ruleset, use_case: str | None) -> tuple[Trial, ...]:
    """The declared ones; of a use case that declares none every kind that needs no tool of its own."""
    names = [name for name in ruleset.use_cases if use_case in (None, name)]
    made = [one for one in trials if one.attack]
    for name in names:
        if not any(one.use_case == name for one in made):
            made += attacks_on(Suite(use_case=name, model=name, kinds=tuple(Attack), place=name))
            click.echo(f"{name} declares no attacks; {Attack.CONSENT} is left out, since it needs a tool", err=True)
    return tuple(made)


def _tell_drafts(trials: tuple[Trial, ...], use_cases: set[str]) -> None:
    for name in sorted({one.case for one in trials if one.draft and one.use_case in use_cases}):
        click.echo(f"not run: {name} is a draft; read it, write what must come, take `draft` out", err=True)


def _release(tx: TrialTransaction, beginning: str) -> str:
    """The whole digest. Raises HandrailError NOT_FOUND."""
    if len(beginning) == 64:
        return beginning
    found = {digest for digest in tx.releases.live().values() if digest.startswith(beginning)}
    return found.pop() if len(found) == 1 else tx.rollouts.named(beginning).release


def _progress(total: int) -> Callable[[CaseResult], None]:
    """A line that grows on a terminal; nothing elsewhere."""
    done = 0

    def told(_: CaseResult) -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            filled = 30 * done // total
            end = "\n" if done == total else ""
            click.echo(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done}/{total}{end}", nl=False, err=True)

    return told


def _print(results: Results, *, show: bool) -> None:
    for one in results.cases:
        for line in lines(one):
            click.echo(line)
        if show and not one.passed:
            for said in one.talk:
                click.echo(f"     {said.role}: {said.text}")


def _say(one: Recorded) -> None:
    run = one.run
    for name in one.missing:
        click.echo(f"missing: the case {name}")
    for name, change in one.changed.items():
        click.echo(f"changed: {run.use_case}/{name}: {change.why}")
    if one.rollout is not None:
        state = one.rollout.state.value.replace("_", " ")
        click.echo(f"release {run.release[:12]} is {state} by these {run.passed + run.failed} cases")


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
