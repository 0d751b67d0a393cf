"""A person of the organisation. Name and address stay in their table: the ledger knows the id only."""

import re

import msgspec

from handrail.people.role import Role
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s]{2,63}\Z")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """`mail` is lower-case and unique. Times in Unix ms."""

    id: PersonId
    mail: str
    name: str
    roles: frozenset[Role]
    created_at: int
    disabled_at: int | None = None

    @property
    def active(self) -> bool:
        return self.disabled_at is None


def mail_of(text: str) -> str:
    """The canonical form. Raises HandrailError REQUEST_INVALID, without repeating the text."""
    mail = text.strip().lower()
    if not _MAIL.match(mail):
        raise HandrailError(Code.REQUEST_INVALID, "this is not an e-mail address; write it as name@host.example")
    return mail
