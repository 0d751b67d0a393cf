"""A user's message is read with what the assistant said just before, and is remembered under it."""

import pytest

from handrail.detectors.base import Report, Text
from handrail.detectors.pii import PersonalDetector, ReplyDetector
from handrail.detectors.run import Runner
from handrail.guard.screen import Memo, Setting, screen
from handrail.guard.turn import Channel, Leaf, Message
from handrail.policy.evaluate import Side
from handrail.terms.finding import Kind, Role


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


def kinds(*messages: Message, runner: Runner | None = None, memo: Memo | None = None, new_from: int = 0) -> list[Kind]:
    setting = Setting(side=Side.INPUT, screener=runner or Counted(), under=b"rules")
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
