"""The keys of a data folder: lookup key, intermediate keys, and the subject keys now in memory.

The keys folder (mode 0700) holds `lookup.key` and `intermediate-ID.key`, each wrapped by the key-encryption key. It is
not in the database, so that a copy of the database alone opens nothing, and an old copy dies with the intermediate key
of its time (`ledger.seal.WINDOW_DAYS`). Several machines on one PostgreSQL share this folder.

When a key cannot be read, the process does not start: an answer could not be recorded.
"""

import contextlib
import hmac
import os
import threading
from collections import OrderedDict
from hashlib import blake2b
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.ledger.seal import KEY_SIZE, NONCE_SIZE, KeyWrapper, Unreadable, unwrap, wrap
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids

CACHED_SUBJECTS = 8_192
"""As many as the writer's queue takes, so that a key is in memory until its row is durable."""

_LOOKUP = "lookup"


class KeyFolder:
    """The files. Writing is atomic and safe between processes: the first one wins."""

    def __init__(self, folder: Path, wrapper: KeyWrapper) -> None:
        """Makes the folder when it is not there."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._folder = folder
        self._wrapper = wrapper

    def read(self, name: str) -> bytes | None:
        """The clear key, None when there is no such file. Raises HandrailError HOME_INVALID when the key-encryption key
        does not open it."""
        try:
            wrapped = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return self._wrapper.unwrap(wrapped, name=name)
        except Unreadable:
            raise HandrailError(
                Code.HOME_INVALID,
                f"the key-encryption key does not open {name}.key in the keys folder; give the key that made it, "
                "or finish a rotation that stopped half-way: handrail rotate-keys --kek",
            ) from None

    def opens(self, name: str) -> bool:
        """Whether the key-encryption key opens this one, which is there."""
        try:
            self._wrapper.unwrap(self._path(name).read_bytes(), name=name)
        except Unreadable:
            return False
        return True

    def make(self, name: str, key: bytes, ids: Ids) -> bytes:
        """Store durably unless it exists already; returns the key that is there."""
        path = self._path(name)
        fresh = path.with_name(ids.new("new"))
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(self._wrapper.wrap(key, name=name))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process was first: its key is the one
                os.link(fresh, path)
        finally:
            fresh.unlink()
        self._sync()
        stored = self.read(name)
        assert stored is not None
        return stored

    def rewrap(self, name: str, wrapper: KeyWrapper) -> None:
        """Wrap the same key by another key-encryption key (its rotation), whole or not at all. The caller is alone."""
        key = self.read(name)
        if key is None:
            raise HandrailError(Code.NOT_FOUND, f"no {name}.key in the keys folder")
        path = self._path(name)
        fresh = path.with_suffix(".fresh")  # one name: what a crash leaves, the next attempt writes over
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(wrapper.wrap(key, name=name))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        self._sync()

    def destroy(self, name: str) -> None:
        """Overwrite, then remove. Where a file system or a disk keeps old blocks, its owner must see to them."""
        path = self._path(name)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return
        with path.open("r+b") as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        self._sync()

    def names(self) -> list[str]:
        """Every key in the folder."""
        return sorted(path.stem for path in self._folder.glob("*.key"))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.key"

    def _sync(self) -> None:
        fd = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


class Lookup:
    """Keyed hashes, so that neither customer ids nor messages are stored. BLAKE2b in its keyed mode (RFC 7693) is a MAC
    in one pass; the purpose is part of what is hashed."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        # begun once and copied: about ten are taken for a request
        self._message = blake2b(key=key, digest_size=16, person=b"message")
        self._tail = blake2b(key=key, digest_size=16, person=b"tail")

    def message(self, message: bytes) -> bytes:
        """16 bytes."""
        hasher = self._message.copy()
        hasher.update(message)
        return hasher.digest()

    def tail(self, key_id: str, customer: str | None, messages: bytes) -> bytes:
        """16 bytes for one history: `messages` are the hashes of its messages, joined."""
        hasher = self._tail.copy()
        hasher.update(f"{key_id}\0{'' if customer is None else '=' + customer}\0".encode() + messages)
        return hasher.digest()

    def customer(self, customer: str) -> bytes:
        """32 bytes."""
        return blake2b(customer.encode(), key=self._key, digest_size=32, person=b"customer").digest()

    def given(self, conversation: str) -> bytes:
        """32 bytes for a conversation id that the client made."""
        return blake2b(conversation.encode(), key=self._key, digest_size=32, person=b"conversation").digest()

    def reference(self, use_case: str, customer: str | None, name: str) -> bytes:
        """32 bytes for an object at a provider."""
        owner = f"{use_case}\0{'' if customer is None else '=' + customer}\0".encode()
        return blake2b(owner + name.encode(), key=self._key, digest_size=32, person=b"reference").digest()

    def model_call(self, owner: bytes, arguments: bytes) -> bytes:
        """16 bytes for a tool call that a model asked for."""
        owner = len(owner).to_bytes(4, "big") + owner
        return blake2b(owner + arguments, key=self._key, digest_size=16, person=b"model call").digest()

    def event(self, source: str, event: str) -> bytes:
        """32 bytes for an outcome event's identity."""
        return blake2b(f"{source}\0{event}".encode(), key=self._key, digest_size=32, person=b"event").digest()

    def check(self) -> bytes:
        """16 bytes that stand in the database and prove that both belong together."""
        return blake2b(b"", key=self._key, digest_size=16, person=b"check").digest()


