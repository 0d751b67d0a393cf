"""What the frame does with requests that no browser of ours sends."""

import asyncio
import random
from collections.abc import Sequence

import pytest
from fakes.console import CSRF, OWN, bench, visitor
from starlette.types import Message, Receive, Scope, Send

from handrail.console.routes import EVERYONE, Asked, Route, Verb
from handrail.console.security import Hardened, is_own, local
from handrail.console.signin import passkeys
from handrail.console.words import Languages
from handrail.people.role import Role
from handrail.terms.errors import Code, HandrailError


class ThingAsked(Asked, frozen=True, kw_only=True):
    id: str


async def nothing(*_: object) -> object:
    raise AssertionError("a stub stands here")


LOOK = Route(name="thing.show", path="/things/{id}", title="Thing", handler=nothing, roles=EVERYONE, asks=ThingAsked)
CHANGE = Route(
    name="thing.change", path="/things/{id}", title="Thing", handler=nothing, roles=frozenset({Role.OWNER}),
    asks=ThingAsked, verb=Verb.POST,
)  # fmt: skip


@pytest.mark.promise("CON-10")
@pytest.mark.parametrize(
    "host", ["[", "evil.example/api/things/t1?x=", "console.example#", "a b", "console.example:x", "me@console.example"]
)
def test_a_host_that_is_none_is_refused_before_anything_is_read_from_it(host: str) -> None:
    made = bench([LOOK])
    got = asyncio.run(made.ask("GET", "/things/t1", visitor(Role.OWNER), headers={"host": host}))
    assert (got.status, made.reached) == (421, [])
    assert "nonce-" in got.headers["content-security-policy"]


@pytest.mark.promise("CON-10")
@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("127.0.0.1:8082", True), ("localhost:8082", True), ("[::1]:8082", True), ("handrail:8082", True),
        ("console.localhost", True), ("rebound.example", False), ("127.0.0.1.rebound.example:8082", False),
    ],
)  # fmt: skip
def test_a_console_without_a_name_of_its_own_answers_to_no_strangers_name(host: str, answered: bool) -> None:
    said = asyncio.run(status(Hardened(told_yes, https=False, named=False), [(b"host", host.encode())]))
    assert said == (200 if answered else 421)


def test_a_console_with_a_name_answers_whatever_the_proxy_in_front_calls_it() -> None:
    assert asyncio.run(status(Hardened(told_yes, https=True, named=True), [(b"host", b"inner.example:8082")])) == 200


@pytest.mark.parametrize("origin", ["http://[", "http://console.example:99999", "http://console.example:x", "://", "x"])
def test_an_origin_that_is_no_address_is_another_sites(origin: str) -> None:
    made = bench([CHANGE])
    got = asyncio.run(made.change("/things/t1", visitor(Role.OWNER), origin=origin))
    assert (got.status, made.reached) == (403, [])
    assert not is_own({"origin": origin}, "http://[")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", f"csrf={CSRF}"), ("application/json", f'{{"csrf": "{CSRF}"}}'),
        ("multipart/form-data; boundary=b", f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{CSRF}'),
        ("multipart/form-data", "x"), ("application/x-www-form-urlencoded", "&".join(f"a{n}=1" for n in range(3_000))),
    ],
)  # fmt: skip
def test_a_body_of_another_kind_changes_nothing_and_is_no_slip_of_ours(kind: str, body: str) -> None:
    made = bench([CHANGE])
    headers = {"origin": OWN, "content-type": kind}
    got = asyncio.run(made.ask("POST", "/things/t1", visitor(Role.OWNER), headers=headers, body=body.encode()))
    assert got.status in (403, 422)
    assert made.reached == []


@pytest.mark.parametrize(
    "headers", [{"x-http-method-override": "POST"}, {"x-method-override": "POST"}, {"content-type": "text/html"}]
)
def test_a_verb_is_what_the_request_line_says(headers: dict[str, str]) -> None:
    made = bench([CHANGE])
    got = asyncio.run(made.ask("GET", f"/things/t1?_method=POST&csrf={CSRF}", visitor(Role.OWNER), headers=headers))
    assert (got.status, made.reached) == (405, [])


