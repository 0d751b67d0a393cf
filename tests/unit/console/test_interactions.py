"""The views of the record: filters in the address, black labels, marked words, what a draft expects."""

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from handrail.approvals.lifecycle import State
from handrail.approvals.store import Line
from handrail.console.answers import Go
from handrail.console.page_files import routes
from handrail.console.pages.search import PERSON, PLACES, RELEASE, USE_CASE, SearchAsked, search
from handrail.console.routes import Verb
from handrail.console.views.interaction_talk import Turn, masks_of, parts
from handrail.console.views.interaction_test import drafting
from handrail.console.views.interactions import Facts, query_of
from handrail.console.views.ledger import kinds_of
from handrail.console.words import Languages, Words
from handrail.guard.record import Payload, Said
from handrail.ledger.entry import EntryKind, FoundFact, InteractionFacts
from handrail.ledger.read import Query
from handrail.review.verdicts import Judged, Word
from handrail.terms.action import ActionId
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Finding, Kind, Role
from handrail.terms.ids import ConversationId, CustomerId, InteractionId, SubjectId, UseCaseId

NOW = 1_795_300_000_000
NAME = InteractionId("in_1")
COMPLAINT = FoundFact(Kind.COMPLAINT, "input", 0.9, "words", "mark")
FACTS = InteractionFacts(
    interaction=NAME, conversation=ConversationId("cv_1"), use_case=UseCaseId("orders"), key="k", findings=(COMPLAINT,)
)


@pytest.fixture
def words() -> Words:
    return Languages().words(chosen="en-GB", accepts="", zone="Europe/Berlin", now_ms=NOW)


def turn(*said: str, tokens: dict[str, str] | None = None, **changes: Any) -> Turn:
    payload = Payload(messages=tuple(Said(Role.USER, (one,)) for one in said), tokens=tokens or {})
    return Turn(**{"id": NAME, "at_ms": NOW, "facts": FACTS, "payload": payload, **changes})


def sees(word: str) -> Any:
    def marks(text: str, role: Role, kinds: frozenset[Kind]) -> tuple[Finding, ...]:
        at = text.find(word)
        return () if at < 0 else (Finding(next(iter(kinds)), at, at + len(word), 0.9, "words"),)

    return marks


def test_a_mask_becomes_the_name_of_its_kind_and_its_token_is_not_shown(words: Words) -> None:
    said = "My card [CARD_ABCDEFGH] and code [CVV], not [WHAT_ABCDEFGH]"
    (part,), _ = parts([turn(said)], (), words, marks=sees("zzz"), focus=NAME)
    assert [piece.label for piece in part.pieces if piece.label] == ["card number", "card security code"]
    assert "ABCDEFGH" not in "".join(piece.text for piece in part.pieces).replace("[WHAT_ABCDEFGH]", "")


def test_words_that_a_detector_sees_are_marked_and_the_finding_leads_there(words: Words) -> None:
    (part,), places = parts([turn("Well. I complain. Bye.")], (), words, marks=sees("I complain"), focus=NAME)
    assert [(piece.text, piece.tone) for piece in part.pieces] == [
        ("Well. ", ""), ("I complain", "deny"), (". Bye.", "")
    ]  # fmt: skip
    assert places == {0: "f-0"}


def test_where_no_detector_sees_it_any_more_the_finding_leads_to_the_message(words: Words) -> None:
    _, places = parts([turn("Well.", "Bye.")], (), words, marks=sees("nothing"), focus=NAME)
    assert places == {0: "m-in_1-1"}


def test_a_mask_within_marked_words_keeps_its_token_back(words: Words) -> None:
    said = "I complain to [EMAIL_ABCDEFGH] now"
    (part,), _ = parts([turn(said)], (), words, marks=sees(said), focus=NAME)
    assert "".join(piece.text for piece in part.pieces) == "I complain to [e-mail address] now"


def test_words_that_are_gone_or_unread_say_so_and_show_nothing(words: Words) -> None:
    for missing, said in (("erased", "erased"), ("expired", "retention"), ("unread", "not opened")):
        (part,), places = parts([turn(payload=None, missing=missing)], (), words, marks=sees("x"), focus=NAME)
        assert part.kind == "gap"
        assert said in part.said
        assert places == {}


def test_a_long_message_is_cut_and_says_so(words: Words) -> None:
    (part,), _ = parts([turn("a" * 6_010)], (), words, marks=sees("zzz"), focus=NAME)
    assert sum(len(piece.text) for piece in part.pieces) == 6_000
    assert part.note == "10 more characters are not shown."


def test_only_values_that_are_kept_can_be_revealed(words: Words) -> None:
    held = turn("[EMAIL_ABCDEFGH] [CARD_ABCDEFGH] [CVV]", tokens={"[EMAIL_ABCDEFGH]": "a@example.com"})
    assert [(one.token, one.label) for one in masks_of(held, words)] == [("[EMAIL_ABCDEFGH]", "e-mail address")]


