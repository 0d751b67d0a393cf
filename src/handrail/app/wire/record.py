"""The pages of the record on the real world: conversations from storage, the log from its folder."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from handrail.app.settings import Settings
from handrail.app.wire import CLOCK, LogFolder, log_keys, records
from handrail.app.wire.recorded import recorded_case
from handrail.app.wire.request import runner
from handrail.approvals.store import Line
from handrail.backends.acted import line_of
from handrail.console.record_ports import Checking, Drafted, Expectation
from handrail.detectors.base import Text
from handrail.ledger.note import BadNote, Trust, parse_checkpoint, parse_note
from handrail.ledger.paths import CHECKPOINT, WITNESSED
from handrail.ledger.proof import prove
from handrail.ledger.read import Shown, columns
from handrail.ledger.tree import BadProof
from handrail.ledger.verify import BadLog, Report, verify
from handrail.review.outcome import OutcomeFacts
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Finding, Kind, Role
from handrail.terms.ids import ConversationId, InteractionId
from handrail.trials.imported import written

if TYPE_CHECKING:
    from handrail.app.wire import Store

MOST = 200
LONGEST_CHECK = 200_000
"""Entries that the console checks itself, beside answering; a longer log is checked by the command."""
_BUNDLE = 256


class StoredTalks:
    """`console.record_ports.Talks`."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._rows = store.reading.rows

    async def acts(self, conversation: ConversationId) -> list[Line]:
        rows = await self._rows(
            "SELECT progress, about FROM action WHERE conversation = $1 ORDER BY id LIMIT $2", (conversation, MOST)
        )
        return [line_of(bytes(progress), bytes(about)) for progress, about in rows]

    async def outcomes(self, conversation: ConversationId) -> list[OutcomeFacts]:
        rows = await self._rows(
            "SELECT facts FROM outcome WHERE conversation = $1 ORDER BY occurred_at_ms LIMIT $2", (conversation, MOST)
        )
        return [msgspec.json.decode(bytes(row[0]), type=OutcomeFacts) for row in rows]

    async def conversation_of(self, name: str) -> ConversationId | None:
        found = await self._rows("SELECT conversation FROM action WHERE id = $1", (name,))
        return ConversationId(found[0][0]) if found and found[0][0] else None

    def marks(self, text: str, role: Role, kinds: frozenset[Kind]) -> tuple[Finding, ...]:
        return tuple(runner().screen(Text(text, role), kinds).findings)

    async def draft(
        self, interaction: InteractionId, *, reason: str, token: str, expect: Expectation | None
    ) -> Drafted:
        made, use_case = await recorded_case(self._store, interaction, reason, token, "")
        for case in made.cases:
            case["draft"] = True
            turns = case.pop("turns")
            case["turns"] = turns
            if expect is not None:
                wanted: dict[str, Any] = {"finds": {"kind": expect.kind.value, "side": expect.side}}
                turns[-1]["expect"] = [wanted if expect.must else {**wanted, "not": True}]
        text = written(
            made, use_case=use_case,
            source="From a recorded conversation, masked. Read it, then take `draft` out.",
        )  # fmt: skip
        return Drafted(name=f"{made.cases[0]['id']}.yaml", text=text, left_out=tuple(made.left_out))


class FolderLog:
    """`console.record_ports.Log`."""

    def __init__(self, given: Settings, env: Mapping[str, str], store: "Store") -> None:
        self._given = given
        self._env = env
        self._store = store
        self._folder = LogFolder(given.log_dir)
        self._checking = Checking()
        self._task: asyncio.Task[None] | None = None

    def head(self) -> tuple[bytes | None, bytes | None]:
        return self._folder.read(CHECKPOINT), self._folder.read(WITNESSED)

    def keys(self) -> tuple[str, ...]:
        return tuple(key.verifier.encode() for key in log_keys(self._given, self._env, make=False))

    def proof(self, shown: Shown) -> bytes:
        if shown.index is None:
            raise HandrailError(Code.NOT_FOUND, "this entry is not in the log yet; try again in a second")
        try:
            return prove(self._folder.read, shown.index, shown.commitment, shown.facts).encode()
        except (BadProof, BadNote) as error:
            raise HandrailError(Code.NOT_FOUND, f"no proof can be made yet: {error}") from None

    def one_holder(self) -> bool:
        boot = self._given.boot
        return not (boot.kek_env or boot.log_key_env or boot.log_key_file) and self._given.database_url is None

    async def kinds(self, newest: int) -> list[tuple[str, int, int]]:
        rows = await self._store.reading.rows(
            "SELECT kind, count(*), max(at_ms) FROM entry WHERE seq > (SELECT max(seq) FROM entry) - $1 GROUP BY kind",
            (newest,),
        )
        return sorted(((str(k), int(n), int(at)) for k, n, at in rows), key=lambda row: (-row[1], row[0]))

    def check(self) -> Checking:
        return self._checking

    async def begin(self) -> None:
        if self._task is not None and not self._task.done():
            return
        note = self._folder.read(CHECKPOINT)
        size = 0 if note is None else parse_checkpoint(parse_note(note).text).size
        if size > LONGEST_CHECK:
            raise HandrailError(
                Code.NOT_ALLOWED,
                f"a log of {size} entries is checked by the command, which takes minutes: handrail verify",
            )
        self._checking = Checking(began_ms=CLOCK.now_ms(), size=size)
        self._task = asyncio.create_task(self._check())

    async def _check(self) -> None:
        rows = records(self._store)
        trust = Trust(log=tuple(key.verifier for key in log_keys(self._given, self._env, make=False)))
        try:
            report: Report = await asyncio.to_thread(
                verify, _counted(self._folder.read, self._told), trust, records=rows, project=columns
            )
        except BadLog as bad:
            self._checking = replace(self._checking, bad=str(bad), ended_ms=CLOCK.now_ms())
        except HandrailError as error:
            self._checking = replace(self._checking, bad=error.message, ended_ms=CLOCK.now_ms())
        else:
            self._checking = replace(
                self._checking, good=True, size=report.entries, done=report.entries, ended_ms=CLOCK.now_ms(),
                witnessed=report.witnessed is not None,
            )  # fmt: skip

    def _told(self) -> None:
        """From the thread that checks; one attribute is set, so a page sees the state before or after."""
        done = min(self._checking.size, self._checking.done + _BUNDLE)
        self._checking = replace(self._checking, done=done)


def _counted(read: Callable[[str], bytes | None], told: Callable[[], None]) -> Callable[[str], bytes | None]:
    def counted(path: str) -> bytes | None:
        if "/entries/" in path:
            told()
        return read(path)

    return counted
