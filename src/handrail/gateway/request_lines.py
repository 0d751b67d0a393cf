"""What the server's log says of requests: one line each when the home asks for it, and always one when a provider or a
detector failed. Ids, codes and numbers; never a text of a customer, never a key.

The request path only puts what it knows into a list; a thread of the worker encodes and writes (`app.worker`). When
writing does not keep up, lines are left out and counted: no answer waits for a log.
"""

from collections.abc import Callable

import orjson

from handrail.ledger.entry import InteractionFacts
from handrail.terms.clock import Clock
from handrail.terms.errors import HandrailError

MOST = 20_000
"""Lines that wait at most."""
QUIET_S = 60.0
"""Between two lines about the same failure; those in between are counted in the next one."""
FAILURES = 256
"""Distinct failures remembered; when there are more, all are forgotten and told anew."""

Line = dict[str, object]


class RequestLines:
    """`requests`: a line for each request. Filled on the event loop, `taken` from a thread: each is one step."""

    def __init__(self, clock: Clock, *, requests: bool) -> None:
        self._clock = clock
        self._requests = requests
        self._waiting: list[tuple[int, InteractionFacts]] = []
        self._lines: list[Line] = []
        self._failures: dict[tuple[str, ...], tuple[float, int]] = {}
        self.left_out = 0

    def told(self, facts: InteractionFacts) -> None:
        """Of a finished interaction."""
        if facts.failures or facts.attempts > 1 or facts.error:
            self._failed(facts)
        if self._requests:
            if len(self._waiting) < MOST:
                self._waiting.append((self._clock.now_ms(), facts))
            else:
                self.left_out += 1

    def refused(self, error: HandrailError, *, interaction: str, route: str, status: int, key: str, ms: int) -> None:
        """Before an interaction existed. `key`: the id of a known key."""
        if not self._requests:
            return
        if len(self._lines) >= MOST:
            self.left_out += 1
            return
        line = {"at_ms": self._clock.now_ms(), "level": "info", "event": "request.refused", "interaction": interaction}
        self._lines.append({**line, "route": route, "key": key, "status": status, "code": error.code.value, "ms": ms})

    def taken(self) -> list[bytes]:
        """The lines that wait, encoded, each with its end; they wait no longer."""
        waiting, self._waiting = self._waiting, []
        lines, self._lines = self._lines, []
        left_out, self.left_out = self.left_out, 0
        lines = sorted([_of(at_ms, facts) for at_ms, facts in waiting] + lines, key=_at)
        if left_out:
            about = {"event": "log.left_out", "lines": left_out, "reason": "written too slowly"}
            lines.append({"at_ms": self._clock.now_ms(), "level": "warning", **about})
        return [orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines]

    def _failed(self, facts: InteractionFacts) -> None:
        for detector in facts.failures:
            self._failure(("detector.failed", detector), facts, detector=detector)
        if facts.error.startswith("upstream."):
            about = {"provider": facts.provider, "model": facts.model, "code": facts.error, "attempts": facts.attempts}
            self._failure(("provider.failed", facts.provider, facts.model, facts.error), facts, **about)
        elif facts.error:
            self._failure(("request.failed", facts.error), facts, code=facts.error)
        elif facts.attempts > 1:
            about = {"provider": facts.provider, "model": facts.model, "attempts": facts.attempts}
            self._failure(("provider.retried", facts.provider, facts.model), facts, **about)

    def _failure(self, name: tuple[str, ...], facts: InteractionFacts, **about: object) -> None:
        now = self._clock.monotonic()
        last, since = self._failures.get(name, (now - QUIET_S, 0))
        if now - last < QUIET_S:
            self._failures[name] = (last, since + 1)
            return
        if len(self._failures) >= FAILURES:
            self._failures.clear()
        self._failures[name] = (now, 0)
        line = {"at_ms": self._clock.now_ms(), "level": "warning", "event": name[0], "use_case": facts.use_case}
        self._lines.append({**line, "interaction": facts.interaction, **about, "since_last_line": since})


def write(lines: RequestLines, put: Callable[[bytes], object], *, most: int = 4_096) -> None:
    """Write what waits, whole lines in pieces of at most `most` bytes: what a pipe takes without mixing processes."""
    piece = b""
    for line in lines.taken():
        if piece and len(piece) + len(line) > most:
            put(piece)
            piece = b""
        piece += line
    if piece:
        put(piece)


def _at(line: Line) -> int:
    at_ms = line["at_ms"]
    assert isinstance(at_ms, int)  # every line is made here
    return at_ms


def _of(at_ms: int, facts: InteractionFacts) -> Line:
    failed = facts.error.startswith("upstream.") or bool(facts.failures)
    return {
        "at_ms": at_ms,
        "level": "warning" if failed else "info",
        "event": "request",
        "interaction": facts.interaction,
        "conversation": facts.conversation,
        "use_case": facts.use_case,
        "route": facts.route,
        "stream": facts.stream,
        "status": facts.status,
        "outcome": facts.outcome.value if facts.outcome else "",
        "verdict": facts.verdict.value,
        "would_be": facts.would_be.value if facts.would_be else "",
        "findings": sum([found.new for found in facts.findings]),
        "code": facts.error,
        "provider": facts.provider,
        "attempts": facts.attempts,
        "ms": facts.latency_ms,
        "upstream_ms": facts.upstream_ms,
    }
