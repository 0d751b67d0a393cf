"""The facts of an opening hold no word of it: personal data is cut out before anything is computed, and a topic is a
bucket of a keyed hash."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.detectors.intents import learn
from handrail.detectors.pii import PersonalDetector, ReplyDetector
from handrail.detectors.run import Runner
from handrail.guard.opening import MOST_TOPICS, NOTHING, TOPICS, Opening, opening, topics
from handrail.guard.screen import Screened, Setting, screen
from handrail.guard.turn import Channel, Leaf, Message
from handrail.policy.evaluate import Side
from handrail.terms.finding import Role

INTENTS = learn({"refund": ("I want a refund", "money back"), "delivery": ("where is my parcel", "track my order")})


def keyed(value: bytes) -> bytes:
    return hashlib.blake2b(value, key=b"k", digest_size=16).digest()


def said(role: Role, text: str) -> Message:
    return Message(role, (Leaf(Channel(role.value), text, ("messages", 0)),), history=b"x")


def read(*messages: Message) -> Screened:
    runner = Runner((PersonalDetector(), ReplyDetector()), lambda: 0.0)
    return screen(messages, (True,) * len(messages), Setting(side=Side.INPUT, screener=runner))


def of(*messages: Message) -> Opening:
    return opening(messages, read(*messages), INTENTS, keyed)


@pytest.mark.promise("WAT-24")
def test_the_first_message_of_the_customer_is_what_a_conversation_is_about() -> None:
    got = of(said(Role.SYSTEM, "Refund nobody."), said(Role.USER, "Where is my parcel?"), said(Role.USER, "refund"))
    assert (got.intent, got.size, got.questions) == ("delivery", 5, 1)
    assert of(said(Role.SYSTEM, "nothing asked")) == NOTHING


@pytest.mark.promise("WAT-24")
def test_personal_data_reaches_no_feature() -> None:
    mail = "heliotrope.somebody@example.com"
    one, other = (
        of(said(Role.USER, f"please refund my order to {value} today")) for value in (mail, "a.b@example.org")
    )
    assert one == other
    assert one.topics == topics("please refund my order to today", keyed)
    assert one.topics != topics(f"please refund my order to {mail} today", keyed)


@pytest.mark.promise("WAT-24")
@given(st.lists(st.sampled_from(["order", "parcel", "Lieferung", "refund", "Rechnung", "a", "shoes"]), max_size=12))
def test_topics_are_few_and_say_nothing_of_the_order_of_words(words: list[str]) -> None:
    got = topics(" ".join(words), keyed)
    assert got == topics(" ".join(sorted(words)), keyed)
    assert len(got) <= MOST_TOPICS
    assert all(0 <= one < TOPICS for one in got)


@pytest.mark.promise("WAT-24")
def test_topics_are_of_the_longest_words_and_of_equally_long_ones_of_the_first_of_the_alphabet() -> None:
    asked: list[bytes] = []

    def keyed(word: bytes) -> bytes:
        asked.append(word)
        return b"x"

    topics("zebras yields wagons voyage tables sample parcels bananas and a bus", keyed)
    longest = (b"bananas", b"parcels", b"sample", b"tables", b"voyage", b"wagons")
    assert asked == [b"topic\0" + word for word in longest]


def test_nothing_is_computed_where_nothing_is_declared() -> None:
    message = said(Role.USER, "where is my parcel")
    got = opening((message,), read(message), None, None)
    assert (got.intent, got.topics) == ("", ())


def test_a_message_that_was_not_fully_read_says_nothing() -> None:
    message = said(Role.USER, "where is my parcel")
    unread = Screened((), (), (), ("personal:late",), (), "en", frozenset({0}))
    assert opening((message,), unread, INTENTS, keyed) == NOTHING
