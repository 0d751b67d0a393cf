"""The declared fields of `ramp` in `use-cases/*.yaml`: how a changed release reaches customers."""

from typing import Annotated

import msgspec
from msgspec import Meta

from handrail.home.says import says
from handrail.policy.ramp import Advance, Bets, Form, HeldOut, Outcome

Share = Annotated[float, Meta(ge=0, le=1)]
Part = Annotated[float, Meta(gt=0, le=0.5)]
Minutes = Annotated[float, Meta(ge=0, le=525_600)]
Risk = Annotated[float, Meta(gt=1, le=100)]
Rate = Annotated[float, Meta(gt=0, lt=1)]
Words = Annotated[str, Meta(min_length=1, max_length=200, extra={"expected": "a text"})]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown fields are mistakes, never ignored."""


class StageFile(Strict, frozen=True, kw_only=True):
    """One step of a ramp."""

    share: Annotated[Share, says("Of new units, 0.05 is 5 %. 1 as the last one: promoted by itself once safe.")]
    least_units: Annotated[int, says("Units (both arms) whose outcomes are complete, before it may end.", ge=0)] = 0
    least_minutes: Annotated[Minutes, says("Before it may end.")] = 0
    pilot: Annotated[
        dict[str, Words],
        says(
            "Only conversations of this channel, region, agent, key or audience see the release; nothing is compared."
        ),
    ] = {}


class RampMetricFile(Strict, frozen=True, kw_only=True, rename={"form": "as"}):
    """How one metric counts."""

    weight: Annotated[float, says("Part of the evidence.", gt=0, le=1000)] = 1.0
    margin: Annotated[Risk, says("Times as often that is still safe.")] = 1.25
    guards: Annotated[bool, says("It only guards: it can roll a release back, and nothing need be shown of it.")] = (
        False
    )
    reference: Annotated[Rate | None, says("Its usual rate or mean; left out: learnt on the way.")] = None
    cap: Annotated[float, says("handle_time: seconds that count as worst.", gt=0)] = 1800.0
    form: Annotated[
        Form,
        says(
            "handle_time: mean (of seconds over the cap), percentile (slower in distribution, among those of the live "
            "release; refused at the start without enough of them), or the mean where there are not enough."
        ),
    ] = Form.MEAN


class HoldOutFile(Strict, frozen=True, kw_only=True):
    """Units that never see the live release, for honest figures of what it is worth."""

    share: Annotated[Part, says("Of all units, such as 0.02; drawn anew each quarter of a year.")]
    answer: Annotated[HeldOut, says("handover: the hand-over sentence. previous: the release live before.")] = (
        HeldOut.HANDOVER
    )


class RampFile(Strict, frozen=True, kw_only=True):
    """Stages that a changed release goes through; `publish` then makes a draft of it."""

    unit: Annotated[
        Words, says("What is drawn and counted: conversation, or customer_week (a customer, new each week).")
    ] = "conversation"
    stages: Annotated[tuple[StageFile, ...], says("One after the other.", min_length=1)]
    sign_offs: Annotated[tuple[Words, ...], says("Roles that must agree: owner, compliance.")] = ()
    alpha: Annotated[Part, says("Harmless releases that may be rolled back.")] = 0.01
    beta: Annotated[Part, says("Releases as bad as a margin that may be called safe.")] = 0.05
    maturity_minutes: Annotated[Minutes, says("Until the outcomes of a unit are complete.")] = 60
    planned_units: Annotated[int, says("After so many an undecided release is held and its owner asked.", ge=100)] = (
        20_000
    )
    advance: Annotated[Advance, says("What a stage needs beside its least time and units.")] = Advance.SAFE
    promote: Annotated[bool, says("Goes live by itself when it is safe after the last stage.")] = False
    metrics: Annotated[dict[Outcome, RampMetricFile], says("What it is judged by; left out: ours.")] = {}
    bets: Annotated[
        Bets, says("What size of change is looked for. large: what hits many is found sooner, small changes later.")
    ] = Bets.ANY
    keep_units_days: Annotated[
        int,
        says("After a release is retired or rolled back, of which conversations were compared.", ge=30, le=36_500),
    ] = 400
    hold_out: Annotated[HoldOutFile | None, says("A permanent hold-out.")] = None
    salt: Annotated[Words | None, says("Refused: each start has a new one.")] = None
    pool_stages: Annotated[bool, says("Refused: stages are counted apart.")] = False
