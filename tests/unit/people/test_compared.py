"""Secrets are compared in the same time wherever they differ, and what does not exist costs what exists costs."""

import asyncio
import time
from dataclasses import replace

import msgspec
import pytest
from fakes.console import OWN, bench, visitor

from handrail.console.routes import EVERYONE, Asked, Route, Verb
from handrail.people.account import Account, hash_recovery, without_recovery
from handrail.people.password import hashed, is_right
from handrail.people.session import Lengths, Standing, hash_session, opened, standing, turned
from handrail.people.token import TokenKind, hash_token, new_token, require_good
from handrail.terms.errors import HandrailError
from handrail.terms.ids import PersonId

KIM = PersonId("pe_kim")
SESSION, TEXT = opened(KIM, frozenset(), ("password",), bytes(range(74)), now_ms=1_000, lengths=Lengths())


class Stored(bytes):
    """A stored hash that says when somebody looks at it letter by letter."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared in a time that tells where it differs")

    __ne__ = __eq__
    __hash__ = None  # type: ignore[assignment]  # it stands in no set


class Told(str):
    """The same for a form's token."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared in a time that tells where it differs")

    __ne__ = __eq__
    __hash__ = None  # type: ignore[assignment]  # likewise

    def encode(self, *_: object) -> Stored:
        return Stored(str(self).encode())


@pytest.mark.promise("SGN-3")
def test_a_sessions_secret_is_compared_in_constant_time() -> None:
    new, text = turned(SESSION, frozenset(), bytes(32), now_ms=2_000)
    guarded = msgspec.structs.replace(new, hash=Stored(hash_session(text)), previous=Stored(hash_session(TEXT)))
    for given, stands in ((text, Standing.GOOD), (TEXT, Standing.GOOD), (f"{text}x", Standing.GONE)):
        assert standing(guarded, given, frozenset(), now_ms=3_000) is stands


@pytest.mark.promise("SGN-3")
def test_a_token_and_a_recovery_code_are_compared_in_constant_time() -> None:
    token, text = new_token(TokenKind.PERSONAL, KIM, bytes(42), now_ms=0, expires_at=10_000)
    guarded = msgspec.structs.replace(token, hash=Stored(hash_token(text)))
    assert require_good(guarded, text, TokenKind.PERSONAL, now_ms=1) is guarded
    with pytest.raises(HandrailError):
        require_good(guarded, f"{text}x", TokenKind.PERSONAL, now_ms=1)
    account = Account(id=KIM, recovery=tuple(Stored(hash_recovery(code)) for code in ("one", "two")))
    left = without_recovery(account, "two")
    assert left is not None
    assert len(left.recovery) == 1
    assert without_recovery(account, "three") is None


@pytest.mark.promise("CON-2")
def test_a_forms_token_is_compared_in_constant_time() -> None:
    async def handler(*_: object) -> None: ...

    row = Route(
        name="things.change", path="/things", title="Change", verb=Verb.POST, handler=handler, asks=Asked,
        roles=EVERYONE,
    )  # fmt: skip
    made, who = bench([row]), replace(visitor(*EVERYONE), csrf=Told("the-csrf-of-this-session"))
    assert asyncio.run(made.change("/things", who)).status == 200
    form = {"origin": OWN, "content-type": "application/x-www-form-urlencoded"}
    assert asyncio.run(made.ask("POST", "/things", who, headers=form, body=b"csrf=another")).status == 403


@pytest.mark.promise("SGN-4")
def test_no_password_takes_as_long_as_a_wrong_one() -> None:
    """By processor time, the shortest of a few: what else runs on the machine does not count."""

    def cost(stored: str) -> float:
        times = []
        for _ in range(5):
            began = time.process_time()
            assert not is_right(stored, "a wrong password")
            times.append(time.process_time() - began)
        return min(times)

    known = cost(hashed("blue lamp over the river", bytes(16)))
    assert known / 2 < cost("") < known * 2
    assert known / 2 < cost("$argon2id$damaged") + known / 2  # a damaged one is no way in; it may be quicker
