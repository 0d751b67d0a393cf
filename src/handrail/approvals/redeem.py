"""Commands on permits: give one, redeem it, report what came of it. A move and its entry commit together; time is the
database's. A redeem is the claim: it reads stops and what is in force in its own transaction, as the claim of
handrail's own executor does."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from handrail.approvals import lifecycle, permit
from handrail.approvals.desk import BY, Standing, moved
from handrail.approvals.lifecycle import Issued, State
from handrail.approvals.permit import Permit
from handrail.approvals.stop import covers, names_of
from handrail.approvals.store import ActionTransaction, Stored
from handrail.ledger.entry import EntryKind
from handrail.terms.action import ActionId, canonical_arguments
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, Ids

REPORTED, LATE = "reported", "reported late"
"""`by_claim` of the outcome's entry; `unreported`: the report never came (`desk.Sweep`)."""

Refused = Callable[[Stored, Standing], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A permit for what is approved, or the same one again while it lives. `key`: who asks; `keys`: every key of its
    line of rotations. `life_ms`: at most `permit.MAX_LIFE_MS`."""

    ids: Ids
    action: ActionId
    key: str
    keys: frozenset[str]
    audience: str
    life_ms: int

    def __call__(self, tx: ActionTransaction) -> Stored:
        """With a live permit of this key and audience, or as it stands: not approved, not yet due, executed by
        handrail, or asked for by another key. Raises HandrailError NOT_FOUND or LOST_RACE."""
        stored = tx.actions.get(self.action)
        before, request, now = stored.progress, stored.request, tx.now_ms
        until = min(now + min(self.life_ms, permit.MAX_LIFE_MS), before.execute_by or now)
        if before.state is not State.APPROVED or not before.report_within_ms or before.drill or request is None:
            return stored
        if request.key not in self.keys or not before.not_before <= now < until:
            return stored
        if alive(stored, self.key, self.audience, now):
            return stored
        issued = Issued(id=self.ids.new("pm"), key=self.key, audience=self.audience, at=now, until=until)
        after = permit.issue(before, issued, now=now)
        return moved(tx, self.ids, stored, after, EntryKind.ACTION_PERMITTED, _by(self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """The claim by the caller. `shown`: of a token whose signature is good. `refused`: whether what is in force now
    denies it. What is stopped or refused is revoked instead."""

    ids: Ids
    shown: Permit
    key: str
    audience: str
    arguments: dict[str, Any]
    refused: Refused

    def __call__(self, tx: ActionTransaction) -> Stored:
        """`state` is CLAIMED, or REVOKED, or UNREACHABLE (its customer was erased). Raises HandrailError NOT_FOUND,
        PERMIT_INVALID, ALREADY_DECIDED, NOT_ALLOWED or LOST_RACE."""
        stored = tx.actions.get(ActionId(self.shown.sub))
        before, request = stored.progress, stored.request
        if request is None:
            return moved(tx, self.ids, stored, lifecycle.unreachable(before), EntryKind.ACTION_UNREACHABLE, BY)
        after = permit.redeem(
            before, request, self.shown, key=self.key, audience=self.audience, arguments=self.arguments, now=tx.now_ms
        )
        stops = tuple(tx.stops.all())
        names = names_of(stored.about)
        if any(covers(stop, names) for stop in stops) or self.refused(stored, Standing(stops, tx.limits.used)):
            return moved(tx, self.ids, stored, lifecycle.revoke(before), EntryKind.ACTION_REVOKED, BY)
        return moved(tx, self.ids, stored, after, EntryKind.ACTION_CLAIMED, _by(self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the caller says came of it. `state`: DONE, or FAILED (certainly without effect). `result`: what the target
    answered, as far as the caller tells it. `response_digest`: SHA-256 of the target's answer as it came, or empty.
    `key`, `keys`: as for `Issue`."""

    ids: Ids
    action: ActionId
    key: str
    keys: frozenset[str]
    state: State
    result: Any = None
    response_digest: str = ""
    code: str = ""

    def __call__(self, tx: ActionTransaction) -> Stored:
        """The same report again changes nothing. Raises HandrailError NOT_FOUND, PERMIT_INVALID (another key redeemed
        it) or ALREADY_DECIDED."""
        stored = tx.actions.get(self.action)
        before, request = stored.progress, stored.request
        if before.permit is None or before.permit.key not in self.keys:
            raise HandrailError(Code.PERMIT_INVALID, "no permit of this action was redeemed by this API key")
        if before.state is self.state and not permit.settled_since(before):
            return stored
        late = before.state is State.UNKNOWN
        after = permit.report(before, self.state, now=tx.now_ms)
        result = msgspec.json.encode({"status": self.state.value, "result": self.result, "code": self.code})
        facts = msgspec.structs.replace(stored.about.facts, by_claim=LATE if late else REPORTED)
        payload = None
        if request is not None:  # without its salt, which went with the customer, a digest could be guessed
            sent = canonical_arguments(request.arguments)
            answer = self.response_digest.encode() or msgspec.json.encode(self.result)
            facts = msgspec.structs.replace(
                facts, request=_salted(request.salt, sent), response=_salted(request.salt, answer)
            )
            tx.actions.keep_result(self.action, result)
            payload = msgspec.json.encode(
                {
                    "request": sent.decode(), "response": msgspec.json.encode(self.result).decode(),
                    "response_digest": self.response_digest, "code": self.code, "permit": before.permit.id,
                }
            )  # fmt: skip
        kind = EntryKind.ACTION_DONE if self.state is State.DONE else EntryKind.ACTION_FAILED
        return moved(tx, self.ids, stored, after, kind, _by(self.key), facts=facts, payload=payload)


def alive(stored: Stored, key: str, audience: str, now: int) -> bool:
    """Whether a permit of this key and audience can still be redeemed."""
    issued = stored.progress.permit
    return (
        stored.progress.state is State.APPROVED
        and issued is not None
        and (issued.key, issued.audience) == (key, audience)
        and now < issued.until
    )


def _by(key: str) -> Actor:
    return Actor(ActorKind.KEY, key)


def _salted(salt: bytes, data: bytes) -> Digest:
    return Digest(hashlib.sha256(salt + data).hexdigest())
