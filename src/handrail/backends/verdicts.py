"""Words of persons on findings, in their table: statements that both engines understand."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from handrail.backends.rows import Reading
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import InteractionFacts
from handrail.ledger.read import interaction_facts
from handrail.review.flags import Flag
from handrail.review.verdicts import Judged, Tally
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import InteractionId, UseCaseId

_JUDGED = msgspec.json.Decoder(Judged)
_FLAG = msgspec.json.Decoder(Flag)


class _Transaction(Protocol):
    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


class Verdicts:
    """`review.verdicts.VerdictStore`."""

    def __init__(self, tx: _Transaction) -> None:
        self._tx = tx
        self.fetch = tx.fetch

    def of(self, interaction: InteractionId, finding: int, person: str) -> Judged | None:
        found = self._tx.fetch(
            "SELECT body FROM finding_word WHERE interaction = $1 AND finding = $2 AND person = $3",
            (interaction, finding, person),
        )
        return _JUDGED.decode(bytes(found[0][0])) if found else None

    def facts_of(self, interaction: InteractionId) -> InteractionFacts:
        found = self._tx.fetch(
            "SELECT e.facts FROM interaction i JOIN entry e ON e.seq = i.seq WHERE i.interaction = $1 "
            "ORDER BY e.seq LIMIT 1",
            (interaction,),
        )
        if not found:
            raise HandrailError(Code.NOT_FOUND, f"nothing is recorded under {interaction}")
        return interaction_facts(read_facts(bytes(found[0][0])))

    def put(self, before: Judged | None, after: Judged) -> None:
        if before is None:
            done = self._tx.fetch(
                "INSERT INTO finding_word (interaction, finding, person, use_case, kind, word, version, body) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING version",
                (
                    after.interaction, after.finding, after.person, after.use_case, after.kind.value, after.word.value,
                    after.version, msgspec.json.encode(after),
                ),
            )  # fmt: skip
        else:
            done = self._tx.fetch(
                "UPDATE finding_word SET word = $1, version = $2, body = $3 WHERE interaction = $4 AND finding = $5 "
                "AND person = $6 AND version = $7 RETURNING version",
                (
                    after.word.value, after.version, msgspec.json.encode(after), after.interaction, after.finding,
                    after.person, before.version,
                ),
            )  # fmt: skip
        if not done:
            raise HandrailError(Code.LOST_RACE, "your word on this finding was changed meanwhile; look at it again")


class StoredVerdicts:
    """`review.verdicts.VerdictReader`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def of(self, interactions: Sequence[InteractionId]) -> list[Judged]:
        if not interactions:
            return []
        places = ", ".join(f"${at}" for at in range(1, len(interactions) + 1))
        sql = f"SELECT body FROM finding_word WHERE interaction IN ({places}) ORDER BY interaction, finding, person"  # noqa: S608  places only
        return [_JUDGED.decode(bytes(row[0])) for row in await self._rows(sql, tuple(interactions))]

    async def flags(self, interactions: Sequence[InteractionId]) -> list[Flag]:
        if not interactions:
            return []
        places = ", ".join(f"${at}" for at in range(1, len(interactions) + 1))
        sql = f"SELECT body FROM flag WHERE stands = 1 AND interaction IN ({places}) ORDER BY interaction, person"  # noqa: S608  places only
        return [_FLAG.decode(bytes(row[0])) for row in await self._rows(sql, tuple(interactions))]

    async def tallies(self, use_case: UseCaseId | None = None) -> list[Tally]:
        where, values = ("", ()) if use_case is None else ("WHERE use_case = $1 ", (use_case,))
        found = await self._rows(
            "SELECT use_case, kind, sum(CASE WHEN word = 'right' THEN 1 ELSE 0 END), count(*) FROM finding_word "  # noqa: S608  ours
            f"{where}GROUP BY use_case, kind ORDER BY use_case, kind",
            values,
        )
        return [
            Tally(use_case=UseCaseId(name), kind=Kind(kind), right=int(right), wrong=int(total) - int(right))
            for name, kind, right, total in found
        ]
