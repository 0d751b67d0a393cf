"""`handrail release`: make, compare, test, sign off, start, watch, promote, roll back and retire releases."""

import hashlib
import math
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from handrail.app import starting, wire
from handrail.app.judging import barred, incident
from handrail.cli import options
from handrail.policy.ramp import MAY_MISS, SCORES, Advance, Ramp
from handrail.policy.ruleset import digest
from handrail.releases import desk
from handrail.releases.diff import differences
from handrail.releases.judge import Conclusion, again
from handrail.releases.lifecycle import Rollout, State, lacking
from handrail.releases.release import Release, Target
from handrail.releases.store import ReleaseTransaction
from handrail.releases.unit import UnitRow
from handrail.releases.units import judge_options
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, ProviderId, UseCaseId
from handrail.trials.incidents import not_shown, without_test
from handrail.trials.store import TrialTransaction

if TYPE_CHECKING:
    from handrail.app.wire import Store

release_ = click.argument("release")
PORTION = 5_000


@click.group()
def release() -> None:
    """Changed releases: drafts, tests, canaries, what is live, and the way back."""


@release.command("new")
@click.option("--use-case", required=True)
@click.option("--prompt", type=click.File("r", encoding="utf-8"), help="Another managed prompt; - is standard input.")
@click.option("--model", "route", multiple=True, metavar="PROVIDER/MODEL", help="Another route, in order.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=JSON", help="Set; NAME= takes it away.")
@options.token
@options.home
def new(
    use_case: str, prompt: IO[str] | None, route: tuple[str, ...], parameters: tuple[str, ...], token: str | None,
    home: Path,
) -> None:  # fmt: skip
    """A draft: the live release with changes. What is changed in the home becomes one with handrail publish."""
    text = None if prompt is None else prompt.read()
    changes = dict(_parameter(one) for one in parameters)
    targets = tuple(_target(one) for one in route)

    def change(live: Release) -> Release:
        given = {**live.parameters, **changes}
        return msgspec.structs.replace(
            live, prompt=live.prompt if text is None else text, route=targets or live.route,
            parameters={name: value for name, value in sorted(given.items()) if value is not None},
            canaries=tuple(one for one in live.canaries if text is None or one in text),
        )  # fmt: skip

    made = options.command(
        home, desk.NewDraft(ids=wire.IDS, use_case=UseCaseId(use_case), change=change, digest=digest, token=token)
    )
    click.echo(f"{made.release}\nnext: handrail trial run --release {made.release[:12]}")


@release.command("list")
@click.option("--use-case")
@click.option("--json", "as_json", is_flag=True)
@options.home
def list_releases(use_case: str | None, as_json: bool, home: Path) -> None:
    """Every release that a ramp knows, the newest first."""
    rows = options.with_store(home, lambda store: store.units.rollouts())
    live = options.command(home, _live)
    for one in rows:
        if use_case is not None and one.use_case != use_case:
            continue
        if as_json:
            click.echo(msgspec.json.encode(_line(one)))
            continue
        words = [
            one.release[:12],
            one.state.value.replace("_", " "),
            one.use_case,
            _stage(one),
            one.frozen or one.asked,
        ]
        click.echo("  ".join(word for word in words if word))
    known = {one.release for one in rows}
    for name, digest_ in sorted(live.items()):
        if not as_json and digest_ not in known and (use_case is None or use_case == name):
            click.echo(f"{digest_[:12]}  live  {name}")
    if not rows:
        click.echo("no release was drafted; a use case with a ramp makes drafts of what is published", err=True)


