"""What comes back in each API, whole or as events, is the same answer; and a stream that does not end is none."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.app.scripted_model.script import Line, Script, reply
from handrail.app.scripted_model.server import CHAT, MESSAGES, RESPONSES
from handrail.app.scripted_model.shapes import Body, Events
from handrail.home.fields_trials import Dialect
from handrail.trials.dialects import SPEECH, Came, read, told_at_end

MODELS = {Dialect.CHAT: CHAT, Dialect.RESPONSES: RESPONSES, Dialect.MESSAGES: MESSAGES}
SCRIPT = Script(replies=(), fallback=Line(id="f", text="It comes on Thursday, I think.", chunk=4))
TOOLS = [
    {
        "type": "function",
        "function": {"name": "refund", "parameters": {"properties": {"order": {"type": "string"}}}},
    }
]
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "You work for a shop."},
    {"role": "user", "content": "Hello."},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": f"c{at}", "type": "function", "function": {"name": "refund", "arguments": '{"order":"A"}'}}
            for at in range(2)
        ],
    },
    {"role": "tool", "tool_call_id": "c0", "content": "done"},
    {"role": "tool", "tool_call_id": "c1", "content": "done too"},
    {"role": "assistant", "content": "It is done."},
    {"role": "user", "content": "And the other one?"},
]

NAMES = st.sampled_from(["choices", "message", "output", "content", "type", "text", "error"])
BODIES = st.recursive(st.none() | st.text(max_size=9), lambda of: st.lists(of) | st.dictionaries(NAMES, of))


def answered(dialect: Dialect, model: str, *, stream: bool) -> Any:
    """What the scripted model says to a talk of every kind of message, as the client has it."""
    body = SPEECH[dialect].body(model, TALK, TOOLS)
    asked = MODELS[dialect].read(body)
    assert asked.text == "And the other one?"
    assert [tool.name for tool in asked.tools] == ["refund"]
    assert asked.chars_in > 60  # nothing of it was left out
    made = MODELS[dialect].write({**body, "stream": stream}, reply(SCRIPT, asked, turn=0), 1)
    if isinstance(made, Events):
        return b"".join(made.events).decode()
    assert isinstance(made, Body)
    return orjson.loads(made.data)


@pytest.mark.promise("TRI-9")
@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("model", ["scripted-1", "scripted-tool"])
def test_whole_and_streamed_are_the_same_answer(dialect: Dialect, model: str) -> None:
    whole = read(SPEECH[dialect], answered(dialect, model, stream=False))
    streamed = read(SPEECH[dialect], answered(dialect, model, stream=True))
    assert whole == streamed
    assert whole.error == ""
    if model == "scripted-tool":
        (wish,) = whole.wishes
        assert (wish.name, orjson.loads(wish.arguments)) == ("refund", {"order": "And the other one?"})
    else:
        assert whole.text == "It comes on Thursday, I think."
        assert whole.vendor.startswith(model)


@pytest.mark.promise("TRI-9")
@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("model", ["scripted-1", "scripted-tool"])
def test_a_stream_that_is_cut_anywhere_before_its_end_is_no_answer(dialect: Dialect, model: str) -> None:
    events = answered(dialect, model, stream=True).split("\n\n")
    for length in range(len(events) - 1):  # the last piece is what follows the end
        cut = "\n\n".join(events[:length])
        assert read(SPEECH[dialect], cut + "\n\n" if length < len(events) - 1 else cut).error, length
    assert not read(SPEECH[dialect], "\n\n".join(events)).error


@pytest.mark.promise("TRI-9")
@given(st.sampled_from(Dialect), BODIES)
def test_whatever_comes_instead_is_an_error_or_an_answer_and_never_raised(dialect: Dialect, body: Any) -> None:
    assert isinstance(read(SPEECH[dialect], body), Came)
    assert isinstance(read(SPEECH[dialect], f"data: {orjson.dumps(body).decode()}\n\n"), Came)


def test_what_the_end_of_a_stream_tells_is_found_behind_the_last_event_alone() -> None:
    assert told_at_end('data: [DONE]\n\n: x-handrail-probe {"a":1}\n\n') == '{"a":1}'
    assert told_at_end('data: {"x": ": x-handrail-probe {}"}\n\n') == ""
    assert told_at_end({"a": 1}) == ""
