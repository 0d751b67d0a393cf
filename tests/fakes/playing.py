"""Playing recorded conversations through a running gateway, many at once, each turn with its resent history.

The gateway is the real `handrail serve` on the starter's rules, enforced; the provider is the scripted model, told
before each request what the recording says next. No ids are sent: conversations are told apart by their histories.
"""

import asyncio
import http.client
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fakes.recordings import Recording, Step
from handrail.app import wire
from handrail.app.demo import stage
from handrail.app.demo.client import Answer, Bot, Json
from handrail.app.demo.script import Talk
from handrail.app.scripted_model.script import Line, Script, ToolCall
from handrail.app.scripted_model.server import ScriptedModel, serving
from handrail.home.init import init
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind, InteractionFacts
from handrail.ledger.read import interaction_facts

LANES = 16
USE_CASE = "support-chat"
PUBLISHED_S = 30.0


@dataclass(slots=True)
class Played:
    """One recording while it is played. `sent`: messages of the client, each counted once."""

    recording: Recording
    bot: Bot
    left: list[Step]
    answers: list[Answer] = field(default_factory=list)
    sent: int = 0


@dataclass(slots=True)
class Performance:
    """What came of it. `facts`: of every closed interaction in the ledger, in order of storage."""

    played: list[Played]
    facts: list[InteractionFacts]
    other: Counter[str]
    verified: str
    seconds: float

    @property
    def answers(self) -> list[Answer]:
        return [answer for one in self.played for answer in one.answers]


def perform(recordings: Sequence[Recording], home: Path) -> Performance:
    """Play all of them. `home`: a folder that is not there yet."""
    starter_enforced(home)
    with scripted() as model:
        stage.point_at(home, "handrail.yaml", model.url.removeprefix("http://"))
        given, keys, _ = asyncio.run(stage.publish(home, os.environ, None))
        with stage.gateway(home, home / ".handrail" / "serve.log") as gateway:
            bots = [_played(one, gateway.host, keys[USE_CASE], place) for place, one in enumerate(recordings)]
            begun = wire.CLOCK.monotonic()
            _play(bots, model)
            seconds = wire.CLOCK.monotonic() - begun
            _until_published(gateway.host, sum(len(one.answers) for one in bots))
        facts, other = asyncio.run(_recorded(given))
        verified = stage.command(Path(), os.environ, "verify", str(home), "--payloads").stdout
    return Performance(bots, facts, other, verified, seconds)


def starter_enforced(home: Path) -> None:
    """The starter's rules, with the scripted model as provider, enforced, on the client's own prompt."""
    init(home, kek=bytes(32))
    path = home / "use-cases" / f"{USE_CASE}.yaml"
    text = path.read_text().replace("mode: observe", "mode: enforce")
    text = re.sub(r"  route: \[.*?\].*", "  route: [ollama/scripted-1]", text)
    text = re.sub(r"\nprompt:\n(  .*\n)+", "\nprompt: client\n", text)
    path.write_text(re.sub(r"\nbudget:\n(  .*\n)+", "\n", text))


@contextmanager
def scripted() -> Iterator[ScriptedModel]:
    """The scripted model on a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = serving(Script(replies=(), fallback=Line(id="none", text="none")))
    try:
        yield asyncio.run_coroutine_threadsafe(running.__aenter__(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _played(recording: Recording, host: str, key: str, place: int) -> Played:
    bot = Bot(host, key, Talk(use_case=USE_CASE, language="en", turns=(), stream=place % 2 == 1))
    if recording.prompt:
        bot.history.append({"role": "system", "content": recording.prompt})
    return Played(recording, bot, list(recording.steps))


def _play(all_: list[Played], model: ScriptedModel) -> None:
    """One request at a time, `LANES` conversations in turn, so that many are open at once."""
    waiting = list(all_)
    open_: list[Played] = []
    while open_ or waiting:
        while waiting and len(open_) < LANES:
            open_.append(waiting.pop(0))
        for one in open_:
            _step(one, model)
        open_ = [one for one in open_ if one.left]


def _step(one: Played, model: ScriptedModel) -> None:
    step = one.left.pop(0)
    new = _addressed(one.bot.history, step.new)
    if not new:
        return
    call = ToolCall(*step.call) if step.call else None
    model.script = Script(
        replies=(), fallback=Line(id="recorded", text=step.text or "-", tool_call=call, after_result=True)
    )
    answer = one.bot.ask(new, one.recording.tools, USE_CASE)
    one.answers.append(answer)
    one.sent += len(new)


def _addressed(history: list[Json], new: Sequence[Json]) -> list[Json]:
    """Tool results under the id of the call they belong to; without one (it was blocked) there is nothing to send."""
    calls = history[-1].get("tool_calls", ()) if history else ()
    out: list[Json] = []
    for message in new:
        if message["role"] != "tool":
            out.append(message)
        elif calls:
            out.append({**message, "tool_call_id": calls[0]["id"]})
    return out


async def _recorded(given: stage.Settings) -> tuple[list[InteractionFacts], Counter[str]]:
    facts: list[InteractionFacts] = []
    other: Counter[str] = Counter()
    async with wire.opened(given, os.environ) as store:
        after = 0
        while rows := await store.reader.entries(after, 1_000):
            for _, data in rows:
                entry = read_facts(data)
                if entry.kind == EntryKind.INTERACTION_CLOSED:
                    facts.append(interaction_facts(entry))
                else:
                    other[entry.kind] += 1
            after = rows[-1][0]
    return facts, other


def _until_published(host: str, answers: int) -> None:
    """Until the signed log is longer than what was answered (an opened and a closed entry each)."""
    deadline = wire.CLOCK.monotonic() + PUBLISHED_S
    while wire.CLOCK.monotonic() < deadline:
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("GET", "/log/checkpoint")
        lines = connection.getresponse().read().decode().split("\n")
        connection.close()
        if len(lines) > 1 and int(lines[1]) >= answers * 2:
            return
        threading.Event().wait(0.2)
    raise TimeoutError("the log did not take what was recorded")