def test_days_are_the_organisations_and_the_last_day_counts_whole(words: Words) -> None:
    query = query_of(Facts(since="2026-11-20", until="2026-11-20"), words, limit=5)
    assert query.since_ms == 1_795_129_200_000  # midnight in Berlin
    assert query.until_ms == query.since_ms + 86_400_000
    autumn = query_of(Facts(since="2026-10-25", until="2026-10-25"), words, limit=5)
    assert autumn.since_ms is not None
    assert autumn.until_ms == autumn.since_ms + 25 * 3_600_000  # the day on which the clocks go back


def test_a_search_looks_at_all_time_unless_told_otherwise(words: Words) -> None:
    for facts in (Facts(), Facts(arm="canary"), Facts(channel="web"), Facts(arm="canary", period="all")):
        assert query_of(facts, words, limit=5).since_ms is None
    assert query_of(Facts(arm="canary", period="30d"), words, limit=5).since_ms == NOW - 30 * 86_400_000


@pytest.mark.parametrize("asked", [Facts(since="yesterday"), Facts(release="abc"), Facts(finding="NOTHING")])
def test_a_filter_that_means_nothing_is_told(words: Words, asked: Facts) -> None:
    with pytest.raises(HandrailError) as caught:
        query_of(asked, words, limit=5)
    assert caught.value.code is Code.REQUEST_INVALID


def test_an_address_keeps_the_filters_and_begins_anew() -> None:
    facts = Facts(finding="CARD", cursor="12")
    assert facts.address("/interactions", use_case="a b") == "/interactions?use_case=a+b&finding=CARD"
    assert facts.address("/interactions", cursor="9").endswith("cursor=9")


def test_a_finding_that_i_called_wrong_must_not_be_found_by_the_test(words: Words) -> None:
    word = Judged(
        interaction=NAME, finding=0, kind=Kind.COMPLAINT, use_case=UseCaseId("orders"), person="pe_1", word=Word.WRONG
    )
    given = {"finding": 0, "reason": "", "must": "", "error": "", "path": "/interactions"}
    assert drafting(FACTS, words, judged=[word], person="pe_1", **given).must == "no"  # type: ignore[arg-type]  # above
    assert drafting(FACTS, words, judged=[word], person="pe_2", **given).must == "yes"  # type: ignore[arg-type]  # above


def test_an_action_that_waited_says_that_a_person_decided_and_one_that_did_not_says_what_did(words: Words) -> None:
    line = Line(
        action=ActionId("ac_1"), state=State.DENIED, use_case="orders", tool="shop.refund", agent="demo",
        amount_minor=4000, currency="EUR", reasons=("rule",), route="", needs=0, given=0, created_at=NOW,
        decide_by=None,
    )  # fmt: skip
    waited = msgspec.structs.replace(line, reasons=("limit", "rule"), route="desk", needs=1, decide_by=NOW)
    said = [
        (part.state, part.note) for part in parts([], [line, waited], words, marks=sees("zzz"), focus=NAME)[0]
    ]  # fmt: skip
    assert said == [
        ("Denied", "Decided by: a rule"),
        ("A person said no", "Held for a person: It would go over a limit; a rule"),
    ]


def test_kinds_of_entries_are_named_alone_or_by_their_area() -> None:
    assert kinds_of("payload.read") == (EntryKind.PAYLOAD_READ,)
    assert EntryKind.STOP_LIFTED in kinds_of("stop")
    assert kinds_of("") == kinds_of("nothing") == ()


def test_the_id_of_a_customer_leads_to_what_is_recorded_of_her_under_a_random_one(words: Words) -> None:
    talks = {"conv-7": [("in_1", "cv_1"), ("in_2", "cv_1")], "twice": [("in_1", "cv_1"), ("in_3", "cv_2")]}

    class Reader:
        async def find(self, query: Query) -> Any:
            found = talks.get(str(query.conversation), [])
            return SimpleNamespace(found=[SimpleNamespace(interaction=one, conversation=cv) for one, cv in found])

        async def subject_of(self, customer: CustomerId) -> SubjectId | None:
            return SubjectId("su_9") if customer == "kp-2005" else None

    ports = SimpleNamespace(reader=Reader())
    here: Any = SimpleNamespace(ports=ports, words=words, ruleset=SimpleNamespace(use_cases={}))
    visitor: Any = SimpleNamespace(roles=frozenset())

    def led(text: str) -> Any:
        found = asyncio.run(search(visitor, SearchAsked(text=text), here))
        return found.path if isinstance(found, Go) else found

    assert led(" kp-2005 ") == "/interactions?subject=su_9"
    assert led("conv-7") == "/interactions/in_1"
    assert led("twice") == "/interactions?conversation=twice"
    assert "order number" in led("KP-31105").why


def test_every_place_that_a_search_leads_to_is_a_page() -> None:
    paths = {row.path for row in routes() if row.verb is Verb.GET}
    for place in (*PLACES.values(), RELEASE, USE_CASE, PERSON):
        address = place.split("?")[0]
        assert any(path == address or re.fullmatch(re.escape(address) + r"\{\w+\}", path) for path in paths), place
