"""Personal and secret data: which finders look at a text, in which order, and who wins where they overlap.

One pass of a google-re2 `Set` over the folded text says which families can match at all; a text without candidates
costs a few microseconds. Kinds anchored by context run before kinds of bare format; an earlier finder keeps its span.
"""

import re

import re2

from handrail.detectors.base import Reach, Text
from handrail.detectors.data.dates import MONTHS
from handrail.detectors.data.numbers import FILLERS
from handrail.detectors.normalise import View, normalise
from handrail.detectors.personal import bank, cards, codes, contact, health, identity, persons, places, replies, secrets
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.page import Hit, Number, Page
from handrail.detectors.spoken import digits_view, gate_words
from handrail.terms.finding import PERSONAL, Finding, Kind, Role

(
    _ANY_DIGIT, _AT, _SPOKEN, _NAMES, _SECRET, _PASSWORD, _EMAIL_WORD,
    _COUNTRY, _DATE, _DOTTED, _PLUS, _THREES, _SORTED, _UK, _LONG,
) = range(15)  # fmt: skip


def _accented(word: str) -> str:
    """The word as a pattern in which each letter may carry its accent (people write both)."""
    return "".join(_LETTER_FORMS.get(letter, letter) for letter in word)


_LETTER_FORMS = {
    "a": "[aàáâãäą]", "c": "[cçć]", "e": "[eèéêëę]", "i": "[iìíîï]", "n": "[nñń]", "o": "[oòóôõö]", "s": "[sś]",
    "u": "[uùúûü]", "z": "[zżź]", "l": "[lł]",
}  # fmt: skip


_NUMBER_WORDS = "|".join(_accented(word) for word in gate_words())
SPOKEN_PAIR = rf"(?:^|[^\pL])(?:{_NUMBER_WORDS})[\s,.\-]{{1,3}}(?:(?:{_NUMBER_WORDS})(?:[^\pL]|$)|[0-9])"
SPOKEN_FILLER = rf"(?:^|[^\pL])(?:{_NUMBER_WORDS})[\s,.\-]{{1,3}}(?:{'|'.join(sorted(FILLERS))})[^\pL]"
PASSWORD_WORDS = r"pass|pwd|passwd|\bpw\b|\bpsw|kennwort|mdp|contrase|clave|parola|senha|palavra|wachtwoord|has[lł]"
EMAIL_WORDS = (
    r"(?:[^\pL](?:at|dot|[aä]t|arobas|arobase|arroba|klammeraffe|chiocciola|apenstaartje|ma[lł]pa|punkt|kropka)[^\pL])|"
    r"[\[({](?:at|dot)|gmail|yahoo|hotmail|outlook|e-?mail|mail|correo|courriel|poczta|posta"
)


def _gate() -> "re2.Set":
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = 64 << 20
    gate = re2.Set.SearchSet(options)
    gate.Add(r"[0-9]")
    gate.Add(r"@")
    gate.Add(f"{SPOKEN_PAIR}|{SPOKEN_FILLER}")
    gate.Add(persons.gate())
    gate.Add(secrets.GATE)
    gate.Add(PASSWORD_WORDS)
    gate.Add(EMAIL_WORDS)
    gate.Add(r"[a-z]{2}[ \-]?[0-9][ \-]?[0-9]")
    gate.Add(
        rf"[0-9][./\-]\s?[0-9]{{1,2}}[./\-]|{MONTHS.replace('a', '[aä]').replace('e', '[eéè]').replace('z', '[zźż]')}"
    )
    gate.Add(r"[0-9]\.[0-9]{1,3}\.[0-9]|[0-9a-f]:[0-9a-f:]*:")
    gate.Add(r"\+[ ]?[1-9]|00[ ]?[1-9]")
    gate.Add(r"[0-9]{3}[\- .][0-9]{2}[\- .][0-9]{4}")
    gate.Add(r"[0-9]{2}[ \-][0-9]{2}[ \-][0-9]{2}[\s,/;|]{1,3}[0-9]{8}")
    gate.Add(r"[a-z][0-9][0-9a-z]? ?[0-9][a-z]{2}")
    gate.Add(r"(?:[0-9][ \-./\t\r\n]{0,3}){11}[0-9]")
    gate.Compile()
    return gate


def _health_gate() -> "re2.Set":
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    gate = re2.Set.SearchSet(options)
    gate.Add(health.CONDITION)
    gate.Compile()
    return gate


_EVERY = frozenset(range(_LONG + 1))
_DIGIT = re.compile(r"\d")
_GATE = _gate()
_HEALTH_GATE = _health_gate()


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
        """`language` is not used, as in `PersonalDetector`."""
        if _DIGIT.search(text.text) is None:
            return []
        view = normalise(text.text)
        return [_finding(view, hit) for hit in places.find_addresses(Page(view))]


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
    gates = _GATE.Match(view.text)
    if not gates:
        return []
    found: list[tuple[View, Hit]] = []
    if _SPOKEN in gates:
        written = digits_view(view)
        if written is not None:
            found += [(written, hit) for hit in _digits(Page(written), _EVERY)]
    page = Page(view)
    found += [(view, hit) for hit in _in_order(page, frozenset(gates))]
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
    if _SECRET in gates:
        hits += secrets.find_secrets(page)
    digits = _ANY_DIGIT in gates
    if _AT in gates or _EMAIL_WORD in gates:
        hits += contact.find_emails(page)
    if _PASSWORD in gates:
        hits += codes.find_passwords(page)
    if digits:
        hits += _digits(page, gates)
    elif _DOTTED in gates:
        hits += contact.find_ips(page)
    if _EMAIL_WORD in gates:
        hits += contact.find_dotless_emails(page)
    if _NAMES in gates:
        hits += persons.find_persons(page)
    return hits


def _digits(page: Page, gates: frozenset[int]) -> list[Hit]:
    """Everything made of digits: first what proves itself, then what is named, then what only looks like it."""
    hits: list[Hit] = []
    dates: list[tuple[int, int]] = []
    country = _COUNTRY in gates
    if country:
        hits += bank.find_ibans(page)
    if _LONG in gates:
        hits += cards.find_cards(page)
    if _DATE in gates:
        births, dates = identity.find_dates(page)
        hits += births
    if _DOTTED in gates:
        hits += contact.find_ips(page)
    if _PLUS in gates:
        hits += contact.find_international(page)
    if _SORTED in gates:
        hits += bank.find_sort_codes(page)
    if country:
        hits += identity.find_ninos(page)
    if _THREES in gates:
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
            continue
        if _one(page, number, hits, later):
            continue
        for part in _parts(number):
            _one(page, part, hits, later)
    return hits + later + (places.find_postcodes(page) if _UK in gates else [])


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


def _parts(number: Number) -> list[Number]:
    """A run of several values, cut beside each group too long to be part of one: "11238 3476227153"."""
    groups = number.groups
    if len(groups) == 1 or all(end - start < 8 for start, end in groups):
        return []
    parts: list[Number] = []
    short: list[tuple[int, int]] = []
    for group in (*groups, (0, 9)):
        if group[1] - group[0] < 8:
            short.append(group)
            continue
        if short:
            parts.append(Number(short[0][0], short[-1][1], tuple(short)))
            short = []
        if group != (0, 9):
            parts.append(Number(group[0], group[1], (group,)))
    return parts
