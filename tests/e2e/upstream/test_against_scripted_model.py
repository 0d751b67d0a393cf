"""The model client against the scripted model: every dialect, whole and streamed, and its faults."""

import asyncio

import msgspec
import orjson
import pytest

from handrail.app.scripted_model.script import default_script
from handrail.app.scripted_model.server import serving
from handrail.policy.ruleset import Dialect
from handrail.terms.errors import Code, HandrailError

MESSAGES = [{"role": "user", "content": "where is my order"}]
BODIES = {
    "/chat/completions": (Dialect.OPENAI, {"messages": MESSAGES}),
    "/responses": (Dialect.OPENAI, {"input": "where is my order"}),
    "/messages": (Dialect.ANTHROPIC, {"messages": MESSAGES, "max_tokens": 100}),
}


async def unused(call) -> None:
    call.hang_up()


def play(bench, test, **options) -> None:
    """`test(ask)`: `ask(path, model, stream=, **provider)` sends one request to the scripted model."""

    async def inner(_model, site) -> None:
        async with serving(default_script(), key=bench.secret, **options) as scripted:
            site.port = int(scripted.url.rpartition(":")[2])
            model = bench.model(site)

            async def ask(path: str, name: str, *, stream: bool = False, **changes):
                dialect, fields = BODIES[path]
                body = orjson.dumps({"model": name, "stream": stream} | fields)
                request = site.ask(body, stream=stream, dialect=dialect, **changes)
                return await model.send(msgspec.structs.replace(request, path=path))

            await test(ask)
            await model.close()

    bench.play(unused, inner)


@pytest.mark.parametrize("path", BODIES)
def test_each_dialect_answers_whole_and_streamed_on_one_connection(bench, path: str) -> None:
    async def test(ask) -> None:
        whole = await ask(path, "m")
        assert whole.status == 200
        assert b"HR-20418" in await whole.read()
        streamed = await ask(path, "m", stream=True)
        events = b"".join([piece async for piece in streamed.chunks()])
        assert events.count(b"data: ") > 8
        assert b"HR-20418" in events or b"20418" in events

    play(bench, test)


@pytest.mark.parametrize("stream", [False, True])
def test_the_faults_of_the_scripted_model_arrive_as_the_ports_errors(bench, stream: bool) -> None:
    async def test(ask) -> None:
        async def code(name: str, **changes) -> Code:
            async def whole() -> None:
                answer = await ask("/chat/completions", name, stream=stream, **changes)
                [piece async for piece in answer.chunks()]

            with pytest.raises(HandrailError) as caught:
                await whole()
            return caught.value.code

        assert await code("scripted-break") is Code.UPSTREAM_ERROR
        assert await code("scripted-stall", idle_timeout_ms=80) is Code.UPSTREAM_TIMEOUT
        assert await code("scripted-slow-5000", first_byte_timeout_ms=80) is Code.UPSTREAM_TIMEOUT
        refused = await ask("/chat/completions", "scripted-error-429", stream=stream, attempts=2)
        assert (refused.status, refused.attempts) == (429, 2)
        assert orjson.loads(await refused.read())["error"]["code"] == "rate_limit_exceeded"
        mended = await ask("/chat/completions", "scripted-flaky", stream=stream)
        assert (mended.status, mended.attempts) == (200, 2)
        assert bench.pauses == [1.25, 1.25]  # what the server asked for, and the jitter
        await mended.close()

    play(bench, test)


def test_many_streams_at_once_do_not_mix(bench) -> None:
    async def test(ask) -> None:
        async def echo(number: int) -> bool:
            answer = await ask("/chat/completions", f"scripted-echo-{number % 7 + 1}", stream=True)
            events = b"".join([piece async for piece in answer.chunks()]).split(b"\n\n")
            values = [orjson.loads(event[6:]) for event in events if event.startswith(b"data: {")]
            text = "".join(value["choices"][0]["delta"].get("content") or "" for value in values)
            return text == "where is my order"

        assert all(await asyncio.gather(*(echo(number) for number in range(100))))

    play(bench, test)
