"""One entry with all that a third party needs to check it: a C2SP tlog-proof file. Pure.

Source: c2sp.org/tlog-proof. The `extra` line carries our entry as base64 of a JSON object with two members:
`commitment` (base64 of the leaf's bytes, form in `ledger.commitment`) and `facts` (the facts bytes as a string, so that
their SHA-256 can be taken from its UTF-8). Extra data are not signed; the checks below tie both to the signed root. The
payload is not in the file: whoever holds the ciphertext can compare it with the digest in the commitment.
"""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from handrail.ledger.commitment import Commitment, RecordedFacts, agree, decode, read_facts
from handrail.ledger.note import (
    BadNote,
    Trust,
    Trusted,
    check_checkpoint,
    decode64,
    encode64,
    parse_checkpoint,
    parse_note,
)
from handrail.ledger.paths import CHECKPOINT, WITNESSED
from handrail.ledger.tree import BadProof, Read, Tiles, check_inclusion, inclusion_proof, leaf_hash

_FIRST = "c2sp.org/tlog-proof@v1"
_MAX = 1_200_000  # characters: a note, 63 hashes and one entry


class Proof(msgspec.Struct, frozen=True):
    """`path`: hashes, the leaf's sibling first. `extra`: opaque bytes. `checkpoint`: the signed note as published."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def encode(self) -> bytes:
        """The proof file."""
        lines = [_FIRST]
        if self.extra:
            lines.append("extra " + encode64(self.extra))
        lines += [f"index {self.index}", *map(encode64, self.path), "", ""]
        return "\n".join(lines).encode() + self.checkpoint


class _Extra(msgspec.Struct, frozen=True):
    commitment: bytes
    facts: str


class Proven(msgspec.Struct, frozen=True):
    """What a checked proof shows: this entry, with these facts, stands at `index` of the log of `trusted`."""

    index: int
    commitment: Commitment
    facts: RecordedFacts
    trusted: Trusted


def make_proof(index: int, path: Sequence[bytes], checkpoint: bytes, commitment: bytes, facts: bytes) -> Proof:
    """`commitment`, `facts`: the bytes as stored; `path` from `tree.inclusion_proof` at the checkpoint's size."""
    extra = msgspec.json.encode(_Extra(commitment, facts.decode("utf-8")))
    return Proof(index, tuple(path), checkpoint, extra)


def prove(read: Read, index: int, commitment: bytes, facts: bytes) -> Proof:
    """The proof of an entry from the published files, under the newest checkpoint that witnesses cosigned if that one
    covers the entry, else under the newest. Raises BadProof when the entry is not published yet or a tile is missing.
    """
    for name in (WITNESSED, CHECKPOINT):
        note = read(name)
        size = 0 if note is None else parse_checkpoint(parse_note(note).text).size
        if note is not None and index < size:
            return make_proof(index, inclusion_proof(Tiles(read, size), index), note, commitment, facts)
    raise BadProof(f"entry {index} is not published yet; that takes about a second")


def parse_proof(data: bytes) -> Proof:
    """Raises BadProof unless the form is that of a tlog-proof. Checks nothing else."""
    if len(data) > _MAX:
        raise BadProof(f"a proof of {len(data)} bytes; {_MAX} is the most")
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise BadProof("a proof that is not UTF-8") from None
    if not blank or lines.pop(0) != _FIRST:
        raise BadProof(f"not a proof: its first line must be {_FIRST}")
    extra = b""
    try:
        if lines and lines[0].startswith("extra "):
            extra = decode64(lines.pop(0).removeprefix("extra "), "the extra line")
        number = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
        if not number.isascii() or not number.isdecimal() or (number != "0" and number[0] == "0") or len(number) > 19:
            raise BadProof("a proof without a plain `index N` line")
        path = tuple(decode64(line, "a hash of the proof") for line in lines)
    except BadNote as error:
        raise BadProof(str(error)) from None
    if len(path) > 63 or any(len(hash_) != 32 for hash_ in path):
        raise BadProof("a proof with a hash that is not 32 bytes, or with more than 63")
    return Proof(int(number), path, checkpoint, extra)


def check_proof(data: bytes, trust: Trust, ciphertext: bytes | None = None) -> Proven:
    """The steps of tlog-proof: leaf hash, signature of the log, witnesses, inclusion; then facts against the leaf, and
    the payload when its ciphertext is given. Raises BadProof, or BadNote for the checkpoint."""
    proof = parse_proof(data)
    try:
        extra = msgspec.json.decode(proof.extra, type=_Extra)
        commitment = decode(extra.commitment)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadProof(f"the extra line holds no entry of handrail: {error}") from None
    if msgspec.json.encode(extra) != proof.extra:
        raise BadProof("the extra line spells its entry in another way than handrail does")
    trusted = check_checkpoint(proof.checkpoint, trust)
    checkpoint = trusted.checkpoint
    check_inclusion(leaf_hash(extra.commitment), proof.index, checkpoint.size, proof.path, checkpoint.root)
    facts = extra.facts.encode("utf-8")
    if sha256(facts).digest() != commitment.facts:
        raise BadProof(f"the facts of entry {proof.index} are not those that the log committed to")
    try:
        recorded = read_facts(facts)
        agree(commitment, recorded)
    except ValueError as error:
        raise BadProof(f"entry {proof.index}: {error}") from None
    if ciphertext is not None and (len(ciphertext), sha256(ciphertext).digest()) != (
        commitment.payload_size,
        commitment.payload,
    ):
        raise BadProof(f"the payload of entry {proof.index} is not the one that the log committed to")
    return Proven(proof.index, commitment, recorded, trusted)
