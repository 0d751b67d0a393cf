"""Targets that hang, drip, swell, echo what they were told, accept without doing, or say what is not so."""

import asyncio
import base64
import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from contract.test_execute import claimed, executor, played
from fakes.storage import CLOCK, Rig
from fakes.target import ASK, Shop, ask_tool, refund_tool, shop_upstream

from handrail.approvals.lifecycle import State
from handrail.backends.egress import Egress, parse_url
from handrail.backends.tools.http import MAX_ANSWER, HttpTargets, told
from handrail.guard.execute import Effect
from handrail.terms.errors import Code, HandrailError
from handrail.tools.registry import Call, Check, Credential, Expect

SECRET = "sk-till-0123456789"


@contextlib.asynccontextmanager
async def target(answer: Callable[[asyncio.StreamWriter, bytes], Any]) -> AsyncIterator[tuple[HttpTargets, Any]]:
    """A server that hands the whole request to `answer`; targets that call it, and its upstream."""
    tasks: set[Any] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = await reader.readexactly(int(lengths[0]))
            await answer(writer, head + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def resolve(host: str, port: int) -> list[str]:
        return [host]

    origin, _ = parse_url(f"http://127.0.0.1:{port}")
    egress = Egress(resolve=resolve, published=lambda: {origin}, monotonic=CLOCK.monotonic)
    made = HttpTargets(egress=egress, secret=lambda provider: SECRET)
    try:
        yield made, shop_upstream(port)
    finally:
        await made.close()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def asked(answer: Callable[[asyncio.StreamWriter, bytes], Any], **upstream: Any) -> Any:
    async def run() -> Any:
        async with target(answer) as (made, where):
            where = msgspec.structs.replace(where, **upstream)
            return await made.call(refund_tool(), where, {"order": "A-1", "amount": 1}, key="k" * 40)

    return asyncio.run(run())


def reply(writer: asyncio.StreamWriter, data: bytes, status: int = 200) -> None:
    writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(data)) + data)


@pytest.mark.promise("ACT-24")
def test_a_target_that_drips_is_given_up_at_the_time_of_the_whole_call() -> None:
    async def drip(writer: asyncio.StreamWriter, _: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)

    began = time.monotonic()
    told = asked(drip, timeout_ms=500)
    assert (told.effect, told.code) == (Effect.UNSURE, "upstream.timeout")
    assert time.monotonic() - began < 3
    assert told.request.startswith(b"POST /orders/A-1/refunds")


@pytest.mark.promise("ACT-24")
def test_an_answer_that_swells_is_not_kept() -> None:
    async def swell(writer: asyncio.StreamWriter, _: bytes) -> None:
        reply(writer, b'"' + b"x" * MAX_ANSWER + b'"')
        await writer.drain()

    told = asked(swell)
    assert (told.effect, told.response) == (Effect.UNSURE, b"")


@pytest.mark.promise("ACT-24")
def test_a_target_that_echoes_its_credential_tells_it_to_nobody() -> None:
    async def echo(writer: asyncio.StreamWriter, request: bytes) -> None:
        reply(writer, json.dumps({"headers": request.decode()}).encode(), 400)

    told = asked(echo, credential=Credential(env="TILL_KEY"))
    assert b"[secret]" in told.response
    assert SECRET.encode() not in told.response
    assert SECRET not in json.dumps(told.result)
    assert told.effect is Effect.NONE


def test_a_connection_that_is_never_made_certainly_had_no_effect() -> None:
    async def run() -> Any:
        async def resolve(host: str, port: int) -> list[str]:
            await asyncio.sleep(5)
            return [host]

        origin, _ = parse_url("http://127.0.0.1:9")
        egress = Egress(resolve=resolve, published=lambda: {origin}, monotonic=CLOCK.monotonic)
        made = HttpTargets(egress=egress, secret=lambda provider: "")
        where = msgspec.structs.replace(shop_upstream(9), timeout_ms=400)
        return await made.call(refund_tool(), where, {"order": "A-1", "amount": 1}, key="")

    assert asyncio.run(run()).effect is Effect.NONE


@pytest.mark.parametrize(
    ("body", "effect"), [(b'{"error": "no such order"}', Effect.NONE), (b'{"refund": 1}', Effect.DONE)]
)
def test_an_error_in_an_answer_that_says_ok_is_told_by_how_it_begins(body: bytes, effect: Effect) -> None:
    assert told(200, body, b"", ('{"error"',)).effect is effect


def test_what_a_target_answers_when_it_resets_the_connection_is_unsure() -> None:
    async def reset(writer: asyncio.StreamWriter, _: bytes) -> None:
        writer.transport.abort()

    assert asked(reset).effect is Effect.UNSURE


