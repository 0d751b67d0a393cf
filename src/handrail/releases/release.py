"""A release: what answers a customer, by digest; pure. Guard settings may only tighten the ruleset."""

import msgspec

from handrail.policy.ruleset import PromptMode
from handrail.terms.ids import Digest, ProviderId, UseCaseId


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model at one provider; the route is tried in order, fallback only before the first token."""

    provider: ProviderId
    model: str


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`alias`: what clients write in `model` to let the release decide (the use case's id by default). `parameters`:
    JSON values by field name; set where the client set none, or forced when `force_parameters`. `canaries`: strings
    planted in the managed prompt that must never come out."""

    use_case: UseCaseId
    alias: str
    route: tuple[Target, ...]
    prompt_mode: PromptMode
    prompt: str = ""
    parameters: dict[str, object] = {}
    force_parameters: bool = False
    canaries: tuple[str, ...] = ()
    knowledge_root: Digest | None = None


class LiveRelease(msgspec.Struct, frozen=True):
    """A release with the digest it is stored under."""

    digest: Digest
    release: Release
