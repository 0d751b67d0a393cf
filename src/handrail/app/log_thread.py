"""The thread that writes the lines of requests, so that a slow reader of the log holds up no answer."""

import os
import threading

from handrail.gateway.request_lines import RequestLines, write

EVERY_S = 0.25
LAST_S = 2.0
"""At the end the last lines get this long; a reader that does not read loses them."""


class LogThread:
    """Starts at once. Made after the fork. `descriptor`: where to; standard error."""

    def __init__(self, lines: RequestLines, descriptor: int = 2) -> None:
        self._lines = lines
        self._descriptor = descriptor
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what waits, if that can be written."""
        self._stop.set()
        self._thread.join(LAST_S)

    def _run(self) -> None:
        stopped = False
        while not stopped:
            stopped = self._stop.wait(EVERY_S)
            try:
                write(self._lines, self._put)
            except OSError:
                continue  # nobody reads any more: the ledger has what happened

    def _put(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._descriptor, data) :]
