"""The console over real HTTP, whatever pages there are: each role at each row by each verb, sessions that are not good,
and that looking changes nothing. Everything is made from the table; a new page is taken in without a line here."""

import contextlib
import hashlib
import http.client
import re
import select
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from browser_site import Site, filled, site
from house import HANDRAIL

from handrail.app.demo.visit import Visitor
from handrail.console.page_files import routes
from handrail.console.places import row_of, walk
from handrail.console.routes import Route, Verb
from handrail.people.role import Role
from handrail.people.session import Lengths

ROWS = routes()
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
WHO: tuple[Role | None, ...] = (None, *Role)
TOO_OLD = "this form is too old"


@dataclass(frozen=True, slots=True)
class Got:
    status: int
    location: str
    cookies: tuple[str, ...]
    body: str


class Line(contextlib.AbstractContextManager["Line"]):
    """One connection. `cookie`: of a session, empty: nobody."""

    def __init__(self, made: Site) -> None:
        self._host = made.url.removeprefix("http://")
        self._connection = http.client.HTTPConnection(self._host, timeout=30)

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, verb: str, address: str, cookie: str = "", form: dict[str, str] | None = None) -> Got:
        headers = {"origin": f"http://{self._host}", "accept-language": "en"}
        body = None
        if cookie:
            headers["cookie"] = f"handrail={cookie}"
        if verb != "GET":
            body = urlencode(form or {})
            headers["content-type"] = "application/x-www-form-urlencoded"
        self._connection.request(verb, address, body, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        cookies = tuple(answer.headers.get_all("set-cookie") or ())
        return Got(answer.status, answer.getheader("location") or "", cookies, text)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("http")) as found:
        filled(found)
        yield found


@pytest.fixture
def line(made: Site) -> Iterator[Line]:
    with Line(made) as one:
        yield one


@pytest.fixture(scope="module")
def addresses(made: Site) -> dict[str, tuple[str, bool]]:
    """Row to an address that is really there, found by its links; for a row that nothing leads to one that fits any
    type. With whether it is real."""
    visitor = Visitor(made.url.removeprefix("http://"))
    visitor.cookies["handrail"] = made.session(*Role).text
    seen = {one.row.name: one.address for one in walk(ROWS, visitor.ask, each=1)}
    visitor.close()
    found: dict[str, tuple[str, bool]] = {}
    for row in ROWS:
        real = row.name in seen and row.verb is Verb.GET
        found[row.name] = (seen[row.name], True) if real else (re.sub(r"\{[^}]+\}", "1", row.path), False)
    return found


def wanted(address: str, verb: str, role: Role | None) -> int:
    """What the table says: 405 no such verb, 303 sign in, 403 not for this role, 200 come in."""
    row = row_of([one for one in ROWS if one.verb == verb], address)
    if row is None:
        return 405
    if row.public:
        return 200
    if role is None:
        return 303
    return 200 if role in row.roles else 403


@pytest.mark.promise("CSF-3")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_role_gets_over_http_what_the_table_says_by_each_verb(
    made: Site, line: Line, addresses: dict[str, tuple[str, bool]], row: Route
) -> None:
    """What changes is asked without the form's secret: who may is told that the form is too old, and nothing runs."""
    address, real = addresses[row.name]
    for role in WHO:
        cookie = "" if role is None else made.session(role).text
        for verb in VERBS:
            got = line.ask(verb, address, cookie)
            cell = f"{verb} {address} as {role.value if role else 'nobody'}: {got.status}"
            expected = wanted(address, verb, role)
            told = "open to:" in got.body
            if expected == 405:
                assert got.status == 405, cell
            elif expected == 303:
                assert (got.status, got.location[:14]) == (303, "/sign-in?next="), cell
            elif expected == 403:
                assert got.status == 403, cell
                assert told, cell
            elif any(one.public for one in ROWS if one.path == row.path):
                assert got.status < 500, cell
            elif verb == "GET":
                assert got.status in ((200, 303) if real else (200, 303, 404, 422)), cell
                assert not got.location.startswith("/sign-in"), cell
            else:
                assert got.status == 403, cell
                assert TOO_OLD in got.body, cell
                assert not told, cell


@pytest.mark.promise("CSF-4")
@pytest.mark.parametrize("row", [row for row in ROWS if row.verb is Verb.GET and not row.public], ids=lambda r: r.name)
def test_a_session_that_is_not_good_opens_no_page(
    line: Line, addresses: dict[str, tuple[str, bool]], bad: dict[str, str], row: Route
) -> None:
    for why, cookie in bad.items():
        got = line.ask("GET", addresses[row.name][0], cookie)
        assert (got.status, got.location[:14]) == (303, "/sign-in?next="), f"{why}: {got.status}"
        given = [one for one in got.cookies if one.startswith("handrail=hs_")]
        assert not given, f"{why}: a session was given or taken up"


