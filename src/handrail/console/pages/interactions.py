"""Interactions: the list by facts, its CSV, and those of a customer."""

from handrail.console.answers import File, Go
from handrail.console.here import Here
from handrail.console.refusals import told_why
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route, Verb
from handrail.console.spreadsheet import sheet
from handrail.console.views.interactions import PAGE, Facts, Listed, csv_rows, listed, query_of
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.read import MAX_LIMIT, Page
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import CustomerId

PATH, CSV = "/interactions", "/interactions.csv"
NOBODY = "su_0"
"""Stands for a customer of whom nothing is recorded, so that the list below is empty and not of somebody else."""


class FactsAsked(Asked, frozen=True, kw_only=True):
    """As `views.interactions.Facts`. `action`: one of the conversation's actions."""

    period: str = ""
    since: str = ""
    until: str = ""
    use_case: str = ""
    conversation: str = ""
    action: str = ""
    subject: str = ""
    finding: str = ""
    verdict: str = ""
    outcome: str = ""
    language: str = ""
    channel: str = ""
    release: str = ""
    arm: str = ""
    flagged: str = ""
    cursor: str = ""


class CustomerAsked(Asked, frozen=True, kw_only=True):
    customer: str = ""


async def show(visitor: Visitor, asked: FactsAsked, here: Here) -> Listed | Go:
    facts = await _facts(asked, here)
    if facts.conversation.startswith("in_"):
        return Go(f"{PATH}/{facts.conversation}")
    page, error = Page(()), ""
    try:
        page = await here.ports.reader.find(query_of(facts, here.words, limit=PAGE))
    except HandrailError as problem:
        if problem.code is not Code.REQUEST_INVALID:
            raise
        error = told_why(problem, here.words)
    return listed(facts, page.found, page.cursor, here.ruleset, here.words, path=PATH, csv=CSV, error=error)


async def as_csv(visitor: Visitor, asked: FactsAsked, here: Here) -> File:
    """The first `MAX_LIMIT` that fit; what is left out is said in the last line."""
    page = await here.ports.reader.find(query_of(await _facts(asked, here), here.words, limit=MAX_LIMIT))
    heads, *rows = csv_rows(page.found, here.words)
    if page.cursor:
        rows.append((f"the newest {MAX_LIMIT} only: narrow the filter for the rest",))
    return File("interactions.csv", "text/csv; charset=utf-8", sheet(heads, rows))


async def customer(visitor: Visitor, asked: CustomerAsked, here: Here) -> Go:
    """By the keyed hash of the id; the address then holds a random id, so that no customer's stands in a history."""
    subject = await here.ports.reader.subject_of(CustomerId(asked.customer.strip())) if asked.customer.strip() else None
    if subject is None:
        return Go(
            Facts(subject=NOBODY).address(PATH),
            here.words(N_("Nothing is recorded of this customer, or it was erased.")),
        )
    return Go(Facts(subject=subject).address(PATH))


async def _facts(asked: FactsAsked, here: Here) -> Facts:
    given = {name: getattr(asked, name) for name in Facts.__dataclass_fields__}
    if asked.action.strip():
        found = await here.ports.talks.conversation_of(asked.action.strip())
        given["conversation"] = found or asked.action.strip()
    if asked.conversation.strip().startswith("ac_"):
        found = await here.ports.talks.conversation_of(asked.conversation.strip())
        given["conversation"] = found or asked.conversation.strip()
    return Facts(**given)


ROUTES = (
    Route(
        name="interactions", path=PATH, title=N_("Interactions"), handler=show, asks=FactsAsked, roles=EVERYONE,
        template="interactions.html", nav=Nav(Group.OPERATE, "chat", 50), key="i",
    ),
    Route(
        name="interactions.csv", path=CSV, title=N_("Interactions"), handler=as_csv, asks=FactsAsked, roles=EVERYONE,
    ),
    Route(
        name="interactions.customer", path="/interactions-of", title=N_("Interactions"), verb=Verb.POST,
        handler=customer, asks=CustomerAsked, roles=EVERYONE,
    ),
)  # fmt: skip
