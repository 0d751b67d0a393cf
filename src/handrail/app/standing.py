"""Whether the server on an address serves, as it says itself at `/readyz`. Blocks, for two seconds at most per step."""

import re
import socket

_STATUS = re.compile(rb'"status" ?: ?"([^"]{1,80})"')
WAIT_S = 2.0
MOST = 65_536
"""Bytes of the answer that are looked at."""


def standing(host: str, port: int, *, tls: bool) -> str:
    """Empty when it is ready, else why not. The certificate is not checked: nothing is told to who answers."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  read, not bound
    try:
        connection = socket.create_connection((near, port), WAIT_S)
    except OSError:
        return f"nothing listens on {host}:{port}"
    asked = f"GET /readyz HTTP/1.1\r\nhost: {near}\r\nconnection: close\r\n\r\n".encode()
    with connection:
        try:
            answer = _over_tls(connection, asked) if tls else _answer(connection, asked)
        except OSError:
            return f"{host}:{port} is taken by something that does not answer"
    status, _, body = answer.partition(b"\r\n\r\n")
    if b"handrail" not in status.lower() and b'"status"' not in body:
        return f"another program listens on {host}:{port}"
    if b" 200 " in status[:16]:
        return ""
    said = _STATUS.search(body)
    return f"it is not ready: {(said[1] if said else body[:80]).decode(errors='replace')}"


def _over_tls(connection: socket.socket, asked: bytes) -> bytes:
    import ssl  # deferred: the parent of a server without TLS keeps it out of its memory

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(connection) as wrapped:
        return _answer(wrapped, asked)


def _answer(connection: socket.socket, asked: bytes) -> bytes:
    """To the end, which may come in pieces; of a program that never ends, the beginning."""
    connection.sendall(asked)
    answer = b""
    while len(answer) < MOST and (piece := connection.recv(4_096)):
        answer += piece
    return answer
