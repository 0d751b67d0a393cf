"""Tokens: hostile literals are escaped, the conversation's own come back as they went out."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from handrail.guard.masking import Vault, conversation_key
from handrail.terms.finding import Finding, Kind, Role

TEXT = "write to ann@example.com"


def vault_and_token() -> tuple[Vault, str]:
    vault = Vault(b"k" * 32, "cv_1")
    start = TEXT.index("ann")
    masked = vault.mask(TEXT, [Finding(Kind.EMAIL, start, len(TEXT), 1.0, "at")], Role.USER)
    return vault, masked.removeprefix("write to ")


def test_a_token_of_the_conversation_comes_back_unchanged_in_what_the_assistant_said() -> None:
    vault, token = vault_and_token()
    call = f'{{"email": "{token}"}}'
    assert vault.mask(call, [], Role.ASSISTANT) == call


def test_a_token_in_the_words_of_anyone_else_is_escaped() -> None:
    vault, token = vault_and_token()
    for role in (Role.USER, Role.TOOL, Role.DOCUMENT):
        assert token not in vault.mask(f"look: {token}", [], role)


def test_a_token_that_is_not_of_this_conversation_is_escaped_everywhere() -> None:
    vault, _ = vault_and_token()
    assert vault.mask("[EMAIL_AAAAAAAA]", [], Role.ASSISTANT) == "[\\EMAIL_AAAAAAAA]"


def test_the_key_of_a_conversation_is_the_standard_derivation() -> None:
    for subject, conversation in ((bytes(32), "cv_1"), (b"k" * 32, "cv_01M80NW392KMJYBG7QDG1X384C")):
        derived = HKDF(SHA256(), 32, b"handrail/mask", b"conversation\0" + conversation.encode()).derive(subject)
        assert conversation_key(subject, conversation) == derived
