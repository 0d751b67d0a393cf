"""How conversations open, in its table: statements that both engines understand. What is learnt stands in rows of its
own, since it is large and changes no more once it is learnt. Nothing personal stands in them."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from handrail.backends.rows import Reading
from handrail.terms.errors import Code, HandrailError
from handrail.watch import inputs, mix
from handrail.watch.inputs import Input
from handrail.watch.mix import Mix
from handrail.watch.openings import Held

_MIX, _INPUT = msgspec.json.Decoder(Mix), msgspec.json.Decoder(Input)
_MIX_PAST, _INPUT_PAST = msgspec.json.Decoder(mix.MixPast), msgspec.json.Decoder(inputs.Past)
_PAST = ".past"
_Rows = dict[str, tuple[int, bytes]]


class _Transaction(Protocol):
    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Openings:
    """`watch.openings.OpeningStore`."""

    def __init__(self, tx: _Transaction) -> None:
        self._tx = tx

    def held(self, use_case: str) -> Held:
        found = self._tx.fetch("SELECT what, version, body FROM opening_watch WHERE use_case = $1", (use_case,))
        return _held({str(what): (int(version), bytes(body)) for what, version, body in found})

    def keep(self, use_case: str, before: Held, after: Held) -> None:
        for what, old, new in ((mix.METRIC, before.mix, after.mix), (inputs.METRIC, before.input, after.input)):
            if new is old:
                continue
            self._swap(use_case, what, before.versions.get(what, 0), None if new is None else _without_past(new))
            if new is None or old is None or new.past is not old.past:
                self._put(use_case, what + _PAST, None if new is None else msgspec.json.encode(new.past))

    def _swap(self, use_case: str, what: str, version: int, body: bytes | None) -> None:
        values: tuple[Any, ...]
        if body is None:
            sql = "DELETE FROM opening_watch WHERE use_case = $1 AND what = $2 AND version = $3 RETURNING what"
            values = (use_case, what, version)
        elif version:
            sql = (
                "UPDATE opening_watch SET version = $1, body = $2 WHERE use_case = $3 AND what = $4 AND version = $5 "
                "RETURNING what"
            )
            values = (version + 1, body, use_case, what, version)
        else:
            sql = (
                "INSERT INTO opening_watch (use_case, what, version, body) VALUES ($1, $2, 1, $3) "
                "ON CONFLICT DO NOTHING RETURNING what"
            )
            values = (use_case, what, body)
        if not self._tx.fetch(sql, values):
            raise HandrailError(Code.LOST_RACE, "another process counted this already, or a person lets it learn anew")

    def _put(self, use_case: str, what: str, body: bytes | None) -> None:
        if body is None:
            self._tx.fetch("DELETE FROM opening_watch WHERE use_case = $1 AND what = $2", (use_case, what))
            return
        self._tx.fetch(
            "INSERT INTO opening_watch (use_case, what, version, body) VALUES ($1, $2, 0, $3) "
            "ON CONFLICT (use_case, what) DO UPDATE SET body = excluded.body",
            (use_case, what, body),
        )


class StoredOpenings:
    """`watch.openings.OpeningReader`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def held(self) -> dict[str, Held]:
        rows: dict[str, _Rows] = {}
        found = await self._rows("SELECT use_case, what, version, body FROM opening_watch ORDER BY use_case, what")
        for use_case, what, version, body in found:
            rows.setdefault(str(use_case), {})[str(what)] = (int(version), bytes(body))
        return {use_case: _held(each) for use_case, each in rows.items()}

    async def of(self, use_case: str) -> Held:
        found = await self._rows("SELECT what, version, body FROM opening_watch WHERE use_case = $1", (use_case,))
        return _held({str(what): (int(version), bytes(body)) for what, version, body in found})


def _without_past(one: Mix | Input) -> bytes:
    if isinstance(one, Mix):
        return msgspec.json.encode(msgspec.structs.replace(one, past=mix.MixPast(names=())))
    return msgspec.json.encode(msgspec.structs.replace(one, past=inputs.Past()))


def _held(rows: _Rows) -> Held:
    watched: Mix | None = None
    opened: Input | None = None
    if mix.METRIC in rows:
        past = _MIX_PAST.decode(rows[mix.METRIC + _PAST][1])
        watched = msgspec.structs.replace(_MIX.decode(rows[mix.METRIC][1]), past=past)
    if inputs.METRIC in rows:
        then = _INPUT_PAST.decode(rows[inputs.METRIC + _PAST][1])
        opened = msgspec.structs.replace(_INPUT.decode(rows[inputs.METRIC][1]), past=then)
    versions = {what: version for what, (version, _) in rows.items() if not what.endswith(_PAST)}
    return Held(mix=watched, input=opened, versions=versions)
