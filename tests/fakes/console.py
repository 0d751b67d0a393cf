"""The console's application over nothing: for what holds whatever a page shows. Requests go straight into ASGI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Scope

from handrail.console.here import Here
from handrail.console.keys import Key
from handrail.console.live import Live
from handrail.console.pages import error
from handrail.console.ports import Ports
from handrail.console.routes import Route
from handrail.console.security import Hardened
from handrail.console.server import Console
from handrail.console.signin.session import Visitor
from handrail.console.views.frame import Counts
from handrail.in_force.snapshot import InForce
from handrail.people.key import ApiKey
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.saved_view import SavedView
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

NOW_MS = 1_790_000_000_000
OWN = "http://console.example"
CSRF = "the-csrf-of-this-session"


class FixedClock:
    def now_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return 1.0


class FakeTail:
    """`console.ports.Tail`: rows that a test appends."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.broken = False
        self.looks = 0

    async def newest(self) -> int:
        return len(self.kinds)

    async def kinds_after(self, row: int) -> Mapping[str, int]:
        self.looks += 1
        if self.broken:
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, "the database does not answer")
        return {kind: at for at, kind in enumerate(self.kinds, 1) if at > row}


class FakePeople:
    """`people.store.PeopleReader`: nobody, and no saved views but `saved`."""

    def __init__(self) -> None:
        self.saved: list[SavedView] = []

    async def persons(self) -> list[Person]:
        return []

    async def keys(self) -> list[ApiKey]:
        return []

    async def views(self, person: PersonId) -> list[SavedView]:
        return [one for one in self.saved if one.person == person]


class RefusingJournal:
    """`ledger.store.Journal`: counts what reaches it, keeps nothing."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def reached(*_: object) -> None:
            self.calls.append(name)

        return reached


def visitor(*roles: Role, ago_ms: int = 0) -> Visitor:
    return Visitor(
        person=PersonId("pe_1"), name="Ines Okafor", roles=frozenset(roles), authenticated_at=NOW_MS - ago_ms,
        session="s1", csrf=CSRF, token="hs_token",
    )  # fmt: skip


@dataclass(slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Bench:
    """`reached`: names of the rows whose handler ran, with what they were asked."""

    app: ASGIApp
    reached: list[tuple[str, object]]
    journal: RefusingJournal
    here: list[Here] = field(default_factory=list)

    async def ask(
        self, verb: str, path: str, who: Visitor | None = None, *, headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:  # fmt: skip
        address, _, query = path.partition("?")
        given = {"host": "console.example", **(headers or {})}
        if body and "content-length" not in given:
            given["content-length"] = str(len(body))
        scope: Scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": verb, "scheme": "http",
            "path": address, "raw_path": address.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {"visitor": who},
        }  # fmt: skip
        got: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            got.append(message)

        await self.app(scope, receive, send)
        start = next(one for one in got if one["type"] == "http.response.start")
        return Answer(
            start["status"],
            {name.decode().lower(): value.decode() for name, value in start["headers"]},
            b"".join(one.get("body", b"") for one in got),
        )

    async def change(self, path: str, who: Visitor | None, form: str = "", **headers: str) -> Answer:
        """A form that this console sent."""
        own = {"origin": OWN, "content-type": "application/x-www-form-urlencoded"}
        body = f"csrf={CSRF}&{form}".encode()
        return await self.ask("POST", path, who, headers={**own, **headers}, body=body)


def bench(
    rows: Sequence[Route], *, keys: Sequence[Key] = (), stubbed: bool = True, tail: FakeTail | None = None,
    public_url: str | None = None,
) -> Bench:  # fmt: skip
    """`stubbed`: each row answers `reached` instead of what its handler does."""
    reached: list[tuple[str, object]] = []
    seen: list[Here] = []
    journal = RefusingJournal()

    def stub(row: Route) -> Route:
        async def handler(_: object, asked: object, here: Here) -> object:
            reached.append((row.name, asked))
            seen.append(here)
            return PlainTextResponse("reached")

        return replace(row, handler=handler)

    clock = FixedClock()
    nothing = cast(Any, None)
    ports = Ports(
        **{  # what no stub asks for is absent
            **dict.fromkeys(Ports.__dataclass_fields__, nothing),
            "journal": journal, "people": FakePeople(), "in_force": InForce(), "tail": tail or FakeTail(),
            "clock": clock,
        }
    )  # fmt: skip

    async def by_token(token: str) -> Visitor:
        if token.startswith("role:"):
            return visitor(Role(token.removeprefix("role:")))
        raise HandrailError(Code.TOKEN_INVALID, "this token is not known")

    async def counts() -> Counts:
        return Counts(approvals=3)

    pages = [*rows, *(row for row in error.ROUTES if row.name not in {one.name for one in rows})]
    console = Console(
        rows=[stub(row) for row in pages] if stubbed else pages, keys=keys, ports=ports, live=Live(ports.tail),
        by_token=by_token, counts=counts, version="0", public_url=public_url,
    )  # fmt: skip
    return Bench(Hardened(console.app(), https=False), reached, journal, seen)
