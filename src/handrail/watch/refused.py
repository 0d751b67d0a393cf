"""Calls that were refused before an interaction existed: nobody finds them as interactions, so they are counted here.

They are recorded per minute, source and code (`call.refused`, `call.unregistered`), with the key but without the use
case; `Refused` learns from the ledger itself which use case a key speaks for, so that a revoked key still counts. Pure.
"""

from collections import Counter
from typing import TypeVar

import msgspec

from handrail.ledger.commitment import RecordedFacts
from handrail.ledger.entry import EntryKind, UnregisteredFacts
from handrail.people.facts import KeyFacts
from handrail.people.key import Scope
from handrail.terms.ids import UseCaseId

REFUSED = frozenset({EntryKind.CALL_REFUSED, EntryKind.CALL_UNREGISTERED})
_KEYS = frozenset({EntryKind.KEY_CREATED, EntryKind.KEY_ROTATED})
_MINUTE_MS = 60_000
T = TypeVar("T")


class Calls(msgspec.Struct):
    """Of one use case, or of callers without one. `codes`: refused calls by code. `lost`: those of keys that may chat,
    each a customer without an answer; the others only report or read."""

    codes: Counter[str] = msgspec.field(default_factory=Counter)
    lost: int = 0


class Refused:
    """Fold over the entries, oldest first. `begin_ms`, `end_ms`: the period; a minute belongs to it when it begins in
    it or holds its begin."""

    def __init__(self, begin_ms: int | None = None, end_ms: int | None = None) -> None:
        self._begin, self._end = begin_ms, end_ms
        self._keys: dict[str, KeyFacts] = {}
        self.by_use_case: dict[UseCaseId, Calls] = {}
        self.unregistered = Calls()

    def take(self, recorded: RecordedFacts) -> bool:
        """Whether the entry told of keys or of refused calls. Raises ValueError for facts that are not theirs."""
        if recorded.kind in _KEYS:
            made = _decoded(recorded, KeyFacts)
            self._keys[made.key] = made
            return True
        if recorded.kind not in REFUSED:
            return False
        self._count(_decoded(recorded, UnregisteredFacts))
        return True

    def _count(self, said: UnregisteredFacts) -> None:
        from_ms = said.minute * _MINUTE_MS
        if self._begin is not None and from_ms + _MINUTE_MS <= self._begin:
            return
        if self._end is not None and from_ms >= self._end:
            return
        key = self._keys.get(said.key)
        calls = self.unregistered
        if key is not None and key.use_case:
            calls = self.by_use_case.setdefault(UseCaseId(key.use_case), Calls())
            if Scope.CHAT.value in key.scopes:
                calls.lost += said.count
        calls.codes[said.code] += said.count


def _decoded(recorded: RecordedFacts, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(recorded.facts, type=type_)
    except msgspec.MsgspecError as error:
        raise ValueError(f"entry {recorded.id}: not the facts of {recorded.kind}: {error}") from None
