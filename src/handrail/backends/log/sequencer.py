"""The sequencer: gives journaled entries their place, writes the tiles, publishes signed checkpoints.

`ledger.sequence` says what a crash leaves at each step; `Sequencer._recover` is the other half: it runs before the
first step and after every failed one, and brings folder and database together again or refuses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from handrail.backends.log.files import LogFolder
from handrail.ledger.note import BadNote, Checkpoint, SigningKey, Trust, check_checkpoint, sign_checkpoint
from handrail.ledger.paths import CHECKPOINT
from handrail.ledger.sequence import Head, Sequencing
from handrail.ledger.tree import (
    EMPTY_ROOT,
    WIDTH,
    BadProof,
    Edge,
    File,
    Tiles,
    bundle_path,
    check_consistency,
    consistency_proof,
    grow,
    unpack_bundle,
)
from handrail.terms.errors import Code, HandrailError

PACE_MS = 1_000  # a checkpoint each second while entries wait,
AT_ONCE = 1_000  # or at once when so many were waiting
BATCH = 4_096  # entries of one checkpoint at most
REBUILD_BATCH = 8_192  # entries read from storage at once when tiles are rebuilt


class Published(msgspec.Struct, frozen=True):
    """A new checkpoint. `added`: entries since the one before; `full`: so many were waiting that the next step should
    follow at once."""

    size: int
    root: bytes
    added: int
    full: bool


class Sequencer:
    """One log over one Sequencing port and one folder. Not for concurrent use: one task calls `step`."""

    def __init__(
        self,
        storage: Sequencing,
        folder: LogFolder,
        keys: Sequence[SigningKey],
        *,
        origin: str = "",
        batch: int = BATCH,
    ) -> None:
        """`keys`: the log's Ed25519 key first, then optionally its ML-DSA-44 key and, during a rotation, the old
        one. `origin`: default the name of the first key."""
        self._storage, self._folder, self._keys, self._batch = storage, folder, tuple(keys), batch
        self._origin = origin or keys[0].name
        self._edge: Edge | None = None  # None: folder and storage must be compared first

    async def step(self, now_ms: int) -> Published | None:
        """Publish what waits, at most one batch. None: another process leads, or nothing waits. Raises HandrailError
        JOURNAL_UNAVAILABLE or LOST_RACE (try again), LOG_CONFLICT (a person must look), or OSError of the disk (try
        again); after any of them the next step compares folder and storage anew, so nothing is lost or written twice.
        """
        if not await self._storage.lead():
            self._edge = None
            self._folder.unlock()
            return None
        edge, self._edge = self._edge, None  # only a step that ends well keeps it
        if edge is None:
            self._folder.lock()
            edge = await self._recover()
        taken = await self._storage.sequenced() - edge.size
        if taken < 0:
            raise HandrailError(Code.LOG_CONFLICT, "the database lost entries that were published: it was rolled back")
        if taken > 0:  # sequenced by a step that did not end
            commitments = await self._storage.commitments(edge.size, min(taken, self._batch))
            full = True
        else:
            pending = await self._storage.take(self._batch)
            commitments = [row.commitment for row in pending]
            full = len(pending) >= min(AT_ONCE, self._batch)
            if pending:
                await self._storage.assign(edge.size, [row.ref for row in pending])
        if not commitments:
            self._edge = edge
            return None
        self._edge, root = await self._publish(edge, commitments, now_ms)
        return Published(self._edge.size, root, len(commitments), full)

    async def close(self) -> None:
        """Let another process go on at once. Raises what storage raises; the folder is free in any case."""
        self._edge = None
        self._folder.unlock()
        await self._storage.resign()

    async def _publish(self, edge: Edge, commitments: Sequence[bytes], now_ms: int) -> tuple[Edge, bytes]:
        """Integrate, then publish: files, storage, checkpoint file, in this order (`ledger.sequence`). The new edge and
        its root."""
        edge, files = grow(edge, commitments)
        await asyncio.to_thread(self._folder.write, files)
        root = edge.root()
        signed = sign_checkpoint(Checkpoint(self._origin, edge.size, root), self._keys, now_ms // 1000)
        await self._storage.published(edge.size, root, signed)
        await asyncio.to_thread(self._show, signed, files)
        return edge, root

    def _show(self, signed: bytes, files: Sequence[File]) -> None:
        self._folder.write_checkpoint(signed)
        self._folder.drop_partials(files)

    async def _recover(self) -> Edge:
        """The edge of the published tree, after folder and storage agree. Raises HandrailError LOG_CONFLICT when they
        cannot: the folder is ahead, or holds another log."""
        head = await self._storage.head()
        on_disk = self._disk_checkpoint()
        if on_disk is not None and on_disk.size > head.size:
            raise HandrailError(
                Code.LOG_CONFLICT,
                f"the published log has {on_disk.size} entries, the database knows {head.size}: the database was "
                "rolled back or belongs to another log; restore the newer database, then start again",
            )
        if on_disk is not None and on_disk.size == head.size and on_disk.root != head.root:
            raise HandrailError(
                Code.LOG_CONFLICT, "the published log and the database have different roots at one size"
            )
        edge = None if on_disk is None and head.size else self._load_edge(head)
        if edge is None:
            edge = await self.rebuild()
        if on_disk is not None:
            self._must_follow(on_disk, head)
        if head.size:
            await asyncio.to_thread(self._folder.write_checkpoint, self._newest(head))
        return edge

    def _must_follow(self, old: Checkpoint, head: Head) -> None:
        """Raises HandrailError LOG_CONFLICT unless storage's tree has the published one as its beginning."""
        tiles = Tiles(self._folder.read, head.size)
        try:
            check_consistency(old.size, old.root, head.size, head.root, consistency_proof(tiles, old.size))
        except BadProof as error:
            raise HandrailError(
                Code.LOG_CONFLICT, f"the database does not continue the log that was published: {error}"
            ) from None

    async def rebuild(self) -> Edge:
        """Write every missing or torn file of the published tree again from storage; the edge. Raises HandrailError
        LOG_CONFLICT when storage does not give the published root: then nothing is written."""
        self._folder.lock()
        head = await self._storage.head()
        edge = await self._replay(head, write=False)
        if edge.size != head.size or edge.root() != head.root:
            raise HandrailError(
                Code.LOG_CONFLICT,
                f"the entries in the database are not those of the checkpoint of size {head.size}: they were changed; "
                "`handrail verify` names the first bad one",
            )
        return await self._replay(head, write=True)

    async def _replay(self, head: Head, *, write: bool) -> Edge:
        edge = Edge()
        while edge.size < head.size:
            rows = await self._storage.commitments(edge.size, min(REBUILD_BATCH, head.size - edge.size))
            if not rows:
                break
            edge, files = grow(edge, rows)
            if write:
                keep = files if edge.size == head.size else [file for file in files if not file.partial]
                await asyncio.to_thread(self._folder.write, keep)
        return edge

    def _load_edge(self, head: Head) -> Edge | None:
        """The right edge from the folder, or None when a file of it is missing, torn or wrong."""
        if head.size == 0:
            return Edge() if head.root == EMPTY_ROOT else None
        tiles = Tiles(self._folder.read, head.size)
        try:
            edge = tiles.edge()
        except BadProof:
            return None
        n, width = divmod(head.size, WIDTH)
        data = self._folder.read(bundle_path(n, width)) if width else b""
        entries = tuple(unpack_bundle(data)) if data is not None else ()
        whole = Edge(head.size, edge.levels, entries)
        leaves = edge.levels[0] if edge.levels else b""
        fits = len(entries) == width and grow(Edge(), entries)[0].levels[:1] == ((leaves,) if width else ())
        return whole if fits and edge.root() == head.root else None

    def _disk_checkpoint(self) -> Checkpoint | None:
        """The checkpoint in the folder. Raises HandrailError LOG_CONFLICT when it is not signed by this log's key."""
        data = self._folder.read(CHECKPOINT)
        if data is None:
            return None
        try:
            trust = Trust(tuple(key.verifier for key in self._keys), origin=self._origin)
            return check_checkpoint(data, trust).checkpoint
        except BadNote as error:
            raise HandrailError(
                Code.LOG_CONFLICT,
                f"the checkpoint in the log's folder is not of this log ({error}); give the log its own folder, or "
                "its key back",
            ) from None

    def _newest(self, head: Head) -> bytes:
        """The checkpoint file as it should be: storage's, unless the folder has the same state with more signatures."""
        on_disk = self._folder.read(CHECKPOINT)
        known = self._disk_checkpoint()
        return on_disk if on_disk is not None and known is not None and known.size == head.size else head.checkpoint


async def run(
    sequencer: Sequencer,
    *,
    now_ms: Callable[[], int],
    pause: Callable[[float], Awaitable[None]],
    report: Callable[[Published | Exception], None],
    stopped: Callable[[], bool],
) -> None:
    """Step until `stopped`: at once while more waits, else once a second. `pause` takes seconds. Every outcome goes to
    `report`; a failure is tried again after a second, so a full disk or a lost database heals without a restart. The
    caller closes the sequencer."""
    while not stopped():
        done: Published | None = None
        try:
            done = await sequencer.step(now_ms())
            if done is not None:
                report(done)
        except (HandrailError, OSError) as error:
            report(error)
        if done is None or not done.full:
            await pause(PACE_MS / 1000)
