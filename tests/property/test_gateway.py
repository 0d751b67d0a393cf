"""What no decision touched passes byte-exact, and no cut of a stream lets a value through."""

import asyncio
import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.e2e.guard_cells import REQUESTS, SAMPLES
from tests.fakes import dialects
from tests.fakes.gateway import chat_stream, world
from tests.fakes.guard import Answering

from handrail.gateway import exact
from handrail.gateway.fields import Bounds, Sent
from handrail.gateway.routes import FACES
from handrail.gateway.sse import Events
from handrail.guard.turn import Upstream
from handrail.terms.errors import HandrailError
from handrail.terms.finding import Kind

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=40)
SPACED = st.sampled_from([None, 2])


def spaced(value: Any, indent: int | None) -> bytes:
    """JSON as other encoders write it: spaces, escapes."""
    return json.dumps(value, indent=indent, ensure_ascii=indent is None).encode()


@given(VALUES, SPACED)
def test_reading_json_changes_nothing(value: Any, indent: int | None) -> None:
    body = spaced(value, indent)
    assert exact.read(body, max_depth=64) == orjson.loads(body)
    assert exact.change(body, {}) is body


@given(st.dictionaries(st.text(max_size=6), VALUES, min_size=1, max_size=4), SPACED, st.data())
def test_a_change_touches_its_own_path_only(value: dict[str, Any], indent: int | None, data: st.DataObject) -> None:
    body = spaced(value, indent)
    name = data.draw(st.sampled_from(sorted(value)))
    changed = exact.change(body, {(name,): b'"new"'})
    assert orjson.loads(changed) == {**orjson.loads(body), name: "new"}
    for other in value:
        if other != name:
            assert spaced(value[other], None) in changed or indent is not None


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 9)), min_size=1, max_size=5))
def test_a_field_named_twice_is_refused_wherever_it_stands(pairs: list[tuple[str, int]]) -> None:
    inner = b",".join(orjson.dumps(name) + b":" + str(number).encode() for name, number in pairs)
    body = b'{"a":[{' + inner + b"}]}"
    if len({name for name, _ in pairs}) == len(pairs):
        assert exact.read(body, max_depth=64)
    else:
        with pytest.raises(HandrailError, match="twice"):
            exact.read(body, max_depth=64)


@pytest.mark.promise("GTW-7")
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
@given(extra=st.dictionaries(st.from_regex(r"x_[a-z]{1,6}", fullmatch=True), VALUES, max_size=3), data=st.data())
def test_gtw_7_unknown_fields_reach_the_provider_byte_for_byte(extra: dict[str, Any], data: st.DataObject) -> None:
    face = data.draw(st.sampled_from(FACES))
    make = data.draw(st.sampled_from(list(REQUESTS[f"/v1{face.path}"].values())))
    body = orjson.dumps({**make("Hello."), "model": "support"})
    body = body[:-1] + b"".join(b"," + orjson.dumps(k) + b":" + spaced(v, None) for k, v in extra.items()) + b"}"
    turn = face.read(body, exact.read(body, max_depth=64), Sent(), Bounds())
    sent = face.upstream(turn, Upstream(model="real", changes={}))
    assert orjson.loads(sent) == {**orjson.loads(body), "model": "real"}
    for value in extra.values():
        assert spaced(value, None) in sent


@pytest.mark.promise("GTW-8")
@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from([Kind.EMAIL, Kind.IBAN, Kind.PHONE, Kind.CVV]),
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
    st.integers(1, 30),
    st.booleans(),
)
def test_gtw_8_however_a_stream_is_cut_no_part_of_a_value_is_sent(
    kind: Kind, sizes: list[int], together: int, claude: bool
) -> None:
    text, part = SAMPLES[Kind.CARD]
    other, hidden = SAMPLES[kind]
    text = f"Of course. {text} And then: {other} That is all."
    deltas: list[str] = []
    at = 0
    while at < len(text):
        size = sizes[len(deltas) % len(sizes)]
        deltas.append(text[at : at + size])
        at += size
    events = (dialects.message_stream if claude else chat_stream)(deltas)
    chunks = [b"".join(events[at : at + together]) for at in range(0, len(events), together)]
    w = world(lambda request: Answering(chunks))
    path = "/v1/messages" if claude else "/v1/chat/completions"
    ask = {"model": "support", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    got = asyncio.run(w.post(path, ask))
    said = "".join(_deltas(got.events()))
    assert not any(piece in said for piece in (*part.split(), hidden))
    assert said.startswith("Of course. My card number is [CARD_")
    assert said.endswith("That is all.")


def _deltas(events: list[Any]) -> list[str]:
    texts = []
    for event in events:
        if isinstance(event, str):
            continue
        if event.get("choices"):
            texts.append(event["choices"][0]["delta"].get("content") or "")
        elif event.get("type") == "content_block_delta":
            texts.append(event["delta"].get("text", ""))
    return texts


@given(st.lists(st.text(alphabet="ab{}:", max_size=8), max_size=6), st.integers(1, 7), st.sampled_from(["\n", "\r\n"]))
def test_events_come_out_whole_however_the_bytes_are_cut(texts: list[str], size: int, line: str) -> None:
    stream = "".join(f"data: {text}{line}{line}" for text in texts).encode()
    events = Events()
    found = [event for at in range(0, len(stream), size) for event in events.feed(stream[at : at + size])]
    assert b"".join(found) == stream
    assert len(found) == len(texts)
