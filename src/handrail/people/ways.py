"""What each person signs in with and where she is signed in, to show: kinds, names and counts, no secret."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from handrail.terms.ids import PersonId


class SignInPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that is not over. `label`: the browser in two words. Times in Unix ms."""

    id: str
    label: str
    created_at: int
    seen_at: int


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """Of one person. `passkeys`: their names. `providers`: issuers of accounts at a provider; `managed`: its groups say
    her roles. `places`: the latest first. `codes`: of one-time links that are still good, their ends in Unix ms."""

    password: bool = False
    app: bool = False
    recovery_left: int = 0
    passkeys: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    managed: bool = False
    places: tuple[SignInPlace, ...] = ()
    codes: tuple[int, ...] = ()


NONE = Ways()


class WaysReader(Protocol):
    """What is committed, off the writer. Raises HandrailError JOURNAL_UNAVAILABLE."""

    async def ways(self, now_ms: int) -> Mapping[PersonId, Ways]:
        """Of everybody who has any: four tables of a row or a few per person, read whole."""
        ...
