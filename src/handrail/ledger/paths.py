"""Which files a published log has, and how they are served. Pure.

Source: c2sp.org/tlog-tiles (paths, content types, caching). `witnessed` is ours: the newest checkpoint that witnesses
have cosigned, because the log signs a new `checkpoint` each second and witnesses answer later.
"""

import re

CHECKPOINT = "checkpoint"
WITNESSED = "witnessed"
_FULL = r"tile/(?:entries|[1-5]?[0-9]|6[0-3])/(?:x[0-9]{3}/)*[0-9]{3}"
_PATH = re.compile(rf"{CHECKPOINT}|{WITNESSED}|{_FULL}(?:\.p/(?:[1-9][0-9]?|1[0-9]{{2}}|2[0-4][0-9]|25[0-5]))?")


def is_log_path(path: str) -> bool:
    """Whether the path may be served: a checkpoint, a tile or a bundle as tlog-tiles spells them, nothing else."""
    return _PATH.fullmatch(path) is not None


def content_type(path: str) -> str:
    """Of a log path."""
    return "application/octet-stream" if path.startswith("tile/") else "text/plain; charset=utf-8"


def cache_control(path: str) -> str:
    """Tiles and bundles never change; a checkpoint is news each second."""
    return "public, max-age=31536000, immutable" if path.startswith("tile/") else "no-cache"
