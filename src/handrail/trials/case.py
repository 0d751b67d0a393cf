"""Cases of `tests/*.yaml` as values, and every mistake of the files with its place; pure.

A file is read like the rest of the home (`home.tree`, `home.fit`): all mistakes, each with file, line and column. No
case of a file with a mistake is run: what cannot be read cannot be green.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs
import msgspec
import re2

from handrail.home.fields import ID
from handrail.home.fields_trials import Outcome, Side, TrialsFile
from handrail.home.fit import Fitted, fit, shown
from handrail.home.mistake import Mistake, did_you_mean, mistake
from handrail.home.tree import parse
from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind

FOLDER = "tests"
END = ".yaml"
HOLE = re.compile(r"\{([A-Za-z0-9_-]+)\}")
ONE = (
    "exact", "contains", "regex", "schema", "finds", "calls", "outcome", "verdict", "within_ms", "cost_at_most",
    "judge",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """One expectation: `what` is one of `ONE`, and the fields of it are set. `cost_micro_minor`: millionths of a minor
    unit."""

    what: str
    negated: bool = False
    texts: tuple[str, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind | None = None
    side: Side | None = None
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    verdict: Verdict | None = None
    outcome: Outcome | None = None
    at_most: float = 0.0
    judge: str = ""
    place: str = ""

    def __str__(self) -> str:
        said = {
            "exact": self.texts, "contains": self.texts, "regex": self.texts, "finds": (self.kind,),
            "calls": (self.tool, self.verdict), "outcome": (self.outcome,), "verdict": (self.verdict,),
            "within_ms": (f"{self.at_most:g}",), "cost_at_most": (f"{self.at_most:g}",), "judge": self.texts,
        }.get(self.what, ())  # fmt: skip
        words = ", ".join(str(one) for one in said if one)
        return f"{'not ' if self.negated else ''}{self.what}{': ' if words else ''}{words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """As in the file, with its facts put in. `asked`: (pattern, what is said)."""

    goal: str
    opens: str
    asked: tuple[tuple[str, str], ...]
    otherwise: str
    until: str
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What the model may call. `action`: the registered tool that the rules decide on; empty: none do."""

    name: str
    description: str
    arguments: Mapping[str, Any]
    action: str
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One case. `turns`: what is said and what is expected of each answer; empty for a persona."""

    id: str
    use_case: str
    model: str
    why: str = ""
    customer: str = ""
    channel: str = ""
    system: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Tool, ...] = ()
    turns: tuple[tuple[str, tuple[Expect, ...]], ...] = ()
    persona: Persona | None = None
    expect: tuple[Expect, ...] = ()
    golden: bool = False
    similar: float = 0.5
    place: str = ""

    @property
    def judges(self) -> frozenset[str]:
        """Use cases whose model it asks as a judge."""
        return frozenset(one.judge for one in (*self.expect, *(e for _, own in self.turns for e in own)) if one.judge)


@dataclass(frozen=True, slots=True)
class Read:
    """`trials`: of the files without a mistake."""

    trials: tuple[Trial, ...]
    mistakes: tuple[Mistake, ...]


def read_trials(
    texts: Mapping[str, str],
    *,
    use_cases: Collection[str] | None = None,
    tools: Collection[str] | None = None,
    digits: int = 2,
) -> Read:
    """`texts`: name of each file to its text. `use_cases`, `tools`: those there are; None: not known here. `digits`:
    minor digits of the organisation's currency."""
    trials: list[Trial] = []
    mistakes: list[Mistake] = []
    seen: dict[str, str] = {}
    for name in sorted(texts):
        root, wrong = parse(name, texts[name])
        found = list(wrong)
        if root is None and not wrong and texts[name].strip():
            continue  # comments only: switched off
        if root is not None or not wrong:
            fitted = fit(name, root, TrialsFile)
            found += fitted.mistakes
            if isinstance(fitted.value, dict):
                found += _meaning(fitted, seen, use_cases, tools)
            if not found:
                trials += _trials(fitted, digits)
        mistakes += found
    return Read(tuple(trials), tuple(sorted(set(mistakes))))


def _meaning(
    file: Fitted, seen: dict[str, str], use_cases: Collection[str] | None, tools: Collection[str] | None
) -> Iterator[Mistake]:
    own = file.value.get("use_case")
    yield from _use_case(file, ("use_case",), own, use_cases)
    for at, trial in enumerate(file.value.get("trials") or []):
        if not isinstance(trial, dict):
            continue
        here = ("trials", at)
        name, use_case = trial.get("id"), trial.get("use_case", own)
        if name in seen:
            yield mistake(
                file.place(*here, "id"), "trial.repeated", f"{shown(str(name))} is the name of another case",
                hint=f"the first is at {seen[name]}",
            )  # fmt: skip
        elif name:
            place = file.place(*here, "id")
            seen[name] = f"{place.file}:{place.line}"
        yield from _use_case(file, (*here, "use_case"), trial.get("use_case"), use_cases)
        if use_case is None:
            yield mistake(
                file.place(*here), "trial.use_case", "this case is of no use case",
                expected="use_case, here or at the top of the file",
            )  # fmt: skip
        yield from _talk(file, here, trial)
        yield from _offered(file, here, trial, tools)
        yield from _expected(file, (*here, "expect"), trial.get("expect"), trial, use_cases)
        for turn, one in enumerate(trial.get("turns") or []):
            if isinstance(one, dict):
                yield from _expected(file, (*here, "turns", turn, "expect"), one.get("expect"), trial, use_cases)


