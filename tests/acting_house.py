"""A home whose agent may act: a till on loopback in a process of its own, rules, staff with personal tokens."""

import contextlib
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from house import House, Server, post

TOOLS = """\
upstream:
  id: till
  kind: http
  base_url: {url}
  private_network: true
  trusted: true
  timeout_ms: 3000
  credential: {{ env: TILL_KEY }}
tools:
  refund:
    type: money
    title: Pay money back
    reversibility: none
    money: {{ amount: amount, unit: minor, currency: EUR }}
    business_key: [order, amount]
    asks: {{ en: [refund] }}
    consequential_values: [order]
    arguments:
      type: object
      additionalProperties: false
      required: [order, amount]
      properties:
        order: {{ type: string, maxLength: 60 }}
        amount: {{ type: integer, minimum: 1, maximum: 500000 }}
    http: {{ method: POST, path: "/orders/{{order}}/refunds" }}
{knows}
  refund_by_key:
    type: read
    arguments:
      type: object
      additionalProperties: false
      required: [key]
      properties: {{ key: {{ type: string }} }}
    http: {{ method: GET, path: "/refunds/{{key}}" }}
  note:
    type: write-undoable
    reversibility: free
    undo: {{ tool: till.forget, arguments: {{ note: $response.id }} }}
    arguments:
      type: object
      additionalProperties: false
      required: [order, text]
      properties: {{ order: {{ type: string, maxLength: 60 }}, text: {{ type: string, maxLength: 200 }} }}
    http: {{ method: POST, path: "/notes/{{order}}" }}
{knows}
  forget:
    type: write-undoable
    reversibility: free
    arguments:
      type: object
      additionalProperties: false
      required: [note]
      properties: {{ note: {{ type: string }} }}
    http: {{ method: POST, path: "/forget/{{note}}" }}
"""
HONOURS = "    idempotency: { place: header, name: Idempotency-Key }"
ASKS = (
    HONOURS + "\n    outcome:\n      call: { tool: till.refund_by_key, arguments: { key: $key } }\n"
    "      expect: [{ path: found, equals: true }]\n      absent: [{ path: found, equals: false }]"
)
KNOWS = {"honours": HONOURS, "asks": ASKS, "neither": ""}
RULES = """\
limits:
  - { id: per-action, at_most: 100000, per: action, within: day, currency: EUR, tools: [till.refund] }
routes:
  - { id: leads, roles: [approver], decide_within_s: 600 }
"""
LEVELS = """\
levels:
  read: {risk: R1, autonomy: A3}
  assert: {risk: R1, autonomy: A3}
  write-undoable: {risk: R1, autonomy: A3}
  money: {risk: R3, autonomy: A3}
tools: [till.refund, till.refund_by_key, till.note, till.forget]
"""


class ActingHouse(House):
    """`staff`: personal tokens by name: ann and bob approve, cleo and dora are in compliance."""

    def __init__(self, root: Path, till: str, *, knows: str = "asks", **more: Any) -> None:
        super().__init__(root, **more)
        self.equip(till, knows)

    def equip(self, till: str, knows: str = "asks") -> None:
        """Give a home its tools and rules."""
        root = self.root
        self.env["TILL_KEY"] = "till-secret"
        (root / "tools").mkdir()
        (root / "rules").mkdir()
        (root / "tools" / "till.yaml").write_text(TOOLS.format(url=till, knows=KNOWS[knows]))
        (root / "rules" / "till.yaml").write_text(RULES)
        path = root / "use-cases" / "orders.yaml"
        path.write_text(path.read_text().replace("levels: {assert: {risk: R1, autonomy: A3}}\n", LEVELS))
        self.staff: dict[str, str] = {}

    def hire(self) -> None:
        code = re.search(r"ho_\S+", self.said("person", "first"))
        assert code is not None
        said = self.said("person", "redeem", code[0], "--mail", "root@house.example", "--name", "Root")
        self.staff["root"] = _token(said)
        roles = {"ann": "approver", "bob": "approver", "cleo": "compliance", "dora": "compliance"}
        for name, role in roles.items():
            words = ("--mail", f"{name}@house.example", "--name", name, "--role", role, "--token", self.staff["root"])
            one = re.search(r"ho_\S+", self.said("person", "add", *words))
            assert one is not None
            self.staff[name] = _token(self.said("person", "redeem", one[0]))

    def agent(self) -> str:
        """An API key that may act and talk."""
        words = ("--scope", "act", "--scope", "chat", "--agent", "shop-agent")
        return self.key(*words, *(("--token", self.staff["root"]) if self.staff else ())).splitlines()[-1]

    def by(self, name: str, *words: str, code: int = 0) -> str:
        """A command under somebody's token."""
        return self.said(*words, "--token", self.staff[name], code=code)

    def approve(self, name: str, action: str, code: int = 0) -> str:
        """Somebody's yes to the call as it stands: looked at first."""
        digest = json.loads(self.by(name, "approvals", "show", action, "--json"))["digest"]
        return self.by(name, "approvals", "approve", action, "--digest", digest, code=code)


def chat(server: Server, key: str, conversation: str, text: str) -> None:
    """The customer says something in this conversation."""
    body = json.dumps({"model": "scripted-1", "messages": [{"role": "user", "content": text}]}).encode()
    headers = {
        "authorization": f"Bearer {key}", "content-type": "application/json", "x-handrail-conversation": conversation,
        "x-handrail-customer": "c-1",
    }  # fmt: skip
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/chat/completions", body, headers), timeout=20):
        return


def act(server: Server, key: str, action: str, wait: float = 0.0, **body: Any) -> tuple[int, Any]:
    """`POST /api/v1/actions`."""
    root = server.url.removesuffix("/v1")
    status, answer, _ = post(f"{root}/api/v1/actions?wait={wait}", key, {"action": action, **body})
    return status, answer


def told(server: Server, key: str, action: str, wait: float = 0.0) -> Any:
    """`GET /api/v1/actions/ID`."""
    root = server.url.removesuffix("/v1")
    request = urllib.request.Request(
        f"{root}/api/v1/actions/{action}?wait={wait}", headers={"authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=40) as answer:
        return json.load(answer)


class TillProcess:
    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log

    def effects(self, path: str = "") -> list[dict[str, Any]]:
        """What it did, in order."""
        if not self._log.exists():
            return []
        rows = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [row for row in rows if path in row["path"]]


@contextlib.contextmanager
def till(folder: Path, *, forgets: bool = False) -> Iterator[TillProcess]:
    log, arrivals = folder / "effects.jsonl", folder / "arrivals"
    command = [sys.executable, str(Path(__file__).parent / "till.py"), "--log", str(log), "--arrivals", str(arrivals)]
    with subprocess.Popen(
        [*command, *(["--forgets"] if forgets else [])], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield TillProcess(process.stdout.readline().strip(), log)
        finally:
            process.terminate()
            process.wait(10)


def _token(said: str) -> str:
    found = re.search(r"hp_\S+", said)
    assert found is not None, said
    return found[0]
