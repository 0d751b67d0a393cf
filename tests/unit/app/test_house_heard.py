"""The tests' own server: what it says is read while it runs, however much that is."""

import subprocess
import sys

from house import Server, within

LOUD = "print('handrail is ready: http://127.0.0.1:1/v1', flush=True); print('x' * 300_000); print('said it all')"


def test_a_server_that_says_more_than_a_pipe_holds_does_not_stand_still() -> None:
    with subprocess.Popen([sys.executable, "-c", LOUD], stdout=subprocess.PIPE, text=True) as process:
        server = Server(process)
        with server.heard():
            assert within(10, lambda: process.poll() is not None)
            within(10, lambda: "said it all" in "".join(server.lines))
        assert process.returncode == 0
