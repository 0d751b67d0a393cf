"""SECRET: API keys, private keys, tokens, passwords inside addresses."""

import re

from handrail.detectors.data.secrets import SECRETS
from handrail.detectors.personal.page import Hit, Page
from handrail.terms.finding import Kind

_PATTERNS = tuple((name, re.compile(pattern)) for name, pattern in SECRETS)
GATE = r"akia|asia[0-9a-z]|abia|acca|gh[pousr]_|github_pat|glpat-|xox[a-z]-|sk-|aiza|ya29|(?:sk|pk|rk|whsec)_|sg\.|npm_|pypi-|hf_|hr_|eyj|-----begin|bearer|://|key|secret|token"


def find_secrets(page: Page) -> list[Hit]:
    """Credentials by their published shape."""
    hits: list[Hit] = []
    for name, pattern in _PATTERNS:
        for match in pattern.finditer(page.text):
            start, end = match.span(match.lastindex or 0)
            if name == "named_secret" and not any(letter.isdigit() for letter in match.group()):
                continue
            hits.append(Hit(Kind.SECRET, start, end, 0.95, name))
    return hits
