"""What an answer must not carry: active markup, and parts of the managed prompt. (Links: `links`; keys: `pii`.)

MARKUP is read in the text as sent: markup that was escaped is harmless and stays. Full-width brackets count, since
some pages fold them. A markdown or HTML image whose host is not allowed is an exfiltration channel: it is opened
without a click, with the conversation in its address. PROMPT_LEAK compares letters and digits only, forwards,
backwards, in rot13, and inside base64 and hex; a shared run of 31 such characters of a long canary is enough.
Neither guesses: what they cannot open they do not report. Pure; linear in the text for each canary.
"""

import re
from functools import lru_cache

import re2

from handrail.detectors.base import Reach, Text
from handrail.detectors.hidden import ROT13
from handrail.detectors.links import allowed, links
from handrail.detectors.normalise import View, base64_texts, normalise, unaccent
from handrail.terms.finding import Finding, Kind, Role

_WIDE = str.maketrans("＜＞＝／﹤﹥", "<>=/<>")
_TAG = re.compile(
    r"(?i)<[\s/]*(?:script|iframe|frame|frameset|object|embed|applet|form|input|button|textarea|select|option|meta|base"
    r"|link|style|svg|math|template|portal|body|html|marquee|video|audio|source|animate|set|foreignobject|isindex|bgsound"
    r"|layer|xml|xss|noscript|plaintext|title|dialog|details)(?=[\s/>]|$)[^<>]{0,400}>?"
)
_HANDLER = re.compile(r"(?i)<[a-z!?][^<>]{0,400}?[\s/\"']on[a-z]{3,30}\s*=[^<>]{0,400}>?")
_ATTRIBUTE = re.compile(
    r"(?i)<[a-z][^<>]{0,400}?\b(?:srcdoc|formaction|xlink:href|style\s*=\s*[\"'][^\"']{0,200}(?:url\s*\(|expression\s*\())"
    r"[^<>]{0,400}>?"
)
_PROCESSING = re.compile(r"(?i)<\?(?:php|=)|<!--#(?:include|exec)|<!entity\b|<!doctype[^>]{0,200}\[")
_IMAGE = re.compile(
    r"(?i)!\[[^\]]{0,300}\]\s*[(\[][^)\]]{0,2100}[)\]]|<\s*(?:img|image|picture|track)\b[^<>]{0,2100}>?"
)
_PATTERNS = (
    (_TAG, "tag"), (_HANDLER, "handler"), (_ATTRIBUTE, "attribute"), (_PROCESSING, "processing"),
)  # fmt: skip

BLOCK = 16
"""Squashed characters of a canary's blocks. Every shared run of 2 * BLOCK - 1 = 31 holds a whole block."""
SHORTEST = 6
"""A canary with fewer letters and digits is looked for as it is, case and all."""
_JOINTS = re.compile(r"[\W_]+")
_HEX_GATE = re2.compile(r"(?i)(?:[0-9a-f]{2}[\s:]?){12}")
_HEX = re.compile(r"(?i)(?:[0-9a-f]{2}[\s:]?){12,2048}")


class Markup:
    """MARKUP: script, event handlers, frames, forms, and images that call out. Answers only."""

    name = "markup"
    kinds = frozenset({Kind.MARKUP})
    reach = Reach.WINDOW

    def find(self, text: Text, language: str) -> list[Finding]:
        """Reasons: `tag`, `handler`, `attribute`, `processing`, `image`."""
        if text.role is not Role.ASSISTANT:
            return []
        sent = text.text if text.text.isascii() else text.text.translate(_WIDE)
        found: dict[tuple[int, int], Finding] = {}
        if "<" in sent:
            for pattern, reason in _PATTERNS:
                for match in pattern.finditer(sent):
                    found.setdefault(match.span(), Finding(Kind.MARKUP, match.start(), match.end(), 0.95, reason))
        if "![" in sent or "<" in sent:
            for match in _IMAGE.finditer(sent):
                if any(not allowed(link.sent, text.links_allowed) for link in links(match.group())):
                    found.setdefault(match.span(), Finding(Kind.MARKUP, match.start(), match.end(), 0.95, "image"))
        return list(found.values())


