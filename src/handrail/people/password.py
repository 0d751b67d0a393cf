"""Passwords: what is taken, how it is kept, whether one is right.

Length decides (NIST SP 800-63B: at least 12 characters here, no rules about kinds of characters), and a small list of
our own refuses what everybody tries first, also with digits around it or the person's own words in it. Kept as argon2id
with 19 MiB and two passes (the second of the OWASP choices: a console on a small machine must not be filled by eight
sign-ins at once). Checking takes tens of milliseconds and blocks: it runs in a thread, never in a transaction.
"""

import re
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from handrail.terms.errors import Code, HandrailError

LEAST, MOST = 12, 200
SALT_BYTES = 16
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=SALT_BYTES)
_OBVIOUS = frozenset(
    """password passwort passwords kennwort geheim secret letmein welcome willkommen qwerty qwertz azerty asdfgh yxcvbn
    zxcvbn abcdef abcdefgh iloveyou changeme administrator admin root login handrail console customer support service
    football dragon monkey sunshine princess summer winter spring autumn sommer herbst fruehling january monday test
    master company correcthorsebatterystaple""".split()  # noqa: SIM905  words read better than quotes
)
_RUNS = ("0123456789012345", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "abcdefghijklmnopqrstuvwxyz")
_SOUNDS = str.maketrans("013457@$!", "oieastasi")

DUMMY = _HASHER.hash("nobody's password", salt=bytes(SALT_BYTES))
"""Checked when there is nothing to check, so that an unknown address takes as long as a known one."""


def canonical(password: str) -> str:
    """NFKC, so that the same keys typed on another machine are the same password."""
    return unicodedata.normalize("NFKC", password)


def require_strong(password: str, *, about: tuple[str, ...] = ()) -> str:
    """The canonical password. `about`: the person's name and address, the organisation's name. Raises HandrailError
    REQUEST_INVALID that says how to mend it and never repeats it."""
    plain = canonical(password)
    if not LEAST <= len(plain) <= MOST:
        raise _weak(f"a password has {LEAST} to {MOST} characters; a sentence of a few words is easy to remember")
    if len(set(plain.lower())) < 5:
        raise _weak("this password repeats a few characters; use several words")
    known = _OBVIOUS | {word for text in about for word in re.split(r"[^a-z]+", text.lower()) if len(word) >= 3}
    readings = (plain.lower(), plain.lower().translate(_SOUNDS))
    if any(_is_obvious(re.sub(r"[^a-z]", "", reading), known) for reading in readings) or _is_run(plain.lower()):
        raise _weak("this password is one of those that are tried first; use several words that do not belong together")
    return plain


def hashed(password: str, salt: bytes) -> str:
    """`salt`: 16 random bytes. Takes tens of milliseconds."""
    return _HASHER.hash(canonical(password), salt=salt)


def is_right(stored: str, password: str) -> bool:
    """False for an empty or damaged hash too; takes the same time then."""
    try:
        _HASHER.verify(stored or DUMMY, canonical(password)[:MOST])
        return bool(stored)
    except (VerificationError, InvalidHashError):
        return False


def _is_obvious(letters: str, known: frozenset[str]) -> bool:
    """Whether little is left when such words are taken out."""
    left = letters
    for word in sorted(known, key=len, reverse=True):
        left = left.replace(word, "")
    return bool(letters) and len(left) < 4


def _is_run(text: str) -> bool:
    """Keys that lie side by side, with or without something after them."""
    return any(text[:8] in run * 2 for run in _RUNS)


def _weak(what: str) -> HandrailError:
    return HandrailError(Code.REQUEST_INVALID, what)
