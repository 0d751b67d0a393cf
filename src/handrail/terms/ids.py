"""Identifiers: one type per thing, so that a conversation id is never passed where a customer id belongs.

Ids that we make are `prefix_` and 26 characters: 48 bits of Unix milliseconds and 80 random bits in Crockford
base32 (the ULID layout, github.com/ulid/spec), so they sort by time and can be made anywhere.
"""

from typing import NewType, Protocol

InteractionId = NewType("InteractionId", str)
ConversationId = NewType("ConversationId", str)
CustomerId = NewType("CustomerId", str)  # the id the client sends: personal data, never in facts or logs
SubjectId = NewType("SubjectId", str)  # our random id of a person or conversation; one data key each
EntryId = NewType("EntryId", str)
EventId = NewType("EventId", str)
UseCaseId = NewType("UseCaseId", str)
ProviderId = NewType("ProviderId", str)
PersonId = NewType("PersonId", str)
KeyId = NewType("KeyId", str)  # public part of an API key or token
Digest = NewType("Digest", str)  # lower-case hex SHA-256

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Ids(Protocol):
    """Where randomness comes from; `backends.system` in production, a counter in tests."""

    def new(self, prefix: str) -> str:
        """A fresh id `prefix_XXXXXXXXXXXXXXXXXXXXXXXXXX`, sorted by time of making."""
        ...

    def token(self, size: int) -> bytes:
        """`size` bytes from a cryptographic source."""
        ...


def ulid(now_ms: int, randomness: bytes) -> str:
    """26 characters from Unix milliseconds (48 bits) and 10 random bytes."""
    value = (now_ms & 0xFFFFFFFFFFFF) << 80 | int.from_bytes(randomness[:10], "big")
    out = []
    for _ in range(26):
        out.append(ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(out))


def made_at_ms(name: str) -> int:
    """When an id of ours was made, Unix ms. Raises ValueError for anything else."""
    value = 0
    for letter in name.rpartition("_")[2][:10]:
        value = value << 5 | ALPHABET.index(letter)
    return value
