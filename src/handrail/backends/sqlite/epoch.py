"""Seeing that another process changed what is in force."""

import apsw

from handrail.backends.sqlite.database import first, unavailable_on_error


class SqliteEpoch:
    """Polled by `in_force.follow`. Raises HandrailError JOURNAL_UNAVAILABLE: the caller then fails closed for actions
    once its last look is a second old."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._version = -1

    def changed(self) -> bool:
        """Whether any commit was made since the last call; about 2 microseconds. Commits that leave the epoch as it is
        count too, so `read_epoch` has the last word."""
        with unavailable_on_error():
            found = first(self._db, "PRAGMA data_version")
        assert found is not None
        known, self._version = self._version, found[0]
        return bool(known != self._version)

    def read_epoch(self) -> int:
        """The epoch now committed; about 5 microseconds."""
        with unavailable_on_error():
            found = first(self._db, "SELECT epoch FROM control")
        assert found is not None
        return int(found[0])
