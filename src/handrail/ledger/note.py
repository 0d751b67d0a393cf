"""Signed notes, checkpoints and cosignatures: who stands for a state of the log. Pure but for the randomness inside
ML-DSA signing, which the library takes itself.

Sources: c2sp.org/signed-note (form, verifier keys, Ed25519 type 0x01), c2sp.org/tlog-checkpoint (origin, size, root),
c2sp.org/tlog-cosignature (types 0x04 Ed25519 and 0x06 ML-DSA-44, both with a time). ML-DSA needs an OpenSSL that has it
(`ML_DSA` says); without it such signatures cannot be made, and checking one raises BadNote: it is never taken as good.
"""

import base64
import binascii
import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

try:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

    ML_DSA = True
except ImportError:  # a build without OpenSSL 3.5 or a cryptography before 47
    ML_DSA = False

MAX_NOTE = 1_000_000  # bytes; a post-quantum signature has some 3,300 characters
MAX_SIGNATURES = 64  # the specification asks for at least 16
_DASH = "\u2014 "
_SECRET = "PRIVATE+KEY+"  # noqa: S105  the prefix of golang.org/x/mod/sumdb/note, not a secret


class BadNote(ValueError):
    """A note, key or signature that is malformed, unsigned or wrong; the sentence says which."""


class KeyType(IntEnum):
    """The signature type byte."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    COSIGNATURE_MLDSA44 = 0x06


_PUBLIC_SIZE = {KeyType.ED25519: 32, KeyType.COSIGNATURE_ED25519: 32, KeyType.COSIGNATURE_MLDSA44: 1312}
_SIGNATURE_SIZE = {KeyType.ED25519: 64, KeyType.COSIGNATURE_ED25519: 72, KeyType.COSIGNATURE_MLDSA44: 2428}


def decode64(text: str, what: str) -> bytes:
    """Standard base64 with padding. Raises BadNote, naming `what`, for any other spelling of the same bytes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote(f"{what} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise BadNote(f"{what} is not canonical base64")
    return data


def encode64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode()


def _check_name(name: str) -> None:
    if not name or "+" in name or any(char.isspace() or ord(char) < 0x20 for char in name):
        raise BadNote("a key name is empty or has a space, a plus or a control character")


def key_id(name: str, type_: KeyType, public: bytes) -> bytes:
    """SHA-256(name || 0x0A || type || public key)[:4]."""
    return sha256(name.encode() + b"\n" + bytes((type_,)) + public).digest()[:4]


class Signature(msgspec.Struct, frozen=True):
    """One signature line. `value`: what follows the key id; for cosignatures 8 bytes of time first."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        """The line without its newline."""
        return f"{_DASH}{self.name} {encode64(self.key_id + self.value)}"


class Note(msgspec.Struct, frozen=True):
    """`text` ends with a newline and does not include the blank line."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def encode(self) -> bytes:
        """The whole note."""
        return (self.text + "\n" + "".join(signature.line() + "\n" for signature in self.signatures)).encode()


def parse_note(data: bytes) -> Note:
    """Raises BadNote unless the form is that of a signed note. Checks no signature."""
    if len(data) > MAX_NOTE:
        raise BadNote(f"a note of {len(data)} bytes; {MAX_NOTE} is the most")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadNote("a note that is not UTF-8") from None
    if any(char < " " and char != "\n" for char in whole):
        raise BadNote("a note with a control character")
    at = whole.rfind("\n\n")
    if at < 0 or not whole.endswith("\n") or at + 2 == len(whole):
        raise BadNote("a note without a blank line and signatures after it")
    return Note(whole[: at + 1], parse_signatures(whole[at + 2 :]))


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Signature lines, each ending with a newline. Raises BadNote."""
    signatures = []
    for line in lines.removesuffix("\n").split("\n"):
        parts = line.removeprefix(_DASH).split(" ")
        if not line.startswith(_DASH) or len(parts) != 2:
            raise BadNote("a signature line is not `\u2014 name base64`")
        _check_name(parts[0])
        value = decode64(parts[1], "a signature")
        if len(value) < 5:
            raise BadNote("a signature is too short")
        signatures.append(Signature(parts[0], value[:4], value[4:]))
    if len(signatures) > MAX_SIGNATURES:
        raise BadNote(f"a note with {len(signatures)} signatures; {MAX_SIGNATURES} is the most")
    return tuple(signatures)


class Checkpoint(msgspec.Struct, frozen=True):
    """`root`: 32 bytes. `extensions`: opaque lines; handrail writes none."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The note text: origin, size, root, each with its newline."""
        lines = (self.origin, str(self.size), encode64(self.root), *self.extensions)
        return "".join(line + "\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """From a note text. Raises BadNote."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not text.endswith("\n") or not all(lines):
        raise BadNote("a checkpoint needs an origin, a size and a root, one line each and none empty")
    size = lines[1]
    if not size.isascii() or not size.isdecimal() or (size != "0" and size[0] == "0") or int(size) >= 2**63:
        raise BadNote("the size of a checkpoint is not a plain decimal number below 2^63")
    root = decode64(lines[2], "the root of a checkpoint")
    if len(root) != 32:
        raise BadNote(f"the root of a checkpoint has {len(root)} bytes, 32 expected")
    return Checkpoint(lines[0], int(size), root, tuple(lines[3:]))


def _message(type_: KeyType, name: str, text: str, time_s: int) -> bytes:
    """What a key of this type signs for the note text."""
    if type_ is KeyType.ED25519:
        return text.encode()
    if type_ is KeyType.COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {time_s}\n{text}".encode()
    checkpoint = parse_checkpoint(text)
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    if len(cosigner) > 255 or len(origin) > 255:
        raise BadNote("an ML-DSA cosignature needs a key name and an origin of at most 255 bytes")
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes((len(cosigner),)), cosigner, struct.pack(">Q", time_s),
            bytes((len(origin),)), origin, struct.pack(">QQ", 0, checkpoint.size), checkpoint.root,
        )
    )  # fmt: skip


