"""What the pages about an organisation's own state read beside the writer; statements that both engines understand.

Each reads a table of at most some thousand rows: persons' sign-ins, a day's spending by use case, the outbox of thirty
days.
"""

from collections.abc import Mapping

import msgspec

from handrail.approvals.notices import Posted
from handrail.backends.notices import LAST, posted
from handrail.backends.rows import Reading
from handrail.guard.ports import Spent
from handrail.people.account import Account, Identity, Passkey
from handrail.people.session import Session, is_alive
from handrail.people.token import TokenKind
from handrail.people.ways import SignInPlace, Ways
from handrail.terms.ids import PersonId, UseCaseId


class StoredLooks:
    """`people.ways.WaysReader` and `console.ports.Standing`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def ways(self, now_ms: int) -> Mapping[PersonId, Ways]:
        found: dict[PersonId, dict[str, object]] = {}
        for body in await self._bodies("signin_account"):
            account = msgspec.json.decode(body, type=Account)
            found.setdefault(account.id, {}).update(
                password=bool(account.password), app=bool(account.totp), recovery_left=len(account.recovery)
            )
        keys: dict[PersonId, list[str]] = {}
        for body in await self._bodies("signin_passkey"):
            key = msgspec.json.decode(body, type=Passkey)
            keys.setdefault(key.person, []).append(key.name)
        for person, names in keys.items():
            found.setdefault(person, {})["passkeys"] = tuple(sorted(names))
        for body in await self._bodies("signin_identity"):
            one = msgspec.json.decode(body, type=Identity)
            mine = found.setdefault(one.person, {})
            mine["providers"] = (*mine.get("providers", ()), one.issuer)  # type: ignore[misc]  # a tuple of texts
            mine["managed"] = bool(mine.get("managed")) or one.managed
        for owner, places in (await self._places(now_ms)).items():
            found.setdefault(owner, {})["places"] = places
        for owner, codes in (await self._codes(now_ms)).items():
            found.setdefault(owner, {})["codes"] = codes
        return {person: Ways(**fields) for person, fields in found.items()}  # type: ignore[arg-type]  # by their names

    async def spent(self, day: str) -> Mapping[UseCaseId, Spent]:
        sql = "SELECT use_case, requests, tokens, cost_micro_minor FROM spending WHERE period = $1"
        return {UseCaseId(row[0]): Spent(*map(int, row[1:])) for row in await self._rows(sql, (day,))}

    async def last_notices(self) -> list[Posted]:
        return [posted(row) for row in await self._rows(LAST, ())]

    async def _bodies(self, table: str) -> list[bytes]:
        return [bytes(row[0]) for row in await self._rows(f"SELECT body FROM {table} ORDER BY id", ())]  # noqa: S608  ours

    async def _places(self, now_ms: int) -> dict[PersonId, tuple[SignInPlace, ...]]:
        found: dict[PersonId, list[SignInPlace]] = {}
        for body in await self._bodies("signin_session"):
            one = msgspec.json.decode(body, type=Session)
            if is_alive(one, now_ms):
                place = SignInPlace(id=one.id, label=one.label, created_at=one.created_at, seen_at=one.seen_at)
                found.setdefault(one.person, []).append(place)
        return {person: tuple(sorted(all_, key=lambda each: -each.seen_at)) for person, all_ in found.items()}

    async def _codes(self, now_ms: int) -> dict[PersonId, tuple[int, ...]]:
        sql = (
            "SELECT person, expires_at FROM token WHERE kind = $1 AND used_at IS NULL AND revoked_at IS NULL "
            "AND expires_at > $2 AND person IS NOT NULL ORDER BY expires_at"
        )
        found: dict[PersonId, tuple[int, ...]] = {}
        for person, ends in await self._rows(sql, (TokenKind.ONE_TIME.value, now_ms)):
            found[PersonId(person)] = (*found.get(PersonId(person), ()), int(ends))
        return found
