"""Personal and secret data: which finders look at a text, in which order, and who wins where they overlap.

One pass of a google-re2 `Set` over the folded text says which families can match at all; a text without candidates
costs a few microseconds. Kinds anchored by context run before kinds of bare format; an earlier finder keeps its span.
"""

import re
from collections.abc import Iterable
from enum import IntEnum

import re2

from handrail.detectors.base import Reach, Text
from handrail.detectors.data.dates import MONTHS
from handrail.detectors.data.numbers import FILLERS
from handrail.detectors.normalise import View, normalise
from handrail.detectors.personal import bank, cards, codes, contact, health, identity, persons, places, replies, secrets
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.detectors.spoken import digits_view, gate_pattern
from handrail.terms.finding import PERSONAL, Finding, Kind, Role


class Gate(IntEnum):
    """What a text has that some finder may look at; the positions of the patterns in the one `Set`."""

    DIGIT = 0
    AT = 1
    SPOKEN = 2
    NAMES = 3
    SECRET = 4
    PASSWORD = 5
    EMAIL_WORD = 6
    COUNTRY = 7
    NINO = 8
    DATE = 9
    UK = 10
    NAMES_STRICT = 11
    FOLDED = 12  # characters that folding changes; for streams
    RUN = 13  # a long word that may be a credential; for streams


_ACCENTS = {
    "a": "[aáä]", "c": "[cç]", "e": "[eéè]", "n": "[nń]", "o": "[oó]", "u": "[uû]", "z": "[zźż]",
}  # fmt: skip


def _accented(words: str) -> str:
    """The words as a pattern in which letters may carry their accents (people write both)."""
    return "".join(_ACCENTS.get(letter, letter) for letter in words)


_NUMBERS = rf"(?:{gate_pattern()})"
_PATTERNS = {
    Gate.DIGIT: r"[0-9]",
    Gate.AT: r"@",
    Gate.SPOKEN: (
        rf"(?:^|[^\pL]){_NUMBERS}[\s,.\-]{{1,3}}(?:(?:{_NUMBERS}|{'|'.join(sorted(FILLERS))})(?:[^\pL]|$)|[0-9])"
    ),
    Gate.NAMES: persons.gate(),
    Gate.SECRET: secrets.GATE,
    Gate.PASSWORD: r"pass|pasw|pwd|\bpw\b|\bpsw|kennwort|mdp|contrase|clave|parola|senha|palavra|wachtwoord|has[lł]",
    Gate.EMAIL_WORD: (
        r"(?:[^\pL](?:at|dot|[aä]t|arobas|arobase|arroba|klammeraffe|chiocciola|apenstaartje|ma[lł]pa|punkt|kropka)[^\pL])|"
        r"[\[({](?:at|dot)|gmail|yahoo|hotmail|outlook|e-?mail|mail|correo|courriel|poczta|posta"
    ),
    Gate.COUNTRY: r"(?-i:[A-Z]{2})[ \-]?[0-9]|[a-z]{2}[0-9]",
    Gate.NINO: r"[a-z]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{2}[ \-]?[0-9]",
    Gate.DATE: rf"[0-9][./\-]\s?[0-9]{{1,2}}[./\-]|{_accented(MONTHS)}",
    Gate.UK: r"[a-z][0-9][0-9a-z]? ?[0-9][a-z]{2}",
    Gate.NAMES_STRICT: persons.strict_gate(),
    Gate.FOLDED: (
        r"%[0-9a-f]{2}|&[#a-z]|-----|[\[({<](?:at|dot|punkt)|"
        r"[^\x00-\x7f\x{a0}-\x{17e}\x{2010}-\x{201f}\x{2026}\x{20ac}]|"
        r"[\x{aa}\x{b2}\x{b3}\x{b9}\x{ba}\x{bc}-\x{be}\x{ad}]"
    ),
    Gate.RUN: r"bearer|\S{20}",
}
_STREAM_ONLY = frozenset({Gate.FOLDED, Gate.RUN})
_MEMORY = 24 << 20  # octets the automaton may use; it grows as texts need it


