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

_INTERNATIONAL = re.compile(r"(?:\+|\b00)[ ]?[1-9](?:(?!\. )[ \-./()]{0,3}\d){6,14}(?!\d)")
_SHAPES = tuple((name, re.compile(pattern), strong) for name, pattern, strong in SHAPES)
_INTERNATIONAL_LEAST = 9  # digits, the country's code included
_LONGEST, _GROUPS_MOST = 20, 6  # characters and groups of a telephone
_GROUP = re.compile(r"\d+")
_RUN_ON = re.compile(r"(?:[ \t\-/_().]{1,3}\d+)+")
_RUN_LONGEST = 4_096  # groups of a run that is read as several telephones
_PLAIN_RUN = re.compile(r"\d+(?: \d+)*")
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
    """PHONE with + or 00 and an assigned country code; not with 00 where the words beside it call it an account."""
    hits: list[Hit] = []
    for start in _prefixes(page.text):
        match = _INTERNATIONAL.match(page.text, start)
        if match is None or (hits and start < hits[-1].end):
            continue
        end = _cut(page, start, match.end())
        if start and (page.text[start - 1].isalnum() or page.text[start - 1] in "#_-"):
            continue
        digits = re.sub(r"\D", "", page.text[start:end])
        plus = match.group().startswith("+")
        digits = digits if plus else digits[2:]
        if not any(digits[:size] in COUNTRY_CODES for size in (1, 2, 3)):
            continue
        if not plus and (
            page.label(start, end) is Label.OTHER or page.direct_or_behind(start, end) is Label.ACCOUNT
        ):  # `bank.named_account` takes the account
            continue
        tail = _EXTENSION.match(page.low, end)
        hits.append(Hit(Kind.PHONE, start, tail.end() if tail else end, 0.98, "e164"))
    return hits


def _cut(page: Page, start: int, end: int) -> int:
    """Where an international number ends that ran on into the telephone behind it."""
    match = _RUN_ON.match(page.text, end, end + _LONGEST)
    if match is None:
        return end
    groups = tuple([group.span() for group in _GROUP.finditer(page.text, start, match.end())])
    run = Number(start, match.end(), groups)
    for place in range(1, len(groups)):
        stop = groups[place - 1][1]
        if stop >= end or sum(map(str.isdigit, page.text[start:stop])) < _INTERNATIONAL_LEAST:
            continue
        named = page.label(start, stop) is Label.PHONE
        for after in range(place + 1, min(len(groups), place + _GROUPS_MOST) + 1):
            part = Number(groups[place][0], groups[after - 1][1], groups[place:after])
            if part.end > end and _telephone(page, part, run, named=named):
                return stop
    return end


def telephones(page: Page, number: Number, label: Label | None = None) -> list[Hit]:
    """The telephones that a run of them consists of; empty where anything else is in it. Without a `label` each has a
    form that needs no name, and plain groups tell only where a sign sets them apart: "612 345 678" may be part of any
    long number."""
    groups = number.groups
    if len(groups) > _RUN_LONGEST or not page.listed(*_widened(page, number)):
        return []
    named = label is Label.PHONE
    following: list[int | None] = [None] * len(groups) + [len(groups)]
    for first in range(len(groups) - 1, -1, -1):
        for after in range(min(len(groups), first + _GROUPS_MOST), first, -1):
            part = Number(groups[first][0], groups[after - 1][1], groups[first:after])
            if following[after] is not None and _telephone(page, part, number, named=named):
                following[first] = after
                break
    hits: list[Hit] = []
    at = following[0]
    first = 0
    while at is not None and first < len(groups):
        start, end = _widened(page, Number(groups[first][0], groups[at - 1][1], ()))
        hits.append(Hit(Kind.PHONE, start, end, 0.85 if named else 0.75, "listed"))
        first, at = at, following[at]
    return hits


def _telephone(page: Page, one: Number, run: Number, *, named: bool) -> bool:
    """Whether a part of a run is a telephone."""
    digits = sum(stop - at for at, stop in one.groups)
    if not 8 <= digits <= 15 or one.end - one.start > _LONGEST:
        return False
    start, end = _widened(page, one)
    if named and len(one.groups) == 1 and digits >= _INTERNATIONAL_LEAST:
        return True
    shaped = any((strong or named) and pattern.fullmatch(page.text, start, end) for _, pattern, strong in _SHAPES)
    return shaped and (named or _apart(page.text, one, run))


def _apart(text: str, one: Number, run: Number) -> bool:
    if text[one.start] == "0" or _PLAIN_RUN.fullmatch(text, one.start, one.end) is None:
        return True
    before = text[one.start - 1] if one.start > run.start else ""
    behind = text[one.end : one.end + 2] if one.end < run.end else ""
    return (before != " " or text[one.start - 2] in " -/") and not (behind[:1] == " " and behind[1:].isdigit())


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
    digits = sum([stop - begin for begin, stop in number.groups])
    if not 6 <= digits <= 15:
        return None
    start, end = _widened(page, number)
    tail = _EXTENSION.match(page.low, end)
    if not page.listed(start, end) and (tail is None or not page.alone(start, tail.end())):
        return None
    if label is None and _LINE_KIND.match(page.low, tail.end() if tail else end) is not None:
        label = Label.PHONE
    named = label in (Label.PHONE, Label.NUMBER)
    if "\n" in page.text[start:end]:
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
