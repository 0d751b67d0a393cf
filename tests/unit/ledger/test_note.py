"""Signed notes, checkpoints and cosignatures against the specifications' own examples, and against forgers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.ledger.note import (
    ML_DSA,
    BadNote,
    Checkpoint,
    KeyType,
    Note,
    SigningKey,
    Trust,
    VerifierKey,
    add_cosignatures,
    check_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_signing_key,
    parse_verifier_key,
    sign_checkpoint,
)

# c2sp.org/signed-note, section Example.
FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = (
    "This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYN"
    "ZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
# c2sp.org/tlog-cosignature: the checkpoint with a log signature and a witness cosignature of 1679315147.
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+z"
    "yWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5n"
    "No0xUe+mbIUBkBIfZ+qnA==\n"
).encode()

CHECKPOINT = Checkpoint("log.example/cx", 1_000, bytes(range(32)))


def key(name: str, type_: KeyType = KeyType.ED25519, seed: int = 1) -> SigningKey:
    return SigningKey(name, type_, bytes([seed]) * 32)


LOG = key("log.example/cx")
W1 = key("w1.example", KeyType.COSIGNATURE_ED25519, 2)
W2 = key("w2.example", KeyType.COSIGNATURE_ED25519, 3)
W3 = key("w3.example", KeyType.COSIGNATURE_ED25519, 4)
SIGNED = sign_checkpoint(CHECKPOINT, [LOG], 0)


def cosigned(*witnesses: SigningKey, time_s: int = 1_700_000_000) -> bytes:
    data = SIGNED
    for witness in witnesses:
        line = witness.sign(parse_note(SIGNED).text, time_s).line() + "\n"
        data = add_cosignatures(data, line.encode(), [witness.verifier])
    return data


@pytest.mark.promise("LED-3")
def test_the_example_note_of_the_specification_verifies() -> None:
    verifier = parse_verifier_key(FOO)
    assert verifier.encode() == FOO
    note = parse_note(FOO_NOTE)
    signature = verifier.find(note)
    assert signature is not None
    verifier.check(note.text, signature)
    assert note.encode() == FOO_NOTE
    with pytest.raises(BadNote, match="does not match"):
        verifier.check(note.text.replace("example", "another"), signature)


@pytest.mark.promise("LED-3")
def test_the_example_checkpoint_of_the_specification_parses_and_comes_back() -> None:
    note = parse_note(SOFA)
    checkpoint = parse_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.text() == note.text
    assert note.encode() == SOFA
    assert int.from_bytes(note.signatures[1].value[:8], "big") == 1_679_315_147


def test_a_signed_checkpoint_is_trusted_with_the_logs_key_only() -> None:
    trusted = check_checkpoint(SIGNED, Trust((LOG.verifier,)))
    assert trusted.checkpoint == CHECKPOINT
    assert (trusted.signed_by, trusted.cosigned) == (("log.example/cx",), ())
    with pytest.raises(BadNote, match="no known key"):
        check_checkpoint(SIGNED, Trust((key("log.example/cx", seed=9).verifier,)))
    with pytest.raises(BadNote, match="another log"):
        check_checkpoint(SIGNED, Trust((key("other.example").verifier,)))
    with pytest.raises(BadNote, match="no key"):
        check_checkpoint(SIGNED, Trust(()))


def test_during_a_rotation_either_key_of_the_log_is_enough() -> None:
    new = key("log.example/cx", seed=7)
    both = sign_checkpoint(CHECKPOINT, [new, LOG], 0)
    for trust in ((LOG.verifier,), (new.verifier,), (LOG.verifier, new.verifier)):
        assert check_checkpoint(both, Trust(trust)).checkpoint == CHECKPOINT


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_checkpoint_goes_unseen(at: int, flip: int) -> None:
    changed = bytearray(SIGNED)
    changed[at] ^= flip
    with pytest.raises(BadNote):
        check_checkpoint(bytes(changed), Trust((LOG.verifier,)))


@given(st.integers(0, len(SIGNED) - 1))
def test_a_cut_checkpoint_is_refused(end: int) -> None:
    with pytest.raises(BadNote):
        check_checkpoint(SIGNED[:end], Trust((LOG.verifier,)))


@pytest.mark.promise("LED-7")
@pytest.mark.parametrize(
    ("present", "quorum", "good"), [(0, 0, True), (1, 1, True), (1, 2, False), (2, 2, True), (0, 1, False)]
)
def test_a_policy_of_n_of_m_witnesses_is_met_or_not(present: int, quorum: int, good: bool) -> None:
    data = cosigned(*[W1, W2, W3][:present])
    trust = Trust((LOG.verifier,), (W1.verifier, W2.verifier, W3.verifier), quorum)
    if good:
        trusted = check_checkpoint(data, trust)
        assert trusted.cosigned == tuple((one.name, 1_700_000_000) for one in [W1, W2, W3][:present])
    else:
        with pytest.raises(BadNote, match="cosignatures that the policy asks for"):
            check_checkpoint(data, trust)


@pytest.mark.promise("LED-7")
def test_a_forged_cosignature_is_never_added() -> None:
    text = parse_note(SIGNED).text
    impostor = key("w1.example", KeyType.COSIGNATURE_ED25519, 99)
    of_another = W1.sign(Checkpoint("log.example/cx", 999, bytes(32)).text(), 5)
    later = W1.sign(text, 5)
    moved = later.value[:7] + b"\x06" + later.value[8:]
    for line, why in [
        (impostor.sign(text, 5).line(), "no cosignature of a known witness"),
        (of_another.line(), "does not match"),
        (type(later)(later.name, later.key_id, moved).line(), "does not match"),
        (type(later)(later.name, later.key_id, later.value[:-1]).line(), "71 bytes"),
        ("not a line", "signature line"),
    ]:
        with pytest.raises(BadNote, match=why):
            add_cosignatures(SIGNED, (line + "\n").encode(), [W1.verifier])


def test_a_newer_cosignature_replaces_the_older_one_of_the_same_witness() -> None:
    text = parse_note(SIGNED).text
    data = SIGNED
    for time_s in (10, 30, 20):
        data = add_cosignatures(data, (W1.sign(text, time_s).line() + "\n").encode(), [W1.verifier])
    assert check_checkpoint(data, Trust((LOG.verifier,), (W1.verifier,), 1)).cosigned == (("w1.example", 30),)
    assert len(parse_note(data).signatures) == 2


def test_unknown_signatures_are_ignored_and_a_wrong_one_of_a_known_witness_is_not() -> None:
    data = cosigned(W1, W2)
    trust = Trust((LOG.verifier,), (W1.verifier,), 1)
    assert check_checkpoint(data, trust).cosigned == (("w1.example", 1_700_000_000),)
    note = parse_note(data)
    bad = type(note.signatures[1])(W1.name, W1.verifier.id, bytes(72))
    forged = Note(note.text, (*note.signatures, bad)).encode()
    with pytest.raises(BadNote, match=r"w1\.example does not match"):
        check_checkpoint(forged, trust)


@pytest.mark.parametrize(
    "trust",
    [
        Trust((LOG.verifier,), (W1.verifier, W1.verifier), 1),
        Trust((LOG.verifier,), (VerifierKey("w.example", KeyType.COSIGNATURE_ED25519, LOG.verifier.public),), 1),
        Trust((LOG.verifier,), (key("w4.example", seed=8).verifier,), 1),
        Trust((LOG.verifier,), (W1.verifier,), 2),
        Trust((LOG.verifier,), (), -1),
    ],
    ids=["listed twice", "the log as its own witness", "not a cosigner", "impossible quorum", "negative quorum"],
)
def test_a_policy_that_means_nothing_is_refused(trust: Trust) -> None:
    with pytest.raises(BadNote):
        check_checkpoint(cosigned(W1), trust)


@pytest.mark.skipif(not ML_DSA, reason="this build of cryptography has no ML-DSA-44")
def test_an_ml_dsa_cosignature_is_bound_to_name_origin_size_root_and_time() -> None:
    pq = key("log.example/cx", KeyType.COSIGNATURE_MLDSA44, 5)
    witness = key("w5.example", KeyType.COSIGNATURE_MLDSA44, 6)
    data = sign_checkpoint(CHECKPOINT, [LOG, pq], 1_700_000_001)
    line = witness.sign(parse_note(data).text, 1_700_000_002).line() + "\n"
    data = add_cosignatures(data, line.encode(), [witness.verifier])
    trusted = check_checkpoint(data, Trust((LOG.verifier, pq.verifier), (witness.verifier,), 1))
    assert trusted.cosigned == (("w5.example", 1_700_000_002),)
    signature = pq.sign(CHECKPOINT.text(), 7)
    assert pq.verifier.check(CHECKPOINT.text(), signature) == 7
    for other in (
        Checkpoint("log.example/cy", 1_000, bytes(range(32))),
        Checkpoint("log.example/cx", 1_001, bytes(range(32))),
        Checkpoint("log.example/cx", 1_000, bytes(32)),
    ):
        with pytest.raises(BadNote, match="does not match"):
            pq.verifier.check(other.text(), signature)
    renamed = VerifierKey("log.example/other", pq.type, pq.verifier.public)
    with pytest.raises(BadNote, match="does not match"):
        renamed.check(CHECKPOINT.text(), signature)


@pytest.mark.parametrize("type_", [KeyType.ED25519, KeyType.COSIGNATURE_ED25519, KeyType.COSIGNATURE_MLDSA44])
def test_keys_come_back_from_their_text(type_: KeyType) -> None:
    if type_ is KeyType.COSIGNATURE_MLDSA44 and not ML_DSA:
        pytest.skip("this build of cryptography has no ML-DSA-44")
    made = key("log.example/cx", type_)
    assert parse_signing_key(made.encode() + "\n").verifier == made.verifier
    assert parse_verifier_key(made.verifier.encode()) == made.verifier


def test_a_signing_key_does_not_show_its_seed() -> None:
    made = SigningKey("log.example/cx", KeyType.ED25519, b"S" * 32)
    assert "SSSS" not in repr(made)
    assert "U1NT" not in repr(made)
    with pytest.raises(BadNote) as error:
        parse_signing_key(made.encode().replace("log.example/cx+", "log.example/cy+"))
    assert "U1NT" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a+b",
        "a b+00000000+AQ==",
        "+00000000+AQ==",
        FOO.replace("530d903a", "530d903b"),
        FOO[:-4],
        FOO + "!",
        "a+0+",
    ],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        parse_verifier_key(text)


@pytest.mark.parametrize(
    "text",
    ["", "o\n1\n", "o\n01\nAA==\n", "o\n-1\nAA==\n", "o\n1\nAA==\n", "o\n\u0661\n" + "A" * 43 + "=\n",
     "\n1\n" + "A" * 43 + "=\n", "o\n1\n" + "A" * 43 + "=", "o\n9223372036854775808\n" + "A" * 43 + "=\n",
     "o\n1\n" + "A" * 42 + "B=\n"],
)  # fmt: skip
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x\n",
        b"x\n\n",
        b"x\n\nno signature\n",
        b"\xff\n\n",
        b"x\x01\n\n",
        FOO_NOTE[:-1],
        FOO_NOTE + b"\n",
        b"x" * 1_000_001,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_a_malformed_note_is_refused(data: bytes) -> None:
    with pytest.raises(BadNote):
        parse_note(data)
