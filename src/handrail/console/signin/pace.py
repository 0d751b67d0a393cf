"""How fast one network may ask for changes of sign-in while nobody is signed in: before anything is read or written.

Promise: SGN-15. It keeps one machine from filling the database with sign-ins that nobody finishes and from keeping the
writer busy. Per process and in memory: a restart forgets it. It does not decide who may sign in; `people.lockout` does.
"""

MOST = 300
"""In a window; an office that begins its day behind one address stays below it."""
WINDOW_S = 60.0
NETWORKS = 10_000
"""Remembered at a time: above that the ones that came first are forgotten, so many addresses cost little memory."""


class Pace:
    def __init__(self, most: int = MOST, window_s: float = WINDOW_S, networks: int = NETWORKS) -> None:
        self._most = most
        self._window_s = window_s
        self._networks = networks
        self._counted: dict[str, tuple[float, int]] = {}

    def wait_s(self, network: str, *, now: float) -> int:
        """One more; whole seconds to wait, 0: it may go on. `now`: seconds of a clock that never goes back."""
        began, count = self._counted.get(network, (now, 0))
        if now - began >= self._window_s:
            began, count = now, 0
            self._counted.pop(network, None)
        if count >= self._most:
            return max(1, -int(-(began + self._window_s - now) // 1))
        self._counted[network] = (began, count + 1)
        while len(self._counted) > self._networks:
            del self._counted[next(iter(self._counted))]
        return 0
