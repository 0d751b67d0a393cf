"""The provider says that somebody signed out there (OpenID Connect Back-Channel Logout 1.0): her sessions end here.

Promise: SGN-13. What ends is what that account opened: one session there where the provider names it, else all of the
account; sessions that she opened by a password or a passkey stay. A step that waits for her second factor ends too.
Each token counts once. When the database does not answer, nothing ends before its time and the provider hears that.
"""

from dataclasses import dataclass

import msgspec

from handrail.people import lockout
from handrail.people.account import Step, identity_id, step_id, there_id
from handrail.people.provider import PROVIDER, THERE, persons_of
from handrail.people.session import Vouched
from handrail.people.sessions import end_each
from handrail.people.sign_in import Pending, count_up, tell
from handrail.people.signin_store import SignInTransaction
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, PersonId

ONCE = "logout"
WHAT = "provider.logout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a verified logout token says: who left, or which session there, or both; the other is empty. `token`: its
    `jti`. `ends_at`: Unix ms; after it the token is refused whatever is remembered of it."""

    issuer: str
    subject: str
    session: str
    token: str
    ends_at: int

    def __repr__(self) -> str:
        return "Left()"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndByProvider:
    """How many sessions ended; none is no mistake."""

    ids: Ids
    left: Left

    def __call__(self, tx: SignInTransaction) -> int:
        """Raises HandrailError REQUEST_INVALID for a token that came before, LOST_RACE when one of the sessions changed
        at this moment: then nothing was done, and it may be tried again."""
        self._once(tx)
        ended = 0
        for person in self._persons(tx):
            mine = [each for each in tx.sessions.of(person) if self._is_meant(each.vouched)]
            end_each(tx, self.ids, mine, PROVIDER, what=WHAT)
            ended += len(mine)
            for step in tx.steps.of(person):
                if self._waits(step):
                    tx.steps.remove(step)
        return ended

    def _once(self, tx: SignInTransaction) -> None:
        tx.steps.sweep(tx.now_ms)
        name = step_id("", ONCE, f"{self.left.issuer}\0{self.left.token}")
        if tx.steps.get(name) is not None:
            raise HandrailError(Code.REQUEST_INVALID, "this logout token came before (jti)")
        tx.steps.add(Step(id=name, ends_at=self.left.ends_at))

    def _persons(self, tx: SignInTransaction) -> list[PersonId]:
        left = self.left
        if left.subject:
            identity = tx.identities.get(identity_id(left.issuer, left.subject))
            return [] if identity is None else [identity.person]
        return persons_of(tx.steps.get(step_id("", THERE, there_id(left.issuer, left.session))))

    def _is_meant(self, vouched: Vouched) -> bool:
        """A session whose sign-in named none there is meant by every word about its account."""
        left = self.left
        if left.subject and vouched.account != identity_id(left.issuer, left.subject):
            return False
        if not left.session:
            return True
        there = there_id(left.issuer, left.session)
        return vouched.there == there or (bool(left.subject) and not vouched.there)

    def _waits(self, step: Step) -> bool:
        try:
            pending = msgspec.json.decode(step.body, type=Pending)
        except msgspec.DecodeError:
            return False  # of another purpose
        return bool(pending.vouched.account) and self._is_meant(pending.vouched)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLogout:
    """A logout token that was refused, counted by the network that sent it. `address`: its mark (`Sealing.mark`)."""

    ids: Ids
    address: str

    def __call__(self, tx: SignInTransaction) -> int:
        """Seconds to wait, 0: none. One that comes too soon is not counted. A good one never waits."""
        name = f"logout:{self.address}"
        wait = lockout.wait_ms(tx.failures.get(name), now_ms=tx.now_ms, free=lockout.FREE_AT_ADDRESS)
        if wait:
            return -(-wait // 1000)
        tell(tx, self.ids, lockout.NOBODY, count_up(tx, name, lockout.NOBODY), (WHAT,))
        return 0