def test_a_body_that_never_ends_is_given_up() -> None:
    async def reads(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await told_yes({}, receive, send)

    assert asyncio.run(status(Hardened(reads, https=False, body_s=0.05), [], stuck=True)) == 408


def test_waiting_for_the_browser_to_leave_is_no_slow_body() -> None:
    async def streams(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting = asyncio.ensure_future(receive())
        done, _pending = await asyncio.wait([waiting], timeout=0.2)
        waiting.cancel()
        assert not done
        await told_yes({}, receive, send)

    assert asyncio.run(status(Hardened(streams, https=False, body_s=0.05), [])) == 200


def test_one_who_leaves_in_the_middle_of_a_form_leaves_no_fault_behind(caplog: pytest.LogCaptureFixture) -> None:
    made = bench([CHANGE])
    got: list[Message] = []

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        got.append(message)

    headers = [(b"host", b"console.example"), (b"origin", OWN.encode()), (b"content-length", b"9"),
               (b"content-type", b"application/x-www-form-urlencoded")]  # fmt: skip
    scope: Scope = {
        "type": "http", "method": "POST", "path": "/things/t1", "query_string": b"", "headers": headers,
        "scheme": "http", "root_path": "", "server": ("127.0.0.1", 80), "state": {"visitor": visitor(Role.OWNER)},
    }  # fmt: skip
    asyncio.run(made.app(scope, gone, send))
    assert made.reached == []
    assert "console.failed" not in caplog.text


@pytest.mark.parametrize(
    "path", ["//[", "http://[", "//e.example", "/\\e.example", "/\te", "/a\r\nset-cookie: x=y", "javascript:x", ""]
)
def test_where_to_go_is_on_this_console(path: str) -> None:
    assert local(path) == "/"


def test_any_wish_for_a_language_gives_words_and_no_trace() -> None:
    languages, dice = Languages(), random.Random(7)
    pieces = ["de", "en", "-", "_", "@", "=", ";q=", "nan", "1e9", ",", "x" * 300, "Latn", "é", "\x00", "*", "DE"]
    for _ in range(400):
        chosen, accepts = ("".join(dice.choice(pieces) for _ in range(dice.randrange(7))) for _ in range(2))
        words = languages.words(chosen=chosen, accepts=accepts, zone=chosen, now_ms=0)
        assert words.language in languages.names
        assert words.direction in ("ltr", "rtl")


@pytest.mark.parametrize(
    "credential",
    ["[" * 9_000, '{"rawId": ' + "[" * 9_000, "{}", "[]", "null", '{"rawId": "é"}', '{"rawId": "a"}', "1e9"],
)
def test_an_answer_that_no_authenticator_gave_is_refused(credential: str) -> None:
    with pytest.raises(HandrailError) as refused:
        passkeys.credential_id(credential)
    assert refused.value.code is Code.SIGN_IN_REFUSED


def test_a_body_of_very_many_brackets_is_no_slip_of_ours() -> None:
    made = bench([CHANGE])
    headers = {"authorization": "Bearer role:owner"}
    got = asyncio.run(made.ask("POST", "/api/things/t1", headers=headers, body=b'{"a":' + b"[" * 100_000))
    assert (got.status, made.reached) == (422, [])


async def told_yes(_: object, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def status(app: Hardened, headers: Sequence[tuple[bytes, bytes]], *, stuck: bool = False) -> int:
    """Of a POST that says no more than its first piece when it is `stuck`."""
    got: list[Message] = []
    pieces: list[Message] = [{"type": "http.request", "body": b"a", "more_body": stuck}]

    async def receive() -> Message:
        if pieces:
            return pieces.pop()
        await asyncio.sleep(5)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        got.append(message)

    scope: Scope = {
        "type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": list(headers), "scheme": "http",
    }  # fmt: skip
    await app(scope, receive, send)
    return int(got[0]["status"])