class VerifierKey(msgspec.Struct, frozen=True):
    """A public key and the name it stands for. Written `name+key id in hex+base64(type || key)`."""

    name: str
    type: KeyType
    public: bytes

    @property
    def id(self) -> bytes:
        """4 bytes."""
        return key_id(self.name, self.type, self.public)

    def encode(self) -> str:
        """The verifier key as text."""
        return f"{self.name}+{self.id.hex()}+{encode64(bytes((self.type,)) + self.public)}"

    def find(self, note: Note) -> Signature | None:
        """The signature of this key; None when the note has none. Two of one key count as the first."""
        id_ = self.id
        return next((one for one in note.signatures if one.name == self.name and one.key_id == id_), None)

    def check(self, text: str, signature: Signature) -> int:
        """Time of the signature in Unix seconds, 0 for the type without one. Raises BadNote."""
        if len(signature.value) != _SIGNATURE_SIZE[self.type]:
            raise BadNote(f"the signature of {self.name} has {len(signature.value)} bytes")
        time_s, value = 0, signature.value
        if self.type is not KeyType.ED25519:
            time_s, value = int.from_bytes(value[:8], "big"), value[8:]
            if time_s >= 2**63:
                raise BadNote(f"the time of the cosignature of {self.name} is out of range")
        try:
            self._verify(value, _message(self.type, self.name, text, time_s))
        except InvalidSignature:
            raise BadNote(f"the signature of {self.name} does not match") from None
        return time_s

    def _verify(self, value: bytes, message: bytes) -> None:
        if self.type is not KeyType.COSIGNATURE_MLDSA44:
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, message)
            return
        if not ML_DSA:
            raise BadNote(f"the key of {self.name} is ML-DSA-44, which this build of cryptography cannot check")
        try:
            MLDSA44PublicKey.from_public_bytes(self.public).verify(value, message)
        except UnsupportedAlgorithm:
            raise BadNote(f"the key of {self.name} is ML-DSA-44, which this OpenSSL cannot check") from None


def _parse_parts(text: str, what: str) -> tuple[str, KeyType, str, bytes]:
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise BadNote(f"{what} is not name+key id+base64")
    name, id_, material = parts
    _check_name(name)
    data = decode64(material, f"{what} of {name}")
    try:
        type_ = KeyType(data[0])
    except (IndexError, ValueError):
        raise BadNote(f"{what} of {name} has a type that handrail does not know") from None
    return name, type_, id_, data[1:]


def parse_verifier_key(text: str) -> VerifierKey:
    """Raises BadNote, also when the key id does not belong to the key."""
    name, type_, id_, public = _parse_parts(text, "the verifier key")
    key = VerifierKey(name, type_, public)
    if len(public) != _PUBLIC_SIZE[type_] or key.id.hex() != id_:
        raise BadNote(f"the verifier key of {name} has a wrong length or key id")
    return key


class SigningKey:
    """A private key: a 32-byte seed for each type. Never printed; `encode` is for the key file alone."""

    __slots__ = ("_private", "_seed", "name", "type", "verifier")

    def __init__(self, name: str, type_: KeyType, seed: bytes) -> None:
        """`seed`: 32 bytes from a cryptographic source. Raises BadNote for a bad name or seed, or when ML-DSA is not
        there."""
        _check_name(name)
        if len(seed) != 32:
            raise BadNote(f"the seed of a signing key has {len(seed)} bytes, 32 needed")
        self.name, self.type, self._seed = name, type_, seed
        self._private: Ed25519PrivateKey | MLDSA44PrivateKey
        if type_ is not KeyType.COSIGNATURE_MLDSA44:
            self._private = Ed25519PrivateKey.from_private_bytes(seed)
        elif ML_DSA:
            self._private = MLDSA44PrivateKey.from_seed_bytes(seed)
        else:
            raise BadNote("this build of cryptography has no ML-DSA-44")
        self.verifier = VerifierKey(name, type_, self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier.name}, {self.type.name})"

    def sign(self, text: str, time_s: int) -> Signature:
        """One signature over a note text. `time_s`: Unix seconds, for the types that carry it."""
        message = _message(self.type, self.name, text, time_s)
        head = b"" if self.type is KeyType.ED25519 else struct.pack(">Q", time_s)
        return Signature(self.name, self.verifier.id, head + self._private.sign(message))

    def encode(self) -> str:
        """One line in the form of golang.org/x/mod/sumdb/note. A secret."""
        return f"{_SECRET}{self.name}+{self.verifier.id.hex()}+{encode64(bytes((self.type,)) + self._seed)}"


