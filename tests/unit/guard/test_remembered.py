"""What a process remembers from one request to the next: nothing that outlives a publish, nothing of a person."""

import asyncio
from typing import Any
from urllib.parse import unquote

import msgspec
from tests.fakes.gateway import World, chat_answer, use_case, world
from tests.fakes.guard import Answering

from handrail.in_force.snapshot import Snapshot
from handrail.policy.ruleset import Disclosure, FindingAction, FindingRule, digest
from handrail.terms.finding import Kind

MAIL = "ann@example.com"
ASKED = {"model": "support", "messages": [{"role": "user", "content": f"Hello, I am {MAIL}, where is my order?"}]}


def publish(w: World, **changes: Any) -> None:
    """Another version of the one use case in force, as `in_force.follow` swaps it."""
    before = w.in_force.current
    assert isinstance(before, Snapshot)
    ruleset = msgspec.structs.replace(before.ruleset, use_cases={"support": use_case(**changes)})
    w.in_force.current = msgspec.structs.replace(
        before, epoch=before.epoch + 1, ruleset=ruleset, ruleset_digest=digest(ruleset)
    )


def asked(w: World) -> Any:
    return asyncio.run(w.post("/v1/chat/completions", ASKED))


def test_the_request_after_a_publish_goes_by_what_was_published() -> None:
    w = world(lambda request: Answering([chat_answer("Thank you.")]))
    for _ in range(2):
        got = asked(w)
        assert MAIL.encode() not in w.model.requests[-1].body
        assert "You are talking to an AI assistant." in unquote(got.headers["x-handrail-disclosure"])
    allowed = {**use_case().findings, Kind.EMAIL: FindingRule(action=FindingAction.MARK, rule="new")}
    publish(w, findings=allowed, disclosure=Disclosure(wording={"en": "A machine answers."}, version="2"))
    got = asked(w)
    assert MAIL.encode() in w.model.requests[-1].body
    assert unquote(got.headers["x-handrail-disclosure"]) == "version=2; language=en; wording=A machine answers."
    blocked = {**allowed, Kind.EMAIL: FindingRule(action=FindingAction.BLOCK, sentences={"*": "No."})}
    publish(w, findings=blocked)
    assert asked(w).json["choices"][0]["message"]["content"] == "No."
    assert [facts.verdict for facts in w.journal.facts()] == ["change", "change", "allow", "deny"]


def test_a_decision_that_is_remembered_names_nobody() -> None:
    w = world(lambda request: Answering([chat_answer("Thank you.")]))
    got = asked(w)
    (caller,) = w.gateway.identity._callers.values()
    remembered = caller.rules._decided
    assert len(remembered) == 1
    for part in (MAIL, "ann", got.headers["x-handrail-conversation"], got.headers["x-handrail-interaction"], "su_"):
        assert part not in repr(remembered)
