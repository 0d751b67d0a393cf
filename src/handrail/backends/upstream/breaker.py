"""The circuit breaker of one provider. Pure: the instant comes in as an argument, in seconds of a monotonic clock.

closed: calls pass; `failures` in a row open it. open: nothing passes for `open_s` seconds. half open: one probe
passes; its success closes the circuit, its failure opens it again. Calls that began before the circuit opened and end
later change nothing.
"""

from enum import StrEnum


class Admission(StrEnum):
    FREE = "free"
    PROBE = "probe"
    REFUSED = "refused"


class Breaker:
    """`failures`: how many in a row open it. `open_s`: for how long."""

    __slots__ = ("_count", "_failures", "_open_s", "_open_until", "_probing")

    def __init__(self, *, failures: int, open_s: float) -> None:
        self._failures = failures
        self._open_s = open_s
        self._count = 0
        self._open_until: float | None = None
        self._probing = False

    def admit(self, now: float) -> Admission:
        if self._open_until is None:
            return Admission.FREE
        if self._probing or now < self._open_until:
            return Admission.REFUSED
        self._probing = True
        return Admission.PROBE

    def succeeded(self, admission: Admission) -> None:
        if admission is Admission.PROBE:
            self._open_until = None
            self._probing = False
            self._count = 0
        elif self._open_until is None:
            self._count = 0

    def failed(self, admission: Admission, now: float) -> None:
        if admission is Admission.PROBE:
            self._probing = False
            self._open_until = now + self._open_s
        elif self._open_until is None:
            self._count += 1
            if self._count >= self._failures:
                self._open_until = now + self._open_s

    def abandoned(self, admission: Admission) -> None:
        """The caller left before the outcome was known: it says nothing, but a probe's place is free again."""
        if admission is Admission.PROBE:
            self._probing = False

    def remaining_s(self, now: float) -> float:
        """How long until a probe may pass; 0 when it may now."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)
