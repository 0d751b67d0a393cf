"""One row of `handrail scan`: a text in, its findings out; the command reads and writes the lines.

A detector that did not answer is an error of the row (`GUARD_UNAVAILABLE`), never an empty list.
"""

from collections.abc import Callable, Mapping

import msgspec

from handrail.detectors.base import Text
from handrail.detectors.run import Runner
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import PERSONAL, Finding, Kind, Role

_FIELDS = frozenset({"id", "text", "role", "context", "language"})
_ROLES = ", ".join(role.value for role in Role)


class ScannedFinding(msgspec.Struct, frozen=True):
    """`start`, `end`: characters of the row's text, end exclusive. `action`: what the use case does with it."""

    kind: Kind
    start: int
    end: int
    score: float
    action: str
    reason: str


class Scanned(msgspec.Struct, frozen=True):
    """One line of output, in the order of its fields."""

    id: str | int
    language: str
    findings: tuple[ScannedFinding, ...]


def default_action(kind: Kind) -> str:
    """Without a use case: mask personal data, mark the rest."""
    return "mask" if kind in PERSONAL else "mark"


def scan(
    row: object,
    runner: Runner,
    *,
    action: Callable[[Finding], str] = lambda finding: default_action(finding.kind),
    kinds: frozenset[Kind] = frozenset(Kind),
) -> Scanned:
    """The findings of one decoded row. Raises HandrailError REQUEST_INVALID (which field, what was expected) or
    GUARD_UNAVAILABLE (which detectors failed)."""
    identity, text = read_row(row)
    report = runner.screen(text, kinds)
    if report.failures:
        failed = ", ".join(f"{failure.detector} ({failure.why})" for failure in report.failures)
        raise HandrailError(Code.GUARD_UNAVAILABLE, f"row {identity!r} was not fully read: {failed}")
    findings = tuple(
        ScannedFinding(
            kind=finding.kind,
            start=finding.start,
            end=finding.end,
            score=round(finding.score, 4),
            action=action(finding),
            reason=finding.reason,
        )
        for finding in report.findings
    )
    return Scanned(id=identity, language=report.language, findings=findings)


def read_row(row: object) -> tuple[str | int, Text]:
    """The id and the text of a row. `context` of an assistant's text is what it may rely on; of a user's message it is
    what was said before, the last string just before it. Raises HandrailError REQUEST_INVALID."""
    if not isinstance(row, Mapping):
        raise _bad("the row", "an object with id and text", row)
    unknown = [name for name in row if name not in _FIELDS]
    if unknown:
        raise HandrailError(
            Code.REQUEST_INVALID, f"unknown field {str(unknown[0])!r}; a row has {', '.join(sorted(_FIELDS))}"
        )
    identity = row.get("id")
    if not isinstance(identity, str | int) or isinstance(identity, bool):
        raise _bad("id", "a string or an integer", identity)
    text = row.get("text")
    if not isinstance(text, str):
        raise _bad("text", "a string", text)
    language = row.get("language")
    if language is not None and not isinstance(language, str):
        raise _bad("language", "an ISO 639-1 code such as 'en', or nothing", language)
    role, context = _role(row.get("role")), _context(row)
    asked = context[-1] if context and role is Role.USER else ""
    return identity, Text(text=text, role=role, language=language, context=context, asked=asked)


def _role(value: object) -> Role:
    if value is None:
        return Role.USER
    try:
        return Role(str(value))
    except ValueError:
        raise HandrailError(Code.REQUEST_INVALID, f"role must be one of {_ROLES}") from None


def _context(row: Mapping[object, object]) -> tuple[str, ...]:
    value = row.get("context")
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise _bad("context", "a string or a list of strings", value)


def _bad(field: str, expected: str, value: object) -> HandrailError:
    given = "nothing" if value is None else f"{type(value).__name__}"
    return HandrailError(Code.REQUEST_INVALID, f"{field} must be {expected}, not {given}")
