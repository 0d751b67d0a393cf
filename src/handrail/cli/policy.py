"""`handrail policy test | explain | run`: the rules on actions, tried without a server."""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec
import orjson

from handrail.app import wire
from handrail.app.wire.policy import engines
from handrail.cli import options
from handrail.cli.case_text import escaped
from handrail.cli.look import instant
from handrail.home.check import look
from handrail.home.check_rules import Engines, played
from handrail.home.compile import all_mistakes, ruleset_of
from handrail.home.mistake import did_you_mean
from handrail.home.problem import HomeInvalid
from handrail.home.question_lines import LABELS, question_of
from handrail.home.questions import Questions
from handrail.home.read import read
from handrail.home.told_tool import tell
from handrail.home.written_actions import resolve
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import MAX_LIMIT, Listing
from handrail.policy.action import ActionDecision, ActionInput
from handrail.policy.explain_action import explain_action
from handrail.policy.ruleset import Mode, Ruleset
from handrail.terms.action import ActionId, ToolId
from handrail.terms.decision import Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId
from handrail.tools.registry import Tool

if TYPE_CHECKING:
    from handrail.app.wire import Store

ACTION_ID = "ac_"


@click.group()
def policy() -> None:
    """The rules on actions: test them, ask why, run them over recorded actions."""


@policy.command()
@click.option("--all", "everything", is_flag=True, help="A rule that no case matches fails too.")
@options.home
def test(everything: bool, home: Path) -> None:
    """Play the cases beside the rules (rules/*.test.yaml). Exit code 1 when one goes otherwise than it says."""
    playing = engines()
    checked = look(read(home), playing)
    if checked.mistakes:
        raise _invalid(home, HomeInvalid(checked.mistakes))
    ruleset = ruleset_of(checked)
    coverage = played(checked.played, ruleset, playing)
    assert coverage is not None
    for one in coverage.played:
        where = one.spot.place("name")
        click.echo(f"{'FAILED' if one.wrong else 'ok':6}  {one.name}  ({where.file}:{where.line})")
        if one.wrong:
            click.echo(f"        {one.wrong}")
    rules = len(ruleset.actions.rules)
    matched = rules - len(coverage.never)
    click.echo(f"{len(coverage.played)} cases, {len(coverage.failed)} failed; {matched} of {rules} rules matched")
    if coverage.never:
        click.echo(f"in no case: {', '.join(coverage.never)}")
    if coverage.failed or (everything and coverage.never):
        sys.exit(1)


@policy.command()
@click.argument("action")
@options.home
def explain(action: str, home: Path) -> None:
    """Say why: of a recorded ACTION (its id, ac_...) what was decided and why; of a tool what stands about it."""
    lines = _recorded(home, action) if action.startswith(ACTION_ID) else _declared(home, action)
    for line in lines:
        click.echo(line)


@policy.command()
@click.option("--input", "source", type=click.File("rb"), help="JSON Lines; - is standard input.")
@click.option("--since", help="Instead: the recorded actions since an instant or for a span (90m, 24h, 7d).")
@options.home
def run(source: IO[bytes] | None, since: str | None, home: Path) -> None:
    """Decide each line {"id", "use_case", "action", "arguments", "facts"?, "conversation"?, "history"?, "agent"?,
    "at"?} by the rules of the home, as if they were enforced; print {"id", "verdict", "reasons", "rules"} for each.

    With --since the recorded inputs are decided again, and each line says what was decided then and whether it differs.
    A line that cannot be read, or with a misspelt member, gets {"id", "line", "error"} in its place, and the exit code
    is 1. What is yours goes below "labels"; other members are ignored, and named once."""
    if (source is None) == (since is None):
        raise click.UsageError("one of --input FILE.jsonl and --since is needed")
    questions = _questions(home, engines(), cases=source is not None)
    failed = _answer_all(source, questions) if source is not None else _again(home, since, questions)
    if failed:
        sys.exit(1)


def _questions(home: Path, playing: Engines, *, cases: bool) -> Questions:
    ruleset = _ruleset(home, playing, cases=cases)
    assert playing.schema is not None
    return Questions(ruleset, schema=playing.schema, cel=playing.cel)


def _ruleset(home: Path, playing: Engines, *, cases: bool) -> Ruleset:
    """Of the folder as it is, published or not. `cases`: those beside the rules must pass; else one that does not is
    warned of, since who tries a changed rule on what was recorded may have its cases still to change."""
    checked = look(read(home), playing)
    wrong = all_mistakes(checked, playing)
    if checked.mistakes or (cases and wrong):
        raise _invalid(home, HomeInvalid(tuple(wrong)))
    for mistake in wrong:
        click.echo(f"warning: {mistake}", err=True)
    return ruleset_of(checked)


def _invalid(home: Path, problem: HomeInvalid) -> HandrailError:
    for mistake in problem.mistakes:
        click.echo(str(mistake), err=True)
    return HandrailError(Code.HOME_INVALID, f"the home has mistakes: handrail check {home}")


def _answer_all(source: IO[bytes], questions: Questions) -> bool:
    failed = False
    named: set[str] = set()
    out = sys.stdout.buffer
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        row: Any = None
        try:
            row = orjson.loads(line)
            question, foreign = question_of(row)
            named |= set(foreign)
            answered = questions.answer(question, now_ms=wire.CLOCK.now_ms())
            written = _line(row.get("id"), answered.enforced, questions, observed=answered.given)
        except (orjson.JSONDecodeError, ValueError) as error:
            failed = True
            name = row.get("id") if isinstance(row, dict) else None
            written = {"id": name, "line": number, "error": str(error)}
        out.write(orjson.dumps(written) + b"\n")
    out.flush()
    if named:
        listed = ", ".join(escaped(name) for name in sorted(named))
        click.echo(f'ignored members of lines: {listed}; what is yours may stand below "{LABELS}"', err=True)
    return failed


