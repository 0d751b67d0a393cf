"""TLS with one's own authority, and the egress gate in front of both clients, against real sockets."""

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from handrail.backends.egress import Egress, parse_url, system_resolve
from handrail.backends.upstream.clients import own_http, with_aiohttp
from handrail.backends.upstream.model import UpstreamModel
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ProviderId

NOW = datetime.datetime.now(datetime.UTC)


async def refusal(awaitable) -> HandrailError:
    with pytest.raises(HandrailError) as caught:
        await awaitable
    return caught.value


def certificate(name: str, key, *, signer=None, signer_name: str | None = None) -> x509.Certificate:
    """Its own authority unless `signer` is given."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, signer_name or name)])
    authority = (signer or key).public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
    )
    if signer is None:
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(usage, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(signer or key, hashes.SHA256())


class Authority:
    """An own CA in a folder; `context(name)`: a server's side of TLS for a host name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.ca_file = folder / "ca.pem"
        pem = certificate("test authority", self.key).public_bytes(serialization.Encoding.PEM)
        self.ca_file.write_bytes(pem)

    def context(self, name: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = certificate(name, key, signer=self.key, signer_name="test authority")
        file = self.folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


async def hello(call) -> None:
    await call.answer(b"hello over TLS")


@pytest.mark.promise("UPS-10")
def test_a_provider_with_a_certificate_of_ones_own_authority_is_reached(bench, authority) -> None:
    async def test(model, site) -> None:
        ask = site.ask(ca_file=str(authority.ca_file))
        for _ in range(2):
            assert await (await model.send(ask)).read() == b"hello over TLS"
        assert site.connections == 1

    bench.play(hello, test, tls=authority.context("localhost"))


@pytest.mark.promise("UPS-10")
@pytest.mark.parametrize("name", ["localhost", "other.example"])
def test_a_certificate_that_is_unknown_or_for_another_name_is_refused_at_once(bench, authority, name: str) -> None:
    async def test(model, site) -> None:
        trusted = str(authority.ca_file) if name != "localhost" else None
        error = await refusal(model.send(site.ask(ca_file=trusted)))
        assert error.code is Code.UPSTREAM_UNREACHABLE
        assert "ca_file" in error.message
        assert bench.pauses == []
        assert site.calls == []

    bench.play(hello, test, tls=authority.context(name))


def test_a_ca_file_that_cannot_be_read_says_so_without_its_path(bench, authority, tmp_path) -> None:
    empty = tmp_path / "hidden-name.pem"
    empty.write_text("not a certificate")

    async def test(model, site) -> None:
        for file in (str(empty), str(tmp_path / "hidden-name-absent.pem")):
            error = await refusal(model.send(site.ask(ca_file=file)))
            assert error.code is Code.UPSTREAM_UNREACHABLE
            assert "ca_file" in error.message
            assert "hidden-name" not in str(error)

    bench.play(hello, test, tls=authority.context("localhost"))


# the gate


@pytest.mark.promise("EGR-1")
def test_an_origin_that_was_not_published_is_never_connected_to(bench) -> None:
    async def test(model, site) -> None:
        async with type(site)(hello).open() as other:
            error = await refusal(model.send(site.ask(base_url=other.provider().base_url, id=ProviderId("other"))))
            assert error.code is Code.EGRESS_DENIED
            assert "handrail publish" in error.message
            assert other.connections == 0

    bench.play(hello, test)


@pytest.mark.promise("EGR-2")
@pytest.mark.parametrize("status", ["301 X", "302 X", "303 X", "307 X", "308 X"])
def test_a_redirect_is_refused_and_never_followed(bench, status: str) -> None:
    async def test(model, site) -> None:
        async with type(site)(hello).open() as other:

            async def redirect(call) -> None:
                await call.answer(b"", status=status, headers=(f"location: http://localhost:{other.port}/stolen",))

            site.handler = redirect
            error = await refusal(model.send(site.ask()))
            assert error.code is Code.EGRESS_DENIED
            assert "redirect" in error.message
            assert (other.connections, len(site.calls)) == (0, 1)

    bench.play(hello, test)


@pytest.mark.promise("EGR-3")
def test_a_loopback_provider_is_refused_unless_its_network_is_declared_private(bench, authority) -> None:
    async def test(model, site) -> None:
        error = await refusal(model.send(site.ask(private_network=False, ca_file=str(authority.ca_file))))
        assert error.code is Code.EGRESS_DENIED
        assert "private_network: true" in error.message
        assert site.connections == 0

    bench.play(hello, test, tls=authority.context("localhost"))


def client(bench, site, resolve, base_url: str | None = None) -> UpstreamModel:
    """A client whose names are resolved by the test."""
    origin = parse_url(base_url or f"http://models.internal:{site.port}/v1")[0]
    egress = Egress(resolve=resolve, published=lambda: {origin}, monotonic=bench.clock.monotonic)
    make = with_aiohttp if bench.kind == "aiohttp" else own_http
    return UpstreamModel(
        connect=make(egress=egress, secret=lambda _: "k"), clock=bench.clock, jitter=lambda: 0.0, pause=asyncio.sleep
    )


@pytest.mark.promise("EGR-4")
def test_the_address_that_was_looked_at_is_the_one_connected_to(bench) -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    async def test(_model, site) -> None:
        model = client(bench, site, resolve)
        ask = site.ask(base_url=f"http://models.internal:{site.port}/v1", attempts=1)
        assert await (await model.send(ask)).read() == b"hello over TLS"
        assert len(answers) == 1  # one look-up: nothing resolves the name a second time
        assert site.calls[0].headers["host"] == f"models.internal:{site.port}"
        bench.clock.s += 3600
        site.calls[0].writer.close()
        await asyncio.sleep(0.02)
        error = await refusal(model.send(ask))
        assert error.code is Code.EGRESS_DENIED
        assert len(site.calls) == 1
        await model.close()

    bench.play(hello, test)


@pytest.mark.promise("EGR-3")
def test_an_address_written_out_is_looked_at_too(bench) -> None:
    async def test(_model, site) -> None:
        base_url = f"https://127.0.0.1:{site.port}/v1"
        model = client(bench, site, system_resolve, base_url)
        error = await refusal(model.send(site.ask(base_url=base_url, private_network=False)))
        assert error.code is Code.EGRESS_DENIED
        assert site.connections == 0
        await model.close()

    bench.play(hello, test)


@pytest.mark.promise("UPS-10")
@pytest.mark.parametrize("name", ["models.internal", "localhost"])
def test_the_certificate_is_checked_against_the_providers_name_not_its_address(bench, authority, name: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def test(_model, site) -> None:
        base_url = f"https://models.internal:{site.port}/v1"
        model = client(bench, site, resolve, base_url)
        ask = site.ask(base_url=base_url, ca_file=str(authority.ca_file))
        if name == "models.internal":
            assert await (await model.send(ask)).read() == b"hello over TLS"
        else:
            assert (await refusal(model.send(ask))).code is Code.UPSTREAM_UNREACHABLE
            assert site.calls == []
        await model.close()

    bench.play(hello, test, tls=authority.context(name))


@pytest.mark.promise("UPS-2")
def test_a_provider_that_does_not_finish_connecting_is_left_in_time_and_tried_again(bench) -> None:
    async def test(_model, site) -> None:
        base_url = f"https://localhost:{site.port}/v1"  # the site does not speak TLS: the handshake never ends
        model = client(bench, site, system_resolve, base_url)
        error = await refusal(model.send(site.ask(base_url=base_url, connect_timeout_ms=60, attempts=2)))
        assert error.code is Code.UPSTREAM_TIMEOUT
        assert site.connections == 2
        await model.close()

    bench.play(hello, test)


def test_a_name_that_does_not_resolve_is_unreachable_after_all_tries(bench) -> None:
    tries = []

    async def resolve(host: str, port: int) -> list[str]:
        tries.append(host)
        raise OSError("no such name")

    async def test(_model, site) -> None:
        model = client(bench, site, resolve)
        ask = site.ask(base_url=f"http://models.internal:{site.port}/v1", attempts=1)
        assert (await refusal(model.send(ask))).code is Code.UPSTREAM_UNREACHABLE
        assert tries == ["models.internal"]
        await model.close()

    bench.play(hello, test)


def test_the_second_address_is_tried_when_the_first_refuses(bench) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.9", "127.0.0.1"]  # the site listens on the second only

    async def test(_model, site) -> None:
        model = client(bench, site, resolve)
        ask = site.ask(base_url=f"http://models.internal:{site.port}/v1", attempts=1)
        assert await (await model.send(ask)).read() == b"hello over TLS"
        await model.close()

    bench.play(hello, test)


@pytest.mark.promise("UPS-1")
def test_the_secret_is_in_no_error_whatever_goes_wrong(bench) -> None:
    async def handler(call) -> None:
        match call.number % 4:
            case 0:
                await call.send(b"HTTP/1.1 200 OK\r\n" + call.headers["authorization"].encode() + b"\r\n\r\n")
            case 1:
                call.hang_up()
            case 2:
                await call.send(b"HTTP/1.1 302 X\r\nlocation: /" + call.headers["authorization"].encode() + b"\r\n\r\n")
                call.hang_up()
            case 3:
                await call.until_client_leaves()

    async def test(model, site) -> None:
        codes = set()
        for _ in range(4):
            error = await refusal(model.send(site.ask(attempts=1, first_byte_timeout_ms=80)))
            codes.add(error.code)
            shown = [str(error), repr(error.__cause__), repr(error.__context__)]
            assert bench.secret not in "".join(shown)
        assert len(codes) == 4

    bench.play(handler, test)


def test_a_secret_no_header_can_carry_is_refused_without_being_shown(bench) -> None:
    bench.secret = "sk-two\r\nx-injected: lines"

    async def test(model, site) -> None:
        error = await refusal(model.send(site.ask()))
        assert error.code is Code.UPSTREAM_UNREACHABLE
        assert "sk-two" not in str(error)
        assert site.connections == 0

    bench.play(hello, test)


def test_the_system_resolver_gives_literals_back_as_they_are() -> None:
    assert asyncio.run(system_resolve("127.0.0.1", 1)) == ("127.0.0.1",)
