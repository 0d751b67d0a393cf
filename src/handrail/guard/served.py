"""What the head of a provider's answer says of how its model is served, as one line; pure.

A vendor may change a model behind an unchanged name. Some say so in the head: another software in front of it, another
version of the API, another region or deployment. Those headers are kept, and no other: not request and trace ids, not
organisations and accounts, not times, limits and counters, not cookies, which name somebody or differ each time. A
value that has not the form of such a name, or looks like an id, is left out.
"""

import re
from collections.abc import Iterable

INFORMATIVE = (
    "openai-version",  # OpenAI: version of its API
    "server",  # the software in front: a proxy, vLLM, Ollama
    "x-compute-type",  # text-generation-inference: what it computes on
    "x-ms-deployment-name",  # Azure OpenAI: which deployment answered
    "x-ms-region",  # Azure OpenAI: where
)
"""In the order in which they are written."""
LONGEST = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/()+-]*")
_ID = re.compile(r"[0-9a-fA-F]{16}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-|[0-9]{9}|(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_]{28}")


def served_with(headers: Iterable[tuple[str, str]]) -> str:
    """`NAME=VALUE; ...`, empty when nothing is said. `headers`: lower-case names; of a name that comes twice the
    first counts."""
    said: dict[str, str] = {}
    for name, value in headers:
        if name in INFORMATIVE and name not in said:
            value = value.strip()
            if len(value) <= LONGEST and _NAME.fullmatch(value) and not _ID.search(value):
                said[name] = value
    if not said:
        return ""
    return "; ".join(f"{name}={said[name]}" for name in INFORMATIVE if name in said)
