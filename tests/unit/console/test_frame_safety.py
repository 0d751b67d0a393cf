"""What the frame holds against: sister sites, forms from nowhere, other sites' frames, streams of who went."""

import asyncio
from typing import Any

import pytest
from fakes.console import OWN, FakeTail, bench, visitor
from starlette.types import Message

from handrail.console.answers import Go
from handrail.console.page_files import routes
from handrail.console.routes import Route, Verb
from handrail.console.security import CSP, is_own
from handrail.people.role import Role


@pytest.mark.promise("CON-2")
@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"origin": OWN, "sec-fetch-site": "same-origin"}, True),
        ({"origin": OWN}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, True),
        ({"origin": OWN, "sec-fetch-site": "same-site"}, False),
        ({"origin": "http://sister.example", "sec-fetch-site": "same-site"}, False),
        ({"origin": OWN, "sec-fetch-site": "cross-site"}, False),
        ({"origin": f"{OWN}:8080"}, False),
        ({"origin": OWN.replace("http:", "https:")}, False),
        ({"origin": f"{OWN}.evil.example"}, False),
        ({"origin": "null"}, False),
        ({}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "null", "sec-fetch-site": "none"}, False),
        ({"referer": f"{OWN}/people"}, False),
    ],
)
def test_a_change_comes_from_a_page_of_this_console_and_says_so(headers: dict[str, str], own: bool) -> None:
    assert is_own(headers, OWN) is own


@pytest.mark.promise("CON-4")
def test_the_policy_lets_nobody_frame_the_console_nor_send_its_forms_elsewhere() -> None:
    rules = dict(each.strip().split(" ", 1) for each in CSP.format(nonce="n").split(";"))
    assert rules["frame-ancestors"] == rules["base-uri"] == rules["default-src"] == "'none'"
    assert rules["form-action"] == rules["connect-src"] == rules["style-src"] == "'self'"
    assert rules["script-src"] == "'nonce-n'"
    assert rules["require-trusted-types-for"] == "'script'"


@pytest.mark.promise("SGN-1")
def test_the_stream_of_a_page_asks_whether_its_session_is_good() -> None:
    async def work() -> None:
        tail = FakeTail()
        tail.kinds += ["person.signed_in", "session.ended"]
        made = bench([], tail=tail)
        asked: list[bool] = []

        async def still() -> bool:
            asked.append(True)
            return False

        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": "/live", "raw_path": b"/live", "query_string": b"after=1", "root_path": "",
            "headers": [(b"host", b"console.example")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "state": {"visitor": visitor(Role.OWNER), "still": still},
        }  # fmt: skip
        got: list[Message] = []

        async def receive() -> Message:
            return await asyncio.Event().wait()  # type: ignore[return-value]  # the browser stays

        async def send(message: Message) -> None:
            got.append(message)

        await asyncio.wait_for(made.app(scope, receive, send), 5)
        assert asked == [True]
        body = b"".join(message.get("body", b"") for message in got)
        assert b"event: people" not in body  # it ended before it told anything

    asyncio.run(work())


def test_what_is_said_once_crosses_the_network_sealed_where_the_console_has_https() -> None:
    async def handler(*_: object) -> Go:
        return Go("/things", "Kim Moss was disabled.")

    row = Route(
        name="things.change", path="/things", title="Change", verb=Verb.POST, handler=handler, roles=frozenset(Role)
    )
    for url, sealed in ((OWN, False), (OWN.replace("http:", "https:"), True)):
        made = bench([row], stubbed=False, public_url=url)
        got = asyncio.run(made.change("/things", visitor(Role.OWNER), origin=url))
        assert got.status == 303
        cookie = got.headers["set-cookie"]
        assert ("Secure" in cookie) is sealed
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie


@pytest.mark.promise("CON-3")
def test_what_asks_for_a_fresh_proof_is_no_address_of_the_json_api() -> None:
    """A personal token is good for months: it proves nothing fresh."""
    assert [row.name for row in routes() if row.fresh]
    assert [row.name for row in routes() if row.fresh and row.api] == []
