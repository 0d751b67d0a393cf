"""One call at the MCP door, as an agent's client makes it: a session, the call, the end of the session.

The key is one for probes, so the door decides and does nothing. What cannot be reached or answers nonsense is an error
that is told, never a verdict.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from handrail.trials.client import Client, Reply, error_of

VERSION = "2025-06-18"
SESSION = "mcp-session-id"
ACCEPT = {"accept": "application/json, text/event-stream"}


def call_tool(
    doors: Client | None, use_case: str, key: str, tool: str, arguments: Mapping[str, Any], *,
    said: Sequence[Mapping[str, Any]], customer: str, facts: Mapping[str, Any], release: str,
) -> tuple[dict[str, Any], str]:  # fmt: skip
    """What the door says would become of it, and why it says nothing; one of the two is empty. `tool`: the registered
    name. `said`: what came before, as OpenAI messages."""
    if doors is None:
        return {}, "the address of the MCP door is not known (--mcp-url)"
    path = f"/mcp/{use_case}"
    about = {"clientInfo": {"name": "handrail-trial", "version": "1"}, "capabilities": {}, "protocolVersion": VERSION}
    reply = doors.post(path, _request(1, "initialize", about), key, ACCEPT)
    if error := error_of(reply):
        return {}, error
    _, error = _answer(reply, 1)
    if error:
        return {}, error
    headers = {**ACCEPT, "mcp-protocol-version": VERSION, "x-handrail-release": release}
    if SESSION in reply.headers:
        headers[SESSION] = reply.headers[SESSION]
    doors.post(path, {"jsonrpc": "2.0", "method": "notifications/initialized"}, key, headers)
    meta: dict[str, Any] = {"handrail/said": list(said), "handrail/facts": dict(facts)}
    if customer:
        meta["handrail/customer"] = customer
    given = {"name": tool, "arguments": dict(arguments), "_meta": meta}
    reply = doors.post(path, _request(2, "tools/call", given), key, headers)
    if SESSION in headers:
        doors.post(path, None, key, headers, "DELETE")
    if error := error_of(reply):
        return {}, error
    result, error = _answer(reply, 2)
    told = result.get("structuredContent")
    if not error and not (isinstance(told, dict) and told.get("status") == "would_be"):
        error = "the MCP door did not say that this was a probe"
    return (told if not error and isinstance(told, dict) else {}), error


def _request(number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def _answer(reply: Reply, number: int) -> tuple[dict[str, Any], str]:
    """The result, or the error's words. The answer may come as one event among others."""
    rows = _rows(reply.body)
    found = next((row for row in rows if isinstance(row, dict) and row.get("id") == number), None)
    if found is None:
        return {}, "the MCP door gave no answer"
    if "error" in found:
        said = found["error"].get("message") if isinstance(found["error"], dict) else ""
        return {}, f"the MCP door refused it: {said}"
    result = found.get("result")
    return (result, "") if isinstance(result, dict) else ({}, "the MCP door gave no result")


def _rows(body: Any) -> list[Any]:
    if not isinstance(body, str):
        return [body]
    rows = []
    for line in body.splitlines():
        if line.startswith("data:") and line[5:].strip():
            try:
                rows.append(orjson.loads(line[5:]))
            except orjson.JSONDecodeError:
                return []
    return rows
