"""A small client of the ordinary HTTP API, as a bot would have it: three dialects, streams, tools.

It never looks at anything but what the gateway sends back.
"""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from handrail.app.demo.script import Talk, Tool

TIMEOUT_S = 30
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """`status`: HTTP. `raw`: the body as it came. `calls`: tool calls in the chat dialect's form."""

    status: int
    headers: dict[str, str]
    raw: str
    text: str
    calls: tuple[Json, ...] = ()

    @property
    def interaction(self) -> str:
        return self.headers.get("x-handrail-interaction", "")

    @property
    def outcome(self) -> str:
        return self.headers.get("x-handrail-outcome", "")


@dataclass(slots=True)
class Bot:
    """One conversation of one bot; it resends the whole history each turn, as bots do. `host`: host:port."""

    host: str
    key: str
    talk: Talk
    history: list[Json] = field(default_factory=list)

    def ask(self, new: list[Json], tools: tuple[Tool, ...], model: str) -> Answer:
        """Raises OSError when the gateway cannot be reached."""
        self.history += new
        status, headers, raw = self._post(self._body(tools, model))
        answer = _read(self.talk.dialect, status, headers, raw)
        if status == 200:
            said: Json = {"role": "assistant", "content": answer.text or None}
            self.history.append(said | {"tool_calls": list(answer.calls)} if answer.calls else said)
        return answer

    def _body(self, tools: tuple[Tool, ...], model: str) -> Json:
        talk = self.talk
        body: Json = {"model": model, "stream": talk.stream}
        if talk.dialect == "responses":
            return body | {"input": self.history}
        body["messages"] = self.history
        if talk.dialect == "messages":
            body["max_tokens"] = 400
        if tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": t.name, "description": t.description, "parameters": t.parameters},
                }
                for t in tools
            ]
        return body

    def _post(self, body: Json) -> tuple[int, dict[str, str], str]:
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.key}"}
        if self.talk.dialect == "messages":
            headers |= {"x-api-key": self.key, "anthropic-version": "2023-06-01"}
            del headers["authorization"]
        if self.talk.customer:
            headers["x-handrail-customer"] = self.talk.customer
        if self.talk.conversation:
            headers["x-handrail-conversation"] = self.talk.conversation
        if self.talk.channel:
            headers["x-handrail-channel"] = self.talk.channel
        connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
        try:
            connection.request("POST", PATHS[self.talk.dialect], json.dumps(body).encode(), headers)
            response = connection.getresponse()
            raw = response.read().decode()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, raw
        finally:
            connection.close()


def _read(dialect: str, status: int, headers: dict[str, str], raw: str) -> Answer:
    if status != 200:
        return Answer(status, headers, raw, "")
    if headers.get("content-type", "").startswith("text/event-stream"):
        text, calls = _streamed(dialect, list(_events(raw)))
    else:
        text, calls = _whole(dialect, json.loads(raw))
    return Answer(status, headers, raw, text, calls)


def _events(raw: str) -> Iterator[Json]:
    for line in raw.splitlines():
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line[6:])


def _whole(dialect: str, value: Json) -> tuple[str, tuple[Json, ...]]:
    match dialect:
        case "chat":
            message = value["choices"][0]["message"]
            return message.get("content") or message.get("refusal") or "", tuple(message.get("tool_calls") or ())
        case "responses":
            parts = [part for item in value["output"] for part in item.get("content") or ()]
            return "".join(part.get("text") or part.get("refusal") or "" for part in parts), ()
    return "".join(part.get("text", "") for part in value["content"]), ()


def _streamed(dialect: str, events: list[Json]) -> tuple[str, tuple[Json, ...]]:
    if dialect == "responses":
        deltas = ("response.output_text.delta", "response.refusal.delta")
        return "".join(event["delta"] for event in events if event["type"] in deltas), ()
    if dialect == "messages":
        return "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta"), ()
    text = ""
    calls: dict[int, Json] = {}
    for event in events:
        for choice in event.get("choices", ()):
            delta = choice["delta"]
            text += delta.get("content") or delta.get("refusal") or ""
            for part in delta.get("tool_calls") or ():
                _add_call(calls, part)
    return text, tuple(calls.values())


def _add_call(calls: dict[int, Json], part: Json) -> None:
    given = part.get("function") or {}
    call = calls.setdefault(part["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
    if part.get("id"):
        call["id"] = part["id"]
    call["function"]["name"] += given.get("name") or ""
    call["function"]["arguments"] += given.get("arguments") or ""


def act(host: str, key: str, asked: Json) -> Json:
    """`POST /api/v1/actions`, as an agent asks; the answer with its HTTP status as `code`."""
    return _json(host, "POST", "/api/v1/actions", key, asked)


def outcome(host: str, key: str, action: str, wait_s: int) -> Json:
    """`GET /api/v1/actions/ID`, waiting for its end."""
    return _json(host, "GET", f"/api/v1/actions/{action}?wait={wait_s}", key, None)


def _json(host: str, method: str, path: str, key: str, body: Json | None) -> Json:
    connection = http.client.HTTPConnection(host, timeout=TIMEOUT_S + 30)
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    try:
        connection.request(method, path, json.dumps(body).encode() if body is not None else None, headers)
        response = connection.getresponse()
        return {"code": response.status, **json.loads(response.read())}
    finally:
        connection.close()
