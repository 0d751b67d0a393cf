"""The claims that this process carries out are kept alive by a thread of its own, so that a process whose event loop
stalls keeps what it is doing. Nobody waits for a renewal: who lost its claim hears of it when it records the outcome.

The thread starts with the first claim and ends `IDLE_S` after the last one. When the journal cannot commit, nothing is
renewed, and another process asks for the outcome: at most one call leaves all the same.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from handrail.approvals.desk import Renew
from handrail.approvals.store import ActionTransaction
from handrail.ledger.store import Journal
from handrail.terms.action import ActionId
from handrail.terms.clock import Clock
from handrail.terms.errors import HandrailError

IDLE_S = 5.0
BEGUN_S = 15.0
"""For so long a claim is renewed before `held` is reached: whoever should carry it out may have been cancelled."""


class Leases:
    """Of one owner. `lease_ms`: how long each renewal holds; it is renewed each third of it."""

    def __init__(self, journal: Journal, clock: Clock, *, owner: str, lease_ms: int) -> None:
        self._journal = journal
        self._clock = clock
        self._owner = owner
        self._lease_ms = lease_ms
        self._every_s = lease_ms / 3_000
        self._due: dict[ActionId, float] = {}
        self._begun: dict[ActionId, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def held(self, action: ActionId) -> Iterator[None]:
        """While it lasts the claim is renewed."""
        with self._changed:
            self._begun.pop(action, None)
            self._renew(action)
        try:
            yield
        finally:
            self._drop(action)

    def begin(self, action: ActionId) -> None:
        """Renewed from now until `held` takes over, `BEGUN_S` at most: for the transaction that claims. Between its
        commit and its caller's turn on a loaded event loop a whole lease may pass. From any thread."""
        with self._changed:
            self._begun[action] = self._clock.monotonic() + BEGUN_S
            self._renew(action)

    def _renew(self, action: ActionId) -> None:
        self._due[action] = self._clock.monotonic() + self._every_s
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="handrail-leases", daemon=True)
            self._thread.start()
        elif len(self._due) == 1:
            self._changed.notify()

    def _drop(self, action: ActionId) -> None:
        with self._changed:
            self._due.pop(action, None)
            self._begun.pop(action, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._due and not self._changed.wait_for(lambda: self._due, IDLE_S):
                    self._thread = None
                    return
                self._changed.wait(max(0.0, min(self._due.values()) - self._clock.monotonic()))
                now = self._clock.monotonic()
                for action in [action for action, until in self._begun.items() if until <= now]:
                    del self._begun[action]
                    self._due.pop(action, None)
                due = [action for action, at in self._due.items() if at <= now]
                self._due |= dict.fromkeys(due, now + self._every_s)
            for action in due:
                self._journal.beside(self._renewal(action))

    def _renewal(self, action: ActionId) -> Callable[[ActionTransaction], None]:
        renew = Renew(action=action, owner=self._owner, lease_ms=self._lease_ms)

        def renewal(tx: ActionTransaction) -> None:
            try:
                renew(tx)
            except HandrailError:  # it went to another process, or has just ended: nothing was changed
                self._drop(action)

        return renewal
