"""Reads `tests/*.yaml` into cases, and tells every mistake of the files with its place; pure.

A file is read like the rest of the home (`home.tree`, `home.fit`): all mistakes, each with file, line and column. No
case of a file with a mistake is run: what cannot be read cannot be green.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from handrail.home.fields_trials import Attack, Dialect, Outcome, Side, TrialsFile, Way
from handrail.home.fit import Fitted, fit, shown
from handrail.home.mistake import Mistake, did_you_mean, mistake
from handrail.home.tree import parse
from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind
from handrail.tools.json_schema import compiled as compiled_schema
from handrail.trials.attacks import Suite, attacks
from handrail.trials.case import HOLE, ONE, Does, Expect, Persona, Tool, Trial, Turn, compiled


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
    """Drafts are among the cases; who runs them leaves them out. `texts`: name of each file to its text. `use_cases`,
    `tools`: those there are; None: not known here. `digits`: minor digits of the organisation's currency."""
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
    yield from _attacking(file, seen, tools)
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
                yield from _done(file, (*here, "turns", turn, "does"), one.get("does"), trial)


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
        if tool.get("answers") and "answer" in tool:
            yield mistake(
                file.place(*here, "tools", name, "answers"), "trial.answers", "answer and answers stand together",
                expected="one of the two",
            )  # fmt: skip
        action = tool.get("action")
        if isinstance(action, str) and tools is not None and action not in tools:
            yield mistake(
                file.place(*here, "tools", name, "action"), "trial.action", f"no tool {shown(action)} is registered",
                expected="the full name of one (UPSTREAM.NAME)", hint=did_you_mean(action, tools),
            )  # fmt: skip


def _attacking(file: Fitted, seen: dict[str, str], tools: Collection[str] | None) -> Iterator[Mistake]:
    given = file.value.get("attacks")
    none = ("trials",) not in file.keys or file.value.get("trials") == []
    if none and ("attacks",) not in file.keys:
        yield mistake(file.place(), "trial.none", "this file holds no case", expected="trials: or attacks:")
    if not isinstance(given, dict):
        return
    if file.value.get("use_case") is None:
        yield mistake(file.place("attacks"), "trial.use_case", "these attacks are of no use case",
                      expected="use_case at the top of the file")  # fmt: skip
    name = f"attacks on {file.value.get('use_case')} with the seed {given.get('seed', 1)}"
    if name in seen:
        yield mistake(
            file.place("attacks"), "trial.repeated", f"{name} stand in another file", hint=f"the first: {seen[name]}"
        )
    seen.setdefault(name, f"{file.place('attacks').file}:{file.place('attacks').line}")
    yield from _offered(file, ("attacks",), given, tools)
    offered, arguments = given.get("tools") or {}, given.get("arguments") or {}
    for name in arguments:
        if not (offered.get(name) or {}).get("action"):
            yield mistake(
                file.place("attacks", "arguments", name), "trial.attacks", f"no tool {shown(name)} with an action",
                expected=f"tools: {name}: with action: UPSTREAM.NAME", hint=did_you_mean(name, offered),
            )  # fmt: skip
    if Attack.CONSENT.value in (given.get("kinds") or ()) and not arguments:
        yield mistake(
            file.place("attacks", "kinds"), "trial.attacks", f"{Attack.CONSENT.value} has no action to ask for",
            expected="tools: with an action, and arguments: for it",
        )  # fmt: skip


