"""What a server says of itself, asked over a real socket."""

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from handrail.app.standing import standing

READY = b'HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{"status":"ready"}'
UNPUBLISHED = b'HTTP/1.1 503 \r\n\r\n{"status":"nothing is published yet"}'


def asked(answer: bytes, context: ssl.SSLContext | None = None) -> str:
    with socket.create_server(("127.0.0.1", 0)) as ours:

        def serve() -> None:
            caller, _ = ours.accept()
            with context.wrap_socket(caller, server_side=True) if context else caller as speaking:
                speaking.recv(4_096)
                speaking.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return standing("127.0.0.1", ours.getsockname()[1], tls=context is not None)
        finally:
            thread.join(5)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (READY, ""),
        (UNPUBLISHED, "it is not ready: nothing is published yet"),
        (b"HTTP/1.1 200 OK\r\n\r\nhi", "another program listens"),
    ],
)
def test_it_says_what_the_server_says(answer: bytes, said: str) -> None:
    assert asked(answer).startswith(said)
    assert bool(asked(answer)) is bool(said)


def test_nothing_that_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
    assert standing("127.0.0.1", port, tls=False) == f"nothing listens on 127.0.0.1:{port}"


def test_over_tls_it_is_asked_too(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=3_650))
    pem = tmp_path / "here.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    assert asked(READY, context) == ""
    assert asked(UNPUBLISHED, context) == "it is not ready: nothing is published yet"
