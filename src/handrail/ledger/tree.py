"""The Merkle tree of RFC 6962 as C2SP tlog-tiles: hashes, paths, growth from the right edge, proofs. Pure.

Sources: RFC 6962 section 2.1 (hashes, PATH, PROOF); c2sp.org/tlog-tiles (tiles of 256 hashes, `.p/W` for partial ones,
entry bundles with a big-endian uint16 length before each entry). Hashes are 32 bytes; a run of hashes is their
concatenation, because that is what tiles store and what hashes fastest.
"""

import struct
from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

WIDTH = 256  # hashes in a full tile, entries in a full bundle
HASH = 32
MAX_ENTRY = 65_535  # the length prefix is a uint16
MAX_SIZE = 2**63 - 1
EMPTY_ROOT = sha256(b"").digest()

Read = Callable[[str], bytes | None]
"""Path below the log's address, such as `tile/0/x001/234`, to its bytes; None when there is no such file."""


class BadProof(ValueError):
    """A proof that does not prove; the sentence says why."""


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962, 2.1: SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Sequence[bytes]) -> bytes:
    """The leaf hashes of all entries, one after the other."""
    hash_, zero = sha256, b"\x00"
    return b"".join([hash_(zero + entry).digest() for entry in entries])


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, 2.1: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: bytes) -> bytes:
    """Root over a run of sibling hashes of one height. The last may stand for a smaller subtree: pairing from the left
    and carrying an odd last hash up is the same tree as RFC 6962's split at the largest power of two."""
    if not hashes:
        return EMPTY_ROOT
    hash_, one = sha256, b"\x01"
    while len(hashes) > HASH:
        odd = len(hashes) % (2 * HASH)
        last = hashes[len(hashes) - odd :]
        pairs = len(hashes) - odd
        hashes = b"".join([hash_(one + hashes[at : at + 64]).digest() for at in range(0, pairs, 64)]) + last
    return hashes


# --- paths and bundles ---


def _index_path(n: int) -> str:
    parts = [f"{n % 1000:03d}"]
    while n := n // 1000:
        parts.append(f"x{n % 1000:03d}")
    return "/".join(reversed(parts))


def tile_path(level: int, n: int, width: int = WIDTH) -> str:
    """`tile/<level>/<n>`, with `.p/<width>` for a partial tile."""
    suffix = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{_index_path(n)}{suffix}"


def bundle_path(n: int, width: int = WIDTH) -> str:
    """`tile/entries/<n>`, with `.p/<width>` for a partial bundle."""
    suffix = "" if width == WIDTH else f".p/{width}"
    return f"tile/entries/{_index_path(n)}{suffix}"


