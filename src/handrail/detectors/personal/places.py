"""Where somebody lives: street addresses in the order of each language, and postcodes.

A UK postcode stands by itself (its areas are few); every other postcode only where named or inside an address.
"""

import re

from handrail.detectors.data.places import (
    DECLARED,
    DECLARED_VALUE,
    NAMED_POSTCODE,
    STREETS,
    TAIL,
    UK,
    UK_AREAS,
)
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.gates import Gate
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.terms.finding import Kind

_UK = re.compile(UK)
_NAMED = re.compile(NAMED_POSTCODE)
_STREETS = tuple((name, re.compile(pattern)) for name, pattern in STREETS)
_TAIL = re.compile(TAIL)
_NAMED_STREET = re.compile(r"\d[\w\-–/]*,? (?:[A-Z][\w'.\-]* )+[A-Z][a-z]+\Z")
"""A number and nothing but words with capitals."""
_DECLARED = re.compile(DECLARED)
_DECLARED_VALUE = re.compile(DECLARED_VALUE)


def find_addresses(page: Page, language: str, gates: frozenset[int]) -> list[Hit]:
    """ADDRESS: a street with its number, and the town behind it; or what follows "my address is"."""
    hits: list[Hit] = []
    low = page.low
    for place, (name, pattern) in enumerate(_STREETS, Gate.STREET):
        if place not in gates:
            continue
        for match in pattern.finditer(low):
            if name == "street_it" and language == "en" and page.text[match.start()].islower():
                continue  # "via" is an English word
            if name == "street_named_en" and not _NAMED_STREET.search(page.text, match.start(), match.end()):
                continue  # "10 minutes walk"
            tail = _TAIL.match(low, match.end())
            end = tail.end() if tail is not None else match.end()
            hits.append(Hit(Kind.ADDRESS, match.start(), end, 0.8, name))
    for match in _DECLARED.finditer(low) if Gate.DECLARED in gates else ():
        value = _DECLARED_VALUE.match(low, match.end())
        if value is not None and "@" not in value.group() and ".com" not in value.group():
            hits.append(Hit(Kind.ADDRESS, value.start(), value.end(), 0.85, "declared"))
    return hits


def find_postcodes(page: Page) -> list[Hit]:
    """POSTCODE of the UK form with an area that exists."""
    return [
        Hit(Kind.POSTCODE, *match.span(), 0.85, "uk")
        for match in _UK.finditer(page.text)
        if match.group(1).upper() in UK_AREAS
        and (" " in match.group() or match.group().isupper() or page.direct(match.start()) is Label.ZIP)
    ]


def named_postcode(page: Page, number: Number) -> Hit | None:
    """POSTCODE where the words say so."""
    match = _NAMED.match(page.low, number.start)
    if match is None:
        return None
    return Hit(Kind.POSTCODE, match.start(), match.end(), 0.9, "named")
