"""Which detectors look at a text, in which order, within which time.

When one cannot answer, nothing is invented: an exception or a passed deadline becomes a `Failure` in the report and the
ruleset of the use case says whether that refuses (the default) or passes marked. The deadline is checked between
detectors; each is bounded by input size: texts over 64 KiB are read in chunks that overlap.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence

import msgspec

from handrail.detectors.base import Detector, Failure, Report, Text
from handrail.detectors.language import guess
from handrail.terms.finding import NEVER_REST, PERSONAL, Finding, Kind

CHUNK = 65_536
"""Characters one detector reads at a time."""
OVERLAP = 2_048
"""Characters two chunks share; longer than any finding that is not text-wide."""


class Runner:
    """Runs `detectors` in the order given. `clock`: monotonic seconds."""

    def __init__(self, detectors: Sequence[Detector], clock: Callable[[], float]) -> None:
        self._detectors = tuple(detectors)
        self._clock = clock
        self._wanted: dict[frozenset[Kind], tuple[Detector, ...]] = {}  # a handful: one for each place a text stands in

    @property
    def kinds(self) -> frozenset[Kind]:
        """Every kind some detector here can find."""
        return frozenset().union(*(detector.kinds for detector in self._detectors))

    def screen(self, text: Text, kinds: frozenset[Kind], deadline: float | None = None) -> Report:
        """Findings of the wanted kinds. `deadline`: in the clock's seconds; None = no limit."""
        language = text.language or guess(text.text)
        findings: list[Finding] = []
        failures: list[Failure] = []
        wanted = self._wanted.get(kinds)
        if wanted is None:
            wanted = self._wanted[kinds] = tuple(
                detector for detector in self._detectors if not detector.kinds.isdisjoint(kinds)
            )
        short = len(text.text) <= CHUNK
        for detector in wanted:
            if deadline is not None and self._clock() >= deadline:
                failures.append(Failure(detector=detector.name, why="late"))
                continue
            try:
                found = detector.find(text, language) if short else _chunked(detector, text, language)
            except Exception:  # noqa: BLE001  any failure of a detector must become a refusal or a mark, never a pass
                failures.append(Failure(detector=detector.name, why="error"))
                continue
            if found:
                findings += [finding for finding in found if finding.kind in kinds]
        if deadline is not None and not failures and self._clock() >= deadline and self._detectors:
            failures.append(Failure(detector=self._detectors[-1].name, why="late"))
        return Report(language=language, findings=settle(findings, text.text), failures=tuple(failures))


def settle(findings: Sequence[Finding], text: str) -> tuple[Finding, ...]:
    """Sorted by (start, end, kind). Of overlapping personal findings the surer, then the longer stays, and of the other
    what it alone covers, where a value may be left in that: a code behind a card that was asked for. Others are kept,
    once each."""
    if len(findings) < 2:
        return tuple(findings)
    kept: set[Finding] = set()
    starts: list[int] = []  # of the values kept so far, which do not overlap, and their ends, both sorted
    ends: list[int] = []
    for finding in sorted(findings, key=lambda finding: (-finding.score, finding.start - finding.end, finding.start)):
        if finding.kind not in _TOKENS:
            kept.add(finding)
            continue
        place = bisect_right(ends, finding.start)
        free = [finding]
        if place < len(starts) and starts[place] < finding.end:
            free = _beside(finding, starts[place:], ends[place:], text)
        for part in free:
            at = bisect_right(ends, part.start)
            starts.insert(at, part.start)
            ends.insert(at, part.end)
            kept.add(part)
    return tuple(sorted(kept, key=lambda finding: (finding.start, finding.end, finding.kind, finding.reason)))


def _beside(finding: Finding, starts: Sequence[int], ends: Sequence[int], text: str) -> list[Finding]:
    """What the finding covers beside the values that begin at `starts`: of one that may never rest whatever holds a
    letter or digit, of another what holds two digits."""
    parts: list[Finding] = []
    at = finding.start
    for start, end in [*zip(starts, ends, strict=True), (finding.end, finding.end)]:
        piece = text[at : min(start, finding.end)]
        body = piece.strip(_JOINTS)
        least = 1 if finding.kind in NEVER_REST else 2
        told = str.isalnum if finding.kind in NEVER_REST else str.isdigit
        if sum(map(told, body)) >= least:
            first = at + piece.index(body)
            parts.append(msgspec.structs.replace(finding, start=first, end=first + len(body)))
        at = max(at, end)
        if at >= finding.end:
            break
    return parts


_JOINTS = " \t\r\n,.;:/-()"
_TOKENS = PERSONAL - {Kind.HEALTH}
"""Kinds that name one value; a HEALTH sentence may hold any of them."""


def _chunked(detector: Detector, text: Text, language: str) -> list[Finding]:
    whole = text.text
    found: list[Finding] = []
    seen: set[tuple[Kind, int, int]] = set()
    start = 0
    while True:
        stop = min(start + CHUNK, len(whole))
        piece = msgspec.structs.replace(text, text=whole[start:stop])
        for finding in detector.find(piece, language):
            moved = _moved(finding, start, len(piece.text), len(whole))
            key = (moved.kind, moved.start, moved.end)
            if key not in seen:
                seen.add(key)
                found.append(moved)
        if stop == len(whole):
            return found
        start = stop - OVERLAP


def _moved(finding: Finding, offset: int, size: int, whole: int) -> Finding:
    """The finding in the offsets of the whole text; a finding that spans its chunk spans the whole."""
    if finding.start == 0 and finding.end == size:
        return Finding(kind=finding.kind, start=0, end=whole, score=finding.score, reason=finding.reason)
    return Finding(
        kind=finding.kind,
        start=finding.start + offset,
        end=finding.end + offset,
        score=finding.score,
        reason=finding.reason,
    )