@pytest.mark.promise("ACT-24")
def test_the_key_of_the_target_never_reaches_the_agent(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        work = executor(store, shop, refund_tool())
        taken = await claimed(store)
        key = work.key_of(taken.request)
        original = shop._act

        def echo(line: str, headers: Any, body: bytes) -> tuple[int, Any]:
            status, answer = original(line, headers, body)
            return status, {**answer, "your_key": headers.get("idempotency-key")}

        shop._act = echo  # type: ignore[method-assign]  this target echoes
        done = await work.carry_out(taken)
        assert done.progress.state is State.DONE
        assert key not in done.result.decode()
        assert msgspec.json.decode(done.result)["result"]["refund"] == "re_0"

    played(durable, play)


SEEN = Check(call=Call(tool=ASK, arguments={"key": "$key"}), expect=(Expect(path="found", equals=True),))


@pytest.mark.promise("ACT-24")
def test_an_effect_that_its_verification_does_not_show_is_asked_of_a_person(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        tool = refund_tool(verify=SEEN)
        done = await executor(store, shop, tool, ask_tool()).carry_out(await claimed(store))
        assert done.progress.state is State.DONE
        shop.by_key = Forgetful()
        lied = await executor(store, shop, tool, ask_tool()).carry_out(await claimed(store))
        assert lied.progress.state is State.UNKNOWN
        assert msgspec.json.decode(lied.result)["code"] == "verify.contradicts"

    class Forgetful(dict[str, Any]):
        def __contains__(self, _: object) -> bool:
            return False

    played(durable, play)


@pytest.mark.promise("ACT-24")
def test_what_a_target_only_accepted_is_done_when_its_question_says_so_and_never_absent(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        original = shop._act

        def accepts(line: str, headers: Any, body: bytes) -> tuple[int, Any]:
            if line.startswith("GET"):
                return original(line, headers, body)
            if kept:
                original(line, headers, body)
            return 202, {"job": 1}

        shop._act = accepts  # type: ignore[method-assign]  this target queues
        tool = refund_tool(asks=True)
        kept = True
        done = await executor(store, shop, tool, ask_tool()).carry_out(await claimed(store))
        assert done.progress.state is State.DONE
        kept = False
        open_ = await executor(store, shop, tool, ask_tool()).carry_out(await claimed(store))
        assert open_.progress.state is State.UNKNOWN

    played(durable, play)


@pytest.mark.promise("ACT-25")
def test_a_receipt_holds_what_its_digests_are_made_of(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        work = executor(store, shop, refund_tool())
        taken = await claimed(store)
        seen = []
        run = store.journal.run

        class Watched:
            async def run(self, command: Any) -> Any:
                seen.append(command)
                return await run(command)

            def __getattr__(self, name: str) -> Any:
                return getattr(store.journal, name)

        work._journal = Watched()
        await work.carry_out(taken)
        command = next(one for one in seen if hasattr(one, "receipt"))
        receipt = msgspec.json.decode(command.receipt)
        salt = base64.b64decode(receipt["salt"])
        for name in ("request", "response"):
            data = receipt[name].encode() if name in receipt else base64.b64decode(receipt[f"{name}_base64"])
            assert hashlib.sha256(salt + data).hexdigest() == getattr(command.facts, name)

    played(durable, play)


@pytest.mark.promise("ACT-25")
def test_an_outcome_that_could_not_be_recorded_at_once_is_recorded_when_the_journal_is_back(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        fails = [2]

        class Away:
            async def run(self, command: Any) -> Any:
                if hasattr(command, "receipt") and fails[0]:
                    fails[0] -= 1
                    raise HandrailError(Code.JOURNAL_UNAVAILABLE, "away")
                return await store.journal.run(command)

            def __getattr__(self, name: str) -> Any:
                return getattr(store.journal, name)

        work = executor(store, shop, refund_tool(honours=False))
        work._journal = Away()
        done = await work.carry_out(await claimed(store))
        assert done.progress.state is State.DONE
        assert (fails, len(shop.calls)) == ([0], 1)

    played(durable, play)


def test_only_reads_are_asked(durable: Rig) -> None:
    async def play(store: Any, shop: Shop) -> None:
        writes = msgspec.structs.replace(ask_tool(), type=refund_tool().type)
        tool = refund_tool(verify=SEEN)
        done = await executor(store, shop, tool, writes).carry_out(await claimed(store))
        assert done.progress.state is State.DONE
        assert len(shop.calls) == 1

    played(durable, play)
