"""The demo from its first line to its last: stage, play, check, and say where to look.

It checks itself: a planted value that reached the model or the client, an outcome that is not the expected one, or a
ledger that does not verify is told as such, and the exit code is 1.
"""

import asyncio
import http.client
import json
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

from handrail.app import wire
from handrail.app.demo import acts, approver, books, canary, checks, stage, table, visit, waiting
from handrail.app.demo.agent import Agent
from handrail.app.demo.client import Answer, Bot, Json
from handrail.app.demo.script import UNKNOWN_KEY, Play, Talk, Turn, load
from handrail.approvals.lifecycle import State
from handrail.console.page_files import routes
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import InteractionFacts
from handrail.ledger.read import interaction_facts
from handrail.people.role import Role
from handrail.terms.decision import Outcome
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import InteractionId

if TYPE_CHECKING:
    from handrail.app.wire import Store

NOBODYS_KEY = "hr_a-key-that-nobody-made"
MAX_STEPS = 4
MOST_ACTIONS = 10_000
TRY = {"model": "scripted-echo", "messages": [{"role": "user", "content": "my card is 4111 1111 1111 1111"}]}
PUBLISHED_S = 20.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How to run. `width`: characters of a line. `pace_s`: pause after each line. `stay`: keep serving after the play
    until told to stop. `until_s`: seconds after the start at which it ends by itself, or None. `ask`: the person at the
    terminal about what is held; None: nobody is there."""

    home: Path
    keep: bool
    width: int
    colours: bool
    pace_s: float
    stay: bool
    until_s: float | None
    ask: approver.Ask | None


@dataclass(slots=True)
class Demo:
    """One run. `say`: prints a line."""

    wish: Wish
    env: Mapping[str, str]
    say: Say
    started: float
    play: Play
    wrong: list[str] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    last: InteractionId | None = None
    example: InteractionId | None = None
    turns: int = 0

    async def run(self) -> int:
        """The exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop.set)
        with ExitStack() as processes:
            code = await self._staged(processes)
            if not self.stop.is_set() or self.wish.stay:
                self.say("stopping: requests under way end, what is queued is recorded")
        self.say("the demo ended" if code == 0 else "the demo FAILED" if self.wrong else "the demo was stopped early")
        return code

    async def _staged(self, processes: ExitStack) -> int:
        folder, data = self.wish.home, self.wish.home / ".handrail"
        fresh = stage.write_home(folder, keep=self.wish.keep)
        processes.enter_context(stage.held(folder))
        self._step(f"{'wrote' if fresh else 'kept'} the home {folder}/ (configuration as files)")
        staff = stage.staff_of(folder)
        play = staff.plays + 1 if staff else 1
        script = acts.load(play)
        model = processes.enter_context(stage.model_server(acts.model_script(play), data / "model.log"))
        self._step(f"scripted model at http://{model.host}/v1 (no model inside, it answers from a script)")
        shop = processes.enter_context(stage.shop(folder, script.orders, data / "shop.log"))
        self._step(f"the shop at http://{shop.host} (orders and books of its own; only handrail has its key)")
        stage.point_at(folder, "handrail.yaml", model.host)
        stage.point_at(folder, "tools/shop.yaml", shop.host)
        stage.give_console_a_port(folder)
        given, keys, staff = await stage.publish(folder, self.env, staff)
        self._step(f"published {len(keys) - 1} use cases, made a key for each and two persons who approve")
        server = processes.enter_context(stage.gateway(folder, data / "serve.log"))
        self._step(f"handrail serve at http://{server.host}/v1")
        console = await asyncio.to_thread(stage.console_of, data / "serve.log")
        if console:
            self._step(f"the console at http://{console}{visit.CHOOSE} (choose a role: no password in the demo)")
        else:
            self.wrong.append("the console did not start; demo-home/.handrail/serve.log says why")
        self.say("")
        async with wire.opened(given, self.env, checkpoints=False) as store:
            await self._play(store, server.host, keys)
            if self.stop.is_set():
                return 130
            await self._act(store, server.host, shop.host, keys, staff, script)
            if self.stop.is_set():
                return 130
            await self._canary(store, server.host, keys, staff)
            if self.stop.is_set():
                return 130
            self.wrong += await waiting.left(server.host, keys[stage.AGENT], stage.AGENT, script.waiting, staff.plays)
            await self._published(store, server.host)
        self._judge(model.host, data)
        self._show()
        if console:
            await self._visit(console)
        if self.wrong:
            self.say("")
            for line in self.wrong:
                self.say(f"NOT AS EXPECTED: {line}")
            return 1
        self._where(server.host, console, keys, staff)
        await self._stay()
        return 0

    async def _play(self, store: "Store", host: str, keys: dict[str, str]) -> None:
        for line in table.head(self.wish.width):
            self.say(line)
        for talk in self.play.conversations:
            bot = Bot(host, NOBODYS_KEY if talk.key == UNKNOWN_KEY else keys[talk.use_case], talk)
            for turn in talk.turns:
                if self.stop.is_set():
                    return
                await self._turn(store, bot, talk, turn)

    async def _act(
        self, store: "Store", host: str, shop: str, keys: dict[str, str], staff: stage.Staff, script: acts.Acts
    ) -> None:
        """The agent's scenes, and whether the register and the shop's books agree afterwards."""
        snapshot = await store.in_force.load()
        assert snapshot is not None, "the demo has just published"
        offered = acts.offered(snapshot.ruleset.tools.values())
        desk = approver.Desk(
            store=store,
            snapshot=snapshot,
            marked=staff.marked,
            person=staff.person,
            ask=self._asked if self.wish.ask else None,
        )
        agent = Agent(host, keys[stage.AGENT], stage.AGENT, offered, desk, self.say, self._pace)
        self.say("")
        self.say("the agent acts: it has no key of the shop; rules/care.yaml decides, and a person on what is held")
        for number, scene in enumerate(script.scenes, 1):
            try:
                self.wrong += await agent.play(scene, f"care-{staff.plays}-{number}")
            except approver.Interrupted:
                return
        asked = {one.action for one in agent.came}
        lines = [
            one for one in await store.acts.queue(frozenset(State), limit=MOST_ACTIONS) if str(one.action) in asked
        ]
        kept = books.Books(**json.loads(await asyncio.to_thread(_get, shop, "/books")))
        self.say("")
        for line in books.table(agent.came, lines):
            self.say(line)
        self.say(
            f"the shop's own books: {kept.refunds} refunds, {kept.cents / 100:.2f} EUR; {kept.addresses} new address"
        )
        self.wrong += books.disagree(agent.came, lines, kept)

    async def _canary(self, store: "Store", host: str, keys: dict[str, str], staff: stage.Staff) -> None:
        """A changed prompt that takes itself back."""

        async def command(token: str, *words: str) -> "CompletedProcess[str]":
            return await asyncio.to_thread(self._command, *words, token=token)

        self.wrong += await canary.Canary(
            store=store, home=self.wish.home, host=host, key=keys[canary.USE_CASE], events=keys[stage.EVENTS],
            staff=staff, say=self.say, command=command, stopped=self.stop.is_set,
            round_s=canary.ROUND_S if self.wish.pace_s else canary.ROUND_S / 4,
        ).play()  # fmt: skip

    async def _pace(self) -> None:
        if self.stop.is_set():
            raise approver.Interrupted
        await asyncio.sleep(self.wish.pace_s)

    async def _asked(self, question: str) -> str | None:
        """The person's answer, unless the demo is stopped meanwhile. Raises Interrupted."""
        assert self.wish.ask is not None
        answer = asyncio.ensure_future(self.wish.ask(question))
        stopped = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait((answer, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if answer.done():
            return answer.result()
        answer.cancel()
        raise approver.Interrupted

    async def _turn(self, store: "Store", bot: Bot, talk: Talk, turn: Turn) -> None:
        tools = tuple(tool for tool in self.play.tools if tool.name in turn.tools)
        new: list[Json] = [{"role": "user", "content": turn.says}]
        came = turn.says
        answers: list[Answer] = []
        facts: list[InteractionFacts] = []
        for _ in range(MAX_STEPS):
            begun = wire.CLOCK.monotonic()
            answer = await asyncio.to_thread(bot.ask, new, tools, turn.model or talk.use_case)
            ms = round((wire.CLOCK.monotonic() - begun) * 1000)
            answers.append(answer)
            if not self.turns:
                self.say(f"(first guarded answer {wire.CLOCK.monotonic() - self.started:.1f} s after the start)")
            self.turns += 1
            fact = await self._facts(store, answer)
            facts += [fact] if fact else []
            self._row(talk, came, answer, fact, ms)
            await asyncio.sleep(self.wish.pace_s)
            if not answer.calls:
                break
            new = [_result(call, turn) for call in answer.calls]
            came = f"tool: {new[0]['content']}"
        self.wrong += [f"{talk.use_case}, {turn.says[:40]!r}...: {why}" for why in checks.of_turn(turn, answers, facts)]

    async def _facts(self, store: "Store", answer: Answer) -> InteractionFacts | None:
        """What the ledger holds: durable before the answer's last byte, so it is there already. None for a call that
        never became an interaction."""
        interaction = InteractionId(answer.interaction)
        try:
            shown = await store.reader.show(interaction)
        except HandrailError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            if answer.status == 200:
                self.wrong.append(f"{interaction} was answered and is not in the ledger")
            return None
        self.last = interaction
        facts = interaction_facts(read_facts(shown.facts))
        if self.example is None and facts.findings:
            self.example = interaction
        return facts

    def _row(self, talk: Talk, came: str, answer: Answer, fact: InteractionFacts | None, ms: int) -> None:
        did = table.did(fact) if fact else table.refused(answer)
        colour = (table.colour(fact) if fact else table.COLOURS[Outcome.REFUSED]) if self.wish.colours else ""
        now = wire.CLOCK.now_ms()
        self.say(table.row(now, talk.use_case, talk.language, came, did, ms, self.wish.width, colour))

    async def _published(self, store: "Store", host: str) -> None:
        """Wait until the last interaction stands under a signed checkpoint, about a second."""
        deadline = wire.CLOCK.monotonic() + PUBLISHED_S
        while self.last is not None and wire.CLOCK.monotonic() < deadline:
            index = (await store.reader.show(self.last)).index
            checkpoint = await asyncio.to_thread(_get, host, "/log/checkpoint")
            if index is not None and checkpoint and int(checkpoint.split("\n")[1]) > index:
                return
            await asyncio.sleep(0.1)
        self.wrong.append("the last interaction did not come under a signed checkpoint")

    def _judge(self, model: str, data: Path) -> None:
        planted = self.play.planted
        seen = json.loads(_get(model, "/scripted/seen") or '{"seen": []}')["seen"]
        files = {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}
        at_model, at_rest = checks.of_model(planted, seen), checks.of_disk(planted, files)
        self.wrong += at_model + at_rest
        self.say("")
        if not at_model:
            self.say(f"{len(planted)} planted values, 0 of them in the {len(seen)} requests that reached the model")
        if not at_rest:
            self.say(f"and none in clear in the {len(files)} files of the data folder")

    def _show(self) -> None:
        home = str(self.wish.home)
        verified = self._command("verify", home, "--payloads")
        if verified.returncode or not verified.stdout.startswith("OK"):
            self.wrong.append("the ledger does not verify")
        reported = self._command("report", "--home", home)
        if reported.returncode:
            self.wrong.append("handrail report failed")
        if self.example is None:
            return
        shown = self._command("show", self.example, "--home", home, quiet=True)
        if shown.returncode:
            self.wrong.append("handrail show failed")
            return
        value = json.loads(shown.stdout)
        names = ("use_case", "language", "verdict", "outcome", "findings", "messages_new", "latency_ms")
        fields = {name: value["facts"][name] for name in names if name in value["facts"]}
        self.say(json.dumps({"index": value["index"], "at": value["at"]} | fields, ensure_ascii=False))

    async def _visit(self, host: str) -> None:
        """Every page of the console, for each role."""
        wrong, seen = await asyncio.to_thread(visit.visited, host, routes())
        self.wrong += wrong
        if not wrong:
            opened = len({one.row.name for one in seen if one.answer.status == 200})
            self.say("")
            self.say(f"the console: {opened} pages and lists opened, and {len(Role)} roles see each what is theirs")

    def _command(self, *arguments: str, quiet: bool = False, token: str = "") -> "CompletedProcess[str]":
        """Run a command and show it with what it says."""
        self.say("")
        self.say(f"$ handrail {' '.join(arguments)}")
        done = stage.command(Path(), self.env, *arguments, token=token)
        for line in (done.stderr if quiet else done.stdout + done.stderr).splitlines():
            self.say(f"  {line}")
        return done

    def _where(self, host: str, console: str, keys: dict[str, str], staff: stage.Staff) -> None:
        home, key = self.wish.home, keys["shop-chat"]
        self.say("")
        self.say("where to look")
        self.say(f"  in a browser   http://{console}{visit.CHOOSE}: choose a role, and ask")
        self.say("    as owner     why a release went back, whom it hurt: the tile Rolled back today")
        self.say("    as approver  what waits: Approvals (three refunds)")
        self.say("    as reviewer  what happened to a customer: Search, kp-2005")
        self.say("    as engineer  how to stop an AI: Stop an AI; as owner there: Let it run again")
        self.say(f"  configuration  {home}/handrail.yaml, {home}/use-cases/")
        self.say(f"  what happened  handrail find --home {home}")
        self.say(f"                 handrail show INTERACTION --home {home} --payload --reason 'demo 1'")
        self.say(
            f"  what waits     handrail approvals list --home {home} (three refunds; --state denied: what was stopped)"
        )
        self.say(f"  its releases   handrail release list --home {home}; handrail incident list --home {home}")
        self.say(f"  its staff      approver, reviewer: export HANDRAIL_TOKEN={staff.person}")
        self.say(f"                 admin (publish needs it): export HANDRAIL_TOKEN={staff.admin}")
        self.say(f"  the log        http://{host}/log/checkpoint (public, signed; the key: handrail log-key)")
        self.say("try it with your own bot: change its base URL and key, nothing else (the answers stay scripted)")
        self.say(f"  export OPENAI_BASE_URL=http://{host}/v1 OPENAI_API_KEY={key}")
        self.say(f"  curl http://{host}/v1/chat/completions -H 'authorization: Bearer {key}' \\")
        self.say("    -H 'content-type: application/json' -d '" + json.dumps(TRY) + "'")

    async def _stay(self) -> None:
        now = wire.CLOCK.monotonic() - self.started
        left = None if self.wish.until_s is None else max(0.0, self.wish.until_s - now)
        if not self.wish.stay and left is None:
            return
        self.say("")
        self.say("it keeps serving: Ctrl-C ends it" if left is None else f"it keeps serving for {left:.0f} s")
        try:
            await asyncio.wait_for(self.stop.wait(), left)
        except TimeoutError:
            return

    def _step(self, line: str) -> None:
        self.say(f"[{wire.CLOCK.monotonic() - self.started:4.1f} s] {line}")


async def play(wish: Wish, env: Mapping[str, str], say: Say) -> int:
    """Run the demo; the exit code. Raises HandrailError when it cannot be staged."""
    return await Demo(wish, env, say, wire.CLOCK.monotonic(), load()).run()


def _result(call: Json, turn: Turn) -> Json:
    """What the client's tool returns."""
    content = turn.results.get(call["function"]["name"], "there is no such tool")
    return {"role": "tool", "tool_call_id": call["id"], "content": content}


def _get(host: str, path: str) -> str:
    """The body, empty when it is not there."""
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        return body if response.status == 200 else ""
    finally:
        connection.close()