@release.command()
@release_
@click.option("--against", help="Another release; left out: the live one.")
@options.home
def diff(release: str, against: str | None, home: Path) -> None:
    """What is different: the prompt word by word, model, parameters, tools."""

    def read(tx: ReleaseTransaction) -> tuple[Release, Release]:
        one = tx.rollouts.named(release)
        other = tx.rollouts.named(against).release if against else tx.releases.live().get(UseCaseId(one.use_case))
        if other is None:
            raise HandrailError(Code.NOT_FOUND, "nothing is live to compare it with; name another with --against")
        return tx.releases.get(other), tx.releases.get(one.release)

    lines = list(differences(*map(_unplanted, options.command(home, read))))
    for line in lines:
        click.echo(line)
    if not lines:
        click.echo("nothing is different")


@release.command()
@release_
@click.option("--junit", type=click.File("rb"), required=True, help="Results of its tests, as JUnit XML.")
@options.token
@options.home
def test(release: str, junit: IO[bytes], token: str | None, home: Path) -> None:
    """Record what its tests showed. Without green tests on its own digest a release cannot start."""
    raw = junit.read()
    passed, failed, answered = counted(raw)
    found = hashlib.sha256(raw).hexdigest()
    done = options.command(
        home,
        desk.RecordTests(
            ids=wire.IDS,
            release=release,
            passed=passed,
            failed=failed,
            digest=Digest(found),
            token=token,
            answered=answered,
        ),
    )
    click.echo(f"{done.release[:12]} is {done.state.value}: {passed} passed, {failed} failed")
    if failed or not passed:
        sys.exit(1)


@release.command()
@release_
@click.option("--as", "role", required=True, help="The role you sign for: owner, compliance.")
@options.token
@options.home
def sign(release: str, role: str, token: str | None, home: Path) -> None:
    """Your yes, for a role that the ramp asks for. Nobody signs what they wrote."""
    _tell(options.command(home, desk.Sign(ids=wire.IDS, release=release, role=role, token=token)))


@release.command()
@release_
@options.token
@options.home
def start(release: str, token: str | None, home: Path) -> None:
    """Begin its first stage, against what is live."""
    command = desk.Start(ids=wire.IDS, release=release, token=token, bars=barred)
    _tell(options.with_store(home, lambda store: starting.start(store, command)))
    _tell_untested(home, release)


@release.command()
@release_
@options.token
@options.home
def advance(release: str, token: str | None, home: Path) -> None:
    """The next stage, by hand."""
    _tell(options.command(home, desk.Advance(ids=wire.IDS, release=release, token=token, bars=barred, beside=incident)))


@release.command()
@release_
@options.token
@options.home
def freeze(release: str, token: str | None, home: Path) -> None:
    """Hold the ramp at its first share."""
    _tell(options.command(home, desk.Freeze(ids=wire.IDS, release=release, token=token)))


@release.command()
@release_
@options.token
@options.home
def thaw(release: str, token: str | None, home: Path) -> None:
    """Let a ramp that stands still go on."""
    _tell(options.command(home, desk.Thaw(ids=wire.IDS, release=release, token=token, beside=incident)))


@release.command()
@release_
@options.token
@options.home
def promote(release: str, token: str | None, home: Path) -> None:
    """Make a canary live. Running conversations end on the release they began on."""
    _tell(options.command(home, desk.Promote(ids=wire.IDS, release=release, token=token, bars=barred, beside=incident)))


@release.command()
@release_
@click.option("--finish", is_flag=True, help="Running conversations may end on it; else they leave at their next turn.")
@options.token
@options.home
def rollback(release: str, finish: bool, token: str | None, home: Path) -> None:
    """Take a canary back, or the live release to the one before it."""
    done = options.command(
        home, desk.RollBack(ids=wire.IDS, release=release, safety=not finish, token=token, beside=incident)
    )
    _tell(done)
    if live := options.command(home, _live).get(UseCaseId(done.use_case)):
        click.echo(f"{live[:12]} is live")


@release.command()
@release_
@options.token
@options.home
def retire(release: str, token: str | None, home: Path) -> None:
    """Give up a draft."""
    _tell(options.command(home, desk.Retire(ids=wire.IDS, release=release, token=token)))


