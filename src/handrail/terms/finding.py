"""What a detector notices in a text. The names are stable: they stand in rulesets, the ledger and the API."""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """Every kind of finding. Add, never rename; `handrail scan --kinds` lists them with their meaning."""

    # personal and secret data
    CARD = "CARD"
    CVV = "CVV"
    IBAN = "IBAN"
    ACCOUNT = "ACCOUNT"  # UK sort code + account, US routing + account, an account number named as such
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    SSN = "SSN"
    NINO = "NINO"
    DOB = "DOB"
    PASSPORT = "PASSPORT"
    ADDRESS = "ADDRESS"
    POSTCODE = "POSTCODE"
    IP = "IP"
    PERSON = "PERSON"
    PASSWORD = "PASSWORD"  # noqa: S105  the name of a kind, not a password
    PIN = "PIN"
    OTP = "OTP"
    HEALTH = "HEALTH"
    SECRET = "SECRET"  # noqa: S105  API keys, private keys, bearer tokens
    # attacks
    INJECTION = "INJECTION"
    # triggers that a person must see
    COMPLAINT = "COMPLAINT"
    LEGAL = "LEGAL"
    VULNERABILITY = "VULNERABILITY"
    HUMAN = "HUMAN"  # asks for a person
    LEAVE = "LEAVE"  # wants to leave
    # answers
    UNGROUNDED = "UNGROUNDED"
    LINK = "LINK"  # a link outside the allow-list
    MARKUP = "MARKUP"  # active markup
    PROMPT_LEAK = "PROMPT_LEAK"
    DECLINED = "DECLINED"  # the model declined to help: marked and counted, nothing else
    # what no detector could read, or what was not seen before
    UNREADABLE = "UNREADABLE"
    UNSEEN_PROMPT = "UNSEEN_PROMPT"
    UNSCREENED = "UNSCREENED"  # a detector failed or was late, and the ruleset let it pass marked


PERSONAL = frozenset(
    {
        Kind.CARD, Kind.CVV, Kind.IBAN, Kind.ACCOUNT, Kind.EMAIL, Kind.PHONE, Kind.SSN, Kind.NINO, Kind.DOB,
        Kind.PASSPORT, Kind.ADDRESS, Kind.POSTCODE, Kind.IP, Kind.PERSON, Kind.PASSWORD, Kind.PIN, Kind.OTP,
        Kind.HEALTH, Kind.SECRET,
    }
)  # fmt: skip

NEVER_REST = frozenset({Kind.CVV, Kind.PIN, Kind.PASSWORD, Kind.OTP})
"""Removed before anything is stored and never restored: PCI DSS 4.0.1 requirement 3.3.1 for CVV and PIN; passwords
and one-time codes by our own rule. The mask of these kinds is a constant, not a reversible token."""


class Role(StrEnum):
    """Who wrote a text. `document`, `tool` and `user` are untrusted; an instruction in `tool` or `document` is an
    injection."""

    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    DOCUMENT = "document"
    SYSTEM = "system"


class Finding(msgspec.Struct, frozen=True):
    """`start`, `end`: characters of the original text, end exclusive; a text-wide finding spans the whole text.
    `score`: 0..1. `reason`: a short stable code such as `luhn`, never customer content."""

    kind: Kind
    start: int
    end: int
    score: float
    reason: str
