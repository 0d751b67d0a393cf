"""The tokens of one interaction: what was masked, who wrote it, and who may see it again.

Tokens themselves are `detectors.mask`. The conversation key is HKDF-SHA-256(subject key, conversation id): the same
value gives the same token in every turn of a conversation, another in every other, and none once the subject's key is
destroyed. A token goes back to its value only for an audience the value came from; in a tool's arguments only where the
tool's schema declares the kind. When in doubt the token stays.
"""

from collections.abc import Iterable, Mapping

import msgspec

from handrail.detectors import mask
from handrail.detectors.mask import hmac_sha256
from handrail.policy.ruleset import Audience
from handrail.terms.finding import PERSONAL, Finding, Kind, Role


class Held(msgspec.Struct, frozen=True):
    """A value behind a token. `roles`: who wrote it in this interaction."""

    value: str
    kind: Kind
    roles: frozenset[Role]


class Vault:
    """Of one interaction. The conversation's key is derived for the first mask only."""

    __slots__ = ("_conversation", "_key", "_made", "_subject_key", "held")

    def __init__(self, subject_key: bytes, conversation: str) -> None:
        self._subject_key = subject_key
        self._conversation = conversation
        self._key: bytes | None = None
        self._made: dict[tuple[Kind, str], str] = {}  # the same text is masked for the model and for the record
        self.held: dict[str, Held] = {}

    def mask(self, text: str, findings: Iterable[Finding], role: Role) -> str:
        """`text` with each finding replaced, and what looks like a token escaped. A token of this conversation stays as
        it is where the assistant said it: in the arguments of a call of its own, which came back with the history."""
        if self._key is None:
            self._key = conversation_key(self._subject_key, self._conversation)
        ours = self.held.keys() if role is Role.ASSISTANT else ()
        masked = mask.mask(text, findings, self._key, ours, self._made)
        for token in masked.tokens:
            before = self.held.get(token.token)
            roles = before.roles | {role} if before else frozenset({role})
            self.held[token.token] = Held(before.value if before else token.value, token.kind, roles)
        return masked.text

    def restorable(self, audience: Audience, kinds: frozenset[str] | None = None) -> dict[str, str]:
        """Token to value for what this audience may see: a customer what a customer wrote, staff what tools and
        documents said too; never what stands only in a prompt or was only said by a model."""
        if not self.held:
            return {}
        allowed = {Role.USER, Role.TOOL, Role.DOCUMENT} if audience is Audience.STAFF else {Role.USER}
        return {
            token: held.value
            for token, held in self.held.items()
            if held.kind in PERSONAL and held.roles & allowed and (kinds is None or held.kind.value in kinds)
        }


def conversation_key(subject_key: bytes, conversation: str) -> bytes:
    """HKDF-SHA-256 (RFC 5869), fixed salt, the conversation id as info; 32 bytes."""
    extracted = hmac_sha256(b"handrail/mask", subject_key)
    return hmac_sha256(extracted, b"conversation\0" + conversation.encode() + b"\x01")


def declared(schema: object, inner: tuple[str | int, ...]) -> frozenset[str]:
    """Kinds that the field at `inner` of a tool's argument schema declares: `x-handrail-data: KIND` (or a list), or
    JSON Schema's `format: email | ipv4 | ipv6`."""
    node: object = schema
    for step in inner:
        if not isinstance(node, Mapping):
            return frozenset()
        properties = node.get("properties")
        node = (
            node.get("items")
            if isinstance(step, int)
            else properties.get(step)
            if isinstance(properties, Mapping)
            else None
        )
    if not isinstance(node, Mapping):
        return frozenset()
    named = node.get("x-handrail-data", ())
    kinds = {named} if isinstance(named, str) else {str(item) for item in named} if isinstance(named, list) else set()
    form = node.get("format")
    if form == "email":
        kinds.add(Kind.EMAIL.value)
    elif form in ("ipv4", "ipv6"):
        kinds.add(Kind.IP.value)
    return frozenset(kinds)