def _use_case(
    file: Fitted, path: tuple[str | int, ...], named: Any, known: Collection[str] | None
) -> Iterator[Mistake]:
    if isinstance(named, str) and known is not None and named not in known:
        yield mistake(
            file.place(*path), "trial.use_case", f"there is no use case {shown(named)}",
            expected=", ".join(sorted(known)) or "a use case of the home", hint=did_you_mean(named, known),
        )  # fmt: skip


def _talk(file: Fitted, here: tuple[str | int, ...], trial: Mapping[str, Any]) -> Iterator[Mistake]:
    persona = trial.get("persona")
    if bool(trial.get("turns")) == (persona is not None):
        yield mistake(
            file.place(*here), "trial.talk", "a case needs turns or a persona, one of the two",
            hint="turns: [{say: ...}]",
        )  # fmt: skip
    if not isinstance(persona, dict):
        return
    facts = persona.get("facts") or {}
    said: list[tuple[tuple[str | int, ...], Any]] = [(("opens",), persona.get("opens"))]
    said.append((("otherwise",), persona.get("otherwise")))
    for at, one in enumerate(persona.get("asked") or []):
        if isinstance(one, dict):
            said.append((("asked", at, "say"), one.get("say")))
            yield from _pattern(file, (*here, "persona", "asked", at, "about"), one.get("about"))
    yield from _pattern(file, (*here, "persona", "until"), persona.get("until"))
    for path, text in said:
        for hole in HOLE.findall(text or ""):
            if hole not in facts:
                yield mistake(
                    file.place(*here, "persona", *path), "trial.fact", f"the customer does not know {shown(hole)}",
                    expected=f"one of the persona's facts: {', '.join(sorted(facts)) or 'there are none'}",
                    hint=did_you_mean(hole, facts),
                )  # fmt: skip


def _offered(
    file: Fitted, here: tuple[str | int, ...], trial: Mapping[str, Any], tools: Collection[str] | None
) -> Iterator[Mistake]:
    for name, tool in (trial.get("tools") or {}).items():
        if not isinstance(tool, dict):
            continue
        yield from _schema(file, (*here, "tools", name, "arguments"), tool.get("arguments"))
        action = tool.get("action")
        if isinstance(action, str) and tools is not None and action not in tools:
            yield mistake(
                file.place(*here, "tools", name, "action"), "trial.action", f"no tool {shown(action)} is registered",
                expected="the full name of one (UPSTREAM.NAME)", hint=did_you_mean(action, tools),
            )  # fmt: skip


def _expected(
    file: Fitted,
    path: tuple[str | int, ...],
    given: Any,
    trial: Mapping[str, Any],
    use_cases: Collection[str] | None,
) -> Iterator[Mistake]:
    tools = trial.get("tools") or {}
    for at, one in enumerate(given or []):
        if not isinstance(one, dict):
            continue
        here = (*path, at)
        named = [name for name in ONE if (*here, name) in file.keys]  # also one whose value is mistaken
        if len(named) != 1:
            what = f"{' and '.join(named)} stand together" if named else "nothing is expected here"
            yield mistake(file.place(*here), "expect.one", what, expected=f"exactly one of {', '.join(ONE)}")
        yield from _pattern(file, (*here, "regex"), one.get("regex"))
        yield from _schema(file, (*here, "schema"), one.get("schema"))
        calls = one.get("calls")
        name = calls.get("tool") if isinstance(calls, dict) else calls
        spot = (*here, "calls", "tool") if isinstance(calls, dict) else (*here, "calls")
        if isinstance(name, str) and name not in tools:
            yield mistake(
                file.place(*spot), "expect.tool", f"the model is offered no tool {shown(name)} in this case",
                expected=", ".join(sorted(tools)) or "a tool under `tools`", hint=did_you_mean(name, tools),
            )  # fmt: skip
        elif isinstance(calls, dict) and "verdict" in calls and not (tools.get(name) or {}).get("action"):
            yield mistake(
                file.place(*here, "calls", "verdict"), "expect.action", "nothing decides on a call of this tool",
                expected=f"action: UPSTREAM.NAME under tools: {name}:",
            )  # fmt: skip
        judge = one.get("judge")
        if isinstance(judge, dict):
            yield from _use_case(file, (*here, "judge", "use_case"), judge.get("use_case"), use_cases)


