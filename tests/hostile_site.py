"""A site whose data attackers wrote: the corpus spread once over every place that takes a text, through the doors that
real texts come by.

A place that refuses a text (a name with a line break, a path that does not fit) is as good as one that shows it: what
was taken is counted, and no place may refuse all.
"""

import itertools
import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence

from browser_site import Site
from fakes.hostile_texts import CORPUS, Hostile

from handrail.people.role import Role

PER_TURN = 28
"""Payloads in one message."""
USE_CASE = """\
id: {id}
name: {name}
purpose: {purpose}
channels: [chat]
audience: customer
data_classes: [contact]
levels: {{assert: {{risk: R1, autonomy: A3}}}}
mode: observe
on_detector_failure: refuse
on_unreadable_part: refuse
stream: window
model:
  route: [mock/scripted-1]
prompt: {{mode: managed, file: {id}.md}}
ramp:
  stages:
    - {{share: 0.3}}
  planned_units: 5000
  metrics:
    complaint: {{reference: 0.05}}
"""
TRIAL = """\
- name: {name}
  use_case: orders
  turns:
    - says: {says}
      expect: {{contains: [{wanted}]}}
"""


class Taken:
    """How many texts each place took."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()
        self.offered: Counter[str] = Counter()

    def note(self, place: str, taken: bool) -> None:
        self.offered[place] += 1
        self.of[place] += taken

    @property
    def refused_all(self) -> list[str]:
        return sorted(place for place in self.offered if not self.of[place])


def homes_of(site: Site) -> None:
    """Names, purposes and prompts of use cases, before anything is published."""
    (site.house.root / "prompts").mkdir(exist_ok=True)
    for number, some in enumerate(_shares(4, 3), start=1):
        first, second, third = some
        text = USE_CASE.format(id=f"h{number}", name=json.dumps(first.line), purpose=json.dumps(second.line))
        (site.house.root / "use-cases" / f"h{number}.yaml").write_text(text)
        (site.house.root / "prompts" / f"h{number}.md").write_text(f"{third.line}\n")
    site.house.by("root", "publish", str(site.house.root))


def overrun(site: Site) -> Taken:
    """Everything else. Deterministic: the same text at the same place each time."""
    taken = Taken()
    homes_of(site)
    _tell(site, taken)
    _act(site, taken)
    _write(site, taken)
    for number, one in enumerate(itertools.islice(_cycle(11), 12)):
        site.new_session(Role.STAFF if number % 2 else Role.REVIEWER, name=one.line)
        taken.note("person", True)
    _talk(site, taken)  # last, so that lists lead there first
    return taken


def _talk(site: Site, taken: Taken) -> None:
    """Every payload once as what a customer says, and the model says it back."""
    turns = [CORPUS[at : at + PER_TURN] for at in range(0, len(CORPUS), PER_TURN)]
    for some in turns:
        text = "\n".join(one.marked for one in some)
        body = {"model": "scripted-echo", "messages": [{"role": "user", "content": text}]}
        taken.note("message", _post(site, body, {"x-handrail-conversation": "hostile-0"}) < 500)


def _tell(site: Site, taken: Taken) -> None:
    """Tool results, file names and headers."""
    for number, one in enumerate(itertools.islice(_cycle(5), 12)):
        call = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": json.dumps({"q": one.text})}}
        messages = [
            {"role": "user", "content": "Where is it?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "t1", "content": one.marked},
        ]
        headers = {"x-handrail-conversation": f"told-{number}"}
        taken.note("tool result", _post(site, {"model": "scripted-1", "messages": messages}, headers) == 200)
    for one in itertools.islice(_cycle(7), 6):
        file = {"type": "file", "file": {"filename": one.marked, "file_data": "data:text/plain;base64,eA=="}}
        said = [{"role": "user", "content": [{"type": "text", "text": "see this"}, file]}]
        taken.note("file name", _post(site, {"model": "scripted-1", "messages": said}, {}) < 500)
    for one in itertools.islice(_cycle(9), 12):
        plain = one.line.encode("ascii", "replace").decode()
        headers = {"x-handrail-conversation": plain, "x-handrail-customer": plain, "user-agent": plain}
        said = [{"role": "user", "content": "hello"}]
        taken.note("header", _post(site, {"model": "scripted-1", "messages": said}, headers) < 500)


def _act(site: Site, taken: Taken) -> None:
    """Arguments of actions that ran, wait and were decided, with what approvers wrote."""
    for number, one in enumerate(itertools.islice(_cycle(13), 10)):
        status, _ = site.act("till.note", wait=2, conversation="hostile-0",
                             arguments={"order": f"A-{number}", "text": one.marked[:200]})  # fmt: skip
        taken.note("argument", status < 400)
    for number, one in enumerate(itertools.islice(_cycle(17), 12)):
        arguments = {"order": one.line[-60:], "amount": 150_000 + number}
        status, answer = site.act("till.refund", conversation="hostile-0", arguments=arguments)
        taken.note("held argument", status < 400)
        if status < 400 and number % 3 == 0:
            done = site.house.run(
                "approvals",
                "deny",
                answer["action_id"],
                "--comment",
                one.line,
                "--token",
                site.house.staff["ann"],
                code=None,
            )
            taken.note("comment", done.returncode == 0)


def _write(site: Site, taken: Taken) -> None:
    """What colleagues write: reasons, titles, notes, tasks, names of keys and of tests, and drafts of prompts."""
    house, root = site.house, site.house.staff["root"]
    incident = ""
    commands: list[tuple[str, Sequence[str]]] = []
    texts = _cycle(3)
    for number in range(4):
        commands += [
            ("reason of a stop", ("stop", "use-case", f"h{number + 1}", "--reason", next(texts).line)),
            ("incident title", ("incident", "open", "orders", next(texts).line, "--owner", next(texts).line)),
            ("reason of a silence", ("alerts", "silence", "--for", "1h", "--reason", next(texts).line)),
            ("name of a key", ("key", "create", "--use-case", "h1", "--agent", next(texts).line)),
            ("reason of a demotion", ("autonomy", "demote", "orders", "--reason", next(texts).line)),
        ]
    for place, words in commands:
        done = house.run(*words, "--token", _by(site, words[0]), code=None)
        taken.note(place, done.returncode == 0)
        if place == "incident title" and done.returncode == 0:
            incident = done.stdout.split()[0].strip(":,")
    for _ in range(3):
        for place, words in (
            ("incident note", ("incident", "note", incident, next(texts).line)),
            ("incident task", ("incident", "task", incident, next(texts).line, "--owner", next(texts).line)),
        ):
            done = house.run(*words, "--token", _by(site, "incident"), code=None)
            taken.note(place, done.returncode == 0)
    prompt = house.root / "draft.md"
    prompt.write_text("\n".join(one.marked.replace("\x00", "") for one in CORPUS), errors="replace", newline="")
    done = house.run("release", "new", "--use-case", "h1", "--prompt", str(prompt), "--token", root, code=None)
    taken.note("prompt", done.returncode == 0)
    (house.root / "tests").mkdir(exist_ok=True)
    rows = (
        TRIAL.format(name=json.dumps(one.line), says=json.dumps(one.line), wanted=json.dumps(one.line))
        for one in itertools.islice(_cycle(19), 6)
    )
    (house.root / "tests" / "hostile.yaml").write_text("".join(rows))


def _by(site: Site, command: str) -> str:
    """Somebody's token who may do it, whatever role that takes."""
    return site.new_session(*Role, name=f"Every Role {command}").text


def _post(site: Site, body: object, headers: dict[str, str]) -> int:
    given = {"authorization": f"Bearer {site.key}", "content-type": "application/json", **headers}
    request = urllib.request.Request(f"{site.server.url}/chat/completions", json.dumps(body).encode(), given)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def _cycle(step: int) -> Iterator[Hostile]:
    """All of the corpus in another order for each place."""
    return itertools.cycle(CORPUS[(at * step) % len(CORPUS)] for at in range(len(CORPUS)))


def _shares(many: int, each: int) -> Iterator[tuple[Hostile, ...]]:
    texts = _cycle(23)
    for _ in range(many):
        yield tuple(itertools.islice(texts, each))
