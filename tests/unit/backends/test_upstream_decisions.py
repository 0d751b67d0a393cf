"""The pure parts of the model client: circuit breaker, back-off, the request's head, decoding; and the turnstile."""

import asyncio
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backends.upstream.answer import PIECE, Decoder
from handrail.backends.upstream.breaker import Admission, Breaker
from handrail.backends.upstream.request import Addressing
from handrail.backends.upstream.retry import Backoff, asked_wait_s, should_retry, wait_s
from handrail.backends.upstream.turnstile import Turnstile
from handrail.guard.ports import ModelRequest
from handrail.policy.ruleset import Dialect, Provider
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ProviderId

# the circuit breaker


@pytest.mark.promise("UPS-8")
def test_only_failures_in_a_row_open_the_circuit() -> None:
    breaker = Breaker(failures=3, open_s=10)
    for _ in range(5):
        breaker.failed(breaker.admit(0), 0)
        breaker.failed(breaker.admit(0), 0)
        breaker.succeeded(breaker.admit(0))
    assert breaker.admit(0) is Admission.FREE
    for _ in range(3):
        breaker.failed(Admission.FREE, 0)
    assert breaker.admit(9.99) is Admission.REFUSED
    assert breaker.remaining_s(4) == 6
    assert breaker.admit(10) is Admission.PROBE


def test_what_began_before_the_circuit_opened_changes_nothing_afterwards() -> None:
    breaker = Breaker(failures=1, open_s=10)
    breaker.failed(Admission.FREE, 0)
    breaker.succeeded(Admission.FREE)
    breaker.failed(Admission.FREE, 5)
    assert breaker.admit(9) is Admission.REFUSED
    assert breaker.admit(10) is Admission.PROBE
    breaker.succeeded(Admission.FREE)
    assert breaker.admit(10) is Admission.REFUSED


STEPS = st.lists(
    st.tuples(st.sampled_from(["ok", "fail", "leave", "admit"]), st.sampled_from([0, 1, 9, 10])), max_size=60
)


@pytest.mark.promise("UPS-8")
@given(STEPS)
def test_in_any_order_of_events_one_probe_at_a_time_and_the_circuit_never_sticks(steps) -> None:
    breaker, now, running = Breaker(failures=2, open_s=10), 0.0, []
    for what, later in steps:
        now += later
        if what == "admit" or not running:
            admission = breaker.admit(now)
            if admission is not Admission.REFUSED:
                running.append(admission)
        elif what == "ok":
            breaker.succeeded(running.pop())
        elif what == "fail":
            breaker.failed(running.pop(), now)
        else:
            breaker.abandoned(running.pop())
        assert running.count(Admission.PROBE) <= 1
    for admission in running:
        breaker.abandoned(admission)
    assert breaker.admit(now + 10) is not Admission.REFUSED


# back-off


def test_waits_double_up_to_their_cap_and_are_spread_over_half_of_it() -> None:
    plan = Backoff(first_s=0.25, cap_s=4)
    assert [wait_s(n, None, jitter=1, backoff=plan) for n in range(1, 8)] == [0.25, 0.5, 1, 2, 4, 4, 4]
    assert wait_s(3, None, jitter=0, backoff=plan) == 0.5


@pytest.mark.promise("UPS-3")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Fri, 02 Jan 2026 00:00:05 GMT"}, 5),
        ({"retry-after": "Thu, 01 Jan 2026 23:59:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e400"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "Fri, 99 Jan 2026 00:00:05 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_every_form_and_nonsense_is_nothing(headers: dict[str, str], seconds) -> None:
    assert asked_wait_s(headers.items(), now_ms=1_767_312_000_000) == seconds


def test_nobody_waits_longer_than_our_patience() -> None:
    plan = Backoff(patience_s=10)
    assert wait_s(1, 10, jitter=0, backoff=plan) == 10
    assert wait_s(1, 10.1, jitter=0, backoff=plan) is None


def test_the_upstreams_word_on_trying_again_counts_except_for_a_success() -> None:
    assert should_retry(400, [("x-should-retry", "true")])
    assert not should_retry(503, [("x-should-retry", "false")])
    assert not should_retry(200, [("x-should-retry", "true")])
    assert [status for status in range(200, 600) if should_retry(status, ())] == [
        408,
        409,
        429,
        500,
        502,
        503,
        504,
        529,
    ]


# the request's head

BASE = {"id": ProviderId("p"), "dialect": Dialect.OPENAI, "base_url": "https://a.example/v1", "key_env": "K"}


def head(headers=(), *, path="/x", body=b"{}", secret="sk-1", **changes) -> bytes:
    provider = Provider(**(BASE | changes))
    request = ModelRequest(provider=provider, path=path, body=body, stream=False, headers=tuple(headers))
    return Addressing(provider, lambda _: secret).head(request)


@pytest.mark.promise("UPS-1")
@given(
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=12)), max_size=4),
    st.text(alphabet=st.characters(max_codepoint=300), max_size=20),
)
def test_whatever_a_client_sends_a_head_is_one_request_with_one_host_and_length(headers, path) -> None:
    try:
        text = head(headers, path="/" + path).decode("latin-1")
    except HandrailError as error:
        refused = error.code
    else:
        refused = None
    if refused is not None:
        assert refused is Code.REQUEST_INVALID
        return
    first, *rows = text.removesuffix("\r\n\r\n").split("\r\n")
    assert first.startswith("POST /v1/")
    assert first.endswith(" HTTP/1.1")
    assert first.count(" ") == 2
    names = [row.partition(":")[0] for row in rows]
    assert names.count("host") == names.count("content-length") == names.count("authorization") == 1
    assert "\n" not in "".join(rows)


