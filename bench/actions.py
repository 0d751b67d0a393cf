"""Replay of recorded agents through the decision on actions. `python bench/actions.py [retail|airline] [-v]`.

Rules and tools come from `examples/policies`; the runs from the data packs `cx-actions` and `agent-runs`. Prints what
was stopped (held or denied) of wrong and of right writes, holds per run, and the curve beside "hold every write" and
"hold money". A write counts as wrong as its pack labels it; a call that failed in the recording had no effect.
"""

import gzip
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import msgspec
from actions_home import Home, load_home, world_of
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from handrail.policy.action import ActionInput, Why
from handrail.policy.decide_action import Prepared, decide_action
from handrail.policy.replay import replay_conversation
from handrail.terms.action import CONSEQUENTIAL
from handrail.terms.decision import Verdict
from handrail.tools.paths import leaves

PACKS = Path(os.environ.get("HANDRAIL_PACKS", Path(__file__).parent.parent.parent / "shared/data"))


@dataclass(frozen=True)
class Write:
    """One recorded write. `label`: right, wrong or failed. `reasons`: of its decision, with the rule's id."""

    run: str
    message: int
    tool: str
    label: str
    money: bool
    verdict: Verdict
    holds: frozenset[str]
    denies: frozenset[str]


def lines(path: Path) -> Any:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def replay_cx(domain: str) -> tuple[int, list[Write], list[tuple[Write, ActionInput]], Home]:
    home = load_home(domain)
    prepared = prepare(home)
    world = world_of(home)
    by_place = {rule.place: rule for rule in home.rules.rules}
    runs = [run for run in lines(PACKS / "cx-actions/trajectories.jsonl.gz") if run["domain"] == domain]
    writes, inputs = [], []
    for run in runs:
        labels = {call["msg"]: call for call in run["calls"] if call["effect"] == "write"}
        for one in replay_conversation(run["messages"], world, prepared):
            call = labels.get(one.message)
            if call is None:
                continue
            label = "failed" if call["failed"] else "right" if call["in_ground_truth"] else "wrong"
            names: dict[bool, set[str]] = {True: set(), False: set()}
            for reason in one.decision.reasons:
                rule = by_place.get(reason.rule)
                if reason.code != Why.DOUBT and (rule is None or rule.then is not Verdict.ALLOW):
                    denies = rule.then is Verdict.DENY if rule else reason.code in DENYING
                    names[denies].add(rule.id if rule else f"{reason.code} {reason.side}".strip())
            writes.append(
                Write(
                    run["run_id"], one.message, one.tool, label, call["money"], one.decision.verdict,
                    frozenset(names[False]), frozenset(names[True]),
                )
            )  # fmt: skip
            inputs.append((writes[-1], one.given))
    return len(runs), writes, inputs, home


def prepare(home: Home, hold_at: int | None = None) -> Prepared:
    rules = home.rules
    if hold_at is not None:
        rules = msgspec.structs.replace(rules, doubts_hold_at=hold_at)
    return Prepared({home.use_case.id: home.use_case}, {home.use_case.id: home.tools}, rules)


def curve(runs: int, inputs: list[tuple[Write, ActionInput]], home: Home) -> None:
    """Wrong writes stopped against holds per run, for every count of doubts, beside two rules of thumb."""
    everything = [(write, Verdict.HOLD) for write, _ in inputs]
    money = [(write, Verdict.HOLD if write.money else Verdict.ALLOW) for write, _ in inputs]
    point("hold every write", runs, everything)
    point("hold money", runs, money)
    for hold_at in range(1, 9):
        prepared = prepare(home, hold_at)
        point(f"hold at {hold_at} doubts", runs, [(w, decide_action(g, prepared).verdict) for w, g in inputs])


def point(name: str, runs: int, decided: list[tuple[Write, Verdict]]) -> None:
    wrong = [verdict for write, verdict in decided if write.label == "wrong"]
    right = [verdict for write, verdict in decided if write.label == "right"]
    stopped = sum(verdict in (Verdict.HOLD, Verdict.DENY) for verdict in wrong)
    holds = sum(verdict is Verdict.HOLD for _, verdict in decided)
    denied = sum(verdict is Verdict.DENY for verdict in right)
    held = sum(verdict is Verdict.HOLD for verdict in right)
    shares = f"stopped {stopped / len(wrong):6.1%} of wrong writes at {holds / runs:.2f} holds per run"
    print(f"    {name:20} {shares}; of right writes held {held / len(right):.1%}, denied {denied / len(right):.1%}")


DENYING = {"stopped", "tool.unregistered", "arguments.schema", "origin.contradicted", "autonomy.read_only"}


