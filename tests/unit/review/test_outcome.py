"""Outcome events: what is taken, and how a mistake is named."""

import json

import pytest

from handrail.review.outcome import MAX_BATCH, Invalid, OutcomeEvent, OutcomeType
from handrail.review.outcome import parse as parse_in_order

NOW = 1_790_000_000_000
BASE = {"id": "e1", "source": "crm", "type": "complaint", "conversation": "c1"}


def parse(body: bytes, *, now_ms: int) -> tuple[list[OutcomeEvent], list[Invalid]]:
    rows = parse_in_order(body, now_ms=now_ms)
    return [row for row in rows if isinstance(row, OutcomeEvent)], [row for row in rows if isinstance(row, Invalid)]


def one(**changes: object) -> object:
    row = {key: value for key, value in {**BASE, **changes}.items() if value is not None}
    good, bad = parse(json.dumps(row).encode(), now_ms=NOW)
    return (good or bad)[0]


@pytest.mark.promise("EVT-1")
def test_a_single_event_a_list_and_a_wrapped_list_mean_the_same() -> None:
    bodies = [BASE, [BASE], {"events": [BASE]}]
    parsed = [parse(json.dumps(body).encode(), now_ms=NOW) for body in bodies]
    assert all(bad == [] and len(good) == 1 for good, bad in parsed)
    assert len({good[0].id for good, _ in parsed}) == 1


@pytest.mark.promise("EVT-1")
def test_a_cloud_event_is_understood() -> None:
    event = {
        "specversion": "1.0", "id": "9", "source": "/helpdesk", "type": "handrail.outcome.csat",
        "subject": "in_01J", "time": "2026-09-21T10:00:00+02:00", "datacontenttype": "application/json",
        "data": {"score": 4},
    }  # fmt: skip
    good, bad = parse(json.dumps(event).encode(), now_ms=NOW)
    assert bad == []
    assert good[0].type is OutcomeType.CSAT
    assert good[0].interaction == "in_01J"
    assert good[0].occurred_at_ms == 1_789_977_600_000


@pytest.mark.promise("EVT-2")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ""}, "id"),
        ({"source": None}, "source"),
        ({"type": "praise"}, "type"),
        ({"time": "2026-09-21T10:00:00"}, "time"),
        ({"time": NOW + 2 * 86_400_000}, "time"),
        ({"conversation": None}, "interaction"),
        ({"customer": "x"}, "interaction"),
        ({"type": "csat"}, "data.score"),
        ({"type": "csat", "data": {"score": 9}}, "data.score"),
        ({"type": "handle_time", "data": {"seconds": -1}}, "data.seconds"),
        ({"type": "refund_reversed", "data": {"amount_minor": 5}}, "data.currency"),
        ({"data": {"reason": "He Was Rude"}}, "data.reason"),
        ({"data": {"surprise": 1}}, "data"),
        ({"specversion": "0.3"}, "specversion"),
        ({"conversation": "x" * 201}, "conversation"),
        ({"use_case": "or ders"}, "use_case"),
        ({"data": {"score": "4"}}, "data.score"),
        ({"conversation": 7}, "conversation"),
    ],
)
def test_a_mistake_names_its_field(changes: dict[str, object], field: str) -> None:
    bad = one(**changes)
    assert getattr(bad, "field", None) == field


@pytest.mark.promise("EVT-2")
def test_one_wrong_event_does_not_lose_the_others() -> None:
    rows = [BASE, {**BASE, "id": "e2", "type": "?"}, {**BASE, "id": "e3"}]
    good, bad = parse(json.dumps(rows).encode(), now_ms=NOW)
    assert [event.id for event in good] == ["e1", "e3"]
    assert [invalid.id for invalid in bad] == ["e2"]


def test_a_batch_that_is_too_long_or_no_json_is_refused_whole() -> None:
    with pytest.raises(ValueError, match="at most"):
        parse(json.dumps([BASE] * (MAX_BATCH + 1)).encode(), now_ms=NOW)
    with pytest.raises(ValueError, match="not a JSON object or array"):
        parse(b"{", now_ms=NOW)
    with pytest.raises(ValueError, match="not a JSON object or array"):
        parse(b"7", now_ms=NOW)
