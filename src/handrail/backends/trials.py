"""Trials in their tables: statements that both engines understand, on a command's transaction."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from handrail.terms.ids import Digest, UseCaseId
from handrail.trials.golden import Golden
from handrail.trials.store import Run

_RUN = msgspec.json.Decoder(Run)
_GOLDEN = msgspec.json.Decoder(Golden)


class TrialsTransaction(Protocol):
    """What both concrete transactions have beside the port."""

    @property
    def now_ms(self) -> int: ...

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Trials:
    """`trials.store.TrialStore`."""

    def __init__(self, tx: TrialsTransaction) -> None:
        self._tx = tx

    def add(self, run: Run) -> None:
        self._tx.fetch(
            "INSERT INTO trial_run (id, use_case, release, at_ms, body) VALUES ($1, $2, $3, $4, $5)",
            (run.id, run.use_case, run.release, run.at_ms, msgspec.json.encode(run)),
        )

    def runs(self, use_case: UseCaseId | None = None, release: Digest | None = None, *, limit: int = 50) -> list[Run]:
        wheres, values = [], []
        for name, value in (("use_case", use_case), ("release", release)):
            if value is not None:
                values.append(value)
                wheres.append(f"{name} = ${len(values)}")
        where = f"WHERE {' AND '.join(wheres)} " if wheres else ""
        sql = f"SELECT body FROM trial_run {where}ORDER BY at_ms DESC, id DESC LIMIT ${len(values) + 1}"  # noqa: S608  ours
        return [_RUN.decode(bytes(body)) for (body,) in self._tx.fetch(sql, (*values, limit))]

    def golden(self, use_case: UseCaseId, case: str, release: Digest) -> Golden | None:
        sql = "SELECT body FROM golden WHERE use_case = $1 AND name = $2 AND release = $3"
        found = self._tx.fetch(sql, (use_case, case, release))
        return _GOLDEN.decode(bytes(found[0][0])) if found else None

    def keep(self, use_case: UseCaseId, case: str, release: Digest, golden: Golden) -> None:
        self._tx.fetch(
            "INSERT INTO golden (use_case, name, release, body) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (use_case, name, release) DO UPDATE SET body = excluded.body",
            (use_case, case, release, msgspec.json.encode(golden)),
        )

    def take_turn(self, use_case: UseCaseId, every_ms: int) -> bool:
        now = self._tx.now_ms
        self._tx.fetch("INSERT INTO probing (use_case, begun_at) VALUES ($1, 0) ON CONFLICT DO NOTHING", (use_case,))
        return bool(
            self._tx.fetch(
                "UPDATE probing SET begun_at = $1 WHERE use_case = $2 AND begun_at <= $3 RETURNING use_case",
                (now, use_case, now - every_ms),
            )
        )
