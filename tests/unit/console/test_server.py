"""What the server does for every row, shown on rows made for it."""

import asyncio
from dataclasses import replace

import pytest
from fakes.console import NOW_MS, bench, visitor

from handrail.console.answers import Go, NeedsFresh
from handrail.console.here import Looking
from handrail.console.page_files import routes
from handrail.console.routes import EVERYONE, FRESH_MS, Asked, Route, Verb, checked, shows
from handrail.console.security import BODY_BYTES
from handrail.ledger.entry import Entry, EntryKind
from handrail.people.role import Role
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import EntryId


class ThingAsked(Asked, frozen=True, kw_only=True):
    id: str
    amount: int = 0
    tag: tuple[str, ...] = ()


async def nothing(*_: object) -> object:
    raise AssertionError("a stub stands here")


LOOK = Route(name="thing.show", path="/things/{id}", title="Thing", handler=nothing, roles=EVERYONE, asks=ThingAsked)
CHANGE = Route(
    name="thing.change", path="/things/{id}", title="Thing", handler=nothing, roles=frozenset({Role.OWNER}),
    asks=ThingAsked, verb=Verb.POST,
)  # fmt: skip


def test_parameters_come_typed_from_path_query_and_form() -> None:
    made = bench([LOOK, CHANGE])
    asyncio.run(made.ask("GET", "/things/t1?amount=7&tag=a&tag=b&other=x", visitor(Role.STAFF)))
    asyncio.run(made.change("/things/t2", visitor(Role.OWNER), "amount=8"))
    assert made.reached == [
        ("thing.show", ThingAsked(id="t1", amount=7, tag=("a", "b"))),
        ("thing.change", ThingAsked(id="t2", amount=8)),
    ]


def test_the_path_wins_over_a_field_of_the_same_name() -> None:
    made = bench([CHANGE])
    asyncio.run(made.change("/things/t2", visitor(Role.OWNER), "id=another"))
    assert made.reached == [("thing.change", ThingAsked(id="t2"))]


def test_what_does_not_fit_is_told_with_422_and_never_reaches_the_page() -> None:
    made = bench([LOOK])
    got = asyncio.run(made.ask("GET", "/things/t1?amount=many", visitor(Role.STAFF)))
    assert (got.status, made.reached) == (422, [])


@pytest.mark.promise("CON-2")
def test_looking_gets_a_journal_that_records_reading_and_refuses_every_change() -> None:
    made = bench([LOOK, CHANGE])
    asyncio.run(made.ask("GET", "/things/t1", visitor(Role.OWNER)))
    asyncio.run(made.change("/things/t1", visitor(Role.OWNER)))
    looked, changed = (here.ports.journal for here in made.here)
    assert isinstance(looked, Looking)
    assert changed is made.journal
    for act in (lambda: looked.run(lambda tx: tx), lambda: looked.record(_entry(EntryKind.STOP_SET))):
        with pytest.raises(HandrailError) as refused:
            asyncio.run(act())  # type: ignore[arg-type]  # both are coroutines
        assert refused.value.code is Code.NOT_ALLOWED
    for refuse in (looked.commit, looked.queue):
        with pytest.raises(HandrailError):
            refuse(_entry(EntryKind.PAYLOAD_READ))
    asyncio.run(looked.record(_entry(EntryKind.PAYLOAD_READ)))
    assert made.journal.calls == ["record"]


@pytest.mark.promise("CON-4")
def test_every_answer_is_hardened_with_a_nonce_of_its_own() -> None:
    made = bench([LOOK])
    answers = [
        asyncio.run(made.ask(verb, path, who))
        for verb, path, who in (
            ("GET", "/things/t1", visitor(Role.OWNER)), ("GET", "/things/t1", None), ("GET", "/nowhere", None),
            ("DELETE", "/things/t1", None), ("GET", "/static/nothing", None), ("GET", "/api/things/t1", None),
        )
    ]  # fmt: skip
    policies = {one.headers["content-security-policy"] for one in answers}
    assert len(policies) == len(answers)
    for one in answers:
        policy = one.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'nonce-")
        assert "unsafe" not in policy
        assert one.headers["x-content-type-options"] == "nosniff"
        assert one.headers["cross-origin-opener-policy"] == "same-origin"
        assert one.headers["referrer-policy"] == "same-origin"
        assert one.headers["cache-control"] == "no-store"


def test_a_long_body_is_refused_whether_or_not_it_says_so() -> None:
    made = bench([CHANGE])
    declared = asyncio.run(made.change("/things/t1", visitor(Role.OWNER), **{"content-length": str(BODY_BYTES + 1)}))
    silent = asyncio.run(
        made.change("/things/t1", visitor(Role.OWNER), "text=" + "x" * BODY_BYTES, **{"content-length": "10"})
    )
    headed = asyncio.run(made.ask("GET", "/", headers={"x-long": "x" * 20_000}))
    assert (declared.status, silent.status, headed.status) == (413, 413, 431)
    assert made.reached == []


