"""Chat Completions through the whole gateway, with the real detectors and everything else in memory."""

import asyncio

import orjson
from tests.fakes.gateway import chat_answer, chat_stream, world
from tests.fakes.guard import Answering

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