def _pattern(file: Fitted, path: tuple[str | int, ...], pattern: Any) -> Iterator[Mistake]:
    if not isinstance(pattern, str):
        return
    try:
        compiled(pattern)
    except re2.error as error:
        why = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        yield mistake(
            file.place(*path), "expect.regex", f"this is no regular expression: {why}",
            expected="RE2 syntax, which has no look-around and no back-references",
        )  # fmt: skip


def _schema(file: Fitted, path: tuple[str | int, ...], schema: Any) -> Iterator[Mistake]:
    if not isinstance(schema, dict):
        return
    try:
        jsonschema_rs.validator_for(schema)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        why = str(error).splitlines()[0][:200]
        yield mistake(file.place(*path), "expect.schema", f"this is no JSON Schema: {why}")


def compiled(pattern: str, *, insensitive: bool = False) -> Any:
    """An RE2 expression. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not insensitive
    return re2.compile(pattern, options)


def _trials(file: Fitted, digits: int) -> Iterator[Trial]:
    value = file.value
    for at, given in enumerate(value["trials"]):
        place = file.place("trials", at)
        use_case = given.get("use_case", value.get("use_case"))
        yield Trial(
            id=given["id"],
            use_case=use_case,
            model=value.get("model", use_case),
            why=given.get("why", ""),
            customer=given.get("customer", ""),
            channel=given.get("channel", ""),
            system=given.get("system", ""),
            facts=given.get("facts") or {},
            tools=tuple(
                Tool(
                    name=name,
                    description=(tool or {}).get("description", ""),
                    arguments=(tool or {}).get("arguments") or {"type": "object"},
                    action=(tool or {}).get("action", ""),
                    answer=(tool or {}).get("answer"),
                )
                for name, tool in (given.get("tools") or {}).items()
            ),
            turns=tuple(
                (turn["say"], _expects(file, ("trials", at, "turns", number, "expect"), turn.get("expect"), digits))
                for number, turn in enumerate(given.get("turns") or [])
            ),
            persona=_persona(given["persona"]) if given.get("persona") else None,
            expect=_expects(file, ("trials", at, "expect"), given.get("expect"), digits),
            golden=given.get("golden", False),
            similar=given.get("similar", 0.5),
            place=f"{place.file}:{place.line}",
        )


def _persona(given: Mapping[str, Any]) -> Persona:
    facts = given.get("facts") or {}

    def filled(text: str) -> str:
        return HOLE.sub(lambda found: str(facts[found[1]]), text)

    return Persona(
        goal=given["goal"],
        opens=filled(given["opens"]),
        asked=tuple((one["about"], filled(one["say"])) for one in given.get("asked") or []),
        otherwise=filled(given.get("otherwise", "I do not know.")),
        until=given.get("until", ""),
        turns=given.get("turns", 8),
    )


def _expects(
    file: Fitted, path: tuple[str | int, ...], given: Sequence[Mapping[str, Any]] | None, digits: int
) -> tuple[Expect, ...]:
    return tuple(_expect(one, digits, f"line {file.place(*path, at).line}") for at, one in enumerate(given or []))


def _expect(one: Mapping[str, Any], digits: int, place: str) -> Expect:
    what = next(name for name in ONE if name in one)
    value, negated = one[what], bool(one.get("not", False))
    match what:
        case "exact" | "regex" | "contains":
            texts = tuple(value) if isinstance(value, list) else (value,)
            return Expect(what=what, negated=negated, texts=texts, place=place)
        case "schema":
            return Expect(what=what, negated=negated, schema=value, place=place)
        case "finds":
            found = value if isinstance(value, dict) else {"kind": value}
            side = Side(found["side"]) if "side" in found else None
            return Expect(what=what, negated=negated, kind=Kind(found["kind"]), side=side, place=place)
        case "calls":
            call = value if isinstance(value, dict) else {"tool": value}
            verdict = Verdict(call["verdict"]) if "verdict" in call else None
            return Expect(
                what=what, negated=negated, tool=call["tool"], arguments=call.get("arguments") or {}, verdict=verdict,
                place=place,
            )  # fmt: skip
        case "outcome":
            return Expect(what=what, negated=negated, outcome=Outcome(value), place=place)
        case "verdict":
            return Expect(what=what, negated=negated, verdict=Verdict(value), place=place)
        case "judge":
            return Expect(what=what, negated=negated, texts=(value["asks"],), judge=value["use_case"], place=place)
        case "cost_at_most":
            return Expect(what=what, negated=negated, at_most=value * 10**digits * 1_000_000, place=place)
        case _:
            return Expect(what=what, negated=negated, at_most=float(value), place=place)


def digest_input(trials: Sequence[Trial]) -> bytes:
    """Canonical bytes of the cases, so that a result says which cases it is of."""
    return msgspec.json.encode(sorted(trials, key=lambda one: one.id), order="sorted")


def is_use_case(name: str) -> bool:
    """Whether this has the form of the id of a use case."""
    return re.match(ID, name) is not None
