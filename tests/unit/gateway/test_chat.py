"""Chat Completions through the whole gateway, with the real detectors and everything else in memory."""

import asyncio

import orjson
import pytest
from tests.fakes.gateway import chat_answer, chat_stream, rules, use_case, world
from tests.fakes.guard import Answering

from handrail.policy.ruleset import FindingAction
from handrail.terms.finding import Kind

ASK = {"model": "support", "messages": [{"role": "user", "content": "Where is my order 48213?"}]}


def test_an_answer_passes_byte_for_byte_and_is_recorded_before_it_leaves() -> None:
    answer = chat_answer("It left our warehouse on Monday.")
    w = world(lambda request: Answering([answer]))
    got = asyncio.run(w.post("/v1/chat/completions", ASK))
    assert got.status == 200, got.body
    assert got.body == answer
    assert orjson.loads(w.model.requests[0].body) == {**ASK, "model": "gpt-4o-mini"}
    assert w.steps == [
        "queued interaction.opened",
        "queued disclosure.recorded",
        "durable interaction.closed",
        "sent last",
    ]
    assert got.headers["x-handrail-outcome"] == "answered"


def test_a_card_reaches_neither_the_model_nor_the_record_and_comes_back_to_the_customer() -> None:
    def script(request):
        said = orjson.loads(request.body)["messages"][0]["content"]
        assert "4111" not in said
        return Answering([chat_answer(said)])

    w = world(script)
    text = "My card is 4111 1111 1111 1111, thanks"
    got = asyncio.run(
        w.post("/v1/chat/completions", {"model": "support", "messages": [{"role": "user", "content": text}]})
    )
    assert got.json["choices"][0]["message"]["content"] == text
    facts = w.journal.facts()[0]
    assert facts.verdict == "change"
    assert [found.kind for found in facts.findings] == ["CARD"]
    payload = w.journal.payloads()[0]
    assert "4111" not in str(payload["messages"])
    assert "4111 1111 1111 1111" in payload["tokens"].values()


def test_a_stream_passes_its_text_and_is_recorded_before_its_last_event() -> None:
    words = ["Your", " order", " has", " been", " shipped", " and", " should", " arrive", " soon", "."]
    w = world(lambda request: Answering(chat_stream(words)))
    got = asyncio.run(w.post("/v1/chat/completions", {**ASK, "stream": True}))
    assert got.status == 200, got.body
    events = got.events()
    assert events[-1] == "[DONE]"
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events[:-1]) == "".join(words)
    assert w.steps[-2:] == ["durable interaction.closed", "sent last"]
    assert w.journal.facts()[0].output_tokens == 7


def test_a_card_in_a_stream_is_masked_whole() -> None:
    words = ["Your card ", "4111 ", "1111 ", "1111 ", "1111", " is on file", "."]
    w = world(lambda request: Answering(chat_stream(words)))
    got = asyncio.run(w.post("/v1/chat/completions", {**ASK, "stream": True}))
    text = "".join(e["choices"][0]["delta"].get("content", "") for e in got.events()[:-1])
    assert "4111" not in got.body.decode()
    assert text.startswith("Your card [CARD_")
    assert text.endswith("] is on file.")


def chunk(*choices):
    return b"data: " + orjson.dumps({"id": "c", "object": "chat.completion.chunk", "choices": list(choices)}) + b"\n\n"


def choice(index, delta, reason=None):
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


def test_several_choices_and_fields_in_one_event_are_each_cleared() -> None:
    card = "4111 1111 1111 1111"
    events = [
        chunk(choice(0, {"role": "assistant", "content": f"Card {card} "}), choice(1, {"content": "Hello "})),
        chunk(choice(0, {"content": "is yours.", "reasoning_content": f"I saw {card}."})),
        chunk(choice(1, {"content": "you."}, "stop")),
        chunk(choice(0, {}, "stop")),
        b"data: [DONE]\n\n",
    ]
    w = world(lambda request: Answering([b"".join(events)]))
    got = asyncio.run(w.post("/v1/chat/completions", {**ASK, "stream": True, "n": 2}))
    texts = {"0": "", "1": "", "thought": ""}
    for event in got.events()[:-1]:
        for each in event["choices"]:
            texts[str(each["index"])] += each["delta"].get("content") or ""
            texts["thought"] += each["delta"].get("reasoning_content") or ""
    assert texts["0"].startswith("Card [CARD_")
    assert texts["0"].endswith("] is yours.")
    assert texts["1"] == "Hello you."
    assert texts["thought"].startswith("I saw [CARD_")
    assert "4111" not in got.body.decode()


def test_a_block_ends_every_open_choice() -> None:
    findings = rules({Kind.CARD: FindingAction.BLOCK})
    events = [
        chunk(
            choice(0, {"content": "Hello "}),
            choice(1, {"content": "Card 4111 1111 1111 1111 is what we have on file for you. "}),
        ),
        chunk(choice(0, {"content": "you."}, "stop")),
        b"data: [DONE]\n\n",
    ]
    w = world(lambda request: Answering(events), case=use_case(findings=findings))
    got = asyncio.run(w.post("/v1/chat/completions", {**ASK, "stream": True, "n": 2}))
    reasons = {each["index"]: each["finish_reason"] for e in got.events()[:-1] for each in e["choices"]}
    assert reasons == {0: "content_filter", 1: "content_filter"}
    assert "4111" not in got.body.decode()


def test_logprobs_of_a_changed_text_are_dropped_and_others_kept() -> None:
    def script(request):
        answer = orjson.loads(chat_answer(orjson.loads(request.body)["messages"][0]["content"]))
        answer["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": -0.1}]}
        return Answering([orjson.dumps(answer)])

    for text, dropped in (("Nothing special.", False), ("My card is 4111 1111 1111 1111 .", True)):
        w = world(script)
        messages = [{"role": "user", "content": text}]
        got = asyncio.run(w.post("/v1/chat/completions", {"model": "support", "messages": messages}))
        assert (got.json["choices"][0]["logprobs"] is None) is dropped


@pytest.mark.promise("PII-4")
def test_a_card_code_stays_masked_when_the_client_cuts_its_history_behind_the_question() -> None:
    w = world(lambda request: Answering([chat_answer("Thank you. Anything else?")]))
    history = [
        {"role": "user", "content": "I want to pay."},
        {"role": "assistant", "content": "What is the CVV of your card?"},
        {"role": "user", "content": "123"},
    ]
    more = [{"role": "assistant", "content": "Thank you. Anything else?"}, {"role": "user", "content": "no"}]
    for messages in (history, history + more, history[2:] + more):
        body = {"model": "support", "messages": messages}
        got = asyncio.run(w.post("/v1/chat/completions", body, headers={"x-handrail-conversation": "till-7"}))
        assert got.status == 200, got.body
    for request in w.model.requests:
        said = [message["content"] for message in orjson.loads(request.body)["messages"]]
        assert "123" not in said
        assert "[CVV]" in said
    assert all("123" not in str(payload["messages"]) for payload in w.journal.payloads())