def _line(name: object, decision: ActionDecision, questions: Questions, *, observed: ActionInput) -> dict[str, Any]:
    """`observed`: the input; where its use case only observes, `observed` says so."""
    rules = {rule.place: rule for rule in questions.ruleset.actions.rules}
    line: dict[str, Any] = {
        "id": name,
        "verdict": decision.verdict.value,
        "reasons": [
            {"code": reason.code}
            | ({"rule": reason.rule} if reason.rule else {})
            | ({"side": reason.side} if reason.side else {})
            | ({"why": rules[reason.rule].why} if reason.rule in rules else {})
            for reason in decision.reasons
        ],
        "rules": list(decision.rules),
    }
    use_cases = questions.ruleset.use_cases
    if observed.use_case not in use_cases:
        hint = did_you_mean(observed.use_case, use_cases) or f"there is: {', '.join(sorted(use_cases))}"
        why = f'there is no use case "{observed.use_case[:100]}"; {hint}'
        line["reasons"] = [{"code": Code.USE_CASE_UNREGISTERED.value, "why": why}]
    if decision.change:
        line["change"] = decision.change
    if decision.route:
        line["route"] = decision.route
    use_case = use_cases.get(observed.use_case)
    if use_case is not None and use_case.mode is Mode.OBSERVE:
        line["mode"] = Mode.OBSERVE.value
    return line


def _again(home: Path, since: str | None, questions: Questions) -> bool:
    begin = instant(since)

    async def work(store: "Store") -> tuple[int, int, int]:
        seen = changed = lost = 0
        async for name, payload, facts in _decided(store, begin):
            seen += 1
            try:
                given = _INPUT.decode(payload) if payload is not None else None
            except msgspec.DecodeError:
                given = None
            if given is None:
                lost += 1
                _write({"id": name, "error": "its input cannot be read any more"})
                continue
            now = questions.decide(given)
            before = {"verdict": facts.get("would_be") or facts.get("verdict"), "rules": facts.get("rules", [])}
            differs = before["verdict"] != now.verdict.value or list(before["rules"]) != list(now.rules)
            changed += differs
            line = _line(name, now, questions, observed=given)
            _write(line | {"before": before, "differs": differs})
        return seen, changed, lost

    seen, changed, lost = options.with_store(home, work)
    click.echo(f"{seen} actions, {changed} decided otherwise, {lost} without their input", err=True)
    return lost > 0


async def _decided(store: "Store", since: int | None) -> AsyncIterator[tuple[str, bytes | None, Mapping[str, Any]]]:
    """Action, its decision's input, and the facts of the entry; oldest first, at most `MAX_LIMIT`."""
    query = Listing(kinds=(EntryKind.ACTION_DECIDED,), since_ms=since, limit=MAX_LIMIT)
    for _, data in reversed(await store.reader.latest(query)):
        recorded = read_facts(data)
        shown = await store.reader.entry(recorded.id)
        yield recorded.about, shown.payload, orjson.loads(bytes(recorded.facts))


def _recorded(home: Path, action: str) -> Iterator[str]:
    async def work(store: "Store") -> list[str]:
        stored = await store.acts.get(ActionId(action))
        snapshot = await store.in_force.load()
        facts = stored.about.facts
        verdict = facts.verdict or Verdict.HOLD
        decision = ActionDecision(verdict=verdict, reasons=facts.reasons, rules=facts.rules, would_be=facts.would_be)
        said = explain_action(decision, snapshot.ruleset.actions) if snapshot else []
        return [f"{action}: {facts.tool}, {stored.progress.state.value}", *said]

    return iter(options.with_store(home, work))


def _declared(home: Path, written: str) -> Iterator[str]:
    checked = look(read(home), engines())
    tool, wrong, hint = resolve(written, checked.actions.names())
    if tool is None:
        raise click.BadParameter(f"{wrong}; {hint}; the id of a recorded action begins with {ACTION_ID}")
    if checked.mistakes:
        raise _invalid(home, HomeInvalid(checked.mistakes))
    ruleset = ruleset_of(checked)
    return iter([*tell(ruleset.tools[tool], ruleset), *_lowered(home, ruleset.tools[tool])])


def _lowered(home: Path, tool: Tool) -> Iterator[str]:
    """Where its level is lower than the home says, by the installation of this home, if there is one."""

    async def work(store: "Store") -> Snapshot | None:
        return await store.in_force.load()

    try:
        snapshot = options.with_store(home, work) if options.loaded(home).data_dir.is_dir() else None
    except HandrailError as error:
        yield f"Whether its level is lowered now could not be read: {error.message}"
        return
    for name, kinds in sorted(snapshot.lowered.items()) if snapshot is not None else ():
        if snapshot is not None and tool.id in _tools(snapshot, name) and tool.type in kinds:
            yield f"Now in {name} at most {kinds[tool.type].value}: it was lowered, see handrail autonomy show {name}."


def _tools(snapshot: Snapshot, name: UseCaseId) -> tuple[ToolId, ...]:
    case = snapshot.ruleset.use_cases.get(name)
    return case.tools if case is not None else ()


def _write(line: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


_INPUT = msgspec.json.Decoder(ActionInput)
