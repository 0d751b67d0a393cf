"""Tries, the circuit and the places in the queue, over both clients; pauses are recorded, not waited for."""

import asyncio
from email.utils import formatdate

import pytest

from handrail.terms.errors import Code, HandrailError


async def refusal(awaitable) -> HandrailError:
    with pytest.raises(HandrailError) as caught:
        await awaitable
    return caught.value


@pytest.mark.promise("UPS-3")
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_passing_failure_is_tried_again_and_the_answer_says_how_often(bench, status: int) -> None:
    async def handler(call) -> None:
        await (call.answer(b"no", status=f"{status} X") if call.number == 1 else call.answer(b"yes"))

    async def test(model, site) -> None:
        answer = await model.send(site.ask())
        assert (answer.status, answer.attempts, await answer.read()) == (200, 2, b"yes")
        assert bench.pauses == [0.25]

    bench.play(handler, test)


@pytest.mark.promise("UPS-3")
def test_the_last_failure_goes_back_with_its_body_after_so_many_tries(bench) -> None:
    async def handler(call) -> None:
        await call.answer(b"try %d" % call.number, status="503 X")

    async def test(model, site) -> None:
        answer = await model.send(site.ask(attempts=3))
        assert (answer.status, answer.attempts, await answer.read()) == (503, 3, b"try 3")
        assert bench.pauses == [0.25, 0.5]

    bench.play(handler, test)


@pytest.mark.parametrize(("status", "headers"), [("400 X", ()), ("401 X", ()), ("500 X", ("x-should-retry: false",))])
def test_what_a_second_try_cannot_mend_goes_back_at_once(bench, status: str, headers: tuple[str, ...]) -> None:
    async def handler(call) -> None:
        await call.answer(b"no", status=status, headers=headers)

    async def test(model, site) -> None:
        answer = await model.send(site.ask())
        assert (answer.attempts, await answer.read()) == (1, b"no")

    bench.play(handler, test)


@pytest.mark.promise("UPS-3")
def test_retry_after_is_kept_to_in_seconds_and_as_a_date_but_not_beyond_our_patience(bench) -> None:
    in_seven_seconds = formatdate(bench.clock.ms / 1000 + 7, usegmt=True)
    waits = ["3", in_seven_seconds, "3600"]

    async def handler(call) -> None:
        await call.answer(b"later", status="429 X", headers=(f"retry-after: {waits[call.number - 1]}",))

    async def test(model, site) -> None:
        answer = await model.send(site.ask(attempts=9))
        assert (answer.status, answer.attempts) == (429, 3)
        assert ("retry-after", "3600") in answer.headers
        assert bench.pauses == pytest.approx([3.25, 7.25])

    bench.play(handler, test)


@pytest.mark.promise("UPS-3")
def test_a_provider_that_drops_the_connection_before_answering_is_tried_again(bench) -> None:
    async def handler(call) -> None:
        if call.number < 3:
            call.hang_up()
        await call.answer(b"yes")

    async def test(model, site) -> None:
        answer = await model.send(site.ask(attempts=3))
        assert (answer.attempts, await answer.read()) == (3, b"yes")
        assert (await refusal_when_always_dropped(model, site)).code is Code.UPSTREAM_ERROR

    async def refusal_when_always_dropped(model, site) -> HandrailError:
        site.calls.clear()
        return await refusal(model.send(site.ask(attempts=2)))

    bench.play(handler, test)


@pytest.mark.promise("UPS-4")
def test_a_kept_connection_that_died_meanwhile_costs_no_try(bench) -> None:
    async def handler(call) -> None:
        if call.number == 2:
            call.hang_up()  # it read the request on the kept connection and closed without a byte
        await call.answer(b"%d" % call.number)

    async def test(model, site) -> None:
        ask = site.ask(attempts=1)
        assert await (await model.send(ask)).read() == b"1"
        answer = await model.send(ask)
        assert (await answer.read(), answer.attempts) == (b"3", 2)
        assert bench.pauses == []

    bench.play(handler, test)


@pytest.mark.promise("UPS-4")
def test_a_kept_connection_that_broke_after_its_first_byte_is_not_tried_for_free(bench) -> None:
    async def handler(call) -> None:
        if call.number == 2:
            await call.send(b"HTTP/1.1 200 OK\r\ncont")
            await asyncio.sleep(0.05)
            call.hang_up()
        await call.answer(b"%d" % call.number)

    async def test(model, site) -> None:
        ask = site.ask(attempts=1)
        await (await model.send(ask)).read()
        assert (await refusal(model.send(ask))).code is Code.UPSTREAM_ERROR
        assert len(site.calls) == 2

    bench.play(handler, test)


