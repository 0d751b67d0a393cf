"""Personal and secret data: which finders look at a text, in which order, and who wins where they overlap.

The gates (`personal.gates`) say which finders can find at all; a text without candidates costs a few microseconds, and
one with an order number only the look at that number. Kinds anchored by context run before kinds of bare format; an
earlier finder keeps its span.
"""

import re
from functools import lru_cache

from handrail.detectors.base import REPLY, Reach, Text
from handrail.detectors.normalise import View, normalise
from handrail.detectors.personal import (
    answers,
    bank,
    births,
    cards,
    codes,
    contact,
    health,
    identity,
    persons,
    places,
    replies,
    secrets,
)
from handrail.detectors.personal.anchors import CODES, Label
from handrail.detectors.personal.asked import NOTHING, Asked, asked_for
from handrail.detectors.personal.gates import STREET_GATES, Gate, gates_of
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.detectors.spoken import digits_view
from handrail.terms.finding import PERSONAL, Finding, Kind, Role

_PHONE, _NUMBER, _CARD, _ACCOUNT = Label.PHONE, Label.NUMBER, Label.CARD, Label.ACCOUNT
_SSN, _DOB, _ZIP = Label.SSN, Label.DOB, Label.ZIP
_NAMED_WITHOUT_DIGITS = frozenset({Gate.PASSWORD, Gate.MAIL})
_FORMS = frozenset({Gate.NUMBER, Gate.MIXED, Gate.DATE, Gate.IP, Gate.UK, Gate.IBAN})
_PROVING = frozenset({Gate.DATE, Gate.IP, Gate.UK, Gate.IBAN, Gate.NINO, Gate.INTERNATIONAL})
"""Forms that need no name."""
_PERSONS = (
    (Gate.INTRODUCED, "introduced"),
    (Gate.TITLE, "title"),
    (Gate.GREETED, "greeting"),
    (Gate.LOOSE, "introduced_loosely"),
)

