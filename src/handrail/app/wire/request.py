"""What an interaction needs: the detectors, the providers, the net."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from handrail.app.settings import Secrets, Settings
from handrail.app.wire import CLOCK, IDS
from handrail.backends.egress import Egress, Origin, provider_origins, system_resolve
from handrail.backends.upstream.clients import own_http
from handrail.backends.upstream.model import UpstreamModel
from handrail.detectors.catalogue import built_in
from handrail.detectors.run import Runner
from handrail.guard.budgets import Budgets
from handrail.guard.chat import Net
from handrail.guard.screen import Memo
from handrail.in_force.snapshot import InForce

if TYPE_CHECKING:
    from handrail.app.wire import Store


@lru_cache(maxsize=1)
def runner() -> Runner:
    """Every built-in detector; one for a process and those forked from it."""
    return Runner(built_in(), CLOCK.monotonic)


def ranking_runner() -> Runner:
    """Every built-in detector; claims of an answer are reported at any score, so that answers can be ranked."""
    return Runner(built_in(grounding_floor=0.0), CLOCK.monotonic)


def net(given: Settings, env: Mapping[str, str], store: "Store", in_force: InForce) -> Net:
    """What an interaction needs, on the real world."""
    egress = Egress(resolve=system_resolve, published=published(in_force), monotonic=CLOCK.monotonic)
    model = UpstreamModel(connect=own_http(egress=egress, secret=Secrets(given.home, env)), clock=CLOCK, jitter=_jitter)
    return Net(
        model=model,
        threads=store.threads,
        journal=store.journal,
        references=store.references,
        model_calls=store.model_calls,
        screener=runner(),
        budgets=Budgets(CLOCK),
        memo=Memo(IDS.token(32)),
        clock=CLOCK,
        ids=IDS,
        in_force=in_force,
    )


def published(in_force: InForce) -> Callable[[], frozenset[Origin]]:
    """Origins of the ruleset in force, worked out once per ruleset."""
    known: dict[str, frozenset[Origin]] = {}

    def published() -> frozenset[Origin]:
        snapshot = in_force.current
        if snapshot is None:
            return frozenset()
        origins = known.get(snapshot.ruleset_digest)
        if origins is None:
            known.clear()
            origins = known[snapshot.ruleset_digest] = provider_origins(snapshot.ruleset)
        return origins

    return published


def _jitter() -> float:
    """Uniform in 0..1."""
    return int.from_bytes(IDS.token(4), "big") / 2**32
