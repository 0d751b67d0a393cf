"""The people who decide on actions in the state machines, each with a token."""

from typing import Any

from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.token import TokenKind, new_token
from handrail.terms.ids import PersonId

NEVER = 9_000_000_000_000
STAFF = {
    "pe_a": Role.APPROVER, "pe_b": Role.APPROVER, "pe_e": Role.APPROVER, "pe_c": Role.COMPLIANCE,
    "pe_d": Role.COMPLIANCE, "pe_x": Role.ADMIN,
}  # fmt: skip
TOKENS = {
    name: new_token(TokenKind.PERSONAL, PersonId(name), (name.encode() * 42)[:42], now_ms=0, expires_at=NEVER)
    for name in STAFF
}


def hire(tx: Any) -> None:
    for name, role in STAFF.items():
        tx.persons.add(Person(id=PersonId(name), mail=f"{name}@shop.example", name=name, roles={role}, created_at=0))
        tx.tokens.add(TOKENS[name][0])
