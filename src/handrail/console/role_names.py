"""What roles are called."""

from handrail.console.words import N_

ROLE_NAMES = {
    "owner": N_("Owner"),
    "approver": N_("Approver"),
    "reviewer": N_("Reviewer"),
    "staff": N_("Staff"),
    "compliance": N_("Compliance"),
    "engineer": N_("Engineer"),
    "auditor": N_("Auditor"),
    "admin": N_("Admin"),
}
