"""The console's ports, from the backends."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from handrail import VERSION
from handrail.app import wire
from handrail.app.settings import Settings
from handrail.app.wire import signin
from handrail.app.wire.home_tests import FolderTests
from handrail.app.wire.installation import ThisInstallation
from handrail.approvals.lifecycle import State
from handrail.backends.looks import StoredLooks
from handrail.backends.released import StoredReleased
from handrail.backends.tail import StoredTail
from handrail.console.live import Live
from handrail.console.page_files import keys, routes
from handrail.console.ports import Levels, Moving, Ports, ReleaseReader, Tail
from handrail.console.security import Hardened
from handrail.console.server import Console
from handrail.console.signin.again import keep
from handrail.console.signin.cookies import Cookies
from handrail.console.signin.session import Visitor, Visitors
from handrail.console.views.frame import Counts
from handrail.in_force.snapshot import InForce
from handrail.people.acting import token_id
from handrail.people.token import TokenKind, require_good
from handrail.terms.clock import Clock
from handrail.terms.errors import Code, HandrailError
from handrail.watch.alert import AlertState

if TYPE_CHECKING:
    from handrail.app.wire import Store

COUNTS_S = 1.0
OPEN = frozenset({AlertState.RAISED})


MovingOf = Callable[["Store", ReleaseReader, Tail], Moving]
LevelsOf = Callable[["Store"], Levels]


def ports(
    given: Settings, env: Mapping[str, str], store: "Store", in_force: InForce, moving: MovingOf, levels: LevelsOf
) -> Ports:
    """One field, one line. `moving`, `levels`: of `app.moving` and `app.levels`, which are above this."""
    from handrail.app.wire.cases import StoredCases  # deferred: the parent keeps nothing of it in its memory
    from handrail.app.wire.record import FolderLog, StoredTalks  # deferred, as above

    tail, released = StoredTail(store.reading), StoredReleased(store.reading)
    return Ports(
        journal=store.journal,
        reader=store.reader,
        acts=store.acts,
        cases=StoredCases(given, env, store, in_force),
        units=store.units,
        incidents=store.incidents,
        watch=store.watch,
        home_tests=FolderTests(given.home),
        people=store.people,
        in_force=in_force,
        released=released,
        moving=moving(store, released, tail),
        autonomy=store.autonomy,
        levels=levels(store),
        openings=store.openings,
        looks=StoredLooks(store.reading),
        installation=ThisInstallation(given),
        tail=tail,
        verdicts=store.verdicts,
        talks=StoredTalks(store),
        log=FolderLog(given, env, store),
        clock=wire.CLOCK,
        ids=wire.IDS,
    )


async def app_of(
    given: Settings, env: Mapping[str, str], store: "Store", in_force: InForce, moving: MovingOf, levels: LevelsOf
) -> tuple[ASGIApp, Live]:
    """All pages over this storage, with who asks and what holds for every answer around them. Raises HandrailError
    HOME_INVALID when the assets are missing."""
    desk = signin.desk_of(given, store)
    made = ports(given, env, store, in_force, moving, levels)
    live = Live(made.tail)
    console = Console(
        rows=routes(), keys=keys(), ports=made, live=live, by_token=ByToken(store), counts=_Numbers(made, wire.CLOCK),
        version=VERSION, public_url=given.boot.console_url, fresh_ms=given.boot.sign_in.fresh_ms,
        fresh_above_minor=given.boot.sign_in.fresh_above_minor,
        keeps=partial(keep, desk),
    )  # fmt: skip
    secure = signin.is_https(given)
    known = Visitors(
        console.app(extra=await signin.routes_of(given, env, store, desk)), reader=store.signin,
        journal=store.journal, clock=wire.CLOCK, ids=wire.IDS, cookies=Cookies(secure),
    )  # fmt: skip
    named = bool(given.boot.console_url or given.boot.tls_cert_file or given.boot.behind_proxy)
    return Hardened(known, https=secure, named=named), live


class _Numbers:
    """Of the navigation: read once a second, however many pages ask."""

    def __init__(self, made: Ports, clock: Clock) -> None:
        self._ports = made
        self._clock = clock
        self._read: Counts | None = None
        self._at = 0.0
        self._lock = asyncio.Lock()

    async def __call__(self) -> Counts:
        """Raises HandrailError JOURNAL_UNAVAILABLE."""
        async with self._lock:
            if self._read is None or self._clock.monotonic() - self._at > COUNTS_S:
                self._read = await self._count()
                self._at = self._clock.monotonic()
            return self._read

    async def _count(self) -> Counts:
        states = await self._ports.acts.counts()
        incidents = await self._ports.incidents.listed(all_states=False, limit=100)
        alerts = await self._ports.watch.alerts(states=OPEN, limit=100)
        return Counts(approvals=states.get(State.HELD, 0), incidents=len(incidents), alerts=len(alerts))


class ByToken:
    """`console.server.ByToken`: for the JSON API. Personal tokens alone: a browser's sign-in counts in the browser,
    where what needs a fresh proof asks for it. Read off the writer, so that tokens that are none cost it nothing; what
    a command does is checked again in its own transaction."""

    def __init__(self, store: "Store") -> None:
        self._reader = store.signin

    async def __call__(self, token: str) -> Visitor:
        """Raises HandrailError TOKEN_INVALID, NOT_ALLOWED or JOURNAL_UNAVAILABLE."""
        if not token.startswith("hp_"):
            raise HandrailError(Code.TOKEN_INVALID, "give a personal token: Authorization: Bearer hp_...")

        held = await self._reader.token(token_id(token))
        require_good(held and held[0], token, TokenKind.PERSONAL, now_ms=wire.CLOCK.now_ms())
        assert held is not None
        person = held[1]
        if not person.active:
            raise HandrailError(Code.NOT_ALLOWED, "this person was disabled; ask an admin")
        return Visitor(
            person=person.id, name=person.name, roles=person.roles, authenticated_at=0, session="", csrf="",
            token=token,
        )  # fmt: skip
