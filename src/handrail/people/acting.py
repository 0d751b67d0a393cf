"""Who gives a command, found and allowed inside the command's own transaction."""

from handrail.people.authorise import Act, require
from handrail.people.person import Person
from handrail.people.session import PREFIX, Standing, session_id, standing
from handrail.people.store import Register
from handrail.people.token import TokenKind, require_good
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import KeyId, PersonId


def acting(tx: Register, token: str | None, act: Act, *, author: PersonId | None = None) -> Actor:
    """`token`: the text of a personal token or of a sign-in to the console, None for the operator of the machine.
    Raises HandrailError TOKEN_INVALID or NOT_ALLOWED. Read in the transaction, so a role taken away a moment ago
    counts."""
    person = person_of(tx, token) if token is not None else None
    return require(act, person, people_exist=bool(tx.persons.all()), author=author)


def person_of(tx: Register, token: str) -> Person:
    """Raises HandrailError TOKEN_INVALID, or NOT_ALLOWED for a disabled person."""
    if token.startswith(f"{PREFIX}_"):
        return _signed_in(tx, token)
    stored = tx.tokens.get(KeyId(token_id(token)))
    good = require_good(stored, token, TokenKind.PERSONAL, now_ms=tx.now_ms)
    assert good.person is not None
    person = tx.persons.get(good.person)
    if not person.active:
        raise HandrailError(Code.NOT_ALLOWED, "this person was disabled; ask an admin")
    return person


def _signed_in(tx: Register, text: str) -> Person:
    """Whose session this is, read in the command's own transaction: one that was ended a moment ago does nothing."""
    session = tx.sessions.get(session_id(text))
    if session is None or standing(session, text, frozenset(session.roles), now_ms=tx.now_ms) is Standing.GONE:
        raise HandrailError(Code.TOKEN_INVALID, "this sign-in is over; sign in again")
    person = tx.persons.get(session.person)
    if not person.active:
        raise HandrailError(Code.NOT_ALLOWED, "this person was disabled; ask an admin")
    return person


def token_id(text: str) -> str:
    """The public part; empty for anything that is no token."""
    parts = text.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] in ("hp", "ho") else ""
