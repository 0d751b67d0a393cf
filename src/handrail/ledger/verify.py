"""Whether a log, and the records beside it, are what was signed. Pure: everything is read through two small ports.

What is checked, in this order:

1. The checkpoint: its origin, its signatures, the quorum of witnesses (`ledger.note.check_checkpoint`).
2. The tiles: the right edge gives the signed root, and every full tile hashes to its place in the tile above.
3. The entry bundles: every entry hashes to its place in its tile.
4. Checkpoints known from before: the log still begins with each of them.
5. With records: the facts have the digest that the entry commits to, and what both say is equal; index columns are what
   the facts give; the ciphertext of a payload, where still there, has its digest and length; where it is not there,
   the source says why, and one that is simply missing is bad.

It raises BadLog at the first bad entry, or returns a Report; there is no boolean to forget. Not shown by this: entries
journaled but not yet published; a whole log rewritten with the log's key, unless a witness or an older checkpoint says
otherwise; that what storage says of an absent payload is true (the log has an entry for each erasure and retention).
"""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from hashlib import sha256
from typing import Protocol

import msgspec

from handrail.ledger.commitment import RecordedFacts, agree, covers, decode, payload_of, read_facts
from handrail.ledger.note import BadNote, Checkpoint, Trust, Trusted, check_checkpoint
from handrail.ledger.paths import CHECKPOINT, WITNESSED
from handrail.ledger.tree import (
    HASH,
    WIDTH,
    BadProof,
    Edge,
    File,
    Read,
    Tiles,
    bundle_path,
    grow,
    leaf_hashes,
    root_of,
    tile_path,
    unpack_bundle,
)

_CHUNK = 16  # bundles for which records are read at once


class BadLog(Exception):
    """What is wrong, and where. `index`: the first bad entry; None when only a range is known: then the bad ones are at
    or after `start` and before `end`. `id`: its entry id where one can still be read. `path`: the file at fault."""

    def __init__(
        self, what: str, *, index: int | None = None, id_: str = "", path: str = "", start: int = 0, end: int = 0
    ) -> None:
        self.what, self.index, self.id, self.path, self.start, self.end = what, index, id_, path, start, end
        place = f"entry {index}" if index is not None else f"entries {start} to {end - 1}" if end > start else "the log"
        super().__init__(f"{place}{f' ({id_})' if id_ else ''}: {what}{f' [{path}]' if path else ''}")


class Absence(Enum):
    """Why a source has no ciphertext for an entry that commits to one. Only MISSING is an error."""

    ERASED = "erased"  # the key of its subject is destroyed
    EXPIRED = "expired"  # a retention entry reaches beyond its time
    LEFT_OUT = "left out"  # the source has no payloads at all, or was not asked for them
    UNTOLD = "untold"  # an export that has payloads has none here: it cannot show why
    MISSING = "missing"  # it should be there


class Record(msgspec.Struct, frozen=True, gc=False):
    """What storage or an export has of one entry. `payload`: the ciphertext, None when not there: `absence` says why,
    and means nothing for an entry that commits to no payload. `key`: the stored reference of the subject's key, None
    when there is no payload row or it was not read. `columns`: the index columns as stored, None when the source has
    none."""

    index: int
    facts: bytes
    payload: bytes | None = None
    key: str | None = None
    columns: object = None
    absence: Absence = Absence.UNTOLD


class RecordReader(Protocol):
    """Records by index, from the journal or an export."""

    def records(self, first: int, limit: int) -> Sequence[Record]:
        """Those with index first .. first + limit - 1 that exist, in order."""
        ...


