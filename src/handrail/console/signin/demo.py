"""The demo's page: choose who to be. Its routes exist only where `people.demo` says that they may, and each use asks
the database again."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from handrail.console.signin.desk import Desk, label
from handrail.people.demo import BeDemoPerson, demo_persons
from handrail.terms.ids import PersonId


@dataclass(frozen=True, slots=True)
class Choice:
    id: str
    name: str
    roles: str


class DemoPages:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def choose(self, request: Request) -> Response:
        persons = [
            Choice(each.id, each.name, ", ".join(sorted(role.value for role in each.roles)))
            for each in await self._desk.journal.run(demo_persons)
        ]
        return self._desk.page(request, "demo", persons=persons)

    async def be(self, request: Request) -> Response:
        desk = self._desk
        form = await desk.form(request)
        who = PersonId(str(form.get("person", ""))[:64])
        agent = request.headers.get("user-agent", "")
        came = await desk.journal.run(BeDemoPerson(ids=desk.ids, person_id=who, label=label(agent)))
        return desk.signed_in(request, came, "/")
