"""What a person must see: a complaint, a legal threat, vulnerability, a wish for a human, a wish to leave.

Word families in eight languages (`data/triggers.toml`), only in what the user wrote. A complaint is found by its word,
by outrage, or by a story: what went wrong and how nobody helped; in English a small linear model reads the stories too
(`data/complaint.model`, card: docs/models/complaint.md). Vulnerability is recall-first (decisions.md): a
needless finding costs a person a glance, a missed one can cost a life. When it cannot tell it stays silent, so these
findings may route and alert but must never be the only way to a person. Pure; linear in the text.
"""

from dataclasses import dataclass
from functools import cached_property

from handrail.detectors.base import Reach, Text
from handrail.detectors.cues import Cues, Hit, load, sentence
from handrail.detectors.linear import Linear, load_linear
from handrail.detectors.normalise import normalise, unaccent
from handrail.terms.finding import Finding, Kind, Role

STORY = frozenset({"neglect", "wrong", "dealings", "remedy", "legal", "debt", "illness"})
"""A text shorter than `LONG` is read by the model only when the gate saw one of these families."""
LONG, SURE = 50, 0.65
"""Characters from which the model reads a text without a cue of the gate, and how sure it must then be (0..1)."""


@dataclass(frozen=True)
class Triggers:
    """The detector. Build once with `triggers_detector()`."""

    cues: Cues
    complaint: Linear

    @property
    def name(self) -> str:
        return "triggers"

    @cached_property
    def kinds(self) -> frozenset[Kind]:
        return frozenset({Kind.COMPLAINT, Kind.LEGAL, Kind.VULNERABILITY, Kind.HUMAN, Kind.LEAVE})

    @property
    def reach(self) -> Reach:
        return Reach.WHOLE

    def find(self, text: Text, language: str) -> list[Finding]:
        """At most one finding per kind and sentence; a `story` spans the whole text. Only for role `user`."""
        if text.role is not Role.USER:
            return []
        view = normalise(text.text)
        plain = unaccent(view.text)
        present = self.cues.present(plain)
        if not present and len(plain) < LONG:
            return []
        hits = self.cues.hits(plain, present, text.role) if present else []
        hits += self._stories(plain, present, language)
        found: dict[tuple[Kind, int, int], Finding] = {}
        for hit in hits:
            whole = hit.end - hit.start == len(plain)
            start, end = (0, len(text.text)) if whole else view.span(*sentence(plain, hit.start, hit.end))
            key = (hit.kind, start, end)
            if key not in found or found[key].score < hit.score:
                found[key] = Finding(hit.kind, start, end, hit.score, hit.reason)
        return list(found.values())

    def _stories(self, plain: str, present: frozenset[str], language: str) -> list[Hit]:
        """A complaint told without its word: by the tally in every language, by the model in English."""
        for tally in self.cues.tallied(present) if present else ():
            if tally.reads(plain, language):
                return [Hit(start=0, end=len(plain), score=tally.score, reason=tally.reason, kind=tally.kind)]
        cued = bool(present & STORY)
        if language == "en" and (cued or len(plain) >= LONG):
            sure = self.complaint.probability(plain)
            if sure >= (self.complaint.header.threshold if cued else SURE):
                return [Hit(start=0, end=len(plain), score=round(sure, 3), reason="model", kind=Kind.COMPLAINT)]
        return []


def triggers_detector() -> Triggers:
    """The detector with the shipped families."""
    return Triggers(load("triggers.toml"), load_linear("complaint.model"))