class Keyring:
    """Subject keys in memory, bounded, and the ciphers to wrap them. Safe between threads."""

    def __init__(self, folder: KeyFolder, ids: Ids, *, size: int = CACHED_SUBJECTS) -> None:
        self.folder = folder
        self.ids = ids
        lookup = folder.read(_LOOKUP) or folder.make(_LOOKUP, ids.token(KEY_SIZE), ids)
        self.lookup = Lookup(lookup)
        self._size = size
        self.generation = 0
        self._subjects: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._wrappers: dict[str, AESGCM] = {}

    def belongs(self, check: bytes) -> None:
        """Raises HandrailError HOME_INVALID when the database was made with another lookup key."""
        if not hmac.compare_digest(check, self.lookup.check()):
            raise HandrailError(
                Code.HOME_INVALID,
                "the keys folder does not belong to this database; restore both from the same backup",
            )

    def new_intermediate(self) -> str:
        """Make an intermediate key, durable on return; its name."""
        name = f"intermediate-{self.ids.new('ik')}"
        self.folder.make(name, self.ids.token(KEY_SIZE), self.ids)
        return name

    def wrap(self, subject: str, key: bytes, intermediate: str) -> bytes:
        """The subject's key as it is stored."""
        return wrap(self._wrapper(intermediate), key, name=subject, nonce=self.ids.token(NONCE_SIZE))

    def unwrap(self, subject: str, wrapped: bytes, intermediate: str) -> bytes:
        """Raises HandrailError JOURNAL_UNAVAILABLE when the intermediate key is gone or another one wrapped it."""
        try:
            return unwrap(self._wrapper(intermediate), wrapped, name=subject)
        except Unreadable:
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, f"the key of {subject} cannot be opened") from None

    def remember(self, subject: str, key: bytes, generation: int | None = None) -> None:
        """Keep a key in memory. `generation`: what it was before the key was read from storage; if keys were forgotten
        since, this one may be erased and is not kept."""
        with self._lock:
            if generation is None or generation == self.generation:
                self._subjects[subject] = key
                if len(self._subjects) > self._size:
                    self._subjects.popitem(last=False)

    def cached(self, subject: str) -> bytes | None:
        """The key if it is in memory."""
        return self._subjects.get(subject)

    def forget(self) -> None:
        """Drop every key from memory but the lookup key: the epoch grew, or what was queued got lost."""
        with self._lock:
            self.generation += 1
            self._subjects.clear()
            self._wrappers.clear()

    def _wrapper(self, name: str) -> AESGCM:
        cipher = self._wrappers.get(name)
        if cipher is None:
            key = self.folder.read(name)
            if key is None:
                raise HandrailError(
                    Code.JOURNAL_UNAVAILABLE, f"{name}.key is missing in the keys folder; restore it from the backup"
                )
            cipher = self._wrappers[name] = AESGCM(key)
        return cipher
