"""Events that differ in their text alone are told by their bytes, several at once: the same is read as one by one."""

import asyncio

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.gateway import chat_stream, world
from tests.fakes.guard import Answering

from handrail.detectors.base import Report, Text
from handrail.gateway.leaves import NOISE, identifier
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


NOISY = [
    (FIRST.replace(b"}\n\n", b',"usage":null,"obfuscation":"%s"}\n\n'), MARK, ["", "a7Gk", "7Gk29dLx"]),
    (FIRST.replace(b"}\n\n", b',"obfuscation":"%s","usage":null}\n\n'), MARK, ["", "a7Gk", "7Gk29dLx"]),
    (FIRST.replace(b":", b": ").replace(b"}\n\n", b',"obfuscation": "%s"}\n\n'), MARK, ["", "a7Gk", "7Gk29dLx"]),
    (
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Thanks"}%s}\n\n',
        b'"text":"',
        ["", "  ", "      "],
    ),
]  # fmt: skip


@given(st.sampled_from(NOISY), st.lists(st.tuples(plain, st.integers(0, 2)), min_size=1, max_size=4), st.data())
def test_what_hides_the_length_of_a_text_may_differ(
    look: tuple[bytes, bytes, list[str]], said: list[tuple[str, int]], data: st.DataObject
) -> None:
    form, mark, noises = look

    def event(text: str, noise: str) -> bytes:
        return form.replace(b'"Thanks"', orjson.dumps(text).replace(b"%", b"%%")) % noise.encode()

    found = shape_of(event("Thanks", noises[2]), mark, "Thanks", "0:content", Channel.ASSISTANT)
    assert found is not None
    chunk = b"".join([event(text, noises[noise]) for text, noise in said])
    whole = "".join([text for text, _ in said])
    assert found.read(chunk) == (whole, len(chunk))
    assert found.read(found.text(whole)) == (whole, len(found.text(whole)))
    cut = chunk[: data.draw(st.integers(0, len(chunk) - 1))]
    read = found.read(cut)
    if read is not None:
        ends = [len(b"".join([event(text, noises[noise]) for text, noise in said[:count]])) for count in range(9)]
        assert read[1] in ends[1:]
        assert read[0] == "".join([text for text, _ in said[: ends.index(read[1])]])


@pytest.mark.parametrize(
    "noise", ["123456789", "4111 1111", "a-b", "x" * 81, 'a","usage":{"x":"Anna', "eyJhbGciOi", "é"]
)
def test_what_could_say_something_is_no_noise(noise: str) -> None:
    form, mark, _ = NOISY[0]
    found = shape_of(form % b"a7Gk", mark, "Thanks", "0:content", Channel.ASSISTANT)
    assert found is not None
    assert found.read(form % noise.encode()) is None
    assert found.read(form % b"a" + form % noise.encode()) is None


def test_a_shape_is_certain_or_none() -> None:
    def shaped(raw: bytes) -> Shape | None:
        return shape_of(raw, MARK, "hi", "0:content", Channel.ASSISTANT)

    assert shaped(b'data: {"delta":{"content":"hi"}}\n\n') is not None
    assert shaped(b'data: {"delta":{"content": "hi"}}\n\n') is not None
    assert shaped(b'data: {"delta":{"content": "hi"},"x":{"content":"hi"}}\n\n') is None
    assert shaped(b'data: {"delta":{"\\u0063ontent":"hi"},"x":{"content":"hi"}}\n\n') is None
    assert shaped(b'data: {"delta":{"content":  "hi"}}\n\n') is None
    assert shaped(b'data: {"delta":{"content":["hi"]}}\n\n') is None


def test_a_read_that_ends_within_a_text_is_no_event() -> None:
    assert shape().read(saying("one two")[:-40]) is None
    for cut in range(len(saying("one two"))):
        assert shape().read(saying("one two")[:cut]) is None


@pytest.mark.promise("GTW-13")
@pytest.mark.parametrize("noisy", [False, True])
def test_wherever_an_event_is_cut_the_stream_says_the_same(noisy: bool) -> None:
    texts = ["Your", " parcel", " is", " on", " its", " way", ", dear", " customer", "."]
    events = chat_stream(texts)
    if noisy:
        noise = b',"usage":null,"obfuscation":"%dk"}\n\n'
        events[:11] = [raw.replace(b"}\n\n", noise % (7 * at)) for at, raw in enumerate(events[:11])]
    ask = {"model": "support", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    for cut in range(40, 200, 3):  # from within the head of each event to its end
        chunks = [part for raw in events for part in (raw[:cut], raw[cut:])]
        w = world(lambda request, chunks=chunks: Answering(chunks), screener=Plain())  # type: ignore[misc]
        got = asyncio.run(w.post("/v1/chat/completions", {**ask, "stream_options": {"include_usage": True}})).events()
        said = [event["choices"][0]["delta"].get("content", "") for event in got[:-1] if event["choices"]]
        assert "".join(said) == "".join(texts), cut
        assert got[-1] == "[DONE]"


@given(st.text("aB019-", max_size=90))
def test_noise_carries_no_more_than_an_identifier(noise: str) -> None:
    if NOISE.fullmatch(noise) is not None:
        assert noise == "" or (identifier(f"x{noise}"[:80]) and len(noise) <= 80)
    else:
        assert not (noise.isalnum() and identifier(f"x{noise}"))


@pytest.mark.promise("GTW-13")
def test_a_byte_order_mark_at_the_beginning_hides_no_event() -> None:
    events = chat_stream(["Thanks", " for", " it."])[1:]
    w = world(lambda request: Answering([b"\xef\xbb\xbf" + b"".join(events)]), screener=Plain())
    ask = {"model": "support", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    got = asyncio.run(w.post("/v1/chat/completions", ask)).events()
    assert "".join([event["choices"][0]["delta"].get("content", "") for event in got[:-1]]) == "Thanks for it."
