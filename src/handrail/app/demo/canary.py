"""The demo's canary: "shorter replies" is drafted, tested, signed off, started, and takes itself back.

Real requests, real outcome events, the server's own judge; the table shows what the judge sees, read from the register
of units. What must be true at the end is checked: rolled back on transfers, everybody on the old release, an incident.
"""

import asyncio
import http.client
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

from handrail.app import wire
from handrail.app.demo import stage
from handrail.app.demo.customers import Contact, outcome, question
from handrail.app.demo.script import DATA
from handrail.releases.lifecycle import Rollout, State

if TYPE_CHECKING:
    from handrail.app.wire import Store
    from handrail.releases.judge import Conclusion

USE_CASE = "help-chat"
PROMPT = f"prompts/{USE_CASE}.md"
SHORTER: Traversable = DATA / "shorter.md"
LINES = 3
"""Customers at a time."""
ROUND = 2
"""Conversations of a line between two reports of outcomes."""
ROUND_S = 0.4
"""At least, on a terminal: the evidence is to be seen rising."""
LONGEST_S = 45.0
AFTER = 15
"""Conversations after the rollback: none may reach the old canary."""
WITHIN_S = 1.0
Say = Callable[[str], None]


@dataclass(slots=True)
class Played:
    """`served`: conversations. `transfers`: of them."""

    served: int = 0
    transfers: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """`command`: shows and runs one as its first argument's token. `stopped`: the demo is told to end. `round_s`: the
    least time of a round of conversations."""

    store: "Store"
    home: Path
    host: str
    key: str
    events: str
    staff: stage.Staff
    say: Say
    command: Callable[..., Awaitable[CompletedProcess[str]]]
    stopped: Callable[[], bool]
    round_s: float

    async def play(self) -> list[str]:
        """What was not as it should be."""
        self.say("")
        self.say('a new prompt, "shorter replies": it passes its tests, reaches 3 of 10 new conversations, and ...')
        before = (self.home / PROMPT).read_text("utf-8")
        release = await self._started()
        if release is None:
            return ["the draft of the shorter replies could not be started"]
        try:
            played = await self._served(release)
        finally:
            (self.home / PROMPT).write_text(before, "utf-8")
        return played.wrong

    async def _started(self) -> str | None:
        """1 the prompt in the home is changed and published: a draft. 2 its tests, against the running server. 3 the
        owner signs, 4 somebody else starts it. Its digest, or None."""
        text = SHORTER.read_text("utf-8") + f"(Version {self.staff.plays})\n"
        (self.home / PROMPT).write_text(text, "utf-8")
        home, admin = str(self.home), self.staff.admin
        await self.command(admin, "publish", home)
        drafts = [one for one in await self.store.units.rollouts() if one.state is State.DRAFT]
        if not drafts:
            return None
        name = str(drafts[0].release)
        url = f"http://{self.host}/v1"
        for token, words in (
            (admin, ("release", "diff", name[:12])),
            (admin, ("trial", "run", "--release", name[:12], "--url", url)),
            (self.staff.marked, ("release", "sign", name[:12], "--as", "owner")),
            (self.staff.person, ("release", "start", name[:12])),
        ):
            done = await self.command(token, *words, "--home", home)
            if done.returncode:
                return None
        return name

    async def _served(self, release: str) -> Played:
        """Customers come, outcomes are reported, until the judge has said its word; then some more come."""
        played, begun = Played(), wire.CLOCK.monotonic()
        self.say("")
        self.say(head())
        shown = begun
        rollout = await self._rollout(release)
        while rollout.state is State.CANARY and wire.CLOCK.monotonic() - begun < LONGEST_S and not self.stopped():
            await asyncio.gather(self._round(played), asyncio.sleep(self.round_s))
            if wire.CLOCK.monotonic() - shown >= 1.0:
                shown = wire.CLOCK.monotonic()
                self.say(await self._row(rollout, round(shown - begun)))
            rollout = await self._rollout(release)
        if self.stopped():
            return played
        if rollout.state is not State.ROLLED_BACK or rollout.reached is None:
            played.wrong.append(f"the shorter replies were not rolled back within {LONGEST_S:.0f} s")
            return played
        self.say(await self._row(rollout, round(wire.CLOCK.monotonic() - begun)))
        self.say("")
        self.say(f"ROLLED BACK. {rollout.reached.sentence}")
        await self._after(rollout, played)
        home = str(self.home)
        await self.command("", "release", "status", release[:12], "--home", home)
        found = await self.command("", "incident", "list", "--home", home)
        if USE_CASE not in found.stdout:
            played.wrong.append("the rollback opened no incident")
        return played

    async def _after(self, rollout: Rollout, played: Played) -> None:
        """Within a second everybody is on the old release."""
        await asyncio.sleep(WITHIN_S)
        before = sum(units for _, _, units, _ in await self.store.units.counts(rollout))
        contacts = await self._line(played.served, AFTER)
        played.served += len(contacts)
        drawn = sum(units for _, _, units, _ in await self.store.units.counts(rollout)) - before
        short = sum(len(one.answer) < 20 for one in contacts)
        if drawn or short:
            played.wrong.append(f"after the rollback {short} of {len(contacts)} customers still got shorter replies")
        else:
            self.say(f"a second later, the next {len(contacts)} conversations: all answered by the release from before")

    async def _round(self, played: Played) -> None:
        firsts = range(played.served, played.served + LINES * ROUND, ROUND)
        lines = await asyncio.gather(*(self._line(first, ROUND) for first in firsts))
        contacts = [one for line in lines for one in line]
        played.served += len(contacts)
        played.transfers += sum("transfer" in one.events for one in contacts)
        told = [
            {"type": kind, "conversation": one.conversation, "id": f"{kind}-{one.conversation}", "source": "desk"}
            for one in contacts
            for kind in one.events
        ]
        if told:
            await asyncio.to_thread(self._report, told)

    async def _line(self, first: int, many: int) -> list[Contact]:
        """One customer after the other, by number."""
        names = [f"{self.staff.plays}-{number}" for number in range(first, first + many)]
        return await asyncio.to_thread(lambda: [self._talk(name) for name in names])

    def _talk(self, customer: str) -> Contact:
        """One conversation. Raises OSError when the gateway cannot be reached."""
        asked = {"model": USE_CASE, "messages": [{"role": "user", "content": question(customer)}]}
        status, headers, body = _post(self.host, "/v1/chat/completions", self.key, asked)
        if status != 200:
            raise OSError(f"the gateway answered {status}")
        answer = str(json.loads(body)["choices"][0]["message"]["content"])
        return outcome(customer, headers["x-handrail-conversation"], answer)

    def _report(self, told: list[dict[str, str]]) -> None:
        status, _, _ = _post(self.host, "/api/v1/events", self.events, told)
        if status not in (200, 202):
            raise OSError(f"the events were answered {status}")

    async def _rollout(self, release: str) -> Rollout:
        return next(one for one in await self.store.units.rollouts() if one.release == release)

    async def _row(self, rollout: Rollout, seconds: int) -> str:
        told = await conclusion(self.store, rollout)
        return row(seconds, told, math.log(1 / rollout.ramp.alpha) if rollout.ramp else math.inf)


