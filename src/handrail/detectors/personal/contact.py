"""How to reach somebody: telephone numbers, e-mail addresses, IP addresses.

A telephone is a possible number (national or international form) unless the words beside it say it is something else;
strict validity would reject numbers people really type (decisions.md, detectors).
"""

import re

from handrail.detectors.data.emails import DOTLESS_EMAIL, EMAIL, LAST_WORD_EMAIL, SPOKEN_EMAIL
from handrail.detectors.data.phones import COUNTRY_CODES, SHAPES
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.terms.finding import Kind

_INTERNATIONAL = re.compile(r"(?:\+|\b00)[ ]?[1-9](?:[ \-./()]{0,3}\d){6,14}(?!\d)")
_SHAPES = tuple((name, re.compile(pattern), strong) for name, pattern, strong in SHAPES)
_EXTENSION = re.compile(r"[ ,]{0,2}(?:x|ext\.?|extension|durchwahl|poste|int\.?)[ ]?\d{1,5}\b")
_LINE_KIND = re.compile(
    r"[ \t]+\(?(?:office|home|work|desk|direct|main|buro|privat|bureau|domicile|oficina|casa|ufficio|escritorio|"
    r"kantoor|biuro)\)?"
    r"(?=\s*(?:$|[\n,;.]))"
)
"""What a signature says behind a telephone number: "020 7946 0001 office"."""
_EMAIL = re.compile(EMAIL)
_LOCAL = re.compile(r"[\w.+\-%]+")
_LOCAL_LONGEST = 64
_SPOKEN_EMAIL = re.compile(SPOKEN_EMAIL)
_DOTLESS_EMAIL = re.compile(DOTLESS_EMAIL)
_LAST_WORD_EMAIL = re.compile(LAST_WORD_EMAIL)
_SIGN_WORDS = re.compile(r"\sdot\s|[\[({]")
_BARE = re.compile(r"(?:1[ \-]?)?[2-9]\d{2}[ ]?\d{3}[ ]?\d{4}|[6-9]\d{9}")
_V4 = re.compile(r"(?<![\w.\-])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w\-]|\.\d)")
_V6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:{1,2}){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_VERSION = re.compile(r"(?:version|firmware|build|release|v|ver|wersja|versie|versione|versao)[ .:]*$")


def find_emails(page: Page) -> list[Hit]:
    """EMAIL as written: read to both sides of each @."""
    hits: list[Hit] = []
    text = page.text
    at = text.find("@")
    free = 0
    while at >= 0:
        stop = at - 1 if at > free and text[at - 1] == " " else at
        local = _LOCAL.match(text[max(free, stop - _LOCAL_LONGEST - 1) : stop][::-1])
        if local is not None:
            match = _EMAIL.match(text, stop - local.end())
            if match is not None:
                hits.append(Hit(Kind.EMAIL, *match.span(), 0.99, "address"))
                free = match.end()
        at = text.find("@", max(at + 1, free))
    return hits


def find_spoken_emails(page: Page) -> list[Hit]:
    """EMAIL with words for its signs."""
    hits: list[Hit] = []
    low = page.low
    for match in _SPOKEN_EMAIL.finditer(low):
        said = match.group()
        if "." not in said or " at " not in said or _SIGN_WORDS.search(said) or _named_email(page, match.start()):
            hits.append(Hit(Kind.EMAIL, *match.span(), 0.9, "spoken"))
    return hits


def find_named_emails(page: Page) -> list[Hit]:
    """EMAIL behind its name, whose signs were lost: `my email is anna smith 45 examplecom`."""
    hits: list[Hit] = []
    for anchor in page.anchors:
        if anchor.label is Label.EMAIL:
            match = _LAST_WORD_EMAIL.match(page.low, anchor.end)
            if match is not None and not match.group(1).endswith((" com", "become", "welcom", "www.com")):
                hits.append(Hit(Kind.EMAIL, *match.span(1), 0.7, "named"))
    return hits


def find_dotless_emails(page: Page) -> list[Hit]:
    """EMAIL of a well-known provider whose @ and dot were lost on the way: `annasmith 45 gmailcom`."""
    return [Hit(Kind.EMAIL, *match.span(), 0.8, "dotless") for match in _DOTLESS_EMAIL.finditer(page.low)]


def _named_email(page: Page, start: int) -> bool:
    return page.named_before(start) is Label.EMAIL


def find_ips(page: Page) -> list[Hit]:
    """IPv4 with four octets and IPv6 as in RFC 4291; versions of software are left alone."""
    hits: list[Hit] = []
    for match in _V4.finditer(page.text):
        if _VERSION.search(page.low, max(0, match.start() - 24), match.start()) is None:
            hits.append(Hit(Kind.IP, *match.span(), 0.9, "ipv4"))
    if page.text.count(":") < 2:
        return hits
    for match in _V6.finditer(page.text):
        if _ipv6(match.group()):
            hits.append(Hit(Kind.IP, *match.span(), 0.95, "ipv6"))
    return hits


def _ipv6(text: str) -> bool:
    groups = [group for group in text.split(":") if group]
    if "::" in text:
        return text.count("::") == 1 and len(groups) <= 7 and len(groups) >= 2 and ":::" not in text
    return len(groups) == 8


def find_international(page: Page) -> list[Hit]:
    """PHONE with + or 00 and an assigned country code."""
    hits: list[Hit] = []
    for start in _prefixes(page.text):
        match = _INTERNATIONAL.match(page.text, start)
        if match is None or (hits and start < hits[-1].end):
            continue
        end = match.end()
        if start and (page.text[start - 1].isalnum() or page.text[start - 1] in "#_-"):
            continue
        digits = re.sub(r"\D", "", match.group())
        plus = match.group().startswith("+")
        digits = digits if plus else digits[2:]
        if not any(digits[:size] in COUNTRY_CODES for size in (1, 2, 3)):
            continue
        if not plus and page.label(start, end) is Label.OTHER:
            continue
        tail = _EXTENSION.match(page.low, end)
        hits.append(Hit(Kind.PHONE, start, tail.end() if tail else end, 0.98, "e164"))
    return hits


def _prefixes(text: str) -> list[int]:
    """Where a + or 00 stands, in order."""
    places: list[int] = []
    for sign in ("+", "00"):
        at = text.find(sign)
        while at >= 0:
            places.append(at)
            at = text.find(sign, at + 1)
    return sorted(places)


def phone(page: Page, number: Number, label: Label | None) -> Hit | None:
    """A possible telephone number: named as one, or in a national form that nothing else claims."""
    start, end = _widened(page, number)
    tail = _EXTENSION.match(page.low, end)
    if not page.alone(start, end) and (tail is None or not page.alone(start, tail.end())):
        return None
    if label is None and _LINE_KIND.match(page.low, tail.end() if tail else end) is not None:
        label = Label.PHONE
    digits = sum(stop - begin for begin, stop in number.groups)
    named = label in (Label.PHONE, Label.NUMBER)
    if not 6 <= digits <= 15 or ("\n" in page.text[start:end]):
        return None
    if start and page.text[start - 1] in "$€£¥":
        return None
    text = page.text[start:end]
    stop = tail.end() if tail else end
    for name, pattern, strong in _SHAPES:
        if (strong or named) and pattern.fullmatch(text) is not None and digits >= 8:
            return Hit(Kind.PHONE, start, stop, 0.9 if named else 0.75, name)
    least = 6 if len(number.groups) >= 3 and page.direct(start) is Label.PHONE else 7  # "call 33 93 31"
    if label is Label.PHONE and digits >= least and "," not in text and not _money(page, start, end):
        return Hit(Kind.PHONE, start, stop, 0.85, "named")
    if label is None and _BARE.fullmatch(text) is not None and not _money(page, start, end):
        return Hit(Kind.PHONE, start, stop, 0.55, "bare")
    if label is Label.NUMBER and digits >= 9 and "," not in text and not _money(page, start, end):
        return Hit(Kind.PHONE, start, stop, 0.7, "named_weakly")
    return None


def _widened(page: Page, number: Number) -> tuple[int, int]:
    """The number with the bracket that opens it."""
    start = number.start
    if start and page.text[start - 1] == "(" and ")" in page.text[number.start : number.end]:
        start -= 1
    return start, number.end


def _money(page: Page, start: int, end: int) -> bool:
    text = page.text
    return (start > 0 and text[start - 1] in "$€£¥") or re.match(r"\s?[$€£%]", text[end : end + 2]) is not None
