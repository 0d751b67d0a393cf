"""Roles, and which of them one person may not hold together."""

from collections.abc import Set
from enum import StrEnum

from handrail.terms.errors import Code, HandrailError


class Role(StrEnum):
    """What a person is here for. The values are in the ledger for good. What each may do: `people.authorise`."""

    OWNER = "owner"
    APPROVER = "approver"
    REVIEWER = "reviewer"
    STAFF = "staff"
    COMPLIANCE = "compliance"
    ENGINEER = "engineer"
    AUDITOR = "auditor"
    ADMIN = "admin"


AUDITOR_EXCLUDES = frozenset({Role.OWNER, Role.APPROVER, Role.ENGINEER, Role.ADMIN, Role.COMPLIANCE})
"""Who checks the record may not be among those who make it (docs/guides/home.md: separation of author, approver
and auditor)."""


def require_compatible(roles: Set[Role]) -> None:
    """Raises HandrailError NOT_ALLOWED when one person may not hold all of these."""
    clash = sorted(role.value for role in roles & AUDITOR_EXCLUDES)
    if Role.AUDITOR in roles and clash:
        raise HandrailError(
            Code.NOT_ALLOWED,
            "an auditor cannot also be {roles}: who checks the record may not make it; use two persons",
            parts={"roles": ", ".join(clash)},
        )