def test_a_port_nobody_listens_on_is_unreachable_after_all_tries(bench) -> None:
    async def handler(call) -> None:
        await call.answer(b"{}")

    async def test(model, site) -> None:
        async with type(site)(handler).open() as other:
            closed = other.provider()
        model = bench.model(site, other)
        ask = site.ask(base_url=closed.base_url, attempts=3)
        error = await refusal(model.send(ask))
        assert error.code is Code.UPSTREAM_UNREACHABLE
        assert len(bench.pauses) == 2
        await model.close()

    bench.play(handler, test)


@pytest.mark.promise("UPS-8")
def test_failures_in_a_row_open_the_circuit_and_one_probe_closes_it(bench) -> None:
    healthy = False

    async def handler(call) -> None:
        await (call.answer(b"yes") if healthy else call.answer(b"no", status="500 X"))

    async def test(model, site) -> None:
        nonlocal healthy
        ask = site.ask(attempts=1, breaker_failures=3, breaker_open_ms=10_000)
        for _ in range(3):
            await (await model.send(ask)).read()
        error = await refusal(model.send(ask))
        assert (error.code, error.retry_after_s) == (Code.UPSTREAM_OPEN, 10.0)
        assert model.standing()[0].open_s == 10
        assert len(site.calls) == 3
        bench.clock.s += 10
        answer = await model.send(ask)  # the probe fails: open again
        await answer.read()
        assert (await refusal(model.send(ask))).code is Code.UPSTREAM_OPEN
        bench.clock.s += 10
        healthy = True
        probe = model.send(ask)
        assert await (await probe).read() == b"yes"
        assert await (await model.send(ask)).read() == b"yes"

    bench.play(handler, test)


@pytest.mark.promise("UPS-8")
def test_while_the_probe_runs_everybody_else_is_refused_and_a_probe_that_leaves_frees_its_place(bench) -> None:
    async def handler(call) -> None:
        if call.number == 1:
            await call.answer(b"no", status="500 X")
        elif call.number == 2:
            await call.until_client_leaves()
        else:
            await call.answer(b"yes")

    async def test(model, site) -> None:
        ask = site.ask(attempts=1, breaker_failures=1, breaker_open_ms=1_000)
        await (await model.send(ask)).read()
        bench.clock.s += 1
        probe = asyncio.create_task(model.send(ask))
        while len(site.calls) < 2:
            await asyncio.sleep(0.001)
        assert (await refusal(model.send(ask))).code is Code.UPSTREAM_OPEN
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert await (await model.send(ask)).read() == b"yes"

    bench.play(handler, test)


@pytest.mark.promise("UPS-9")
def test_beyond_the_places_in_flight_and_waiting_a_call_is_refused_at_once(bench) -> None:
    go_on = asyncio.Event()

    async def handler(call) -> None:
        await go_on.wait()
        await call.answer(b"%d" % call.number)

    async def test(model, site) -> None:
        ask = site.ask(max_in_flight=2, max_waiting=2)

        async def whole() -> bytes:
            return await (await model.send(ask)).read()

        tasks = [asyncio.create_task(whole()) for _ in range(4)]
        while len(site.calls) < 2:
            await asyncio.sleep(0.001)
        error = await asyncio.wait_for(refusal(model.send(ask)), 0.1)
        assert error.code is Code.BUSY
        assert error.retry_after_s >= 1
        assert len(site.calls) == 2
        [standing] = model.standing()
        assert (standing.in_flight, standing.waiting, standing.open_s) == (2, 2, 0)
        tasks[2].cancel()  # who stops waiting makes room in the queue
        await asyncio.gather(tasks[2], return_exceptions=True)
        tasks.append(asyncio.create_task(whole()))
        await asyncio.sleep(0.01)
        go_on.set()
        done = await asyncio.gather(*tasks[:2], *tasks[3:])
        assert sorted(done) == [b"1", b"2", b"3", b"4"]
        assert (model.standing()[0].in_flight, model.standing()[0].waiting) == (0, 0)
        assert site.connections == 2

    bench.play(handler, test)


def test_a_place_is_held_until_the_body_ends(bench) -> None:
    go_on = asyncio.Event()

    async def handler(call) -> None:
        await call.start_stream()
        await call.chunk(b"a")
        await go_on.wait()
        await call.end_stream()

    async def test(model, site) -> None:
        ask = site.ask(stream=True, max_in_flight=1, max_waiting=0)
        answer = await model.send(ask)
        assert (await refusal(model.send(ask))).code is Code.BUSY
        go_on.set()
        assert [piece async for piece in answer.chunks()] == [b"a"]
        assert [piece async for piece in (await model.send(ask)).chunks()] == [b"a"]

    bench.play(handler, test)


def test_who_waits_too_long_for_a_place_is_told_so(bench) -> None:
    async def handler(call) -> None:
        await call.start_stream()
        await call.until_client_leaves()

    async def test(model, site) -> None:
        ask = site.ask(stream=True, max_in_flight=1, max_waiting=5, first_byte_timeout_ms=50)
        answer = await model.send(ask)
        assert (await refusal(model.send(ask))).code is Code.BUSY
        await answer.close()

    bench.play(handler, test)
