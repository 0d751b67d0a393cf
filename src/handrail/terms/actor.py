"""Who did something: a person, an API key, or handrail itself."""

from enum import StrEnum

import msgspec


class ActorKind(StrEnum):
    """The values are in the ledger for good."""

    PERSON = "person"
    KEY = "key"
    SYSTEM = "system"


class Actor(msgspec.Struct, frozen=True):
    """`id`: a PersonId, a KeyId, or the name of a job."""

    kind: ActorKind
    id: str
