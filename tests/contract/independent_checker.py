"""A checker of our log that knows nothing of handrail: written only from RFC 6962, RFC 8032 and the C2SP documents
signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles and tlog-proof. It imports no line of this project.

    python independent_checker.py log FOLDER VKEY [WITNESS_VKEY ...]      every tile and entry bundle of a log folder
    python independent_checker.py proof FILE LEAF_FILE VKEY [WITNESS ...] a .tlog-proof file for the leaf's bytes

Prints one line and exits with 0, or says what is wrong and exits with 1. Every given witness must have cosigned.
"""

import base64
import hashlib
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Wrong(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Wrong(what)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# --- RFC 6962, section 2.1 ---


def k_of(n):
    """The largest power of two smaller than n."""
    k = 1
    while k << 1 < n:
        k <<= 1
    return k


def mth(hashes):
    """Merkle Tree Hash over a list of leaf hashes."""
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = k_of(len(hashes))
    return sha(b"\x01", mth(hashes[:k]), mth(hashes[k:]))


def path_root(m, n, leaf, path):
    """The root that PATH(m, D[n]) leads to, following the recursive definition of section 2.1.1."""
    if n == 1:
        need(not path, "inclusion proof too long")
        return leaf
    need(path, "inclusion proof too short")
    k = k_of(n)
    if m < k:
        return sha(b"\x01", path_root(m, k, leaf, path[:-1]), path[-1])
    return sha(b"\x01", path[-1], path_root(m - k, n - k, leaf, path[:-1]))


# --- signed-note, tlog-checkpoint, tlog-cosignature ---


def read_vkey(text):
    name, key_hash, material = text.split("+", 2)
    data = base64.b64decode(material, validate=True)
    need(sha(name.encode(), b"\n", data)[:4].hex() == key_hash, "key id does not belong to the key")
    return name, data[0], data[1:], bytes.fromhex(key_hash)


def open_checkpoint(data, vkey, witnesses):
    text, blank, lines = data.decode("utf-8").rpartition("\n\n")
    need(blank and lines.endswith("\n"), "not a signed note")
    text += "\n"
    signatures = []
    for line in lines[:-1].split("\n"):
        need(line.startswith("\u2014 "), "not a signature line")
        name, value = line[2:].split(" ")
        raw = base64.b64decode(value, validate=True)
        signatures.append((name, raw[:4], raw[4:]))
    for wanted, cosigner in [(vkey, False)] + [(one, True) for one in witnesses]:
        name, kind, public, key_id = read_vkey(wanted)
        need(kind == (4 if cosigner else 1), "unexpected type of key")
        mine = [value for other, other_id, value in signatures if (other, other_id) == (name, key_id)]
        need(mine, f"no signature of {name}")
        for value in mine:
            message = text.encode()
            if cosigner:
                time_s, value = int.from_bytes(value[:8], "big"), value[8:]
                message = b"cosignature/v1\ntime %d\n" % time_s + message
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(value, message)
            except InvalidSignature:
                raise Wrong(f"bad signature of {name}") from None
    origin, size, root = text.split("\n")[:3]
    need(origin == read_vkey(vkey)[0], "origin is not the key's name")
    need(size == str(int(size)), "size has leading zeroes")
    return int(size), base64.b64decode(root, validate=True)


# --- tlog-tiles ---


def path_of(n):
    text = str(n).zfill(-(-len(str(n)) // 3) * 3)
    groups = [text[at : at + 3] for at in range(0, len(text), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])


def fetch(folder, kind, n, width):
    full = folder / "tile" / kind / path_of(n)
    part = full.with_name(full.name + ".p") / str(width)
    for place in [full] if width == 256 else [part, full]:
        if place.is_file():
            return place.read_bytes()
    raise Wrong(f"tile/{kind}/{path_of(n)} of width {width} is missing")


def widths(count):
    """Number and width of each tile that holds `count` hashes."""
    return [(n, min(256, count - n * 256)) for n in range(-(-count // 256))]


def check_log(folder, vkey, witnesses):
    size, root = open_checkpoint((folder / "checkpoint").read_bytes(), vkey, witnesses)
    leaves = []
    for n, width in widths(size):
        bundle, at, count = fetch(folder, "entries", n, width), 0, 0
        while at < len(bundle) and count < width:
            length = int.from_bytes(bundle[at : at + 2], "big")
            entry = bundle[at + 2 : at + 2 + length]
            need(len(entry) == length, f"bundle {n} is cut short")
            leaves.append(sha(b"\x00", entry))
            at, count = at + 2 + length, count + 1
        need(count == width, f"bundle {n} has {count} entries")
    need(mth(leaves) == root, "the entries do not give the signed root")
    level, hashes = 0, leaves
    while hashes:
        for n, width in widths(len(hashes)):
            tile = fetch(folder, str(level), n, width)[: width * 32]
            need(tile == b"".join(hashes[n * 256 : n * 256 + width]), f"tile {level}/{n} differs from the entries")
        hashes = [mth(hashes[at : at + 256]) for at in range(0, len(hashes) // 256 * 256, 256)]
        level += 1
    return f"{size} entries"


# --- tlog-proof ---


def check_proof(data, leaf, vkey, witnesses):
    head, _, checkpoint = data.partition(b"\n\n")
    lines = head.decode("utf-8").split("\n")
    need(lines.pop(0) == "c2sp.org/tlog-proof@v1", "not a tlog-proof")
    if lines[0].startswith("extra "):
        base64.b64decode(lines.pop(0)[6:], validate=True)
    need(lines[0].startswith("index "), "no index")
    index = int(lines.pop(0)[6:])
    path = [base64.b64decode(line, validate=True) for line in lines]
    size, root = open_checkpoint(checkpoint, vkey, witnesses)
    need(index < size, "index beyond the tree")
    need(path_root(index, size, sha(b"\x00", leaf), path) == root, "the proof leads to another root")
    return f"entry {index} of {size}"


def main(arguments):
    try:
        if arguments[0] == "log":
            done = check_log(Path(arguments[1]), arguments[2], arguments[3:])
        else:
            data, leaf = Path(arguments[1]).read_bytes(), Path(arguments[2]).read_bytes()
            done = check_proof(data, leaf, arguments[3], arguments[4:])
    except (Wrong, ValueError, OSError) as error:
        print(f"wrong: {error}")
        return 1
    print(f"good: {done}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
