"""What the log commits to: canonical facts, and a small commitment per entry whose bytes are the leaf. Pure.

Facts bytes are UTF-8 JSON without white space: the members of `RecordedFacts` in declared order, defaults left out,
sets and maps sorted. They are hashed as stored and never re-encoded by a checker.

Commitment, version 1, all integers big-endian, no padding; `?` = present only if its flag is set:

    offset  size  what
    0       1     version, 0x01
    1       1     flags: 1 payload, 2 ruleset, 4 release; other bits 0
    2       8     time of the entry, Unix milliseconds
    10      32    SHA-256 of the facts bytes
    42      32 ?  SHA-256 of the payload as stored (the ciphertext)          flag 1
            8  ?  length of that ciphertext in bytes                         flag 1
            32 ?  ruleset digest                                             flag 2
            32 ?  release digest                                             flag 4
            1+n   entry id: length byte, then ASCII
            1+n   kind: length byte, then ASCII
            1+n   key id (reference of the subject's key, empty without payload): length byte, then ASCII

So a commitment has 45 to 914 bytes, far below the 65,535 of an entry bundle. The leaf hash is
`ledger.tree.leaf_hash` of these bytes.
"""

import struct
from functools import lru_cache
from hashlib import sha256

import msgspec

from handrail.ledger.entry import Entry, EntryKind
from handrail.terms.actor import Actor
from handrail.terms.ids import ConversationId, Digest, EntryId, InteractionId, SubjectId, UseCaseId

VERSION = 1
SALT_SIZE = 16
MAX_SIZE = 914

_PAYLOAD, _RULESET, _RELEASE = 1, 2, 4
_HEAD = struct.Struct(">BBQ32s")
_SEALED = struct.Struct(">32sQ")
_SEALED_HEAD = struct.Struct(">BBQ32s32sQ")  # both, one after the other
_LENGTH = tuple([bytes((length,)) for length in range(256)])
_KINDS = {kind: _LENGTH[len(kind)] + kind.encode("ascii") for kind in EntryKind}
_MIDDLE = tuple(40 * (flags & 1) + 32 * (flags >> 1 & 1) + 32 * (flags >> 2) for flags in range(8))
_JSON = msgspec.json.Encoder(order="deterministic")


class RecordedFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The facts as recorded: the entry without its payload, and the salt that makes its digest unguessable (16 bytes,
    base64). `facts` stays raw JSON: its form belongs to the kind. Index columns of storage derive from these members.
    """

    v: int
    salt: bytes
    id: EntryId
    kind: str
    at_ms: int
    actor: Actor
    about: str = ""
    use_case: UseCaseId | None = None
    conversation: ConversationId | None = None
    interaction: InteractionId | None = None
    subject: SubjectId | None = None
    ruleset: Digest | None = None
    release: Digest | None = None
    facts: msgspec.Raw = msgspec.Raw(b"{}")


class _Outgoing(RecordedFacts, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The same members in the same order; `facts` still a Struct, so that one pass encodes all."""

    facts: msgspec.Struct | None = None  # type: ignore[assignment] # the encoding side of the same member


_DECODER = msgspec.json.Decoder(RecordedFacts)


def facts_bytes(entry: Entry, salt: bytes) -> bytes:
    """Canonical facts of the entry. `salt`: 16 random bytes, fresh for each entry. Raises ValueError for another
    length: a short salt would let a reader of the log guess facts."""
    if len(salt) != SALT_SIZE:
        raise ValueError(f"salt has {len(salt)} bytes, {SALT_SIZE} needed")
    return _JSON.encode(
        _Outgoing(
            v=VERSION,
            salt=salt,
            id=entry.id,
            kind=entry.kind,
            at_ms=entry.at_ms,
            actor=entry.actor,
            about=entry.about,
            use_case=entry.use_case,
            conversation=entry.conversation,
            interaction=entry.interaction,
            subject=entry.subject,
            ruleset=entry.ruleset,
            release=entry.release,
            facts=entry.facts,
        )
    )


