"""Cases from elsewhere: a file as promptfoo reads it, or a recorded conversation; pure.

What has an equivalent is taken, and everything else is listed with its place and the reason: nothing is dropped
silently, so a person can see what the imported cases no longer show.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import orjson
import re2
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from handrail.trials.case import compiled

MOST = 2_000
"""Cases of one import: prompts times tests."""
HEAD = "# yaml-language-server: $schema=../schemas/trials.schema.json\n#\n# {source} Read every line.\n\n"
_HOLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.]*)\s*\}\}")
_TOKEN = re.compile(r"\[([A-Z]+(?:_[A-Z]+)*)_[A-Z2-7]{8}\]")
_KNOWN_TESTS = frozenset({"description", "vars", "assert"})
_KNOWN_TOP = frozenset({"description", "prompts", "tests", "defaultTest"})


@dataclass(slots=True)
class Imported:
    """`cases`: as `tests/*.yaml` has them. `left_out`: what was not taken, each with its place and why."""

    cases: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def from_promptfoo(document: Any, *, name: str, judge: str = "") -> Imported:
    """`name`: the beginning of the cases' names. `judge`: the use case of a judge model; empty: rubrics are left out.
    Raises ValueError for a document without prompts and tests."""
    if not isinstance(document, Mapping) or not isinstance(document.get("tests"), list):
        raise ValueError("prompts: and tests: are expected, as in promptfooconfig.yaml")
    made = Imported()
    for other in sorted(set(document) - _KNOWN_TOP):
        made.left_out.append(f"{other}: the release and the home decide this")
    given = document.get("prompts") or ["{{prompt}}"]
    prompts = given if isinstance(given, list) else [given]
    shared = document.get("defaultTest") or {}
    tests: list[Any] = document["tests"]
    pairs = itertools.product(enumerate(tests), enumerate(prompts))
    for (at, test), (number, prompt) in itertools.islice(pairs, MOST):
        place = f"tests[{at}]" if len(prompts) == 1 else f"tests[{at}] with prompts[{number}]"
        if not isinstance(test, Mapping):
            made.left_out.append(f"{place}: only tests that stand in the file itself are read")
            continue
        case = _case(test, shared, prompt, place, judge, made.left_out)
        if case is not None:
            case["id"] = _unique(f"{name}-{_slug(str(test.get('description', at + 1)))}", made.cases)
            made.cases.append({"id": case.pop("id"), **case})
    if len(document["tests"]) * len(prompts) > MOST:
        made.left_out.append(f"prompts times tests are more than {MOST}: the rest")
    return made


def _case(
    test: Mapping[str, Any], shared: Mapping[str, Any], prompt: Any, place: str, judge: str, left_out: list[str]
) -> dict[str, Any] | None:
    for other in sorted(set(test) - _KNOWN_TESTS):
        left_out.append(f"{place}.{other}: no equivalent")
    values = {**(shared.get("vars") or {}), **(test.get("vars") or {})}
    if any(isinstance(value, list | dict) for value in values.values()):
        left_out.append(f"{place}.vars: lists that make several tests of one; write them out")
        return None
    try:
        system, says = _talk(prompt, values)
    except ValueError as error:
        left_out.append(f"{place}: {error}")
        return None
    expects: list[dict[str, Any]] = []
    for at, one in enumerate([*(shared.get("assert") or []), *(test.get("assert") or [])]):
        spot = f"{place}.assert[{at}]"
        try:
            expects.append(_expect(one, values, judge))
        except ValueError as error:
            left_out.append(f"{spot}: {error}")
    case: dict[str, Any] = {"id": ""}
    if test.get("description"):
        case["why"] = str(test["description"])[:2_000]
    if system:
        case["system"] = system
    turns: list[dict[str, Any]] = [{"say": words} for words in says]
    if expects:
        turns[-1]["expect"] = expects
    return {**case, "turns": turns}


def _talk(prompt: Any, values: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The system prompt and what the customer says. Raises ValueError."""
    if isinstance(prompt, Mapping) and isinstance(prompt.get("raw"), str):
        prompt = prompt["raw"]
    if not isinstance(prompt, str):
        raise ValueError("its prompt is no text")
    if re.match(r"(file|https?|exec|python)://?|\S+\.(txt|json|yaml|js|py|md)$", prompt):
        raise ValueError("its prompt stands in another file; put the text in its place")
    text = _filled(prompt, values)
    try:
        messages = orjson.loads(text) if text.lstrip().startswith("[") else None
    except orjson.JSONDecodeError:
        messages = None
    if messages is None:
        return "", [text]
    if not all(isinstance(one, dict) and isinstance(one.get("content"), str) for one in messages):
        raise ValueError("a message of its prompt is no text")
    roles = [one.get("role") for one in messages]
    if "assistant" in roles or "user" not in roles:
        raise ValueError("its prompt writes the assistant's part too, which the release must say itself")
    system = "\n\n".join(one["content"] for one in messages if one.get("role") in ("system", "developer"))
    return system, [one["content"] for one in messages if one.get("role") == "user"]


