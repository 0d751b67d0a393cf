"""What is certain after an MCP call that failed: by what left, the HTTP status, and the server's JSON-RPC error."""

import httpx2
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, REQUEST_TIMEOUT

from handrail.backends.tools.mcp import failed
from handrail.backends.tools.mcp_exchange import Exchange
from handrail.guard.execute import Effect
from handrail.terms.errors import Code, HandrailError

LOST = httpx2.ReadError("gone")
INVALID, INTERNAL = MCPError(INVALID_PARAMS, "no"), MCPError(INTERNAL_ERROR, "broken")


@pytest.mark.promise("MCP-12")
@pytest.mark.parametrize(("error", "left", "status", "effect", "code"), [
    (LOST, False, 0, Effect.NONE, "upstream.unreachable"),
    (LOST, True, 0, Effect.UNSURE, "upstream.error"),
    (LOST, True, 200, Effect.UNSURE, "upstream.error"),
    (INVALID, True, 200, Effect.NONE, "target.error_32602"),
    (MCPError(METHOD_NOT_FOUND, "no"), True, 200, Effect.NONE, "target.error_32601"),
    (INTERNAL, True, 200, Effect.UNSURE, "target.error_32603"),
    (INVALID, True, 400, Effect.NONE, "target.status_400"),
    (INVALID, True, 404, Effect.NONE, "target.status_404"),
    (INVALID, True, 409, Effect.UNSURE, "upstream.error"),
    (INVALID, True, 408, Effect.UNSURE, "upstream.error"),
    (INTERNAL, True, 502, Effect.UNSURE, "upstream.error"),
    (INTERNAL, True, 307, Effect.UNSURE, "upstream.error"),
    (MCPError(REQUEST_TIMEOUT, "late"), True, 0, Effect.UNSURE, "upstream.timeout"),
    (MCPError(REQUEST_TIMEOUT, "late"), False, 0, Effect.NONE, "upstream.timeout"),
    (TimeoutError(), True, 200, Effect.UNSURE, "upstream.timeout"),
])  # fmt: skip
def test_only_what_never_left_or_was_refused_as_a_request_is_none(
    error: Exception, left: bool, status: int, effect: Effect, code: str
) -> None:
    for raised in (error, ExceptionGroup("of tasks", [ExceptionGroup("inner", [error])])):
        answer = failed(raised, Exchange(left=left, status=status, sent=b"{}"))
        assert (answer.effect, answer.code, answer.request) == (effect, code, b"{}")


def test_the_gate_and_a_missing_secret_say_their_own_code() -> None:
    denied = Exchange(denied=HandrailError(Code.EGRESS_DENIED, "no"))
    assert failed(httpx2.ConnectError("no"), denied).code == "egress.denied"
    missing = HandrailError(Code.UPSTREAM_UNREACHABLE, "no key")
    assert (failed(missing, Exchange()).effect, failed(missing, Exchange()).code) == (
        Effect.NONE, "upstream.unreachable",
    )  # fmt: skip