def pack_bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle. Raises ValueError for an entry over 65,535 bytes."""
    prefix = struct.Struct(">H").pack
    try:
        return b"".join([part for entry in entries for part in (prefix(len(entry)), entry)])
    except struct.error:
        raise ValueError(f"an entry of {max(map(len, entries))} bytes; {MAX_ENTRY} is the most") from None


def unpack_bundle(data: bytes) -> list[bytes]:
    """The whole entries of a bundle in order. A cut or overlong tail is returned as one last entry of the bytes that
    are left, prefix included, so that the caller sees its index: it cannot hash to its leaf."""
    entries, at, size = [], 0, len(data)
    while at < size:
        end = at + 2 + (data[at] << 8) + (data[at + 1] if at + 1 < size else 0)
        if end > size or at + 2 > size:
            entries.append(data[at:])
            break
        entries.append(data[at + 2 : end])
        at = end
    return entries


# --- growth ---


class File(msgspec.Struct, frozen=True):
    """One file of the log below its root. Files at full paths never change once published."""

    path: str
    data: bytes

    @property
    def partial(self) -> bool:
        """Whether a longer file of the same tile will replace it."""
        return ".p/" in self.path


class Edge(msgspec.Struct, frozen=True):
    """All that is needed to grow a log: its size, the hashes of the rightmost partial tile of each level, and the
    entries of the rightmost partial bundle."""

    size: int = 0
    levels: tuple[bytes, ...] = ()
    entries: tuple[bytes, ...] = ()

    def root(self) -> bytes:
        """MTH of the whole tree."""
        above = b""
        for hashes in self.levels:
            if hashes or above:
                above = root_of(hashes + above)
        return above or EMPTY_ROOT


def grow(edge: Edge, entries: Sequence[bytes]) -> tuple[Edge, list[File]]:
    """Append the entries; the new edge and every file that the new size needs and the old one did not: full tiles and
    bundles first, then the partial ones of the new size. Raises ValueError for an entry over 65,535 bytes."""
    if not entries:
        return edge, []
    files: list[File] = []
    waiting = [*edge.entries, *entries]
    n = edge.size // WIDTH
    while len(waiting) >= WIDTH:
        files.append(File(bundle_path(n), pack_bundle(waiting[:WIDTH])))
        waiting, n = waiting[WIDTH:], n + 1
    partial = [File(bundle_path(n, len(waiting)), pack_bundle(waiting))] if waiting else []

    levels = list(edge.levels)
    fresh, level, full_tile = leaf_hashes(entries), 0, WIDTH * HASH
    while fresh:
        if level == len(levels):
            levels.append(b"")
        hashes, n = levels[level] + fresh, (edge.size >> 8 * level) // WIDTH
        up = []
        whole = len(hashes) - len(hashes) % full_tile
        for at in range(0, whole, full_tile):
            tile = hashes[at : at + full_tile]
            files.append(File(tile_path(level, n), tile))
            up.append(root_of(tile))
            n += 1
        levels[level] = hashes[whole:]
        if levels[level]:
            partial.append(File(tile_path(level, n, len(levels[level]) // HASH), levels[level]))
        fresh, level = b"".join(up), level + 1
    return Edge(edge.size + len(entries), tuple(levels), tuple(waiting)), files + partial


# --- reading ---


class Tiles:
    """The hashes of one tree size over a reader. Raises BadProof when a tile is missing or has another length; what it
    returns is only as true as the tiles: check the result against a signed root."""

    def __init__(self, read: Read, size: int) -> None:
        if not 0 <= size <= MAX_SIZE:
            raise BadProof(f"a tree size of {size}")
        self._read = read
        self.size = size
        self._cache: dict[tuple[int, int], bytes] = {}
        self._ranges: dict[tuple[int, int], bytes] = {}

    def tile(self, level: int, n: int) -> bytes:
        """Tile n of the level as this size has it: full, or the partial one, or the full one cut to the width."""
        key = (level, n)
        if key in self._cache:
            return self._cache[key]
        width = min(WIDTH, (self.size >> 8 * level) - n * WIDTH)
        if width <= 0:
            raise BadProof(f"tile {level}/{n} is beyond a tree of {self.size} entries")
        path = tile_path(level, n, width)
        data = self._read(path)
        if data is None and width < WIDTH:
            path = tile_path(level, n)
            data = self._read(path)
            data = data[: width * HASH] if data is not None and len(data) == WIDTH * HASH else data
        if data is None:
            raise BadProof(f"{path} is missing")
        if len(data) != width * HASH:
            raise BadProof(f"{path} has {len(data)} bytes, {width * HASH} expected")
        self._cache[key] = data
        return data

    def edge(self) -> Edge:
        """The right edge without entries."""
        levels, level = [], 0
        while self.size >> 8 * level:
            n, width = divmod(self.size >> 8 * level, WIDTH)
            levels.append(self.tile(level, n) if width else b"")
            level += 1
        return Edge(self.size, tuple(levels))

    def root(self) -> bytes:
        """MTH of the tree that the tiles of the right edge describe."""
        return self.edge().root()

    def range_root(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]) for a range that RFC 6962's splits produce (start a multiple of the size rounded up to a
        power of two)."""
        known = self._ranges.get((start, end))
        if known is None:
            known = self._ranges[start, end] = self._range_root(start, end)
        return known

    def _range_root(self, start: int, end: int) -> bytes:
        count = end - start
        if count & (count - 1) == 0:
            height = count.bit_length() - 1
            level, below = divmod(height, 8)
            first = (start >> height) << below
            n, at = divmod(first, WIDTH)
            return root_of(self.tile(level, n)[at * HASH : (at + (1 << below)) * HASH])
        split = _split(count)
        return node_hash(self.range_root(start, start + split), self.range_root(start + split, end))


