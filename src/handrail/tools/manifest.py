"""What an MCP server announced of a tool, as one digest: a change holds its calls until it is published again; pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from handrail.terms.ids import Digest

ANNOUNCED = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
"""What a model reads or a caller relies on; the rest of a `tools/list` answer may change freely."""


def manifest_of(announced: Mapping[str, Any]) -> Digest:
    """SHA-256, lower-case hex, over the announced members as JSON with keys sorted and no white space."""
    kept = {name: announced[name] for name in ANNOUNCED if announced.get(name) is not None}
    return Digest(hashlib.sha256(msgspec.json.encode(kept, order="sorted")).hexdigest())
