"""What no detector can read in items, blocks and events: pictures, sounds, files; and which files they name."""

from typing import Any, Final

from handrail.gateway.leaves import MEDIA_SLOTS, OPAQUE_SLOTS, identifier, opaque

MEDIA_TYPES: Final = frozenset(
    {
        "image", "input_image", "output_image", "image_url", "image_file", "computer_screenshot", "audio",
        "input_audio", "output_audio", "video", "input_video", "input_file", "file", "container_upload",
    }
)  # fmt: skip
"""Types of objects that are a picture, a sound or a file, or point to one."""

PICTURES: Final = frozenset({"image_url", "b64_json", "partial_image_b64"})
"""Fields that hold or point to a picture, whatever their value looks like."""

GENERATED: Final = "image_generation_call"
_QUOTED: Final = frozenset({"annotations", "results"})
"""Fields in which the provider told which files it had looked at; sent back they make it look at none."""


def unread(value: Any) -> tuple[str, ...]:
    """Types of the parts at and below `value` that no detector can read, each once."""
    found: dict[str, None] = {}
    _unread(value, found)
    return tuple(found)


def _unread(value: Any, found: dict[str, None]) -> None:
    if isinstance(value, list):
        for part in value:
            _unread(part, found)
    if not isinstance(value, dict):
        return
    kind = value.get("type")
    if isinstance(kind, str) and (kind in MEDIA_TYPES or (kind == GENERATED and value.get("result"))):
        found[kind] = None
    for name, part in value.items():
        if not isinstance(part, str):
            _unread(part, found)
        elif part and (name in PICTURES or (name in MEDIA_SLOTS and opaque(part))):
            found[kind if isinstance(kind, str) and identifier(kind) else name] = None


def without_bytes(item: dict[str, Any]) -> dict[str, Any]:
    """The item without the bytes of a generated picture, which are no text: `unread` has told of them."""
    if GENERATED not in str(item.get("type")):
        return item
    held = ("result", "partial_image_b64")
    return {name: part for name, part in item.items() if not (name in held and isinstance(part, str) and opaque(part))}


def coded(name: str, value: Any) -> bool:
    """Whether a field holds bytes that are no text: those that only the provider can read, or those `unread` tells."""
    return name in OPAQUE_SLOTS and isinstance(value, str) and opaque(value)


def files(value: Any, references: list[str]) -> None:
    """Adds every `file_id` and `file_ids` at and below `value`, as `file:ID`."""
    if isinstance(value, list):
        for part in value:
            files(part, references)
    if not isinstance(value, dict):
        return
    for name, part in value.items():
        if name == "file_id" and part:
            references.append(f"file:{part}")
        elif name == "file_ids" and isinstance(part, list):
            references += [f"file:{each}" for each in part]
        elif name not in _QUOTED:
            files(part, references)