def _split(n: int) -> int:
    """The largest power of two smaller than n; n >= 2."""
    return 1 << ((n - 1).bit_length() - 1)


# --- proofs ---


def inclusion_proof(tiles: Tiles, index: int) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1, the leaf's sibling first."""
    if not 0 <= index < tiles.size:
        raise BadProof(f"no entry {index} in a tree of {tiles.size} entries")
    start, end, path = 0, tiles.size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(tiles.range_root(middle, end))
            end = middle
        else:
            path.append(tiles.range_root(start, middle))
            start = middle
    return path[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raises BadProof unless the proof shows the leaf hash at the index of the tree with this size and root."""
    if not 0 <= index < size:
        raise BadProof(f"no entry {index} in a tree of {size} entries")
    start, end, right = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        right.append(index < middle)
        start, end = (start, middle) if index < middle else (middle, end)
    if len(proof) != len(right) or any(len(hash_) != HASH for hash_ in proof):
        raise BadProof(
            f"an inclusion proof of {len(proof)} hashes; entry {index} of {size} needs {len(right)} of {HASH}"
        )
    for sibling, is_right in zip(proof, reversed(right), strict=True):
        leaf = node_hash(leaf, sibling) if is_right else node_hash(sibling, leaf)
    if leaf != root:
        raise BadProof(f"the inclusion proof of entry {index} leads to another root")


def consistency_proof(tiles: Tiles, old: int) -> list[bytes]:
    """PROOF of RFC 6962, 2.1.2, from the older size to `tiles.size`; empty for sizes 0 and equal."""
    if not 0 <= old <= tiles.size:
        raise BadProof(f"no older size {old} of a tree of {tiles.size} entries")
    start, end, proof = 0, tiles.size, []
    if old == 0:
        return []
    while old < end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(tiles.range_root(middle, end))
            end = middle
        else:
            proof.append(tiles.range_root(start, middle))
            start = middle
    if start:
        proof.append(tiles.range_root(start, end))
    return proof[::-1]


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises BadProof unless the proof shows that the newer tree only appends to the older one."""
    if not 0 <= old <= new:
        raise BadProof(f"a tree of {new} entries cannot follow one of {old}")
    if old in (0, new):
        if proof or (old_root != new_root if old == new else old_root != EMPTY_ROOT):
            raise BadProof(f"sizes {old} and {new} with other roots, or a proof where none belongs")
        return
    start, end, right = 0, new, []
    while old < end:
        middle = start + _split(end - start)
        right.append(old <= middle)
        start, end = (start, middle) if old <= middle else (middle, end)
    rest = list(proof)
    if len(rest) != len(right) + (1 if start else 0) or any(len(hash_) != HASH for hash_ in rest):
        raise BadProof(f"a consistency proof of {len(rest)} hashes does not fit sizes {old} and {new}")
    before = after = rest.pop(0) if start else old_root
    for hash_, is_right in zip(rest, reversed(right), strict=True):
        after = node_hash(after, hash_) if is_right else node_hash(hash_, after)
        if not is_right:
            before = node_hash(hash_, before)
    if before != old_root or after != new_root:
        raise BadProof(f"the tree of {new} entries is not the tree of {old} entries with entries appended")
