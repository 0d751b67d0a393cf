"""What a detector is. Pure and deterministic: the same text and rules give the same findings, anywhere, for ever.

A detector never decides: what a finding leads to stands in the ruleset (`policy.evaluate`). When one cannot answer
(an exception, or the deadline passed between two detectors), `detectors.run` says so in its `Report`, and the ruleset
of the use case says whether that refuses (the default) or passes marked.
"""

from enum import StrEnum
from typing import Protocol

import msgspec

from handrail.terms.finding import Finding, Kind, Role

HOLD_BACK = 96
"""Characters of a stream that may wait while they may still become a match (decisions.md, streams)."""
REPLY, ASKED = 200, 400
"""Characters of the longest message of a user that is read with the question before it, and of the question's end."""


class Reach(StrEnum):
    """How much text a kind needs before it can be decided in a stream."""

    WINDOW = "window"  # at most HOLD_BACK characters
    SENTENCE = "sentence"
    WHOLE = "whole"


class Text(msgspec.Struct, frozen=True):
    """One text to screen. `language`: ISO 639-1 or None for "find out". `context`: what an answer may rely on (tool
    results, documents), for grounding only. `links_allowed`: host names, `*.` prefix for subdomains. `canaries`:
    strings of the managed prompt that must never come out. `asked`: what was said to a user just before, which names
    the bare value in the reply; empty when unknown."""

    text: str
    role: Role
    language: str | None = None
    context: tuple[str, ...] = ()
    links_allowed: tuple[str, ...] = ()
    canaries: tuple[str, ...] = ()
    asked: str = ""


class Detector(Protocol):
    """One family of kinds. `name` stands in the ledger and the docs."""

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[Kind]: ...

    @property
    def reach(self) -> Reach: ...

    def find(self, text: Text, language: str) -> list[Finding]:
        """Findings in any order, offsets in `text.text`. Should raise on no input; `run` records a raise as failed."""
        ...


class Failure(msgspec.Struct, frozen=True):
    """A detector that did not answer. `why`: `error` or `late`."""

    detector: str
    why: str


class Report(msgspec.Struct, frozen=True):
    """What the detectors say of one text: findings sorted by (start, end, kind), overlaps of personal kinds settled."""

    language: str
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...] = ()