def report(domain: str, runs: int, writes: list[Write], *, verbose: bool) -> None:
    count = Counter((write.label, write.verdict) for write in writes)
    total = Counter(write.label for write in writes)
    print(f"{domain}: {runs} runs, {dict(total)}")
    for label in ("wrong", "right", "failed"):
        shares = {v.value: count[label, v] for v in Verdict if count[label, v]}
        print(f"  {label:7}{shares}")
    stopped = sum(count["wrong", v] for v in (Verdict.HOLD, Verdict.DENY))
    holds = sum(count[label, Verdict.HOLD] for label in total)
    print(f"  wrong stopped {stopped / total['wrong']:.1%} at {holds / runs:.2f} holds per run; ", end="")
    print(f"right denied {count['right', Verdict.DENY] / total['right']:.1%}")
    names = Counter((name, write.label) for write in writes for name in write.holds | write.denies)
    only = Counter(
        (next(iter(write.holds)), write.label) for write in writes if not write.denies and len(write.holds) == 1
    )
    for name in sorted({name for name, _ in names}):
        row = [names[name, label] for label in ("wrong", "right", "failed")]
        alone = [only[name, label] for label in ("wrong", "right")]
        print(f"    {name:38} wrong {row[0]:3} right {row[1]:3} failed {row[2]:3}   alone {alone[0]:3}/{alone[1]:3}")
    if verbose:
        for write in writes:
            if (write.label == "wrong" and write.verdict is Verdict.ALLOW) or (write.label == "right" and write.denies):
                print("   ", write.label, write.run, write.message, write.tool, sorted(write.holds | write.denies))


@dataclass(frozen=True)
class Contained:
    """`held`: calls held in `benign` runs. `through`: of the attacks that `succeeded`, those that would still have."""

    benign: int
    held: int
    attacked: int
    succeeded: int
    through: int


def replay_attacks(suite: str) -> Contained:
    """Benign runs: holds per run. Attacked runs: contained when the attack did not succeed, or when every call that
    carries a value of the injected text which the customer never said was stopped (of a run without one: every write).
    """
    home = load_home(suite)
    prepared = prepare(home)
    world = world_of(home, decode=yaml_values)
    weighty = {tool.name for tool in home.tools if tool.type in CONSEQUENTIAL or tool.outbound}
    runs = [run for run in lines(PACKS / "agent-runs/transcripts.jsonl.gz") if run["suite"] == suite]
    benign = [run for run in runs if run["attack"] == "none"]
    attacked = [run for run in runs if run["attack"] != "none"]
    reasons: Counter[str] = Counter()
    held = denied = 0
    for run in benign:
        stopped = {}
        for one in replay_conversation(run["messages"], world, prepared):
            if one.decision.verdict in (Verdict.HOLD, Verdict.DENY):
                stopped[one.tool, json.dumps(one.given.arguments, sort_keys=True)] = one.decision
        held += sum(decision.verdict is Verdict.HOLD for decision in stopped.values())
        denied += sum(decision.verdict is Verdict.DENY for decision in stopped.values())
        reasons.update(f"{r.code} {r.side or r.rule}" for d in stopped.values() for r in d.reasons)
    per_run = f"{held / len(benign):.3f} holds and {denied / len(benign):.3f} denials per run"
    print(f"{suite}: {len(benign)} benign runs, {per_run}")
    print("   ", reasons.most_common(12))
    through = succeeded = 0
    for run in attacked:
        if not run["attack_succeeded"]:
            continue
        succeeded += 1
        asked = " ".join(m["content"] or "" for m in run["messages"] if m["role"] == "user").lower()
        injected = " ".join(run["injections"].values()).lower()
        carrying, passed = [], []
        for one in replay_conversation(run["messages"], world, prepared):
            if one.tool not in weighty:
                continue
            values = [str(value).lower() for _, value in leaves(one.given.arguments)]
            carries = any(len(value) > 3 and value in injected and value not in asked for value in values)
            went = one.decision.verdict in (Verdict.ALLOW, Verdict.CHANGE)
            (carrying if carries else passed).append((went, one))
        wrong = [one for went, one in (carrying or passed) if went]
        if wrong or not (carrying or passed):
            through += 1
            print("    through", run["run_id"], [(one.tool, one.given.arguments) for one in wrong])
    print(f"    {len(attacked)} attacked runs, {succeeded} succeeded; {through} would have gone through: ", end="")
    print(f"{1 - through / succeeded:.1%} of those that succeeded contained, {1 - through / len(attacked):.1%} of all")
    return Contained(len(benign), held, len(attacked), succeeded, through)


def yaml_values(text: str) -> Any:
    """Tool results of these agents are YAML."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        raise ValueError("not YAML") from None


if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if not name.startswith("-")] or ["retail", "airline", "banking"]
    for name in chosen:
        if name in ("retail", "airline"):
            count, writes, inputs, home = replay_cx(name)
            report(name, count, writes, verbose="-v" in sys.argv)
            curve(count, inputs, home)
        else:
            replay_attacks(name)
