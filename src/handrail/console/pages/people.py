"""Users and keys: who works here, and what speaks for a use case. Each change is the command that `handrail person` and
`handrail key` give too; what it shows once stands in its own answer and nowhere else."""

import msgspec

from handrail.console.answers import Again, Go
from handrail.console.here import Here
from handrail.console.keys import Key
from handrail.console.refusals import told_why
from handrail.console.routes import Asked, Group, Nav, Route, Verb
from handrail.console.views.people import (
    SIGN_INS,
    Form,
    Once,
    People,
    PeopleRead,
    PersonShow,
    key_once,
    link_once,
    people,
    person_show,
)
from handrail.console.visitor import Visitor
from handrail.console.words import N_
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind, InteractionFacts
from handrail.ledger.read import Listing
from handrail.people.authorise import MAY, Act
from handrail.people.desk import AddPerson, ChangePerson, InviteAgain
from handrail.people.factors import Reset
from handrail.people.key import Scope
from handrail.people.keys import CreateKey, RevokeKey, RotateKey
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.sessions import EndSession, EndSessions
from handrail.people.token import DAY_MS
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import KeyId, PersonId, UseCaseId

PATH = "/people"
SEES = frozenset({Role.ADMIN, Role.ENGINEER, Role.OWNER, Role.COMPLIANCE, Role.AUDITOR})
SLIPS = frozenset({Code.REQUEST_INVALID, Code.ALREADY, Code.NOT_ALLOWED, Code.LOST_RACE, Code.USE_CASE_UNREGISTERED})
"""What a form is shown again for."""
GRACE_HOURS = 24
MOST_DAYS = 3_650


class PeopleAsked(Asked, frozen=True, kw_only=True):
    """`show`: persons or keys."""

    show: str = "persons"
    query: str = ""
    page: int = 1


class PersonAsked(Asked, frozen=True, kw_only=True):
    person: str


class AddAsked(Asked, frozen=True, kw_only=True):
    mail: str = ""
    name: str = ""
    roles: tuple[str, ...] = ()


class RolesAsked(Asked, frozen=True, kw_only=True):
    """`seen`: the roles that stood on the page, with commas between; None: a program that looked at none."""

    person: str
    roles: tuple[str, ...] = ()
    seen: str | None = None


class SignOutAsked(Asked, frozen=True, kw_only=True):
    """`session`: this one; empty: all."""

    person: str
    session: str = ""


class CreateAsked(Asked, frozen=True, kw_only=True):
    """`use_case` empty: none. `days` empty: without an end."""

    use_case: str = ""
    scopes: tuple[str, ...] = ()
    agent: str = ""
    days: str = ""


class KeyAsked(Asked, frozen=True, kw_only=True):
    key: str


async def listed(visitor: Visitor, asked: PeopleAsked, here: Here) -> People:
    read = await _read(here, used=asked.show == "keys")
    return people(read, here.words, visitor, show=asked.show, query=asked.query, page=asked.page)


async def show(visitor: Visitor, asked: PersonAsked, here: Here) -> PersonShow:
    read = await _read(here)
    return person_show(read, _one(read, asked.person), here.words, visitor)


async def add(visitor: Visitor, asked: AddAsked, here: Here) -> Once | Again:
    try:
        change = AddPerson(
            ids=here.ports.ids, mail=asked.mail, name=asked.name, roles=_roles(asked.roles), token=visitor.token
        )
        shown = await here.ports.journal.run(change)
    except HandrailError as problem:
        form = Form(error=_said(problem, here), mail=asked.mail[:200], name=asked.name[:200])
        return Again(people(await _read(here), here.words, visitor, form=form, roles=asked.roles), "people.html")
    return _link(here, shown.person, shown.text, shown.token.expires_at)


async def roles(visitor: Visitor, asked: RolesAsked, here: Here) -> Go | Again:
    seen = None if asked.seen is None else _roles(tuple(filter(None, asked.seen.split(","))))
    change = ChangePerson(
        ids=here.ports.ids, person_id=PersonId(asked.person), roles=_roles(asked.roles), seen=seen, token=visitor.token
    )
    return await _changed(visitor, here, change, here.words(N_("The roles are changed.")))


async def disable(visitor: Visitor, asked: PersonAsked, here: Here) -> Go | Again:
    change = ChangePerson(ids=here.ports.ids, person_id=PersonId(asked.person), disable=True, token=visitor.token)
    said = here.words(N_("Disabled. Sessions and tokens of this person open nothing now."))
    return await _changed(visitor, here, change, said)


