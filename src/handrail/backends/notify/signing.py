"""Signatures of webhooks as the standard-webhooks specification says (github.com/standard-webhooks, version 1.0).

`v1` is HMAC-SHA256 over `id.timestamp.body`; a secret is `whsec_` and base64 of 24 to 64 bytes. Several secrets,
separated by white space, sign side by side, so that one can be replaced without a gap.
"""

import base64
import binascii
import hashlib
import hmac

from handrail.terms.errors import Code, HandrailError

PREFIX = "whsec_"


def signed(secrets: str, notice: str, at_s: int, body: bytes) -> tuple[tuple[str, str], ...]:
    """The three headers. Raises HandrailError HOME_INVALID when a secret has another form; it is not repeated."""
    content = f"{notice}.{at_s}.".encode() + body
    marks = [
        "v1," + base64.b64encode(hmac.new(key_of(text), content, hashlib.sha256).digest()).decode()
        for text in secrets.split()
    ]
    return (("webhook-id", notice), ("webhook-timestamp", str(at_s)), ("webhook-signature", " ".join(marks)))


def key_of(text: str) -> bytes:
    """Raises HandrailError HOME_INVALID."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise HandrailError(
            Code.HOME_INVALID,
            "the secret of a webhook is whsec_ and base64 of 24 to 64 random bytes; store one like it",
        )
    return key
