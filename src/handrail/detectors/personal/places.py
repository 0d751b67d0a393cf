"""Where somebody lives: street addresses in the order of each language, and postcodes.

A UK postcode stands by itself (its areas are few); every other postcode only where named or inside an address.
"""

import re

from handrail.detectors.data.places import STREETS, UK_AREAS, UNITS, US_STATES
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.terms.finding import Kind

_UK = re.compile(
    r"(?<![A-Za-z0-9])([A-Za-z]{1,2})(?:\d[A-Za-z]|\d{1,2}) ?\d[ABD-HJLNP-UW-Zabd-hjlnp-uw-z]{2}(?![A-Za-z0-9])"
)
_NAMED = re.compile(
    r"(?<![\w\-])(?:\d{5}-\d{4}|\d{5}-\d{3}|\d{2}-\d{3}|\d{4}-\d{3}|\d{4} ?[a-z]{2}|\d{3} ?\d{3}|[a-z]\d[a-z] ?\d[a-z]\d|\d{4,6})(?![\w\-])"
)
_STREETS = tuple((name, re.compile(pattern)) for name, pattern in STREETS)
_TAIL = re.compile(
    rf"(?:,? *(?:{UNITS})\.? ?#?[\w\-]{{1,6}})?(?:(?:,| ,|\s)\s*(?:[^\W\d_]+[ ,]{{1,2}}){{0,3}}?(?:(?:{US_STATES})[ ,]{{0,2}}\d{{4,6}}(?:-\d{{4}})?|"
    r"[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|(?:[a-z]{1,2}-)?\d{4,5}(?: ?[a-z]{2})?(?: [^\W\d_]+(?:-[^\W\d_]+)?)?|\d{2}-\d{3} [^\W\d_]+|\d{5}-\d{3})(?!\w))?"
)
_DECLARED = re.compile(
    r"(?<!\w)(?:(?:my |the |our |new |home |billing |delivery |shipping |mailing |current |street )*address(?: is| to|:)|(?:meine |neue )*(?:anschrift|adresse)(?: ist| lautet|:)|"
    r"(?:mon |nouvelle )*adresse(?: est|:)|(?:mi |nueva )*direccion(?: es|:)|(?:il mio |nuovo )*indirizzo(?: e|:)|(?:o )?(?:meu |novo )*endereco(?: e|:)|(?:a )?minha morada e|"
    r"(?:mijn |nieuwe )*adres(?: is|:)|(?:moj |nowy )*adres(?: to|:)|mieszkam (?:przy|na)|i live at|ich wohne in der|j'habite(?: au)?|vivo en|abito in|moro na|ik woon (?:op|aan))\s*"
)
_DECLARED_VALUE = re.compile(
    r"[^\n;?!]{0,60}?\d[^\n;?!]{0,60}?(?=[.;?!\n]|$| (?:and|und|et|y|i|my|mein|mon|but|please|thanks|phone|contact|email|ssn|mobile)\b)"
)


def find_addresses(page: Page) -> list[Hit]:
    """ADDRESS: a street with its number, and the town behind it; or what follows "my address is"."""
    hits: list[Hit] = []
    low = page.low
    for name, pattern in _STREETS:
        for match in pattern.finditer(low):
            tail = _TAIL.match(low, match.end())
            end = tail.end() if tail is not None else match.end()
            hits.append(Hit(Kind.ADDRESS, match.start(), end, 0.8, name))
    for match in _DECLARED.finditer(low):
        value = _DECLARED_VALUE.match(low, match.end())
        if value is not None and "@" not in value.group() and ".com" not in value.group():
            hits.append(Hit(Kind.ADDRESS, value.start(), value.end(), 0.75, "declared"))
    return hits


def find_postcodes(page: Page) -> list[Hit]:
    """POSTCODE of the UK form with an area that exists."""
    return [
        Hit(Kind.POSTCODE, *match.span(), 0.85, "uk")
        for match in _UK.finditer(page.text)
        if match.group(1).upper() in UK_AREAS and (" " in match.group() or match.group().isupper())
    ]


def named_postcode(page: Page, number: Number) -> Hit | None:
    """POSTCODE where the words say so."""
    match = _NAMED.match(page.low, number.start)
    if match is None:
        return None
    return Hit(Kind.POSTCODE, match.start(), match.end(), 0.9, "named")