@pytest.fixture(scope="module")
def bad(made: Site) -> dict[str, str]:
    """Session texts by what is wrong with them."""
    good = made.new_session(Role.OWNER, name="Good Owner").text
    ended = made.new_session(Role.OWNER, name="Signed Out")
    with Line(made) as line:
        assert line.ask("POST", "/sign-out", ended.text, {"csrf": ended.session.csrf}).status == 200
    idle = made.new_session(Role.OWNER, name="Id Le", lengths=Lengths(idle_ms=1))
    expired = made.new_session(Role.OWNER, name="Ex Pired", lengths=Lengths(most_ms=1))
    disabled = made.new_session(Role.OWNER, name="Dis Abled")
    made.house.by("root", "person", "change", disabled.person.id, "--disable")
    name, secret = good.split("_", 2)[1:]
    return {
        "made up": f"hs_{'A' * len(name)}_{'A' * len(secret)}",
        "of a known name with another secret": f"hs_{name}_{'A' * len(secret)}",
        "the name alone": f"hs_{name}_",
        "cut": good[:-1],
        "longer": good + "A",
        "of another kind": f"hp_{secret}",
        "stolen before its person signed out": ended.text,
        "idle too long": idle.text,
        "past its last hour": expired.text,
        "of a person who was disabled": disabled.text,
    }


@pytest.mark.promise("CSF-4")
def test_two_sessions_of_one_person_are_apart(made: Site, line: Line, addresses: dict[str, tuple[str, bool]]) -> None:
    """The form of one changes nothing under the other, on any page; ending one leaves the other."""
    one, other = (made.new_session(*Role, name="Para Llel") for _ in range(2))
    for row in ROWS:
        if row.changes and not row.public:
            got = line.ask("POST", addresses[row.name][0], one.text, {"csrf": other.session.csrf})
            assert got.status == 403, row.name
            assert TOO_OLD in got.body, row.name
    assert line.ask("POST", "/sign-out", one.text, {"csrf": one.session.csrf}).status == 200
    assert line.ask("GET", "/", one.text).status == 303
    assert line.ask("GET", "/", other.text).status == 200


@pytest.mark.promise("CSF-4")
def test_an_empty_form_changes_nothing_badly_on_any_page(
    made: Site, line: Line, addresses: dict[str, tuple[str, bool]]
) -> None:
    """With the right secret and nothing else: told what is missing, or done, and never a failure of ours."""
    who = made.new_session(*Role, name="Emp Ty")
    for row in ROWS:
        if row.changes:
            got = line.ask("POST", addresses[row.name][0], who.text, {"csrf": who.session.csrf})
            assert got.status < 500, f"{row.name}: {got.status}"


@pytest.mark.promise("CSF-5")
def test_opening_every_page_leaves_every_table_as_it_was(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The console alone over a filled home, so that nobody else writes. What may come is that somebody read
    (`payload.read`), and what carries it."""
    with site(tmp_path_factory.mktemp("digest")) as found:
        filled(found)
        who = found.session(*Role)
    with _alone(found):
        time.sleep(1)  # what starting writes is written
        path = found.house.data / "handrail.db"
        before = digest(path)
        visitor = Visitor(found.url.removeprefix("http://"))
        visitor.cookies["handrail"] = who.text
        seen = list(walk(ROWS, visitor.ask))
        visitor.close()
        after = digest(path)
    assert len(seen) >= len([row for row in ROWS if row.verb is Verb.GET and "{" not in row.path])
    assert [one for one in seen if one.answer.status == 200]
    changed = sorted(table for table in before | after if before.get(table) != after.get(table))
    assert not changed, changed


def digest(path: object) -> dict[str, tuple[int, str]]:
    """Table to its rows' number and hash; entries that somebody read are left out, and so is their payload."""
    found: dict[str, tuple[int, str]] = {}
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert len(tables) > 20
        for table in tables:
            where = " WHERE kind <> 'payload.read'" if table == "entry" else ""
            rows = sorted(repr(row) for row in db.execute(f"SELECT * FROM {table}{where}"))
            found[table] = (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
    return found


@contextlib.contextmanager
def _alone(found: Site) -> Iterator[None]:
    """`handrail console` over the home, until it answers."""
    words = [*HANDRAIL, "console", "--home", str(found.house.root)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            ready = False
            while not ready and select.select([process.stdout], [], [], 30)[0]:
                ready = process.stdout.readline().startswith("console: ")
            assert ready
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.close()
            process.wait(30)
