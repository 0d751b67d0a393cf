"""A visitor of the demo's console without a browser: chooses a role, as people do, and opens what the table has.

The demo checks by this that its console answers and that every page opens for each role that may, and for no other.
"""

import http.client
import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

from handrail.console.places import Answer, Seen, walk
from handrail.console.routes import Route, Verb
from handrail.people.role import Role

CHOOSE = "/sign-in/demo"
TIMEOUT_S = 20
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_CHOICE = re.compile(r'value="(pe_[^"]+)">(?:<span>)?[^<]*<span class="muted">([^<]*)<')


class Visitor:
    """One browser's worth of cookies. `host`: host:port of the console."""

    def __init__(self, host: str) -> None:
        self._connection = http.client.HTTPConnection(host, timeout=TIMEOUT_S)
        self._host = host
        self.cookies: dict[str, str] = {}

    def choose(self, role: Role) -> None:
        """Become the demo's person of this role. Raises LookupError when the page does not offer one, OSError when
        nobody answers."""
        page = self.ask(CHOOSE).body
        csrf = _CSRF.search(page)
        person = next((name for name, roles in _CHOICE.findall(page) if roles.strip().lower() == role.value), None)
        if csrf is None or person is None:
            raise LookupError(f"{CHOOSE} offers no {role.value}")
        answer = self._send("POST", CHOOSE, urlencode({"csrf": csrf[1], "person": person}))
        if answer.status != 303:
            raise LookupError(f"{CHOOSE} answered {answer.status} to who chose {role.value}")

    def ask(self, address: str) -> Answer:
        """GET, without following where it sends one."""
        return self._send("GET", address)

    def close(self) -> None:
        self._connection.close()

    def _send(self, verb: str, address: str, form: str = "") -> Answer:
        headers = {"origin": f"http://{self._host}", "accept-language": "en"}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if verb == "POST":
            headers["content-type"] = "application/x-www-form-urlencoded"
        self._connection.request(verb, address, form or None, headers)
        response = self._connection.getresponse()
        body = response.read().decode("utf-8", "replace")
        for line in response.headers.get_all("set-cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value
        kind = (response.getheader("content-type") or "").partition(";")[0]
        return Answer(response.status, kind, body)


def visited(host: str, rows: Sequence[Route]) -> tuple[list[str], list[Seen]]:
    """What was not as it should be, and what the owner saw: every page with its details; the others their own pages."""
    wrong: list[str] = []
    seen: list[Seen] = []
    for role in Role:
        visitor = Visitor(host)
        try:
            visitor.choose(role)
            for one in _looked(visitor, rows, deep=role is Role.OWNER):
                wrong += misfit(one, role)
                seen += [one] if role is Role.OWNER else []
        except (OSError, http.client.HTTPException, LookupError) as problem:
            wrong.append(f"the console could not be visited as {role.value}: {problem}")
        finally:
            visitor.close()
    return wrong, seen


def _looked(visitor: Visitor, rows: Sequence[Route], *, deep: bool) -> Iterator[Seen]:
    if deep:
        yield from walk(rows, visitor.ask, each=1)
        return
    for row in rows:
        if row.verb is Verb.GET and "{" not in row.path:
            yield Seen(row, row.path, visitor.ask(row.path), linked=False)


def misfit(one: Seen, role: Role) -> list[str]:
    """A page that may be opened answers 200, or sends elsewhere in the console; any other says 403. A page that needs
    to be told what to look for may say so (404, 422), unless another page or the navigation leads there."""
    status, said = one.answer.status, f"the console's {one.address} as {role.value} answered {one.answer.status}"
    if one.row.public:
        return [said] if status >= 500 else []
    if role not in one.row.roles:
        return [] if status == 403 else [f"{said}, and not 403"]
    fine = (200, 303) if one.linked or one.row.nav is not None else (200, 303, 404, 422)
    return [] if status in fine else [said]