@release.command()
@release_
@click.option("--json", "as_json", is_flag=True)
@options.home
def status(release: str, as_json: bool, home: Path) -> None:
    """How far it has come, what its units say so far, in one sentence and in numbers."""
    rollout, told, counts, sentence = options.with_store(home, lambda store: _status(store, release))
    if as_json:
        numbers = None if told is None else msgspec.json.encode(told)
        click.echo(
            msgspec.json.encode({**_line(rollout), "sentence": sentence, "numbers": msgspec.Raw(numbers or b"null")})
        )
        return
    click.echo(
        f"{rollout.release[:12]}  {rollout.use_case}  {rollout.state.value.replace('_', ' ')}  {_stage(rollout)}"
    )
    if rollout.tested:
        click.echo(f"tests: {rollout.tested.passed} passed, {rollout.tested.failed} failed")
    who = options.called(home)
    click.echo(f"written by {who(rollout.author)}")
    for sign in rollout.sign_offs:
        click.echo(f"signed off as {sign.role} by {who(sign.person)}, {_time(sign.at_ms)}")
    for line in filter(None, (rollout.frozen and f"stands still: {rollout.frozen}", rollout.asked, sentence)):
        click.echo(line)
    _tell_untested(home, rollout.release)
    _tell_lacking(home, rollout)
    for stage, arm, units, judged in counts:
        click.echo(f"stage {stage}  {arm}  {units} units, {judged} judged")
    if told is not None:
        for name, one in told.metrics.items():
            click.echo(
                f"{name}  canary {one.canary_mean:.4f} of {one.canary_units}, control {one.control_mean:.4f} of "
                f"{one.control_units}, evidence {one.log_e:.2f}"
            )
        click.echo(f"evidence of all together {told.log_e:.2f}; at {_limit(told):.2f} it is worse")


@release.command()
@release_
@click.option("--output", type=click.File("wb"), default="-", help="JSON Lines for handrail judge.")
@options.home
def export(release: str, output: IO[bytes], home: Path) -> None:
    """The units it was judged by, in the order of judging. The options that make handrail judge say the same go to
    standard error."""
    rollout, units = options.with_store(home, lambda store: _exported(store, release))
    for unit in units:
        output.write(msgspec.json.encode(exported(unit)) + b"\n")
    if rollout.ramp is not None:
        click.echo(" ".join(["handrail judge", *judge_options(rollout.ramp)]), err=True)
    elif units:
        click.echo(
            "these are the units of its last start; it is a draft again since, and the options of that ramp are not "
            "kept: those of today are in the ramp of its use case", err=True,
        )  # fmt: skip


