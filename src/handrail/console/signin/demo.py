"""The demo's page: choose who to be. Its routes exist only where `people.demo` says that they may, and each use asks
the database again."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from handrail.console.signin.desk import Desk, label
from handrail.console.views.frame import ROLE_NAMES
from handrail.console.words import N_
from handrail.people.demo import BeDemoPerson, demo_persons
from handrail.people.role import Role
from handrail.terms.ids import PersonId

JOBS = {
    Role.OWNER: N_("Leads customer experience: why a release went back, whom it hurt, lets an AI run again"),
    Role.REVIEWER: N_("Human agent, complaints: looks a customer up, reads what was said, proves it"),
    Role.APPROVER: N_("Decides about the refunds that wait"),
    Role.STAFF: N_("Serves customers: sees what was done, reads no words"),
    Role.COMPLIANCE: N_("Answers for the law: reads, exports, erases, lets an AI run again"),
    Role.ENGINEER: N_("Runs the platform: publishes, makes keys, stops an AI"),
    Role.AUDITOR: N_("Reads everything and changes nothing"),
    Role.ADMIN: N_("Adds persons and gives roles"),
}
"""What each role is there for, in the words of somebody who sees the console for the first time."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`jobs`: what the person's roles are there for."""

    id: str
    name: str
    roles: str
    jobs: str


class DemoPages:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def choose(self, request: Request) -> Response:
        words = self._desk.words(request)
        persons = [
            Choice(
                each.id, each.name, ", ".join(words(ROLE_NAMES[role.value]) for role in sorted(each.roles)),
                " ".join(words(JOBS[role]) for role in sorted(each.roles)),
            )
            for each in await self._desk.journal.run(demo_persons)
        ]  # fmt: skip
        return self._desk.page(request, "demo", persons=persons)

    async def be(self, request: Request) -> Response:
        desk = self._desk
        form = await desk.form(request)
        who = PersonId(str(form.get("person", ""))[:64])
        agent = request.headers.get("user-agent", "")
        came = await desk.journal.run(BeDemoPerson(ids=desk.ids, person_id=who, label=label(agent)))
        return desk.signed_in(request, came, "/")
