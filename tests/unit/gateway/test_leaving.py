"""A client that leaves: what it was given is written down once, with its text and findings, and charged."""

import asyncio

import msgspec
import orjson
import pytest
from tests.fakes.gateway import KEY, chat_answer, chat_stream, replaced, rules, use_case, world
from tests.fakes.guard import Answering, committing

from handrail.policy.ruleset import FindingAction
from handrail.terms.decision import Outcome
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind

PATH = "/v1/chat/completions"
ASK = {"model": "support", "messages": [{"role": "user", "content": "hello there"}]}
TALK = ["Our shop opens early and ", "your order left the house today. ", "We hope that you like it. "] * 8
CARD = "4111 1111 1111 1111"


class Slow(Answering):
    """Lets others run before each piece."""

    async def chunks(self):
        async for piece in super().chunks():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            yield piece


class Hanging(Answering):
    """Says what it was given, tells so, and then nothing."""

    def __init__(self, pieces, said: asyncio.Event) -> None:
        super().__init__(pieces)
        self._said = said

    async def chunks(self):
        async for piece in super().chunks():
            yield piece
        self._said.set()
        await asyncio.Event().wait()


def day(w):
    return w.gateway.net.budgets._days["support"]


def content(got) -> str:
    return "".join(
        each["choices"][0]["delta"].get("content") or ""
        for each in got.events()
        if isinstance(each, dict) and each.get("choices")
    )


async def ask_until(w, left: asyncio.Event, *, stream: bool) -> list:
    """One call whose client leaves when `left` is set."""
    waiting = [orjson.dumps({**ASK, "stream": stream})]

    async def receive():
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    got: list = []

    async def send(message) -> None:
        got.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "headers": [(b"authorization", b"Bearer " + KEY.encode())],
        "client": ("127.0.0.1", 1),
        "query_string": b"",
    }
    await w.gateway(scope, receive, send)
    return got


@pytest.mark.promise("GTW-10")
def test_a_stream_that_its_client_leaves_is_recorded_with_its_text_and_charged() -> None:
    w = world(lambda request: Slow(chat_stream(TALK)))
    got = asyncio.run(w.post(PATH, {**ASK, "stream": True}, leave_after=12))
    (facts,) = w.journal.facts()
    assert facts.outcome is Outcome.CANCELLED
    given = content(got)
    assert given
    (answer,) = w.journal.payloads()[-1]["answer"]
    assert answer["texts"][0].startswith(given)
    assert facts.output_tokens >= len(given) // 4
    assert facts.input_tokens > 0
    assert day(w).tokens == facts.input_tokens + facts.output_tokens


def test_leaving_every_stream_does_not_get_round_a_budget() -> None:
    case = replaced(use_case(), budget=msgspec.structs.replace(use_case().budget, tokens=10))
    w = world(lambda request: Slow(chat_stream(TALK)), case=case)
    statuses = [asyncio.run(w.post(PATH, {**ASK, "stream": True}, leave_after=12)).status for _ in range(3)]
    assert statuses == [200, 429, 429]


@pytest.mark.promise("GTW-10")
def test_a_value_that_the_window_still_held_is_masked_in_the_record_of_a_left_stream() -> None:
    async def run():
        left = asyncio.Event()
        pieces = chat_stream(["Write to jane@example.com please. ", f"The card is {CARD}"], done=False)
        w = world(lambda request: Hanging(pieces, left))
        await ask_until(w, left, stream=True)
        return w

    w = asyncio.run(run())
    (facts,) = w.journal.facts()
    assert facts.outcome is Outcome.CANCELLED
    assert {found.kind for found in facts.findings if found.side == "output"} == {Kind.EMAIL, Kind.CARD}
    said = w.journal.payloads()[-1]["answer"][0]["texts"][0]
    assert said.startswith("Write to [")
    assert CARD not in said


@pytest.mark.promise("GTW-10")
def test_a_whole_answer_that_its_client_does_not_await_is_charged_for_its_request() -> None:
    async def run():
        left = asyncio.Event()
        w = world(lambda request: Hanging([chat_answer("hi")[:20]], left))
        await ask_until(w, left, stream=False)
        return w

    w = asyncio.run(run())
    (facts,) = w.journal.facts()
    assert (facts.outcome, facts.output_tokens) == (Outcome.CANCELLED, 0)
    assert day(w).tokens == facts.input_tokens > 0


def test_a_stream_that_a_block_ends_before_its_usage_is_charged() -> None:
    case = replaced(use_case(), findings=rules({Kind.EMAIL: FindingAction.BLOCK}))
    w = world(lambda request: Answering(chat_stream([*TALK, "Write to jane@example.com please. ", *TALK])), case=case)
    got = asyncio.run(w.post(PATH, {**ASK, "stream": True}))
    (facts,) = w.journal.facts()
    assert facts.outcome is Outcome.BLOCKED
    assert "jane@example.com" not in content(got)
    assert facts.output_tokens >= sum(map(len, TALK)) // 4
    assert day(w).tokens == facts.input_tokens + facts.output_tokens


def test_what_the_provider_counted_is_taken_as_it_is() -> None:
    w = world(lambda request: Answering(chat_stream(TALK)))
    asyncio.run(w.post(PATH, {**ASK, "stream": True}))
    (facts,) = w.journal.facts()
    assert (facts.input_tokens, facts.output_tokens, day(w).tokens) == (12, 7, 19)


@pytest.mark.promise("GTW-10")
@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_during_the_commit_leaves_one_entry(stream: bool, committed: bool) -> None:
    """`committed`: whether the entry is in the journal already when the client leaves."""

    async def run():
        w = world(lambda request: Answering(chat_stream(["hi there"]) if stream else [chat_answer("hi there")]))
        left, commit = asyncio.Event(), w.journal.commit

        async def slow(entry) -> None:
            if committed:
                await commit(entry)
            left.set()
            for _ in range(20):
                await asyncio.sleep(0)
            if not committed:
                await commit(entry)

        w.journal.commit = lambda entry: committing(slow(entry))
        got = await ask_until(w, left, stream=stream)
        return w, got

    w, got = asyncio.run(run())
    assert [facts.outcome for facts in w.journal.facts()] == [Outcome.ANSWERED]
    assert b"[DONE]" not in b"".join(message.get("body", b"") for message in got)
    assert day(w).tokens == 19


@pytest.mark.parametrize("stream", [False, True])
def test_a_commit_that_fails_after_the_client_left_is_followed_by_one_entry(stream: bool) -> None:

    async def run():
        w = world(lambda request: Answering(chat_stream(["hi there"]) if stream else [chat_answer("hi there")]))
        left = asyncio.Event()

        async def failing(entry) -> None:
            left.set()
            for _ in range(20):
                await asyncio.sleep(0)
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, "the journal cannot commit", retry_after_s=1)

        w.journal.commit = lambda entry: committing(failing(entry))
        await ask_until(w, left, stream=stream)
        return w

    assert [facts.outcome for facts in asyncio.run(run()).journal.facts()] == [Outcome.CANCELLED]
