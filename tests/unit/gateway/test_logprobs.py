"""Log probabilities repeat a text token by token; what they say besides is read."""

import asyncio
from typing import Any

import orjson
import pytest
from tests.fakes.dialects import output_message, response
from tests.fakes.gateway import chat_answer, chat_stream, use_case, world
from tests.fakes.guard import Answering

from handrail.gateway.logprobs import beside, of_choice
from handrail.policy.ruleset import StreamMode

CARD = "4111 1111 1111 1111"


def likely(token: str, code: bytes | None = None, *others: str) -> dict[str, Any]:
    about = {"token": token, "logprob": -0.1, "bytes": list(token.encode() if code is None else code)}
    return {**about, "top_logprobs": [{"token": other, "logprob": -1.5, "bytes": None} for other in others]}


SAID = [likely("Grüß"), likely(" dich", None, " euch", "\n\n", " 1234"), likely("\\xf0\\x9f", b"\xf0\x9f")]
SAID += [likely("\\x91\\x8b", b"\x91\x8b", " Unternehmensverantwortung")]
TEXT = "Grüß dich👋"


def test_what_repeats_the_text_says_nothing_besides_its_spelling_of_bytes() -> None:
    assert beside([likely("Hi"), likely(" there", None, " you")], "Hi there") == ""
    assert beside(SAID, TEXT) == r"Grüß dich\xf0\x9f\x91\x8b"
    assert beside(None, "x") == beside([], "x") == of_choice(None, {}) == ""
    assert of_choice({"content": [likely("Hi")], "refusal": None}, {"content": "Hi"}) == ""


@pytest.mark.parametrize(
    "entries",
    [
        [likely("4111 1111"), likely(" 1111 1111")],
        [likely("x", CARD.encode())],
        [likely("x", None, CARD)],
        [likely("x", None, "jane.doe@example.com " + CARD)],
        [{**likely("x"), "note": [CARD]}],
        [{**likely("x"), CARD: None}],
        [{"token": {"a": CARD}}],
        [{"token": "x", "top_logprobs": {"a": CARD}}],
        [CARD],
        CARD,
        {"a": CARD},
    ],
)
def test_whatever_else_stands_there_is_read(entries: Any) -> None:
    assert CARD in beside(entries, "x")
    assert CARD in of_choice({"content": entries}, {"content": "x"})


def test_odd_bytes_and_names_are_read_as_what_they_are() -> None:
    assert beside([{"token": "x", "bytes": 4111111111111111}], "x") == "4111111111111111"
    assert beside([{"token": "x", "bytes": [300, -1, "y"]}], "x") == "y"
    assert of_choice({CARD: None}, {}) == CARD


@pytest.mark.promise("GTW-7")
def test_honest_log_probabilities_pass_byte_for_byte() -> None:
    whole = orjson.loads(chat_answer(TEXT))
    whole["choices"][0]["logprobs"] = {"content": SAID, "refusal": None}
    item = output_message(TEXT)
    item["content"][0]["logprobs"] = SAID
    hello = [{"role": "user", "content": "Hello there."}]
    for path, asked, body in (
        ("/v1/chat/completions", {"messages": hello}, orjson.dumps(whole)),
        ("/v1/responses", {"input": hello}, orjson.dumps(response([item]))),
    ):
        w = world(lambda request, body=body: Answering([body]))
        got = asyncio.run(w.post(path, {"model": "support", **asked}))
        assert got.body == body
        assert w.journal.facts()[0].findings == ()


@pytest.mark.promise("GTW-6")
@pytest.mark.parametrize("logprobs", [{CARD: None}, {"content": None, "note": CARD}, CARD])
def test_an_event_without_text_has_no_log_probabilities_that_say_anything(logprobs: Any) -> None:
    head = orjson.loads(chat_stream(["x"])[1].removeprefix(b"data: "))
    end = {"index": 0, "delta": {}, "logprobs": logprobs, "finish_reason": "stop"}
    stream = [*chat_stream(["Fine."], done=False), b"data: " + orjson.dumps({**head, "choices": [end]}) + b"\n\n"]
    w = world(lambda request: Answering([*stream, b"data: [DONE]\n\n"]), case=use_case(stream=StreamMode.WINDOW))
    asked = {"model": "support", "messages": [{"role": "user", "content": "Hello there."}], "stream": True}
    got = asyncio.run(w.post("/v1/chat/completions", asked))
    assert CARD not in got.body.decode()
    assert got.events()[-1] == "[DONE]"