_UNSPACED = (
    r"(?!\d)[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3040-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f"
    r"\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
"""A letter of a script that sets no space between words, or none before a particle: Thai, Lao, Burmese, Khmer, Chinese,
Japanese, Korean."""
_BESIDE = r"[0-9A-Za-z\uff10-\uff19]"
_EDGE = re.compile(rf"{_UNSPACED}(?={_BESIDE})|(?<={_BESIDE}){_UNSPACED}")
_PROVEN = frozenset({Kind.CARD, Kind.IBAN})
_CHECKED = frozenset({"luhn", "luhn_named", "mod97"})
"""Reasons that a check digit gave."""


@lru_cache(maxsize=4)
def _read(text: str) -> tuple[Page, frozenset[int]]:
    """The text laid out and its gates; the detectors of this file read the same text one after the other."""
    return _gated(normalise(text))


def _gated(view: View) -> tuple[Page, frozenset[int]]:
    page = Page(view)
    gates = gates_of(page.plain)
    page.wide = not _NAMED_WITHOUT_DIGITS.isdisjoint(gates)
    page.long = Gate.LONG in gates
    return page, gates


class PersonalDetector:
    """Every personal kind but HEALTH. Works on a window: a finding depends on at most 48 characters before the value
    and 30 after it. Answers for any text; when it raises, `run` reports it as failed and the ruleset decides."""

    name = "personal"
    kinds = PERSONAL - {Kind.HEALTH, Kind.ADDRESS}
    reach = Reach.WINDOW

    def find(self, text: Text, language: str) -> list[Finding]:
        """`language` is not used: people mix languages, so the words of all of them count. A plain run of digits that
        nothing names is no telephone in the result of a tool, where it is an id and masking it would break the agent's
        next call, nor in the answer to a question for the number of an order or another thing.
        """
        found = find_personal(text.text)
        if not any(finding.reason == "bare" and finding.kind is Kind.PHONE for finding in found):
            return found
        if text.role is Role.TOOL or _question(text).things:
            return [finding for finding in found if not (finding.reason == "bare" and finding.kind is Kind.PHONE)]
        return found


def _question(text: Text) -> Asked:
    """What the message before asked for; nothing where the text is no short message of a user."""
    return asked_for(text.asked) if text.asked and text.role is Role.USER and len(text.text) <= REPLY else NOTHING


class ReplyDetector:
    """A user's message that answers a question with a bare value. Where the question is known (`Text.asked`) it says
    which kind; else the form of a message that is nothing but a number, or a name and a number."""

    name = "reply"
    kinds = answers.KINDS | {Kind.CARD, Kind.PHONE, Kind.ACCOUNT, Kind.SSN, Kind.POSTCODE, Kind.PASSWORD}
    reach = Reach.WHOLE

    def find(self, text: Text, language: str) -> list[Finding]:
        """`language` is not used, as in `PersonalDetector`."""
        if text.role is not Role.USER or len(text.text) > REPLY:
            return []
        page, gates = _read(text.text)
        digit = Gate.DIGIT in gates
        if not digit and page.text.isascii() and not answers.may_answer(page):
            return []
        asked = _question(text)
        hits = answers.find_answers(page, asked)
        if digit and not asked.things:
            hits += [
                hit
                for hit in replies.find_replies(page)
                if all(hit.start >= one.end or one.start >= hit.end for one in hits)
            ]
        return [_finding(page.view, hit) for hit in hits]


class BirthDetector:
    """DOB in words ("the twelfth of August nineteen eighty-three"): a sentence is needed, unlike for one in figures."""

    name = "birth"
    kinds = frozenset({Kind.DOB})
    reach = Reach.SENTENCE

    def find(self, text: Text, language: str) -> list[Finding]:
        """`language` is not used, as in `PersonalDetector`."""
        page, gates = _read(text.text)
        return [_finding(page.view, hit) for hit in births.find_births(page)] if Gate.BIRTH in gates else []


class AddressDetector:
    """ADDRESS: the street may stand before its number, so a whole sentence is needed."""

    name = "address"
    kinds = frozenset({Kind.ADDRESS})
    reach = Reach.SENTENCE

    def find(self, text: Text, language: str) -> list[Finding]:
        """`language` settles only words that are a street in one language and none in another."""
        page, gates = _read(text.text)
        if STREET_GATES.isdisjoint(gates):
            return []
        return [_finding(page.view, hit) for hit in places.find_addresses(page, language, gates)]


class HealthDetector:
    """HEALTH, one finding per sentence."""

    name = "health"
    kinds = frozenset({Kind.HEALTH})
    reach = Reach.SENTENCE

    def find(self, text: Text, language: str) -> list[Finding]:
        """`language` is not used, as in `PersonalDetector`."""
        page, gates = _read(text.text)
        return [_finding(page.view, hit) for hit in health.find_health(page)] if Gate.HEALTH in gates else []


def find_personal(text: str) -> list[Finding]:
    """The personal findings of a text, settled, sorted by start."""
    page, gates = _read(text)
    if not gates:
        return []
    found: list[tuple[View, Hit]] = []
    if Gate.SPOKEN in gates:
        written = digits_view(page.view)
        if written is not None:
            said, said_gates = _gated(written)
            found += [(written, hit) for hit in _digits(said, said_gates)]
    if Gate.DIGIT in gates and page.marks.count(b"0") >= cards.LEAST_DIGITS and not text.isascii():
        found += _unspaced(text)
    found += [(page.view, hit) for hit in _in_order(page, gates)]
    if not found:
        return []
    kept: list[Finding] = []
    covered = bytearray(len(text))
    for source, hit in found:
        finding = _finding(source, hit)
        if covered.find(1, finding.start, finding.end) < 0:
            kept.append(finding)
            _cover(covered, finding.start, finding.end)
    kept.sort(key=lambda finding: finding.start)
    return kept


def _unspaced(text: str) -> list[tuple[View, Hit]]:
    """What proves itself by a check digit where the script parts no words: there a letter beside a value is no part of
    it. Nothing else, since all that looks like a number would be one."""
    parted = _EDGE.sub(" ", text)  # one sign for one: every place stays
    if parted == text:
        return []
    page, gates = _gated(normalise(parted))
    return [(page.view, hit) for hit in _in_order(page, gates) if hit.kind in _PROVEN and hit.reason in _CHECKED]


def _cover(marks: bytearray, start: int, end: int) -> None:
    marks[start:end] = b"\x01" * (end - start)


def _finding(view: View, hit: Hit) -> Finding:
    start, end = view.span(hit.start, hit.end)
    return Finding(kind=hit.kind, start=start, end=end, score=hit.score, reason=hit.reason)


def _in_order(page: Page, gates: frozenset[int]) -> list[Hit]:
    """Hits of one page, the stronger first."""
    hits: list[Hit] = []
    if Gate.SECRET in gates:
        hits += secrets.find_secrets(page)
    if Gate.AT in gates:
        hits += contact.find_emails(page)
    if Gate.AT_WORD in gates and Gate.TOP_LEVEL in gates:
        hits += contact.find_spoken_emails(page)
    if Gate.PASSWORD in gates:
        hits += codes.find_passwords(page)
    if Gate.DIGIT in gates and page.marks.count(b"0") >= cards.LEAST_DIGITS:
        hits += cards.find_parted(page) + cards.find_glued(page)
    if Gate.MIXED in gates:
        hits += codes.find_glued(page)
    if not _FORMS.isdisjoint(gates):
        hits += _digits(page, gates)
    if Gate.PROVIDER in gates:
        hits += contact.find_dotless_emails(page)
    if Gate.MAIL in gates and Gate.LOST_SIGNS in gates:
        hits += contact.find_named_emails(page)
    reasons = [reason for gate, reason in _PERSONS if gate in gates]
    if reasons:
        hits += persons.find_persons(page, reasons)
    return hits


def _digits(page: Page, gates: frozenset[int]) -> list[Hit]:
    """Everything made of digits: first what proves itself, then what is named, then what only looks like it."""
    if _PROVING.isdisjoint(gates) and page.bare:
        return []
    hits: list[Hit] = []
    dates: list[tuple[int, int]] = []
    if Gate.IBAN in gates:
        hits += bank.find_ibans(page)
    if Gate.NUMBER in gates:
        hits += cards.find_cards(page)
    if Gate.DATE in gates:
        births, dates = identity.find_dates(page)
        hits += births
    if Gate.IP in gates:
        hits += contact.find_ips(page)
    if Gate.INTERNATIONAL in gates:
        hits += contact.find_international(page)
    if Gate.SORT_CODE in gates:
        hits += bank.find_sort_codes(page)
    if Gate.NINO in gates:
        hits += identity.find_ninos(page)
    if Gate.SSN in gates:
        hits += identity.find_ssns(page)
    labels = {anchor.label for anchor in page.anchors}
    if Label.OTP in labels:
        hits += codes.find_letter_codes(page)
    if Label.PASSPORT in labels:
        hits += identity.find_documents(page)
    if Label.ACCOUNT in labels and Gate.MIXED in gates:
        hits += bank.find_lettered_accounts(page)
    if Label.SSN in labels:
        hits += identity.find_national_ids(page)
    taken = bytearray(len(page.text))
    for start, end in [(hit.start, hit.end) for hit in hits] + dates:
        _cover(taken, start, end)
    later: list[Hit] = []
    for number in page.lines:
        if taken.find(1, number.start, number.end) >= 0:
            for part in _rest(number, taken):
                _any(page, part, hits, later)
        else:
            _any(page, number, hits, later)
    return hits + later + (places.find_postcodes(page) if Gate.UK in gates else [])


def _any(page: Page, number: Number, hits: list[Hit], later: list[Hit]) -> None:
    """What a number is, or else each of the values that it may be a run of."""
    if _one(page, number, hits, later):
        return
    for part in _parts(page.text, number) or [number]:
        if part is number or not _one(page, part, hits, later):
            label = page.label(part.start, part.end)
            if label is None or label is _PHONE or label is _NUMBER:
                later += contact.telephones(page, part, label)


def _one(page: Page, number: Number, hits: list[Hit], later: list[Hit]) -> bool:
    """What one number is, by what the words call it; a telephone goes to `later`, behind the named kinds."""
    label = page.label(number.start, number.end)
    found: Hit | None = None
    if label is None or label is _PHONE or label is _NUMBER:
        found = contact.phone(page, number, label)
        if found is not None:
            later.append(found)
        return found is not None
    if label in CODES:
        found = codes.named_code(page, number, label)
        if found is None:  # no code has this length
            later += [hit for hit in [contact.phone(page, number, None)] if hit is not None]
            return False
    elif label is _CARD:
        found = cards.named_card(page, number)
    elif label is _ACCOUNT:
        found = bank.named_account(page, number)
    elif label is _SSN or label is _DOB:
        found = identity.named_identity(page, number, label)
    elif label is _ZIP:
        found = places.named_postcode(page, number)
    if found is not None:
        hits.append(found)
    return found is not None


def _parts(text: str, number: Number) -> list[Number]:
    """A run of several values, cut beside each group too long to be part of one ("11238 3476227153") and before a
    bracket ("212-555-0123 (206) 555-0142") and behind one that closes the number of a line ("2) 020 7946 0001")."""
    parts: list[list[tuple[int, int]]] = [[]]
    for group in number.groups:
        long = group[1] - group[0] >= _WHOLE
        last = parts[-1]
        gap = text[last[-1][1] : group[0]] if last else ""
        marked = len(last) == 1 and gap.startswith(")") and text[last[0][0] - 1 : last[0][0]] != "("
        if last and (long or last[-1][1] - last[-1][0] >= _WHOLE or "(" in gap or marked):
            parts.append([])
        parts[-1].append(group)
    return [_number(groups) for groups in parts] if len(parts) > 1 else []


def _rest(number: Number, taken: bytearray) -> list[Number]:
    """What a run holds beside the spans already taken."""
    parts: list[list[tuple[int, int]]] = [[]]
    for group in number.groups:
        if taken.find(1, *group) >= 0:
            parts.append([])
        else:
            parts[-1].append(group)
    return [_number(groups) for groups in parts if groups]


def _number(groups: list[tuple[int, int]]) -> Number:
    return Number(groups[0][0], groups[-1][1], tuple(groups))


_WHOLE = 8  # digits of a group that is a value by itself
