"""Which addresses may be kept as a view, by the real table of pages."""

import pytest

from handrail.console import page_files
from handrail.console.routes import checked
from handrail.console.saved import kept, page_of
from handrail.console.views.frame import Counts, frame
from handrail.console.words import Languages
from handrail.people.role import Role
from handrail.people.saved_view import SavedView
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

KEYS = page_files.keys()
TABLE = checked(page_files.routes())
OWNER = {Role.OWNER}


@pytest.mark.promise("CSV-2")
@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("/interactions?finding=COMPLAINT&period=7d", "/interactions?finding=COMPLAINT&period=7d"),
        ("/interactions?finding=COMPLAINT&cursor=abc#top", "/interactions?finding=COMPLAINT"),
        ("/approvals?view=payments", "/approvals?view=payments"),
        ("/approvals/ac_1?view=payments&last=ac_0&part=list", "/approvals/ac_1?view=payments"),
        ("/incidents", "/incidents"),
        ("/interactions?use_case=a%26b", "/interactions?use_case=a%26b"),
    ],
)
def test_an_address_of_a_page_is_kept_without_what_passes(address: str, stored: str) -> None:
    assert kept(address, TABLE, OWNER) == stored


@pytest.mark.promise("CSV-2")
@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/", "//evil.example/interactions", "/\\evil.example", "javascript:alert(1)", "", "nowhere",
        "/nowhere", "/interactions?nothing=1", "/interactions.csv", "/static/app.js", "/sign-in", "/account",
        "/search?text=x",
        "/interactions/in_1/read", "/saved", "/live", "/api/interactions", "/interactions?finding=a\nb\x00", "/error",
        "/approvals/../stop", "/approvals/%2e%2e/%2e%2e/x", "/interactions?customer=marta", "/approvals?text=marta",
    ],
)  # fmt: skip
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(HandrailError) as refused:
        kept(address, TABLE, OWNER)
    assert refused.value.code is Code.REQUEST_INVALID


def test_a_page_that_is_not_hers_is_neither_kept_nor_shown() -> None:
    hidden = next(
        row for row in TABLE if row.nav is not None and row.verb.value == "GET" and Role.STAFF not in row.roles
    )
    assert page_of(hidden.path, TABLE, {Role.STAFF}) is None
    assert page_of(hidden.path, TABLE, hidden.roles) is hidden


def test_the_frame_shows_views_of_this_page_and_all_in_the_palette() -> None:
    from fakes.console import visitor

    def view(name: str, address: str) -> SavedView:
        return SavedView(id=name, person=PersonId("pe_1"), name=name, address=address, created_at=1)

    mine = [view("Mine", "/interactions?period=7d"), view("Held", "/approvals?view=payments"), view("Old", "/gone?x=1")]
    row = next(one for one in TABLE if one.name == "interactions")
    words = Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=0)
    made = frame(
        TABLE, KEYS, row, visitor(Role.OWNER), Counts(), words, organisation="", version="0", languages={}, views=mine,
        address="/interactions?period=7d",
    )  # fmt: skip
    assert [(one.name, one.here) for one in made.saved] == [("Mine", True)]
    assert not made.may_save  # it is saved
    assert [name for name, _ in made.palette if name.startswith("View")] == ["View: Mine", "View: Held"]
