"""The tree against the published vectors, and against RFC 6962 written out word for word."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.ledger.tree import (
    EMPTY_ROOT,
    WIDTH,
    BadProof,
    Edge,
    Tiles,
    bundle_path,
    check_consistency,
    check_inclusion,
    consistency_proof,
    grow,
    inclusion_proof,
    leaf_hash,
    leaf_hashes,
    pack_bundle,
    root_of,
    tile_path,
    unpack_bundle,
)

# The known values of the Certificate Transparency reference implementation, kept by github.com/transparency-dev/merkle
# (testonly/constants.go): eight leaves, the root of each prefix, and proofs in the tree of eight.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
}
CONSISTENCY = {
    (1, 1): (),
    (1, 8): INCLUSION[0, 8],
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def mth(entries: list[bytes]) -> bytes:
    """RFC 6962, 2.1, by its own recursion."""
    if len(entries) < 2:
        return sha256(b"\x00" + entries[0]).digest() if entries else sha256(b"").digest()
    k = 1
    while 2 * k < len(entries):
        k *= 2
    return sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def files(entries: list[bytes], *batches: int) -> tuple[Edge, dict[str, bytes]]:
    """The log of the entries, grown in batches of these sizes in turn."""
    edge, found, at = Edge(), {}, 0
    while at < len(entries):
        count = batches[at % len(batches)] if batches else len(entries)
        edge, fresh = grow(edge, entries[at : at + count])
        found |= {file.path: file.data for file in fresh}
        at += count
    return edge, found


@pytest.mark.promise("LED-2")
@pytest.mark.parametrize("size", range(9))
def test_the_root_of_each_prefix_is_the_published_one(size: int) -> None:
    edge, _ = files(LEAVES[:size])
    assert edge.root().hex() == ROOTS[size]
    assert root_of(leaf_hashes(LEAVES[:size])).hex() == ROOTS[size]


@pytest.mark.promise("LED-2")
@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_the_published_ones(index: int, size: int) -> None:
    edge, found = files(LEAVES[:size])
    proof = inclusion_proof(Tiles(found.get, size), index)
    assert tuple(hash_.hex() for hash_ in proof) == INCLUSION[index, size]
    check_inclusion(leaf_hash(LEAVES[index]), index, size, proof, edge.root())


@pytest.mark.promise("LED-2")
@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old: int, new: int) -> None:
    _, found = files(LEAVES[:new])
    proof = consistency_proof(Tiles(found.get, new), old)
    assert tuple(hash_.hex() for hash_ in proof) == CONSISTENCY[old, new]
    check_consistency(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), proof)


def test_paths_are_those_of_the_specification() -> None:
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(1, 0, 17) == "tile/1/000.p/17"
    assert bundle_path(273, 112) == "tile/entries/273.p/112"


def test_a_tree_of_70000_has_the_tiles_that_the_specification_lists() -> None:
    """c2sp.org/tlog-tiles, section on partial tiles: 273 full and one of 112; one full and one of 17; one of 1."""
    entries = [n.to_bytes(4, "big") for n in range(70_000)]
    edge, found = files(entries)
    tiles = sorted(path for path in found if not path.startswith("tile/entries/"))
    assert [path for path in tiles if ".p/" in path] == ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
    assert sum(path.startswith("tile/0/") for path in tiles) == 274
    assert edge.root() == mth(entries)


def test_a_tree_of_256_has_a_full_tile_and_a_partial_one_above() -> None:
    _, found = files([b"x"] * WIDTH)
    assert set(found) == {"tile/entries/000", "tile/0/000", "tile/1/000.p/1"}


@given(st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_growth_in_any_batches_gives_one_tree(batches: list[int]) -> None:
    entries = [b"%d" % n for n in range(sum(batches))]
    edge, at = Edge(), 0
    kept: dict[str, bytes] = {}
    for count in batches:
        edge, fresh = grow(edge, entries[at : at + count])
        kept |= {file.path: file.data for file in fresh}
        at += count
        assert Tiles(kept.get, at).root() == edge.root() == mth(entries[:at])
    once, found = files(entries)
    assert once == edge
    assert all(kept[path] == data for path, data in found.items())


BORDERS = (*range(1, 34), 63, 64, 65, 100, 127, 128, 129, 200, 254, 255, 256, 257, 258, 320, 383, 384, 385, 500)
BORDERS = (*BORDERS, 511, 512, 513, 514, 599, 600)


@pytest.mark.promise("LED-2")
@pytest.mark.parametrize(
    "sizes", [BORDERS, pytest.param(range(1, 601), marks=pytest.mark.slow)], ids=["borders", "all"]
)
def test_the_tree_at_each_size_is_consistent_with_every_earlier_size(sizes: Sequence[int]) -> None:
    kept, edge, roots = {}, Edge(), [EMPTY_ROOT]
    for n in range(600):
        edge, fresh = grow(edge, [b"%d" % n])
        kept |= {file.path: file.data for file in fresh}
        roots.append(edge.root())
    assert roots[600] == mth([b"%d" % n for n in range(600)])
    for new in sizes:
        tiles = Tiles(kept.get, new)
        for old in range(new + 1):
            check_consistency(old, roots[old], new, roots[new], consistency_proof(tiles, old))


@given(st.integers(1, 600), st.data())
def test_a_proof_shows_one_entry_at_one_place_only(size: int, data: st.DataObject) -> None:
    entries = [b"%d" % n for n in range(size)]
    edge, found = files(entries)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(Tiles(found.get, size), index)
    check_inclusion(leaf_hash(entries[index]), index, size, proof, edge.root())
    other = data.draw(st.integers(0, size - 1))
    wrong = [
        (leaf_hash(b"forged"), index, proof, edge.root()),
        (leaf_hash(entries[index]), index, [*proof, bytes(32)], edge.root()),
        (leaf_hash(entries[index]), index, proof, bytes(32)),
        (leaf_hash(entries[index]), size, proof, edge.root()),
    ]
    if other != index:
        wrong.append((leaf_hash(entries[index]), other, proof, edge.root()))
    if proof:
        wrong.append((leaf_hash(entries[index]), index, proof[:-1], edge.root()))
        wrong.append((leaf_hash(entries[index]), index, [bytes(32), *proof[1:]], edge.root()))
    for leaf, place, path, root in wrong:
        with pytest.raises(BadProof):
            check_inclusion(leaf, place, size, path, root)


@given(st.integers(2, 600), st.data())
def test_a_rewritten_tree_is_not_consistent_with_the_one_before(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    entries = [b"%d" % n for n in range(size)]
    before, _ = files(entries[:old])
    entries[data.draw(st.integers(0, old - 1))] = b"changed"
    after, found = files(entries)
    proof = consistency_proof(Tiles(found.get, size), old)
    with pytest.raises(BadProof):
        check_consistency(old, before.root(), size, after.root(), proof)


@pytest.mark.parametrize(
    ("old", "new", "proof"),
    [(3, 2, []), (-1, 2, []), (0, 2, [bytes(32)]), (2, 2, [bytes(32)]), (1, 2, []), (1, 2, [b""])],
)
def test_consistency_of_impossible_sizes_is_refused(old: int, new: int, proof: list[bytes]) -> None:
    with pytest.raises(BadProof):
        check_consistency(old, mth([b""] * max(old, 0)), new, mth([b""] * new), proof)


@given(st.lists(st.binary(max_size=300), max_size=WIDTH))
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    assert unpack_bundle(pack_bundle(entries)) == entries


# what is left of an entry that begins with its own length could be the entry; a commitment begins with its version
UNLIKE_ITS_LENGTH = st.binary(min_size=1, max_size=30).filter(lambda entry: not pack_bundle([entry]).startswith(entry))


@given(st.lists(UNLIKE_ITS_LENGTH, min_size=1, max_size=9), st.data())
def test_a_cut_bundle_shows_a_last_entry_that_is_not_the_real_one(entries: list[bytes], data: st.DataObject) -> None:
    whole = pack_bundle(entries)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    found = unpack_bundle(cut)
    same = next((at for at, (one, real) in enumerate(zip(found, entries, strict=False)) if one != real), len(found))
    assert same < len(entries)
    assert len(found) in (same, same + 1)


def test_an_entry_that_is_too_long_is_refused() -> None:
    assert len(pack_bundle([bytes(65_535)])) == 65_537
    with pytest.raises(ValueError, match="65535 is the most"):
        pack_bundle([bytes(65_536)])


def test_a_missing_or_cut_tile_is_named() -> None:
    _, found = files([b"%d" % n for n in range(600)])
    del found["tile/0/001"]
    with pytest.raises(BadProof, match="tile/0/001 is missing"):
        inclusion_proof(Tiles(found.get, 600), 300)
    found["tile/0/002.p/88"] = bytes(32)
    with pytest.raises(BadProof, match=r"tile/0/002\.p/88 has 32 bytes, 2816 expected"):
        Tiles(found.get, 600).root()


def test_the_full_tile_stands_in_for_a_partial_one_that_was_dropped() -> None:
    entries = [b"%d" % n for n in range(512)]
    _, found = files(entries)
    assert Tiles(found.get, 300).tile(0, 1) == leaf_hashes(entries[256:300])
