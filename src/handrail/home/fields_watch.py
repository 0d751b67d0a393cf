"""The declared fields of `watch`, `intents` and `costs`: what is watched, what customers come for, what people cost."""

from typing import Annotated

import msgspec
from msgspec import Meta

from handrail.home.says import says
from handrail.policy.watching import Watched

Amount = Annotated[float, Meta(ge=0, le=1_000_000)]
Nearness = Annotated[float, Meta(ge=0, le=10)]
Example = Annotated[str, Meta(min_length=2, max_length=200, extra={"expected": "what a customer says, 2 to 200 long"})]
IntentName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_-]{1,62}$",
        extra={"expected": "2 to 63 lower-case letters, digits, _ and -, starting with a letter"},
    ),
]
Examples = Annotated[tuple[Example, ...], Meta(min_length=2, max_length=100, extra={"expected": "a list of examples"})]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown fields are mistakes, never ignored."""


class WatchFile(Strict, frozen=True, kw_only=True):
    """What is watched of one use case, and how often it may alarm without a reason."""

    metrics: Annotated[tuple[Watched, ...], says("Those that may alarm; left out: all.")] = ()
    cases_between_false_alarms: Annotated[
        int,
        says("On average, per metric, where nothing has changed. Fewer: sooner told.", ge=1_000, le=1_000_000_000),
    ] = 100_000
    topics: Annotated[
        bool, says("Keyed topic buckets of a conversation's opening stand in its facts, so that new topics are seen.")
    ] = True
    intents_sure: Annotated[
        Nearness | None,
        says("How near an opening must be to an intent's examples; less is `other`. Left out: computed."),
    ] = None


class CostsFile(Strict, frozen=True, kw_only=True):
    """In the organisation's currency, for the cost of a resolution."""

    human_minute: Annotated[Amount | None, says("A minute of a person's work, all in.")] = None
    refund_reversed: Annotated[Amount | None, says("A refund that had to be taken back.")] = None
