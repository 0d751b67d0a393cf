"""The built-in detectors, in the order they run, and what each kind means (`handrail scan --kinds`)."""

from handrail.detectors.base import Detector
from handrail.detectors.declined import Declined
from handrail.detectors.grounding import THRESHOLD, Grounding
from handrail.detectors.injection import injection_detector
from handrail.detectors.links import Links
from handrail.detectors.pii import AddressDetector, BirthDetector, HealthDetector, PersonalDetector, ReplyDetector
from handrail.detectors.triggers import triggers_detector
from handrail.detectors.unsafe import Markup, PromptLeak
from handrail.terms.finding import Kind

MEANING: dict[Kind, str] = {
    Kind.CARD: "payment card number: Luhn, issuer prefix and length, or named as a card; also read out or split",
    Kind.CVV: "card verification code, where named or behind card and expiry; never kept",
    Kind.IBAN: "international bank account number: mod 97 and the length of its country",
    Kind.ACCOUNT: "bank or customer account number where named: UK sort code + account, US routing + account, others",
    Kind.EMAIL: "e-mail address, also with words for its signs (at, dot) or with the signs lost",
    Kind.PHONE: "telephone number in national or international form",
    Kind.SSN: "US social security number (issued ranges), its last digits or another national number where named",
    Kind.NINO: "UK national insurance number",
    Kind.DOB: "date of birth, where the words say birth",
    Kind.PASSPORT: "passport or identity document number, where named",
    Kind.ADDRESS: "street address with its number",
    Kind.POSTCODE: "postcode: UK form, others where named",
    Kind.IP: "IPv4 or IPv6 address",
    Kind.PERSON: "name of a person, where introduced or greeted",
    Kind.PASSWORD: "password, where named; never kept",
    Kind.PIN: "personal identification number, where named; never kept",
    Kind.OTP: "one-time code, where named; never kept",
    Kind.HEALTH: "statement about somebody's own illness, treatment or pregnancy (the sentence)",
    Kind.SECRET: "machine credential: API key, private key, token, password inside an address",
    Kind.INJECTION: "text that tries to instruct the model against its operator",
    Kind.COMPLAINT: "complaint",
    Kind.LEGAL: "threat of legal or regulatory steps",
    Kind.VULNERABILITY: "sign of vulnerability: bereavement, debt, illness, self-harm, abuse",
    Kind.HUMAN: "asks for a person",
    Kind.LEAVE: "wants to leave or cancel",
    Kind.UNGROUNDED: "claim in an answer that its context does not carry",
    Kind.LINK: "link to a host outside the allow-list",
    Kind.MARKUP: "active markup in an answer",
    Kind.PROMPT_LEAK: "part of the managed prompt in an answer (canary)",
    Kind.DECLINED: "answer that declines to help (the sentence); marked and counted, nothing else",
    Kind.UNREADABLE: "part of a message that no detector can read",
    Kind.UNSEEN_PROMPT: "client prompt with a digest not seen before",
    Kind.UNSCREENED: "text that passed although a detector failed or was late, as the ruleset said",
}


def built_in(grounding_floor: float = THRESHOLD) -> tuple[Detector, ...]:
    """Every built-in detector; personal data first, so that masking never waits for the rest. Loads word families and
    the small models of the others: build once. `grounding_floor`: claims below this score are not reported; 0 ranks
    every answer."""
    return (
        PersonalDetector(),
        ReplyDetector(),
        BirthDetector(),
        AddressDetector(),
        HealthDetector(),
        injection_detector(),
        triggers_detector(),
        Links(),
        Markup(),
        PromptLeak(),
        Declined(),
        Grounding(grounding_floor),
    )


def lines() -> tuple[tuple[Kind, str], ...]:
    """Each kind with its meaning, in the order of `Kind`."""
    return tuple((kind, MEANING[kind]) for kind in Kind)
