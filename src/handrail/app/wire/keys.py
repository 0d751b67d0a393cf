"""The keys of the keys folder that actions need."""

from typing import TYPE_CHECKING

from handrail.app.wire import IDS
from handrail.backends.permit_keys import PREFIX as PERMIT_KEY
from handrail.backends.permit_keys import StoredPermitKeys

if TYPE_CHECKING:
    from handrail.app.wire import Store

DOWNSTREAM = "downstream"
"""The key from which the keys that targets get are made; wrapped in the keys folder like the others."""


def permit_keys(store: "Store") -> StoredPermitKeys:
    """What signs permits."""
    return StoredPermitKeys(store.keys.folder, IDS)


def is_for_actions(key: str) -> bool:
    """Whether this name in the keys folder is one that actions need. A backup keeps them: under another key a target
    would take a repeated call for a new one."""
    return key == DOWNSTREAM or key.startswith(PERMIT_KEY)
