"""What a person must see at once, by rule: there is no rate to be compared with. One alert per use case and kind.

Each interaction is told once, by its own mark in the transaction that raises the alert, and not by where a cursor
stands: an entry that was committed late, or whose gateway's clock is off by up to `LOOKED_BACK_MS`, is found all the
same. So no lease is needed either, and a process that has just begun tells at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from handrail.terms.finding import Kind
from handrail.terms.ids import Ids
from handrail.watch.alarm import raise_alerts
from handrail.watch.alert import Alert, AlertKind, Raised, Severity
from handrail.watch.fold import FoldingTransaction
from handrail.watch.measure import HOUR_MS, Asked

TRIGGERS = {
    Kind.LEGAL: Severity.CRITICAL,
    Kind.VULNERABILITY: Severity.CRITICAL,
    Kind.COMPLAINT: Severity.WARNING,
}
LOOKED_BACK_MS = 600_000
MARKED_MS = 2 * HOUR_MS
"""Marks are kept for so long, by the clock that made them: far longer than an interaction is looked at."""
TOLD = "told"
"""Of seen values: interactions that were looked at."""
AT_ONCE = 500
"""Interactions of one command."""
_WORDS = {
    Kind.LEGAL: "a customer speaks of lawyers or courts",
    Kind.VULNERABILITY: "a customer may be in need (bereavement, illness, debt, self-harm or abuse)",
    Kind.COMPLAINT: "a customer complains",
}


def triggered(one: Asked) -> dict[Kind, Severity]:
    """What a customer's new message set off; a kind that is switched off sets off nothing."""
    return {
        found.kind: TRIGGERS[found.kind]
        for found in one.facts.findings
        if found.kind in TRIGGERS and found.new and found.side == "input" and found.action
    }


def fold_triggers(asked: Iterable[Asked], known: frozenset[tuple[str, str]] = frozenset()) -> list[Raised]:
    """One per use case and kind. `known`: kinds and conversations that count no more, as their alert counted them."""
    raised: dict[str, Raised] = {}
    counted = set(known)
    for one in asked:
        for kind, severity in triggered(one).items():
            cause = f"trigger/{one.facts.use_case}/{kind.value}"
            new = (kind.value, str(one.facts.conversation)) not in counted
            counted.add((kind.value, str(one.facts.conversation)))
            raised[cause] = Raised(
                cause=cause, kind=AlertKind.TRIGGER, severity=severity, use_case=one.facts.use_case, metric=kind.value,
                sentence=f"In {one.facts.use_case} {_WORDS[kind]}.",
                promise="Told by rule at every such finding; how often the detector errs stands in its benchmarks.",
                example=one.facts.interaction, at_ms=one.at_ms,
                count=(raised[cause].count if cause in raised else 0) + new,
            )  # fmt: skip
    return list(raised.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """`stream`: whose cursor moves from `before_ms` to `until_ms`; equal: it stays. `asked`: none that is marked."""

    ids: Ids
    stream: str
    before_ms: int
    until_ms: int
    asked: Sequence[Asked]

    def __call__(self, tx: FoldingTransaction) -> list[Alert]:
        """Alerts that were raised. Raises HandrailError LOST_RACE when another process moved the cursor."""
        tx.watch.advance(self.stream, self.before_ms, self.until_ms)
        new = [one for one in self.asked if tx.watch.see(one.facts.use_case, TOLD, one.facts.interaction)]
        known = frozenset(
            (kind.value, str(one.facts.conversation))
            for one in new
            for kind in triggered(one)
            if tx.watch.saw(one.facts.use_case, f"{TOLD}.{kind.value}", one.facts.conversation)
        )
        for one in new:
            for kind in triggered(one):
                tx.watch.see(one.facts.use_case, f"{TOLD}.{kind.value}", one.facts.conversation)
        for what in (TOLD, *(f"{TOLD}.{kind.value}" for kind in TRIGGERS)) if new else ():
            tx.watch.forget(what, tx.now_ms - MARKED_MS)
        return raise_alerts(tx, self.ids, fold_triggers(new, known))
