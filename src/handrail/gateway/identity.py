"""From an API key to a caller: which use case, which scopes.

A key that is not known may have been made a moment ago: with `Identity.made`, the database is asked once whether
something is new, at a bounded rate however many keys are guessed (`in_force.follow.Asked`). A key that is unknown then
is refused; so is a key whose use case is not in force. Both are counted per minute and source, like every call of a
known key that was refused before it became an interaction (a bad request, a spent budget), and `Refusals.drain` gives
the counts to the job that writes `call.unregistered` and, for known keys, `call.refused` entries. When nothing was
published yet, everything is refused.
"""

from collections.abc import Awaitable, Callable
from hashlib import blake2b

import msgspec

from handrail.gateway.http import Headers
from handrail.guard.caller import Caller, caller_of
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.people.key import ApiKey, Scope, hash_key, is_form, usable
from handrail.policy.evaluate import Rules, rules_of
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

MAX_SOURCES = 1_024
"""Distinct (minute, source, code) counts kept between two drains; more are counted under the source `others`."""


class Refusal(msgspec.Struct, frozen=True):
    """`minute`: Unix minutes. `source`: which calls came from one address, see `Refusals`. `key`: the id of a key that
    is known, or empty."""

    minute: int
    source: str
    code: str
    key: str
    count: int


class Refusals:
    """Counts calls that were refused before an interaction existed. Bounded; never drops a count.

    An address is personal data and a record is for good, so a source is 16 hex digits of the address's BLAKE2b under
    `secret`, random bytes of this process that are kept nowhere: it groups the calls of one address until the process
    ends, and leads back to none."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._counts: dict[tuple[int, str, str, str], int] = {}

    def source(self, address: str) -> str:
        """What stands for an address; empty for none."""
        return blake2b(address.encode(), digest_size=8, key=self._secret).hexdigest() if address else ""

    def count(self, now_ms: int, address: str, code: Code, key: str = "") -> None:
        """`address`: of the peer, not kept. `key`: id of a known key."""
        name = (now_ms // 60_000, self.source(address), code.value, key)
        if name not in self._counts and len(self._counts) >= MAX_SOURCES:
            name = (now_ms // 60_000, "others", code.value, "")
        self._counts[name] = self._counts.get(name, 0) + 1

    def drain(self, before_minute: int) -> list[Refusal]:
        """The counts of all minutes before this one, which are forgotten here."""
        done = [name for name in self._counts if name[0] < before_minute]
        return [Refusal(*name, self._counts.pop(name)) for name in sorted(done)]

    def restore(self, refusal: Refusal) -> None:
        """Put back a count that could not be recorded."""
        name = (refusal.minute, refusal.source, refusal.code, refusal.key)
        self._counts[name] = self._counts.get(name, 0) + refusal.count


class Identity:
    """Looks keys up in the snapshot in force; what it derives from a key lives as long as that snapshot. `newer`: waits
    for a look at what is in force; None: none is made."""

    def __init__(self, in_force: InForce, clock: Clock, newer: Callable[[], Awaitable[None]] | None = None) -> None:
        self._in_force = in_force
        self._clock = clock
        self._newer = newer
        self._snapshot: Snapshot | None = None
        self._rules: dict[UseCaseId, Rules] = {}
        self._callers: dict[bytes, Caller] = {}

    def caller(self, headers: Headers, scope: Scope) -> Caller:
        """Raises HandrailError KEY_*, USE_CASE_UNREGISTERED or NOT_PUBLISHED."""
        hashed, key = self.key(headers, scope)
        caller = self._callers.get(hashed)
        if caller is None:
            caller = self._callers[hashed] = self._new_caller(key)
        return caller

    def key(self, headers: Headers, scope: Scope) -> tuple[bytes, ApiKey]:
        """The key alone, for routes that serve no use case. Raises HandrailError KEY_* or NOT_PUBLISHED."""
        snapshot = self._current()
        given = key_of(headers)
        if given is None:
            raise HandrailError(
                Code.KEY_MISSING, "send your API key as `Authorization: Bearer hr_...` or in the header x-api-key"
            )
        hashed = hash_key(given)
        key = snapshot.keys.get(hashed)
        if key is None:
            raise HandrailError(Code.KEY_UNKNOWN, "this API key is not known here; ask for one: handrail key create")
        usable(key, now_ms=self._clock.now_ms(), scope=scope)
        return hashed, key

    async def made(self, headers: Headers, error: HandrailError) -> bool:
        """Whether a key that was refused with `error` as unknown is known after a look at the database. Anything that
        has not the form of our keys costs no look."""
        given = key_of(headers)
        if error.code is not Code.KEY_UNKNOWN or self._newer is None or given is None or not is_form(given):
            return False
        await self._newer()
        return self.known(headers) != ""

    def known(self, headers: Headers) -> str:
        """The id of the key, whether or not it may be used here; empty when it is not known."""
        snapshot, given = self._in_force.current, key_of(headers)
        key = snapshot.keys.get(hash_key(given)) if snapshot is not None and given is not None else None
        return key.id if key is not None else ""

    def probes(self, headers: Headers) -> bool:
        """Whether the key is known and one of probes, so that whatever it asks counts in no figure."""
        snapshot, given = self._in_force.current, key_of(headers)
        key = snapshot.keys.get(hash_key(given)) if snapshot is not None and given is not None else None
        return key is not None and key.probe

    @property
    def snapshot(self) -> Snapshot:
        """What is in force. Raises HandrailError NOT_PUBLISHED."""
        return self._current()

    def _current(self) -> Snapshot:
        snapshot = self._in_force.current
        if snapshot is None:
            raise HandrailError(Code.NOT_PUBLISHED, "nothing is published yet; run: handrail publish", retry_after_s=1)
        if snapshot is not self._snapshot:
            self._rules = rules_of(snapshot.ruleset)
            self._callers = {}
            self._snapshot = snapshot
        return snapshot

    def _new_caller(self, key: ApiKey) -> Caller:
        rules = self._rules.get(key.use_case) if key.use_case is not None else None
        if rules is None or self._snapshot is None:
            raise HandrailError(
                Code.USE_CASE_UNREGISTERED,
                "the use case of this API key is not registered; add it to the home and run: handrail publish",
            )
        return caller_of(key, self._snapshot, rules)


def key_of(headers: Headers) -> str | None:
    """The key in `Authorization: Bearer` or `x-api-key`; two different values are no key."""
    found: bytes | None = None
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            given = value[7:].strip()
        elif name == b"x-api-key":
            given = value.strip()
        else:
            continue
        if found is not None and found != given:
            return None
        found = given
    return found.decode("latin-1") if found is not None else None
