"""Commands on the outbox: claim what is due, say how it went, give up, try again by a person.

Whoever sends holds a lease by the database's clock; when it dies in between, the notice is due again when the lease is
over and goes out once more under the same id. So each notice arrives at least once, or is recorded as given up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from handrail.approvals.lifecycle import State
from handrail.approvals.notices import Notice, NoticeState, Posted, configured
from handrail.approvals.store import ActionTransaction
from handrail.ledger.entry import Entry, EntryKind
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.policy.notices import Event
from handrail.terms.action import ActionId
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId, Ids, UseCaseId

BY = Actor(ActorKind.SYSTEM, "notices")


class NoticeFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`about`: the action or stop. `tries`: how often it was begun. `code`: why the last one failed."""

    notice: str
    receiver: str
    event: str
    about: str = ""
    tries: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNotices:
    """What is due, at most `room` for each receiver beside what this process sends already (`running`); a receiver in
    `quiet` has asked for silence. A reminder of what was settled meanwhile becomes moot here."""

    owner: str
    lease_ms: int
    room: int
    running: Mapping[str, int]
    quiet: frozenset[str] = frozenset()

    def __call__(self, tx: ActionTransaction) -> list[Posted]:
        claimed = []
        for receiver in tx.notices.due_receivers():
            room = self.room - self.running.get(receiver, 0)
            if room <= 0 or receiver in self.quiet:
                continue
            for posted in tx.notices.due(receiver, limit=room):
                after = self._claim(tx, posted)
                if after is not None:
                    claimed.append(after)
        return claimed

    def _claim(self, tx: ActionTransaction, posted: Posted) -> Posted | None:
        """None: moot, or another process was first."""
        moot = _moot(tx, posted.notice)
        if moot:
            after = _moved(posted, state=NoticeState.MOOT, due_at=None, lease_owner="")
        else:
            due = tx.now_ms + self.lease_ms
            after = _moved(posted, due_at=due, tries=posted.tries + 1, lease_owner=self.owner)
        try:
            tx.notices.swap(posted, after)
        except HandrailError as error:
            if error.code is Code.LOST_RACE:
                return None
            raise
        return None if moot else after


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent:
    """The receiver has it."""

    notice: str
    owner: str

    def __call__(self, tx: ActionTransaction) -> None:
        """Raises HandrailError NOT_FOUND, or LOST_RACE when another process has taken it over."""
        posted = _held(tx, self.notice, self.owner)
        tx.notices.swap(posted, _moved(posted, state=NoticeState.SENT, due_at=None, lease_owner="", code=""))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeMissed:
    """A try failed: due again after `wait_ms`, unless that is too late by `give_up_after_s` or `final`: the receiver
    will never take it. Giving up is an entry."""

    ids: Ids
    notice: str
    owner: str
    code: str
    wait_ms: int
    final: bool = False

    def __call__(self, tx: ActionTransaction) -> Posted:
        """Raises HandrailError NOT_FOUND, or LOST_RACE when another process has taken it over."""
        posted = _held(tx, self.notice, self.owner)
        due = tx.now_ms + self.wait_ms
        until = posted.notice.due_ms + 1_000 * configured(tx).give_up_after_s
        if not self.final and due < until:
            after = _moved(posted, due_at=due, lease_owner="", code=self.code)
            tx.notices.swap(posted, after)
            return after
        after = _moved(posted, state=NoticeState.GIVEN_UP, due_at=None, lease_owner="", code=self.code)
        tx.notices.swap(posted, after)
        tx.append(_entry(self.ids, EntryKind.NOTICE_GIVEN_UP, after, BY, tx.now_ms))
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryNotice:
    """A person has mended what was wrong: one that was given up, or waits, is due now, with its whole time again."""

    ids: Ids
    notice: str
    token: str | None

    def __call__(self, tx: ActionTransaction) -> Posted:
        """Raises HandrailError NOT_FOUND, ALREADY_DECIDED (it was sent, or there is nothing to remind of), LOST_RACE
        (it is being sent), TOKEN_INVALID or NOT_ALLOWED."""
        by = acting(tx, self.token, Act.RETRY_NOTICES)
        posted = tx.notices.get(self.notice)
        if posted.state in (NoticeState.SENT, NoticeState.MOOT):
            raise HandrailError(Code.ALREADY_DECIDED, f"this notice is {posted.state.value} already")
        if posted.lease_owner and posted.due_at is not None and tx.now_ms < posted.due_at:
            raise HandrailError(Code.LOST_RACE, "this notice is being sent right now; look again in half a minute")
        again = msgspec.structs.replace(posted.notice, due_ms=tx.now_ms)
        after = _moved(posted, notice=again, state=NoticeState.WAITING, due_at=tx.now_ms, lease_owner="")
        tx.notices.swap(posted, after)
        tx.append(_entry(self.ids, EntryKind.NOTICE_RETRIED, after, by, tx.now_ms))
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetNotices:
    """What is over and older than `keep_ms` goes."""

    keep_ms: int
    limit: int = 1_000

    def __call__(self, tx: ActionTransaction) -> int:
        return tx.notices.forget(before_ms=tx.now_ms - self.keep_ms, limit=self.limit)


def _moot(tx: ActionTransaction, notice: Notice) -> bool:
    if notice.event != Event.EXPIRING.value:
        return False
    try:
        progress = tx.actions.get(ActionId(notice.about)).progress
    except HandrailError as error:
        if error.code is Code.NOT_FOUND:
            return True
        raise
    return progress.state is not State.HELD or progress.route != notice.route


def _held(tx: ActionTransaction, notice: str, owner: str) -> Posted:
    posted = tx.notices.get(notice)
    if posted.state is not NoticeState.WAITING or posted.lease_owner != owner:
        raise HandrailError(Code.LOST_RACE, "another process has taken this notice over")
    return posted


def _moved(before: Posted, **fields: object) -> Posted:
    return msgspec.structs.replace(before, version=before.version + 1, **fields)


def _entry(ids: Ids, kind: EntryKind, posted: Posted, by: Actor, at_ms: int) -> Entry:
    notice = posted.notice
    facts = NoticeFacts(
        notice=notice.id, receiver=notice.receiver, event=notice.event, about=notice.about, tries=posted.tries,
        code=posted.code,
    )  # fmt: skip
    return Entry(
        id=EntryId(ids.new("en")), kind=kind, at_ms=at_ms, actor=by, facts=facts, about=notice.id,
        use_case=UseCaseId(notice.use_case) if notice.use_case else None,
    )  # fmt: skip
