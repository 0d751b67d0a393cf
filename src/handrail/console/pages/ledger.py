"""The ledger: what is signed, what is weak about it, entries by kind, one entry with its proof, and a check of all."""

from handrail.console.answers import File, Go
from handrail.console.here import Here
from handrail.console.routes import EVERYONE, Asked, Group, Nav, Route, Verb
from handrail.console.views.ledger import (
    ENTRIES,
    MAY_CHECK,
    MAY_SEE_READERS,
    NEWEST,
    Ledger,
    Read,
    kinds_of,
    ledger,
)
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import Listing
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId

PATH = "/ledger"


class LedgerAsked(Asked, frozen=True, kw_only=True):
    """`kind`: a kind of entry, or an area. `entry`: one to show in full."""

    kind: str = ""
    entry: str = ""


class EntryAsked(Asked, frozen=True, kw_only=True):
    id: str


async def show(visitor: Visitor, asked: LedgerAsked, here: Here) -> Ledger:
    ports = here.ports
    sees = bool(visitor.roles & MAY_SEE_READERS)
    kinds = kinds_of(asked.kind) or tuple(
        kind for kind in EntryKind if kind not in (EntryKind.INTERACTION_OPENED, EntryKind.INTERACTION_CLOSED)
    )
    if not sees:
        kinds = tuple(kind for kind in kinds if kind is not EntryKind.PAYLOAD_READ)
    rows = await ports.reader.latest(Listing(kinds=kinds, limit=ENTRIES)) if kinds else []
    shown = await ports.reader.entry(EntryId(asked.entry)) if asked.entry else None
    if shown is not None and shown.recorded.kind == EntryKind.PAYLOAD_READ and not sees:
        raise HandrailError(Code.NOT_ALLOWED, "who read what is for auditors, compliance, owners and admins")
    read = Read(
        head=ports.log.head(), keys=ports.log.keys(), one_holder=ports.log.one_holder(),
        kinds=await ports.log.kinds(NEWEST), entries=[read_facts(data) for _, data in rows],
        names={one.id: one.name for one in await ports.people.persons()}, check=ports.log.check(), shown=shown,
    )  # fmt: skip
    return ledger(read, here.words, visitor, kind=asked.kind, path=PATH)


async def check(visitor: Visitor, asked: Asked, here: Here) -> Go:
    await here.ports.log.begin()
    return Go(f"{PATH}#check")


async def proof(visitor: Visitor, asked: EntryAsked, here: Here) -> File:
    shown = await here.ports.reader.entry(EntryId(asked.id))
    if shown.recorded.kind == EntryKind.PAYLOAD_READ and not visitor.roles & MAY_SEE_READERS:
        raise HandrailError(Code.NOT_ALLOWED, "who read what is for auditors, compliance, owners and admins")
    return File(f"{asked.id}.tlog-proof", "application/octet-stream", here.ports.log.proof(shown))


ROUTES = (
    Route(
        name="ledger", path=PATH, title=N_("Ledger"), handler=show, asks=LedgerAsked, roles=EVERYONE,
        template="ledger.html", nav=Nav(Group.GOVERN, "log", 40), key="l",
    ),
    Route(
        name="ledger.check", path="/ledger/check", title=N_("Ledger"), verb=Verb.POST, handler=check, roles=MAY_CHECK,
        template="ledger.html",
    ),
    Route(
        name="ledger.proof", path="/ledger/{id}/proof", title=N_("Proof"), handler=proof, asks=EntryAsked,
        roles=EVERYONE,
    ),
)  # fmt: skip
