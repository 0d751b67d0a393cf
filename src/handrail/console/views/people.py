"""Who works here and which keys speak for a use case; pure. No secret stands in any of these views but `Once`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from handrail.console.visitor import Visitor
from handrail.console.words import N_, Words
from handrail.people.authorise import MAY, Act
from handrail.people.key import ApiKey, Scope
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.ways import NONE, Ways
from handrail.policy.ruleset import Ruleset
from handrail.terms.ids import KeyId, PersonId

ROWS = 100
"""Of a page."""
SIGN_INS = 1_000
"""The newest sign-ins, and the newest conversations, that "last" is looked for in."""
ROLES = {
    Role.OWNER: (N_("Owner"), N_("answers for use cases, releases and lifts stops")),
    Role.APPROVER: (N_("Approver"), N_("decides about held actions")),
    Role.REVIEWER: (N_("Reviewer"), N_("reads conversations and judges findings")),
    Role.STAFF: (N_("Staff"), N_("serves customers and takes cases over")),
    Role.COMPLIANCE: (N_("Compliance"), N_("erases, exports, lifts stops, sets legal holds")),
    Role.ENGINEER: (N_("Engineer"), N_("publishes, makes API keys and backups")),
    Role.AUDITOR: (N_("Auditor"), N_("reads everything and changes nothing")),
    Role.ADMIN: (N_("Admin"), N_("adds persons and gives roles")),
}
SCOPES = {
    Scope.CHAT: N_("talk with the model"), Scope.ACT: N_("ask for actions"), Scope.FACTS: N_("vouch for facts"),
    Scope.EVENTS: N_("report outcomes"), Scope.READ: N_("read the record"), Scope.PROBE: N_("tests only: no effect"),
}  # fmt: skip
MESSAGES = (
    N_("nobody gives a role to themselves; ask another admin"),
    N_("one active admin must remain; make another person admin first"),
    N_("a key without a use case may only have the scopes events and read"),
    N_("a person needs a name of at most 200 characters"),
    N_("this is not an e-mail address; write it as name@host.example"),
)
"""Of commands, as they say them; here so that the catalogues have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleRead:
    """What the ports gave. `signed_in`, `used`: by person and by key, Unix ms, among the newest `SIGN_INS`."""

    persons: Sequence[Person]
    ways: Mapping[PersonId, Ways]
    signed_in: Mapping[str, int]
    keys: Sequence[ApiKey]
    used: Mapping[str, int]
    ruleset: Ruleset | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """`at_ms`: of the last sign-in; None: not known. `factors`, `places`: in words."""

    id: str
    name: str
    mail: str
    roles: tuple[str, ...]
    you: bool
    tone: str
    icon: str
    state: str
    at_ms: int | None
    factors: str
    weak: bool
    places: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """`good`: it may be rotated and revoked."""

    id: str
    agent: str
    use_case: str
    use_case_id: str
    scopes: str
    made_at: int
    made_by: str
    used_at: int | None
    tone: str
    icon: str
    state: str
    good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    value: str
    text: str
    hint: str
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """As it was sent. `error`: empty: it was not, or is right."""

    error: str = ""
    mail: str = ""
    name: str = ""
    agent: str = ""
    use_case: str = ""
    days: str = "365"


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """`show`: `persons` or `keys`."""

    said: str
    show: str
    tabs: tuple[tuple[str, str, bool], ...]
    query: str
    persons: tuple[PersonRow, ...]
    keys: tuple[KeyRow, ...]
    fewer: str
    more: str
    shown: str
    may_people: bool
    may_keys: bool
    roles: tuple[Choice, ...]
    scopes: tuple[Choice, ...]
    use_cases: tuple[tuple[str, str], ...]
    form: Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    id: str
    label: str
    since_ms: int
    seen_ms: int
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonShow:
    """`why_not`: why this visitor changes nothing here; empty: she may."""

    crumbs: tuple[tuple[str, str], ...]
    crumb: str
    id: str
    name: str
    mail: str
    tone: str
    icon: str
    state: str
    active: bool
    you: bool
    facts: tuple[tuple[str, str], ...]
    ways: tuple[tuple[str, str], ...]
    places: tuple[Place, ...]
    roles: tuple[Choice, ...]
    why_not: str
    invited: str
    managed: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A secret, for one answer. `secret`: never logged, in no address. `then`: what its receiver does."""

    title: str
    said: str
    label: str
    secret: str
    then: str
    back: str

    def __repr__(self) -> str:
        return f"Once({self.title!r})"


def people(
    read: PeopleRead, words: Words, visitor: Visitor, *, show: str = "persons", query: str = "", page: int = 1,
    form: Form | None = None, roles: Sequence[str] = (), scopes: Sequence[str] = ("chat",),
) -> People:  # fmt: skip
    """`query`: a part of a name, an address, an agent or an id."""
    show = show if show == "keys" else "persons"
    wanted = query.strip().casefold()[:100]
    persons = [one for one in read.persons if wanted in f"{one.name}\n{one.mail}\n{one.id}".casefold()]
    keys = [one for one in read.keys if wanted in f"{one.agent}\n{one.use_case}\n{one.id}".casefold()]
    keys.sort(key=lambda key: (not _good(key, words.now_ms), -key.created_at))
    persons.sort(key=lambda person: (not person.active, person.name.casefold(), person.id))
    count = len(keys) if show == "keys" else len(persons)
    page = max(1, min(page, -(-count // ROWS) or 1))
    first = (page - 1) * ROWS
    base = f"/people?show={show}" + (f"&query={quote(wanted, safe='')}" if wanted else "")
    names = {str(one.id): one.name for one in read.persons}
    cut = slice(first, first + ROWS)
    return People(
        said=_said(read, words),
        show=show, tabs=(
            (words(N_("Persons")), "/people", show == "persons"),
            (words(N_("API keys")), "/people?show=keys", show == "keys"),
        ),
        query=query[:100],
        persons=tuple(_person(one, read, words, visitor) for one in persons[cut]) if show == "persons" else (),
        keys=tuple(_key(one, read, words, names) for one in keys[cut]) if show == "keys" else (),
        fewer=f"{base}&page={page - 1}" if page > 1 else "", more=f"{base}&page={page + 1}" if cut.stop < count else "",
        shown=words(N_("{first} to {last} of {all}"), first=words.number(first + 1),
                    last=words.number(min(cut.stop, count)), all=words.number(count)) if count > ROWS else "",
        may_people=bool(visitor.roles & MAY[Act.MANAGE_PEOPLE]), may_keys=bool(visitor.roles & MAY[Act.MANAGE_KEYS]),
        roles=role_choices(words, roles),
        scopes=tuple(
            Choice(value=scope.value, text=scope.value, hint=words(text), chosen=scope.value in scopes)
            for scope, text in SCOPES.items()
        ),
        use_cases=tuple((one.id, one.name) for one in read.ruleset.use_cases.values()) if read.ruleset else (),
        form=form or Form(),
    )  # fmt: skip


def _said(read: PeopleRead, words: Words) -> str:
    persons, keys = sum(one.active for one in read.persons), sum(_good(one, words.now_ms) for one in read.keys)
    said = words.plural("{n} person", "{n} persons", persons)
    return f"{said}, " + words.plural("{n} good API key", "{n} good API keys", keys)


def role_choices(words: Words, chosen: Sequence[str] | frozenset[Role]) -> tuple[Choice, ...]:
    return tuple(
        Choice(value=role.value, text=words(name), hint=words(hint), chosen=role.value in chosen)
        for role, (name, hint) in ROLES.items()
    )


def person_show(read: PeopleRead, person: Person, words: Words, visitor: Visitor, *, error: str = "") -> PersonShow:
    ways = read.ways.get(person.id, NONE)
    row = _person(person, read, words, visitor)
    may = bool(visitor.roles & MAY[Act.MANAGE_PEOPLE])
    return PersonShow(
        crumbs=((words(N_("Users and keys")), "/people"),), crumb=person.name, id=person.id, name=person.name,
        mail=person.mail, tone=row.tone, icon=row.icon, state=row.state, active=person.active, you=row.you,
        facts=(
            (words(N_("E-mail")), person.mail), (words(N_("Id")), person.id),
            (words(N_("Added")), words.moment(person.created_at)),
            (words(N_("Last sign-in")), words.moment(row.at_ms)),
        ),
        ways=_ways(ways, words),
        places=tuple(
            Place(id=one.id, label=one.label or words(N_("a browser")), since_ms=one.created_at, seen_ms=one.seen_at,
                  here=one.id == visitor.session)
            for one in ways.places
        ),
        roles=role_choices(words, person.roles),
        why_not="" if may else words(N_("Only an admin changes persons.")),
        invited=words(N_("A one-time link is good until {when}."), when=words.moment(max(ways.codes)))
        if ways.codes else "",
        managed=words(N_("Groups of the provider say these roles: a change here lasts until the next sign-in."))
        if ways.managed else "",
        error=error,
    )  # fmt: skip


def _person(person: Person, read: PeopleRead, words: Words, visitor: Visitor) -> PersonRow:
    ways = read.ways.get(person.id, NONE)
    seen = [read.signed_in.get(person.id, 0), *(place.created_at for place in ways.places)]
    second = ways.app or bool(ways.passkeys) or bool(ways.providers)
    if not person.active:
        tone, icon, state = "", "x", words(N_("Disabled"))
    elif not (ways.password or ways.passkeys or ways.providers or ways.places):
        tone, icon, state = "hold", "clock", words(N_("Invited")) if ways.codes else words(N_("No sign-in yet"))
    else:
        tone, icon, state = "allow", "check", words(N_("Active"))
    return PersonRow(
        id=person.id, name=person.name, mail=person.mail,
        roles=tuple(words(ROLES[role][0]) for role in ROLES if role in person.roles), you=person.id == visitor.person,
        tone=tone, icon=icon, state=state, at_ms=max(seen) or None,
        factors=", ".join(text for _, text in _ways(ways, words)) or "–",
        weak=person.active and bool(ways.password) and not second,
        places=words.plural("{n} session", "{n} sessions", len(ways.places)) if ways.places else "–",
    )  # fmt: skip


def _ways(ways: Ways, words: Words) -> tuple[tuple[str, str], ...]:
    """Kind and what is there of it."""
    found = []
    if ways.password:
        found.append((words(N_("Password")), words(N_("password"))))
    if ways.app:
        found.append((words(N_("App")), words(N_("authenticator app"))))
    if ways.passkeys:
        found.append(
            (", ".join(ways.passkeys)[:120], words.plural("{n} passkey", "{n} passkeys", len(ways.passkeys)))
        )  # fmt: skip
    if ways.providers:
        found.append((", ".join(ways.providers)[:200], words(N_("account at the provider"))))
    if ways.recovery_left:
        found.append(
            (words(N_("Recovery")), words.plural("{n} recovery code", "{n} recovery codes", ways.recovery_left))
        )
    return tuple(found)


def _good(key: ApiKey, now_ms: int) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now_ms)


def _key(key: ApiKey, read: PeopleRead, words: Words, names: Mapping[str, str]) -> KeyRow:
    case = read.ruleset.use_cases.get(key.use_case) if read.ruleset and key.use_case else None
    if key.revoked_at is not None:
        tone, icon, state = "", "x", words(N_("Revoked {day}"), day=words.day(key.revoked_at))
    elif key.expires_at is None:
        tone, icon, state = "allow", "check", words(N_("Good, without an end"))
    elif key.expires_at <= words.now_ms:
        tone, icon, state = "", "clock", words(N_("Expired {day}"), day=words.day(key.expires_at))
    else:
        soon = key.expires_at - words.now_ms < 14 * 86_400_000
        tone, icon = ("hold", "clock") if soon else ("allow", "check")
        state = words(N_("Good until {when}"), when=words.moment(key.expires_at) if soon else words.day(key.expires_at))
    return KeyRow(
        id=key.id, agent=key.agent, use_case=(case.name if case else str(key.use_case or "")),
        use_case_id=str(key.use_case) if case else "", scopes=", ".join(sorted(scope.value for scope in key.scopes)),
        made_at=key.created_at, made_by=names.get(key.by, ""), used_at=read.used.get(key.id), tone=tone, icon=icon,
        state=state, good=_good(key, words.now_ms),
    )  # fmt: skip


def link_once(words: Words, person: Person, address: str, code: str, ends: int) -> Once:
    """The one-time link of somebody who was added or comes back."""
    return Once(
        title=words(N_("One-time link for {name}"), name=person.name),
        said=words(N_("It is shown now and never again. Send it by a way that only its receiver reads.")),
        label=words(N_("Link")), secret=f"{address}/sign-in/link?code={code}",
        then=words(N_("Whoever opens it sets a password and signs in. It can be used once, until {when}."),
                   when=words.moment(ends)),
        back=f"/people/{quote(person.id)}",
    )  # fmt: skip


def key_once(words: Words, key: KeyId, agent: str, text: str, *, replaces_until: int | None = None) -> Once:
    then = words(N_("Put it into the agent's secrets now. Whoever has it speaks for the use case."))
    if replaces_until is not None:
        then += " " + words(N_("The key before it serves until {when}."), when=words.moment(replaces_until))
    return Once(
        title=words(N_("API key for {agent}"), agent=agent) if agent else words(N_("API key {id}"), id=key),
        said=words(N_("It is shown now and never again: only a fingerprint of it is kept.")), label=words(N_("Key")),
        secret=text, then=then, back="/people?show=keys",
    )  # fmt: skip
