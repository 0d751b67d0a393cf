"""In-memory ports of the guard: journal, conversations, references, shared counts, a scripted model, a hand-set clock.

Each implements its whole port, failures included, so a test says what the world does and not how the code calls it.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec

from handrail.guard.ports import ModelRequest, Spent, Subject, Taker, Thread
from handrail.guard.turn import ModelCall
from handrail.ledger.entry import Entry
from handrail.ledger.store import Commit
from handrail.releases.assign import Drawn
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, CustomerId, Digest, SubjectId, UseCaseId


class HandClock:
    """Moves only when told."""

    def __init__(self, now_ms: int = 1_790_000_000_000) -> None:
        self.ms = now_ms
        self.mono = 1_000.0

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.mono

    def pass_s(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)
        self.mono += seconds


class CountingIds:
    """Ids by counting."""

    def __init__(self) -> None:
        self.made = 0

    def new(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}_{self.made:026d}"

    def token(self, size: int) -> bytes:
        self.made += 1
        return hashlib.shake_128(str(self.made).encode()).digest(size)


class MemoryJournal:
    """Keeps entries in a list. `away`: the next commits fail. `log` is told of every step, for tests of order."""

    def __init__(self, log: Callable[[str], None] = lambda step: None) -> None:
        self.entries: list[Entry] = []
        self.away = False
        self._log = log

    async def run(self, command: Callable[[Any], Any]) -> Any:
        raise NotImplementedError("the guard runs no commands")

    async def record(self, entry: Entry) -> None:
        await self.commit(entry)

    def commit(self, entry: Entry) -> Commit:
        commit = Commit(loop=asyncio.get_running_loop())
        if self.away:
            commit.set_exception(HandrailError(Code.JOURNAL_UNAVAILABLE, "the journal cannot commit", retry_after_s=1))
        else:
            self.entries.append(entry)
            self._log(f"durable {entry.kind.value}")
            commit.set_result(None)
        return commit

    def queue(self, entry: Entry) -> None:
        if self.away:
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, "the journal cannot commit", retry_after_s=1)
        self.entries.append(entry)
        self._log(f"queued {entry.kind.value}")

    def beside(self, command: Callable[[Any], object]) -> None:
        raise NotImplementedError("the guard runs no commands")

    async def close(self) -> None:
        return None

    def facts(self, kind: str = "interaction.closed") -> list[Any]:
        return [entry.facts for entry in self.entries if entry.kind.value == kind]

    def payloads(self) -> list[Any]:
        return [msgspec.json.decode(entry.payload) for entry in self.entries if entry.payload is not None]


def committing(work: Coroutine[Any, Any, None]) -> Commit:
    """A commit that takes as long as `work`, and ends as it does."""
    commit = Commit(loop=asyncio.get_running_loop())
    task = asyncio.ensure_future(work)

    def ended(done: asyncio.Task[None]) -> None:
        error = done.exception()
        if error is None:
            commit.set_result(None)
        else:
            commit.set_exception(error)

    task.add_done_callback(ended)
    return commit


class MemoryThreads:
    """Conversations in a dictionary, with the rules of the port. `now_ms`: when a conversation begins."""

    def __init__(self, now_ms: Callable[[], int] = lambda: 0) -> None:
        self._made = 0
        self._now_ms = now_ms
        self.begun: dict[str, tuple[int, str, str | None, str | None]] = {}  # at, use case, given id, customer
        self._turns: dict[str, int] = {}
        self._owners: dict[str, tuple[str, str]] = {}
        self._seen: dict[str, set[bytes]] = {}
        self._tails: dict[bytes, list[str]] = {}
        self._given: dict[tuple[str, str, str], str] = {}
        self._open: dict[str, tuple[str, str | None, tuple[bytes, ...]]] = {}
        self.releases: dict[str, Digest] = {}
        self.drawn: dict[str, Drawn] = {}
        self.units: dict[tuple[str, int, str], Drawn] = {}
        self.signals: list[tuple[str, str]] = []
        self.away = False

    def fingerprint(self, message: bytes) -> bytes:
        return hmac.digest(b"test", message, "sha256")[:16]

    async def open(
        self,
        *,
        use_case: UseCaseId,
        key_id: str,
        conversation: str | None,
        customer: CustomerId | None,
        history: Sequence[bytes],
        new_from: int,
    ) -> Thread:
        if self.away:
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, "storage cannot be read", retry_after_s=1)
        found: str | None = None
        sent = tuple([self.fingerprint(message) for message in history])
        if conversation is not None:
            ours = self._owners.get(conversation) == (use_case, key_id)
            found = conversation if ours else self._given.get((use_case, key_id, conversation))
        elif new_from:
            matches = self._tails.get(self._tail(key_id, customer, sent[:new_from]), [])
            found = matches[0] if len(matches) == 1 else None
        unlinked = found is None and conversation is None and new_from > 0
        if found is None:
            self._made += 1
            found = f"cv_{self._made:026d}"
            self._turns[found] = 0
            self._owners[found] = (use_case, key_id)
            self.begun[found] = (self._now_ms(), use_case, conversation, customer)
            self._seen[found] = set()
            if conversation is not None:
                self._given[use_case, key_id, conversation] = found
        self._open[found] = (key_id, customer, tuple(history))
        return Thread(
            conversation=ConversationId(found),
            subject=Subject(SubjectId(f"su_{found[3:]}"), hashlib.sha256(found.encode()).digest()),
            first=self._turns[found] == 0,
            unlinked=unlinked,
            seen=frozenset(self._seen[found]),
            sent=sent,
            release=self.releases.get(found),
            drawn=self.drawn.get(found),
        )

    async def unit(self, of: Digest, run: int, unit: str) -> Drawn | None:
        return self.units.get((of, run, unit))

    def assign(self, thread: Thread, drawn: Drawn) -> Thread:
        if self.away:
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, "storage cannot be written", retry_after_s=1)
        self.drawn[thread.conversation] = drawn
        if drawn.of:
            self.units.setdefault((drawn.of, drawn.run, drawn.unit), drawn)
        return msgspec.structs.replace(thread, release=drawn.release, drawn=drawn)

    def signal(self, thread: Thread, names: Sequence[str], at_ms: int) -> None:
        self.signals += [(thread.conversation, name) for name in names]

    async def close_turn(self, thread: Thread, *, history: Sequence[bytes]) -> None:
        if self.away:
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, "storage cannot be written", retry_after_s=1)
        name = thread.conversation
        self._turns[name] += 1
        if thread.release is not None:
            self.releases.setdefault(name, thread.release)
        key_id, customer, sent = self._open[name]
        known = len(sent) if tuple(history[: len(sent)]) == sent else 0
        hashes = [*thread.sent[:known], *[self.fingerprint(message) for message in history[known:]]]
        self._seen[name].update(hashes)
        self._tails.setdefault(self._tail(key_id, customer, hashes), []).append(name)

    def _tail(self, key_id: str, customer: str | None, hashes: Sequence[bytes]) -> bytes:
        return self.fingerprint(f"{key_id}\0{customer}\0".encode() + b"".join(hashes))


class MemoryReferences:
    """Provider objects in a dictionary."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, str | None, str], ConversationId | None] = {}

    async def known(self, *, use_case: UseCaseId, customer: CustomerId | None, names: Sequence[str]) -> bool:
        return all((use_case, customer, name) in self.names for name in names)

    async def conversation(
        self, *, use_case: UseCaseId, customer: CustomerId | None, name: str
    ) -> ConversationId | None:
        return self.names.get((use_case, customer, name))

    def record(
        self, *, use_case: UseCaseId, customer: CustomerId | None, name: str, conversation: ConversationId | None
    ) -> None:
        self.names[use_case, customer, name] = conversation


