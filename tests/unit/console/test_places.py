"""From the table and the links of answers to addresses, without a server."""

from handrail.console.places import Answer, links, row_of, walk
from handrail.console.routes import EVERYONE, Route, Verb


async def _nothing(*_: object) -> object:
    return None


def row(name: str, path: str, verb: Verb = Verb.GET) -> Route:
    return Route(name=name, path=path, title=name, handler=_nothing, roles=EVERYONE, verb=verb)


ROWS = (
    row("home", "/"), row("list", "/things"), row("show", "/things/{id}"), row("csv", "/things.csv"),
    row("new", "/things/new"), row("change", "/things/{id}/change", Verb.POST),
)  # fmt: skip
PAGES = {
    "/": '<a href="/things">x</a><a href="https://evil.example/things/9">y</a><a href="//evil.example/things/8">z</a>',
    "/things": "".join(f'<a href="/things/{n}?from=list#top">x</a>' for n in range(9)) + '<p title="/things/77">',
}


def ask(address: str) -> Answer:
    path = address.partition("?")[0]
    return Answer(200, "text/csv", "") if path.endswith(".csv") else Answer(200, "text/html", PAGES.get(path, ""))


def test_rows_with_places_are_found_by_links_and_no_more_than_asked_for() -> None:
    seen = [(one.row.name, one.address, one.linked) for one in walk(ROWS, ask, each=2)]
    assert [name for name, _, _ in seen] == ["home", "list", "csv", "new", "show", "show"]
    assert ("show", "/things/0?from=list", True) in seen


def test_what_changes_is_never_walked_to_and_no_other_host_is() -> None:
    assert not [one for one in walk(ROWS, ask) if one.row.changes or "evil" in one.address]


def test_a_row_without_places_wins_over_one_with() -> None:
    found = row_of(ROWS, "/things/new?x=1")
    assert found is not None
    assert found.name == "new"
    assert row_of(ROWS, "/elsewhere") is None


def test_links_of_parts_and_fragments_are_left_out() -> None:
    assert links('<a href="#main">a</a><a href="/x?part=list">b</a><ul hx-get="/y#z"></ul>') == ["/y"]
