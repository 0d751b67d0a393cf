"""Names under which an MCP door offers what several servers have, so that two of them never collide; pure.

A tool is `UPSTREAM__NAME`, in the characters that models' interfaces allow (letters, digits, _ and -, at most 64). One
that would be longer, or that another one has already, ends in eight hex digits of the SHA-256 of its full id instead. A
prompt is `UPSTREAM.NAME`, a resource's URI begins with `UPSTREAM+`: no upstream has a dot or a plus in its name.
"""

import hashlib
import re
from collections.abc import Iterable

from handrail.terms.action import ToolId
from handrail.tools.registry import UpstreamId

LONGEST = 64
STATUS = "handrail_action_status"
CANCEL = "handrail_action_cancel"
"""Tools of the door itself; no registered tool has such a name, since those hold two underscores in a row."""
_OTHER = re.compile(r"[^A-Za-z0-9_-]")


def tool_names(tools: Iterable[ToolId]) -> dict[str, ToolId]:
    """Name at the door to the tool's full id, in the order given. The same tools give the same names."""
    names: dict[str, ToolId] = {}
    for tool in tools:
        upstream, _, own = tool.partition(".")
        name = _OTHER.sub("_", f"{upstream}__{own}")
        if len(name) > LONGEST or name in names:
            name = f"{name[: LONGEST - 9]}_{hashlib.sha256(tool.encode()).hexdigest()[:8]}"
        names[name] = tool
    return names


def prompt_name(upstream: UpstreamId, name: str) -> str:
    return f"{upstream}.{name}"


def prompt_of(name: str) -> tuple[UpstreamId, str]:
    """Upstream, empty when there is none in the name, and the prompt's own name."""
    upstream, _, own = name.partition(".")
    return UpstreamId(upstream if own else ""), own


def resource_uri(upstream: UpstreamId, uri: str) -> str:
    """A URI's scheme holds no underscore, so a dot stands for one."""
    return f"{upstream.replace('_', '.')}+{uri}"


def resource_of(uri: str) -> tuple[UpstreamId, str]:
    """Upstream, empty when there is none in the URI, and the server's own URI."""
    upstream, plus, own = uri.partition("+")
    return UpstreamId(upstream.replace(".", "_").lower() if plus else ""), own
