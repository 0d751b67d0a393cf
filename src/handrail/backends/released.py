"""Releases, their moves and the runs of their tests as pages read them: statements that both engines understand."""

import msgspec

from handrail.backends.rows import Reading
from handrail.backends.search import RARE
from handrail.ledger.entry import EntryKind
from handrail.releases.release import Release
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId
from handrail.trials.store import Run

MOVES = tuple(kind.value for kind in EntryKind if kind.value.startswith("release."))
_RUN = msgspec.json.Decoder(Run)
_RELEASE = msgspec.json.Decoder(Release)


class StoredReleased:
    """`console.ports.ReleaseReader`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def release(self, digest: Digest) -> tuple[Release, Actor]:
        """By its primary key."""
        found = await self._rows("SELECT body, by_kind, by_id FROM release WHERE digest = $1", (digest,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no release with this digest")
        body, kind, who = found[0]
        return _RELEASE.decode(bytes(body)), Actor(ActorKind(kind), str(who))

    async def moves(self, after: int, until: int, *, limit: int) -> list[tuple[int, bytes]]:
        """By the index of rare kinds, which holds no interactions: who asks remembers how far it got."""
        kinds = ", ".join(f"'{kind}'" for kind in MOVES)
        found = await self._rows(
            f"SELECT seq, facts FROM entry WHERE seq > $1 AND seq <= $2 AND kind IN ({kinds}) "  # noqa: S608  ours
            f"AND {RARE} ORDER BY seq LIMIT $3",
            (after, until, limit),
        )
        return [(int(seq), bytes(facts)) for seq, facts in found]

    async def runs(self, use_case: UseCaseId | None, release: Digest | None, *, limit: int) -> list[Run]:
        """Along the index of times, until there are so many."""
        wheres, values = ["true"], list[object]()
        for name, value in (("use_case", use_case), ("release", release)):
            if value is not None:
                values.append(value)
                wheres.append(f"{name} = ${len(values)}")
        where, last = " AND ".join(wheres), len(values) + 1
        sql = f"SELECT body FROM trial_run WHERE {where} ORDER BY at_ms DESC, id DESC LIMIT ${last}"  # noqa: S608  ours
        return [_RUN.decode(bytes(body)) for (body,) in await self._rows(sql, (*values, limit))]

    async def run(self, name: str) -> Run:
        """By its primary key."""
        found = await self._rows("SELECT body FROM trial_run WHERE id = $1", (name,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no run with this id; see handrail trial list")
        return _RUN.decode(bytes(found[0][0]))
