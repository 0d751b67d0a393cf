"""`handrail scan`: texts as JSON Lines in, findings as JSON Lines out."""

import sys
from functools import partial
from pathlib import Path
from typing import Protocol

import click
import msgspec
import orjson

from handrail.app.wire.policy import engines
from handrail.app.wire.request import ranking_runner
from handrail.cli import options
from handrail.detectors.catalogue import lines
from handrail.detectors.grounding import THRESHOLD
from handrail.detectors.scan import default_action
from handrail.detectors.scan import scan as read
from handrail.home.compile import compile_home
from handrail.home.problem import HomeInvalid
from handrail.home.read import read as read_home
from handrail.policy.evaluate import Found, Rules, Side
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Finding, Kind, Role
from handrail.terms.ids import UseCaseId

NONE = "none"
"""The action of a finding that leads to nothing: its score is below the rule's."""


class Action(Protocol):
    def __call__(self, finding: Finding, *, role: Role) -> str: ...


@click.command()
@click.option("--use-case", help="Say what this use case of the home would do.")
@click.option("--only", "kinds", help="Kinds, separated by commas.")
@click.option("--kinds", "show", is_flag=True, help="List every kind with its meaning.")
@options.home
def scan(use_case: str | None, kinds: str | None, show: bool, home: Path) -> None:
    """Read {"id", "text", "role"?, "context"?, "language"?} per line from standard input; print one line for each. A
    row that cannot be read gets {"id", "error"} in its place, and the exit code is 1. `context`, a string or a list, is
    what an assistant's text may rely on; before a user's message (the default role) it is what was said to them, the
    last string just before, and names the bare value in an answer such as "7658"."""
    if show:
        for kind, meaning in lines():
            click.echo(f"{kind.value:14} {meaning}")
        return
    wanted = _kinds(kinds)
    action = _action(home, use_case)
    runner = ranking_runner()
    failed = False
    out = sys.stdout.buffer
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        row: object = None
        try:
            row = orjson.loads(line)
            role = Role(row["role"]) if isinstance(row, dict) and row.get("role") in list(Role) else Role.USER
            done = read(row, runner, action=partial(action, role=role), kinds=wanted)
            out.write(msgspec.json.encode(done) + b"\n")
        except (orjson.JSONDecodeError, HandrailError) as error:
            failed = True
            name = row.get("id") if isinstance(row, dict) else None
            message = error.message if isinstance(error, HandrailError) else f"not JSON: {error}"
            out.write(orjson.dumps({"id": name, "line": number, "error": message}) + b"\n")
        out.flush()
    if failed:
        sys.exit(1)


def _kinds(given: str | None) -> frozenset[Kind]:
    if not given:
        return frozenset(Kind)
    names = [name.strip().upper() for name in given.split(",")]
    unknown = [name for name in names if name not in Kind.__members__]
    if unknown:
        raise click.BadParameter(f"{unknown[0]} is no kind; list them: handrail scan --kinds", param_hint="--only")
    return frozenset(Kind[name] for name in names)


def _default(finding: Finding, *, role: Role) -> str:
    if finding.kind is Kind.INJECTION and role in (Role.TOOL, Role.DOCUMENT):
        return "block"  # as a home does that says nothing else (`home.defaults`)
    return NONE if _weak(finding) else default_action(finding.kind)


def _weak(finding: Finding) -> bool:
    """A claim that is only reported so that answers can be ranked; the gateway never sees it."""
    return finding.kind is Kind.UNGROUNDED and finding.score < THRESHOLD


def _action(home: Path, use_case: str | None) -> Action:
    if use_case is None:
        return _default
    try:
        ruleset = compile_home(read_home(home), engines()).ruleset
    except HomeInvalid as problem:
        raise HandrailError(Code.HOME_INVALID, f"the home has mistakes: handrail check {home} ({problem})") from None
    found = ruleset.use_cases.get(UseCaseId(use_case))
    if found is None:
        known = ", ".join(sorted(ruleset.use_cases))
        raise click.BadParameter(f"no use case {use_case}; there are: {known}", param_hint="--use-case")
    rules = Rules(found)

    def action(finding: Finding, *, role: Role) -> str:
        side = Side.OUTPUT if role is Role.ASSISTANT else Side.INPUT
        done = rules.action(Found(kind=finding.kind, side=side, role=role, score=finding.score))
        return NONE if done is None or _weak(finding) else done.value

    return action