def _done(
    file: Fitted, path: tuple[str | int, ...], given: Any, trial: Mapping[str, Any]
) -> Iterator[Mistake]:  # fmt: skip
    tools = trial.get("tools") or {}
    for at, one in enumerate(given or []):
        name = one.get("tool") if isinstance(one, dict) else None
        if isinstance(name, str) and not (tools.get(name) or {}).get("action"):
            yield mistake(
                file.place(*path, at, "tool"), "trial.does", f"{shown(name)} is no tool of this case with an action",
                expected=f"tools: {name}: with action: UPSTREAM.NAME", hint=did_you_mean(name, tools),
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
        if isinstance(calls, dict):
            yield from _schema(file, (*here, "calls", "schema"), calls.get("schema"))
            for argument, pattern in (calls.get("matches") or {}).items():
                yield from _pattern(file, (*here, "calls", "matches", argument), pattern)
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
        compiled_schema(schema)
    except ValueError as error:
        why = str(error).splitlines()[0][:200]
        yield mistake(file.place(*path), "expect.schema", f"this is no JSON Schema: {why}")


def _trials(file: Fitted, digits: int) -> Iterator[Trial]:
    value = file.value
    if value.get("attacks"):
        for dialect, stream, suffix in _ways({}, value):
            yield from attacks(_suite(file, dialect, stream, suffix))
    for at, given in enumerate(value.get("trials") or []):
        for dialect, stream, suffix in _ways(given, value):
            yield _trial(file, at, given, digits, dialect, stream, suffix)


def _ways(given: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[tuple[Dialect | None, bool, str]]:
    """In which APIs and ways it is asked, each with what its name ends with where there are several."""
    dialects = _several(given.get("dialect", value.get("dialect")))
    streams = _several(given.get("stream", value.get("stream")), False)
    for dialect in dialects:
        for stream in streams:
            names = [str(dialect)] if len(dialects) > 1 else []
            names += ["stream" if stream else "whole"] if len(streams) > 1 else []
            yield Dialect(dialect) if dialect else None, bool(stream), f"[{','.join(names)}]" if names else ""


def _several(given: Any, default: Any = None) -> list[Any]:
    if isinstance(given, list) and given:
        return list(dict.fromkeys(given))
    return [default if given is None or given == [] else given]


def _suite(file: Fitted, dialect: Dialect | None, stream: bool, suffix: str) -> Suite:
    value, given = file.value, file.value["attacks"]
    place = file.place("attacks")
    return Suite(
        use_case=value["use_case"], model=value.get("model", value["use_case"]),
        kinds=tuple(Attack(kind) for kind in given["kinds"]), each=given.get("each", 4), seed=given.get("seed", 1),
        system=given.get("system", ""), tools=_tools(given), arguments=given.get("arguments") or {}, dialect=dialect,
        stream=stream, suffix=suffix, place=f"{place.file}:{place.line}",
    )  # fmt: skip


def _trial(
    file: Fitted, at: int, given: Mapping[str, Any], digits: int, dialect: Dialect | None, stream: bool, suffix: str
) -> Trial:
    place, value = file.place("trials", at), file.value
    use_case = given.get("use_case", value.get("use_case"))
    return Trial(
        id=given["id"] + suffix, case=given["id"], use_case=use_case, model=value.get("model", use_case),
        why=given.get("why", ""), incident=given.get("incident", ""), draft=given.get("draft", False),
        dialect=dialect, stream=stream, customer=given.get("customer", ""), channel=given.get("channel", ""),
        system=given.get("system", ""), facts=given.get("facts") or {}, tools=_tools(given),
        turns=tuple(
            Turn(
                turn["say"],
                _expects(file, ("trials", at, "turns", number, "expect"), turn.get("expect"), digits),
                tuple(Does(one["tool"], one.get("arguments") or {}) for one in turn.get("does") or ()),
            )
            for number, turn in enumerate(given.get("turns") or [])
        ),
        persona=_persona(given["persona"]) if given.get("persona") else None,
        expect=_expects(file, ("trials", at, "expect"), given.get("expect"), digits),
        golden=given.get("golden", False), similar=given.get("similar", 0.5), place=f"{place.file}:{place.line}",
    )  # fmt: skip


def _tools(given: Mapping[str, Any]) -> tuple[Tool, ...]:
    return tuple(
        Tool(
            name=name, description=(tool or {}).get("description", ""),
            arguments=(tool or {}).get("arguments") or {"type": "object"}, action=(tool or {}).get("action", ""),
            answers=tuple((tool or {}).get("answers") or ((tool or {}).get("answer"),)),
            door=Way((tool or {}).get("door", Way.HTTP)),
        )
        for name, tool in (given.get("tools") or {}).items()
    )  # fmt: skip


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
                matches=call.get("matches") or {}, schema=call.get("schema") or {}, place=place,
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
