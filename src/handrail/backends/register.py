"""Rulesets, releases, keys, persons and tokens in tables: one set of statements that both engines understand as
written (`$1` placeholders, `ON CONFLICT`, `RETURNING`). Each engine gives one function that runs a statement inside
the command's savepoint; there is nothing here to batch, so nothing to write twice.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from handrail.approvals.stop import Stop
from handrail.backends.autonomy import lowered_levels
from handrail.in_force.running import running
from handrail.in_force.snapshot import Snapshot
from handrail.people.key import ApiKey, Scope
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.token import Token, TokenKind
from handrail.policy.evaluate import rules_of
from handrail.policy.ramp import HeldOut
from handrail.policy.ruleset import Ruleset, canonical, rule_digests
from handrail.releases.lifecycle import Rollout
from handrail.releases.release import LiveRelease, Release
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, KeyId, PersonId, UseCaseId

Fetch: TypeAlias = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Run one statement with values for $1, $2, ... in order of their first use; its rows."""

_KEY = "id, hash, use_case, scopes, agent, created_at, expires_at, revoked_at, first, made_by"
_PERSON = "id, mail, name, roles, created_at, disabled_at"
_TOKEN = "id, kind, hash, person, created_at, expires_at, used_at, revoked_at"  # noqa: S105  names of columns
_SELECT = {"api_key": _KEY, "person": _PERSON, "token": _TOKEN}


def selected(table: str, rest: str) -> str:
    return f"SELECT {_SELECT[table]} FROM {table} {rest}"  # noqa: S608  tables and columns are ours, values are $n


def _inserted(table: str) -> str:
    places = ", ".join(f"${place}" for place in range(1, _SELECT[table].count(",") + 2))
    return f"INSERT INTO {table} ({_SELECT[table]}) VALUES ({places}) ON CONFLICT DO NOTHING RETURNING id"  # noqa: S608  as above


