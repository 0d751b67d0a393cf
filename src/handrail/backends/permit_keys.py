"""The keys that sign permits: `permit-N.key` in the keys folder, wrapped like the others.

The highest number signs; it and the one before are published and taken. A rotation makes the next number and destroys
what is older than the one before, so permits that are out stay good, and after two rotations a key that leaked is gone.
Several processes share the folder: whoever is first makes the key, and a number that a process does not know is looked
up.
"""

import re

from handrail.approvals.permit import PermitKey
from handrail.backends.keyring import KeyFolder
from handrail.ledger.seal import KEY_SIZE
from handrail.terms.ids import Ids

PREFIX = "permit-"
_NAME = re.compile(r"permit-([1-9][0-9]{0,8})")
PUBLISHED = 2


class StoredPermitKeys:
    """`guard.permits.PermitKeys`. Reads the names in the folder at each use, so that a rotation holds at once."""

    def __init__(self, folder: KeyFolder, ids: Ids) -> None:
        self._folder = folder
        self._ids = ids
        self._known: dict[str, PermitKey] = {}

    def current(self) -> PermitKey:
        """The newest, made when there is none. Raises HandrailError HOME_INVALID."""
        found = self.published()
        return found[0] if found else self._make(1)

    def find(self, kid: str) -> PermitKey | None:
        """One of those that are published."""
        return next((key for key in self.published() if key.kid == kid), None)

    def published(self) -> tuple[PermitKey, ...]:
        """Newest first; none before the first permit."""
        read = [self._read(number) for number in self._numbers()[:PUBLISHED]]
        return tuple(key for key in read if key is not None)

    def rotate(self) -> tuple[str, tuple[str, ...]]:
        """Make the next one: its `kid`, and the names of the keys that are no longer published, which the caller
        destroys once the rotation is recorded (`destroy`)."""
        numbers = self._numbers()
        made = self._make((numbers[0] if numbers else 0) + 1)
        return made.kid, tuple(f"{PREFIX}{number}" for number in self._numbers()[PUBLISHED:])

    def destroy(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._folder.destroy(name)
            self._known.pop(name, None)

    def _numbers(self) -> list[int]:
        """Highest first."""
        found = [_NAME.fullmatch(name) for name in self._folder.names()]
        return sorted((int(each[1]) for each in found if each is not None), reverse=True)

    def _make(self, number: int) -> PermitKey:
        name = f"{PREFIX}{number}"
        self._known[name] = PermitKey(self._folder.make(name, self._ids.token(KEY_SIZE), self._ids))
        return self._known[name]

    def _read(self, number: int) -> PermitKey | None:
        """None for one that was destroyed a moment ago."""
        name = f"{PREFIX}{number}"
        if name not in self._known:
            seed = self._folder.read(name)
            if seed is None:
                return None
            self._known[name] = PermitKey(seed)
        return self._known[name]
