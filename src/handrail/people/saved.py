"""Views of the console that a person saved by a name: an address of a page of ours, for herself alone.

Nothing of it is an entry of the ledger: like language and theme (`factors.SetTaste`) it is a person's own convenience.
It gives no right, is shown to nobody else, and whoever opens it is asked for her roles like by any link. What an
address may hold is the console's to check (`console.saved`); here only its length.
"""

from dataclasses import dataclass

import msgspec

from handrail.people.acting import person_of
from handrail.people.saved_view import SavedView
from handrail.people.signin_store import SignInTransaction
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids

MOST = 50
LONGEST_NAME = 60
LONGEST_ADDRESS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveView:
    """`token`: of whoever saves it, a session's or her personal one."""

    ids: Ids
    name: str
    address: str
    token: str

    def __call__(self, tx: SignInTransaction) -> SavedView:
        """Raises HandrailError TOKEN_INVALID, NOT_ALLOWED (she was disabled, or has 50), ALREADY (she has one of this
        name) or REQUEST_INVALID."""
        person = person_of(tx, self.token)
        mine = tx.saved_views.of(person.id)
        if len(mine) >= MOST:
            raise HandrailError(
                Code.NOT_ALLOWED, "a person has at most {most} saved views; delete one first", parts={"most": MOST}
            )
        if not self.address.startswith("/") or len(self.address) > LONGEST_ADDRESS:
            raise HandrailError(Code.REQUEST_INVALID, "this is no address of a page that can be saved")
        made = SavedView(
            id=self.ids.new("sv"), person=person.id, name=_free(self.name, mine), address=self.address,
            created_at=tx.now_ms,
        )  # fmt: skip
        tx.saved_views.add(made)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameView:
    view: str
    name: str
    token: str

    def __call__(self, tx: SignInTransaction) -> SavedView:
        """Raises HandrailError TOKEN_INVALID, NOT_ALLOWED, NOT_FOUND (another's is not found either), ALREADY,
        REQUEST_INVALID or LOST_RACE."""
        old, mine = _own(tx, self.view, self.token)
        new = msgspec.structs.replace(old, name=_free(self.name, [one for one in mine if one.id != old.id]))
        tx.saved_views.swap(old, new)
        return new


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveView:
    view: str
    token: str

    def __call__(self, tx: SignInTransaction) -> SavedView:
        """Raises HandrailError TOKEN_INVALID, NOT_ALLOWED, NOT_FOUND or LOST_RACE."""
        old, _ = _own(tx, self.view, self.token)
        tx.saved_views.remove(old)
        return old


def _own(tx: SignInTransaction, name: str, token: str) -> tuple[SavedView, list[SavedView]]:
    mine = tx.saved_views.of(person_of(tx, token).id)
    for one in mine:
        if one.id == name:
            return one, mine
    raise HandrailError(Code.NOT_FOUND, "you have no such saved view")


def _free(name: str, others: list[SavedView]) -> str:
    """The name as it is kept. Raises HandrailError REQUEST_INVALID or ALREADY."""
    kept = " ".join(name.split())
    if not 1 <= len(kept) <= LONGEST_NAME or not kept.isprintable():
        raise HandrailError(
            Code.REQUEST_INVALID, "give the view a name of 1 to {most} characters", parts={"most": LONGEST_NAME}
        )
    if any(kept.casefold() == one.name.casefold() for one in others):
        raise HandrailError(Code.ALREADY, "you have a saved view of this name; choose another")
    return kept
