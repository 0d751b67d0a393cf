"""The record of each move of a rollout; pure."""

import msgspec

from handrail.ledger.entry import Entry, EntryKind
from handrail.policy.ramp import Bets, Past
from handrail.releases.lifecycle import Rollout, State
from handrail.terms.actor import Actor
from handrail.terms.ids import Digest, EntryId, Ids

_JUDGED = frozenset({EntryKind.RELEASE_ROLLED_BACK, EntryKind.RELEASE_PROMOTED, EntryKind.RELEASE_ASKED})


class RolloutFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of every entry about a rollout. `share`, `stage` (from 1), `run`: after the move. `bets`: of its
    ramp. `pasts`: what its percentiles are of, by metric, in the entry of the start. `why`: a person's words are not
    taken, so these are ours. `numbers`: the judge's, with counts, evidence and intervals of every metric."""

    release: Digest
    state: State
    author: str = ""
    control: Digest | None = None
    run: int = 0
    bets: Bets = Bets.ANY
    pasts: dict[str, Past] = {}
    stage: int = 0
    step: int = 0
    share: float = 0.0
    role: str = ""
    passed: int = 0
    failed: int = 0
    results: str = ""
    verdict: str = ""
    sentence: str = ""
    why: str = ""
    safety: bool = False
    late: int = 0
    units: int = 0
    numbers: msgspec.Raw = msgspec.Raw(b"null")


def entry_of(ids: Ids, kind: EntryKind, rollout: Rollout, by: Actor, at_ms: int, **more: object) -> Entry:
    """The record of a move. `more`: fields of `RolloutFacts`."""
    reached = rollout.reached
    if reached is not None and kind in _JUDGED:
        more = {
            "verdict": reached.verdict, "sentence": reached.sentence, "numbers": msgspec.Raw(reached.numbers), **more,
        }  # fmt: skip
    facts = RolloutFacts(
        release=rollout.release, state=rollout.state, author=rollout.author, control=rollout.control, run=rollout.run,
        stage=rollout.stage + 1, step=rollout.step, share=rollout.share, safety=rollout.safety,
        bets=Bets.ANY if rollout.ramp is None else rollout.ramp.bets, **more,  # type: ignore[arg-type]  # fields of the facts
    )  # fmt: skip
    return Entry(
        id=EntryId(ids.new("en")), kind=kind, at_ms=at_ms, actor=by, facts=facts, about=rollout.release,
        use_case=rollout.use_case, release=rollout.release,
    )  # fmt: skip
