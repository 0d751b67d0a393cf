"""A scripted model on a thread of its own, so that synchronous clients can call it too."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from handrail.app.scripted_model.script import default_script
from handrail.app.scripted_model.server import ScriptedModel, serving


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedModel]:
    ready = threading.Event()
    box: dict[str, object] = {}

    async def main() -> None:
        async with serving(default_script(), key="sk-right", remember=100) as model:
            box["model"], box["stop"], box["loop"] = model, asyncio.Event(), asyncio.get_running_loop()
            ready.set()
            await box["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(10)
    yield box["model"]
    box["loop"].call_soon_threadsafe(box["stop"].set)
    thread.join(10)