class Report(msgspec.Struct, frozen=True):
    """What was checked; every number is of things found good. `witnessed`: the checkpoint that meets the quorum; None
    when none was asked for. Entries beyond its size are not vouched for yet."""

    trusted: Trusted
    witnessed: Trusted | None
    entries: int
    facts: int = 0
    columns: int = 0
    payloads: int = 0
    payloads_gone: int = 0  # erased or past their retention, as storage says
    payloads_left_out: int = 0  # not in the source, or not read
    payloads_untold: int = 0  # not in an export that has payloads: it cannot show why

    @property
    def payloads_absent(self) -> int:
        """All that are committed to and were not checked."""
        return self.payloads_gone + self.payloads_left_out + self.payloads_untold


Project = Callable[[RecordedFacts], object]
"""The pure projection of facts to index columns: `ledger.read.columns`."""


def verify(
    read: Read,
    trust: Trust,
    *,
    records: RecordReader | None = None,
    project: Project | None = None,
    known: Sequence[Checkpoint] = (),
) -> Report:
    """Check everything under the log's current checkpoint. `known`: checkpoints that the caller trusts from before.
    When the policy asks for witnesses, they vouch for the current checkpoint or for the file `witnessed`, and the log
    must contain what they saw. A ValueError of `read`: the file is damaged. Raises BadLog."""
    read = _whole(read)
    trusted = _checkpoint(read, CHECKPOINT, msgspec.structs.replace(trust, quorum=0))
    witnessed = None
    if trust.quorum:
        enough = len(trusted.cosigned) >= trust.quorum or read(WITNESSED) is None
        witnessed = _checkpoint(read, CHECKPOINT if enough else WITNESSED, trust)
        known = [*known, witnessed.checkpoint]
    check = _Check(read, trusted, records, project, sorted(known, key=lambda one: one.size))
    return check.run(witnessed)


def _whole(read: Read) -> Read:
    def whole(path: str) -> bytes | None:
        try:
            return read(path)
        except ValueError as error:
            raise BadLog(f"a file cannot be read: {error}", path=path) from None

    return whole


def _checkpoint(read: Read, path: str, trust: Trust) -> Trusted:
    data = read(path)
    if data is None:
        raise BadLog("there is no checkpoint", path=path)
    try:
        return check_checkpoint(data, trust)
    except BadNote as error:
        raise BadLog(str(error), path=path) from None


class _Counts:
    __slots__ = ("columns", "facts", "gone", "left_out", "payloads", "untold")

    def __init__(self) -> None:
        self.facts = self.columns = self.payloads = self.gone = self.left_out = self.untold = 0

    def without_payload(self, why: Absence) -> None:
        if why is Absence.LEFT_OUT:
            self.left_out += 1
        elif why is Absence.UNTOLD:
            self.untold += 1
        else:
            self.gone += 1