def test_a_rotated_secret_is_used_at_once_and_headers_are_not_mixed_up() -> None:
    provider = Provider(**BASE)
    secrets = ["sk-1"]
    addressing = Addressing(provider, lambda _: secrets[0])

    def sent(headers, body=b"{}") -> bytes:
        request = ModelRequest(provider=provider, path="/x", body=body, stream=False, headers=headers)
        return addressing.head(request)

    assert b"Bearer sk-1\r\n" in sent(())
    secrets[0] = "sk-2"
    assert b"Bearer sk-2\r\n" in sent(())
    assert b"x-a: 1\r\n" in sent((("x-a", "1"),))
    assert b"x-a" not in sent(())
    assert sent((), b"12345").endswith(b"content-length: 5\r\n\r\n")
    for number in range(600):  # what is kept of a head is bounded
        assert b"x-a: %d\r\n" % number in sent((("x-a", str(number)),))


def test_azure_adds_its_version_to_a_query_that_is_already_there() -> None:
    made = head(path="/x?a=b", dialect=Dialect.AZURE, api_version="v9")
    assert made.startswith(b"POST /v1/x?a=b&api-version=v9 HTTP/1.1\r\n")


def test_anthropic_takes_the_clients_version_before_ours() -> None:
    assert b"anthropic-version: 2023-06-01\r\n" in head(dialect=Dialect.ANTHROPIC)
    made = head([("anthropic-version", "2099-01-01")], dialect=Dialect.ANTHROPIC)
    assert made.count(b"anthropic-version") == 1
    assert b"anthropic-version: 2099-01-01\r\n" in made


def test_a_method_that_is_not_meant_for_models_is_refused() -> None:
    provider = Provider(**BASE)
    request = ModelRequest(provider=provider, path="/x", body=b"", stream=False, method="CONNECT")
    with pytest.raises(HandrailError, match="GET, POST or DELETE"):
        Addressing(provider, lambda _: "k").head(request)


# decoding


@pytest.mark.promise("UPS-7")
@given(st.binary(max_size=5000), st.integers(1, 50), st.sampled_from([gzip.compress, zlib.compress]))
def test_a_compressed_body_comes_out_the_same_however_it_is_cut(data: bytes, size: int, pack) -> None:
    decoder = Decoder("gzip" if pack is gzip.compress else "deflate", "p")
    packed, out = pack(data), b""
    for start in range(0, len(packed), size):
        out += decoder.feed(packed[start : start + size])
        while piece := decoder.more():
            out += piece
    decoder.end()
    assert out == data


def test_a_bomb_costs_one_piece_at_a_time() -> None:
    decoder = Decoder("gzip", "p")
    piece = decoder.feed(gzip.compress(b"0" * (64 * 1024 * 1024)))
    sizes = [len(piece)]
    while piece := decoder.more():
        sizes.append(len(piece))
    assert max(sizes) <= PIECE
    assert sum(sizes) == 64 * 1024 * 1024


# the turnstile


@pytest.mark.promise("UPS-9")
@given(st.integers(1, 3), st.integers(0, 3), st.lists(st.sampled_from(["come", "go", "give up"]), max_size=40))
def test_in_any_order_places_are_never_lost_nor_given_twice(limit: int, queue: int, steps: list[str]) -> None:
    async def play() -> None:
        gate = Turnstile(in_flight=limit, waiting=queue)
        inside, waiting = 0, []
        for step in steps:
            if step == "come":
                if gate.enter():
                    inside += 1
                else:
                    task = asyncio.create_task(gate.wait("p", at_most_s=60))
                    await asyncio.sleep(0)
                    if task.done():
                        assert isinstance(task.exception(), HandrailError)
                        assert len(waiting) == queue
                    else:
                        waiting.append(task)
            elif step == "go" and inside:
                gate.leave()
                inside -= 1
                for _ in range(4):
                    await asyncio.sleep(0)
                for task in [task for task in waiting if task.done()]:
                    waiting.remove(task)
                    inside += 1
            elif step == "give up" and waiting:
                task = waiting.pop()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert gate.inside == inside <= limit
            assert gate.waiting == len(waiting) <= queue
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(play())


def test_a_place_that_comes_in_the_instant_of_cancelling_is_passed_on() -> None:
    async def play() -> None:
        gate = Turnstile(in_flight=1, waiting=5)
        assert gate.enter()
        first, second = (asyncio.create_task(gate.wait("p", at_most_s=60)) for _ in range(2))
        await asyncio.sleep(0)
        gate.leave()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await asyncio.wait_for(second, 1)
        assert gate.inside == 1

    asyncio.run(play())


def test_a_place_is_not_given_to_who_has_just_left_the_queue() -> None:
    async def play() -> None:
        gate = Turnstile(in_flight=1, waiting=5)
        assert gate.enter()
        first, second = (asyncio.create_task(gate.wait("p", at_most_s=60)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        gate.leave()
        await asyncio.wait_for(second, 1)
        await asyncio.gather(first, return_exceptions=True)
        assert gate.inside == 1

    asyncio.run(play())
