"""Sealing a payload so that it can be erased: compress, then encrypt under the subject's own key. Pure.

Three keys stand above each other. The *subject key* (random, 256 bits) seals payloads. It is stored only wrapped by an
*intermediate key*, which lives in the keys folder, is replaced weekly and then destroyed. That one is wrapped by the
*key-encryption key*, which handrail is given (a file, an environment value, or a KMS behind `KeyWrapper`).

Erasing a subject destroys its wrapped key. A copy of the database made before an erasure can be opened only with the
intermediate key of that time: once it is destroyed, at most `WINDOW_DAYS` after the erasure, the old copy is dead too,
provided copies of the keys folder are kept no longer than that.

A sealed payload is: version byte, 12-byte random nonce, AES-256-GCM ciphertext with its 16-byte tag. Associated data:
version, entry id and key id, so that a ciphertext moved to another row does not open. AES-GCM does not commit to its
key; the log's commitment covers key id and ciphertext, which does. What is encrypted is one frame of zstd: version 0x01
without a dictionary, version 0x02 with the one in `payload-1.dict`. Both open for good; 0x02 is written.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_SIZE = 32
NONCE_SIZE = 12
WINDOW_DAYS = 8
"""A rotation each 7 days, and a day for the job that does it."""

ZSTD_LEVEL = 1
MATCH = 7
"""Least bytes of a repetition. Level 1 takes 5: a seventh more CPU for 3 to 8 % less to keep."""
MANY = 4
MAX_PAYLOAD = 64 * 1024 * 1024
DICTIONARY = Path(__file__).parent / "payload-1.dict"
"""Made by scripts/train/payload_dictionary.py from texts of this project. What it has sealed opens with it only: never
change it; another one is another file and another version."""
_VERSION = b"\x01"
_WITH_DICTIONARY = b"\x02"


class Unreadable(Exception):
    """A ciphertext does not open: wrong key, moved to another row, or damaged. Names the reference, never content."""


class KeyWrapper(Protocol):
    """Holds the key-encryption key: a local one, or a KMS that never shows it. Called when a process starts, when an
    intermediate key is made, and never on the request path."""

    @property
    def id(self) -> str:
        """A name for this key-encryption key that is no secret."""
        ...

    def wrap(self, key: bytes, *, name: str) -> bytes:
        """`name` is bound to the result: `unwrap` under another name fails."""
        ...

    def unwrap(self, wrapped: bytes, *, name: str) -> bytes:
        """Raises Unreadable."""
        ...


class LocalKek:
    """A key-encryption key in this process's memory, read by `app.settings` from a file or the environment."""

    def __init__(self, key: bytes, *, nonce: "NonceSource") -> None:
        """`key`: 32 bytes. Raises ValueError for another length."""
        if len(key) != KEY_SIZE:
            raise ValueError(f"a key-encryption key has {KEY_SIZE} bytes, this one {len(key)}")
        self._cipher = AESGCM(key)
        self._nonce = nonce

    @property
    def id(self) -> str:
        return "local"

    def wrap(self, key: bytes, *, name: str) -> bytes:
        return wrap(self._cipher, key, name=name, nonce=self._nonce(NONCE_SIZE))

    def unwrap(self, wrapped: bytes, *, name: str) -> bytes:
        return unwrap(self._cipher, wrapped, name=name)


class NonceSource(Protocol):
    """`Ids.token`."""

    def __call__(self, size: int, /) -> bytes: ...


def wrap(cipher: AESGCM, key: bytes, *, name: str, nonce: bytes) -> bytes:
    """`nonce`: 12 random bytes. 61 bytes for a key of 32."""
    return _VERSION + nonce + cipher.encrypt(nonce, key, b"handrail key 1\0" + name.encode())


def unwrap(cipher: AESGCM, wrapped: bytes, *, name: str) -> bytes:
    """Raises Unreadable."""
    if wrapped[:1] != _VERSION:
        raise Unreadable(f"key {name}: unknown form of a wrapped key")
    try:
        return cipher.decrypt(wrapped[1:13], wrapped[13:], b"handrail key 1\0" + name.encode())
    except (InvalidTag, ValueError):
        raise Unreadable(f"key {name}: wrapped by another key, or damaged") from None


@cache
def dictionary() -> zstandard.ZstdCompressionDict:
    """Read once for each process, digested for compressing: 8 KB of it and some 70 KB of tables. Raises OSError."""
    made = zstandard.ZstdCompressionDict(DICTIONARY.read_bytes())
    found = zstandard.ZstdCompressionParameters.from_level(ZSTD_LEVEL, dict_size=len(made), min_match=MATCH)
    made.precompute_compress(compression_params=found)
    return made


class Sealer:
    """Compresses and seals. Not for two threads at once (its compressor has state): one for each thread. `contended`:
    another thread is busy meanwhile. Then several payloads go in one call, since each call gives up the interpreter
    lock and getting it back costs more than the call for many, which begins slowly and uses more memory."""

    def __init__(self, *, contended: bool = False) -> None:
        compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, dict_data=dictionary())
        self._one = compressor.compress
        self._many = compressor.multi_compress_to_buffer
        self._contended = contended

    def pack(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Compressed."""
        if not self._contended or len(payloads) < MANY or not all(payloads):
            return [self._one(payload) for payload in payloads]
        many = self._many(list(payloads))
        return [many[at].tobytes() for at in range(len(many))]

    def close(self, packed: bytes, cipher: AESGCM, *, entry: str, key: str, nonce: bytes) -> bytes:
        """What `pack` made, sealed. `cipher`: of the subject key. `nonce`: 12 random bytes, never used before with this
        key."""
        return _WITH_DICTIONARY + nonce + cipher.encrypt(nonce, packed, f"handrail payload 2\0{entry}\0{key}".encode())

    def seal(self, payload: bytes, cipher: AESGCM, *, entry: str, key: str, nonce: bytes) -> bytes:
        """`pack` and `close` for one payload."""
        return self.close(self._one(payload), cipher, entry=entry, key=key, nonce=nonce)


def unseal(sealed: bytes, cipher: AESGCM, *, entry: str, key: str) -> bytes:
    """The clear payload, of either version. Raises Unreadable."""
    version = sealed[:1]
    if version not in (_VERSION, _WITH_DICTIONARY):
        raise Unreadable(f"entry {entry}: unknown form of a sealed payload")
    known = dictionary() if version == _WITH_DICTIONARY else None
    try:
        bound = f"handrail payload {version[0]}\0{entry}\0{key}".encode()
        packed = cipher.decrypt(sealed[1:13], sealed[13:], bound)
        return zstandard.ZstdDecompressor(dict_data=known).decompress(packed, max_output_size=MAX_PAYLOAD)
    except (InvalidTag, ValueError, zstandard.ZstdError):
        raise Unreadable(f"entry {entry}: sealed under another key, moved, or damaged") from None
