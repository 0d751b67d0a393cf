"""A proof file holds one entry and nothing that can be swapped unseen."""

import base64

import msgspec
import pytest
from fakes.log import LOG_KEY, TRUST, Published, files_of, publish, recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.ledger.commitment import decode
from handrail.ledger.note import BadNote, KeyType, SigningKey, Trust, add_cosignatures, parse_note
from handrail.ledger.proof import Proof, check_proof, make_proof, parse_proof, prove
from handrail.ledger.tree import BadProof, Tiles, inclusion_proof

LOG = publish(300)


def proof_of(index: int, log: Published = LOG, facts: bytes | None = None, leaf: bytes | None = None) -> bytes:
    path = inclusion_proof(Tiles(log.read, len(log.leaves)), index)
    row = log.rows[index]
    return make_proof(
        index, path, log.files["checkpoint"], leaf or log.leaves[index], row.facts if facts is None else facts
    ).encode()


@pytest.mark.promise("LED-6")
@pytest.mark.parametrize("index", [0, 1, 255, 256, 299])
def test_a_proof_shows_the_entry_its_facts_and_its_place(index: int) -> None:
    proven = check_proof(proof_of(index), TRUST, LOG.rows[index].payload)
    assert proven.index == index
    assert proven.commitment == decode(LOG.leaves[index])
    assert proven.facts.id == f"ent_{index:026d}"
    assert proven.trusted.checkpoint.size == 300
    assert parse_proof(proof_of(index)).encode() == proof_of(index)


def test_the_only_entry_of_a_log_has_an_empty_path() -> None:
    leaf, row = recorded(0)
    log = Published(files_of([leaf]), [leaf], [row])
    data = proof_of(0, log)
    assert check_proof(data, TRUST).index == 0
    assert b"\nindex 0\n\n" in data


def test_the_form_is_that_of_the_specification() -> None:
    lines = proof_of(256).decode().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 256"
    extra = msgspec.json.decode(base64.b64decode(lines[1][6:]))
    assert base64.b64decode(extra["commitment"]) == LOG.leaves[256]
    assert extra["facts"].encode() == LOG.rows[256].facts
    assert proof_of(256).endswith(b"\n\n" + LOG.files["checkpoint"])


@pytest.mark.promise("LED-6")
@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=300)
def test_no_changed_byte_of_a_proof_goes_unseen(at: int, flip: int) -> None:
    changed = bytearray(proof_of(37))
    changed[at % len(changed)] ^= flip
    with pytest.raises((BadProof, BadNote)):
        check_proof(bytes(changed), TRUST)


@pytest.mark.parametrize("other", [0, 36, 38, 299])
def test_the_facts_of_another_entry_are_refused(other: int) -> None:
    with pytest.raises(BadProof, match="not those that the log committed to"):
        check_proof(proof_of(37, facts=LOG.rows[other].facts), TRUST)
    with pytest.raises(BadProof, match="another root"):
        check_proof(proof_of(37, leaf=LOG.leaves[other], facts=LOG.rows[other].facts), TRUST)


def test_another_payload_is_refused() -> None:
    check_proof(proof_of(37), TRUST, b"ciphertext 37")
    for payload in (b"", b"ciphertext 38", b"ciphertext 37 "):
        with pytest.raises(BadProof, match="payload of entry 37"):
            check_proof(proof_of(37), TRUST, payload)


def test_a_proof_under_another_key_or_without_its_witnesses_is_refused() -> None:
    stranger = SigningKey(LOG_KEY.name, KeyType.ED25519, bytes(32))
    with pytest.raises(BadNote, match="no known key"):
        check_proof(proof_of(37), Trust((stranger.verifier,)))
    witness = SigningKey("w.example", KeyType.COSIGNATURE_ED25519, bytes(32))
    trust = Trust(TRUST.log, (witness.verifier,), 1)
    with pytest.raises(BadNote, match="cosignatures"):
        check_proof(proof_of(37), trust)
    note = LOG.files["checkpoint"]
    line = witness.sign(parse_note(note).text, 9).line() + "\n"
    cosigned = Published(
        LOG.files | {"checkpoint": add_cosignatures(note, line.encode(), [witness.verifier])}, LOG.leaves, LOG.rows
    )
    assert check_proof(proof_of(37, cosigned), trust).trusted.cosigned == (("w.example", 9),)


def test_a_leaf_that_says_other_than_its_facts_is_refused() -> None:
    leaf, row = recorded(0)
    lying = msgspec.structs.replace(decode(leaf), at_ms=1).encode()
    log = Published(files_of([lying]), [lying], [row])
    with pytest.raises(BadProof, match="time"):
        check_proof(proof_of(0, log), TRUST)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n",
        b"c2sp.org/tlog-proof@v2\nindex 0\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 01\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex -1\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex \n\nx",
        b"c2sp.org/tlog-proof@v1\nextra !\nindex 0\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx",
        b"c2sp.org/tlog-proof@v1\n\xff\n\nx",
        Proof(0, (bytes(32),) * 64, b"x").encode(),
        b"x" * 1_300_000,
    ],
    ids=lambda data: repr(data[:60]),
)
def test_a_malformed_proof_is_refused(data: bytes) -> None:
    with pytest.raises(BadProof):
        parse_proof(data)


def test_a_proof_of_another_application_is_refused() -> None:
    path = inclusion_proof(Tiles(LOG.read, 300), 0)
    for extra in (b"", b"{}", b'{"commitment":"AA==","facts":""}'):
        with pytest.raises(BadProof, match="no entry of handrail"):
            check_proof(Proof(0, tuple(path), LOG.files["checkpoint"], extra).encode(), TRUST)


@pytest.mark.promise("LED-7")
def test_a_proof_prefers_the_witnessed_checkpoint_while_it_covers_the_entry() -> None:
    older = publish(257)
    log = Published(older.files | LOG.files | {"witnessed": older.files["checkpoint"]}, LOG.leaves, LOG.rows)
    for index, size in ((0, 257), (256, 257), (257, 300), (299, 300)):
        data = prove(log.read, index, log.leaves[index], log.rows[index].facts).encode()
        assert check_proof(data, TRUST).trusted.checkpoint.size == size
    with pytest.raises(BadProof, match="not published yet"):
        prove(log.read, 300, b"", b"{}")
