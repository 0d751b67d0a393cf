"""Who may do what: by role, denied by default; pure.

When it cannot answer it denies: an act without a row, a person without a role, a disabled person, nobody where somebody
is needed. Before the first person exists the operator of the machine (handrail itself, or a command without a token)
may act, since there is nobody to ask; from the first person on, every act needs a person.
"""

from enum import StrEnum

from handrail.people.person import Person
from handrail.people.role import Role
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId


class Act(StrEnum):
    """What a command does. Codes in messages and entries: add, never rename."""

    PUBLISH = "publish"
    MANAGE_KEYS = "keys.manage"
    MANAGE_PEOPLE = "people.manage"
    APPROVE = "approve"
    STOP = "stop"
    RESUME = "resume"
    RELEASE = "release"
    ERASE = "erase"
    LEGAL_HOLD = "legal_hold"
    READ_PAYLOAD = "payload.read"
    EXPORT = "export"
    REVIEW = "review"
    SIGN_OFF = "sign_off"
    ROTATE_KEYS = "keys.rotate"
    BACKUP = "backup"
    UNDO = "undo"
    DRILL = "drill"
    READ_DRILLS = "drill.read"
    RETRY_NOTICES = "notices.retry"
    ROLL_BACK = "roll_back"
    ANSWER_ALERTS = "alerts.answer"
    INCIDENTS = "incidents"
    DEMOTE = "autonomy.demote"
    PROMOTE = "autonomy.promote"
    JUDGE = "finding.judge"
    FLAG = "flag"


MAY: dict[Act, frozenset[Role]] = {
    Act.PUBLISH: frozenset({Role.ENGINEER, Role.OWNER, Role.ADMIN}),
    Act.MANAGE_KEYS: frozenset({Role.ENGINEER, Role.ADMIN}),
    Act.MANAGE_PEOPLE: frozenset({Role.ADMIN}),
    Act.APPROVE: frozenset({Role.APPROVER}),
    Act.STOP: frozenset(Role) - {Role.AUDITOR},
    Act.ROLL_BACK: frozenset(Role) - {Role.AUDITOR},
    Act.RESUME: frozenset({Role.OWNER, Role.COMPLIANCE}),
    Act.RELEASE: frozenset({Role.OWNER, Role.APPROVER}),
    Act.ERASE: frozenset({Role.COMPLIANCE}),
    Act.LEGAL_HOLD: frozenset({Role.COMPLIANCE}),
    Act.READ_PAYLOAD: frozenset({Role.REVIEWER, Role.COMPLIANCE, Role.AUDITOR, Role.OWNER}),
    Act.EXPORT: frozenset({Role.COMPLIANCE, Role.AUDITOR}),
    Act.REVIEW: frozenset({Role.REVIEWER, Role.OWNER}),
    Act.SIGN_OFF: frozenset({Role.OWNER, Role.COMPLIANCE}),
    Act.ROTATE_KEYS: frozenset({Role.ENGINEER, Role.ADMIN}),
    Act.BACKUP: frozenset({Role.ENGINEER, Role.ADMIN}),
    Act.DRILL: frozenset({Role.OWNER, Role.COMPLIANCE}),
    Act.READ_DRILLS: frozenset({Role.OWNER, Role.COMPLIANCE, Role.AUDITOR}),
    Act.UNDO: frozenset({Role.APPROVER, Role.OWNER, Role.STAFF, Role.COMPLIANCE}),
    Act.RETRY_NOTICES: frozenset({Role.ENGINEER, Role.ADMIN, Role.OWNER}),
    Act.ANSWER_ALERTS: frozenset(Role) - {Role.AUDITOR},
    Act.INCIDENTS: frozenset({Role.OWNER, Role.COMPLIANCE, Role.ENGINEER, Role.REVIEWER}),
    Act.DEMOTE: frozenset(Role) - {Role.AUDITOR},
    Act.PROMOTE: frozenset({Role.OWNER, Role.COMPLIANCE}),
    Act.JUDGE: frozenset({Role.REVIEWER, Role.COMPLIANCE, Role.OWNER}),
    Act.FLAG: frozenset(Role) - {Role.AUDITOR},
}
"""Stopping is easy and resuming is not: anyone who works here may pull the brake."""

NOT_OWN = frozenset({Act.APPROVE, Act.RELEASE})
"""Acts that the author of the thing may not do to it: four eyes."""


def require(act: Act, person: Person | None, *, people_exist: bool, author: PersonId | None = None) -> Actor:
    """Who acts, for the entry. `author`: who made what is acted on. Raises HandrailError NOT_ALLOWED with who could."""
    if person is None:
        if people_exist:
            raise HandrailError(
                Code.NOT_ALLOWED,
                "{act} needs a personal token: --token or HANDRAIL_TOKEN; allowed: {roles}",
                parts={"act": act.value, "roles": _who(act)},
            )
        return Actor(ActorKind.SYSTEM, "operator")
    if not person.active:
        raise HandrailError(Code.NOT_ALLOWED, "this person was disabled; ask an admin")
    if not person.roles & MAY.get(act, frozenset()):
        raise HandrailError(
            Code.NOT_ALLOWED,
            "your roles do not allow {act}; allowed: {roles}",
            parts={"act": act.value, "roles": _who(act)},
        )
    if act in NOT_OWN and author is not None and author == person.id:
        raise HandrailError(
            Code.NOT_ALLOWED, "{act}: its author cannot do this; another person must", parts={"act": act.value}
        )
    return Actor(ActorKind.PERSON, person.id)


def require_change(by: Person | None, target: Person, *, gained: frozenset[Role]) -> None:
    """A person never gives a role to herself. Raises HandrailError NOT_ALLOWED."""
    if by is not None and by.id == target.id and gained:
        raise HandrailError(Code.NOT_ALLOWED, "nobody gives a role to themselves; ask another admin")


def _who(act: Act) -> str:
    roles = sorted(role.value for role in MAY.get(act, frozenset()))
    return ", ".join(roles) or "nobody"