def read_facts(data: bytes) -> RecordedFacts:
    """The recorded facts. Raises ValueError when the bytes are not facts of this version."""
    try:
        facts = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not facts: {error}") from None
    if facts.v != VERSION:
        raise ValueError(f"facts of version {facts.v}; this handrail reads version {VERSION}")
    if len(facts.salt) != SALT_SIZE:
        raise ValueError(f"facts with a salt of {len(facts.salt)} bytes, {SALT_SIZE} needed")
    return facts


class Commitment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One leaf of the log. Digests are 32 raw bytes. `payload`: of the ciphertext, None without payload, and then
    `payload_size` is 0 and `key` empty. `key`: which subject key sealed it."""

    id: EntryId
    kind: str
    at_ms: int
    facts: bytes
    payload: bytes | None = None
    payload_size: int = 0
    key: str = ""
    ruleset: bytes | None = None
    release: bytes | None = None

    def encode(self) -> bytes:
        """The bytes described at the top. Raises ValueError for a member that does not fit."""
        flags, middle = 0, b""
        if self.payload is not None:
            flags, middle = _PAYLOAD, _SEALED.pack(self.payload, self.payload_size)
        elif self.key or self.payload_size:
            raise ValueError(f"commitment of {self.id}: a key or a size without a payload")
        if self.ruleset is not None:
            flags |= _RULESET
            middle += self.ruleset
        if self.release is not None:
            flags |= _RELEASE
            middle += self.release
        id_, kind, key = self.id.encode("ascii"), self.kind.encode("ascii"), self.key.encode("ascii")
        if len(self.facts) != 32 or len(middle) != _MIDDLE[flags] or max(len(id_), len(kind), len(key)) > 255:
            raise ValueError(f"commitment of {self.id}: a digest is not 32 bytes or a name is longer than 255")
        head = _HEAD.pack(VERSION, flags, self.at_ms, self.facts)
        return b"%b%b%c%b%c%b%c%b" % (head, middle, len(id_), id_, len(kind), kind, len(key), key)


def leaf_bytes(entry: Entry, facts: bytes, ciphertext: bytes | None = None, key: str = "") -> bytes:
    """The bytes described at the top, of an entry about to be stored. `facts`: exactly the bytes that storage keeps;
    `ciphertext`: the sealed payload as stored; `key`: reference of the subject's key that sealed it. Raises ValueError
    for a member that does not fit."""
    digest = sha256(facts).digest()
    flags, digests = _in_force(entry.ruleset, entry.release)
    if ciphertext is not None:
        head = _SEALED_HEAD.pack(
            VERSION, flags | _PAYLOAD, entry.at_ms, digest, sha256(ciphertext).digest(), len(ciphertext)
        )
    elif key:
        raise ValueError(f"commitment of {entry.id}: a key or a size without a payload")
    else:
        head = _HEAD.pack(VERSION, flags, entry.at_ms, digest)
    id_, owner = entry.id.encode("ascii"), key.encode("ascii")
    if max(len(id_), len(owner)) > 255:
        raise ValueError(f"commitment of {entry.id}: a name is longer than 255")
    return b"".join((head, digests, _LENGTH[len(id_)], id_, _KINDS[entry.kind], _LENGTH[len(owner)], owner))


def commit(entry: Entry, facts: bytes, ciphertext: bytes | None = None, key: str = "") -> Commitment:
    """The members of `leaf_bytes`."""
    return decode(leaf_bytes(entry, facts, ciphertext, key))


def decode(data: bytes) -> Commitment:
    """The commitment of a leaf. Raises ValueError for anything that `Commitment.encode` would not have written."""
    if len(data) < _HEAD.size:
        raise ValueError("a commitment is cut short")
    version, flags, at_ms, facts = _HEAD.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"a commitment of version {version}; this handrail reads version {VERSION}")
    if flags > 7:
        raise ValueError(f"a commitment with unknown flags {flags:#x}")
    at, payload, size = _HEAD.size, None, 0
    if flags & _PAYLOAD:
        if len(data) < at + _SEALED.size:
            raise ValueError("a commitment is cut short")
        payload, size = _SEALED.unpack_from(data, at)
        at += _SEALED.size
    ruleset, at = _digest(data, at, flags & _RULESET)
    release, at = _digest(data, at, flags & _RELEASE)
    id_, at = _name(data, at)
    kind, at = _name(data, at)
    key, at = _name(data, at)
    if at != len(data):
        raise ValueError(f"a commitment with {len(data) - at} bytes too many")
    if key and payload is None:
        raise ValueError("a commitment with a key but no payload")
    return Commitment(
        id=EntryId(id_), kind=kind, at_ms=at_ms, facts=facts, payload=payload, payload_size=size, key=key,
        ruleset=ruleset, release=release,
    )  # fmt: skip


def agree(commitment: Commitment, facts: RecordedFacts) -> None:
    """Raises ValueError when the members that both carry differ: a leaf must not say other than its facts."""
    pairs = (
        ("id", commitment.id, facts.id),
        ("kind", commitment.kind, facts.kind),
        ("time", commitment.at_ms, facts.at_ms),
        ("ruleset", commitment.ruleset and commitment.ruleset.hex(), facts.ruleset),
        ("release", commitment.release and commitment.release.hex(), facts.release),
    )
    for name, leaf, recorded in pairs:
        if leaf != recorded:
            raise ValueError(f"the {name} in the commitment is not the {name} in the facts")


def covers(commitment: bytes, facts: bytes, recorded: RecordedFacts) -> bool:
    """Whether the leaf is one that these facts can have: what `decode` and `agree` check, several times quicker,
    by comparing bytes. The payload's digest, size and key are taken from the leaf as they are. Raises ValueError for
    facts that no leaf can have."""
    if len(commitment) < _HEAD.size or recorded.at_ms < 0 or len(recorded.id) > 255:
        return False
    payload = commitment[1] & _PAYLOAD
    flags, digests = _in_force(recorded.ruleset, recorded.release)
    if not commitment.startswith(_HEAD.pack(VERSION, flags | payload, recorded.at_ms, sha256(facts).digest())):
        return False
    at = _HEAD.size + (_SEALED.size if payload else 0)
    names = b"%b%c%b%b" % (digests, len(recorded.id), recorded.id.encode("ascii"), _length_and_name(recorded.kind))
    end = at + len(names)
    if not commitment.startswith(names, at) or end >= len(commitment):
        return False
    key = commitment[end + 1 :]
    return len(key) == commitment[end] and (payload > 0 or not key) and key.isascii()


@lru_cache(maxsize=1024)
def _in_force(ruleset: str | None, release: str | None) -> tuple[int, bytes]:
    """Flags and bytes of the two digests, which many entries share."""
    flags = (0 if ruleset is None else _RULESET) | (0 if release is None else _RELEASE)
    digests = bytes.fromhex(ruleset or ""), bytes.fromhex(release or "")
    if sum(map(len, digests)) != _MIDDLE[flags]:
        raise ValueError("a ruleset or release digest is not 32 bytes in hex")
    return flags, digests[0] + digests[1]


@lru_cache(maxsize=1024)
def _length_and_name(name: str) -> bytes:
    return bytes((len(name),)) + name.encode("ascii")


def payload_of(commitment: bytes) -> tuple[bytes, int] | None:
    """Digest and length of the ciphertext that a well-formed leaf commits to; None without payload."""
    return _SEALED.unpack_from(commitment, _HEAD.size) if commitment[1] & _PAYLOAD else None


def _digest(data: bytes, at: int, present: int) -> tuple[bytes | None, int]:
    if not present:
        return None, at
    if len(data) < at + 32:
        raise ValueError("a commitment is cut short")
    return data[at : at + 32], at + 32


def _name(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at] if at < len(data) else len(data) + 1
    if end > len(data):
        raise ValueError("a commitment is cut short")
    return data[at + 1 : end].decode("ascii"), end
