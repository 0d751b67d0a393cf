"""Where an id of anything leads to."""

import re

from handrail.console.answers import Go
from handrail.console.here import Here
from handrail.console.routes import EVERYONE, Asked, Route
from handrail.console.views.interactions import PAGE, Facts, query_of
from handrail.console.views.search import Nowhere, nowhere
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.people.role import Role
from handrail.terms.ids import CustomerId

PLACES = {
    "in": "/interactions/", "ac": "/approvals/", "ic": "/incidents/",
    "al": "/alerts/", "en": "/ledger?entry=", "ent": "/ledger?entry=", "tr": "/tests/",
}  # fmt: skip
RELEASE, USE_CASE, PERSON = "/releases/", "/use_cases/", "/people/"
"""Pages by the beginning of an id; a test holds them against the table of routes."""


class SearchAsked(Asked, frozen=True, kw_only=True):
    text: str = ""


async def search(visitor: Visitor, asked: SearchAsked, here: Here) -> Go | Nowhere:
    """Where an id leads to. Raises nothing for what is not found: the page says what can be looked for."""
    text = asked.text.strip()
    place = await _place(text, visitor, here) if text else None
    return Go(place) if place is not None else nowhere(text[:200], here.words)


async def _place(text: str, visitor: Visitor, here: Here) -> str | None:
    ident = re.fullmatch(r"([a-z]{2,3})_[A-Za-z0-9]{4,40}", text)
    if ident is not None and ident[1] in PLACES:
        return PLACES[ident[1]] + text
    if re.fullmatch(r"[0-9a-f]{7,64}", text):
        digests = await here.ports.incidents.releases(text)
        if len(digests) == 1:
            return RELEASE + digests[0]
    for one in here.ruleset.use_cases.values():
        if text.casefold() in (one.id.casefold(), one.name.casefold()):
            return USE_CASE + one.id
    if Role.ADMIN in visitor.roles:
        for person in await here.ports.people.persons():
            if text.casefold() in (person.id.casefold(), person.mail.casefold(), person.name.casefold()):
                return PERSON + person.id
    return await _conversation(text, here) or await _customer(text, here)


async def _conversation(text: str, here: Here) -> str | None:
    """The page of a conversation, by our id of it or by the visitor's own; the list where it stands for several."""
    own = await here.ports.reader.find(query_of(Facts(conversation=text), here.words, limit=PAGE))
    if len({one.conversation for one in own.found}) == 1:
        return PLACES["in"] + own.found[0].interaction
    return Facts(conversation=text).address("/interactions") if own.found else None


async def _customer(text: str, here: Here) -> str | None:
    """What is recorded of a customer, by the keyed hash of her id: the address that is left in the browser's history
    holds a random one."""
    subject = await here.ports.reader.subject_of(CustomerId(text))
    return None if subject is None else Facts(subject=subject).address("/interactions")


ROUTES = (
    Route(
        name="search", path="/search", title=N_("Search"), handler=search, asks=SearchAsked, roles=EVERYONE,
        template="search.html",
    ),
)  # fmt: skip