class PromptLeak:
    """PROMPT_LEAK: a canary of the managed prompt, or a long part of one, in an answer."""

    name = "prompt_leak"
    kinds = frozenset({Kind.PROMPT_LEAK})
    reach = Reach.SENTENCE

    def find(self, text: Text, language: str) -> list[Finding]:
        """Reasons: `canary`, `part`, `backwards`, `rot13`, `base64`, `hex`. Encoded forms span what hides them."""
        if text.role is not Role.ASSISTANT or not text.canaries:
            return []
        view = normalise(text.text)
        plain = unaccent(view.text)
        body = _JOINTS.sub("", plain)
        wanted = [_squashed(canary) for canary in text.canaries]
        found = [f for canary in wanted if canary and (f := _shown(view, plain, body, canary)) is not None]
        found += [f for canary in text.canaries if not _squashed(canary) and (f := _as_it_is(text.text, canary))]
        return found or _encoded(text.text, body, [canary for canary in wanted if canary])


def squash(text: str) -> str:
    """Letters and digits only, folded: what is left of a text when spacing, case and marks are changed."""
    return _JOINTS.sub("", unaccent(normalise(text).text))


@lru_cache(maxsize=256)
def _squashed(canary: str) -> str:
    """The squashed canary; empty when too little is left of it."""
    left = squash(canary)
    return left if len(left) >= SHORTEST else ""


def _as_it_is(text: str, canary: str) -> Finding | None:
    at = text.find(canary) if canary.strip() else -1
    return Finding(Kind.PROMPT_LEAK, at, at + len(canary), 1.0, "canary") if at >= 0 else None


def _shown(view: View, plain: str, body: str, wanted: str) -> Finding | None:
    """The canary or a long part of it, spacing, case and marks aside."""
    run = _shared(body, wanted)
    if run is None:
        return None
    start, end, whole = run
    kept = [i for i, letter in enumerate(plain) if _JOINTS.fullmatch(letter) is None]
    first, last = view.span(kept[start], kept[end - 1] + 1)
    return Finding(Kind.PROMPT_LEAK, first, last, 1.0 if whole else 0.9, "canary" if whole else "part")


def _shared(body: str, wanted: str) -> tuple[int, int, bool] | None:
    """The first place in `body` that holds `wanted`, or its longest shared run of at least 31; else None."""
    at = body.find(wanted)
    if at >= 0:
        return at, at + len(wanted), True
    best: tuple[int, int] | None = None
    for offset, block in _blocks(wanted):
        at = body.find(block)
        if at < 0:
            continue
        start, end = _extended(body, wanted, at, offset)
        if end - start >= 2 * BLOCK - 1 and (best is None or end - start > best[1] - best[0]):
            best = (start, end)
    return (*best, False) if best else None


@lru_cache(maxsize=256)
def _blocks(wanted: str) -> tuple[tuple[int, str], ...]:
    return tuple((i, wanted[i : i + BLOCK]) for i in range(0, len(wanted) - BLOCK + 1, BLOCK))


def _extended(body: str, wanted: str, at: int, offset: int) -> tuple[int, int]:
    """The shared run around a shared block, both ways."""
    left = 0
    while left < min(at, offset) and body[at - left - 1] == wanted[offset - left - 1]:
        left += 1
    right = BLOCK
    while at + right < len(body) and offset + right < len(wanted) and body[at + right] == wanted[offset + right]:
        right += 1
    return at - left, at + right


def _encoded(text: str, body: str, wanted: list[str]) -> list[Finding]:
    for form, reason in ((body[::-1], "backwards"), (body.translate(ROT13), "rot13")):
        if any(_shared(form, canary) for canary in wanted):
            return [Finding(Kind.PROMPT_LEAK, 0, len(text), 0.95, reason)]
    opened: list[tuple[int, int, str, str]] = []
    sizes = [len(word) for word in text.split()]
    if max(sizes, default=0) >= BLOCK:
        opened += [(start, end, inner, "base64") for start, end, inner in base64_texts(text)]
    if _HEX_GATE.search(text) is not None:
        for match in _HEX.finditer(text):
            inner = bytes.fromhex(re.sub(r"[\s:]", "", match.group())).decode("utf-8", "replace")
            opened.append((match.start(), match.end(), inner, "hex"))
    return [
        Finding(Kind.PROMPT_LEAK, start, end, 0.95, reason)
        for start, end, inner, reason in opened
        if any(_shared(squash(inner), canary) for canary in wanted)
    ]
