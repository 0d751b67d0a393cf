"""Events that differ in their text alone are told by their bytes, several at once: the same is read as one by one."""

import asyncio

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.gateway import chat_stream, world
from tests.fakes.guard import Answering

from handrail.detectors.base import Report, Text
from handrail.gateway.sse import Events, Shape, shape_of
from handrail.guard.turn import Channel
from handrail.terms.finding import Kind

MARK = b'"content":"'
ROLE, FIRST, *_, END, USAGE, DONE = chat_stream(["Thanks", " for"])


def shape() -> Shape:
    found = shape_of(FIRST, MARK, "Thanks", "0:content", Channel.ASSISTANT)
    assert found is not None
    return found


def saying(text: str) -> bytes:
    """An event of the shape, as a provider writes it."""
    return FIRST.replace(b'"Thanks"', orjson.dumps(text))


plain = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), min_size=1)
anything = st.one_of(plain, st.sampled_from(["", "é", 'a"b', "a\\b", "a\nb", '"},"logprobs":null', "\x7f"]), st.text())
pieces = st.lists(
    st.one_of(plain.map(saying), anything.map(saying), st.sampled_from([ROLE, END, USAGE, DONE, b": ping\n\n"])),
    max_size=6,
)


@given(pieces)
def test_several_events_are_read_as_one_by_one_or_not_at_all(given_events: list[bytes]) -> None:
    chunk = b"".join(given_events)
    assert Events().feed(chunk) == given_events
    read = shape().read(chunk)
    if read is None:
        return
    text, end = read
    said = []
    at = 0
    for event in given_events:
        if at == end:
            break
        said.append(orjson.loads(event[6:])["choices"][0]["delta"]["content"])
        assert event == saying(said[-1])
        at += len(event)
    assert at == end, "it ends between two events"
    assert all(said)
    assert "".join(said) == text


@given(st.lists(plain, min_size=1, max_size=6))
def test_plain_events_are_read_together(texts: list[str]) -> None:
    chunk = b"".join(map(saying, texts))
    assert shape().read(chunk) == ("".join(texts), len(chunk))
    assert shape().read(chunk + END + USAGE + DONE) == ("".join(texts), len(chunk))


@pytest.mark.parametrize(
    "chunk",
    [
        saying("one") + saying("") + saying("two"),
        saying("one") + saying("zwölf"),
        saying("one") + END + saying("two"),
        saying("one")[:-1],
        saying("one")[:-20] + saying("two"),
        ROLE + saying("one"),
        b"",
    ],
)  # fmt: skip
def test_what_is_not_wholly_of_the_shape_is_left_to_the_parser(chunk: bytes) -> None:
    assert shape().read(chunk) is None


def test_what_is_written_in_its_place_is_read_again() -> None:
    assert shape().read(shape().text("it's over")) == ("it's over", len(saying("it's over")))
    assert orjson.loads(shape().text('a "b" é')[6:])["choices"][0]["delta"]["content"] == 'a "b" é'


words = st.sampled_from(["Your", " parcel", ' "soon"', " on", " Köln", " its way", ". ", "A" * 19, " " + "word " * 30])


@pytest.mark.promise("GTW-13")
@settings(max_examples=60, deadline=None)
@given(st.lists(words, min_size=1, max_size=12), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_events_that_come_together_say_what_they_say_one_by_one(texts: list[str], together: list[int]) -> None:
    events, chunks = chat_stream(texts), []
    while events:
        count = together[len(chunks) % len(together)]
        chunks.append(b"".join(events[:count]))
        del events[:count]
    w = world(lambda request: Answering(chunks), screener=Plain())
    ask = {"model": "support", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    got = asyncio.run(w.post("/v1/chat/completions", {**ask, "stream_options": {"include_usage": True}})).events()
    *said, end, usage, done = got
    deltas = [event["choices"][0]["delta"] for event in said]
    assert deltas[0]["role"] == "assistant"
    assert "".join([delta["content"] for delta in deltas]) == "".join(texts)
    assert end["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"]["completion_tokens"] == 7
    assert done == "[DONE]"


class Plain:
    """Finds nothing."""

    def screen(self, text: Text, kinds: frozenset[Kind], deadline: float | None = None) -> Report:
        return Report("en", ())
