"""Which providers of the releases that are live have no key here."""

from handrail.app.settings import Secrets
from handrail.in_force.snapshot import Snapshot
from handrail.policy.ruleset import Provider
from handrail.terms.errors import HandrailError


def routed(snapshot: Snapshot) -> list[Provider]:
    """The providers that a live release may call, in the order of the home."""
    names = {target.provider for live in snapshot.live.values() for target in live.release.route}
    return [provider for provider in snapshot.ruleset.providers.values() if provider.id in names]


def without_key(snapshot: Snapshot, secrets: Secrets) -> dict[str, str]:
    """Why, by provider."""
    found: dict[str, str] = {}
    for provider in routed(snapshot):
        try:
            secrets(provider)
        except HandrailError as error:
            found[provider.id] = error.message.removeprefix(f"provider {provider.id} has no key: ")
    return found
