"""What each page of the console costs over a year of a large organisation: wall and processor time, rows asked for in
how many statements, and how long the event loop stood still.

    .venv/bin/python bench/console_pages.py [--interactions 1000000] [--units 100000] [--only /incidents]

A real server makes a home with a little of everything and stops; then the tables get, straight: the interactions of
`console_search.rows` with their conversations and customers, 10,000 held actions, 5,000 incidents and 5,000 alerts (one
in ten open), 200,000 other entries, 500 use cases, keys and persons, figures by the hour of a year, a canary with its
units and 300 releases before it. The console's own application answers in this process, SQLite read on its own thread.

Each page is asked for once and then `TIMES` more. `stood`: the longest that the event loop did nothing else.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import httpx
import msgspec

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

import console_search  # noqa: E402  # of this folder
from browser_site import Site, filled, site  # noqa: E402  # of the tests' folder
from console_approvals import copies, held  # noqa: E402

from handrail.app import wire  # noqa: E402
from handrail.app.levels import levels  # noqa: E402
from handrail.app.moving import moves  # noqa: E402
from handrail.app.settings import environment, settings  # noqa: E402
from handrail.app.wire.console import app_of  # noqa: E402
from handrail.backends.sqlite.read import ReadThread  # noqa: E402
from handrail.in_force.follow import look  # noqa: E402
from handrail.in_force.snapshot import InForce  # noqa: E402
from handrail.ledger.commitment import facts_bytes  # noqa: E402
from handrail.ledger.entry import Entry, EntryKind  # noqa: E402
from handrail.people.role import Role  # noqa: E402
from handrail.policy.ramp import Outcome, Ramp, RampMetric, Stage  # noqa: E402
from handrail.releases.lifecycle import Rollout, State  # noqa: E402
from handrail.review.incident import Incident, IncidentState, Note, Scope, Severity  # noqa: E402
from handrail.terms.actor import Actor, ActorKind  # noqa: E402
from handrail.terms.ids import Digest, EntryId, UseCaseId  # noqa: E402
from handrail.watch.alert import Alert, AlertKind, AlertState, Raised  # noqa: E402
from handrail.watch.alert import Severity as HowBad  # noqa: E402

TIMES = 5
MANY, HELD, FEW = 5_000, 10_000, 500
RARE = 200_000
YEAR_H = 365 * 24
CANARY = Digest("ca" * 32)
ROLES = (Role.OWNER, Role.ADMIN, Role.COMPLIANCE, Role.ENGINEER, Role.REVIEWER)
RAMP = Ramp(
    stages=(Stage(share=0.3), Stage(share=0.5, least_minutes=30)),
    metrics=(RampMetric(name=Outcome.COMPLAINT, reference=0.05), RampMetric(name=Outcome.CSAT_LOW),
             RampMetric(name=Outcome.LEGAL, margin=None)),
)  # fmt: skip


def now_ms() -> int:
    return wire.CLOCK.now_ms()


def use_cases(where: Site) -> None:
    """`use-case-0` and so on, as `console_search` names them; orders stays."""
    folder = where.house.root / "use-cases"
    text = (folder / "orders.yaml").read_text()
    for at in range(FEW - 1):
        (folder / f"use-case-{at}.yaml").write_text(text.replace("id: orders", f"id: use-case-{at}"))
    where.house.said("publish", str(where.house.root), "--token", where.house.staff["root"])


def interactions(db: apsw.Connection, count: int) -> None:
    console_search.START = now_ms() - console_search.YEAR_MS
    (begin,) = db.execute("SELECT max(seq) FROM entry").fetchone()
    seen = set()
    for entry, payload, row in console_search.rows(count):
        at = begin + row[0]
        db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", (at, *entry[1:]))
        db.execute("INSERT INTO payload VALUES (?, ?, ?)", (at, *payload[1:]))
        db.execute(f"INSERT INTO interaction VALUES ({', '.join('?' * 12)})", (at, *row[1:]))
        conversation, subject = row[4], payload[1]
        if conversation not in seen:
            seen.add(conversation)
            db.execute(
                "INSERT INTO conversation (id, use_case, key_id, subject, seen, turns, at_ms) "
                "VALUES (?, ?, 'k1', ?, x'', 5, ?)",
                (conversation, row[3], subject, row[2]),
            )
        if subject not in seen:
            seen.add(subject)
            db.execute("INSERT INTO subject VALUES (?, x'00', 'im', 1, ?)", (subject, row[2]))


def rare(db: apsw.Connection) -> None:
    """Readings and moves of all kinds, as a year of a large organisation leaves them."""
    kinds = (
        EntryKind.PAYLOAD_READ, EntryKind.SIGNED_IN, EntryKind.KEY_ROTATED, EntryKind.INCIDENT_MOVED,
        EntryKind.ALERT_RAISED, EntryKind.OUTCOME_REPORTED,
    )  # fmt: skip
    (begin,) = db.execute("SELECT max(seq) FROM entry").fetchone()
    for at in range(1, RARE + 1):
        kind = kinds[at % len(kinds)]
        at_ms = now_ms() - console_search.YEAR_MS + console_search.YEAR_MS * at // RARE
        entry = Entry(
            id=EntryId(f"en_rare{at:022d}"), kind=kind, at_ms=at_ms, actor=Actor(ActorKind.PERSON, "pe_1"),
            about=f"x-{at % 997}", use_case=UseCaseId(f"use-case-{at % 5}"),
        )  # fmt: skip
        row = (begin + at, entry.id, kind.value, at_ms, b"\0" * 120, facts_bytes(entry, b"\0" * 16))
        db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", row)


def incidents_and_alerts(db: apsw.Connection) -> None:
    for at in range(MANY):
        opened, at_ms = at % 10 == 0, now_ms() - (MANY - at) * 3_600_000
        case = UseCaseId(f"use-case-{at % 5}")
        incident = Incident(
            id=f"I-{at:05d}", use_case=case, title=f"Wrong refunds, number {at}", severity=Severity.S2, owner="pe_1",
            opened_at=at_ms, state=IncidentState.OPEN if opened else IncidentState.CLOSED,
            scope=Scope(release=console_search.RELEASES[at % 6]), notes=(Note(at_ms=at_ms, by="pe_1", text="Seen."),),
            no_test="" if opened else "It was the provider.", closed_at=None if opened else at_ms + 3_600_000,
        )  # fmt: skip
        db.execute(
            "INSERT INTO incident VALUES (?, ?, ?, 0, ?)",
            (incident.id, case, incident.state.value, msgspec.json.encode(incident)),
        )
        first = Raised(
            cause=f"cause-{at}", kind=AlertKind.DRIFT, severity=HowBad.WARNING, use_case=case, metric="complaint",
            sentence="Complaints are 3 times as frequent as usual.", promise="once a month", at_ms=at_ms,
        )  # fmt: skip
        alert = Alert(
            id=f"al_{at:026d}", first=first, state=AlertState.RAISED if opened else AlertState.CLOSED, owner="pe_1",
            latest_ms=at_ms, told_ms=at_ms,
        )  # fmt: skip
        db.execute(
            "INSERT INTO alert VALUES (?, ?, ?, ?, 0, NULL, ?)",
            (alert.id, first.cause, case, alert.state.value, msgspec.json.encode(alert)),
        )


def people(db: apsw.Connection) -> None:
    for at in range(FEW):
        mail = f"person{at}@house.example"
        db.execute("INSERT INTO person VALUES (?, ?, ?, 'approver', 0, NULL)", (f"pe_x{at:024d}", mail, f"P {at}"))
        db.execute(
            "INSERT INTO api_key (id, hash, use_case, scopes, agent, created_at) VALUES (?, ?, ?, 'chat', 'a', 0)",
            (f"kx{at}", at.to_bytes(32, "big"), f"use-case-{at % 5}"),
        )


def figures(db: apsw.Connection) -> None:
    hour = now_ms() // 3_600_000
    counts = msgspec.json.encode({"interactions": 40, "conversations": 9, "complaint": 1, "outcomes": 5, "blocked": 1})
    for case in range(FEW - 1):
        for back in range(YEAR_H if case < 5 else 14 * 24):
            db.execute(
                "INSERT INTO measure VALUES (?, ?, 'en', 'web', ?, ?)",
                (f"use-case-{case}", console_search.RELEASES[5], hour - back, counts),
            )


def releases(db: apsw.Connection, units: int) -> None:
    body, by_kind, by_id = db.execute("SELECT body, by_kind, by_id FROM release LIMIT 1").fetchone()
    for at in range(301):
        digest = CANARY if at == 300 else Digest(f"{at:064x}")
        state = State.CANARY if at == 300 else State.RETIRED
        rollout = Rollout(
            release=digest, use_case=UseCaseId("orders"), author="pe_1", created_at=now_ms() - (301 - at) * 86_400_000,
            state=state, ramp=RAMP, run=1, stage=0, step=1, stage_at=now_ms() - 86_400_000,
            control=Digest(f"{299:064x}"),
        )  # fmt: skip
        values = (digest, "orders", body, by_kind, by_id, now_ms())
        db.execute("INSERT INTO release VALUES (?, ?, ?, ?, ?, ?)", values)
        db.execute(
            "INSERT INTO rollout VALUES (?, ?, ?, 0, ?, ?)",
            (digest, "orders", state.value, rollout.created_at, msgspec.json.encode(rollout)),
        )
    for at in range(1, units + 1):
        canary = at % 10 < 3
        metrics = {"complaint": float(at % 21 == 1), "legal": 0.0, "csat_low": None if at % 2 else 0.0}
        db.execute(
            "INSERT INTO unit VALUES (?, 1, ?, 'orders', ?, 0.3, 1, ?, ?, ?, x'7b7d', ?, ?, ?)",
            (CANARY, f"u{at}", "canary" if canary else "control", at, at, f"cv_{at:026d}", msgspec.json.encode(metrics),
             at, at),
        )  # fmt: skip


def fill(path: Path, count: int, units: int) -> None:
    db = apsw.Connection(str(path))
    db.execute("PRAGMA synchronous = OFF")
    with db:
        interactions(db, count)
        rare(db)
        incidents_and_alerts(db)
        people(db)
        figures(db)
        releases(db, units)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()


@dataclass
class Asked:
    """Statements since it was set to nought."""

    statements: int = 0
    rows: int = 0


@contextlib.contextmanager
def counted() -> Iterator[Asked]:
    """Every read of the console's process."""
    seen, before = Asked(), ReadThread.rows

    async def rows(self: ReadThread, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
        found = await before(self, sql, values)
        seen.statements += 1
        seen.rows += len(found)
        return found

    ReadThread.rows = rows  # type: ignore[method-assign]  # of this process alone
    try:
        yield seen
    finally:
        ReadThread.rows = before  # type: ignore[method-assign]


class Ticking:
    """How long the loop stood still at most."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def run(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.worst = max(self.worst, time.perf_counter() - before - 0.001)


@contextlib.asynccontextmanager
async def console(root: Path, cookie: str) -> AsyncIterator[httpx.AsyncClient]:
    given = settings(root, environment())
    async with wire.opened(given, environment(), checkpoints=False) as store:
        in_force = InForce()
        await look(in_force, store.in_force, wire.CLOCK)
        app, _ = await app_of(given, environment(), store, in_force, moves, levels)
        url = f"http://127.0.0.1:{given.boot.console_port}"
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=url, cookies={"handrail": cookie}) as client:
            yield client


def addresses(root: Path, ids: list[str]) -> list[str]:
    db = apsw.Connection(str(next(root.rglob("handrail.db"))))
    (mine,) = db.execute("SELECT interaction FROM interaction ORDER BY seq LIMIT 1").fetchone()
    (person,) = db.execute("SELECT id FROM person LIMIT 1").fetchone()
    db.close()
    return [
        "/stop", f"/releases/{CANARY}", f"/releases/{CANARY}", "/releases", "/releases?cut=over",
        f"/releases/{299:064x}",
        "/", "/interactions", "/interactions?channel=phone", "/interactions?arm=pilot", "/interactions?finding=IBAN",
        "/interactions?use_case=use-case-1&cursor=500000", f"/interactions/{mine}",
        "/approvals", "/approvals?view=all", f"/approvals/{ids[0]}",
        "/incidents", "/incidents?cut=all", "/incidents/I-04990", "/incidents/I-04990?part=affected",
        "/incidents/I-04990?part=timeline", "/new-incident",
        "/alerts", "/alerts?cut=all", "/alerts?cut=closed", f"/alerts/al_{4_990:026d}", "/alert-silences",
        "/ledger", "/ledger?kind=payload.read", "/use_cases", "/use_cases/use-case-1", "/use_cases/orders",
        "/watch", "/watch/use-case-1", "/tools", "/tools/till.refund", "/people", f"/people/{person}", "/tests",
        "/settings", "/search?q=use-case-7", "/saved",
    ]  # fmt: skip


async def timed(client: httpx.AsyncClient, path: str, seen: Asked) -> None:
    walls, cpus, stood = [], [], 0.0
    status = size = statements = got = 0
    for _ in range(TIMES + 1):
        seen.statements = seen.rows = 0
        ticking = Ticking()
        task = asyncio.create_task(ticking.run())
        await asyncio.sleep(0.005)
        ticking.worst = 0.0
        began, worked = time.perf_counter(), time.process_time()
        answer = await client.get(path)
        walls.append((time.perf_counter() - began) * 1e3)
        cpus.append((time.process_time() - worked) * 1e3)
        await asyncio.sleep(0.002)
        task.cancel()
        stood = max(stood, ticking.worst * 1e3)
        status, size, statements, got = answer.status_code, len(answer.content), seen.statements, seen.rows
    later = sorted(walls[1:])
    print(
        f"{path[:60]:60} {status} first {walls[0]:7.0f} ms (cpu {cpus[0]:6.0f}), then {later[TIMES // 2]:6.0f} ms, "
        f"worst {later[-1]:6.0f} (cpu {sorted(cpus[1:])[TIMES // 2]:6.0f}); stood {stood:5.0f} ms; "
        f"{statements:3} statements, {got:6} rows, {size // 1000:4} kB",
        flush=True,
    )


async def measured(root: Path, cookie: str, ids: list[str], only: str) -> None:
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with counted() as seen:
        async with console(root, cookie) as client:
            for path in addresses(root, ids):
                if only in path:
                    await timed(client, path, seen)


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--interactions", type=int, default=1_000_000)
    words.add_argument("--units", type=int, default=100_000)
    words.add_argument("--only", default="")
    words.add_argument("--keep", default="", help="a folder that is kept, and used again")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given.keep or temporary)
        told = folder / "told.json"
        if not told.exists():
            folder.mkdir(exist_ok=True, parents=True)
            with site(folder) as where:
                use_cases(where)
                filled(where)
                ids = held(where)
                copies(where, ids, HELD)
                cookie = where.session(*ROLES).text
            began = time.perf_counter()
            fill(next((folder / "home").rglob("handrail.db")), given.interactions, given.units)
            print(f"filled in {time.perf_counter() - began:.0f} s")
            told.write_bytes(msgspec.json.encode((ids, cookie)))
        ids, cookie = msgspec.json.decode(told.read_bytes())
        asyncio.run(measured(folder / "home", cookie, ids, given.only))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
