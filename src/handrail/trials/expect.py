"""Whether what came is what was expected; pure. An expectation that cannot be judged (an answer that never came, a
judge that says neither yes nor no) is not met, whichever way it is put."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind
from handrail.tools.json_schema import compiled as compiled_schema
from handrail.trials.case import Expect, compiled

SHOWN = 300
"""Characters of an answer that a failure repeats."""
_RANK = {Verdict.ALLOW: 0, Verdict.CHANGE: 1, Verdict.HOLD: 2, Verdict.DENY: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call of the model. `verdict`: what the net would have decided; None: it was not asked."""

    tool: str
    arguments: Any
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one turn. `findings`: (kind, side). `calls`: of all rounds of the turn. `error`: why there is no
    answer; empty: there is one. `vendor`, `served`: what the provider says of itself, in the answer and in its head."""

    text: str = ""
    outcome: str = ""
    verdict: Verdict = Verdict.ALLOW
    findings: tuple[tuple[Kind, str], ...] = ()
    calls: tuple[Call, ...] = ()
    ms: int = 0
    cost_micro_minor: int = 0
    release: str = ""
    vendor: str = ""
    served: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """`turn`: from 1; 0: the whole conversation. `got`: what came instead; it may repeat the answer."""

    turn: int
    expected: str
    got: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge model said: yes, no, or None for neither."""

    yes: bool | None
    said: str = ""


Judgements = Mapping[tuple[int, str, str], Judged]
"""By turn, use case of the judge and question."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that a judge must answer before a case can be judged."""

    turn: int
    use_case: str
    question: str
    answers: tuple[str, ...] = field(default=())


def judge(expect: Expect, answers: Sequence[Answer], turn: int, judged: Judgements) -> Failure | None:
    """`answers`: of the turn, or of the whole conversation (`turn` 0)."""
    broken = next((one.error for one in answers if one.error), "")
    told = {"outcome", "within_ms", "cost_at_most"} | (set() if expect.negated else {"finds"})
    if broken and expect.what not in told:
        return _failed(expect, turn, broken)
    if not answers:
        return _failed(expect, turn, "no answer came")
    met, got = _met(expect, answers, turn, judged)
    if met is None or met == expect.negated:
        return _failed(expect, turn, got)
    return None


def _failed(expect: Expect, turn: int, got: str) -> Failure:
    return Failure(turn=turn, expected=str(expect), got=got, place=expect.place)


def _met(expect: Expect, answers: Sequence[Answer], turn: int, judged: Judgements) -> tuple[bool | None, str]:
    """Whether it holds, as if not negated; None: nobody can tell. And what came."""
    text = "\n".join(one.text for one in answers)
    match expect.what:
        case "exact":
            return text.strip() == expect.texts[0].strip(), _short(text)
        case "contains":
            plain = _plain(text)
            return all(_plain(one) in plain for one in expect.texts), _short(text)
        case "regex":
            return compiled(expect.texts[0]).search(text) is not None, _short(text)
        case "schema":
            return _fits(expect.schema, answers[-1].text if turn == 0 else text)
        case "finds":
            return _finds(expect, answers)
        case "calls":
            return _calls(expect, answers)
        case "outcome":
            return expect.outcome is not None and any(one.outcome == expect.outcome.value for one in answers), (
                ", ".join(dict.fromkeys(one.outcome or one.error for one in answers))
            )
        case "verdict":
            strongest = max((one.verdict for one in answers), key=_RANK.__getitem__)
            return strongest == expect.verdict, strongest.value
        case "within_ms":
            slowest = max(one.ms for one in answers)
            return slowest <= expect.at_most, f"{slowest} ms"
        case "cost_at_most":
            cost = sum(one.cost_micro_minor for one in answers)
            return cost <= expect.at_most, f"{cost} millionths of a minor unit"
        case _:
            found = judged.get((turn, expect.judge, expect.texts[0]), Judged(None, "the judge was not asked"))
            return found.yes, f"the judge said: {_short(found.said)}"


def _fits(schema: Mapping[str, Any], text: str) -> tuple[bool, str]:
    try:
        value = orjson.loads(_unfenced(text))
    except orjson.JSONDecodeError:
        return False, f"no JSON: {_short(text)}"
    error = next(iter(compiled_schema(schema).iter_errors(value)), None)
    return error is None, _short(text) if error is None else f"{error.message[:200]} in {_short(text)}"


def _unfenced(text: str) -> str:
    """Without the fence of a code block around the whole, which many models write."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3]
    return text


def _finds(expect: Expect, answers: Sequence[Answer]) -> tuple[bool, str]:
    found = [one for answer in answers for one in answer.findings]
    met = any(kind is expect.kind and (expect.side is None or side == expect.side.value) for kind, side in found)
    return met, f"found: {', '.join(dict.fromkeys(f'{kind} in the {side}' for kind, side in found)) or 'nothing'}"


def _calls(expect: Expect, answers: Sequence[Answer]) -> tuple[bool, str]:
    calls = [call for answer in answers for call in answer.calls]
    met = any(
        call.tool == expect.tool
        and _holds(call.arguments, expect)
        and (expect.verdict is None or call.verdict is expect.verdict)
        for call in calls
    )
    told = [
        f"{call.tool}({_short(orjson.dumps(call.arguments).decode())})"
        + (f" -> {call.verdict}" if call.verdict else "")
        for call in calls
    ]
    return met, f"called: {', '.join(told) or 'nothing'}"


def _holds(given: Any, expect: Expect) -> bool:
    """Arguments that are equal, that match, and that fit, whichever of these is asked."""
    if not isinstance(given, Mapping):
        return False
    if not all(name in given and given[name] == value for name, value in expect.arguments.items()):
        return False
    if not all(name in given and _matches(pattern, given[name]) for name, pattern in expect.matches.items()):
        return False
    return not expect.schema or bool(compiled_schema(expect.schema).is_valid(given))


def _matches(pattern: str, value: Any) -> bool:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return compiled(pattern).search(text) is not None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _short(text: str) -> str:
    text = " ".join(text.split())
    return f'"{text}"' if len(text) <= SHOWN else f'"{text[: SHOWN - 3]}..."'
