"""Commands on API keys: create (shown once), rotate (the old one serves for a while), revoke.

Each is called with a transaction: the change, its entry and the new epoch commit together or not at all.
"""

from dataclasses import dataclass

import msgspec

from handrail.ledger.entry import EntryKind
from handrail.people.acting import acting
from handrail.people.authorise import Act
from handrail.people.facts import entry, key_facts
from handrail.people.key import NOT_PROBED, ApiKey, Scope, hash_key, new_key
from handrail.people.store import PeopleTransaction
from handrail.people.token import DAY_MS
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids, KeyId, UseCaseId

RANDOM_BYTES = 44
ANYWHERE = frozenset({Scope.EVENTS, Scope.READ})
"""Scopes that make sense without a use case."""
GRACE_MS = DAY_MS
MAX_GRACE_MS = 30 * DAY_MS
DEFAULT_MS = 365 * DAY_MS


@dataclass(frozen=True, slots=True)
class NewKey:
    """`text`: the key itself, shown once and never stored."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateKey:
    """`registered`: the use cases in force, as the caller read them. `token`: of the person who asks."""

    ids: Ids
    use_case: UseCaseId | None
    registered: frozenset[UseCaseId]
    scopes: frozenset[Scope] = frozenset({Scope.CHAT})
    agent: str = ""
    expires_in_ms: int | None = None
    token: str | None = None

    def __call__(self, tx: PeopleTransaction) -> NewKey:
        """Raises HandrailError NOT_ALLOWED, TOKEN_INVALID, USE_CASE_UNREGISTERED or REQUEST_INVALID."""
        by = acting(tx, self.token, Act.MANAGE_KEYS)
        _require_sense(self.use_case, self.registered, self.scopes, self.expires_in_ms)
        expires_at = None if self.expires_in_ms is None else tx.now_ms + self.expires_in_ms
        made = _made(self.ids, self.use_case, self.scopes, self.agent, now_ms=tx.now_ms, expires_at=expires_at, by=by)
        tx.keys.add(made.key)
        facts = key_facts(made.key)
        tx.append(entry(EntryKind.KEY_CREATED, ids=self.ids, at_ms=tx.now_ms, by=by, about=made.key.id, facts=facts))
        tx.bump_epoch()
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateProbeKey:
    """A key for tests: whatever it asks counts in no figure and causes no effect, so whoever may publish may have one.
    `by`: who acts when it is no person, instead of `token`."""

    ids: Ids
    use_case: UseCaseId
    registered: frozenset[UseCaseId]
    scopes: frozenset[Scope]
    agent: str
    expires_in_ms: int
    token: str | None = None
    by: Actor | None = None

    def __call__(self, tx: PeopleTransaction) -> NewKey:
        """Raises HandrailError NOT_ALLOWED, TOKEN_INVALID, USE_CASE_UNREGISTERED or REQUEST_INVALID."""
        by = self.by or acting(tx, self.token, Act.PUBLISH)
        scopes = self.scopes | {Scope.PROBE}
        _require_sense(self.use_case, self.registered, scopes, self.expires_in_ms)
        ends = tx.now_ms + self.expires_in_ms
        made = _made(self.ids, self.use_case, scopes, self.agent, now_ms=tx.now_ms, expires_at=ends, by=by)
        tx.keys.add(made.key)
        facts = key_facts(made.key)
        tx.append(entry(EntryKind.KEY_CREATED, ids=self.ids, at_ms=tx.now_ms, by=by, about=made.key.id, facts=facts))
        tx.bump_epoch()
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKey:
    """A new key with the same rights, whose conversations go on; the old one ends after `grace_ms`, or earlier if it
    ended earlier anyway. The new one lives for `expires_in_ms`, else as long as the old one was made for (not for what
    a rotation left of it). One that has ended already never brings back a key without an end: `DEFAULT_MS` then."""

    ids: Ids
    key_id: KeyId
    grace_ms: int = GRACE_MS
    token: str | None = None
    expires_in_ms: int | None = None

    def __call__(self, tx: PeopleTransaction) -> NewKey:
        """Raises HandrailError NOT_FOUND, KEY_REVOKED, REQUEST_INVALID, NOT_ALLOWED or TOKEN_INVALID."""
        by = acting(tx, self.token, Act.MANAGE_KEYS)
        old = tx.keys.get(self.key_id)
        if old.revoked_at is not None:
            raise HandrailError(Code.KEY_REVOKED, "this key was revoked; make a new one: handrail key create")
        if not 0 <= self.grace_ms <= MAX_GRACE_MS:
            raise HandrailError(Code.REQUEST_INVALID, "the time of grace is between 0 and 30 days")
        _require_future(self.expires_in_ms)
        now, until = tx.now_ms, tx.now_ms + self.grace_ms
        lifetime = self.expires_in_ms or _lifetime(old, tx.keys.all())
        if lifetime is None and old.expires_at is not None and old.expires_at <= now:
            lifetime = DEFAULT_MS
        end = None if lifetime is None else now + lifetime
        made = _made(
            self.ids, old.use_case, old.scopes, old.agent, now_ms=now, expires_at=end, first=old.lineage, by=by
        )
        ending = until if old.expires_at is None else min(until, old.expires_at)
        tx.keys.swap(old, msgspec.structs.replace(old, expires_at=ending))
        tx.keys.add(made.key)
        facts = key_facts(made.key, replaces=old.id)
        tx.append(entry(EntryKind.KEY_ROTATED, ids=self.ids, at_ms=tx.now_ms, by=by, about=old.id, facts=facts))
        tx.bump_epoch()
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeKey:
    """From the next look at the epoch on (a second at most) no process takes it. Revoking twice changes nothing."""

    ids: Ids
    key_id: KeyId
    token: str | None = None

    def __call__(self, tx: PeopleTransaction) -> ApiKey:
        """Raises HandrailError NOT_FOUND, NOT_ALLOWED or TOKEN_INVALID."""
        by = acting(tx, self.token, Act.MANAGE_KEYS)
        old = tx.keys.get(self.key_id)
        if old.revoked_at is not None:
            return old
        new = msgspec.structs.replace(old, revoked_at=tx.now_ms)
        tx.keys.swap(old, new)
        facts = key_facts(new)
        tx.append(entry(EntryKind.KEY_REVOKED, ids=self.ids, at_ms=tx.now_ms, by=by, about=new.id, facts=facts))
        tx.bump_epoch()
        return new


def _lifetime(old: ApiKey, keys: list[ApiKey]) -> int | None:
    """How long the keys of this line are made for (ms; None: without an end), as its newest key says: a rotation cuts
    short the key it replaces and gives the new one the whole."""
    line = [key for key in keys if key.lineage == old.lineage]
    newest = max(line, key=lambda key: (key.created_at, key.expires_at is None, key.expires_at or 0))
    return None if newest.expires_at is None else newest.expires_at - newest.created_at


def _require_future(expires_in_ms: int | None) -> None:
    if expires_in_ms is not None and expires_in_ms <= 0:
        raise HandrailError(Code.REQUEST_INVALID, "a key must expire in the future")


def _made(
    ids: Ids,
    use_case: UseCaseId | None,
    scopes: frozenset[Scope],
    agent: str,
    *,
    now_ms: int,
    expires_at: int | None,
    by: Actor,
    first: str = "",
) -> NewKey:
    name, text = new_key(ids.token(RANDOM_BYTES))
    key = ApiKey(
        id=name,
        hash=hash_key(text),
        use_case=use_case,
        scopes=scopes,
        agent=agent,
        created_at=now_ms,
        expires_at=expires_at,
        first=first,
        by=by.id if by.kind is ActorKind.PERSON else "",
    )
    return NewKey(key, text)


def _require_sense(
    use_case: UseCaseId | None, registered: frozenset[UseCaseId], scopes: frozenset[Scope], expires_in_ms: int | None
) -> None:
    if use_case is not None and use_case not in registered:
        known = ", ".join(sorted(registered)) or "none; run handrail publish first"
        raise HandrailError(
            Code.USE_CASE_UNREGISTERED, "no published use case has this id; published: {known}", parts={"known": known}
        )
    if not scopes:
        raise HandrailError(
            Code.REQUEST_INVALID,
            "a key needs a scope: {scopes}",
            parts={"scopes": ", ".join(scope.value for scope in Scope)},
        )
    if Scope.PROBE in scopes and scopes & NOT_PROBED:
        names = ", ".join(sorted(scope.value for scope in scopes & NOT_PROBED))
        raise HandrailError(
            Code.REQUEST_INVALID,
            "a key for probes causes no effect: it cannot also have {scopes}",
            parts={"scopes": names},
        )
    if use_case is None and scopes - ANYWHERE:
        raise HandrailError(Code.REQUEST_INVALID, "a key without a use case may only have the scopes events and read")
    _require_future(expires_in_ms)
