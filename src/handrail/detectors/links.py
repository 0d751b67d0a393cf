"""Links in an answer: which hosts they lead to, and whether the allow-list carries them.

Read: addresses with a scheme (also `https:/host`, `https:\\host`, `//host`), markdown targets, `www.host`, and bare
domains under a list of top-level domains; schemes that carry code or data (`javascript:`, `data:`, `vbscript:`,
`file:`, `blob:`) are never allowed. The host is what a browser would open: behind `user@`, without port, case or
trailing dot. Look-alike letters are folded to find the host and count against it: only the letters as sent can match
the list. An entry is a host (`example.com`, which also covers `www.example.com`) or `*.example.com` (subdomains only).
With an empty list every link is outside. Pure; linear.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from handrail.detectors.base import Reach, Text
from handrail.detectors.normalise import View, normalise
from handrail.terms.finding import Finding, Kind, Role

_TLDS = (
    "com net org info biz io ai app dev xyz top shop online site store club live link click page website space tech "
    "cloud digital agency support services help news blog pro mobi name tel asia cat jobs travel bank insurance money "
    "cash loan loans credit win bid party stream download racing date review science work icu buzz cyou monster rest "
    "gov edu mil int eu uk de fr nl pl es pt br ch at be dk se no fi cz sk hu ro bg gr hr si lt lv ee ie lu ru ua by "
    "tr il ae sa in cn jp kr tw hk sg th vn id ph my au nz za ng ke eg mx ar cl co pe us ca it me tv cc ws to ly gg "
    "tk ml ga cf gq pw su zip mov"
)
_AMBIGUOUS = frozenset(
    {"at", "be", "in", "it", "me", "my", "no", "to", "is", "so", "us", "am", "as", "do", "id", "si", "se"}
    | {"name", "date", "work", "help", "live", "page"}
)
"""Top-level domains that are also words: a bare `done.it` is a sentence without its space, unless the text is
in the language of that name."""
_TLD = "|".join(sorted(set(_TLDS.split()), key=len, reverse=True))
_DOT = r"[.\u3002\uff0e\uff61]"
_LABEL = r"[^\W_](?:[^\W_]|-){0,62}"
_CODE = re.compile(
    r"(?i)\b(?:j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t|v\s*b\s*s\s*c\s*r\s*i\s*p\s*t)\s*:\s*[^\s]"
    r"|\bdata:[a-z]{1,20}/[a-z0-9.+-]{1,60}[;,]|\b(?:file|blob|filesystem):/{0,3}[^\s/]"
)
_ADDRESS = re.compile(
    r"(?i)\b(?:https?|ftp|wss?)\s?:[/\\]{1,4}(?P<rest>[^\s<>\"'`)\]}]{1,2048})"
    r"|(?:(?<=\()|(?<=[\"'=])|(?<=\]:\s))[/\\]{2}(?P<bare>[^\s<>\"'`)\]}/\\][^\s<>\"'`)\]}]{0,2048})"
)
_DOMAIN = re.compile(
    rf"(?<![\w@./\\-])(?P<host>(?:{_LABEL}{_DOT}){{1,8}}(?:(?P<tld>{_TLD})|xn--[a-z0-9-]{{2,59}}))"
    rf"(?![\w@-])(?!\.\w)(?P<port>:\d{{1,5}})?(?P<path>[/?#][^\s<>\"'`)\]}}]{{0,2048}})?",
    re.IGNORECASE,
)
_FOLLOWED = tuple((sign, re.compile(rf"{re.escape(sign)}\S")) for sign in ":/\\.\u3002\uff0e\uff61")
_INNER_DOT = re.compile(r"\.(?=\w)|[\u3002\uff0e\uff61](?=\w)")
_CODE_GATE = re.compile(r"script|data:|file:|blob:|filesystem:")
_INVISIBLE_TO_BROWSERS = str.maketrans("", "", "\t\r\n ")
_FILES = re.compile(r"(?i)\.(?:py|md|sh|rs|pl|so|ps|ai|zip|mov|cc|me|app|name|link|page|id|st)$")
_TRAILING = ".,;:!?'\"*_~"


class Link(NamedTuple):
    """`host`: as a browser reads it, folded; `sent`: the letters as sent; `start`, `end`: in the original text."""

    start: int
    end: int
    host: str
    sent: str
    reason: str


class Links:
    """LINK: an address outside `Text.links_allowed`, in answers. When it cannot read a host it counts as outside."""

    name = "links"
    kinds = frozenset({Kind.LINK})
    reach = Reach.WINDOW

    def find(self, text: Text, language: str) -> list[Finding]:
        """Reasons: `host` (not in the list), `lookalike` (looks like one that is), `scheme` (code or data)."""
        if text.role is not Role.ASSISTANT or not _may_link(text.text):
            return []
        found = []
        for link in links(text.text, language):
            if link.reason == "scheme":
                found.append(Finding(Kind.LINK, link.start, link.end, 1.0, "scheme"))
            elif not allowed(link.sent, text.links_allowed):
                lookalike = link.host != link.sent and allowed(link.host, text.links_allowed)
                found.append(Finding(Kind.LINK, link.start, link.end, 0.95, "lookalike" if lookalike else "host"))
        return found


def _may_link(text: str) -> bool:
    """Whether something stands right behind a sign that addresses are made of. One pattern for each sign that is there:
    a pattern that begins with one sign is ten times as fast as one with a choice of them."""
    return any(sign in text and followed.search(text) is not None for sign, followed in _FOLLOWED)


def links(text: str, language: str = "") -> Iterator[Link]:
    """Every link in `text`, each once, in order of kind: code, address, bare domain."""
    view = normalise(text)
    taken: list[tuple[int, int]] = []
    if ":" in view.text and _CODE_GATE.search(view.text.lower().translate(_INVISIBLE_TO_BROWSERS)):
        for match in _CODE.finditer(view.text):
            start, end = view.span(*match.span())
            taken.append(match.span())
            yield Link(start, end, "", "", "scheme")
    slashes = "//" in view.text or ":/" in view.text or "\\" in view.text
    for match in _ADDRESS.finditer(view.text) if slashes else ():
        group = "rest" if match["rest"] is not None else "bare"
        low, high = _host_span(view.text, *match.span(group))
        taken.append(match.span())
        yield _link(text, view, (match.start(), _trimmed(view.text, match.end())), (low, high))
    for match in _domains(view.text):
        if any(start <= match.start() < end for start, end in taken) or not _is_domain(match, language):
            continue
        yield _link(text, view, (match.start(), _trimmed(view.text, match.end())), match.span("host"))


def _domains(text: str) -> Iterator[re.Match[str]]:
    """Bare domains in the words of `text` that hold a dot inside; one look at plain words."""
    done = 0
    for dot in _INNER_DOT.finditer(text):
        if dot.start() < done:
            continue
        start, end = dot.start(), dot.end()
        while start > done and not text[start - 1].isspace():
            start -= 1
        while end < len(text) and not text[end].isspace():
            end += 1
        done = end
        yield from _DOMAIN.finditer(text, start, end)


def _link(text: str, view: View, whole: tuple[int, int], host: tuple[int, int]) -> Link:
    start, end = view.span(*whole) if whole[1] > whole[0] else view.span(whole[0], whole[0] + 1)
    low, high = view.span(*host) if host[1] > host[0] else (start, start)
    return Link(start, end, _plain(view.text[host[0] : host[1]]), _plain(text[low:high]), "host")


def _host_span(text: str, start: int, end: int) -> tuple[int, int]:
    """The host within `text[start:end]`, an address after its slashes: up to the path, after `user@`, before a port."""
    authority_end = min((i for sign in "/\\?#" if (i := text.find(sign, start, end)) >= 0), default=end)
    at = text.rfind("@", start, authority_end)
    low = at + 1 if at >= 0 else start
    high = authority_end
    if text[low : low + 1] != "[":
        colon = text.find(":", low, high)
        high = colon if colon >= 0 else high
    while high > low and text[high - 1] in _TRAILING:
        high -= 1
    return low, high


def _trimmed(text: str, end: int) -> int:
    while end > 0 and text[end - 1] in _TRAILING:
        end -= 1
    return end


def _is_domain(match: re.Match[str], language: str) -> bool:
    """A bare name with dots that is meant as an address, not the end of a sentence, an abbreviation or a file."""
    host = match["host"]
    tld = (match["tld"] or "xn").lower()
    if match["path"] or match["port"] or host.lower().startswith("www."):
        return True
    if (host[-len(tld) :] != tld and not host.isupper()) or host.replace(".", "").isdigit():
        return False
    if tld in _AMBIGUOUS and tld != language:
        return host.count(".") > 1 or any(sign.isdigit() or sign == "-" for sign in host)
    return _FILES.search(host) is None or host.count(".") > 1


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def allowed(host: str, entries: tuple[str, ...]) -> bool:
    """Whether the list carries `host` (lower case, as sent)."""
    exact, suffixes = _entries(entries)
    return bool(host) and (
        host in exact or host.removeprefix("www.") in exact or any(host.endswith(suffix) for suffix in suffixes)
    )


@lru_cache(maxsize=64)
def _entries(entries: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    plain = [_plain(entry) for entry in entries]
    exact = frozenset(name for entry in plain if not entry.startswith("*.") for name in (entry, _punycode(entry)))
    suffixes = tuple(s for entry in plain if entry.startswith("*.") for s in (entry[1:], "." + _punycode(entry[2:])))
    return exact, suffixes


def _punycode(host: str) -> str:
    """The ASCII form of an international host; the host itself when it has none."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host
