"""What a verdict keeps of its units, so that its evidence can be computed again when they are gone; pure.

Totals per segment, as the evidence is counted: shares, stages, bets and later starts are never pooled in them, so they
give the same evidence to the last bit. They name nobody.
"""

import msgspec

from handrail.releases.bets import MONEY
from handrail.releases.evidence import Counts, Evidence, Segment


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One segment (`evidence.Segment`) and its units. Of a binary metric `*_bad`; of a score the summed logarithms of
    its factors per bet, in multiples of 1 / `bets.SCALE`."""

    epoch: int = 0
    window: int = 0
    stage: str
    share: float
    canary: int = 0
    control: int = 0
    canary_bad: int = 0
    control_bad: int = 0
    leans: tuple[int, ...] = ()


def recorded(evidence: Evidence) -> tuple[Recorded, ...]:
    return tuple(
        Recorded(
            epoch=segment.epoch, window=segment.window, stage=segment.stage, share=segment.share, canary=counts.canary,
            control=counts.control, canary_bad=counts.canary_bad, control_bad=counts.control_bad,
            leans=counts.leans if any(counts.leans) else (),
        )
        for segment, counts in sorted(evidence.segments.items())
    )  # fmt: skip


def put_back(evidence: Evidence, totals: tuple[Recorded, ...]) -> None:
    """Into evidence that has counted nothing yet."""
    for one in totals:
        counts = Counts(
            canary_bad=one.canary_bad, control_bad=one.control_bad, canary=one.canary, control=one.control,
            leans=one.leans or (0,) * len(MONEY),
        )  # fmt: skip
        evidence.put(Segment(one.epoch, one.window, one.stage, one.share), counts)