class Keys:
    """`people.store.KeyStore`."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def add(self, key: ApiKey) -> None:
        if not self._fetch(_inserted("api_key"), _key_row(key)):
            raise HandrailError(Code.ALREADY, "an API key with this id exists")

    def get(self, key_id: KeyId) -> ApiKey:
        found = self._fetch(selected("api_key", "WHERE id = $1"), (key_id,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no API key with this id; see handrail key list")
        return key_of_row(found[0])

    def swap(self, old: ApiKey, new: ApiKey) -> None:
        sql = (
            "UPDATE api_key SET use_case = $1, scopes = $2, agent = $3, expires_at = $4, revoked_at = $5 "
            "WHERE id = $6 AND scopes = $7 AND expires_at IS NOT DISTINCT FROM $8 "
            "AND revoked_at IS NOT DISTINCT FROM $9 RETURNING id"
        )
        row, was = _key_row(new), _key_row(old)
        values = (row[2], row[3], row[4], row[6], row[7], was[0], was[3], was[6], was[7])
        _require(self._fetch(sql, values))

    def all(self) -> list[ApiKey]:
        return [key_of_row(row) for row in self._fetch(selected("api_key", "ORDER BY created_at, id"), ())]


class Persons:
    """`people.store.PersonStore`."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def add(self, person: Person) -> None:
        if not self._fetch(_inserted("person"), _person_row(person)):
            raise HandrailError(Code.ALREADY, "a person with this e-mail address exists")

    def get(self, person_id: PersonId) -> Person:
        found = self._fetch(selected("person", "WHERE id = $1"), (person_id,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no person with this id; see handrail person list")
        return person_of_row(found[0])

    def by_mail(self, mail: str) -> Person | None:
        found = self._fetch(selected("person", "WHERE mail = $1"), (mail,))
        return person_of_row(found[0]) if found else None

    def swap(self, old: Person, new: Person) -> None:
        sql = (
            "UPDATE person SET mail = $1, name = $2, roles = $3, disabled_at = $4 "
            "WHERE id = $5 AND mail = $6 AND name = $7 AND roles = $8 AND disabled_at IS NOT DISTINCT FROM $9 "
            "RETURNING id"
        )
        row, was = _person_row(new), _person_row(old)
        _require(self._fetch(sql, (row[1], row[2], row[3], row[5], was[0], was[1], was[2], was[3], was[5])))

    def all(self) -> list[Person]:
        return [person_of_row(row) for row in self._fetch(selected("person", "ORDER BY created_at, id"), ())]


class Tokens:
    """`people.store.TokenStore`."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def add(self, token: Token) -> None:
        if not self._fetch(_inserted("token"), _token_row(token)):
            raise HandrailError(Code.ALREADY, "a token with this id exists")

    def get(self, token_id: KeyId) -> Token | None:
        found = self._fetch(selected("token", "WHERE id = $1"), (token_id,))
        return _token(found[0]) if found else None

    def swap(self, old: Token, new: Token) -> None:
        sql = (
            "UPDATE token SET expires_at = $1, used_at = $2, revoked_at = $3 "
            "WHERE id = $4 AND expires_at = $5 AND used_at IS NOT DISTINCT FROM $6 "
            "AND revoked_at IS NOT DISTINCT FROM $7 RETURNING id"
        )
        values = (new.expires_at, new.used_at, new.revoked_at, old.id, old.expires_at, old.used_at, old.revoked_at)
        _require(self._fetch(sql, values))

    def all(self) -> list[Token]:
        return [_token(row) for row in self._fetch(selected("token", "ORDER BY created_at, id"), ())]


class Releases:
    """`releases.store.ReleaseStore`."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def put(self, digest: Digest, release: Release, *, by: Actor, at_ms: int) -> bool:
        sql = (
            "INSERT INTO release (digest, use_case, body, by_kind, by_id, at_ms) VALUES ($1, $2, $3, $4, $5, $6) "
            "ON CONFLICT (digest) DO NOTHING RETURNING digest"
        )
        return bool(self._fetch(sql, (digest, release.use_case, canonical(release), by.kind.value, by.id, at_ms)))

    def get(self, digest: Digest) -> Release:
        found = self._fetch("SELECT body FROM release WHERE digest = $1", (digest,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no release with this digest")
        return msgspec.json.decode(found[0][0], type=Release)

    def author(self, digest: Digest) -> Actor:
        return _author(self._fetch("SELECT by_kind, by_id FROM release WHERE digest = $1", (digest,)))

    def live(self) -> dict[UseCaseId, Digest]:
        rows = self._fetch("SELECT use_case, digest FROM release_live ORDER BY use_case", ())
        return {UseCaseId(use_case): Digest(digest) for use_case, digest in rows}

    def set_live(self, use_case: UseCaseId, digest: Digest | None, *, expected: Digest | None, at_ms: int) -> None:
        if digest is None:
            sql = "DELETE FROM release_live WHERE use_case = $1 AND digest = $2 RETURNING digest"
            _require(self._fetch(sql, (use_case, expected)))
        elif expected is None:
            sql = (
                "INSERT INTO release_live (use_case, digest, at_ms) VALUES ($1, $2, $3) "
                "ON CONFLICT (use_case) DO NOTHING RETURNING digest"
            )
            _require(self._fetch(sql, (use_case, digest, at_ms)))
        else:
            sql = "UPDATE release_live SET digest = $1, at_ms = $2 WHERE use_case = $3 AND digest = $4 RETURNING digest"
            _require(self._fetch(sql, (digest, at_ms, use_case, expected)))


class Rulesets:
    """`in_force.store.RulesetStore`."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def put(self, digest: Digest, ruleset: Ruleset, *, by: Actor, at_ms: int) -> bool:
        sql = (
            "INSERT INTO ruleset (digest, body, by_kind, by_id, at_ms) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (digest) DO NOTHING RETURNING digest"
        )
        new = bool(self._fetch(sql, (digest, canonical(ruleset), by.kind.value, by.id, at_ms)))
        for rule in rule_digests(ruleset.actions).values():
            self._fetch(
                "INSERT INTO rule_author (digest, by_kind, by_id, at_ms) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (digest) DO NOTHING",
                (rule, by.kind.value, by.id, at_ms),
            )
        return new

    def rule_author(self, rule: Digest) -> Actor | None:
        """`approvals.store.Rulebook`."""
        found = self._fetch("SELECT by_kind, by_id FROM rule_author WHERE digest = $1", (rule,))
        return Actor(ActorKind(found[0][0]), found[0][1]) if found else None

    def get(self, digest: Digest) -> Ruleset:
        found = self._fetch("SELECT body FROM ruleset WHERE digest = $1", (digest,))
        if not found:
            raise HandrailError(Code.NOT_FOUND, "there is no ruleset with this digest")
        return msgspec.json.decode(found[0][0], type=Ruleset)

    def author(self, digest: Digest) -> Actor:
        return _author(self._fetch("SELECT by_kind, by_id FROM ruleset WHERE digest = $1", (digest,)))

    def current(self) -> Digest | None:
        found = self._fetch("SELECT digest FROM ruleset_current WHERE one = 1", ())
        return Digest(found[0][0]) if found else None

    def set_current(self, digest: Digest, *, expected: Digest | None, at_ms: int) -> None:
        if expected is None:
            sql = (
                "INSERT INTO ruleset_current (one, digest, at_ms) VALUES (1, $1, $2) "
                "ON CONFLICT (one) DO NOTHING RETURNING digest"
            )
            _require(self._fetch(sql, (digest, at_ms)))
        else:
            sql = "UPDATE ruleset_current SET digest = $1, at_ms = $2 WHERE one = 1 AND digest = $3 RETURNING digest"
            _require(self._fetch(sql, (digest, at_ms, expected)))


def epoch(fetch: Fetch) -> int:
    return int(fetch("SELECT epoch FROM control WHERE one = 1", ())[0][0])


_ROLLOUTS = (
    "SELECT body FROM rollout WHERE state IN ('canary', 'live', 'rolled_back', 'retired') "
    "ORDER BY created_at DESC, release"
)


def snapshot(fetch: Fetch, now_ms: int) -> Snapshot | None:
    """All of one epoch; `fetch` must read one state of the database throughout. None: nothing was published yet."""
    rulesets, releases = Rulesets(fetch), Releases(fetch)
    digest = rulesets.current()
    if digest is None:
        return None
    ruleset = rulesets.get(digest)
    live = {
        use_case: LiveRelease(each, releases.get(each))
        for use_case, each in releases.live().items()
        if use_case in ruleset.use_cases
    }
    rollouts = [msgspec.json.decode(bytes(body), type=Rollout) for (body,) in fetch(_ROLLOUTS, ())]
    return Snapshot(
        epoch=epoch(fetch),
        ruleset_digest=digest,
        ruleset=ruleset,
        live=live,
        running=running(rollouts, live, lambda each: LiveRelease(each, releases.get(each)), now_ms, _compared(ruleset)),
        keys={key.hash: key for key in Keys(fetch).all()},
        stops=tuple([_STOP.decode(bytes(row[0])) for row in fetch("SELECT stop FROM stop ORDER BY id", ())]),
        rules=rules_of(ruleset),
        lowered=lowered_levels(fetch),
    )


_STOP = msgspec.json.Decoder(Stop)


def _compared(ruleset: Ruleset) -> frozenset[UseCaseId]:
    """Use cases with a hold-out on the release that was live before."""
    ramps = ((name, case.ramp) for name, case in ruleset.use_cases.items())
    return frozenset(name for name, ramp in ramps if ramp and ramp.hold_out and ramp.hold_out_by is HeldOut.PREVIOUS)


def _require(changed: Sequence[object]) -> None:
    if not changed:
        raise HandrailError(Code.LOST_RACE, "someone else changed this in the meantime; look again and repeat")


def _author(found: list[tuple[Any, ...]]) -> Actor:
    if not found:
        raise HandrailError(Code.NOT_FOUND, "nothing with this digest was published")
    return Actor(ActorKind(found[0][0]), found[0][1])


def _key_row(key: ApiKey) -> tuple[Any, ...]:
    scopes = ",".join(sorted(scope.value for scope in key.scopes))
    return (
        key.id, key.hash, key.use_case, scopes, key.agent, key.created_at, key.expires_at, key.revoked_at, key.first,
        key.by,
    )  # fmt: skip


def key_of_row(row: tuple[Any, ...]) -> ApiKey:
    return ApiKey(
        id=KeyId(row[0]),
        hash=bytes(row[1]),
        use_case=UseCaseId(row[2]) if row[2] is not None else None,
        scopes=frozenset(Scope(word) for word in row[3].split(",") if word),
        agent=row[4],
        created_at=row[5],
        expires_at=row[6],
        revoked_at=row[7],
        first=row[8],
        by=row[9],
    )


def _person_row(person: Person) -> tuple[Any, ...]:
    roles = ",".join(sorted(role.value for role in person.roles))
    return person.id, person.mail, person.name, roles, person.created_at, person.disabled_at


def person_of_row(row: tuple[Any, ...]) -> Person:
    return Person(
        id=PersonId(row[0]),
        mail=row[1],
        name=row[2],
        roles=frozenset(Role(word) for word in row[3].split(",") if word),
        created_at=row[4],
        disabled_at=row[5],
    )


def _token_row(token: Token) -> tuple[Any, ...]:
    return (
        token.id, token.kind.value, token.hash, token.person, token.created_at, token.expires_at, token.used_at,
        token.revoked_at,
    )  # fmt: skip


def _token(row: tuple[Any, ...]) -> Token:
    return Token(
        id=KeyId(row[0]),
        kind=TokenKind(row[1]),
        hash=bytes(row[2]),
        person=PersonId(row[3]) if row[3] is not None else None,
        created_at=row[4],
        expires_at=row[5],
        used_at=row[6],
        revoked_at=row[7],
    )