def _set(patterns: Iterable[str]) -> "re2.Set":
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _MEMORY
    compiled = re2.Set.SearchSet(options)
    for pattern in patterns:
        compiled.Add(pattern)
    compiled.Compile()
    return compiled


GATE = _set(_PATTERNS.values())
_HEALTH_GATE = _set([health.CONDITION])
_EVERY = frozenset(Gate)
_DIGIT = re.compile(r"\d")


class PersonalDetector:
    """Every personal kind but HEALTH. Works on a window: a finding depends on at most 48 characters before the value
    and 30 after it. Answers for any text; when it raises, `run` reports it as failed and the ruleset decides."""

    name = "personal"
    kinds = PERSONAL - {Kind.HEALTH, Kind.ADDRESS}
    reach = Reach.WINDOW

    def find(self, text: Text, language: str) -> list[Finding]:
        """`language` is not used: people mix languages, so the words of all of them count."""
        return find_personal(text.text)


class ReplyDetector:
    """A user's message that is nothing but a number, or a name and a number."""

    name = "reply"
    kinds = frozenset({Kind.CARD, Kind.PHONE, Kind.ACCOUNT})
    reach = Reach.WHOLE

    def find(self, text: Text, language: str) -> list[Finding]:
        """`language` is not used, as in `PersonalDetector`."""
        if text.role is not Role.USER or len(text.text) > 80 or _DIGIT.search(text.text) is None:
            return []
        view = normalise(text.text)
        return [_finding(view, hit) for hit in replies.find_replies(Page(view))]


class AddressDetector:
    """ADDRESS: the street may stand before its number, so a whole sentence is needed."""

    name = "address"
    kinds = frozenset({Kind.ADDRESS})
    reach = Reach.SENTENCE

    def find(self, text: Text, language: str) -> list[Finding]:
        """`language` settles only words that are a street in one language and none in another."""
        if _DIGIT.search(text.text) is None:
            return []
        view = normalise(text.text)
        return [_finding(view, hit) for hit in places.find_addresses(Page(view), language)]


class HealthDetector:
    """HEALTH, one finding per sentence."""

    name = "health"
    kinds = frozenset({Kind.HEALTH})
    reach = Reach.SENTENCE

    def find(self, text: Text, language: str) -> list[Finding]:
        """`language` is not used, as in `PersonalDetector`."""
        view = normalise(text.text)
        page = Page(view)
        if not _HEALTH_GATE.Match(page.low):
            return []
        return [_finding(view, hit) for hit in health.find_health(page)]


def find_personal(text: str) -> list[Finding]:
    """The personal findings of a text, settled, sorted by start."""
    view = normalise(text)
    gates = frozenset(GATE.Match(view.text) or ())
    if gates <= _STREAM_ONLY:
        return []
    found: list[tuple[View, Hit]] = []
    if Gate.SPOKEN in gates:
        written = digits_view(view)
        if written is not None:
            found += [(written, hit) for hit in _digits(Page(written), _EVERY)]
    page = Page(view)
    found += [(view, hit) for hit in _in_order(page, gates)]
    kept: list[Finding] = []
    for source, hit in found:
        finding = _finding(source, hit)
        if all(finding.end <= other.start or other.end <= finding.start for other in kept):
            kept.append(finding)
    kept.sort(key=lambda finding: finding.start)
    return kept


def _finding(view: View, hit: Hit) -> Finding:
    start, end = view.span(hit.start, hit.end)
    return Finding(kind=hit.kind, start=start, end=end, score=hit.score, reason=hit.reason)


def _in_order(page: Page, gates: frozenset[int]) -> list[Hit]:
    """Hits of one page, the stronger first."""
    hits: list[Hit] = []
    if Gate.SECRET in gates:
        hits += secrets.find_secrets(page)
    digits = Gate.DIGIT in gates
    if Gate.AT in gates or Gate.EMAIL_WORD in gates:
        hits += contact.find_emails(page)
    if Gate.PASSWORD in gates:
        hits += codes.find_passwords(page)
    if digits:
        hits += _digits(page, gates)
    elif page.text.count(":") >= 2:
        hits += contact.find_ips(page)
    if Gate.EMAIL_WORD in gates:
        hits += contact.find_dotless_emails(page)
    named, strict = Gate.NAMES in gates, Gate.NAMES_STRICT in gates
    if named or strict:
        hits += persons.find_persons(page, named=named, strict=strict)
    return hits


