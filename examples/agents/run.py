"""Run both agents against a handrail on this machine, and check what came of it. Nothing leaves the machine.

`make test` runs it, `make examples` it alone. It takes the demo's contact centre (a home, a shop, the scripted
model), starts each agent in the environment of the examples, approves what it asks for as a person would, and compares
what the agent was told with the shop's own books. Exit code 1 and a sentence when anything is otherwise.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from handrail.app.demo import stage

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PYTHON = ROOT / ".venv-examples" / "bin" / "python"
EXAMPLES = {"pydantic_ai_agent.py": ("X-1001", "kp-1"), "openai_agents_agent.py": ("X-2001", "kp-2")}
"""Example to the order it refunds and its customer."""

BOUND_S = 120
PAID = 89.0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as processes:
        home = Path(folder) / "home"
        stage.write_home(home, keep=False)
        data = home / ".handrail"
        model = processes.enter_context(stage.model_server(scripted(), data / "model.log"))
        orders = {order: {"customer": who, "paid": PAID, "status": "delivered"} for order, who in EXAMPLES.values()}
        shop = processes.enter_context(stage.shop(home, orders, data / "shop.log"))
        stage.point_at(home, "handrail.yaml", model.host)
        stage.point_at(home, "tools/shop.yaml", shop.host)
        _, keys, staff = asyncio.run(stage.publish(home, os.environ, None))
        server = processes.enter_context(stage.gateway(home, data / "serve.log"))
        for example, (order, customer) in EXAMPLES.items():
            play(example, [order, customer], f"http://{server.host}", keys[stage.AGENT], home, staff.marked)
        with urllib.request.urlopen(f"http://{shop.host}/books", timeout=10) as answer:
            books = json.load(answer)
        expect(books["refunds"] == 2 and books["cents"] == 17_800, f"the shop's books say {books}")
        print(f"the shop paid {books['refunds']} refunds, {books['cents'] / 100:.2f} EUR")


def scripted() -> str:
    """The model's script, with the replies once for each order."""
    text = (HERE / "model.json").read_text()
    each = [json.loads(text.replace("ORDER", order)) for order, _ in EXAMPLES.values()]
    return json.dumps({"replies": [reply for one in each for reply in one["replies"]], "fallback": each[0]["fallback"]})


def play(example: str, words: list[str], url: str, key: str, home: Path, token: str) -> None:
    """One agent from its first word to its last; a person approves in between."""
    env = {"HANDRAIL_URL": url, "HANDRAIL_KEY": key, "PATH": os.environ["PATH"]}
    begun = time.monotonic()
    with subprocess.Popen(
        [str(PYTHON), str(HERE / example), *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as agent:
        try:
            held = waiting(home, agent)
            seen = json.loads(handrail(home, "approvals", "show", held["action"], "--json", "--token", token))
            handrail(home, "approvals", "approve", held["action"], "--digest", seen["digest"], "--token", token)
            said, _ = agent.communicate(timeout=BOUND_S)
        finally:
            agent.kill()
    lines = said.splitlines()
    print(f"{example}: {time.monotonic() - begun:.1f} s", *lines, sep="\n  ")
    expect(agent.returncode == 0, f"{example} ended with {agent.returncode}")
    expect(len(lines) == 3, f"{example} said {len(lines)} lines and not 3")
    asked, ended, told = (line.replace("'", '"').replace(" ", "") for line in lines)  # one framework says it by str()
    expect('"status":"held"' in asked, f"{example}: the model was not told that the refund is held")
    expect(ended == "handrail:done", f"{example}: the approved refund is not done but {ended}")
    receipt = f'"order":"{words[0]}"' in told and '"receipt":"RF-' in told
    expect(receipt, f"{example}: the model got no receipt")


def waiting(home: Path, agent: "subprocess.Popen[str]") -> dict[str, str]:
    """The one action that waits; the refund, since the read before it passed."""
    deadline = time.monotonic() + BOUND_S
    while time.monotonic() < deadline and agent.poll() is None:
        rows = [json.loads(line) for line in handrail(home, "approvals", "list", "--json").splitlines()]
        if rows:
            expect([row["tool"] for row in rows] == ["shop.refund"], f"what waits is {rows}")
            expect(rows[0]["amount_minor"] == PAID * 100, f"the refund that waits is {rows[0]['amount_minor']} cents")
            return rows[0]
        time.sleep(0.2)
    agent.kill()
    said, _ = agent.communicate()
    sys.exit(f"FAILED: nothing waits for a person; the agent said:\n{said}")


def handrail(home: Path, *words: str) -> str:
    done = stage.command(home, os.environ, *words)
    expect(done.returncode == 0, f"handrail {words[0]} {words[1]} failed: {done.stderr}")
    return done.stdout


def expect(sound: bool, otherwise: str) -> None:
    if not sound:
        sys.exit(f"FAILED: {otherwise}")


if __name__ == "__main__":
    main()
