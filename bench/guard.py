"""CPU of the gateway and guard alone: ASGI in, ASGI out, everything else in memory. `python bench/guard.py [seconds]`.

Prints microseconds of CPU (process_time) per request and per stream, with and without the detectors, so that what the
request path itself costs can be told from what it calls. A stream is measured with one event in each read, as a quiet
server gets it, and with four, as a busy one does. uvicorn, the journal and the provider are left out.

`valgrind --tool=callgrind --instr-atstart=no python bench/guard.py count [requests]` counts the instructions of so many
requests with detectors instead (`totals` in the file it writes), which repeat whatever else the machine does.
"""

import asyncio
import cProfile
import gc
import os
import pstats
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.fakes.gateway import KEY, chat_answer, chat_stream, world
from tests.fakes.guard import Answering

from handrail.detectors.base import Report

SYSTEM = "You are the support assistant of an online shop. " * 20
BODY = {
    "model": "support",
    "messages": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "Hi, my order 48213 has not arrived. My email is jane.doe@example.com."},
        {"role": "assistant", "content": "I am sorry to hear that. Let me check the status of your order."},
        {"role": "user", "content": "Thanks. Can you refund me if it does not arrive by Thursday? I am unhappy."},
    ],
    "temperature": 0.2,
    "max_tokens": 300,
}
ANSWER = chat_answer(
    "Thank you for contacting support. I have looked at order 48213 and can see that the parcel left our warehouse on "
    "Monday and is with the courier. Delivery is expected within two working days. If it has not arrived by Thursday, "
    "please reply to this message and I will open an investigation with the courier."
)
WORDS = [
    "Thanks", " for", " reaching", " out", ".", " Your", " order", " has", " been", " shipped", " and", " should",
    " arrive", " within", " three", " working", " days",
]  # fmt: skip
EVENTS = chat_stream([WORDS[place % 17] for place in range(40)])
FOURS = [b"".join(EVENTS[place : place + 4]) for place in range(0, len(EVENTS), 4)]


class Nothing:
    """A screener that finds nothing, at no cost."""

    def screen(self, text: Any, kinds: Any, deadline: float | None = None) -> Report:
        return Report("en", ())


def driver(w: Any, body: dict[str, Any]) -> Callable[[], Any]:
    """One request at a time, with the least ASGI server that can be."""
    data = orjson.dumps(body)
    scope = {
        "type": "http", "method": "POST", "path": "/v1/chat/completions", "client": ("127.0.0.1", 1),
        "headers": [(b"content-type", b"application/json"), (b"authorization", b"Bearer " + KEY.encode())],
    }  # fmt: skip
    message = {"type": "http.request", "body": data, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        return None

    async def once() -> None:
        first = True
        gone = asyncio.get_running_loop().create_future()

        async def receive() -> dict[str, Any]:
            nonlocal first
            if first:
                first = False
                return message
            await gone
            return {"type": "http.disconnect"}

        await w.gateway(scope, receive, send)

    return once


def measure(once: Callable[[], Any], clear: Callable[[], None], seconds: float) -> float:
    """Microseconds of CPU per call, the least of five rounds."""

    async def rounds() -> float:
        for _ in range(200):
            await once()
        best = 1e9
        for _ in range(5):
            clear()
            gc.collect()
            count, start, until = 0, time.process_time(), time.monotonic() + seconds / 5
            while time.monotonic() < until:
                for _ in range(20):
                    await once()
                count += 20
            best = min(best, (time.process_time() - start) / count * 1e6)
        return best

    return asyncio.run(rounds())


def count(requests: int) -> None:
    """So many requests, all of them warm, with valgrind's counting switched on for them alone."""
    w = world(lambda request: Answering([ANSWER]))
    once = driver(w, BODY)

    async def many() -> None:
        for _ in range(100):
            await once()
        subprocess.run(["callgrind_control", "-i", "on", str(os.getpid())], check=True)
        for _ in range(requests):
            await once()
        subprocess.run(["callgrind_control", "-i", "off", str(os.getpid())], check=True)

    asyncio.run(many())


def main() -> None:
    if "count" in sys.argv:
        count(int(sys.argv[-1]) if sys.argv[-1].isdigit() else 200)
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] != "profile" else 2.0
    for name, screener in (("no detectors", Nothing()), ("detectors", None)):
        took = []
        for pieces, streams in (([ANSWER], False), (EVENTS, True), (FOURS, True)):
            w = world(lambda request, pieces=pieces: Answering(pieces), screener=screener)
            body = {**BODY, "stream": True} if streams else BODY
            took.append(measure(driver(w, body), w.journal.entries.clear, seconds))
        print(
            f"{name}: {took[0]:.1f} us per request, {took[1]:.1f} us per stream of {len(EVENTS)} events, "
            f"{took[2]:.1f} with four in a read"
        )
    if "profile" in sys.argv:
        for more in ({}, {"stream": True}):
            w = world(lambda request: Answering(EVENTS if request.stream else [ANSWER]), screener=Nothing())
            profile = cProfile.Profile()
            once = driver(w, {**BODY, **more})

            async def many(once: Callable[[], Any] = once) -> None:
                for _ in range(2000):
                    await once()

            profile.enable()
            asyncio.run(many())
            profile.disable()
            pstats.Stats(profile).sort_stats(
                sys.argv[-1] if sys.argv[-1] in ("cumtime", "tottime") else "tottime"
            ).print_stats(45)


if __name__ == "__main__":
    main()
