"""What the demo takes for a page that is not as it should be."""

import pytest

from handrail.app.demo.visit import misfit
from handrail.console.places import Answer, Seen
from handrail.console.routes import Route
from handrail.people.role import Role


async def _nothing(*_: object) -> object:
    return None


def seen(status: int, *, linked: bool = False) -> Seen:
    row = Route(name="x", path="/x", title="x", handler=_nothing, roles=frozenset({Role.OWNER}))
    return Seen(row, "/x", Answer(status, "text/html", ""), linked)


@pytest.mark.promise("CSF-6")
@pytest.mark.parametrize(
    ("status", "role", "linked", "wrong"),
    [
        (200, Role.OWNER, False, False),
        (303, Role.OWNER, False, False),
        (404, Role.OWNER, False, False),
        (404, Role.OWNER, True, True),
        (500, Role.OWNER, False, True),
        (403, Role.OWNER, True, True),
        (403, Role.AUDITOR, False, False),
        (200, Role.AUDITOR, False, True),
        (303, Role.AUDITOR, False, True),
    ],
)
def test_a_page_opens_for_who_may_and_for_nobody_else(status: int, role: Role, linked: bool, wrong: bool) -> None:
    assert bool(misfit(seen(status, linked=linked), role)) is wrong
