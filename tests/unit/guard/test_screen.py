"""A user's message is read with what the assistant said just before, and is remembered under it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.detectors.base import Report, Text
from handrail.detectors.pii import PersonalDetector, ReplyDetector
from handrail.detectors.run import Runner
from handrail.guard.screen import Memo, Setting, screen
from handrail.guard.turn import Channel, Leaf, Message
from handrail.policy.evaluate import Side
from handrail.terms.finding import NEVER_REST, Kind, Role


class Counted(Runner):
    """Keeps what it was asked to read."""

    def __init__(self) -> None:
        super().__init__((PersonalDetector(), ReplyDetector()), lambda: 0.0)
        self.texts: list[Text] = []

    def screen(self, text: Text, kinds: frozenset[Kind], deadline: float | None = None) -> Report:
        self.texts.append(text)
        return super().screen(text, kinds, deadline)


def message(role: Role, *texts: str, channel: Channel | None = None) -> Message:
    leaves = tuple(Leaf(channel or Channel(role.value), text, ("messages", 0, "content")) for text in texts)
    return Message(role, leaves, history=b"x")


def kinds(
    *messages: Message, runner: Runner | None = None, memo: Memo | None = None, new_from: int = 0, subject: str = ""
) -> list[Kind]:
    setting = Setting(side=Side.INPUT, screener=runner or Counted(), under=b"rules", subject=subject)
    found = screen(messages, (True,) * len(messages), setting, memo, new_from)
    return [finding.kind for finding in found.findings]


SSN = message(Role.ASSISTANT, "What are the last four digits of your SSN?")
PIN = message(Role.ASSISTANT, "What is your PIN?")
REPLY = message(Role.USER, "7658")


@pytest.mark.promise("PII-12")
def test_the_answer_to_the_assistants_question_has_the_kind_that_was_asked_for() -> None:
    assert kinds(SSN, REPLY) == [Kind.SSN]
    assert kinds(PIN, REPLY) == [Kind.PIN]
    assert kinds(SSN, message(Role.USER, "why?"), PIN, REPLY) == [Kind.PIN]


@pytest.mark.promise("PII-12")
def test_a_reading_is_not_used_again_under_another_question() -> None:
    memo, runner = Memo(b"k" * 32), Counted()
    assert kinds(SSN, REPLY, runner=runner, memo=memo, new_from=2) == [Kind.SSN]
    assert kinds(PIN, REPLY, runner=runner, memo=memo, new_from=2) == [Kind.PIN]
    read = len(runner.texts)
    assert kinds(SSN, REPLY, runner=runner, memo=memo, new_from=2) == [Kind.SSN]
    assert len(runner.texts) == read


def test_the_question_reaches_a_message_of_several_parts_and_no_long_one() -> None:
    assert kinds(PIN, message(Role.USER, "yes", "7658")) == [Kind.PIN]
    assert Kind.PIN not in kinds(PIN, message(Role.USER, "7658. " + "and so it goes on " * 20))


def test_what_no_assistant_said_asks_nothing() -> None:
    prompt = message(Role.SYSTEM, "What is your PIN?")
    result = message(Role.TOOL, "What is your PIN?", channel=Channel.TOOL_RESULT)
    assert kinds(prompt, result, REPLY) == [Kind.ACCOUNT]
    thought = message(Role.ASSISTANT, "What is your PIN?", channel=Channel.REASONING)
    assert kinds(thought, REPLY) == [Kind.ACCOUNT]


def test_messages_that_are_cut_or_placed_otherwise_have_names_of_their_own() -> None:
    memo = Memo(b"k" * 32)
    path = ("messages", 0, "content")
    leaves = [
        (Leaf(Channel.USER, "ab", path),),
        (Leaf(Channel.USER, "a", path), Leaf(Channel.USER, "b", path)),
        (Leaf(Channel.DOCUMENT, "ab", path),),
        (Leaf(Channel.USER, "ab", path, key=True),),
        (Leaf(Channel.USER, "ab", path, number=True),),
        (Leaf(Channel.OTHER, "ab", ("metadata", "cvv")),),
        (Leaf(Channel.OTHER, "ab", ("metadata", "pin")),),
    ]
    names = [memo.name(Message(Role.USER, each), b"rules") for each in leaves]
    names += [
        memo.name(Message(Role.USER, leaves[0]), b"other rules"),
        memo.name(Message(Role.USER, leaves[0]), b"rules", "b"),
    ]
    assert len(set(names)) == len(names)
    assert names[0] == memo.name(Message(Role.USER, leaves[0], history=b"x"), b"rules")


CVV = message(Role.ASSISTANT, "Thanks. What is the CVV of your card?")
CODE = message(Role.USER, "123")
NEXT = message(Role.ASSISTANT, "Thank you, it is paid.")


@pytest.mark.promise("PII-12")
def test_a_code_is_still_one_when_its_question_was_cut_off() -> None:
    memo = Memo(b"k" * 32)
    thanks = message(Role.USER, "thanks a lot")
    assert kinds(CVV, CODE, memo=memo, subject="su_1", new_from=1) == [Kind.CVV]
    assert kinds(CVV, CODE, NEXT, thanks, memo=memo, subject="su_1", new_from=3) == [Kind.CVV]
    assert kinds(CODE, NEXT, thanks, memo=memo, subject="su_1", new_from=2) == [Kind.CVV]
    assert kinds(message(Role.SYSTEM, "Be kind."), CODE, memo=memo, subject="su_1", new_from=2) == [Kind.CVV]


def test_what_one_customer_answered_says_nothing_of_another_nor_of_another_question() -> None:
    memo = Memo(b"k" * 32)
    assert kinds(CVV, CODE, memo=memo, subject="su_1", new_from=2) == [Kind.CVV]
    assert kinds(CODE, NEXT, memo=memo, subject="su_2", new_from=2) == []
    assert kinds(CODE, NEXT, memo=memo, new_from=2) == []
    how_many = message(Role.ASSISTANT, "How many boxes do you need?")
    assert kinds(how_many, CODE, memo=memo, subject="su_1", new_from=2) == []


def test_a_code_that_looked_like_an_account_takes_its_place() -> None:
    memo = Memo(b"k" * 32)
    assert kinds(PIN, REPLY, memo=memo, subject="su_1") == [Kind.PIN]
    assert kinds(REPLY, memo=memo, subject="su_1") == [Kind.PIN]
    assert kinds(REPLY, memo=memo, subject="su_2") == [Kind.ACCOUNT]


def test_what_is_remembered_of_replies_is_bounded_and_holds_no_text() -> None:
    memo = Memo(b"k" * 32, size=4)
    for number in range(1000, 1040):
        kinds(PIN, message(Role.USER, str(number)), memo=memo, subject="su_1")
    kept = {**memo._old, **memo._new}
    assert len(kept) <= 8
    assert b"1039" not in b"".join([*kept, *[one for one in kept.values() if isinstance(one, bytes)]])


SECRETS = [("What is your CVV?", "123"), ("Your PIN please?", "4556"), ("And the code we sent you?", "918273"),
           ("What is your password?", "hunter2!x")]  # fmt: skip
OTHERS = [("Hello, how can I help?", "my parcel is late"), ("Which size?", "42"), ("Anything else?", "no thanks")]


@pytest.mark.promise("PII-4")
@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(SECRETS + OTHERS), min_size=1, max_size=6, unique=True), st.data())
def test_wherever_a_history_is_cut_no_secret_of_it_comes_back_in_clear(pairs, data) -> None:
    memo, runner, history = Memo(b"k" * 32), Counted(), []
    for question, answer in pairs:
        history += [message(Role.ASSISTANT, question), message(Role.USER, answer)]
        setting = Setting(side=Side.INPUT, screener=runner, under=b"rules", subject="su_1")
        screen(history, (True,) * len(history), setting, memo, len(history) - 1)
    cut = history[data.draw(st.integers(0, len(history) - 1)) :]
    found = screen(cut, (True,) * len(cut), setting, memo, data.draw(st.integers(0, len(cut))))
    masked = {spots[0].message for f, spots in zip(found.findings, found.spots, strict=True) if f.kind in NEVER_REST}
    secrets = {answer for _, answer in SECRETS}
    assert masked == {at for at, each in enumerate(cut) if each.leaves[0].text in secrets}


def test_a_new_message_is_read_though_the_same_was_read_before() -> None:
    memo, runner = Memo(b"k" * 32), Counted()
    question, said = message(Role.USER, "Where is order 7?"), message(Role.ASSISTANT, "It is on its way.")
    for times in (1, 2):
        kinds(question, said, runner=runner, memo=memo)
        assert [text.text for text in runner.texts] == ["Where is order 7?", "It is on its way."] * times
    kinds(question, said, runner=runner, memo=memo, new_from=2)
    assert len(runner.texts) == 4, "messages that come again are taken from the memo"
