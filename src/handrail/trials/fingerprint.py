"""The fingerprint of an answer: whether it is the same, and how alike two are, without keeping a text; pure.

The digest is of the normalised text: compatibility forms, case, spaces and punctuation gone, digits kept. The sketch
is the 128 smallest hashes of runs of three words (bottom-k, Broder 1997, "On the resemblance and containment of
documents"): the share of the smallest of both together that stand in both estimates their Jaccard resemblance, with a
standard error of at most 0.05. A text of fewer than 128 runs is compared exactly.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import msgspec

KEPT = 128
RUN = 3
_WORD = re.compile(r"\w+")


class Fingerprint(msgspec.Struct, frozen=True):
    """`digest`: SHA-256, hex. `sketch`: the smallest 64-bit hashes, ascending. `vendor`: what the provider says of
    itself (model and version), as it came. `served`: what the head of its answer says (`guard.served`)."""

    digest: str
    sketch: tuple[int, ...]
    vendor: str = ""
    served: str = ""


def fingerprint(texts: Sequence[str], vendor: str = "", served: str = "") -> Fingerprint:
    """Of all answers of a conversation, in order."""
    words = _WORD.findall(unicodedata.normalize("NFKC", "\n".join(texts)).casefold())
    runs = {" ".join(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))}
    hashes = sorted(int.from_bytes(hashlib.blake2b(run.encode(), digest_size=8).digest(), "big") for run in runs)
    return Fingerprint(hashlib.sha256(" ".join(words).encode()).hexdigest(), tuple(hashes[:KEPT]), vendor, served)


def similarity(first: Fingerprint, second: Fingerprint) -> float:
    """0 to 1."""
    if first.digest == second.digest:
        return 1.0
    one, other = set(first.sketch), set(second.sketch)
    union = sorted(one | other)[:KEPT]
    return sum(value in one and value in other for value in union) / len(union) if union else 0.0


def changed(before: Fingerprint, after: Fingerprint, least: float) -> str:
    """Why the answer counts as another one; empty: it does not."""
    alike = similarity(before, after)
    if alike < least:
        return f"only {alike:.2f} of it is as before (expected at least {least:g})"
    if before.vendor and after.vendor and before.vendor != after.vendor:
        return "the provider names another model or version"
    return ""