def _digits(page: Page, gates: frozenset[int]) -> list[Hit]:
    """Everything made of digits: first what proves itself, then what is named, then what only looks like it."""
    hits: list[Hit] = []
    dates: list[tuple[int, int]] = []
    text = page.text
    if Gate.COUNTRY in gates:
        hits += bank.find_ibans(page)
    hits += cards.find_cards(page)
    if Gate.DATE in gates:
        births, dates = identity.find_dates(page)
        hits += births
    if text.count(".") >= 3 or text.count(":") >= 2:
        hits += contact.find_ips(page)
    if "+" in text or "00" in text:
        hits += contact.find_international(page)
    grouped = [number for number in page.numbers if len(number.groups) >= 3]
    if grouped:
        hits += bank.find_sort_codes(page)
    if Gate.NINO in gates:
        hits += identity.find_ninos(page)
    if grouped:
        hits += identity.find_ssns(page)
    labels = {anchor.label for anchor in page.anchors}
    if Label.OTP in labels:
        hits += codes.find_letter_codes(page)
    if Label.PASSPORT in labels:
        hits += identity.find_documents(page)
    if Label.SSN in labels:
        hits += identity.find_national_ids(page)
    taken = [(hit.start, hit.end) for hit in hits] + dates
    later: list[Hit] = []
    for number in page.lines:
        if any(start < number.end and number.start < end for start, end in taken):
            for part in _rest(number, taken):
                _one(page, part, hits, later)
        elif not _one(page, number, hits, later):
            for part in _parts(page.text, number):
                _one(page, part, hits, later)
    return hits + later + (places.find_postcodes(page) if Gate.UK in gates else [])


def _one(page: Page, number: Number, hits: list[Hit], later: list[Hit]) -> bool:
    """What one number is, by what the words call it; a telephone goes to `later`, behind the named kinds."""
    label = page.label(number.start, number.end)
    found: Hit | None = None
    if label is None or label is Label.PHONE or label is Label.NUMBER:
        found = contact.phone(page, number, label)
        if found is not None:
            later.append(found)
        return found is not None
    if label in codes.LENGTHS:
        found = codes.named_code(page, number, label)
    elif label is Label.CARD:
        found = cards.named_card(page, number)
    elif label is Label.ACCOUNT:
        found = bank.named_account(page, number)
    elif label is Label.SSN or label is Label.DOB:
        found = identity.named_identity(page, number, label)
    elif label is Label.ZIP:
        found = places.named_postcode(page, number)
    if found is not None:
        hits.append(found)
    return found is not None


def _parts(text: str, number: Number) -> list[Number]:
    """A run of several values, cut beside each group too long to be part of one ("11238 3476227153") and before a
    bracket ("212-555-0123 (206) 555-0142")."""
    parts: list[list[tuple[int, int]]] = [[]]
    for group in number.groups:
        long = group[1] - group[0] >= _WHOLE
        last = parts[-1]
        if last and (long or last[-1][1] - last[-1][0] >= _WHOLE or "(" in text[last[-1][1] : group[0]]):
            parts.append([])
        parts[-1].append(group)
    return [_number(groups) for groups in parts] if len(parts) > 1 else []


def _rest(number: Number, taken: list[tuple[int, int]]) -> list[Number]:
    """What a run holds beside the spans already taken."""
    parts: list[list[tuple[int, int]]] = [[]]
    for group in number.groups:
        if any(start < group[1] and group[0] < end for start, end in taken):
            parts.append([])
        else:
            parts[-1].append(group)
    return [_number(groups) for groups in parts if groups]


def _number(groups: list[tuple[int, int]]) -> Number:
    return Number(groups[0][0], groups[-1][1], tuple(groups))


_WHOLE = 8  # digits of a group that is a value by itself