class MemoryModelCalls:
    """Calls in a list."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, ConversationId, ModelCall]] = []

    def record(
        self, *, use_case: UseCaseId, key_id: str, conversation: ConversationId, calls: Sequence[ModelCall]
    ) -> None:
        self.calls += [(use_case, key_id, conversation, call) for call in calls]

    async def conversation(
        self, *, use_case: UseCaseId, key_id: str, names: Sequence[str], arguments: Mapping[str, Any]
    ) -> ConversationId | None:
        found = [
            there
            for case, key, there, call in self.calls
            if (case, key) == (use_case, key_id) and call.name in names and json.loads(call.arguments) == arguments
        ]
        return found[0] if len(found) == 1 else None


class MemorySpending:
    """Totals shared by every `Budgets` that exchanges with it."""

    def __init__(self) -> None:
        self.totals: dict[tuple[str, str], Spent] = {}

    async def exchange(self, *, use_case: UseCaseId, period: str, added: Spent) -> Spent:
        before = self.totals.get((use_case, period), Spent())
        total = Spent(
            before.requests + added.requests,
            before.tokens + added.tokens,
            before.cost_micro_minor + added.cost_micro_minor,
        )
        self.totals[use_case, period] = total
        return total


class Answering:
    """One scripted response. `pieces`: body chunks, or an exception to raise in their place."""

    def __init__(
        self, pieces: Sequence[bytes | Exception], status: int = 200, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.status = status
        self.headers = tuple(headers)
        self.attempts = 1
        self.closed = False
        self._pieces = list(pieces)
        self._taker: Taker | None = None

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            left = self._taker(piece) if self._taker is not None else piece
            if left is not None:
                yield left

    def tap(self, taker: Taker) -> None:
        self._taker = taker

    async def close(self) -> None:
        self.closed = True


class ScriptedModel:
    """Answers each request with what `script` makes of it; keeps the requests."""

    def __init__(self, script: Callable[[ModelRequest], Any]) -> None:
        self.script = script
        self.requests: list[ModelRequest] = []

    async def send(self, request: ModelRequest) -> Any:
        self.requests.append(request)
        answer = self.script(request)
        if isinstance(answer, Exception):
            raise answer
        return answer
