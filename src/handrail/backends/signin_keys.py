"""The key for what sign-in keeps: `signin.key` in the keys folder, wrapped like the others, made at its first use."""

from hashlib import blake2b

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handrail.backends.keyring import KeyFolder
from handrail.ledger.seal import KEY_SIZE, NONCE_SIZE, Unreadable, unwrap, wrap
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Ids

NAME = "signin"


class SignInKeys:
    """`people.signin_store.Sealing`."""

    def __init__(self, folder: KeyFolder, ids: Ids) -> None:
        """Raises HandrailError HOME_INVALID when the key-encryption key does not open it."""
        key = folder.read(NAME) or folder.make(NAME, ids.token(KEY_SIZE), ids)
        self._cipher = AESGCM(key)
        self._mark = blake2b(b"mark", key=key, digest_size=32, person=b"handrail signin").digest()
        self._ids = ids

    def seal(self, secret: bytes, *, name: str) -> bytes:
        return wrap(self._cipher, secret, name=f"{NAME} {name}", nonce=self._ids.token(NONCE_SIZE))

    def unseal(self, sealed: bytes, *, name: str) -> bytes:
        try:
            return unwrap(self._cipher, sealed, name=f"{NAME} {name}")
        except Unreadable:
            raise HandrailError(
                Code.JOURNAL_UNAVAILABLE, "what sign-in keeps does not open; the keys folder is another one"
            ) from None

    def mark(self, text: str) -> str:
        return blake2b(text.encode(), key=self._mark, digest_size=16).hexdigest()