def parse_signing_key(text: str) -> SigningKey:
    """Raises BadNote; the message never holds the key."""
    text = text.strip()
    if not text.startswith(_SECRET):
        raise BadNote("the signing key does not start with PRIVATE+KEY+")
    name, type_, id_, seed = _parse_parts(text.removeprefix(_SECRET), "the signing key")
    key = SigningKey(name, type_, seed)
    if key.verifier.id.hex() != id_:
        raise BadNote(f"the signing key of {name} has a wrong key id")
    return key


def sign_checkpoint(checkpoint: Checkpoint, keys: Sequence[SigningKey], time_s: int) -> bytes:
    """A signed checkpoint; the first key is the log's own Ed25519 key, which every public log must use."""
    if not keys or keys[0].type is not KeyType.ED25519:
        raise BadNote("a checkpoint needs the log's Ed25519 key first")
    text = checkpoint.text()
    return Note(text, tuple(key.sign(text, time_s) for key in keys)).encode()


class Trust(msgspec.Struct, frozen=True):
    """Whom a reader believes. `log`: keys of the log, one is enough, so that a key can be rotated; `origin`: the log's
    origin line, by default the name of the first key; `quorum`: so many of `witnesses` must have cosigned."""

    log: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0
    origin: str = ""


class Trusted(msgspec.Struct, frozen=True):
    """A checkpoint that meets a Trust. `cosigned`: names of the witnesses and the Unix seconds of their signatures."""

    checkpoint: Checkpoint
    signed_by: tuple[str, ...]
    cosigned: tuple[tuple[str, int], ...]


def check_checkpoint(data: bytes, trust: Trust) -> Trusted:
    """Raises BadNote unless the origin is right, a known log key signed, every signature of a known key is good, and
    the quorum of witnesses is met. Unknown signatures are ignored."""
    if not trust.log:
        raise BadNote("no key of the log is given: a checkpoint cannot be checked")
    public = {key.public for key in trust.witnesses}
    if len(public) != len(trust.witnesses) or public & {key.public for key in trust.log}:
        raise BadNote("a witness is listed twice, or has the log's own key")
    if any(key.type is KeyType.ED25519 for key in trust.witnesses):
        raise BadNote("the key of a witness must be of a cosignature type (0x04 or 0x06)")
    if not 0 <= trust.quorum <= len(trust.witnesses):
        raise BadNote(f"a quorum of {trust.quorum} from {len(trust.witnesses)} witnesses can never be met")
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    origin = trust.origin or trust.log[0].name
    if checkpoint.origin != origin:
        raise BadNote("the checkpoint is of another log: its origin differs from the one expected")
    signed = [key for key, _ in _good(note, trust.log)]
    if not signed:
        raise BadNote(f"no known key of {origin} signed the checkpoint")
    cosigned = tuple((key.name, time_s) for key, time_s in _good(note, trust.witnesses))
    if len(cosigned) < trust.quorum:
        raise BadNote(f"{len(cosigned)} of the {trust.quorum} cosignatures that the policy asks for")
    return Trusted(checkpoint, tuple(key.name for key in signed), cosigned)


def _good(note: Note, keys: Iterable[VerifierKey]) -> list[tuple[VerifierKey, int]]:
    """The keys that signed, with the time. Raises BadNote for a signature of a known key that does not match."""
    good = []
    for key in keys:
        id_ = key.id
        times = [key.check(note.text, one) for one in note.signatures if one.name == key.name and one.key_id == id_]
        if times:
            good.append((key, times[0]))
    return good


def add_cosignatures(checkpoint: bytes, lines: bytes, witnesses: Sequence[VerifierKey]) -> bytes:
    """The checkpoint with the cosignatures of known witnesses added; a newer one of a witness replaces its older one.
    `lines`: signature lines as a witness answers them. Lines of unknown keys are dropped. Raises BadNote when a known
    one does not match, or none is known."""
    note = parse_note(checkpoint)
    try:
        offered = Note(note.text, parse_signatures(lines.decode("utf-8")))
    except UnicodeDecodeError:
        raise BadNote("cosignatures that are not UTF-8") from None
    keys = [key for key in witnesses if key.type is not KeyType.ED25519]
    fresh = dict(_good(offered, keys))
    if not fresh:
        raise BadNote("no cosignature of a known witness")
    kept = list(note.signatures)
    for key, time_s in fresh.items():
        old, new = key.find(note), key.find(offered)
        if new is None or (old is not None and int.from_bytes(old.value[:8], "big") >= time_s):
            continue
        kept = [one for one in kept if one != old] + [new]
    return Note(note.text, tuple(kept)).encode()
