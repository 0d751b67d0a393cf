"""The leaf's bytes and the facts they commit to."""

from hashlib import sha256

import msgspec
import pytest
from fakes.log import RELEASE, RULESET, entry, recorded
from hypothesis import given
from hypothesis import strategies as st

from handrail.ledger.commitment import (
    MAX_SIZE,
    Commitment,
    agree,
    commit,
    covers,
    decode,
    facts_bytes,
    leaf_bytes,
    payload_of,
    read_facts,
)
from handrail.terms.ids import Digest, EntryId

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=255)
DIGESTS = st.binary(min_size=32, max_size=32)


@st.composite
def commitments(draw: st.DrawFn) -> Commitment:
    payload = draw(st.none() | DIGESTS)
    return Commitment(
        id=EntryId(draw(NAMES)),
        kind=draw(NAMES),
        at_ms=draw(st.integers(0, 2**64 - 1)),
        facts=draw(DIGESTS),
        payload=payload,
        payload_size=0 if payload is None else draw(st.integers(0, 2**64 - 1)),
        key="" if payload is None else draw(NAMES),
        ruleset=draw(st.none() | DIGESTS),
        release=draw(st.none() | DIGESTS),
    )


@given(commitments())
def test_a_commitment_comes_back_from_its_bytes(commitment: Commitment) -> None:
    data = commitment.encode()
    assert decode(data) == commitment
    assert len(data) <= MAX_SIZE


@given(commitments(), st.binary(max_size=4), st.integers(0, 960), st.integers(1, 255))
def test_two_different_byte_strings_never_decode_to_one_commitment(
    commitment: Commitment, tail: bytes, at: int, flip: int
) -> None:
    data = commitment.encode()
    changed = bytearray(data + tail)
    changed[at % len(changed)] ^= flip
    for other in (bytes(changed), data[: at % len(data)], data + b"\x00"):
        try:
            assert decode(other).encode() == other
            assert decode(other) != commitment
        except ValueError:
            continue


def test_the_bytes_are_those_of_the_document() -> None:
    commitment = Commitment(
        id=EntryId("ent_1"),
        kind="interaction.closed",
        at_ms=0x0102,
        facts=b"\xaa" * 32,
        payload=b"\xbb" * 32,
        payload_size=5,
        key="sub_1",
        ruleset=b"\xcc" * 32,
        release=b"\xdd" * 32,
    )
    expected = (
        b"\x01\x07" + bytes(6) + b"\x01\x02" + b"\xaa" * 32 + b"\xbb" * 32 + bytes(7) + b"\x05"
        + b"\xcc" * 32 + b"\xdd" * 32 + b"\x05ent_1" + b"\x12interaction.closed" + b"\x05sub_1"
    )  # fmt: skip
    assert commitment.encode() == expected


@pytest.mark.parametrize(
    "change",
    [{"facts": b"x"}, {"payload": None}, {"release": b"x" * 31}, {"kind": "k" * 256}, {"ruleset": b"x" * 33}],
    ids=str,
)
def test_members_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    good = decode(recorded(0)[0])
    with pytest.raises(ValueError, match="commitment of ent_"):
        msgspec.structs.replace(good, **change).encode()


def test_facts_are_canonical_and_carry_the_salt() -> None:
    one = entry(3)
    facts = facts_bytes(one, b"s" * 16)
    assert facts == facts_bytes(one, b"s" * 16)
    assert facts != facts_bytes(one, b"t" * 16)
    read = read_facts(facts)
    assert (read.id, read.kind, read.at_ms, read.use_case) == (one.id, one.kind, one.at_ms, "orders")
    assert (read.salt, read.ruleset, read.release) == (b"s" * 16, RULESET, RELEASE)
    assert facts.startswith(b'{"v":1,"salt":"')
    assert b"\n" not in facts


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="16 needed"):
        facts_bytes(entry(0), b"short")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"v":2}', b"\xff", recorded(0)[1].facts.replace(b'"v":1', b'"v":2')], ids=repr
)
def test_bytes_that_are_not_facts_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="facts"):
        read_facts(data)


def test_a_leaf_covers_its_own_facts_and_no_others() -> None:
    both = [recorded(n) for n in range(8)]
    for leaf, row in both:
        for other, _ in both:
            assert covers(other, row.facts, read_facts(row.facts)) == (other == leaf)


@given(st.integers(0, 7), st.integers(0, 400), st.integers(1, 255), st.integers(0, 3))
def test_the_quick_check_says_what_decode_and_agree_say(n: int, at: int, flip: int, cut: int) -> None:
    leaf, row = recorded(n)
    changed = bytearray(leaf)
    changed[at % len(leaf)] ^= flip
    data = bytes(changed[: len(changed) - cut])
    facts = read_facts(row.facts)
    try:
        slow = decode(data)
        agree(slow, facts)
        good = slow.facts == sha256(row.facts).digest()
    except ValueError:
        good = False
    assert covers(data, row.facts, facts) == good
    if good:
        assert payload_of(data) == (None if slow.payload is None else (slow.payload, slow.payload_size))


def test_a_commitment_of_an_entry_holds_its_digests() -> None:
    one = entry(0)
    made = commit(one, b"facts", b"ciphertext", "sub_9")
    assert made.facts == sha256(b"facts").digest()
    assert made.payload == sha256(b"ciphertext").digest()
    assert (made.payload_size, made.key) == (10, "sub_9")
    assert made.release == bytes.fromhex(RELEASE)


@pytest.mark.parametrize("ciphertext", [None, b"ciphertext"])
@pytest.mark.parametrize("ruleset", [None, RULESET])
@pytest.mark.parametrize("release", [None, RELEASE])
def test_the_leaf_that_the_journal_writes_is_what_its_members_encode_to(
    ciphertext: bytes | None, ruleset: Digest | None, release: Digest | None
) -> None:
    one = msgspec.structs.replace(entry(3), ruleset=ruleset, release=release)
    leaf = leaf_bytes(one, b"facts", ciphertext, "" if ciphertext is None else "su_1")
    assert leaf == decode(leaf).encode()
    assert (decode(leaf).id, decode(leaf).kind) == (one.id, one.kind)


def test_a_leaf_whose_members_do_not_fit_is_not_made() -> None:
    one = entry(3)
    for change, key in (({}, "su_1"), ({"ruleset": "ab"}, ""), ({"id": "x" * 256}, "")):
        with pytest.raises(ValueError, match=r"commitment|digest"):
            leaf_bytes(msgspec.structs.replace(one, **change), b"facts", None, key)