async def conclusion(store: "Store", rollout: Rollout) -> "Conclusion":
    """What the judge knows: the units it has folded."""
    from handrail.releases.canary import Canary as Folded  # deferred: the statistics

    canary = Folded(rollout)
    while units := await store.units.folded(rollout, after=canary.folded, limit=5_000):
        canary.restore(units)
    return canary.judge.conclude()


def head() -> str:
    return f"{'s':>3}  {'canary':>7}  {'control':>8}  {'passed on':>18}  evidence that the canary is worse"


def row(seconds: int, told: "Conclusion", limit: float, bar: int = 40) -> str:
    """`limit`: log evidence at which it goes back; the bar is full there."""
    one = told.metrics["transfer"]
    part = min(1.0, max(0.0, told.log_e / limit))
    filled = "#" * round(part * bar)
    shares = ((one.canary_mean, one.canary_units), (one.control_mean, one.control_units))
    left, right = (f"{mean:.0%}" if units else "-" for mean, units in shares)
    rates = f"{left:>7} : {right:<7}"
    times = f"{math.exp(min(told.log_e, 20.0)):,.1f} of {math.exp(limit):,.0f}"
    return f"{seconds:>3}  {one.canary_units:>7}  {one.control_units:>8}  {rates:>18}  |{filled:<{bar}}| {times}"


def _post(host: str, path: str, key: str, body: object) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(host, timeout=30)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    try:
        connection.request("POST", path, json.dumps(body).encode(), headers)
        response = connection.getresponse()
        raw = response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, raw
    finally:
        connection.close()
