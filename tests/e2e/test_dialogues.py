"""Real service conversations and real agent runs through the running gateway.

A bounded sample by default; everything with HANDRAIL_FAULTS=full. Figures are printed: pytest -s.
"""

import os
from collections import Counter

import pytest
from fakes import recordings
from fakes.playing import Performance, Played, perform
from fakes.recordings import Recording

from handrail.ledger.entry import InteractionFacts
from handrail.terms.decision import Outcome
from handrail.terms.finding import Kind

FULL = os.environ.get("HANDRAIL_FAULTS") == "full"
SAMPLE = {"star": 30, "sgd": 24, "runs": 16}
"""Conversations of each pack in a bounded run."""

LINKED = 0.98
"""Least share of later turns that are linked to their conversation without an id."""

FALSE_STOPS = 0.015
"""Greatest share of turns that are blocked or handed over; all of this traffic is benign."""


def sample(pack: str, found: list[Recording]) -> list[Recording]:
    """Evenly over the pack."""
    found = [one for one in found if one.steps]
    return found if FULL else found[:: max(1, len(found) // SAMPLE[pack])]


@pytest.fixture(scope="module")
def dialogues(packs, tmp_path_factory) -> Performance:
    chosen = sample("star", recordings.star(packs)) + sample("sgd", recordings.sgd(packs))
    return perform(chosen, tmp_path_factory.mktemp("dialogues") / "home")


@pytest.fixture(scope="module")
def runs(packs, tmp_path_factory) -> Performance:
    return perform(sample("runs", recordings.agent_runs(packs)), tmp_path_factory.mktemp("runs") / "home")


@pytest.mark.slow
@pytest.mark.packs("dialogues")
@pytest.mark.promise("DEMO-3")
def test_real_dialogues_are_answered_linked_and_recorded_once(dialogues) -> None:
    _print(dialogues)
    _require_sound(dialogues)


@pytest.mark.slow
@pytest.mark.packs("cx-actions")
@pytest.mark.promise("DEMO-4")
def test_real_agent_runs_with_tools_are_answered_linked_and_recorded_once(runs) -> None:
    _print(runs)
    _require_sound(runs)
    assert sum(fact.tool_calls for fact in runs.facts) > len(runs.played)


def _require_sound(done: Performance) -> None:
    stopped = {Outcome.BLOCKED, Outcome.HANDOVER}
    facts = {fact.interaction: fact for fact in done.facts}

    assert {answer.status for answer in done.answers} == {200}
    assert all(facts[answer.interaction].outcome in {Outcome.ANSWERED, *stopped} for answer in done.answers)

    assert len(facts) == len(done.facts) == len(done.answers)
    assert {answer.interaction for answer in done.answers} == set(facts)

    owner: dict[str, str] = {}
    for one in done.played:
        for answer in one.answers:
            conversation = facts[answer.interaction].conversation
            assert owner.setdefault(conversation, one.recording.id) == one.recording.id, "two talks became one"

    for one in done.played:
        mine = [facts[answer.interaction] for answer in one.answers]
        if not any(fact.unlinked for fact in mine):
            assert len({fact.conversation for fact in mine}) == 1
            assert sum(fact.messages_new for fact in mine) == one.sent
    assert _linked(done) >= LINKED
    assert _unexplained(done, facts) == []

    assert done.verified.startswith("OK:"), done.verified
    assert sum(fact.outcome in stopped for fact in done.facts) <= FALSE_STOPS * len(done.facts)


def _linked(done: Performance) -> float:
    later = [answer.interaction for one in done.played for answer in one.answers[1:]]
    facts = {fact.interaction: fact for fact in done.facts}
    return sum(not facts[one].unlinked for one in later) / max(1, len(later))


def _unexplained(done: Performance, facts: dict[str, InteractionFacts]) -> list[str]:
    """Unlinked turns whose history no other conversation had: those that have no right to be unlinked."""
    histories: Counter[str] = Counter()
    unlinked: list[tuple[str, str]] = []
    for one in done.played:
        before = ""
        for answer, known in zip(one.answers, _histories(one), strict=True):
            if facts[answer.interaction].unlinked:
                unlinked.append((answer.interaction, before))
            before = known
            histories[known] += 1
    return [interaction for interaction, before in unlinked if histories[before] < 2]


def _histories(one: Played) -> list[str]:
    """What the client knew after each answer, without the ids of tool calls."""
    said = [
        (m["role"], m["content"], [call["function"] for call in m.get("tool_calls", ())])
        for m in one.bot.history
        if m["role"] != "system"
    ]
    return [repr(said[: place + 1]) for place, (role, _, _) in enumerate(said) if role == "assistant"]


def _print(done: Performance) -> None:
    facts = {fact.interaction: fact for fact in done.facts}
    print(f"\n{len(done.played)} conversations, {len(done.answers)} turns in {done.seconds:.1f} s, "
          f"{_linked(done):.2%} of later turns linked, {dict(done.other)}")  # fmt: skip
    print(done.verified.splitlines()[0] if done.verified else "NOT VERIFIED")
    for pack in sorted({one.recording.pack for one in done.played}):
        mine = [
            facts[answer.interaction] for one in done.played if one.recording.pack == pack for answer in one.answers
        ]
        outcomes = Counter(fact.outcome.value for fact in mine if fact.outcome)
        does = Counter(
            f"{found.side}.{found.kind.value} {found.action or 'below'}"
            for fact in mine
            for found in fact.findings
            if found.new
        )
        doubted = sum(any(found.kind is Kind.UNGROUNDED for found in fact.findings) for fact in mine)
        spent = sorted(fact.latency_ms - fact.upstream_ms for fact in mine)
        print(f"{pack}: {len(mine)} turns, {dict(outcomes)}, {doubted} with UNGROUNDED; ms beside the model: "
              f"median {spent[len(spent) // 2]}, p95 {spent[int(len(spent) * 0.95)]}")  # fmt: skip
        print("  " + ", ".join(f"{name} {count}" for name, count in does.most_common()))
        stops = [f"{fact.interaction} {fact.reasons[0].code}" for fact in mine if fact.outcome is not Outcome.ANSWERED]
        for line in stops[:20]:
            print("  stopped:", line)
