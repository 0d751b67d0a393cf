"""What `handrail mcp` asks of a running server over HTTP: tools, decisions, redeem, report, standing."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import msgspec

from handrail.terms.errors import Code, HandrailError

TIMEOUT_S = 30.0


class Given(msgspec.Struct, frozen=True):
    """An answer to a decision. With `permit`: redeem it, then do exactly `arguments`, once."""

    action_id: str
    status: str
    message: str = ""
    retry_after: int | None = None
    result: Any = None
    permit: str = ""
    arguments: dict[str, Any] = {}
    audience: str = ""
    why: tuple[str, ...] = ()


class Listed(msgspec.Struct, frozen=True):
    """A registered tool, as far as its caller needs it."""

    id: str
    name: str
    upstream: str
    upstream_kind: str
    type: str
    title: str
    description: str
    arguments: dict[str, Any]
    result: dict[str, Any] | None
    manifest: str | None
    fails_with: tuple[str, ...] = ()


class ToolList(msgspec.Struct, frozen=True):
    use_case: str
    tools: tuple[Listed, ...]


class Server:
    """A running handrail, for one API key. Raises HandrailError with the server's code, or UPSTREAM_UNREACHABLE; who
    was not told that a redeem succeeded must not execute."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx2.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=httpx2.Timeout(TIMEOUT_S)
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def tools(self) -> ToolList:
        return msgspec.json.decode(await self._asked("GET", "/api/v1/tools"), type=ToolList)

    async def decide(self, call: Mapping[str, Any]) -> Given:
        return msgspec.json.decode(await self._asked("POST", "/api/v1/decisions", call), type=Given)

    async def redeem(self, given: Given) -> None:
        shown = {"permit": given.permit, "audience": given.audience, "arguments": given.arguments}
        await self._asked("POST", f"/api/v1/decisions/{given.action_id}/redeem", shown)

    async def report(self, action: str, status: str, result: Any, answer: bytes, code: str = "") -> None:
        said = {
            "status": status, "result": result, "response_digest": hashlib.sha256(answer).hexdigest(), "code": code,
        }  # fmt: skip
        await self._asked("POST", f"/api/v1/decisions/{action}/outcome", said)

    async def look(self, action: str) -> Given:
        return msgspec.json.decode(await self._asked("GET", f"/api/v1/actions/{action}"), type=Given)

    async def cancel(self, action: str) -> Given:
        return msgspec.json.decode(await self._asked("DELETE", f"/api/v1/actions/{action}"), type=Given)

    async def alive(self, runner: str, actions: Sequence[str]) -> dict[str, str]:
        """Where each stands."""
        said = await self._asked("POST", "/api/v1/runners", {"runner": runner, "actions": list(actions)})
        states: dict[str, str] = msgspec.json.decode(said)["actions"]
        return states

    async def _asked(self, method: str, path: str, body: Any = None) -> bytes:
        content = None if body is None else msgspec.json.encode(body)
        try:
            answer = await self._http.request(
                method, path, content=content, headers={"content-type": "application/json"}
            )  # fmt: skip
        except httpx2.HTTPError as error:
            raise HandrailError(
                Code.UPSTREAM_UNREACHABLE, f"the handrail server does not answer ({type(error).__name__}); see --url"
            ) from None
        if answer.status_code >= 400:
            raise _refusal(answer.content)
        return answer.content


def _refusal(body: bytes) -> HandrailError:
    try:
        said = msgspec.json.decode(body)["error"]
        return HandrailError(Code(said["code"]), str(said["message"]))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return HandrailError(Code.UPSTREAM_INVALID, "the server gave an answer that is none of handrail's")
