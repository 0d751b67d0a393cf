"""Who calls, for which use case, under which ruleset and release: looked up once per key and epoch."""

from functools import lru_cache

import msgspec

from handrail.approvals.stop import Stop, StopScope, covers
from handrail.detectors.intents import Intents, learn
from handrail.guard.disclosure import Telling
from handrail.in_force.running import Running
from handrail.in_force.snapshot import Snapshot
from handrail.people.key import ApiKey
from handrail.policy.evaluate import Rules
from handrail.policy.ramp import Ramp
from handrail.policy.ruleset import Dialect, Provider, UseCase
from handrail.policy.watching import Intent
from handrail.releases.release import LiveRelease, Target
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId


class Choice(msgspec.Struct, frozen=True):
    """One model that may answer, with where it is. `prices`: of a million input and output tokens, minor units."""

    target: Target
    provider: Provider
    prices: tuple[int, int] = (0, 0)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Immutable for one epoch. `under`: what a remembered reading is valid under. `choices`: the release's route,
    without stopped providers. `stopped`: the id of the stop under which no model answers this caller; empty: none.
    `draws`: what a first turn may be drawn for, and what running conversations may hold; None: no rollout and no
    hold-out, so that every conversation is on the live release."""

    key: ApiKey
    actor: Actor
    use_case: UseCase
    rules: Rules
    live: LiveRelease
    ruleset: Digest
    time_zone: str
    choices: tuple[Choice, ...]
    under: bytes
    disclosure: Telling
    stopped: str = ""
    draws: "Draws | None" = None
    intents: Intents | None = None  # None: none are declared, and nothing is looked for

    @property
    def probe(self) -> bool:
        """Whether what it asks is a test: recorded as one, counted in no figure, without an effect."""
        return self.key.probe


class Draws(msgspec.Struct, frozen=True, kw_only=True):
    """`others`: the same caller on each release that is not the live one, made once per epoch."""

    ramp: Ramp | None
    running: Running
    others: dict[Digest, Caller] = {}


def caller_of(key: ApiKey, snapshot: Snapshot, rules: Rules) -> Caller:
    """Raises HandrailError USE_CASE_UNREGISTERED when the key's use case is not in force."""
    name = rules.use_case.id
    live = snapshot.live.get(name)
    if live is None:
        raise HandrailError(Code.USE_CASE_UNREGISTERED, f"use case {name} has no live release; run: handrail publish")
    running = snapshot.running.get(name)
    ramp = rules.use_case.ramp
    draws: Draws | None = None
    if running is not None or (ramp is not None and ramp.hold_out):
        running = running or Running()
        others = {digest: _on(key, snapshot, rules, held, None) for digest, held in running.held.items()}
        draws = Draws(ramp=ramp, running=running, others=others)
    return _on(key, snapshot, rules, live, draws)


def on_release(caller: Caller, snapshot: Snapshot, live: LiveRelease) -> Caller:
    """The same caller answered by another release, whatever is drawn: for probes alone. Raises HandrailError NOT_FOUND
    for a release of another use case."""
    if live.release.use_case != caller.use_case.id:
        raise HandrailError(Code.NOT_FOUND, f"there is no such release of use case {caller.use_case.id}")
    return _on(caller.key, snapshot, caller.rules, live, None)


def _on(key: ApiKey, snapshot: Snapshot, rules: Rules, live: LiveRelease, draws: Draws | None) -> Caller:
    """The caller on one release."""
    choices: list[Choice] = []
    for target in live.release.route:
        provider = snapshot.ruleset.providers.get(target.provider)
        price = snapshot.ruleset.prices.get(f"{target.provider}/{target.model}")
        if provider is not None:
            choices.append(Choice(target, provider, (price.input_minor, price.output_minor) if price else (0, 0)))
    stopped, choices = _stopped(key, rules.use_case.id, live, choices, snapshot.stops)
    return Caller(
        key=key,
        actor=Actor(ActorKind.KEY, key.id),
        use_case=rules.use_case,
        rules=rules,
        live=live,
        ruleset=snapshot.ruleset_digest,
        time_zone=snapshot.ruleset.time_zone,
        choices=tuple(choices),
        under=f"{snapshot.ruleset_digest}{live.digest}{rules.use_case.id}".encode(),
        disclosure=Telling(rules.use_case),
        stopped=stopped,
        draws=draws,
        intents=_intents(rules.use_case.intents, rules.use_case.intents_sure) if rules.use_case.intents else None,
    )


@lru_cache(maxsize=256)
def _intents(declared: tuple[Intent, ...], sure: float) -> Intents:
    """Learnt once for each declaration, not for each key and epoch: 50 intents of 20 examples take 50 ms."""
    return learn({one.name: one.examples for one in declared}, sure)


def _stopped(
    key: ApiKey, use_case: UseCaseId, live: LiveRelease, choices: list[Choice], stops: tuple[Stop, ...]
) -> tuple[str, list[Choice]]:
    """The stop that covers the caller, and the models that are left; once for each key and epoch, so that a request
    pays one comparison. A stop of a provider ends the caller when no other one is on the route."""
    names = _names(key, use_case, live)
    for stop in stops:
        if covers(stop, names):
            return stop.id, choices
    providers = {stop.value: stop.id for stop in stops if stop.scope is StopScope.PROVIDER}
    left = [choice for choice in choices if choice.target.provider not in providers]
    if choices and not left:
        return providers[choices[0].target.provider], choices
    return "", left


def stop_of(caller: Caller, provider: str, stops: tuple[Stop, ...]) -> str:
    """The id of the stop that ends an answer which this provider gives this caller; empty: none does."""
    names = {**_names(caller.key, caller.use_case.id, caller.live), StopScope.PROVIDER: provider}
    return next((stop.id for stop in stops if covers(stop, names)), "")


def _names(key: ApiKey, use_case: UseCaseId, live: LiveRelease) -> dict[StopScope, str]:
    return {StopScope.AGENT: key.agent, StopScope.USE_CASE: use_case, StopScope.RELEASE: live.digest}


def choices_for(caller: Caller, model: str, speaks: frozenset[Dialect]) -> tuple[Choice, ...]:
    """The models to try, in order. The alias lets the release decide; a real model passes only when the route lists it.

    Raises HandrailError MODEL_NOT_ALLOWED."""
    release = caller.live.release
    fitting = [choice for choice in caller.choices if choice.provider.dialect in speaks]
    if model != release.alias:
        fitting = [choice for choice in fitting if choice.target.model == model]
    if fitting:
        return tuple(fitting)
    if model == release.alias or any(choice.target.model == model for choice in caller.choices):
        raise HandrailError(
            Code.MODEL_NOT_ALLOWED,
            f"no provider on the route of use case {caller.use_case.id} speaks this API; "
            "call the API of its provider, or add a provider that speaks this one",
        )
    raise HandrailError(
        Code.MODEL_NOT_ALLOWED,
        f"this model is not on the route of use case {caller.use_case.id}; send its alias: {release.alias}",
    )
