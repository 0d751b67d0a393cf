"""Fields of a request that steer and are not read as text: what they may not carry, and how it is refused."""

import asyncio

import pytest
from tests.fakes.gateway import chat_answer, chat_stream, world
from tests.fakes.guard import Answering

ASK = {"model": "support", "messages": [{"role": "user", "content": "Where is my order?"}]}
PATH = "/v1/chat/completions"


def _world():
    return world(lambda request: Answering(chat_stream(["Well."]) if request.stream else [chat_answer("Well.")]))


@pytest.mark.promise("GTW-5")
@pytest.mark.parametrize("given", ["card 4111 1111 1111 1111", {"a": "x"}, ["x"], 4111111111111111, 1])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATH, ASK),
        ("/v1/responses", {"model": "support", "input": "Hello."}),
        ("/v1/messages", {**ASK, "max_tokens": 9}),
    ],
)
def test_what_says_whether_to_stream_is_true_false_or_null(path, body, given) -> None:
    w = _world()
    got = asyncio.run(w.post(path, {**body, "stream": given}))
    assert w.model.requests == []
    assert (got.status, got.json["error"]["code"]) == (400, "request.invalid")
    assert got.json["error"]["message"] == "stream: expected true, false or null"


@pytest.mark.parametrize("given", [False, None])
def test_no_stream_may_be_said_in_words(given) -> None:
    assert asyncio.run(_world().post(PATH, {**ASK, "stream": given})).status == 200


@pytest.mark.promise("GTW-5")
def test_a_card_does_not_pass_as_a_number_of_the_protocol() -> None:
    w = _world()
    asyncio.run(w.post(PATH, {**ASK, "seed": 4111111111111111}))
    assert all(b"4111111111111111" not in request.body for request in w.model.requests)
    w = _world()
    asyncio.run(w.post(PATH, {**ASK, "seed": 4111}))
    assert b'"seed":4111' in w.model.requests[0].body


QUOTES = b'"\\u0022\\u0022\\u0022\\u0022"'


def test_a_field_named_twice_is_seen_though_escaped_quotes_make_up_for_its_own() -> None:
    body = b'{"model":"support","messages":[{"role":"user","content":"4111 1111 1111 1111","content":' + QUOTES + b"}]}"
    w = _world()
    got = asyncio.run(w.post(PATH, body))
    assert w.model.requests == []
    assert (got.status, got.json["error"]["code"]) == (400, "request.duplicate_field")
    assert asyncio.run(_world().post(PATH, body.replace(b'"content":"4111 1111 1111 1111",', b""))).status == 200
