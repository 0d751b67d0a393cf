"""Instructions that do not come from the company: in a customer's text, a tool result, an e-mail, a document.

Two lines. Rules over word families in many languages (`data/injection.toml`) behind one gate, and a small linear model
for English (`data/injection.model`, card: docs/models/injection.md) that reads only sentences the gate has marked.
In a tool result or a document an instruction addressed to the assistant is an injection; a polite request to a person
is not. Hidden forms (base64, rot13, leetspeak, spaced letters, tag characters) are opened once and judged by the rules.

When it cannot tell it stays silent: rules that bind consequences to provenance (tool results are untrusted whatever
this detector says) stand in the ruleset. Pure; linear in the text.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from handrail.detectors.base import Reach, Text
from handrail.detectors.cues import Cues, Hit, load, sentence
from handrail.detectors.hidden import opened
from handrail.detectors.linear import Linear, load_linear
from handrail.detectors.normalise import View, normalise, unaccent
from handrail.terms.finding import Finding, Kind, Role

NEIGHBOURS = 400
"""Characters between two hits that are still one attack: the payload between "before you go on" and "after that"."""
SHORTEST = 30
"""Characters of a user's message below which the model is not asked."""
LONGEST = 6_000
"""Characters of a user's message that the model reads; the rules read all."""
USER_CUES = frozenset(
    {"persona", "unbound", "machine", "obey", "power", "instruction", "system_prompt", "secret", "cipher", "split"}
    | {"override", "answer", "prior", "answer_verb", "decode"}
)
STEER_CUES = frozenset({"answer_verb", "answer", "act", "machine", "instruction", "override", "third_person", "asked"})
STEERED = frozenset({Role.TOOL, Role.DOCUMENT})
OPENERS = frozenset({"base64", "rot13", "leet", "spaced"})


@dataclass(frozen=True)
class Injection:
    """The detector. Build once with `injection_detector()`."""

    cues: Cues
    steer: Linear
    jailbreak: Linear

    @property
    def name(self) -> str:
        return "injection"

    @cached_property
    def kinds(self) -> frozenset[Kind]:
        return frozenset({Kind.INJECTION})

    @property
    def reach(self) -> Reach:
        return Reach.SENTENCE

    def find(self, text: Text, language: str) -> list[Finding]:
        """INJECTION findings over whole sentences; `reason` is the rule, `model`, or `hidden_` + how it was hidden."""
        view = normalise(text.text)
        plain = unaccent(view.text).replace("_", " ")
        present = self.cues.present(plain, text.role)
        hits = self._hits(plain, present, text.role, language) if present else []
        if not hits and (
            language == "en" or (text.role in STEERED and plain.isascii())
        ):  # lists of names mislead guesses
            hits = self._modelled(view.text, plain, present, text.role)
        if not text.text.isascii() or not OPENERS.isdisjoint(present):
            hits += self._hidden(text, plain, present, language)
        return _findings(hits, plain, view) if hits else []

    def _hits(self, plain: str, present: frozenset[str], role: Role, language: str) -> list[Hit]:
        hits = self.cues.hits(plain, present, role)
        if not hits:
            hits += [
                Hit(start=0, end=len(plain), score=tally.score, reason=tally.reason)
                for tally in self.cues.tallied(present)
                if role in tally.roles and tally.reads(plain, language)
            ][:1]
        return hits

    def _modelled(self, cased: str, plain: str, present: frozenset[str], role: Role) -> list[Hit]:
        """What the linear models find where the rules found nothing: the whole message of a user, single sentences of
        a tool result or document. Only behind the gate."""
        if role is Role.USER:
            if len(plain) < SHORTEST or len(present & USER_CUES) < 2:
                return []
            sure = self.jailbreak.probability(plain[:LONGEST])
            if sure < self.jailbreak.header.threshold:
                return []
            return [Hit(start=0, end=len(plain), score=round(sure, 3), reason="model")]
        if role not in STEERED or not present & STEER_CUES:
            return []
        found = []
        for start, end in sentences(cased):
            if self.cues.present(plain[start:end], role) & STEER_CUES:
                sure = self.steer.probability(plain[start:end])
                if sure >= self.steer.header.threshold:
                    found.append(Hit(start=start, end=end, score=round(sure, 3), reason="model"))
        return found

    def _hidden(self, text: Text, plain: str, present: frozenset[str], language: str) -> list[Hit]:
        """What was hidden and reads as an attack once opened. Opened once, never twice."""
        found = []
        for piece in opened(text.text, plain, present):
            inner = unaccent(normalise(piece.text).text)
            hits = self._hits(inner, self.cues.present(inner, text.role), text.role, language)
            if piece.how == "leet":  # the words that were spelt with digits must be part of the attack
                hits = [hit for hit in hits if inner[hit.start : hit.end] != plain[hit.start : hit.end]]
            if hits:
                best = max(hits, key=lambda hit: hit.score)
                found.append(Hit(start=piece.start, end=piece.end, score=best.score, reason=f"hidden_{piece.how}"))
        return found


_BREAK = re.compile(r"(?<=[.!?…])[\"'’”)\]]*\s+|\n\s*\n|\n\s*(?=[-*•#>|]|\d+[.)]\s)|[。！？।]|\r?\n(?=\s*[^a-z\s])|\|")
_LONGEST = 600


def sentences(plain: str) -> list[tuple[int, int]]:
    """Sentences and lines of a tool result or document (case kept: a line that goes on in lower case is the same
    sentence), for the model; pieces over 600 characters are cut."""
    spans = []
    at = 0
    for match in [*_BREAK.finditer(plain), None]:
        end = match.start() if match else len(plain)
        for start in range(at, end, _LONGEST):
            stop = min(end, start + _LONGEST)
            if plain[start:stop].strip():
                spans.append((start, stop))
        at = match.end() if match else end
    return spans


def _findings(hits: list[Hit], plain: str, view: View) -> list[Finding]:
    """Hits as findings over sentences; hits near each other become one, with the strongest one's reason."""
    spans = sorted((*sentence(plain, hit.start, hit.end), hit.score, hit.reason) for hit in hits)
    merged: list[tuple[int, int, float, str]] = []
    for start, end, score, reason in spans:
        if merged and start - merged[-1][1] <= NEIGHBOURS:
            last = merged[-1]
            strong = (score, reason) if score > last[2] else (last[2], last[3])
            merged[-1] = (last[0], max(last[1], end), *strong)
        else:
            merged.append((start, end, score, reason))
    found = []
    for start, end, score, reason in merged:
        first, last_character = view.span(start, end)
        found.append(Finding(Kind.INJECTION, first, last_character, score, reason))
    return found


def injection_detector() -> Injection:
    """The detector with the shipped families and weights."""
    return Injection(load("injection.toml"), load_linear("steer.model"), load_linear("jailbreak.model"))
