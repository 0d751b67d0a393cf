"""What the writer stores, engine by engine: values ready to insert, sealed already where they carry a payload."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.ledger.commitment import SALT_SIZE, commit, facts_bytes
from handrail.ledger.entry import Entry, InteractionFacts
from handrail.ledger.read import PROJECTED, Projection, project
from handrail.ledger.seal import NONCE_SIZE, Sealer
from handrail.terms.ids import Ids


class Reading(Protocol):
    """Committed rows, off the event loop. Values for `$1`, `$2`, ... in order of their first use. Raises HandrailError
    JOURNAL_UNAVAILABLE."""

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


EntryRow = tuple[tuple[str, str, int, bytes, bytes], tuple[str, bytes | None] | None, Projection | None]
"""One entry for its three tables, without the row number: (id, kind, time, commitment, facts), (subject, ciphertext) or
None, index columns or None. Plain tuples: this is made for every entry."""


class SubjectRow(NamedTuple):
    """A new subject. `key`: 32 bytes, wrapped by the writer under the intermediate key that is current in the
    transaction."""

    id: str
    key: bytes
    person: bool
    at_ms: int


class ConversationRow(NamedTuple):
    """A conversation as of its latest turn; replaces the one before."""

    id: str
    use_case: str
    key_id: str
    subject: str
    given: bytes | None
    tail: bytes | None
    seen: bytes
    turns: int
    release: str | None
    at_ms: int


def entry_row(entry: Entry, key: bytes | None, packed: bytes | None, *, sealer: Sealer, ids: Ids) -> EntryRow:
    """Encode, and seal the payload if there is one. `key`: the subject's, `packed`: the compressed
    payload, both needed with a payload. Raises ValueError when
    a payload has no subject. Runs on the writer thread: on the event loop each release of the interpreter lock inside
    the compressor would hand it to the writer and back, which doubled the cost."""
    randomness = ids.token(SALT_SIZE + NONCE_SIZE)
    facts = facts_bytes(entry, randomness[:SALT_SIZE])
    kind, subject = entry.kind, entry.subject
    projection = None
    if kind in PROJECTED and isinstance(entry.facts, InteractionFacts):
        projection = project(entry.at_ms, entry.release, entry.facts)
    if packed is None:
        commitment = commit(entry, facts).encode()
        payload: tuple[str, bytes | None] | None = None if projection is None or not subject else (subject, None)
    else:
        if key is None or not subject:
            raise ValueError(f"entry {entry.id}: a payload needs the subject whose key seals it")
        sealed = sealer.close(packed, AESGCM(key), entry=entry.id, key=subject, nonce=randomness[SALT_SIZE:])
        commitment = commit(entry, facts, sealed, subject).encode()
        payload = (subject, sealed)
    return (entry.id, kind.value, entry.at_ms, commitment, facts), payload, projection
