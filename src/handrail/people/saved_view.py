"""A view of the console that a person saved by a name."""

import msgspec

from handrail.terms.ids import PersonId


class SavedView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`address`: path and query. `created_at`: Unix ms."""

    id: str
    person: PersonId
    name: str
    address: str
    created_at: int
    ends_at: int = 0
