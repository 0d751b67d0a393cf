"""Names under which an MCP door offers what several servers have, so that two of them never collide; pure.

A tool is `UPSTREAM__NAME`, in the characters that models' interfaces allow (letters, digits, _ and -, at most 64). One
that would be longer, or that another one would have too, ends in eight hex digits of the SHA-256 of its full id:
which tool a name leads to does not depend on the order in which tools are listed, and no new tool takes the name of an
old one over. A prompt is `UPSTREAM.NAME`, a resource's URI begins with `UPSTREAM+`: no upstream has a dot or a plus in
its name.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from handrail.terms.action import ToolId
from handrail.tools.registry import UpstreamId

LONGEST = 64
STATUS = "handrail_action_status"
CANCEL = "handrail_action_cancel"
"""Tools of the door itself; no registered tool has such a name, since those hold two underscores in a row."""
_OTHER = re.compile(r"[^A-Za-z0-9_-]")
_ENDED = re.compile(r"_[0-9a-f]{8}$")
"""A plain name must not look like an ended one, else a tool could be called like another."""


def tool_names(tools: Iterable[ToolId]) -> dict[str, ToolId]:
    """Name at the door to the tool's full id, in the order given. The same tools give the same names."""
    listed = list(dict.fromkeys(tools))
    plain = {tool: _OTHER.sub("_", tool.replace(".", "__", 1)) for tool in listed}
    taken = Counter(plain.values())
    names: dict[str, ToolId] = {}
    for tool, name in plain.items():
        if len(name) > LONGEST or taken[name] > 1 or _ENDED.search(name):
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
