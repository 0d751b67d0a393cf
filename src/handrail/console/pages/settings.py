"""Settings: shown here, changed in the home. Asking doctor is a page of its own, since it takes a moment."""

from handrail.console.here import Here
from handrail.console.routes import Asked, Group, Nav, Route
from handrail.console.views.settings import Settings, SettingsRead, settings
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.commitment import RecordedFacts, read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import Listing
from handrail.people.role import Role

SEES = frozenset(Role) - {Role.STAFF, Role.APPROVER, Role.REVIEWER}
PUBLICATIONS = 10


async def show(visitor: Visitor, asked: Asked, here: Here) -> Settings:
    return settings(await _read(here), here.words)


async def doctor(visitor: Visitor, asked: Asked, here: Here) -> Settings:
    await here.ports.installation.examine()
    return settings(await _read(here), here.words)


async def _read(here: Here) -> SettingsRead:
    ports = here.ports
    return SettingsRead(
        snapshot=ports.in_force.current,
        published=await _latest(here, EntryKind.RULESET_PUBLISHED, PUBLICATIONS),
        backups=await _latest(here, EntryKind.BACKUP_MADE, 1),
        posted=await ports.looks.last_notices(),
        persons=await ports.people.persons(),
        installed=ports.installation.described(),
        examined=ports.installation.examined,
    )


async def _latest(here: Here, kind: EntryKind, limit: int) -> list[RecordedFacts]:
    return [read_facts(facts) for _, facts in await here.ports.reader.latest(Listing(kinds=(kind,), limit=limit))]


ROUTES = (
    Route(
        name="settings", path="/settings", title=N_("Settings"), handler=show, roles=SEES, template="settings.html",
        nav=Nav(Group.GOVERN, "gear", 50), key="s",
    ),
    Route(
        name="settings.doctor", path="/settings/doctor", title=N_("Settings"), handler=doctor,
        roles=frozenset({Role.ADMIN, Role.ENGINEER}), template="settings.html",
    ),
)  # fmt: skip
