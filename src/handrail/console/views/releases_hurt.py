"""Whom a release that was rolled back hurt, and how long it answered: what its owner is asked first; pure."""

from collections.abc import Iterable

from handrail.console.views.releases_words import metric_name, units_of
from handrail.console.words import N_, Words
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.releases.bets import Kind
from handrail.releases.judge import Conclusion, Verdict
from handrail.releases.lifecycle import Rollout, State


def hurt_of(rollout: Rollout | None, told: Conclusion | None, entries: Iterable[bytes], words: Words) -> str:
    """`entries`: its moves. Empty for one that was not rolled back. How many would have been usual is what the same
    number without it had."""
    if rollout is None or rollout.state is not State.ROLLED_BACK:
        return ""
    said = []
    began = max((one.at_ms for one in map(read_facts, entries) if one.kind == EntryKind.RELEASE_STARTED), default=None)
    if began is not None and rollout.ended_at is not None:
        said.append(
            words(
                N_("It answered from {start} to {end}, for {lasted}."), start=words.moment(began),
                end=words.moment(rollout.ended_at), lasted=words.lasting(rollout.ended_at - began),
            )
        )  # fmt: skip
    if told is not None and told.verdict is Verdict.WORSE:
        named = {name: one for name, one in told.metrics.items() if one.named and one.kind is Kind.BINARY}
        for name, one in sorted(named.items(), key=lambda each: -each[1].log_e):
            said.append(
                words(
                    N_("{metric}: {bad} of {units} that were judged; without it about {usual} would have been."),
                    metric=metric_name(name, words), bad=words.number(round(one.canary_mean * one.canary_units)),
                    units=units_of(rollout, one.canary_units, words),
                    usual=words.number(round(one.control_mean * one.canary_units)),
                )
            )  # fmt: skip
    return " ".join(said)
