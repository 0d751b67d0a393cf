"""What a notice says, in each language and to each kind of receiver; pure."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.app.notify import FIRST_MS, LONGEST_MS, backoff_ms
from handrail.approvals.notice_words import LANGUAGES, Surroundings, message
from handrail.approvals.notices import Notice, band
from handrail.policy.notices import WORK, Event, Receiver, ReceiverKind, wants

AROUND = Surroundings(
    time_zone="Europe/Berlin", digits={"EUR": 2, "JPY": 0, "KWD": 3}, public_url="https://ai.shop.example/"
)  # fmt: skip
ACTION = "ac_01KTESTTESTTESTTESTTESTTES"


def notice(event: str = Event.HELD.value, **changes: Any) -> Notice:
    values = {
        "id": "nt_1", "receiver": "leads", "event": event, "about": ACTION, "at_ms": 1_763_750_000_000, "due_ms": 0,
        "use_case": "orders", "tool": "shop.refund", "route": "leads", "decide_by": 1_763_753_600_000,
    }  # fmt: skip
    return Notice(**{**values, **changes})


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("event", list(Event))
def test_every_event_has_words_of_its_own_in_every_language(event: Event, language: str) -> None:
    told = message(notice(event.value), language, AROUND)
    others = {message(notice(other.value), language, AROUND).subject for other in Event if other is not event}
    assert told.subject
    assert told.subject not in others
    assert message(notice(event.value), "xx", AROUND).subject == message(notice(event.value), "en", AROUND).subject


def test_a_notice_reads_like_this() -> None:
    told = message(notice(low=1_000, high=10_000, currency="EUR"), "de", AROUND)
    assert told.subject == "Eine Aktion wartet auf eine Entscheidung"
    assert told.text.splitlines() == [
        "Anwendungsfall: orders",
        "Werkzeug: shop.refund",
        "Weg: leads",
        "Betrag: 10.00 bis unter 100.00 EUR",
        "Entscheiden bis: 2025-11-21 20:33 (Europe/Berlin)",
        f"Aktion: {ACTION}",
        f"Ansehen: https://ai.shop.example/approvals/{ACTION}",
        "Das Öffnen dieser Seite ändert nichts.",
    ]


@pytest.mark.parametrize(
    ("minor", "currency", "words"),
    [(4_210, "EUR", "42.10 EUR"), (5, "EUR", "0.05 EUR"), (4_210, "JPY", "4210 JPY"), (-1_234, "KWD", "-1.234 KWD")],
)
def test_an_amount_is_exact(minor: int, currency: str, words: str) -> None:
    assert f"Amount: {words}" in message(notice(amount_minor=minor, currency=currency), "en", AROUND).text


@given(st.integers(min_value=0, max_value=10**15))
def test_an_amount_lies_in_its_band_and_the_band_tells_only_its_digits(minor: int) -> None:
    low, high = band(minor)
    assert low <= minor < high
    assert high == max(10 * low, 10)
    assert str(low).rstrip("0") in ("1", "")


def test_the_body_of_a_webhook_has_what_a_program_needs_and_no_more() -> None:
    held = json.loads(message(notice(amount_minor=4_210, currency="EUR"), "en", AROUND).body)
    assert held == {
        "type": "action.held",
        "timestamp": "2025-11-21T18:33:20Z",
        "data": {
            "action_id": ACTION, "use_case": "orders", "tool": "shop.refund", "route": "leads",
            "decide_by": "2025-11-21T19:33:20Z", "amount": {"minor": 4_210, "currency": "EUR"},
            "link": f"https://ai.shop.example/approvals/{ACTION}",
        },
    }  # fmt: skip
    stop = notice("stop.set", about="st_1", scope="tool", value="shop.refund", use_case="", tool="", decide_by=None)
    assert json.loads(message(stop, "en", AROUND).body)["data"] == {
        "stop_id": "st_1", "scope": "tool", "value": "shop.refund",
    }  # fmt: skip
    ended = notice("action.done", status="done", use_case="", tool="", route="", decide_by=None)
    assert json.loads(message(ended, "en", AROUND).body)["data"] == {"action_id": ACTION, "status": "done"}
    assert message(ended, "en", AROUND).text == f"Status: done\nAction: {ACTION}"


def test_without_a_public_address_there_is_no_link() -> None:
    bare = Surroundings(time_zone="UTC", digits={})
    assert "http" not in message(notice(), "en", bare).text + message(notice(), "en", bare).body.decode()


def test_a_stop_reaches_whoever_wants_stops_whatever_their_use_cases_and_routes() -> None:
    receiver = Receiver(id="x", kind=ReceiverKind.CHAT, use_cases=("chat",), routes=("leads",))  # type: ignore[arg-type]
    assert wants(receiver, Event.STOP_SET, use_case="", route="")
    assert not wants(receiver, Event.HELD, use_case="orders", route="leads")
    assert not wants(receiver, Event.HELD, use_case="chat", route="seniors")
    assert wants(receiver, Event.HELD, use_case="chat", route="leads")
    assert Event.TEST not in WORK


@pytest.mark.promise("NOT-8")
@given(st.integers(min_value=1, max_value=10_000), st.floats(min_value=0, max_value=1))
def test_the_wait_doubles_up_to_its_longest_and_jitter_takes_at_most_a_half(tries: int, jitter: float) -> None:
    wait = backoff_ms(tries, jitter)
    assert FIRST_MS // 2 <= wait <= LONGEST_MS
    assert backoff_ms(tries, 0) == min(FIRST_MS * 2 ** min(tries - 1, 20), LONGEST_MS)
    assert wait >= backoff_ms(tries, 0) // 2
