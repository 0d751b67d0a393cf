"""A stop that begins while an answer is on its way ends it, whole or streamed, in every dialect."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.fakes import dialects
from tests.fakes.gateway import HANDOVER, World, chat_answer, chat_stream, rules, use_case, world
from tests.fakes.guard import Answering

from handrail.approvals.stop import Stop, StopScope
from handrail.policy.ruleset import FindingAction
from handrail.terms.decision import Outcome
from handrail.terms.finding import Kind
from handrail.terms.ids import PersonId

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
TALK = ["Your order left ", "the house today. ", "It will be there ", "on Friday. ", "We hope ", "you like it."]
AFTER = 4
"""Pieces of the provider's answer before the stop."""


class Meanwhile(Answering):
    """Somebody pulls a stop after `AFTER` pieces."""

    def __init__(self, pieces: list[bytes], pull: Any) -> None:
        super().__init__(pieces)
        self._pull = pull

    def tap(self, taker):
        """Counts every piece itself."""

    async def chunks(self):
        at = 0
        async for piece in super().chunks():
            if at == min(AFTER, len(self._pieces) - 1):
                self._pull()
            at += 1
            yield piece


def stopping(w: World, scope: StopScope, value: str) -> Any:
    def pull() -> None:
        before = w.in_force.current
        assert before is not None
        stop = Stop(id="st_1", scope=scope, value=value, by=PersonId("p"), reason="drill", at_ms=0)
        w.in_force.current = msgspec.structs.replace(before, epoch=2, stops=(stop,))

    return pull


def playing(pieces: list[bytes], scope: StopScope, value: str) -> World:
    w = world(case=use_case(findings=rules({Kind.HUMAN: FindingAction.HANDOVER})))
    w.model.script = lambda request: Meanwhile(pieces, stopping(w, scope, value))
    return w


def body(path: str, *, stream: bool) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": "support", "stream": stream}
    if path == RESPONSES:
        return {**asked, "input": "where is it?"}
    return {**asked, "messages": [{"role": "user", "content": "where is it?"}], "max_tokens": 99}


STREAMS = {
    CHAT: chat_stream(TALK),
    RESPONSES: dialects.response_stream(TALK),
    MESSAGES: dialects.message_stream(TALK),
}


@pytest.mark.promise("ACT-23")
@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize(
    ("scope", "value"), [(StopScope.ALL, ""), (StopScope.USE_CASE, "support"), (StopScope.AGENT, "bot")]
)
def test_an_answer_that_streams_ends_at_its_next_event_with_the_sentence_for_a_hand_over(
    path: str, scope: StopScope, value: str
) -> None:
    w = playing(STREAMS[path], scope, value)
    got = asyncio.run(w.post(path, body(path, stream=True)))
    said = got.body.decode()
    assert (got.status, got.ended) == (200, True)
    assert HANDOVER in said
    assert "gateway.stopped" in said
    assert "like" not in said
    assert "Friday" not in said
    [facts] = w.journal.facts()
    assert (facts.outcome, facts.error) == (Outcome.REFUSED, "gateway.stopped")


@pytest.mark.promise("ACT-23")
def test_a_stop_of_the_provider_that_streams_ends_it_and_one_of_another_does_not() -> None:
    for provider, ended in (("openai", True), ("backup", False)):
        w = playing(STREAMS[CHAT], StopScope.PROVIDER, provider)
        got = asyncio.run(w.post(CHAT, body(CHAT, stream=True)))
        assert ("gateway.stopped" in got.body.decode()) is ended
        assert (b"like" in got.body) is not ended
        assert got.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.promise("ACT-23")
def test_a_whole_answer_that_comes_under_a_new_stop_is_refused_and_charged() -> None:
    w = playing([chat_answer("It left today.")], StopScope.ALL, "")
    got = asyncio.run(w.post(CHAT, body(CHAT, stream=False)))
    assert (got.status, got.json["error"]["code"]) == (503, "gateway.stopped")
    assert b"It left" not in got.body
    [facts] = w.journal.facts()
    assert (facts.outcome, facts.error, facts.output_tokens) == (Outcome.REFUSED, "gateway.stopped", 7)


@pytest.mark.promise("ACT-23")
def test_a_stop_that_begins_before_the_first_event_leaves_refuses_with_an_error() -> None:
    w = world()

    def script(request: Any) -> Answering:
        stopping(w, StopScope.ALL, "")()
        return Answering(STREAMS[CHAT])

    w.model.script = script
    got = asyncio.run(w.post(CHAT, body(CHAT, stream=True)))
    assert (got.status, got.json["error"]["code"]) == (503, "gateway.stopped")
    assert w.journal.facts()[-1].error == "gateway.stopped"
