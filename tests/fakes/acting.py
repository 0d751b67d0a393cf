"""What commands on actions need, in memory and on a real SQLite file, both with a clock set by hand and one command at
a time: `do` runs it and commits, or dies before the commit."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from fakes.register import MemoryRows, MemoryTokens
from fakes.storage import CLOCK, IDS, kek
from handrail.approvals.facts import About
from handrail.approvals.lifecycle import Progress, State
from handrail.approvals.stop import Stop
from handrail.approvals.store import Stored
from handrail.backends.keyring import KeyFolder, Keyring
from handrail.backends.rows import SubjectRow
from handrail.backends.sqlite.database import connect, migrate
from handrail.backends.sqlite.engine import SqliteEngine
from handrail.ledger.entry import Entry
from handrail.terms.action import Action, ActionId
from handrail.terms.errors import Code, HandrailError

ANSWERS = frozenset({State.HELD, State.APPROVED, State.CLAIMED, State.UNKNOWN, State.DONE, State.DRAFTED})


class Died(Exception):
    """The process was killed before its commit."""


class MemoryActions:
    """`approvals.store.ActionStore`."""

    def __init__(self, rows: dict[str, Stored], now_ms: int) -> None:
        self._rows, self._now = rows, now_ms

    def add(self, stored: Stored) -> None:
        if stored.progress.action in self._rows:
            raise HandrailError(Code.ALREADY, "an action with this id exists")
        self._rows[stored.progress.action] = stored

    def get(self, action: ActionId) -> Stored:
        if action not in self._rows:
            raise HandrailError(Code.NOT_FOUND, "there is no action with this id")
        return self._rows[action]

    def same(self, business: bytes, *, since_ms: int, conversation: str | None) -> Stored | None:
        found = [
            row
            for row in self._rows.values()
            if row.business == business and row.progress.created_at >= since_ms and row.progress.state in ANSWERS
            and (conversation is None or (row.request is not None and row.request.conversation == conversation))
        ]  # fmt: skip
        return max(found, key=lambda row: (row.progress.created_at, row.progress.action), default=None)

    def move(self, before: Progress, after: Progress, *, request: Action | None = None) -> None:
        row = self._current(before)
        self._rows[before.action] = msgspec.structs.replace(row, progress=after, request=request or row.request)

    def rewrite(self, before: Progress, stored: Stored) -> None:
        self._rows[before.action] = msgspec.structs.replace(stored, result=self._current(before).result)

    def keep_result(self, action: ActionId, result: bytes) -> None:
        self._rows[action] = msgspec.structs.replace(self.get(action), result=result)

    def waiting(self, states: frozenset[State], *, limit: int, after: ActionId | None = None) -> list[Stored]:
        rows = sorted(self._rows.items())
        return [row for name, row in rows if row.progress.state in states and name > (after or "")][:limit]

    def waiting_about(
        self, states: frozenset[State], *, limit: int, after: ActionId | None = None
    ) -> list[tuple[Progress, About]]:
        return [(row.progress, row.about) for row in self.waiting(states, limit=limit, after=after)]

    def due(self, *, limit: int) -> list[Progress]:
        found = [(self._due(row.progress), row.progress) for row in self._rows.values()]
        return [one for at, one in sorted(found, key=lambda each: each[0]) if at <= self._now][:limit]

    def _current(self, before: Progress) -> Stored:
        row = self.get(before.action)
        if row.progress.version != before.version:
            raise HandrailError(Code.LOST_RACE, "this action was moved meanwhile")
        return row

    def _due(self, progress: Progress) -> float:
        match progress.state:
            case State.HELD:
                return min(at for at in (progress.decide_by, progress.escalate_at) if at is not None)
            case State.APPROVED:
                return progress.not_before
            case State.CLAIMED:
                return progress.lease_until
        return float("inf")


class MemoryLimits:
    """`approvals.store.LimitStore`."""

    def __init__(self, rows: dict[tuple[str, str], int]) -> None:
        self._rows = rows

    def used(self, scope: str, period: str) -> int:
        return self._rows.get((scope, period), 0)

    def reserve(self, scope: str, period: str, amount: int, *, at_most: int) -> bool:
        if self.used(scope, period) + amount > at_most:
            return False
        self._rows[scope, period] = self.used(scope, period) + amount
        return True

    def release(self, scope: str, period: str, amount: int) -> None:
        if self.used(scope, period) >= amount:
            self._rows[scope, period] = self.used(scope, period) - amount


class MemoryStops:
    """`approvals.store.StopStore`."""

    def __init__(self, rows: dict[str, Stop]) -> None:
        self._rows = rows

    def all(self) -> list[Stop]:
        return [self._rows[name] for name in sorted(self._rows)]

    def add(self, stop: Stop) -> None:
        if stop.id in self._rows:
            raise HandrailError(Code.ALREADY, "a stop with this id exists")
        self._rows[stop.id] = stop

    def lift(self, stop_id: str) -> Stop:
        if stop_id not in self._rows:
            raise HandrailError(Code.NOT_FOUND, "there is no such stop")
        return self._rows.pop(stop_id)


class NothingPublished:
    """`approvals.store.Rulebook`."""

    def current(self) -> None:
        return None

    def rule_author(self, rule: str) -> None:
        return None


class NobodyListens:
    """`approvals.notices.NoticeStore`: no receiver is configured."""


class MemoryState:
    def __init__(self) -> None:
        self.actions: dict[str, Stored] = {}
        self.limits: dict[tuple[str, str], int] = {}
        self.stops: dict[str, Stop] = {}
        self.persons: Any = MemoryRows("person")
        self.tokens: Any = MemoryTokens("token")
        self.keys: Any = MemoryRows("API key")
        self.entries: list[Entry] = []


class MemoryActingTransaction:
    """`approvals.store.ActionTransaction` without drills."""

    def __init__(self, state: MemoryState, now_ms: int) -> None:
        self.now_ms, self._state = now_ms, state
        self.actions = MemoryActions(state.actions, now_ms)
        self.limits = MemoryLimits(state.limits)
        self.stops = MemoryStops(state.stops)
        self.persons, self.tokens, self.keys = state.persons, state.tokens, state.keys
        self.rulesets, self.notices = NothingPublished(), NobodyListens()

    def append(self, entry: Entry) -> None:
        self._state.entries.append(entry)

    def bump_epoch(self) -> int:
        return 1


class MemoryActing:
    def __init__(self) -> None:
        self.state = MemoryState()

    def subject(self) -> str:
        return "su_1"

    def forget(self) -> None:
        """Every action, limit and stop."""
        self.state.actions, self.state.limits, self.state.stops = {}, {}, {}

    def do(self, command: Callable[[Any], Any], now_ms: int, *, dies: bool = False) -> Any:
        draft = copy.copy(self.state)
        draft.actions, draft.limits, draft.stops = dict(draft.actions), dict(draft.limits), dict(draft.stops)
        draft.entries = list(draft.entries)
        result = command(MemoryActingTransaction(draft, now_ms))
        if dies:
            raise Died
        self.state = draft
        return result

    def entries(self) -> int:
        return len(self.state.entries)

    def end(self) -> None:
        return None


class SqliteActing:
    """The real engine on a file. Only its clock is ours."""

    def __init__(self, folder: Path) -> None:
        keys = Keyring(KeyFolder(folder / "keys", kek()), IDS)
        self._db = connect(folder / "handrail.db", checkpoints=True)
        migrate(self._db, keys, CLOCK)
        self._db.execute("PRAGMA synchronous = OFF")  # nothing here pulls a plug
        self._engine = SqliteEngine(self._db, keys, IDS)

    def subject(self) -> str:
        """A new one, with a key of its own."""
        row = SubjectRow(id=IDS.new("su"), key=IDS.token(32), person=0, at_ms=0)
        self.do(lambda tx: tx.add_subject(row), 1)
        return row.id

    def forget(self) -> None:
        for table in ("action", "limit_use", "stop"):
            self._db.execute(f"DELETE FROM {table}")

    def do(self, command: Callable[[Any], Any], now_ms: int, *, dies: bool = False) -> Any:
        tx: Any = self._engine.begin(exclusive=True)
        tx.now_ms = now_ms
        try:
            result = self._engine.command(command)
        except Exception:  # whatever the command raised goes on up
            self._engine.commit()  # as the writer does: what failed alone was undone alone
            raise
        if dies:
            self._engine.rollback()
            raise Died
        self._engine.commit()
        return result

    def entries(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM entry").fetchall()[0][0])

    def end(self) -> None:
        self._engine.close()