@pytest.mark.promise("CON-5")
def test_a_slip_of_ours_is_a_page_without_a_trace_and_without_its_words() -> None:
    async def slips(*_: object) -> object:
        raise RuntimeError("secret of the house")

    made = bench([replace(LOOK, handler=slips), replace(CHANGE, handler=slips)], stubbed=False)
    for path, headers in (("/things/t1", {}), ("/api/things/t1", {"authorization": "Bearer role:owner"})):
        got = asyncio.run(made.ask("GET", path, visitor(Role.OWNER), headers=headers))
        assert got.status == 500
        assert b"secret" not in got.body
        assert b"RuntimeError" not in got.body
        assert b"nonce-" in got.headers["content-security-policy"].encode()


def test_a_handler_that_finds_out_late_may_ask_for_a_fresh_proof() -> None:
    async def late(*_: object) -> object:
        raise NeedsFresh

    made = bench([replace(CHANGE, handler=late)], stubbed=False)
    got = asyncio.run(made.change("/things/t1", visitor(Role.OWNER), referer="http://console.example/things/t1"))
    assert got.status == 303
    assert got.headers["location"] == "/sign-in/again?next=%2Fthings%2Ft1"


@pytest.mark.parametrize(
    "target", ["//evil.example/x", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_no_answer_leads_out_of_the_console(target: str) -> None:
    async def away(*_: object) -> object:
        return Go(target)

    made = bench([replace(CHANGE, handler=away)], stubbed=False)
    got = asyncio.run(made.change("/things/t1", visitor(Role.OWNER)))
    assert (got.status, got.headers["location"]) == (303, "/")


def test_a_message_for_the_next_page_is_shown_once_and_as_text() -> None:
    async def done(*_: object) -> object:
        return Go("/", said="Stopped <b>all</b>")

    made = bench([replace(CHANGE, handler=done)], stubbed=False)
    cookie = asyncio.run(made.change("/things/t1", visitor(Role.OWNER))).headers["set-cookie"]
    page = asyncio.run(made.ask("GET", "/nowhere", visitor(Role.OWNER), headers={"cookie": cookie.split(";")[0]}))
    assert b"Stopped &lt;b&gt;all&lt;/b&gt;" in page.body
    assert page.headers["set-cookie"].startswith('handrail-said=""')


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([LOOK, replace(LOOK, path="/others")], "same name"),
        ([LOOK, replace(LOOK, name="other")], "same verb and path"),
        ([replace(LOOK, roles=frozenset())], "lets nobody in"),
        ([replace(LOOK, key="t"), replace(CHANGE, key="t")], "same key"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused_at_start(rows: list[Route], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        checked(rows)


def test_a_proof_is_fresh_for_a_while_and_never_from_the_future() -> None:
    from handrail.console.routes import is_fresh  # beside its test

    assert is_fresh(visitor(ago_ms=FRESH_MS - 1), now_ms=NOW_MS)
    assert not is_fresh(visitor(ago_ms=FRESH_MS), now_ms=NOW_MS)
    assert not is_fresh(visitor(ago_ms=-1), now_ms=NOW_MS)


def _entry(kind: EntryKind) -> Entry:
    return Entry(id=EntryId("en_1"), kind=kind, at_ms=NOW_MS, actor=Actor(ActorKind.PERSON, "pe_1"))


@pytest.mark.promise("CON-3")
def test_a_row_that_needs_a_fresh_proof_sends_an_old_one_to_prove_and_never_a_foreign_form() -> None:
    made = bench([replace(LOOK, fresh=True), replace(CHANGE, fresh=True)])
    fresh, old = visitor(Role.OWNER, ago_ms=FRESH_MS - 1), visitor(Role.OWNER, ago_ms=FRESH_MS)
    assert asyncio.run(made.ask("GET", "/things/t1", fresh)).status == 200
    assert asyncio.run(made.change("/things/t1", fresh)).status == 200
    made.reached.clear()
    for got in (asyncio.run(made.ask("GET", "/things/t1", old)), asyncio.run(made.change("/things/t1", old))):
        assert got.status == 303
        assert got.headers["location"].startswith("/sign-in/again?next=")
    assert asyncio.run(made.change("/things/t1", old, origin="http://evil.example")).status == 403
    assert made.reached == []


@pytest.mark.promise("CRV-1")
def test_the_parts_of_a_forms_answer_ask_an_address_that_can_be_looked_at() -> None:
    table = checked(routes())
    looks = {row.path for row in table if not row.changes}
    for row in table:
        found = shows(table, row, row.path)
        assert found in looks, (row.name, found)
        assert found == row.path or row.changes or not row.template, (row.name, found)
    by_name = {row.name: row for row in table}
    assert shows(table, by_name["interactions.reveal"], "/interactions/in_1/reveal") == "/interactions/in_1"
    assert shows(table, by_name["approvals.decide_batch"], "/approvals-together") == "/approvals-together"
    assert shows(table, by_name["error"], "/nowhere") == "/error"


def test_the_page_of_what_went_wrong_renews_its_navigation_from_an_address_that_answers() -> None:
    made = bench([LOOK])
    got = asyncio.run(made.ask("GET", "/nowhere", visitor(Role.STAFF)))
    assert got.status == 404
    assert 'hx-get="/error?part=nav"' in got.body.decode()
    assert asyncio.run(made.ask("GET", "/error?part=nav", visitor(Role.STAFF))).status == 200
