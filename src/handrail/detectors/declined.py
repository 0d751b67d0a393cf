"""Answers that decline to help: "I'm sorry, but I can't help with that". English and German; rules of our own.

It marks, and nothing else: what the model would not do is counted (`watch`), for a release that declines more than the
one before serves customers worse. Not meant are answers that could not find something, that ask for what is missing
("I can't do this without your order number"), or that fail for a moment. When it cannot tell it stays silent. Pure;
a look for a handful of words first, so that an answer without them costs about 9 us.
"""

import re
from functools import cached_property

from handrail.detectors.base import Reach, Text
from handrail.detectors.cues import sentence
from handrail.detectors.personal.gates import pattern_set
from handrail.terms.finding import Finding, Kind, Role

_FIRST = ("n't", "nnot", " not ", "unable", "declin", "refus", "outside", "beyond", "against", "nicht", "kein", "lehn")
"""One of these stands in every answer that declines."""
_ENGLISH_GATE = (
    "can't", "cannot", "can not", "unable to", "not able to", "won't", "will not", "decline", "refuse", "not allowed",
    "not permitted", "comfortable", "scope", "capabilit", "remit", "against", "going to", "be able to",
)  # fmt: skip
_GERMAN_GATE = ("nicht", "kein", "ablehn", "lehne")
_GATE = pattern_set(["|".join(words) for words in (_ENGLISH_GATE, _GERMAN_GATE)], 1 << 20)
"""Whether any word of each gate is there: one pass, where a look for each word is a pass of its own."""
_AROUND = 200
"""Characters before and behind a word of the gate in which a pattern is looked for."""
_DONE = (
    r"help|assist|provide|share|give|disclos|reveal|discuss|process|proceed|compl[yi]|fulfil|complete|approve|issue|"
    r"refund|offer|grant|do\b|answer|respond|advise|recommend|comment|support|accommodate|make|creat|generat|writ|"
    r"perform|carry out|execut|transfer|send|chang|cancel|modif|updat|book|engage|follow|authori[sz]|remove|upgrad|"
    r"override|undo|summari|categori|compensat|add\b|waive|schedul|pay\b|delet|act\b|continue|facilitat|reset|exchang|return\b"
)
_NOT = (
    r"(?:(?:can't|cannot|can not|won't|will not|am not going to|'m not going to|am unable to|'m unable to|"
    r"am not able to|'m not able to|are unable to|are not able to|'re unable to|'re not able to|am not allowed to|"
    r"'m not allowed to|am not permitted to|'m not permitted to|be able to not)|"
    r"(?:won't|will not|wouldn't|would not) be able to)"
)
_SOON = r"(?:\s+(?:[\w'-]+\s+){0,3}?)"
_ENGLISH = re.compile(
    rf"\b(?:i|we)\s?(?:(?:'m|am) (?:afraid|sorry),? (?:but )?(?:that )?i\s?)?"
    rf"(?:(?:\w+ly|also|just|simply) )?{_NOT}(?! wait\b){_SOON}(?:{_DONE})"
    r"|\bi (?:must|have to|need to|will have to|respectfully) (?:\w+ly )?(?:decline|refuse)\b"
    r"|\bi (?:decline|refuse) to\b|\bi(?:'m| am) not comfortable\b|\bi (?:don't|do not) feel comfortable\b"
    r"|\b(?:that|this|it)(?:'s| is| falls| goes)? (?:outside|beyond) (?:of )?(?:my|the) "
    r"(?:scope|abilit|capabilit|remit)"
    r"|\b(?:sorry|afraid),? (?:but )?(?:that )?(?:i|we) (?:can't|cannot|won't)(?=\s*(?:[.!?,]|$))"
    r"|\b(?:it(?:'s| is)|that(?:'s| is|'d be| would be)) against (?:my|our|the|company) (?:\w+ )?"
    r"(?:guideline|polic|rule|term)"
)
_GERMAN_DONE = (
    r"(?:weiter)?helfen|behilflich|unterstutzen|beantworten|geben|nennen|mitteilen|durchfuhren|erstatten|ausfuhren|"
    r"erledigen|bearbeiten|anbieten|zusagen|andern|stornieren|besprechen|machen|tun|nachkommen|erfullen|genehmigen|"
    r"entsprechen|vornehmen|beraten|erteilen|leisten|veranlassen|uberweisen|schreiben|erstellen|gewahren"
)
_CAN = "(?:kann|darf|werde|konnen|durfen|werden)"
_GERMAN = re.compile(
    rf"\b(?:{_CAN} (?:ich|wir)|(?:ich|wir) {_CAN})\b[^.!?]{{0,80}}?\b(?:nicht|kein\w*)\b[^.!?]{{0,60}}?"
    rf"(?:{_GERMAN_DONE})\b"
    r"|\bnicht in der lage,? (?:ihnen|dir|ihre|deine|das|dies|diese|solche|eine|einen)\b"
    r"|\b(?:ist|war) (?:es )?(?:mir|uns) (?:\w+ )?nicht (?:moglich|erlaubt|gestattet)\b"
    r"|\b(?:muss|mochte) ich (?:\w+ ){0,3}ablehnen\b|\bich lehne (?:\w+ ){0,3}ab\b"
)
_ASKS = re.compile(
    r"\b(?:without (?:your|the|a|an|more|further|that|this|it|knowing|having|these|those|some|any|specific)|until|"
    r"unless|before (?:you|i|we)|once you|if you (?:don't|do not)|yet|at the moment|right now|currently|technical|"
    r"error|ohne|bevor|solange|erst wenn|momentan|derzeit|gerade|technisch\w*)\b"
)
_WAYS = ((_ENGLISH_GATE, _ENGLISH), (_GERMAN_GATE, _GERMAN))
"""In the order of `_GATE`."""
_QUOTES = str.maketrans("’‘äöüß", "''aous")


class Declined:
    """The detector of `Kind.DECLINED`."""

    @property
    def name(self) -> str:
        return "declined"

    @cached_property
    def kinds(self) -> frozenset[Kind]:
        return frozenset({Kind.DECLINED})

    @property
    def reach(self) -> Reach:
        return Reach.SENTENCE

    def find(self, text: Text, language: str) -> list[Finding]:
        """The sentences that decline. Only for role `assistant`."""
        if text.role is not Role.ASSISTANT:
            return []
        plain = _plain(text.text)
        seen = _GATE.Match(plain.encode("utf-8", "replace"))
        if not seen or not any(word in plain for word in _FIRST):
            return []
        found: dict[tuple[int, int], Finding] = {}
        for place in seen:
            gate, pattern = _WAYS[place]
            words = [word for word in gate if word in plain]
            if not words:  # a letter that only folds to one of ours
                continue
            first = max(0, min(map(plain.index, words)) - _AROUND)
            last = max(map(plain.rindex, words)) + _AROUND
            for match in pattern.finditer(plain, first, last):
                start, end = sentence(plain, match.start(), match.end())
                if _ASKS.search(plain, start, end) is None:
                    found[start, end] = Finding(Kind.DECLINED, start, end, 0.9, "words")
        return list(found.values())


def _plain(text: str) -> str:
    """Lower case, one kind of apostrophe, German letters without their dots; as long as the text."""
    lower = text.lower()
    return (lower if len(lower) == len(text) else text).translate(_QUOTES) if not text.isascii() else lower
