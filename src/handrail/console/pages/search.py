"""Where an id of anything leads to."""

import re
from collections.abc import Mapping

from handrail.console.answers import Go
from handrail.console.here import Here
from handrail.console.routes import EVERYONE, Asked, Route
from handrail.console.views.interactions import Facts, query_of
from handrail.console.views.search import Nowhere, nowhere
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.people.role import Role

PATH = "/interactions"


class SearchAsked(Asked, frozen=True, kw_only=True):
    text: str = ""


async def search(visitor: Visitor, asked: SearchAsked, here: Here) -> Go | Nowhere:
    """Where an id leads to. Raises nothing for what is not found: the page says what can be looked for."""
    text = asked.text.strip()
    from handrail.console.page_files import routes  # here: this file is one of those that it reads

    known = {row.name: row.path for row in routes()}
    place = await _place(text, visitor, here, known) if text else None
    return Go(place) if place is not None else nowhere(text[:200], here.words)


async def _place(text: str, visitor: Visitor, here: Here, known: Mapping[str, str]) -> str | None:
    def page(name: str, value: str) -> str | None:
        path = known.get(name)
        return None if path is None else re.sub(r"\{\w+\}", value, path)

    ident = re.fullmatch(r"(in|cv|ac|ic|al|en|run)_[A-Za-z0-9]{4,40}", text)
    if ident is not None:
        names = {"ac": "approvals.show", "ic": "incidents.show", "al": "alerts.show", "run": "tests.show"}
        if ident[1] == "in":
            return f"{PATH}/{text}"
        if ident[1] == "en":
            return f"/ledger?entry={text}"
        if ident[1] == "ac" and await here.ports.talks.conversation_of(text) is None:
            return None
        found = page(names[ident[1]], text) if ident[1] in names else None
        return found or Facts(conversation=text).address(PATH)
    if re.fullmatch(r"[0-9a-f]{7,64}", text):
        digests = await here.ports.incidents.releases(text)
        if len(digests) == 1:
            return page("releases.show", digests[0]) or Facts(release=digests[0]).address(PATH)
    for one in here.ruleset.use_cases.values():
        if text.casefold() in (one.id.casefold(), one.name.casefold()):
            return page("use_cases.show", one.id) or Facts(use_case=one.id).address(PATH)
    if Role.ADMIN in visitor.roles:
        for person in await here.ports.people.persons():
            if text.casefold() in (person.id.casefold(), person.mail.casefold(), person.name.casefold()):
                return page("people.show", person.id) or page("people", person.id)
    own = await here.ports.reader.find(query_of(Facts(conversation=text), here.words, limit=1))
    return Facts(conversation=text).address(PATH) if own.found else None


ROUTES = (
    Route(
        name="search", path="/search", title=N_("Search"), handler=search, asks=SearchAsked, roles=EVERYONE,
        template="search.html",
    ),
)  # fmt: skip
