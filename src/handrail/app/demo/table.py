"""The live table: one line per interaction, from its recorded facts; pure."""

from datetime import UTC, datetime

from handrail.app.demo.client import Answer
from handrail.ledger.entry import FoundFact, InteractionFacts
from handrail.terms.decision import Outcome
from handrail.terms.finding import NEVER_REST

MIN_WIDTH = 96
DONE = {"mask": "masked", "mark": "marked", "block": "blocked", "handover": "handed over"}
WOULD = {"mask": "would mask", "mark": "marked", "block": "would block", "handover": "would hand over"}
WHERE = {"input": "", "output": " in the answer"}
COLOURS = {Outcome.ANSWERED: "", Outcome.BLOCKED: "\x1b[31m", Outcome.HANDOVER: "\x1b[35m", Outcome.REFUSED: "\x1b[31m"}
CHANGED, PLAIN = "\x1b[33m", "\x1b[0m"


def head(width: int) -> list[str]:
    return [_line("time", "use case", "lang", "what came in", "what the net did", "ms", width), "-" * width]


def row(
    at_ms: int, use_case: str, language: str, came: str, did: str, ms: int, width: int, colour: str = ""
) -> str:  # fmt: skip
    """`width`: of the terminal, in characters."""
    time = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S")
    line = _line(time, use_case, language, came, did, str(ms), width)
    return f"{colour}{line}{PLAIN}" if colour else line


def did(facts: InteractionFacts) -> str:
    """What the net did, in a few words."""
    observed = facts.would_be is not None
    parts = dict.fromkeys(_part(found, observed=observed) for found in facts.findings if found.new and found.action)
    said = ", ".join(parts)
    match facts.outcome:
        case Outcome.ANSWERED:
            return said or ("nothing to do: tool called" if facts.tool_calls else "nothing to do")
        case Outcome.BLOCKED | Outcome.HANDOVER:
            return said
    return f"{facts.outcome.value if facts.outcome else '?'} {facts.error} {said}".strip()


def refused(answer: Answer) -> str:
    """For a call that never became an interaction."""
    return f"refused {answer.status}: {answer.headers.get('x-handrail-code', '?')}"


def colour(facts: InteractionFacts) -> str:
    if facts.outcome is Outcome.ANSWERED:
        changed = facts.would_be is None and any(found.new and found.action == "mask" for found in facts.findings)
        return CHANGED if changed else ""
    return COLOURS.get(facts.outcome or Outcome.REFUSED, "")


def _part(found: FoundFact, *, observed: bool) -> str:
    verbs = WOULD if observed and found.kind not in NEVER_REST else DONE
    return f"{verbs.get(found.action, found.action)} {found.kind.value}{WHERE.get(found.side, '')}"


def _line(time: str, use_case: str, language: str, came: str, did: str, ms: str, width: int) -> str:
    came_width = max(30, (width - 36) // 2)
    did_width = max(24, width - 36 - came_width)
    return f"{time:<8}  {use_case:<12}  {language:<4}  {_cut(came, came_width)}  {_cut(did, did_width)}{ms:>4}"


def _cut(text: str, width: int) -> str:
    flat = " ".join(text.split())
    return f"{flat:<{width}}" if len(flat) <= width else f"{flat[: width - 1]}…"
