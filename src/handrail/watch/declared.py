"""What the rulesets in force say of the watch: per use case what may alarm, how often, in which time zone; pure."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from handrail.detectors.intents import OTHER
from handrail.policy.ruleset import Ruleset
from handrail.policy.watching import WatchPlan


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """`names`: its intents and `other`; empty: none are declared. `zone`: of the organisation, IANA."""

    names: tuple[str, ...] = ()
    zone: str = ""
    plan: WatchPlan = WatchPlan()


Plans = Mapping[str, Declared]
"""By use case; one that is not there is watched as our defaults say, by hours of UTC."""
NO_PLANS: Plans = MappingProxyType({})


def declared_in(ruleset: Ruleset | None) -> Plans:
    if ruleset is None:
        return NO_PLANS
    return {
        name: Declared(
            names=(*(one.name for one in case.intents), OTHER) if case.intents else (),
            zone=ruleset.time_zone, plan=case.watch,
        )
        for name, case in ruleset.use_cases.items()
    }  # fmt: skip
