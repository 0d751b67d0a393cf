"""Port of the sequencer: how entries of the journal get their place in the log. Storage implements it.

Words: an entry is *journaled* (committed, no index), *sequenced* (has its index), *integrated* (its leaf is in the
tiles on disk), *published* (under a signed checkpoint that storage and disk both hold).

One step of the sequencer, and what a crash after each part leaves:

1. `lead`: nothing changed.
2. `take`, then `assign`, one transaction: entries are sequenced. Nothing on disk yet; the next step finds
   `sequenced() > head().size` and integrates them before it takes more.
3. tiles and entry bundles are written (temporary file, fsync, rename). Some, all, or none of the new files exist,
   each whole. No checkpoint covers them. The next step writes the same bytes again from `commitments`.
4. `published`, one transaction: storage holds the new checkpoint, the file `checkpoint` is still the older one. The
   next start writes the file from `head().checkpoint`. The checkpoint on disk is therefore never ahead of storage;
   when it is, storage was rolled back or swapped, and the sequencer refuses to go on.
5. the file `checkpoint` is replaced: the step is complete.

Two processes that both believe they lead do no harm: `assign` and `published` are compare-and-set, and every other
write is the same bytes from the same commitments.
"""

from typing import Protocol

import msgspec


class Pending(msgspec.Struct, frozen=True, gc=False):
    """A journaled entry without an index. `ref`: storage's own row number. `commitment`: the leaf's bytes, exactly as
    `ledger.commitment` encoded them when the entry was appended."""

    ref: int
    commitment: bytes


class Head(msgspec.Struct, frozen=True):
    """The last published state. An empty log has size 0, the root SHA-256 of nothing (32 bytes), no checkpoint."""

    size: int
    root: bytes
    checkpoint: bytes


class Sequencing(Protocol):
    """Every method raises HandrailError JOURNAL_UNAVAILABLE when storage does not answer; then nothing is published
    and the step is tried again."""

    async def lead(self) -> bool:
        """Become or stay the one sequencer of this database (advisory lock or lease, renewed by this call). False:
        another process leads. A lock dies with its process, a lease at most 10 s later."""
        ...

    async def resign(self) -> None:
        """Let another process lead at once; for an orderly shutdown. Nothing happens when this one does not lead."""
        ...

    async def head(self) -> Head:
        """What `published` last stored."""
        ...

    async def sequenced(self) -> int:
        """Number of entries that have an index; indices are 0 .. n-1 without a gap."""
        ...

    async def take(self, limit: int) -> list[Pending]:
        """At most `limit` durable entries without an index, oldest row first. Rows of a transaction that commits later
        may have lower refs than rows already sequenced: they are simply taken next, so nothing is skipped."""
        ...

    async def assign(self, first_index: int, refs: list[int]) -> None:
        """Give refs[i] the index first_index + i, durable on return. All or none. Raises HandrailError LOST_RACE unless
        first_index == sequenced() and no ref has an index."""
        ...

    async def commitments(self, first_index: int, limit: int) -> list[bytes]:
        """The commitments with index first_index, first_index + 1, ...; at most `limit`, fewer only at the end. Kept
        for as long as the log, also when payloads are erased: torn or lost tiles are rebuilt from them."""
        ...

    async def published(self, size: int, root: bytes, checkpoint: bytes) -> None:
        """Store the new head, durable on return. Raises HandrailError LOST_RACE unless head().size <= size <=
        sequenced(), or when the size is equal and the root is not."""
        ...
