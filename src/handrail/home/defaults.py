"""What a use case has where its home says nothing: safe, and written down so that it can be argued with.

- Personal data is masked before a model sees it; never-rest kinds always are (terms.finding).
- In answers the plain contact kinds are marked, not masked: a company's own number, address or the name of a colleague
  is what customers ask for. Card, account and identity numbers, and secrets, are masked there too.
- An injection in a customer's own words is marked (people paste odd things); in a tool result or a document, where no
  instruction belongs, it blocks. A home that would rather cut it out writes `sources: {INJECTION: mask}`.
- Triggers (complaint, legal, vulnerability, asks for a person, wants to leave) are marked: they route, they do not
  stop.
- An ungrounded claim is marked; links outside the list and active markup are masked; a leaked prompt blocks.
"""

from handrail.policy.ruleset import FindingAction
from handrail.terms.finding import NEVER_REST, PERSONAL, Kind

_MARKED_IN_ANSWERS = frozenset(
    {Kind.EMAIL, Kind.PHONE, Kind.ADDRESS, Kind.POSTCODE, Kind.PERSON, Kind.IP, Kind.DOB, Kind.HEALTH}
)

INPUT: dict[Kind, FindingAction] = {
    kind: FindingAction.MASK if kind in PERSONAL | NEVER_REST else FindingAction.MARK for kind in Kind
}
SOURCES: dict[Kind, FindingAction] = {Kind.INJECTION: FindingAction.BLOCK}
ANSWERS: dict[Kind, FindingAction] = {
    **dict.fromkeys(_MARKED_IN_ANSWERS, FindingAction.MARK),
    Kind.LINK: FindingAction.MASK,
    Kind.MARKUP: FindingAction.MASK,
    Kind.PROMPT_LEAK: FindingAction.BLOCK,
}

_TRIGGERS = frozenset({Kind.COMPLAINT, Kind.LEGAL, Kind.VULNERABILITY, Kind.HUMAN, Kind.LEAVE})

LOOKED_FOR: dict[str, frozenset[Kind]] = {
    "input": PERSONAL | _TRIGGERS | {Kind.INJECTION, Kind.UNSEEN_PROMPT},
    "sources": PERSONAL | {Kind.INJECTION},
    "answers": PERSONAL | {Kind.UNGROUNDED, Kind.LINK, Kind.MARKUP, Kind.PROMPT_LEAK, Kind.DECLINED},
}
"""What is looked for in which place (`guard.screen` does it, a test holds the two together): a rule for anything else
would never act, and a rule that never acts is a mistake, not a setting."""

BLOCKED: dict[str, str] = {
    "en": "I can't help with that here. Please contact our team directly.",
    "de": "Dabei kann ich hier nicht helfen. Bitte wenden Sie sich direkt an unser Team.",
    "fr": "Je ne peux pas vous aider ici sur ce point. Veuillez contacter directement notre équipe.",
    "es": "No puedo ayudarle con eso aquí. Póngase en contacto directamente con nuestro equipo.",
    "it": "Non posso aiutarla qui. La preghiamo di contattare direttamente il nostro team.",
    "pt": "Não posso ajudar com isso aqui. Contacte diretamente a nossa equipa.",
    "nl": "Daar kan ik hier niet mee helpen. Neem rechtstreeks contact op met ons team.",
    "pl": "Nie mogę w tym pomóc w tym miejscu. Prosimy o bezpośredni kontakt z naszym zespołem.",
}
BLOCKED["*"] = BLOCKED["en"]
"""For the blocks of these defaults. A home that declares a block says its own sentence."""

DISCLOSED: dict[str, str] = {
    "en": "You are talking to an AI assistant.",
    "de": "Sie sprechen mit einem KI-Assistenten.",
    "fr": "Vous échangez avec un assistant fondé sur l'IA.",
    "es": "Está hablando con un asistente de inteligencia artificial.",
    "it": "Sta parlando con un assistente basato sull'intelligenza artificiale.",
    "pt": "Está a falar com um assistente de inteligência artificial.",
    "nl": "U spreekt met een AI-assistent.",
    "pl": "Rozmawia Pan/Pani z asystentem opartym na sztucznej inteligencji.",
}