class _Check:
    """One run over one checkpoint."""

    def __init__(
        self,
        read: Read,
        trusted: Trusted,
        records: RecordReader | None,
        project: Project | None,
        known: Sequence[Checkpoint],
    ) -> None:
        self.read, self.trusted, self.records, self.project, self.known = read, trusted, records, project, known
        self.size, self.root = trusted.checkpoint.size, trusted.checkpoint.root
        self.counts = _Counts()
        self.edge = Edge()
        self.rows: Sequence[Record] = ()
        self.rows_from = 0

    def run(self, witnessed: Trusted | None) -> Report:
        above = self._upper_tiles()
        for n, tile in enumerate(self._leaf_tiles(above)):
            self._bundle(n, tile)
        self._known()
        found = self.counts
        return Report(
            self.trusted, witnessed, self.size, found.facts, found.columns,
            found.payloads, found.gone, found.left_out, found.untold,
        )  # fmt: skip

    # --- tiles, from the root down ---

    def _upper_tiles(self) -> bytes:
        """All hashes of level 1, each shown to lie under the signed root."""
        try:
            edge = Tiles(self.read, self.size).edge()
        except BadProof as error:
            raise self._locate(str(error)) from None
        if edge.root() != self.root:
            raise self._locate("the tiles do not give the signed root")
        self.edge = edge
        above = b""
        for level in range(len(edge.levels) - 1, 0, -1):
            hashes = []
            for n in range((self.size >> 8 * level) // WIDTH):
                path = tile_path(level, n)
                tile = self.read(path)
                if tile is None or len(tile) != WIDTH * HASH or root_of(tile) != above[n * HASH : (n + 1) * HASH]:
                    raise self._locate("a tile is missing or does not hash to the tile above", path)
                hashes.append(tile)
            above = b"".join(hashes) + edge.levels[level]
        return above

    def _leaf_tiles(self, above: bytes) -> Iterator[bytes]:
        """Every tile of level 0 in order, shown to lie under its hash in level 1, the partial one last."""
        for n in range(self.size // WIDTH):
            tile = self.read(tile_path(0, n))
            if tile is None or len(tile) != WIDTH * HASH or root_of(tile) != above[n * HASH : (n + 1) * HASH]:
                raise self._bad_leaf_tile(n, tile, above[n * HASH : (n + 1) * HASH])
            yield tile
        if self.size % WIDTH:
            yield self.edge.levels[0]

    def _bad_leaf_tile(self, n: int, tile: bytes | None, parent: bytes) -> BadLog:
        start, end, path = n * WIDTH, (n + 1) * WIDTH, tile_path(0, n)
        entries = self._entries(n, WIDTH)
        leaves = leaf_hashes(entries)
        at = _first_difference(leaves, tile or b"")
        if len(leaves) == WIDTH * HASH and root_of(leaves) == parent:
            if tile is None:
                return BadLog("the tile is missing; the entries are right", path=path, start=start, end=end)
            return BadLog("its hash in the tile is wrong; the entry is right", index=start + at, path=path)
        bad = self._first_bad_record(start, entries[:at])
        if bad is not None:
            return bad
        if tile is not None and at < WIDTH:
            return self._bad_entry(start + at, entries, at, "the entry or its hash in the tile was changed")
        return BadLog("an entry and its tile were changed together", path=path, start=start, end=end)

    # --- entries and records ---

    def _bundle(self, n: int, tile: bytes) -> None:
        """Check bundle n against its good tile, and the records of its entries."""
        start, width = n * WIDTH, len(tile) // HASH
        entries = self._entries(n, width)
        leaves = leaf_hashes(entries)
        if leaves == tile:
            self._records_of(start, entries)
            return
        at = _first_difference(leaves, tile)
        self._records_of(start, entries[:at])
        if at >= width:
            raise BadLog("an entry beyond the signed size", index=start + at, path=bundle_path(n, width))
        what = "the entry was changed, moved or removed: it does not hash to its place in the tile"
        raise self._bad_entry(start + at, entries, at, what)

    def _entries(self, n: int, width: int) -> list[bytes]:
        """The entries of bundle n; cut to the width when only the later full bundle is there. Empty when missing."""
        data = self.read(bundle_path(n, width))
        if data is None and width < WIDTH:
            data = self.read(bundle_path(n))
            return unpack_bundle(data)[:width] if data is not None else []
        return unpack_bundle(data) if data is not None else []

    def _bad_entry(self, index: int, entries: Sequence[bytes], at: int, what: str) -> BadLog:
        path = bundle_path(index // WIDTH, min(WIDTH, self.size - index // WIDTH * WIDTH))
        if self.read(path) is None and self.read(bundle_path(index // WIDTH)) is None:
            return BadLog("the entry bundle is missing", index=index, path=path)
        return BadLog(what, index=index, id_=_id_of(entries[at]) if at < len(entries) else "", path=path)

    def _records_of(self, start: int, entries: Sequence[bytes]) -> None:
        if self.records is None or not entries:
            return
        rows = self._window(start, len(entries))
        check, counts = self._record, self.counts
        for index, (entry, record) in enumerate(zip(entries, rows, strict=False), start):
            if record.index != index:
                raise self._missing(index, entry)
            check(entry, record, counts)
        if len(rows) < len(entries):
            raise self._missing(start + len(rows), entries[len(rows)])

    def _window(self, start: int, count: int) -> Sequence[Record]:
        """Records from start, read many bundles at once. A gap shows as a record whose index is not its place."""
        assert self.records is not None
        offset = start - self.rows_from
        if offset < 0 or offset + count > _CHUNK * WIDTH or not self.rows:
            limit = min(_CHUNK * WIDTH, self.size - start)
            try:
                self.rows, self.rows_from, offset = self.records.records(start, limit), start, 0
            except ValueError as error:
                raise BadLog(f"the records cannot be read: {error}", start=start, end=start + limit) from None
        return self.rows[offset : offset + count]

    def _missing(self, index: int, entry: bytes) -> BadLog:
        return BadLog("the journal has no record of it", index=index, id_=_id_of(entry))

    def _record(self, entry: bytes, record: Record, counts: _Counts) -> None:
        try:
            facts = read_facts(record.facts)
            good = covers(entry, record.facts, facts)
        except ValueError as error:
            raise self._bad_facts(entry, record, str(error)) from None
        if not good:
            raise self._bad_facts(entry, record, "")
        counts.facts += 1
        if self.project is not None:
            self._columns(record, facts)
        if record.key is not None and not entry.endswith(b"%c%b" % (len(record.key) & 255, record.key.encode())):
            raise BadLog("its payload is filed under another subject", index=record.index, id_=facts.id)
        committed = payload_of(entry)
        if committed is None:
            if record.payload is not None:
                raise BadLog("it has a payload that was never committed to", index=record.index, id_=facts.id)
        elif record.payload is None:
            if record.absence is Absence.MISSING:
                what = "its payload is missing: storage shows neither an erasure nor a retention that explains it"
                raise BadLog(what, index=record.index, id_=facts.id)
            counts.without_payload(record.absence)
        elif (sha256(record.payload).digest(), len(record.payload)) != committed:
            raise BadLog("its payload was changed", index=record.index, id_=facts.id)
        else:
            counts.payloads += 1

    def _bad_facts(self, entry: bytes, record: Record, why: str) -> BadLog:
        """Why facts and leaf do not belong together, in words."""
        try:
            commitment = decode(entry)
            if sha256(record.facts).digest() != commitment.facts:
                why = "its facts were changed"
            elif not why:
                agree(commitment, read_facts(record.facts))
                why = "its facts do not belong to the entry"
        except ValueError as error:
            why = str(error)
        return BadLog(why, index=record.index, id_=_id_of(entry))

    def _columns(self, record: Record, facts: RecordedFacts) -> None:
        assert self.project is not None
        try:
            expected = self.project(facts)
        except ValueError as error:
            raise BadLog(str(error), index=record.index, id_=facts.id) from None
        if record.columns != expected:
            names = ", ".join(_differing(record.columns, expected))
            raise BadLog(f"index columns do not follow from its facts: {names}", index=record.index, id_=facts.id)
        self.counts.columns += 1

    # --- checkpoints from before ---

    def _known(self) -> None:
        """Raises BadLog unless the log begins with each known checkpoint."""
        before = 0
        for old in self.known:
            if old.origin != self.trusted.checkpoint.origin:
                raise BadLog(f"the known checkpoint of size {old.size} is of another log")
            if old.size > self.size:
                raise BadLog(f"the log was cut: {old.size} entries were published", start=self.size, end=old.size)
            if Tiles(self._full_or_cut, old.size).root() != old.root:
                what = f"the log was rewritten: it does not contain the checkpoint of size {old.size}"
                raise BadLog(what, start=before, end=old.size)
            before = old.size

    def _full_or_cut(self, path: str) -> bytes | None:
        """Tiles of an older size, cut from the tiles of this one."""
        whole, dot, width = path.partition(".p/")
        data = self.read(whole)
        if data is None and self.size:
            data = self._newest_partial(whole)
        return data if data is None or not dot else data[: int(width) * HASH]

    def _newest_partial(self, path: str) -> bytes | None:
        for level, hashes in enumerate(self.edge.levels):
            n = (self.size >> 8 * level) // WIDTH
            if tile_path(level, n) == path:
                return hashes
        return None

    # --- when the tiles contradict each other: find the first entry at fault ---

    def _locate(self, what: str, path: str = "") -> BadLog:
        """Rebuild the tree from the entries. If it gives the signed root, a tile is at fault; if not, the first entry
        that contradicts its tile or its record is."""
        edge, wrong = Edge(), None
        for n in range(-(-self.size // WIDTH)):
            start, width = n * WIDTH, min(WIDTH, self.size - n * WIDTH)
            entries = self._entries(n, width)
            bad = self._first_bad_record(start, entries[:width])
            if bad is not None:
                return bad
            if len(entries) != width:
                at = min(len(entries), width)
                return self._bad_entry(start + at, entries, at, "the entry is missing, or one too many is there")
            edge, files = grow(edge, entries)
            full = [file for file in files if not file.partial and not file.path.startswith("tile/entries/")]
            last = [] if edge.size < self.size else _partial_tiles(edge)
            wrong = wrong or next(((start, one) for one in full + last if self.read(one.path) != one.data), None)
        if wrong is None:
            return self._narrow("entries and tiles agree with each other, but not with the signed root")
        start, file = wrong
        if edge.root() == self.root:
            return BadLog(f"{what}; the entries are right", path=file.path, start=start, end=self.size)
        there = self.read(file.path)
        if file.path.startswith("tile/0/") and there is not None:
            at = _first_difference(file.data, there)
            entries = self._entries(start // WIDTH, min(WIDTH, self.size - start))
            return self._bad_entry(start + at, entries, at, "the entry or its hash in the tile was changed")
        return self._narrow(what, path or file.path)

    def _narrow(self, what: str, path: str = "") -> BadLog:
        """No single entry can be named: the range that the known checkpoints leave."""
        start, end = 0, self.size
        for old in self.known:
            if old.size > self.size:
                break
            try:
                good = Tiles(self.read, old.size).root() == old.root
            except BadProof:
                good = False
            if not good:
                end = old.size
                break
            start = old.size
        return BadLog(what, path=path, start=start, end=end)

    def _first_bad_record(self, start: int, entries: Sequence[bytes]) -> BadLog | None:
        try:
            self._records_of(start, entries)
        except BadLog as bad:
            return bad
        return None


def _partial_tiles(edge: Edge) -> list[File]:
    """The partial tiles of the right edge."""
    tiles = []
    for level, hashes in enumerate(edge.levels):
        n = (edge.size >> 8 * level) // WIDTH
        if hashes:
            tiles.append(File(tile_path(level, n, len(hashes) // HASH), hashes))
    return tiles


def _id_of(entry: bytes) -> str:
    """The entry id, or empty where it cannot be read."""
    try:
        return decode(entry).id
    except ValueError:
        return ""


def _first_difference(one: bytes, other: bytes) -> int:
    """Index of the first hash in which two runs differ, a missing one counting as different."""
    end = min(len(one), len(other)) // HASH
    return next(
        (at for at in range(end) if one[at * HASH : (at + 1) * HASH] != other[at * HASH : (at + 1) * HASH]), end
    )


def _differing(stored: object, expected: object) -> list[str]:
    """Names of the columns that differ; never their values."""
    names = getattr(expected, "_fields", None) or getattr(expected, "__struct_fields__", ())
    if type(stored) is not type(expected) or not names:
        return ["missing" if stored is None else "unexpected" if expected is None else "of another form"]
    differing = []
    for name in names:
        one, other = getattr(stored, name), getattr(expected, name)
        if one != other:
            inner = _differing(one, other) if hasattr(other, "_fields") else []
            differing += [f"{name}.{part}" for part in inner] or [name]
    return differing