async def invite(visitor: Visitor, asked: PersonAsked, here: Here) -> Once:
    change = InviteAgain(ids=here.ports.ids, person_id=PersonId(asked.person), token=visitor.token)
    shown = await here.ports.journal.run(change)
    return _link(here, shown.person, shown.text, shown.token.expires_at)


async def reset(visitor: Visitor, asked: PersonAsked, here: Here) -> Once:
    change = Reset(ids=here.ports.ids, person_id=PersonId(asked.person), token=visitor.token)
    shown = await here.ports.journal.run(change)
    return _link(here, shown.person, shown.text, shown.token.expires_at)


async def sign_out(visitor: Visitor, asked: SignOutAsked, here: Here) -> Go:
    ids, person = here.ports.ids, PersonId(asked.person)
    if asked.session:
        await here.ports.journal.run(EndSession(ids=ids, name=asked.session, token=visitor.token))
        said = here.words(N_("That session is over."))
    else:
        keep = visitor.session if person == visitor.person else ""
        ended = await here.ports.journal.run(EndSessions(ids=ids, person_id=person, token=visitor.token, keep=keep))
        said = here.words.plural("{n} session is over.", "{n} sessions are over.", ended)
    return Go(f"{PATH}/{asked.person}", said)


async def create_key(visitor: Visitor, asked: CreateAsked, here: Here) -> Once | Again:
    current = here.ports.in_force.current
    try:
        change = CreateKey(
            ids=here.ports.ids,
            use_case=UseCaseId(asked.use_case) if asked.use_case else None,
            registered=frozenset(current.ruleset.use_cases if current else ()),
            scopes=_scopes(asked.scopes),
            agent=asked.agent.strip()[:100],
            expires_in_ms=_days(asked.days, here),
            token=visitor.token,
        )
        made = await here.ports.journal.run(change)
    except HandrailError as problem:
        form = Form(
            error=_said(problem, here), agent=asked.agent[:100], use_case=asked.use_case, days=asked.days[:8]
        )  # fmt: skip
        read = await _read(here, used=True)
        return Again(
            people(read, here.words, visitor, show="keys", form=form, scopes=asked.scopes), "people.html"
        )  # fmt: skip
    return key_once(here.words, made.key.id, made.key.agent, made.text)


async def rotate_key(visitor: Visitor, asked: KeyAsked, here: Here) -> Once:
    grace = GRACE_HOURS * 3_600_000
    change = RotateKey(ids=here.ports.ids, key_id=KeyId(asked.key), grace_ms=grace, token=visitor.token)
    made = await here.ports.journal.run(change)
    return key_once(here.words, made.key.id, made.key.agent, made.text, replaces_until=here.now_ms + grace)


async def revoke_key(visitor: Visitor, asked: KeyAsked, here: Here) -> Go:
    await here.ports.journal.run(RevokeKey(ids=here.ports.ids, key_id=KeyId(asked.key), token=visitor.token))
    return Go(f"{PATH}?show=keys", here.words(N_("Revoked. No process takes it from now on.")))


async def _changed(visitor: Visitor, here: Here, change: ChangePerson, said: str) -> Go | Again:
    try:
        await here.ports.journal.run(change)
    except HandrailError as problem:
        if problem.code not in SLIPS:
            raise
        read = await _read(here)
        error = _said(problem, here)
        return Again(
            person_show(read, _one(read, change.person_id), here.words, visitor, error=error), "people/show.html"
        )
    return Go(f"{PATH}/{change.person_id}", said)


async def _read(here: Here, *, used: bool = False) -> PeopleRead:
    """`used`: with the last use of each key, of the newest conversations."""
    ports, current = here.ports, here.ports.in_force.current
    signed_in: dict[str, int] = {}
    for _, facts in await ports.reader.latest(Listing(kinds=(EntryKind.SIGNED_IN,), limit=SIGN_INS)):
        recorded = read_facts(facts)
        signed_in.setdefault(recorded.about, recorded.at_ms)
    spoke: dict[str, int] = {}
    if used:
        for _, facts in await ports.reader.latest(Listing(kinds=(EntryKind.INTERACTION_CLOSED,), limit=SIGN_INS)):
            recorded = read_facts(facts)
            spoke.setdefault(msgspec.json.decode(recorded.facts, type=InteractionFacts).key, recorded.at_ms)
    return PeopleRead(
        persons=await ports.people.persons(), ways=await ports.looks.ways(here.now_ms), signed_in=signed_in,
        keys=await ports.people.keys(), used=spoke, ruleset=current.ruleset if current else None,
    )  # fmt: skip


