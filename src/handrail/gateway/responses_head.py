"""What a whole response says beside its output: the head of those that are written here, and the fields that repeat
the request."""

from collections.abc import Mapping
from typing import Any, Final

from handrail.gateway.leaves import LONG_TIME, SAFE_SLOTS, fields, harmless
from handrail.guard.turn import Channel, Leaf, Path

NAMED: Final = SAFE_SLOTS | {"name"}
"""Fields whose value may be an identifier that is not screened; the name of a tool is one."""

ECHOED: Final = frozenset(
    {
        "instructions", "tools", "tool_choice", "text", "metadata", "prompt", "reasoning", "user", "safety_identifier",
        "previous_response_id", "conversation", "truncation", "prompt_cache_key",
    }
)  # fmt: skip
"""Fields of an answer that repeat the request: read where they say anything else (`echoed`), but for `instructions`,
which are made the client's own again."""

ANSWER_HANDLED: Final = frozenset({"output", "output_text"}) | ECHOED
"""`output_text` repeats the texts of `output` and is made of them anew."""


def echoed(response: Mapping[str, Any], asked: Mapping[str, Any], at: Path) -> list[Leaf]:
    """Texts in fields that repeat the request `asked`, but those that stand in the same field there."""
    leaves: list[Leaf] = []
    for name, part in response.items():
        if name not in ECHOED or name == "instructions" or not part or part == asked.get(name):
            continue
        given: list[Leaf] = []
        found: list[Leaf] = []
        fields({name: asked.get(name)}, (), Channel.ASSISTANT, given, safe=NAMED)
        fields({name: part}, at, Channel.ASSISTANT, found, safe=NAMED)
        sent = {leaf.text for leaf in given}
        leaves += [leaf for leaf in found if leaf.text not in sent]
    return leaves


def joined(response: Mapping[str, Any]) -> str:
    """All output texts of a response, one behind the other: what `output_text` says."""
    return "".join(
        part["text"]
        for item in response.get("output") or ()
        if item["type"] == "message"
        for part in item.get("content") or ()
        if part["type"] == "output_text"
    )


def item_of(name: str, text: str) -> dict[str, Any]:
    """An output message that says `text`."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": name, "type": "message", "role": "assistant", "status": "incomplete", "content": [part]}


def head_of(model: str, name: str, at_s: int) -> dict[str, Any]:
    """The fields that clients expect of every response, as of one that says nothing. `at_s`: Unix seconds."""
    return {
        "id": name,
        "object": "response",
        "created_at": at_s,
        "model": model,
        "error": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": {
            "input_tokens": 0,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 0,
        },
    }


_HEAD_NAMES: Final = ("id", "model")


def head_after(response: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What stands at the head of the responses that are written here: nothing that a value could hide in."""
    head = {**before, **{name: response[name] for name in _HEAD_NAMES if harmless(response.get(name))}}
    made = response.get("created_at")
    if isinstance(made, int | float) and 0 <= made < LONG_TIME:
        head["created_at"] = made
    return head


def filtered(head: Mapping[str, Any], output: list[dict[str, Any]]) -> dict[str, Any]:
    """A response that the filter ended."""
    return {**head, "status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": output}