@release.command()
@click.option("--use-case", required=True)
@click.option("--worse", multiple=True, required=True, metavar="METRIC=TIMES", help="Times as often with the release.")
@click.option("--rate", "rates", multiple=True, metavar="METRIC=RATE", help="Today's, where the ramp declares none.")
@click.option("--runs", type=click.IntRange(10, 10_000), default=300, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@options.home
def simulate(use_case: str, worse: tuple[str, ...], rates: tuple[str, ...], runs: int, seed: int, home: Path) -> None:
    """What the use case's ramp would do to customers: how many a bad release hurts, how soon it goes back, how often a
    good one does."""
    from handrail.releases import simulate as simulated  # deferred: numpy is an extra

    ramp = options.command(home, lambda tx: desk.ramp_in_force(tx, UseCaseId(use_case)))
    stages = [stage for stage in ramp.stages if not stage.pilot]
    if ramp.advance is Advance.SAFE:
        stages = stages[:1]  # what is worse is not shown to be safe, so it stays there
    asked = simulated.Asked(
        rates=_rates(ramp, dict(map(_number, rates))), worse=dict(map(_number, worse)),
        weights={one.name.value: one.weight for one in ramp.metrics},
        stages=tuple((stage.share, max(stage.least_units, 1)) for stage in stages),
        units=ramp.planned_units, runs=runs, alpha=ramp.alpha, bets=ramp.bets, seed=seed,
    )  # fmt: skip
    try:
        told = simulated.simulate(asked)
    except ImportError:
        raise click.ClickException("this needs numpy: pip install 'handrail[judge]'") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    low, high = told.good_interval
    click.echo(
        f"rolled back within {asked.units:,} units: {told.rolled_back:.0%} of {told.runs} runs\n"
        f"after units (both arms): mean {told.units[0]:,.0f}, 95 % within {told.units[1]:,.0f}\n"
        f"customers harmed: mean {told.harmed[0]:.1f}, 95 % at most {told.harmed[1]:.0f}\n"
        f"a release that is no worse: rolled back in {told.good_rolled_back:.1%} of the runs "
        f"({low:.1%} to {high:.1%}); promised: at most {ramp.alpha:.0%}\n"
        "Outcomes count here as soon as they happen; with delayed ones add the customers of one maturity time."
    )


def _tell_untested(home: Path, release: str) -> None:
    """Which closed incidents no case keeps from coming again, and what keeps this release from starting."""

    def look(tx: TrialTransaction) -> list[str]:
        rollout = tx.rollouts.named(release)
        lacks = not_shown(tx, rollout)
        return [*without_test(tx.incidents.closed_of(UseCaseId(rollout.use_case))), *([lacks] if lacks else [])]

    for line in options.command(home, look):
        click.echo(line)


def _tell_lacking(home: Path, rollout: Rollout) -> None:
    """What a draft needs next; nothing where its use case has no ramp any more."""
    if rollout.state not in (State.DRAFT, State.TESTED):
        return
    try:
        ramp = options.command(home, lambda tx: desk.ramp_in_force(tx, UseCaseId(rollout.use_case)))
    except HandrailError:
        return
    for line in lacking(rollout, ramp):
        click.echo(f"before it may start: {line}")


async def _status(store: "Store", name: str) -> tuple[Rollout, Conclusion | None, list[tuple[int, str, int, int]], str]:
    from handrail.releases.canary import Canary  # deferred: only who looks at units needs the statistics
    from handrail.releases.sentence import sentence

    rollout = await _named(store, name)
    if rollout.ramp is None:
        return rollout, None, [], ""
    canary = Canary(rollout)
    while units := await store.units.folded(rollout, after=canary.folded, limit=PORTION):
        canary.restore(units)
    told = canary.judge.conclude()
    done = "It was rolled back." if rollout.state is State.ROLLED_BACK else "It will be rolled back."
    said = rollout.reached.sentence if rollout.reached else sentence(told, unit=canary.counted, done=done, advise=False)
    if rollout.state is State.ROLLED_BACK and rollout.reached is None:
        said = f"It was rolled back without a verdict against it. Until then: {said}"
    if rollout.reached is not None and not canary.folded:  # its units are no longer kept
        told = msgspec.json.decode(rollout.reached.numbers, type=Conclusion)
        same = math.isclose(again(canary.judge.plan, told), told.log_e, abs_tol=1e-9)
        said += f" Its units are no longer kept; its totals {'give' if same else 'DO NOT give'} this evidence again."
    return rollout, told, await store.units.counts(rollout), said


async def _exported(store: "Store", name: str) -> tuple[Rollout, list[UnitRow]]:
    rollout = await _named(store, name)
    found: list[UnitRow] = []
    while units := await store.units.folded(rollout, after=len(found), limit=PORTION):
        found += units
    return rollout, found


async def _named(store: "Store", name: str) -> Rollout:
    found = [one for one in await store.units.rollouts() if name and one.release.startswith(name)]
    if len(found) != 1:
        raise HandrailError(Code.NOT_FOUND, "name one release by the first characters of its digest; see release list")
    return found[0]


def exported(unit: UnitRow) -> dict[str, Any]:
    """A unit as `handrail judge` reads it."""
    return {
        "arm": unit.arm, "share": unit.share, "stage": unit.stage, "unit": unit.unit, "metrics": unit.metrics,
        "assigned_at": unit.assigned_at, "matured_at": unit.matured_at,
    }  # fmt: skip


def counted(junit: bytes) -> tuple[int, int, frozenset[str]]:
    """Tests that passed and that failed or broke, of JUnit XML, skipped ones are neither; and the releases that its
    suites say answered (those of `handrail trial` do). Raises ClickException."""
    if b"<!DOCTYPE" in junit or b"<!ENTITY" in junit:
        raise click.ClickException("this XML declares entities; JUnit results do not")
    try:
        root = ET.fromstring(junit)  # noqa: S314  entities were refused
    except ET.ParseError as error:
        raise click.ClickException(f"this is no JUnit XML: {error}") from None
    passed = failed = 0
    for case in root.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is None:
            passed += 1
    answered = frozenset(name for suite in root.iter("testsuite") for name in suite.get("release", "").split())
    return passed, failed, answered


def _line(one: Rollout) -> dict[str, Any]:
    return {
        "release": one.release, "use_case": one.use_case, "state": one.state.value, "author": one.author,
        "created_at": one.created_at, "control": one.control, "run": one.run, "stage": one.stage + 1,
        "share": one.share, "frozen": one.frozen, "asked": one.asked, "safety": one.safety,
        "verdict": one.reached.verdict if one.reached else None, "ended_at": one.ended_at,
    }  # fmt: skip


def _stage(one: Rollout) -> str:
    if one.state is not State.CANARY or one.ramp is None:
        return ""
    pilot = one.ramp.stages[one.stage].pilot
    whose = "new units" if not pilot else "the pilot " + ", ".join(f"{k} {v}" for k, v in sorted(pilot.items()))
    return f"stage {one.stage + 1} of {len(one.ramp.stages)}, {one.share:.3g} of {whose}"


def _tell(one: Rollout) -> None:
    still = one.frozen and f"stands still: {one.frozen}"
    click.echo("  ".join(filter(None, (one.release[:12], one.state.value.replace("_", " "), _stage(one), still))))


def _live(tx: ReleaseTransaction) -> dict[UseCaseId, Digest]:
    return tx.releases.live()


def _unplanted(release: Release) -> Release:
    """Without the planted words, which are others in each prompt and stay secret."""
    prompt = release.prompt
    for word in release.canaries:
        prompt = prompt.replace(word, "[planted]")
    return msgspec.structs.replace(release, prompt=prompt)


def _limit(told: Conclusion) -> float:
    return math.log(1 / told.alpha)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")


def _parameter(written: str) -> tuple[str, Any]:
    name, equals, value = written.partition("=")
    if not equals:
        raise click.UsageError(f"{written}: write NAME=JSON")
    try:
        return name, msgspec.json.decode(value) if value else None
    except msgspec.DecodeError:
        return name, value


def _target(written: str) -> Target:
    provider, slash, model = written.partition("/")
    if not slash or not provider or not model:
        raise click.UsageError(f"{written}: write PROVIDER/MODEL")
    return Target(provider=ProviderId(provider), model=model)


def _number(written: str) -> tuple[str, float]:
    name, equals, value = written.partition("=")
    try:
        if equals:
            return name, float(value)
    except ValueError:
        pass
    raise click.UsageError(f"{written}: write METRIC=NUMBER")


def _rates(ramp: Ramp, given: dict[str, float]) -> dict[str, float]:
    """Today's rate of every metric that happens or not; a score cannot be drawn from a rate alone."""
    rates = {}
    for one in ramp.metrics:
        if one.name in SCORES:
            continue
        rate = given.get(one.name.value, one.reference)
        if rate is not None:
            rates[one.name.value] = rate
        elif one.name not in MAY_MISS:
            click.echo(f"note: {one.name.value} has no rate; give it one: --rate {one.name.value}=0.05", err=True)
    return rates
