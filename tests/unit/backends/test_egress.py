"""The egress gate without a network: which addresses, which origins, which URLs."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backends.egress import Egress, Origin, denied, objection, parse_url, refuse_redirect
from handrail.terms.errors import Code, HandrailError

OPENAI = Origin("https", "api.openai.com", 443)


def refused(call, *args, **kwargs) -> HandrailError:
    async def main() -> None:
        result = call(*args, **kwargs)
        if asyncio.iscoroutine(result):
            await result

    with pytest.raises(HandrailError) as caught:
        asyncio.run(main())
    return caught.value


@pytest.mark.promise("EGR-3")
@pytest.mark.parametrize("private_network", [False, True])
@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.0.1", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200",
        "168.63.129.16", "192.0.0.192", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::",
        "fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
        "::169.254.169.254",
    ],
)  # fmt: skip
def test_link_local_and_metadata_addresses_are_never_called_in_any_spelling(
    address: str, private_network: bool
) -> None:
    assert objection(address, private_network=private_network) is not None


@pytest.mark.promise("EGR-3")
@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fc00::1", "fd12::1",
     "::ffff:10.0.0.1", "64:ff9b::a00:1", "198.18.0.1"],
)  # fmt: skip
def test_private_addresses_need_the_providers_declaration(address: str) -> None:
    assert "private_network: true" in (objection(address, private_network=False) or "")
    assert objection(address, private_network=True) is None


@pytest.mark.parametrize("address", ["104.18.7.192", "2606:4700::6812:7c0", "64:ff9b::6812:7c0", "8.8.8.8"])
def test_public_addresses_may_be_called(address: str) -> None:
    assert objection(address, private_network=False) is None


def test_what_is_not_an_address_is_refused() -> None:
    assert objection("api.openai.com", private_network=True) == "is not an IP address"


@given(st.ip_addresses())
def test_an_address_allowed_without_a_private_network_is_allowed_with_one(address) -> None:
    if objection(str(address), private_network=False) is None:
        assert objection(str(address), private_network=True) is None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_the_same_inside_ipv6(address) -> None:
    plain = objection(str(address), private_network=False)
    for text in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert (objection(text, private_network=False) is None) == (plain is None)


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://api.openai.com/v1/", OPENAI, "/v1"),
        ("https://API.OpenAI.com:443/v1", OPENAI, "/v1"),
        ("http://localhost:11434/v1", Origin("http", "localhost", 11434), "/v1"),
        ("https://[2001:DB8::1]:8443", Origin("https", "2001:db8::1", 8443), ""),
        ("https://bücher.example/v1", Origin("https", "xn--bcher-kva.example", 443), "/v1"),
    ],
)
def test_a_base_url_is_an_origin_and_a_path(url: str, origin: Origin, path: str) -> None:
    assert parse_url(url) == (origin, path)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://a.example", "https://"),
        ("api.openai.com/v1", "https://"),
        ("https:///v1", "no host"),
        ("https://user:planted@a.example", "key_env"),
        ("https://a.example?key=planted", "query"),
        ("https://a.example#planted", "fragment"),
        ("https://a.example:99999", "valid"),
        ("https://[::1", "valid"),
        ("https://" + "a" * 70 + ".example", "valid"),
    ],
)
def test_a_url_that_is_not_plain_is_refused_with_how_to_mend_it_and_without_its_secrets(url: str, says: str) -> None:
    error = refused(parse_url, url)
    assert error.code is Code.EGRESS_DENIED
    assert says in error.message
    assert "planted" not in error.message


def test_the_host_header_names_the_port_only_where_it_is_not_the_schemes() -> None:
    assert OPENAI.authority == "api.openai.com"
    assert Origin("http", "::1", 8080).authority == "[::1]:8080"


class Names:
    """A resolver that is told its answers and counts its questions."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.now = 0.0

    async def resolve(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self.answers.pop(0)

    def gate(self, *published: Origin) -> Egress:
        return Egress(resolve=self.resolve, published=lambda: set(published), monotonic=lambda: self.now, keep_s=30)


@pytest.mark.promise("EGR-1")
def test_only_published_origins_pass_down_to_scheme_and_port() -> None:
    gate = Names(["8.8.8.8"]).gate(OPENAI)
    for other in (Origin("https", "api.openai.com", 8443), Origin("https", "evil.example", 443)):
        error = refused(gate.addresses, other, private_network=True)
        assert error.code is Code.EGRESS_DENIED
        assert "not published" in error.message
    assert asyncio.run(gate.addresses(OPENAI, private_network=False)) == ("8.8.8.8",)


def test_secrets_do_not_travel_in_clear_outside_a_private_network() -> None:
    plain = Origin("http", "api.openai.com", 80)
    gate = Names(["8.8.8.8"]).gate(plain)
    assert "without TLS" in refused(gate.addresses, plain, private_network=False).message
    assert asyncio.run(gate.addresses(plain, private_network=True)) == ("8.8.8.8",)


def test_of_several_addresses_only_those_that_may_be_called_are_given() -> None:
    gate = Names(["10.0.0.1", "8.8.8.8", "8.8.8.8", "169.254.169.254"]).gate(OPENAI)
    assert asyncio.run(gate.addresses(OPENAI, private_network=False)) == ("8.8.8.8",)


def test_a_resolution_is_kept_for_its_time_and_forgotten_when_told() -> None:
    names = Names(["8.8.8.8"], ["8.8.4.4"], ["9.9.9.9"])
    gate = names.gate(OPENAI)

    def ask() -> tuple[str, ...]:
        return asyncio.run(gate.addresses(OPENAI, private_network=False))

    assert ask() == ask() == ("8.8.8.8",)
    names.now = 30.0
    assert ask() == ("8.8.4.4",)
    gate.forget(OPENAI)
    assert ask() == ("9.9.9.9",)
    assert names.asked == 3


def test_an_unpublished_origin_is_refused_although_its_resolution_is_kept() -> None:
    published = {OPENAI}
    names = Names(["8.8.8.8"])
    gate = Egress(resolve=names.resolve, published=lambda: published, monotonic=lambda: 0.0)
    asyncio.run(gate.addresses(OPENAI, private_network=False))
    published.clear()
    assert refused(gate.addresses, OPENAI, private_network=False).code is Code.EGRESS_DENIED


def test_a_name_without_an_address_is_unreachable() -> None:
    gate = Names([]).gate(OPENAI)
    assert refused(gate.addresses, OPENAI, private_network=False).code is Code.UPSTREAM_UNREACHABLE


@pytest.mark.promise("EGR-2")
def test_a_redirect_is_refused_and_not_modified_is_not_one() -> None:
    for status in (300, 301, 302, 303, 307, 308):
        assert refused(refuse_redirect, status, "provider p").code is Code.EGRESS_DENIED
    for status in (200, 304, 404):
        refuse_redirect(status, "provider p")


def test_a_denial_is_an_error_of_the_one_family() -> None:
    assert denied("why").code is Code.EGRESS_DENIED
