"""What all dialects share when they read a request and write an answer."""

import hashlib
from typing import Any

import msgspec
import orjson

FINGERPRINT = "scripted:no-model:answers-come-from-a-script"
CREATED = 1_767_225_600  # 2026-01-01; a script has no clock, so that every run is the same


class BadRequest(Exception):
    """The request cannot be read; the text says why."""


class Body(msgspec.Struct, frozen=True):
    """An answer in one piece."""

    data: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"


class Events(msgspec.Struct, frozen=True):
    """An answer as server-sent events. `failure`: the dialect's error event, for `scripted-stream-error`."""

    events: tuple[bytes, ...]
    failure: bytes


Answer = Body | Events


def named(model: str) -> str:
    """The model name in answers: always says that it is scripted."""
    return model if model.startswith("scripted") else f"scripted:{model}"


def make_id(prefix: str, serial: int, part: int = 0) -> str:
    """Ids differ per request and are the same in every run."""
    return f"{prefix}{hashlib.sha256(f'{prefix}/{serial}/{part}'.encode()).hexdigest()[:24]}"


def json_body(value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Body:
    return Body(orjson.dumps(value), status, headers)


def data_event(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def named_event(value: dict[str, Any]) -> bytes:
    return b"event: " + str(value["type"]).encode() + b"\n" + data_event(value)


def text_of(content: Any) -> str:
    """All text of a message's content: a string, or parts with `text`; other parts count as nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") or "" for part in content if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str) and part)
    return ""


def since_user(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What follows the last message with a user's words."""
    spoken = [at for at, row in enumerate(rows) if row.get("role") == "user" and text_of(row.get("content"))]
    return rows[spoken[-1] + 1 :] if spoken else rows


def chars_of(value: Any) -> int:
    """Characters of all text leaves."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(chars_of(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(chars_of(inner) for inner in value)
    return 0


def read_messages(data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows = data.get(key)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise BadRequest(f"'{key}' must be a list of at least one message")
    return rows


def read_model(data: dict[str, Any]) -> str:
    model = data.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest("'model' must be a text")
    return model
