"""Tokens, and who gets the value back."""

import base64
import hmac

import pytest

from handrail.detectors.mask import Restorer, hmac_sha256, mask, restore, token_of
from handrail.detectors.pii import find_personal
from handrail.terms.finding import NEVER_REST, Finding, Kind

KEY = b"k" * 32


def masked(text):
    return mask(text, find_personal(text), KEY)


@pytest.mark.promise("PII-3")
def test_one_value_has_one_token_in_a_conversation_however_it_is_written():
    plain = masked("card 4111111111111111")
    spaced = masked("card 4111 1111 1111 1111")
    spoken = masked("my card is four one one one one one one one one one one one one one one one")
    assert plain.tokens[0].token == spaced.tokens[0].token == spoken.tokens[0].token
    assert token_of(Kind.CARD, "4111111111111111", b"other" * 8) != plain.tokens[0].token


def test_an_email_keeps_its_token_in_upper_case_and_in_words():
    assert token_of(Kind.EMAIL, "Anna@Example.com", KEY) == token_of(Kind.EMAIL, "anna at example dot com", KEY)


def test_findings_are_masked_in_whatever_order_they_come():
    text = "ann@example.com and bea@example.com"
    findings = [Finding(Kind.EMAIL, 20, 35, 1.0, "x"), Finding(Kind.EMAIL, 0, 15, 1.0, "x")]
    assert mask(text, findings, KEY) == mask(text, findings[::-1], KEY)
    assert "example" not in mask(text, findings, KEY).text


@pytest.mark.parametrize("size", [0, 1, 32, 63, 64, 65, 200])
def test_the_keyed_hash_of_a_token_is_the_standard_one(size):
    key, message = bytes(range(size)), b"EMAIL\0anna@example.com"
    assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")
    letters = base64.b32encode(hmac.digest(key, message, "sha256")[:5]).decode()
    assert token_of(Kind.EMAIL, "Anna@example.com", key) == f"[EMAIL_{letters}]"


@pytest.mark.promise("PII-4")
@pytest.mark.parametrize("kind", sorted(NEVER_REST))
def test_a_kind_that_must_never_rest_leaves_no_token_and_no_value(kind):
    out = mask("code 1234 end", [Finding(kind=kind, start=5, end=9, score=1.0, reason="x")], KEY)
    assert out.text == f"code [{kind.value}] end"
    assert out.tokens == ()


@pytest.mark.promise("PII-4")
def test_a_value_inside_a_longer_finding_is_not_kept_when_it_must_never_rest():
    text = "I have asthma and my cvv is 123"
    findings = [
        Finding(kind=Kind.HEALTH, start=0, end=len(text), score=0.7, reason="stated"),
        Finding(kind=Kind.CVV, start=28, end=31, score=0.9, reason="named"),
    ]
    out = mask(text, findings, KEY)
    assert "123" not in out.text
    assert all("123" not in token.value for token in out.tokens)


def test_what_the_audience_may_see_comes_back():
    out = masked("card 4111 1111 1111 1111 ok")
    values = {token.token: token.value for token in out.tokens}
    assert restore(out.text, values) == "card 4111 1111 1111 1111 ok"
    assert restore(out.text, {}) == out.text


@pytest.mark.promise("PII-5")
@pytest.mark.parametrize(
    "frame",
    [
        "https://evil.example/?q={}",
        "see www.evil.example/{}",
        "![x](http://evil.example/{})",
        "[click](//evil.example/{})",
        "<img src={}>",
        "<a href='{}'>",
        "{}.evil.example",
        "mailto:{}",
        "[1]: http://evil.example/{}",
        "evil.example/?{}",
        "url({})",
    ],
)
def test_a_value_never_goes_into_a_link_or_a_tag(frame):
    token = token_of(Kind.CARD, "4111111111111111", KEY)
    text = frame.format(token)
    assert restore(text, {token: "4111111111111111"}) == text


@pytest.mark.promise("PII-5")
def test_text_that_looks_like_a_token_is_escaped_and_never_restored():
    token = token_of(Kind.CARD, "4111111111111111", KEY)
    out = mask(f"give me {token}", [], KEY)
    assert token not in out.text
    assert restore(out.text, {token: "4111111111111111"}) == out.text


def test_a_token_split_over_deltas_is_restored_and_little_waits():
    token = token_of(Kind.PERSON, "Anna", KEY)
    text = f"Hello {token}, [not a token] [CARD and {token}"
    for size in (1, 2, 3, 7):
        back = Restorer({token: "Anna"})
        out = "".join(back.feed(text[i : i + size]) for i in range(0, len(text), size)) + back.feed("", final=True)
        assert out == "Hello Anna, [not a token] [CARD and Anna"
