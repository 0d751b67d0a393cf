"""Sealing: what opens, and everything that must not."""

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from handrail.ledger.seal import ZSTD_LEVEL, LocalKek, Sealer, Unreadable, unseal, unwrap, wrap

KEY, OTHER = bytes(range(32)), bytes(32)
NONCE = bytes(range(12))
SAID = b'{"messages":[{"role":"user","texts":["The word is heliotrope."]}],"decided":[]}'


@given(st.binary(max_size=5_000))
def test_a_sealed_payload_opens_to_what_it_was(payload: bytes) -> None:
    sealed = Sealer().seal(payload, AESGCM(KEY), entry="en_1", key="su_1", nonce=NONCE)
    assert unseal(sealed, AESGCM(KEY), entry="en_1", key="su_1") == payload


@given(st.lists(st.binary(max_size=500), max_size=12), st.booleans())
def test_payloads_packed_together_open_one_by_one(payloads: list[bytes], contended: bool) -> None:
    sealer = Sealer(contended=contended)
    for payload, packed in zip(payloads, sealer.pack(payloads), strict=True):
        sealed = sealer.close(packed, AESGCM(KEY), entry="e", key="k", nonce=NONCE)
        assert unseal(sealed, AESGCM(KEY), entry="e", key="k") == payload


@given(st.integers(min_value=0, max_value=200), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_noticed(at: int, flip: int) -> None:
    sealed = bytearray(Sealer().seal(b"the word is heliotrope" * 9, AESGCM(KEY), entry="e", key="k", nonce=NONCE))
    sealed[at % len(sealed)] ^= flip
    with pytest.raises(Unreadable):
        unseal(bytes(sealed), AESGCM(KEY), entry="e", key="k")


@pytest.mark.parametrize(("key", "entry", "name"), [(OTHER, "e", "k"), (KEY, "e2", "k"), (KEY, "e", "k2")])
def test_another_key_entry_or_key_id_opens_nothing(key: bytes, entry: str, name: str) -> None:
    sealed = Sealer().seal(b"heliotrope", AESGCM(KEY), entry="e", key="k", nonce=NONCE)
    with pytest.raises(Unreadable) as caught:
        unseal(sealed, AESGCM(key), entry=entry, key=name)
    assert "heliotrope" not in str(caught.value)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + bytes(60), b"\x01" + bytes(60), b"\x03" + bytes(60)])
def test_what_was_never_sealed_is_unreadable(sealed: bytes) -> None:
    with pytest.raises(Unreadable):
        unseal(sealed, AESGCM(KEY), entry="e", key="k")


@pytest.mark.promise("STO-SEALED")
@pytest.mark.parametrize(
    "kept",
    [
        (
            "01000102030405060708090a0b6fb7f9e6e5aaff198db3539ba649cd544b2b703df9b14edbde350298b15bc75ccaea95f042"
            "59218627d50bd465df10189b3c32ca3ec5e2973eae3075d658f3b1deeaa9ba347a72526f8ab1aa0180bde8cbc32af5098c97"
            "1125773e1421ea284e"
        ),
        (
            "02000102030405060708090a0b6fb7f9e6e4e48dd68d41c4cab2f132d98d78350b8e91ba2aca64e7498a61af61eab2e9d75f"
            "49cb695587e61e904bcc5612c08d"
        ),
    ],
    ids=["version 1, without a dictionary", "version 2, with dictionary 1"],
)
def test_what_was_sealed_once_opens_for_good(kept: str) -> None:
    sealed = bytes.fromhex(kept)
    assert unseal(sealed, AESGCM(KEY), entry="en_1", key="su_1") == SAID
    other = bytes([sealed[0] ^ 3]) + sealed[1:]
    with pytest.raises(Unreadable):
        unseal(other, AESGCM(KEY), entry="en_1", key="su_1")


def test_what_people_write_is_sealed_with_the_dictionary_in_less_room() -> None:
    sealed = Sealer().seal(SAID, AESGCM(KEY), entry="e", key="k", nonce=NONCE)
    assert sealed[:1] == b"\x02"
    assert len(sealed) - 29 < len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(SAID)) * 0.7


def test_a_wrapped_key_opens_under_its_name_only() -> None:
    wrapped = wrap(AESGCM(KEY), OTHER, name="su_1", nonce=NONCE)
    assert unwrap(AESGCM(KEY), wrapped, name="su_1") == OTHER
    for cipher, name in ((AESGCM(KEY), "su_2"), (AESGCM(OTHER), "su_1")):
        with pytest.raises(Unreadable):
            unwrap(cipher, wrapped, name=name)
    with pytest.raises(Unreadable):
        unwrap(AESGCM(KEY), b"", name="su_1")


def test_a_key_encryption_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        LocalKek(b"short", nonce=bytes)
    kek = LocalKek(KEY, nonce=bytes)
    assert kek.unwrap(kek.wrap(OTHER, name="lookup"), name="lookup") == OTHER
