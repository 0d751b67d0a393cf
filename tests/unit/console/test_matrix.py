"""Every row of the table against every role and every verb: who gets in, and nothing else."""

import asyncio
import itertools
import re

import pytest
from fakes.console import CSRF, OWN, Bench, bench, visitor

from handrail.console.page_files import keys, routes
from handrail.console.routes import EVERYONE, FRESH_MS, Route
from handrail.people.role import Role

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ROWS = routes()
NOBODY = None
WHO: tuple[Role | None, ...] = (NOBODY, *Role)


@pytest.fixture(scope="module")
def console() -> Bench:
    return bench(ROWS, keys=keys())


def address(row: Route) -> str:
    """With something in each place of its path that fits any type."""
    return re.sub(r"\{[^}]+\}", "1", row.path)


def expected(row: Route, verb: str, role: Role | None) -> int:
    """Said again here, in other words than the server's: a verb that is not the row's never reaches it."""
    mine = [one for one in ROWS if address(one) == address(row) and one.verb == verb]
    if not mine:
        return 405
    if mine[0].public:
        return 200
    if role is NOBODY:
        return 303
    return 200 if role in mine[0].roles else 403


@pytest.mark.promise("CON-1")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_role_reaches_what_its_row_allows_by_the_rows_verb_and_nothing_else(console: Bench, row: Route) -> None:
    for role, verb in itertools.product(WHO, VERBS):
        console.reached.clear()
        who = visitor(role) if role is not None else None
        body = f"csrf={CSRF}".encode()
        headers = {"origin": OWN, "content-type": "application/x-www-form-urlencoded"} if verb != "GET" else {}
        got = asyncio.run(console.ask(verb, address(row), who, headers=headers, body=b"" if verb == "GET" else body))
        cell = f"{verb} {row.path} as {role or 'nobody'}"
        wanted = expected(row, verb, role)
        # a stub takes no parameters apart: a row that needs more than its path gives may refuse what it was asked
        assert got.status in ((200, 422) if wanted == 200 else (wanted,)), f"{cell}: {got.status}, not {wanted}"
        assert bool(console.reached) <= (wanted == 200), cell
        if wanted == 303:
            assert got.headers["location"].startswith("/sign-in?next="), cell


@pytest.mark.promise("CON-1")
@pytest.mark.parametrize("row", [row for row in ROWS if row.api], ids=lambda row: row.name)
def test_the_json_api_opens_to_the_same_roles_by_a_token_and_never_by_a_cookie(console: Bench, row: Route) -> None:
    path = f"/api{address(row).rstrip('/')}"
    for role in Role:
        console.reached.clear()
        headers = {"authorization": f"Bearer role:{role.value}"}
        got = asyncio.run(console.ask(row.verb.value, path, visitor(*Role), headers=headers))
        allowed = role in row.roles
        assert got.status in ((200, 422) if allowed else (403,)), f"{row.name} as {role}: {got.status}"
        assert bool(console.reached) <= allowed
    console.reached.clear()
    assert asyncio.run(console.ask(row.verb.value, path, visitor(*EVERYONE))).status == 401
    assert not console.reached


@pytest.mark.promise("CON-2")
@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.changes] or [None], ids=lambda row: row.name if row else "-"
)
def test_a_change_needs_the_sessions_own_form_from_the_consoles_own_page(console: Bench, row: Route | None) -> None:
    if row is None:
        return
    who = visitor(*Role)
    form = {"content-type": "application/x-www-form-urlencoded"}
    for headers, body in (
        ({**form, "origin": OWN}, b""),
        ({**form, "origin": OWN}, b"csrf=another"),
        ({**form, "origin": "http://evil.example"}, f"csrf={CSRF}".encode()),
        ({**form, "sec-fetch-site": "cross-site"}, f"csrf={CSRF}".encode()),
        (form, f"csrf={CSRF}".encode()),
    ):
        console.reached.clear()
        if row.public:
            continue
        got = asyncio.run(console.ask("POST", address(row), who, headers=headers, body=body))
        assert got.status == 403, f"{row.name} {headers} {body!r}: {got.status}"
        assert not console.reached


@pytest.mark.promise("CON-3")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_needs_a_fresh_proof_is_not_reached_by_an_old_one(console: Bench, row: Route) -> None:
    if not row.fresh:
        return
    console.reached.clear()
    who = visitor(*Role, ago_ms=FRESH_MS)
    got = asyncio.run(console.change(address(row), who) if row.changes else console.ask("GET", address(row), who))
    assert got.status == 303
    assert got.headers["location"].startswith("/sign-in/again")
    assert not console.reached