def _one(read: PeopleRead, person: str) -> Person:
    found = next((one for one in read.persons if one.id == person), None)
    if found is None:
        raise HandrailError(Code.NOT_FOUND, "there is no person with this id")
    return found


def _link(here: Here, person: Person | None, code: str, ends: int) -> Once:
    assert person is not None  # only the first admin's code is nobody's
    return link_once(here.words, person, here.ports.installation.described().address, code, ends)


def _roles(names: tuple[str, ...]) -> frozenset[Role]:
    try:
        return frozenset(map(Role, names))
    except ValueError:
        raise HandrailError(Code.REQUEST_INVALID, "there is no such role") from None


def _scopes(names: tuple[str, ...]) -> frozenset[Scope]:
    try:
        return frozenset(map(Scope, names))
    except ValueError:
        raise HandrailError(Code.REQUEST_INVALID, "there is no such scope") from None


def _days(text: str, here: Here) -> int | None:
    if not text.strip():
        return None
    if not (text.strip().isascii() and text.strip().isdigit() and 1 <= int(text) <= MOST_DAYS):
        raise HandrailError(Code.REQUEST_INVALID, here.words(N_("days are a number from 1 to 3650, or empty")))
    return int(text) * DAY_MS


def _said(problem: HandrailError, here: Here) -> str:
    """Raises it again when it is none of a form's."""
    if problem.code not in SLIPS:
        raise problem
    return told_why(problem, here.words)


ROUTES = (
    Route(
        name="people", path=PATH, title=N_("Users and keys"), handler=listed, roles=SEES, asks=PeopleAsked,
        template="people.html", nav=Nav(Group.GOVERN, "people", 30), key="p",
    ),
    Route(
        name="people.add", path=PATH, title=N_("Add a person"), verb=Verb.POST, handler=add, asks=AddAsked, fresh=True,
        roles=MAY[Act.MANAGE_PEOPLE], template="people/once.html", api=False,
    ),
    Route(
        name="people.show", path="/people/{person}", title=N_("Person"), handler=show, roles=SEES, asks=PersonAsked,
        template="people/show.html",
    ),
    Route(
        name="people.roles", path="/people/{person}/roles", title=N_("Change roles"), verb=Verb.POST, handler=roles,
        asks=RolesAsked, roles=MAY[Act.MANAGE_PEOPLE], fresh=True, template="people/show.html", api=False,
    ),
    Route(
        name="people.disable", path="/people/{person}/disable", title=N_("Disable"), verb=Verb.POST, handler=disable,
        asks=PersonAsked, roles=MAY[Act.MANAGE_PEOPLE], fresh=True, template="people/show.html", api=False,
    ),
    Route(
        name="people.invite", path="/people/{person}/invite", title=N_("New one-time link"), verb=Verb.POST,
        handler=invite, asks=PersonAsked, roles=MAY[Act.MANAGE_PEOPLE], fresh=True, template="people/once.html",
        api=False,
    ),
    Route(
        name="people.reset", path="/people/{person}/reset", title=N_("New way in"), verb=Verb.POST, handler=reset,
        asks=PersonAsked, roles=MAY[Act.MANAGE_PEOPLE], fresh=True, template="people/once.html", api=False,
    ),
    Route(
        name="people.sign_out", path="/people/{person}/sign-out", title=N_("End sessions"), verb=Verb.POST,
        handler=sign_out, asks=SignOutAsked, roles=MAY[Act.MANAGE_PEOPLE], template="people/show.html",
    ),
    Route(
        name="people.create_key", path="/keys", title=N_("Make an API key"), verb=Verb.POST, handler=create_key,
        asks=CreateAsked, roles=MAY[Act.MANAGE_KEYS], fresh=True, template="people/once.html", api=False,
    ),
    Route(
        name="people.rotate_key", path="/keys/{key}/rotate", title=N_("Rotate an API key"), verb=Verb.POST,
        handler=rotate_key, asks=KeyAsked, roles=MAY[Act.MANAGE_KEYS], fresh=True, template="people/once.html",
        api=False,
    ),
    Route(
        name="people.revoke_key", path="/keys/{key}/revoke", title=N_("Revoke an API key"), verb=Verb.POST,
        handler=revoke_key, asks=KeyAsked, roles=MAY[Act.MANAGE_KEYS], template="people.html",
    ),
)  # fmt: skip
KEYS = (Key(name="people.add", keys=("n",), label=N_("Add a person or make a key")),)
