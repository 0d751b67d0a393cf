"""The bundled scripted model on a thread of its own, for tests that start a real server."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from handrail.app.scripted_model.script import default_script
from handrail.app.scripted_model.server import serving


@contextlib.contextmanager
def model() -> Iterator[str]:
    """Its address, `/v1` included."""
    ready = threading.Event()
    box: dict[str, Any] = {}

    async def main() -> None:
        async with serving(default_script(), key="sk-none") as running:
            box["url"], box["stop"], box["loop"] = f"{running.url}/v1", asyncio.Event(), asyncio.get_running_loop()
            ready.set()
            await box["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield box["url"]
    finally:
        box["loop"].call_soon_threadsafe(box["stop"].set)
        thread.join(10)
