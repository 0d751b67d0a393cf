"""What became of the actions that agents asked for: one pass over recorded facts, pure. Drills count nowhere."""

from collections import Counter

import msgspec

from handrail.approvals.facts import ActionFacts
from handrail.ledger.commitment import RecordedFacts
from handrail.ledger.entry import EntryKind
from handrail.terms.decision import Verdict
from handrail.terms.ids import UseCaseId

_CALLED = frozenset({EntryKind.ACTION_DECIDED, EntryKind.ACTION_EDITED})
_ENDED = {
    EntryKind.ACTION_DONE: "done",
    EntryKind.ACTION_FAILED: "failed",
    EntryKind.ACTION_UNKNOWN: "unknown",
    EntryKind.ACTION_EXPIRED: "expired",
    EntryKind.ACTION_DENIED: "denied by a person",
    EntryKind.ACTION_LAPSED: "lapsed",
    EntryKind.ACTION_REVOKED: "revoked",
    EntryKind.ACTION_CANCELLED: "cancelled",
    EntryKind.ACTION_UNREACHABLE: "unreachable",
    EntryKind.ACTION_SETTLED: "settled by a person",
}


class Acts(msgspec.Struct):
    """Actions of one use case. `verdicts`: of those decided in the period; `would_be`: what enforcing would have given
    those that were only observed. `ended`: how actions went on in the period, also those decided before. `paid`: minor
    units by currency of what was done in it."""

    verdicts: Counter[str] = msgspec.field(default_factory=Counter)
    would_be: Counter[str] = msgspec.field(default_factory=Counter)
    ended: Counter[str] = msgspec.field(default_factory=Counter)
    paid: Counter[str] = msgspec.field(default_factory=Counter)


class Acted:
    """Fold over the entries, oldest first. `begin_ms`, `end_ms`: the period, in Unix ms, the end exclusive."""

    def __init__(self, begin_ms: int | None = None, end_ms: int | None = None) -> None:
        self._begin, self._end = begin_ms, end_ms
        self._moves: dict[str, tuple[str, int]] = {}
        self.by_use_case: dict[UseCaseId, Acts] = {}

    def take(self, recorded: RecordedFacts) -> bool:
        """Whether the entry told of an action. Raises ValueError for facts that are not those of one."""
        if recorded.kind not in _CALLED and recorded.kind not in _ENDED:
            return False
        try:
            facts = msgspec.json.decode(recorded.facts, type=ActionFacts)
        except msgspec.MsgspecError as error:
            raise ValueError(f"entry {recorded.id}: not the facts of {recorded.kind}: {error}") from None
        if recorded.use_case is None or facts.drill:
            return True
        early = self._begin is not None and recorded.at_ms < self._begin
        late = self._end is not None and recorded.at_ms >= self._end
        acts = Acts() if early or late else self.by_use_case.setdefault(recorded.use_case, Acts())
        if recorded.kind in _CALLED:
            self._called(facts, acts, first=recorded.kind == EntryKind.ACTION_DECIDED)
        else:
            self._went_on(EntryKind(recorded.kind), facts, acts)
        return True

    def _called(self, facts: ActionFacts, acts: Acts, *, first: bool) -> None:
        if first and facts.verdict is not None:
            acts.verdicts[facts.verdict.value] += 1
        if first and facts.would_be is not None:
            acts.would_be[facts.would_be.value] += 1
        self._moves.pop(facts.action, None)
        if facts.amount_minor is not None and facts.verdict is not Verdict.DENY:
            self._moves[facts.action] = (facts.currency, facts.amount_minor)

    def _went_on(self, kind: EntryKind, facts: ActionFacts, acts: Acts) -> None:
        acts.ended[_ENDED[kind]] += 1
        if kind is EntryKind.ACTION_UNKNOWN:
            return
        currency, minor = self._moves.pop(facts.action, ("", 0))
        if currency and facts.state == "done":
            acts.paid[currency] += minor
