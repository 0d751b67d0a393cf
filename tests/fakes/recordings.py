"""Recorded service conversations as a bot would have sent them: steps of new messages and the answer that was given.

Packs: `dialogues` (STAR, SGD) and `cx-actions` (runs of real agents). Runs without messages are
left out. Nothing is made up here.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handrail.app.demo.script import Tool

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """`new`: what the client sends for the first time. `text`, `call` (name, arguments): the recorded answer."""

    new: tuple[Json, ...]
    text: str
    call: tuple[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    id: str
    pack: str
    prompt: str
    tools: tuple[Tool, ...]
    steps: tuple[Step, ...]


def star(packs: Path) -> list[Recording]:
    return [
        _recording("star", row["id"], list(_star(row["events"]))) for row in _rows(packs / "dialogues/star.jsonl.gz")
    ]


def sgd(packs: Path) -> list[Recording]:
    rows = _rows(packs / "dialogues" / "sgd.jsonl.gz")
    return [_recording("sgd", row["id"], list(_sgd(row["turns"]))) for row in rows]


def agent_runs(packs: Path) -> list[Recording]:
    """With the policy that the agent had as its prompt, and the tools of its domain."""
    folder = packs / "cx-actions"
    tools: dict[str, list[Tool]] = {}
    for line in (folder / "tools.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["actor"] == "agent":
            tools.setdefault(row["domain"], []).append(Tool(row["name"], "", row["parameters"]))
    found = []
    for row in _rows(folder / "trajectories.jsonl.gz"):
        prompt = ""
        for message in row["messages"]:
            if message["role"] == "system":
                name = message["content"].removeprefix("<policy ").removesuffix(">")
                prompt = (folder / "policies" / f"{name}.md").read_text()
        messages = [message for message in row["messages"] if message["role"] != "system"]
        found.append(Recording(row["run_id"], "runs", prompt, tuple(tools[row["domain"]]), _steps(messages)))
    return found


def _rows(path: Path) -> Iterator[Json]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _recording(pack: str, name: str, messages: list[Json]) -> Recording:
    called = {c["function"]["name"] for m in messages for c in m.get("tool_calls", ())}
    anything = {"type": "object", "properties": {}}
    return Recording(name, pack, "", tuple(Tool(one, "", anything) for one in sorted(called)), _steps(messages))


def _star(events: list[Json]) -> Iterator[Json]:
    for event in events:
        if event["who"] == "tool":
            yield {"role": "tool", "content": json.dumps(event.get("result"))}
        elif "call" in event:
            yield _called(event["call"], event.get("arguments") or {})
        else:
            yield {"role": "user" if event["who"] == "customer" else "assistant", "content": event["text"]}


def _sgd(turns: list[Json]) -> Iterator[Json]:
    """The pack has no results of the calls, so the calls are left out."""
    for turn in turns:
        yield {"role": "user" if turn["who"] == "customer" else "assistant", "content": turn["text"]}


def _called(name: str, arguments: Json) -> Json:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": function}]}


def _steps(messages: list[Json]) -> tuple[Step, ...]:
    """An answer is one call (a text beside it is left out: the scripted model says the one or the other), or all texts
    up to the next message of somebody else."""
    steps: list[Step] = []
    new: list[Json] = []
    text = ""
    for message in [*messages, {"role": "user", "content": None}]:
        calls = message.get("tool_calls") or ()
        if text and not calls and message["role"] != "assistant":
            steps.append(Step(tuple(new), text))
            new, text = [], ""
        if calls:
            function = calls[0]["function"]
            steps.append(Step(tuple(new), "", (function["name"], json.loads(function["arguments"]))))
            new, text = [], ""
        elif message["role"] == "assistant":
            text = f"{text}\n{message['content']}".strip()
        elif message["content"] is not None:
            new.append({"role": message["role"], "content": message["content"]})
    return tuple(steps)
