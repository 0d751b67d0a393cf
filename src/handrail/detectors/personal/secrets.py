"""SECRET: API keys, private keys, tokens, passwords inside addresses."""

import re

from handrail.detectors.data.secrets import SECRETS
from handrail.detectors.personal.gates import pattern_set
from handrail.detectors.personal.page import Hit, Page
from handrail.terms.finding import Kind

_PATTERNS = tuple((name, re.compile(pattern)) for name, pattern in SECRETS)
_COUNT = re.compile(r"\{(\d+)(?:,\d*)?\}")
_ENOUGH = 12  # repetitions after which a sketch no longer counts


def _sketch(pattern: str) -> str:
    """The pattern with its counts shortened, so that the automaton stays small; it matches where the other does."""
    return _COUNT.sub(lambda count: f"{{{min(int(count[1]), _ENOUGH)},}}", pattern)


_SKETCHES = pattern_set([_sketch(pattern) for _, pattern in SECRETS])


def find_secrets(page: Page) -> list[Hit]:
    """Credentials by their published shape."""
    hits: list[Hit] = []
    for place in sorted(_SKETCHES.Match(page.text) or ()):
        name, pattern = _PATTERNS[place]
        for match in pattern.finditer(page.text):
            start, end = match.span(match.lastindex or 0)
            if name == "named_secret" and not any(letter.isdigit() for letter in match.group()):
                continue
            hits.append(Hit(Kind.SECRET, start, end, 0.95, name))
    return hits
