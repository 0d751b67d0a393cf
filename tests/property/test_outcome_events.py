"""Whatever is sent as events, each row is understood or named, and nothing else happens."""

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.review.outcome import Invalid, OutcomeEvent, OutcomeType, facts_of, parse, parse_binary, payload_of

NOW = 1_790_000_000_000
SCALAR = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(list(OutcomeType))
)
VALUE = SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(st.text(max_size=8), SCALAR, max_size=3)
NAMES = [
    "id", "source", "type", "time", "interaction", "conversation", "customer", "use_case", "subject", "specversion",
    "data", "data_base64",
]  # fmt: skip
DATA = st.dictionaries(st.sampled_from(["score", "seconds", "amount_minor", "currency", "comment", "sent"]), SCALAR)
EVENT = st.fixed_dictionaries(
    {"id": st.just("1") | VALUE, "source": st.just("crm") | VALUE, "type": st.sampled_from(list(OutcomeType)) | VALUE},
    optional={
        name: DATA | VALUE if name == "data" else VALUE for name in NAMES if name not in ("id", "source", "type")
    },
)


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENT, max_size=5))
def test_every_row_is_an_event_or_says_what_is_wrong(rows: list[object]) -> None:
    try:
        found = parse(json.dumps(rows).encode(), now_ms=NOW)
    except ValueError:  # NaN and the like are no JSON
        return
    assert len(found) == len(rows)
    for each in found:
        if isinstance(each, Invalid):
            assert each.message
            continue
        assert isinstance(each, OutcomeEvent)
        assert sum(name is not None for name in (each.interaction, each.conversation, each.customer)) == 1
        assert facts_of(each, outcome="oc", key="k", received_ms=NOW).late_ms >= 0
        payload_of(each)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_understood_or_refused(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse(body, now_ms=NOW)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([f"ce-{name}".encode() for name in NAMES]), st.binary(max_size=20))), st.binary()
)
def test_any_headers_are_understood_or_refused(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    assert isinstance(parse_binary(headers, body, now_ms=NOW), OutcomeEvent | Invalid)
