"""The register in memory: the ports of people, releases and in_force, with savepoints and a clock set by hand.

Judged by the same contract suite as SQLite and PostgreSQL (tests/contract/test_register.py).
"""

import copy
import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from handrail.governance.demote import Demotion, at_most
from handrail.in_force.snapshot import Snapshot
from handrail.ledger.entry import Entry
from handrail.people.person import Person
from handrail.people.token import Token
from handrail.policy.evaluate import rules_of
from handrail.policy.ruleset import Ruleset, rule_digests
from handrail.releases.lifecycle import Rollout, State
from handrail.releases.release import LiveRelease, Release
from handrail.terms.actor import Actor
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, UseCaseId, ulid

T = TypeVar("T")


class CountingIds:
    """`terms.ids.Ids` that counts: the same ids and bytes in every run, never twice in one."""

    def __init__(self, start: int = 0) -> None:
        self._count = start

    def new(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{ulid(self._count, self._count.to_bytes(10, 'big'))}"

    def token(self, size: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(str(self._count).encode()).digest(size)


class HandClock:
    """`terms.clock.Clock` set by hand."""

    def __init__(self, now_ms: int = 1_790_000_000_000) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


def _lost() -> HandrailError:
    return HandrailError(Code.LOST_RACE, "someone else changed this in the meantime; look again and repeat")


class MemoryRows:
    """Rows by id; shared shape of keys, persons and tokens."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.rows: dict[str, Any] = {}

    def add(self, row: Any) -> None:
        mails = {getattr(each, "mail", None) for each in self.rows.values()}
        if row.id in self.rows or (getattr(row, "mail", None) in mails and hasattr(row, "mail")):
            raise HandrailError(Code.ALREADY, f"{self._what} exists")
        self.rows[row.id] = row

    def get(self, name: str) -> Any:
        if name not in self.rows:
            raise HandrailError(Code.NOT_FOUND, f"there is no {self._what} with this id")
        return self.rows[name]

    def swap(self, old: Any, new: Any) -> None:
        if self.rows.get(old.id) != old:
            raise _lost()
        self.rows[old.id] = new

    def all(self) -> list[Any]:
        return sorted(self.rows.values(), key=lambda row: (row.created_at, row.id))

    def by_mail(self, mail: str) -> Person | None:
        return next((row for row in self.rows.values() if row.mail == mail), None)


class MemoryTokens(MemoryRows):
    def get(self, name: str) -> Token | None:
        return self.rows.get(name)


class MemoryRollouts:
    """`releases.store.RolloutStore`, without its messages."""

    def __init__(self) -> None:
        self.kept: dict[Digest, Rollout] = {}

    def add(self, rollout: Rollout) -> None:
        if rollout.release in self.kept:
            raise HandrailError(Code.ALREADY, "known")
        self.kept[rollout.release] = rollout

    def get(self, release: Digest) -> Rollout:
        found = self.find(release)
        if found is None:
            raise HandrailError(Code.NOT_FOUND, "unknown")
        return found

    def find(self, release: Digest) -> Rollout | None:
        return self.kept.get(release)

    def named(self, beginning: str) -> Rollout:
        (found,) = [one for one in self.kept.values() if one.release.startswith(beginning)]
        return found

    def swap(self, before: Rollout, after: Rollout) -> None:
        if self.get(before.release).version != before.version:
            raise HandrailError(Code.LOST_RACE, "moved")
        self.kept[before.release] = after

    def all(self, use_case: UseCaseId | None = None, states: frozenset[State] | None = None) -> list[Rollout]:
        return [
            one
            for one in self.kept.values()
            if (use_case is None or one.use_case == use_case) and (states is None or one.state in states)
        ]


class MemoryReleases:
    def __init__(self) -> None:
        self.kept: dict[Digest, tuple[Release, Actor]] = {}
        self.alive: dict[UseCaseId, Digest] = {}

    def put(self, digest: Digest, release: Release, *, by: Actor, at_ms: int) -> bool:
        if digest in self.kept:
            return False
        self.kept[digest] = (release, by)
        return True

    def get(self, digest: Digest) -> Release:
        return self._kept(digest)[0]

    def author(self, digest: Digest) -> Actor:
        return self._kept(digest)[1]

    def live(self) -> dict[UseCaseId, Digest]:
        return dict(sorted(self.alive.items()))

    def set_live(self, use_case: UseCaseId, digest: Digest | None, *, expected: Digest | None, at_ms: int) -> None:
        if self.alive.get(use_case) != expected or (digest is None and expected is None):
            raise _lost()
        if digest is None:
            del self.alive[use_case]
        else:
            self.alive[use_case] = digest

    def _kept(self, digest: Digest) -> tuple[Release, Actor]:
        if digest not in self.kept:
            raise HandrailError(Code.NOT_FOUND, "there is no release with this digest")
        return self.kept[digest]


class MemoryRulesets:
    def __init__(self) -> None:
        self.kept: dict[Digest, tuple[Ruleset, Actor]] = {}
        self.now: Digest | None = None

    def put(self, digest: Digest, ruleset: Ruleset, *, by: Actor, at_ms: int) -> bool:
        if digest in self.kept:
            return False
        self.kept[digest] = (ruleset, by)
        return True

    def get(self, digest: Digest) -> Ruleset:
        if digest not in self.kept:
            raise HandrailError(Code.NOT_FOUND, "there is no ruleset with this digest")
        return self.kept[digest][0]

    def author(self, digest: Digest) -> Actor:
        if digest not in self.kept:
            raise HandrailError(Code.NOT_FOUND, "nothing with this digest was published")
        return self.kept[digest][1]

    def rule_author(self, rule: Digest) -> Actor | None:
        for ruleset, by in self.kept.values():
            if rule in rule_digests(ruleset.actions).values():
                return by
        return None

    def current(self) -> Digest | None:
        return self.now

    def set_current(self, digest: Digest, *, expected: Digest | None, at_ms: int) -> None:
        if self.now != expected:
            raise _lost()
        self.now = digest


class MemoryAutonomy:
    """`governance.store.AutonomyStore`."""

    def __init__(self) -> None:
        self.kept: dict[UseCaseId, Demotion] = {}
        self.spent: set[tuple[UseCaseId, str]] = set()
        self.counted: Counter[str] = Counter()

    def get(self, use_case: UseCaseId) -> Demotion:
        return self.kept.get(use_case) or Demotion(use_case=use_case)

    def all(self) -> list[Demotion]:
        return [one for _, one in sorted(self.kept.items()) if one.levels]

    def swap(self, before: Demotion, after: Demotion) -> None:
        if self.get(before.use_case).version != before.version:
            raise HandrailError(Code.LOST_RACE, "moved meanwhile")
        self.kept[after.use_case] = after

    def spend(self, use_case: UseCaseId, key: str) -> bool:
        fresh = (use_case, key) not in self.spent
        self.spent.add((use_case, key))
        return fresh

    def counts(self, use_case: UseCaseId, since_hour: int) -> Counter[str]:
        return self.counted


class MemoryState:
    """What a savepoint copies."""

    def __init__(self) -> None:
        self.keys: Any = MemoryRows("API key")
        self.persons: Any = MemoryRows("person")
        self.tokens: Any = MemoryTokens("token")
        self.releases = MemoryReleases()
        self.rollouts = MemoryRollouts()
        self.rulesets = MemoryRulesets()
        self.autonomy = MemoryAutonomy()
        self.entries: list[Entry] = []
        self.epoch = 1


class MemoryTransaction:
    """`home.publish.PublishTransaction` over a copy of the state."""

    def __init__(self, state: MemoryState, now_ms: int) -> None:
        self._state = state
        self.now_ms = now_ms
        self.keys = state.keys
        self.persons = state.persons
        self.tokens = state.tokens
        self.releases = state.releases
        self.rollouts = state.rollouts
        self.rulesets = state.rulesets
        self.autonomy = state.autonomy

    def append(self, entry: Entry) -> None:
        self._state.entries.append(entry)

    def bump_epoch(self) -> int:
        self._state.epoch += 1
        return self._state.epoch


class MemoryRegister:
    """A journal and `in_force.store.InForceStore` in one. `fail` makes every read fail; `reads` counts loads."""

    def __init__(self, clock: HandClock | None = None) -> None:
        self.clock = clock or HandClock()
        self.state = MemoryState()
        self.fail: Exception | None = None
        self.loads = 0

    @property
    def entries(self) -> list[Entry]:
        return self.state.entries

    def do(self, command: Callable[[Any], T]) -> T:
        """Run a command; what it raises undoes all it did."""
        draft = copy.deepcopy(self.state)
        result = command(MemoryTransaction(draft, self.clock.now_ms()))
        self.state = draft
        return result

    async def run(self, command: Callable[[Any], T]) -> T:
        return self.do(command)

    async def read_epoch(self) -> int:
        if self.fail is not None:
            raise self.fail
        return self.state.epoch

    async def load(self) -> Snapshot | None:
        if self.fail is not None:
            raise self.fail
        self.loads += 1
        digest = self.state.rulesets.current()
        if digest is None:
            return None
        ruleset = self.state.rulesets.get(digest)
        return Snapshot(
            epoch=self.state.epoch,
            ruleset_digest=digest,
            ruleset=ruleset,
            lowered={one.use_case: at_most(one) for one in self.state.autonomy.all()},
            live={
                use_case: LiveRelease(each, self.state.releases.get(each))
                for use_case, each in self.state.releases.live().items()
                if use_case in ruleset.use_cases
            },
            keys={key.hash: key for key in self.state.keys.all()},
            rules=rules_of(ruleset),
        )

    async def ruleset(self, digest: Digest) -> Ruleset:
        return self.state.rulesets.get(digest)
