"""A published log over HTTP, for a reader outside: one kept connection, no redirects, bounded answers.

The address is one that a person gave to `handrail verify` or `handrail proof`; nothing is sent but GET requests for the
paths of the log. Whatever comes back is checked against signatures, so the address need not be trusted.
"""

import http.client
import ssl
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from handrail.ledger.paths import is_log_path
from handrail.terms.errors import Code, HandrailError

MAX_ANSWER = 256 * (65_535 + 2)  # bytes: the longest entry bundle there can be
TIMEOUT_S = 30.0


class HttpLog:
    """Reads `<url>checkpoint`, `<url>tile/...`. Not for two threads at once."""

    def __init__(self, url: str, *, ca_file: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        """`url`: the log's address, ending with `/log/` on a handrail server. `ca_file`: PEM of an own authority.
        Raises HandrailError REQUEST_INVALID for an address that is not http or https."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise HandrailError(
                Code.REQUEST_INVALID, "the address of a log is http(s)://host[:port]/path/, such as https://host/log/"
            )
        self._prefix = parts.path.rstrip("/") + "/"
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca_file)
            self._connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout_s, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def read(self, path: str) -> bytes | None:
        """Bytes of a file of the log, None for 404 and 410. Raises HandrailError UPSTREAM_UNREACHABLE or
        UPSTREAM_ERROR, also when the answer ends before its declared length."""
        if not is_log_path(path):
            return None
        try:
            return self._get(path)
        except (http.client.RemoteDisconnected, ConnectionError):
            self._connection.close()  # a kept connection that the server closed: once more on a new one
        try:
            return self._get(path)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None

    def _get(self, path: str) -> bytes | None:
        try:
            self._connection.request("GET", self._prefix + path, headers={"accept-encoding": "identity"})
            answer = self._connection.getresponse()
            data = answer.read(MAX_ANSWER + 1)
            if answer.length and len(data) <= MAX_ANSWER:
                raise http.client.IncompleteRead(data, answer.length)
        except (http.client.RemoteDisconnected, ConnectionError):
            raise
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        if answer.status in (404, 410):
            self._drop_if_unread(answer)
            return None
        if answer.status != 200 or len(data) > MAX_ANSWER:
            self._connection.close()
            what = f"status {answer.status}" if answer.status != 200 else f"more than {MAX_ANSWER} bytes"
            raise HandrailError(Code.UPSTREAM_ERROR, f"the log answered {path} with {what}")
        self._drop_if_unread(answer)
        return data

    def _drop_if_unread(self, answer: http.client.HTTPResponse) -> None:
        if not answer.isclosed():
            self._connection.close()

    def _unreachable(self, error: Exception) -> HandrailError:
        self._connection.close()
        why = type(error).__name__ if not isinstance(error, ssl.SSLError) else f"TLS: {error.reason}"
        return HandrailError(Code.UPSTREAM_UNREACHABLE, f"the log's server cannot be read ({why})")
