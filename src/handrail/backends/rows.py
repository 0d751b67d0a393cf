"""What the writer stores, engine by engine: values ready to insert, sealed already where they carry a payload."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.ledger.commitment import SALT_SIZE, facts_bytes, leaf_bytes
from handrail.ledger.entry import Entry, InteractionFacts
from handrail.ledger.read import PROJECTED, index_columns
from handrail.ledger.seal import NONCE_SIZE, Sealer
from handrail.terms.errors import HandrailError
from handrail.terms.ids import Ids

_RANDOM = SALT_SIZE + NONCE_SIZE


class Reading(Protocol):
    """Committed rows, off the event loop. Values for `$1`, `$2`, ... in order of their first use. Raises HandrailError
    JOURNAL_UNAVAILABLE. `HOLDS`: the engine's own words for "the bytes {0} hold the bytes {1}"."""

    HOLDS: ClassVar[str]

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


EntryTuple: TypeAlias = tuple[int, str, str, int, bytes, bytes]
PayloadTuple: TypeAlias = tuple[int, str, bytes | None]


class EntryRows(NamedTuple):
    """Entries for their three tables, each row with its number first: (id, kind, time, commitment, facts), (subject,
    ciphertext), index columns. Plain tuples: they are made for every entry."""

    entries: list[EntryTuple]
    payloads: list[PayloadTuple]
    interactions: list[tuple[Any, ...]]


LATE_MS = 86_400_000
ERASED_LATELY = "SELECT subject FROM erased WHERE at_ms > $1 AND subject LIKE 'cv!_%' ESCAPE '!'"
"""Conversations erased by themselves, in the last `LATE_MS`: no turn is under way for longer."""

ERASED_ALONE = (
    "EXISTS (SELECT 1 FROM erased x WHERE x.subject IN "
    "(SELECT n.conversation FROM interaction n WHERE n.seq = e.seq UNION ALL "
    "SELECT o.conversation FROM outcome o WHERE o.subject = p.subject AND o.entry = e.id))"
)
"""Whether the conversation of `entry e` with its `payload p` was erased by itself."""


class Subjects(Protocol):
    """What an engine knows of subjects in its transaction."""

    def require_live(self, subject: str) -> None:
        """Raises HandrailError NOT_FOUND when it was erased, and JOURNAL_UNAVAILABLE when it is not there: its row was
        lost with a batch."""
        ...

    def require_open(self, conversation: str) -> None:
        """Raises HandrailError NOT_FOUND when it was erased by itself."""
        ...

    def cipher(self, subject: str) -> AESGCM:
        """Of its key. Raises as `require_live`, and JOURNAL_UNAVAILABLE when the key cannot be opened."""
        ...


class SubjectRow(NamedTuple):
    """A new subject. `key`: 32 bytes, wrapped by the writer under the intermediate key that is current in the
    transaction."""

    id: str
    key: bytes
    person: bool
    at_ms: int


class ConversationRow(NamedTuple):
    """A conversation as of its latest turn; replaces the one before. `drawn`: JSON of `releases.assign.Drawn`, once it
    was drawn."""

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
    drawn: str | None = None


def entry_rows(
    entries: Sequence[Entry], subjects: Subjects, numbers: Iterator[int], *, sealer: Sealer, ids: Ids
) -> tuple[EntryRows, list[Exception | None]]:
    """Encode, and seal what has a payload; and for each entry None, or why it alone is refused: such a one has no rows
    and takes no number. What is random (a salt and a nonce for each) is drawn at once for all."""
    rows = EntryRows([], [], [])
    errors: list[Exception | None] = [None] * len(entries)
    packed = iter(sealer.pack([entry.payload for entry in entries if entry.payload is not None]))
    random = ids.token(_RANDOM * len(entries))
    for at, entry in enumerate(entries):
        compressed = None if entry.payload is None else next(packed)
        try:
            _seal(entry, compressed, random[at * _RANDOM : (at + 1) * _RANDOM], subjects, sealer, numbers, rows)
        except (HandrailError, ValueError) as error:
            errors[at] = error
    return rows, errors


def _seal(
    entry: Entry,
    packed: bytes | None,
    random: bytes,
    subjects: Subjects,
    sealer: Sealer,
    numbers: Iterator[int],
    rows: EntryRows,
) -> None:
    subject = entry.subject
    sealed, sealed_by = None, ""
    if packed is not None:
        if not subject:
            raise ValueError(f"entry {entry.id}: a payload needs the subject whose key seals it")
        cipher = subjects.cipher(subject)
        sealed = sealer.close(packed, cipher, entry=entry.id, key=subject, nonce=random[SALT_SIZE:])
        sealed_by = subject
    elif subject is not None:
        subjects.require_live(subject)
    if subject is not None and entry.conversation is not None:
        subjects.require_open(entry.conversation)
    facts = facts_bytes(entry, random[:SALT_SIZE])
    leaf = leaf_bytes(entry, facts, sealed, sealed_by)
    said = entry.facts
    indexed = None
    if entry.kind in PROJECTED and isinstance(said, InteractionFacts):
        indexed = index_columns(entry.at_ms, entry.release, said)
    number = next(numbers)
    rows.entries.append((number, entry.id, entry.kind, entry.at_ms, leaf, facts))
    if indexed is not None:
        rows.interactions.append((number, *indexed))
    if subject and (sealed is not None or indexed is not None):
        rows.payloads.append((number, subject, sealed))
