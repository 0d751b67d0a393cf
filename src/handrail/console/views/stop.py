"""What can be stopped, what is, and who may lift it; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from handrail.approvals.stop import Stop, StopScope
from handrail.console.visitor import Visitor
from handrail.console.words import N_, Words
from handrail.people.authorise import MAY, Act
from handrail.people.key import ApiKey
from handrail.people.person import Person
from handrail.policy.ruleset import Ruleset
from handrail.terms.ids import PersonId

SCOPES = {
    StopScope.ALL: N_("Everything"),
    StopScope.USE_CASE: N_("Use case"),
    StopScope.AGENT: N_("Agent"),
    StopScope.TOOL: N_("Tool"),
    StopScope.RELEASE: N_("Release"),
    StopScope.PROVIDER: N_("Provider or system"),
}
GROUPS = {
    StopScope.USE_CASE: N_("Use cases"),
    StopScope.AGENT: N_("Agents"),
    StopScope.TOOL: N_("Tools"),
    StopScope.PROVIDER: N_("Providers and systems"),
}
MAX_REASON = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the ports gave. `waiting`: actions that wait for a person."""

    ruleset: Ruleset
    stops: Sequence[Stop]
    persons: Sequence[Person]
    keys: Sequence[ApiKey]
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`value`: as the form sends it."""

    value: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    title: str
    rows: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """`why_not`: why this visitor cannot lift it; empty: she can."""

    id: str
    scope: str
    what: str
    by: str
    at_ms: int
    reason: str
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """`may_stop`: this visitor may. `what`, `reason`: as the form was sent. `error`: of the form."""

    said: str
    stops: tuple[Stopped, ...]
    all_chosen: bool
    groups: tuple[Choices, ...]
    may_stop: bool
    waiting: str
    reason: str
    error: str
    announce: str


def stopping(
    read: Read, words: Words, visitor: Visitor, *, what: str = "", reason: str = "", error: str = ""
) -> Stopping:
    names = {person.id: person.name for person in read.persons}
    stops = sorted(read.stops, key=lambda stop: -stop.at_ms)
    count = len(stops)
    return Stopping(
        said=words.plural("{n} stop is in force.", "{n} stops are in force.", count),
        stops=tuple(_stopped(stop, names, words, read.ruleset, visitor) for stop in stops),
        all_chosen=what == f"{StopScope.ALL}:",
        groups=tuple(_groups(read, words, what)),
        may_stop=bool(visitor.roles & MAY[Act.STOP]),
        waiting=words.plural(
            "{n} action waits for a person now; what of it is stopped is revoked at once.",
            "{n} actions wait for a person now; what of them is stopped is revoked at once.", read.waiting,
        ) if read.waiting else words("No action waits for a person now."),
        reason=reason,
        error=error,
        announce=words.plural("{n} stop in force", "{n} stops in force", count),
    )  # fmt: skip


def _stopped(stop: Stop, names: dict[PersonId, str], words: Words, ruleset: Ruleset, visitor: Visitor) -> Stopped:
    if not visitor.roles & MAY[Act.RESUME]:
        why_not = words("An owner or compliance lifts it.")
    elif stop.by == visitor.person:
        why_not = words("You pulled it, so another person lifts it.")
    else:
        why_not = ""
    return Stopped(
        id=stop.id, scope=words(SCOPES[stop.scope]), what=_called(stop.scope, stop.value, ruleset),
        by=names.get(stop.by, str(stop.by)), at_ms=stop.at_ms, reason=stop.reason, why_not=why_not,
    )  # fmt: skip


def _groups(read: Read, words: Words, what: str) -> list[Choices]:
    ruleset = read.ruleset
    agents = {key.agent for key in read.keys if key.agent and key.revoked_at is None}
    found: dict[StopScope, list[str]] = {
        StopScope.USE_CASE: sorted(map(str, ruleset.use_cases)),
        StopScope.AGENT: sorted(agents),
        StopScope.TOOL: sorted(map(str, ruleset.tools)),
        StopScope.PROVIDER: sorted({*map(str, ruleset.providers), *map(str, ruleset.upstreams)}),
    }
    return [
        Choices(
            title=words(GROUPS[scope]),
            rows=tuple(
                Choice(value=f"{scope}:{one}", text=_called(scope, one, ruleset), chosen=what == f"{scope}:{one}")
                for one in values
            ),
        )
        for scope, values in found.items()
        if values
    ]


def _called(scope: StopScope, value: str, ruleset: Ruleset) -> str:
    """By its own name, with the id that logs and links use."""
    if scope is StopScope.USE_CASE:
        name = next((case.name for case in ruleset.use_cases.values() if str(case.id) == value), "")
        return f"{name} ({value})" if name else value
    if scope is StopScope.TOOL:
        title = next((tool.title for tool in ruleset.tools.values() if str(tool.id) == value), "")
        return f"{title} ({value})" if title else value
    return value
