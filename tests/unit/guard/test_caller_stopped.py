"""Which callers a stop ends: decided once for each key and epoch."""

from typing import Any

import pytest
from fakes.actions import SHOP, use_case

from handrail.approvals.stop import Stop, StopScope
from handrail.guard.caller import Caller, caller_of
from handrail.in_force.snapshot import Snapshot
from handrail.people.key import ApiKey, Scope
from handrail.policy.evaluate import rules_of
from handrail.policy.ruleset import Dialect, PromptMode, Provider, Ruleset
from handrail.releases.release import LiveRelease, Release, Target
from handrail.terms.ids import Digest, KeyId, PersonId, ProviderId

LIVE = Digest("ab" * 32)
KEY = ApiKey(id=KeyId("k"), hash=b"k", use_case=SHOP, scopes=frozenset({Scope.CHAT}), agent="bot", created_at=0)


def provider(name: str) -> Provider:
    return Provider(id=ProviderId(name), dialect=Dialect.OPENAI, base_url=f"https://{name}.example.com")


def caller(*stops: tuple[StopScope, str], providers: tuple[str, ...] = ("one", "two")) -> Caller:
    made: Any = Ruleset(
        organisation="Shop", time_zone="UTC", currency="EUR", use_cases={SHOP: use_case()},
        providers={ProviderId(name): provider(name) for name in providers},
    )  # fmt: skip
    release = Release(
        use_case=SHOP, alias="shop", prompt_mode=PromptMode.CLIENT,
        route=tuple(Target(provider=ProviderId(name), model="m") for name in providers),
    )  # fmt: skip
    snapshot = Snapshot(
        epoch=1, ruleset_digest=Digest("0"), ruleset=made, live={SHOP: LiveRelease(LIVE, release)}, keys={},
        stops=tuple(
            Stop(id=f"st_{at}", scope=scope, value=value, by=PersonId("p"), reason="x", at_ms=0)
            for at, (scope, value) in enumerate(stops)
        ),
    )  # fmt: skip
    return caller_of(KEY, snapshot, rules_of(made)[SHOP])


@pytest.mark.promise("ACT-23")
@pytest.mark.parametrize(
    "stop",
    [(StopScope.ALL, ""), (StopScope.AGENT, "bot"), (StopScope.USE_CASE, "shop"), (StopScope.RELEASE, LIVE)],
    ids=lambda stop: stop[0].value,
)
def test_a_stop_that_covers_the_caller_ends_its_answers(stop: tuple[StopScope, str]) -> None:
    assert caller().stopped == ""
    assert caller(stop).stopped == "st_0"


@pytest.mark.promise("ACT-23")
def test_a_stop_of_something_else_ends_nothing() -> None:
    others = [(scope, "other") for scope in StopScope if scope is not StopScope.ALL]
    assert caller(*others, (StopScope.TOOL, "shop.refund")).stopped == ""


@pytest.mark.promise("ACT-23")
def test_a_stopped_provider_is_left_out_and_ends_the_caller_when_it_was_the_last() -> None:
    one = caller((StopScope.PROVIDER, "one"))
    assert (one.stopped, [choice.target.provider for choice in one.choices]) == ("", ["two"])
    assert caller((StopScope.PROVIDER, "one"), providers=("one",)).stopped == "st_0"