def _filled(text: str, values: Mapping[str, Any]) -> str:
    """With the variables in place. Raises ValueError for one that is not there, or a template that does more."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise ValueError(f"the variable {found[1]} is not given")
        given = str(values[found[1]])
        if given.startswith("file://"):
            raise ValueError(f"the variable {found[1]} stands in another file")
        return given

    filled = _HOLE.sub(value, text)
    if "{%" in text or "{{" in _HOLE.sub("", text):
        raise ValueError("its prompt is a template that does more than put variables in")
    if not filled.strip():
        raise ValueError("its prompt is empty")
    return filled


def _expect(one: Any, values: Mapping[str, Any], judge: str) -> dict[str, Any]:
    """Raises ValueError with why there is no equivalent."""
    if not isinstance(one, Mapping) or not isinstance(one.get("type"), str):
        raise ValueError("an assertion needs a type")
    kind, value = str(one["type"]), one.get("value")
    negated = kind.startswith("not-")
    kind = kind.removeprefix("not-")
    if isinstance(value, str):
        if value.startswith("file://"):
            raise ValueError(f"{kind}: its value stands in another file")
        value = _filled(value, values)
    if "transform" in one:
        raise ValueError(f"{kind}: it transforms the answer first, which has no equivalent")
    made = _equivalent(kind, value, one, judge)
    return {**made, "not": True} if negated else made


def _equivalent(kind: str, value: Any, one: Mapping[str, Any], judge: str) -> dict[str, Any]:
    texts = [str(each) for each in value] if isinstance(value, list) else [str(value)]
    match kind:
        case "equals" if isinstance(value, str):
            return {"exact": value}
        case "contains" | "starts-with" if value is not None:
            return {"regex": ("^" if kind == "starts-with" else "") + _escaped(texts[0])}
        case "icontains" if value is not None:
            return {"contains": texts[0]}
        case "icontains-all" if value:
            return {"contains": texts}
        case "contains-any" | "icontains-any" if value:
            head = "(?i)" if kind.startswith("i") else ""
            return {"regex": head + "|".join(_escaped(each) for each in texts)}
        case "contains-all" if len(texts) == 1:
            return {"regex": _escaped(texts[0])}
        case "regex" if isinstance(value, str):
            try:
                compiled(value)
            except re2.error:
                raise ValueError("regex: RE2 has no look-around and no back-references") from None
            return {"regex": value}
        case "is-json":
            return {"schema": value if isinstance(value, dict) else {}}
        case "latency" if isinstance(one.get("threshold"), int | float):
            return {"within_ms": max(1, int(one["threshold"]))}
        case "cost":
            raise ValueError("cost: it counts US dollars; write cost_at_most in your currency")
        case "llm-rubric" if isinstance(value, str):
            if not judge:
                raise ValueError("llm-rubric: name the use case of a judge model (--judge)")
            return {"judge": {"asks": value[:2_000], "use_case": judge}}
        case _:
            raise ValueError(f"{kind}: no equivalent")


def _escaped(text: str) -> str:
    return re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", text)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or "case"


def _unique(name: str, cases: Sequence[Mapping[str, Any]]) -> str:
    known = {one["id"] for one in cases}
    name = name[:58]
    return next(each for at in itertools.count(1) if (each := name if at == 1 else f"{name}-{at}") not in known)


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of a recorded conversation, masked. `role`: user, assistant, tool, ..."""

    role: str
    text: str


def from_talk(said: Sequence[Heard], *, name: str, why: str, left_out: Sequence[str] = ()) -> Imported:
    """What the customer said, as the turns of a case; what must come instead is for a person to write. Raises
    ValueError when the customer said nothing."""
    made = Imported(left_out=list(left_out))
    turns: list[dict[str, Any]] = []
    for one in said:
        if one.role == "user":
            turns.append({"say": plain_masks(one.text)})
        elif one.role != "assistant":
            made.left_out.append(f"a message of the role {one.role}: give the model its tools under tools:")
    if not turns:
        raise ValueError("the customer's words are not there: they were erased, expired, or not fully read")
    made.left_out = list(dict.fromkeys(made.left_out))
    turns[-1]["expect"] = [{"outcome": "answered"}]
    made.cases.append({"id": name, "why": why, "turns": turns})
    return made


def plain_masks(text: str) -> str:
    """A mask of a conversation names its value; in a case it names the kind alone."""
    return _TOKEN.sub(lambda found: f"[{found[1]}]", text)


def written(made: Imported, *, use_case: str, source: str) -> str:
    """A file of `tests/`, what was left out among its first lines."""
    notes = "".join(f"# not imported: {' '.join(line.split())}\n" for line in made.left_out)
    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump({"use_case": use_case, "trials": [_literal(case) for case in made.cases]}, out)
    return HEAD.format(source=source) + (notes + "\n" if notes else "") + out.getvalue()


def _literal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    if isinstance(value, str) and "\n" in value and not re.search(r"[ \t]\n|\r|^\s", value):
        return LiteralScalarString(value)
    return value
