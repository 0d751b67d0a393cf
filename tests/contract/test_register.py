"""One suite for the register: in memory, SQLite and PostgreSQL behave the same.

A rig gives `run(command)` (the journal), `read_epoch`, `load`, `ruleset` and the kinds of the entries so far.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from fakes.home import CHAT, HANDRAIL, home
from fakes.register import CountingIds, MemoryRegister
from fakes.storage import CLOCK, IDS, PostgresServer
from fakes.storage import Rig as Storage

from handrail.home.compile import Compiled, compile_home
from handrail.home.publish import Publish, Published
from handrail.in_force.follow import follow
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.ledger.entry import Entry, EntryKind
from handrail.people.desk import AddPerson, OpenFirst, Redeem
from handrail.people.key import Scope, hash_key
from handrail.people.keys import CreateKey, RevokeKey, RotateKey
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.policy.ruleset import digest
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, EntryId, KeyId, PersonId, UseCaseId

CHAT_ID = UseCaseId("chat")
OPERATOR = Actor(ActorKind.SYSTEM, "operator")


class Rig(Protocol):
    def run(self, command: Callable[[Any], Any]) -> Any: ...
    def epoch(self) -> int: ...
    def load(self) -> Snapshot | None: ...
    def ruleset(self, name: Digest) -> Any: ...
    def kinds(self) -> list[str]: ...


class MemoryRig:
    def __init__(self) -> None:
        self.memory = MemoryRegister()

    def run(self, command: Callable[[Any], Any]) -> Any:
        return self.memory.do(command)

    def epoch(self) -> int:
        return asyncio.run(self.memory.read_epoch())

    def load(self) -> Snapshot | None:
        return asyncio.run(self.memory.load())

    def ruleset(self, name: Digest) -> Any:
        return asyncio.run(self.memory.ruleset(name))

    def kinds(self) -> list[str]:
        return [entry.kind.value for entry in self.memory.entries]


class StoredRig:
    """SQLite or PostgreSQL, opened as a process opens it."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.store = storage.run(storage.open())

    def run(self, command: Callable[[Any], Any]) -> Any:
        return self.storage.run(self.store.journal.run(command))

    def epoch(self) -> int:
        return int(self.storage.run(self.store.in_force.read_epoch()))

    def load(self) -> Snapshot | None:
        loaded: Snapshot | None = self.storage.run(self.store.in_force.load())
        return loaded

    def ruleset(self, name: Digest) -> Any:
        return self.storage.run(self.store.in_force.ruleset(name))

    def kinds(self) -> list[str]:
        rows = self.storage.run(self.store.reader.entries(0, 1000))
        return [msgspec.json.decode(facts)["kind"] for _, facts in rows]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def rig(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Callable[[], PostgresServer]) -> Iterator[Rig]:
    if request.param == "memory":
        yield MemoryRig()
        return
    storage = Storage(request.param, tmp_path, postgres_server)
    yield StoredRig(storage)
    storage.end()


@pytest.fixture(params=["sqlite", "postgres"])
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Callable[[], PostgresServer]
) -> Iterator[Storage]:
    made = Storage(request.param, tmp_path, postgres_server)
    yield made
    made.end()


@pytest.fixture
def ids() -> CountingIds:
    return CountingIds()


def publish(rig: Rig, ids: CountingIds, texts: dict[str, str] | None = None, **more: Any) -> Published:
    result: Published = rig.run(Publish(ids=ids, compiled=compile_home(home(texts)), **more))
    return result


def first_admin(rig: Rig, ids: CountingIds) -> str:
    code = rig.run(OpenFirst(ids=ids))
    return str(rig.run(Redeem(ids=ids, code=code.text, mail="ada@shop.example", name="Ada")).text)


@pytest.mark.promise("HOM-3")
def test_nothing_is_in_force_before_the_first_publish(rig: Rig) -> None:
    assert rig.load() is None


@pytest.mark.promise("HOM-3")
def test_a_publish_puts_ruleset_releases_and_epoch_in_force_together(rig: Rig, ids: CountingIds) -> None:
    before = rig.epoch()
    compiled = compile_home(home())
    published = publish(rig, ids)
    now = rig.load()
    assert now is not None
    assert published.epoch == now.epoch == rig.epoch() == before + 1
    assert now.ruleset == compiled.ruleset
    assert now.ruleset_digest == published.ruleset == digest(compiled.ruleset)
    assert now.live[CHAT_ID].release == compiled.releases[CHAT_ID]
    assert now.live[CHAT_ID].digest == digest(compiled.releases[CHAT_ID])
    assert now.rules[CHAT_ID].use_case == compiled.ruleset.use_cases[CHAT_ID]
    assert rig.kinds() == ["release.published", "release.live", "ruleset.published"]


@pytest.mark.promise("HOM-4")
def test_publishing_the_same_home_again_makes_no_entry_and_no_epoch(rig: Rig, ids: CountingIds) -> None:
    publish(rig, ids)
    epoch, kinds = rig.epoch(), rig.kinds()
    again = publish(rig, ids)
    assert not again.changed
    assert (rig.epoch(), rig.kinds()) == (epoch, kinds)


@pytest.mark.promise("HOM-4")
def test_only_what_changed_makes_an_entry(rig: Rig, ids: CountingIds) -> None:
    publish(rig, ids)
    done = len(rig.kinds())
    publish(rig, ids, {"use-cases/chat.yaml": CHAT.replace("name: Chat", "name: Shop chat")})
    assert rig.kinds()[done:] == ["ruleset.published"]
    done = len(rig.kinds())
    publish(
        rig, ids, {"use-cases/chat.yaml": CHAT.replace("name: Chat", "name: Shop chat") + "  force_parameters: true\n"}
    )
    assert rig.kinds()[done:] == ["release.published", "release.live"]


def test_going_back_to_an_older_home_publishes_nothing_new_but_makes_it_live(rig: Rig, ids: CountingIds) -> None:
    publish(rig, ids)
    publish(rig, ids, {"use-cases/chat.yaml": CHAT + "  force_parameters: true\n"})
    done = len(rig.kinds())
    publish(rig, ids)
    assert rig.kinds()[done:] == ["release.live"]


def test_a_use_case_that_leaves_the_home_has_no_live_release(rig: Rig, ids: CountingIds) -> None:
    publish(rig, ids, {"use-cases/desk.yaml": CHAT.replace("id: chat", "id: desk")})
    left = publish(rig, ids)
    assert left.went_live == {UseCaseId("desk"): None}
    now = rig.load()
    assert now is not None
    assert set(now.live) == set(now.ruleset.use_cases) == {CHAT_ID}


def test_an_older_ruleset_stays_readable_for_replay(rig: Rig, ids: CountingIds) -> None:
    old = publish(rig, ids)
    publish(rig, ids, {"handrail.yaml": HANDRAIL.replace("EUR", "CHF")})
    assert rig.ruleset(old.ruleset).currency == "EUR"
    with pytest.raises(HandrailError) as caught:
        rig.ruleset(Digest("0" * 64))
    assert caught.value.code is Code.NOT_FOUND


@pytest.mark.promise("HOM-5")
def test_the_author_of_a_digest_is_its_first_publisher(rig: Rig, ids: CountingIds) -> None:
    first = publish(rig, ids)
    token = first_admin(rig, ids)
    publish(rig, ids, {"handrail.yaml": HANDRAIL.replace("EUR", "CHF")}, token=token)
    publish(rig, ids, token=token)
    assert rig.run(lambda tx: tx.rulesets.author(first.ruleset)) == OPERATOR


@pytest.mark.promise("HOM-5")
def test_once_a_person_exists_a_publish_needs_her_token_and_names_her(rig: Rig, ids: CountingIds) -> None:
    token = first_admin(rig, ids)
    with pytest.raises(HandrailError) as caught:
        publish(rig, ids)
    assert caught.value.code is Code.NOT_ALLOWED
    assert rig.load() is None
    published = publish(rig, ids, token=token)
    author = rig.run(lambda tx: tx.rulesets.author(published.ruleset))
    assert author == Actor(ActorKind.PERSON, rig.run(lambda tx: tx.persons.all()[0].id))


def test_two_publishers_cannot_overwrite_each_other_unseen(rig: Rig, ids: CountingIds) -> None:
    seen = publish(rig, ids)
    publish(rig, ids, {"handrail.yaml": HANDRAIL.replace("EUR", "CHF")})
    with pytest.raises(HandrailError) as caught:
        publish(rig, ids, {"handrail.yaml": HANDRAIL.replace("EUR", "GBP")}, expected=seen.ruleset)
    assert caught.value.code is Code.LOST_RACE


@pytest.mark.promise("HOM-3")
def test_a_publish_that_fails_late_leaves_nothing_behind(rig: Rig, ids: CountingIds) -> None:
    publish(rig, ids)
    before = (rig.epoch(), rig.kinds(), rig.load())
    later = Publish(ids=ids, compiled=compile_home(home({"handrail.yaml": HANDRAIL.replace("EUR", "CHF")})))

    def broken(tx: Any) -> None:
        later(tx)
        raise HandrailError(Code.LOST_RACE, "as if the last statement had failed")

    with pytest.raises(HandrailError):
        rig.run(broken)
    now = rig.load()
    assert now is not None
    assert before[2] is not None
    assert (rig.epoch(), rig.kinds()) == before[:2]
    assert (now.ruleset_digest, now.live, now.keys) == (before[2].ruleset_digest, before[2].live, before[2].keys)


def create(ids: CountingIds, **more: Any) -> CreateKey:
    return CreateKey(ids=ids, use_case=CHAT_ID, registered=frozenset({CHAT_ID}), **more)


@pytest.mark.promise("PEO-1")
def test_a_created_key_is_found_by_its_hash_and_bumps_the_epoch(rig: Rig, ids: CountingIds) -> None:
    publish(rig, ids)
    before = rig.epoch()
    made = rig.run(create(ids, agent="web", scopes=frozenset({Scope.CHAT, Scope.EVENTS}), expires_in_ms=5000))
    now = rig.load()
    assert now is not None
    assert now.keys[hash_key(made.text)] == made.key
    assert made.key.expires_at == made.key.created_at + 5000
    assert rig.epoch() == before + 1
    assert rig.kinds()[-1] == "key.created"


@pytest.mark.promise("PEO-2")
def test_a_revoked_key_says_so_and_revoking_again_changes_nothing(rig: Rig, ids: CountingIds) -> None:
    made = rig.run(create(ids))
    gone = rig.run(RevokeKey(ids=ids, key_id=made.key.id))
    assert gone.revoked_at is not None
    kinds = rig.kinds()
    assert rig.run(RevokeKey(ids=ids, key_id=made.key.id)) == gone
    assert rig.kinds() == kinds == ["key.created", "key.revoked"]


@pytest.mark.promise("PEO-2")
def test_a_rotated_key_serves_for_the_time_of_grace_beside_the_new_one(rig: Rig, ids: CountingIds) -> None:
    old = rig.run(create(ids, agent="web")).key
    made = rig.run(RotateKey(ids=ids, key_id=old.id, grace_ms=60_000)).key
    ending = rig.run(lambda tx: tx.keys.get(old.id))
    assert (made.use_case, made.scopes, made.agent, made.expires_at) == (CHAT_ID, old.scopes, "web", None)
    assert ending.revoked_at is None
    assert ending.expires_at == made.created_at + 60_000
    assert made.hash != old.hash
    again = rig.run(RotateKey(ids=ids, key_id=made.id)).key
    stored = [rig.run(lambda tx, id_=key.id: tx.keys.get(id_)) for key in (old, made, again)]
    assert [key.lineage for key in stored] == [old.id] * 3
    assert rig.run(create(ids, agent="web")).key.lineage != old.id


def test_an_unknown_key_is_not_found(rig: Rig, ids: CountingIds) -> None:
    for command in (RevokeKey(ids=ids, key_id=KeyId("nobody")), RotateKey(ids=ids, key_id=KeyId("nobody"))):
        with pytest.raises(HandrailError) as caught:
            rig.run(command)
        assert caught.value.code is Code.NOT_FOUND


def test_a_stale_swap_of_a_key_loses_and_changes_nothing(rig: Rig, ids: CountingIds) -> None:
    key = rig.run(create(ids)).key
    newer = msgspec.structs.replace(key, revoked_at=7)
    rig.run(lambda tx: tx.keys.swap(key, newer))
    with pytest.raises(HandrailError) as caught:
        rig.run(lambda tx: tx.keys.swap(key, msgspec.structs.replace(key, expires_at=9)))
    assert caught.value.code is Code.LOST_RACE
    assert rig.run(lambda tx: tx.keys.get(key.id)) == newer


def test_persons_are_unique_by_address_and_keep_their_roles(rig: Rig, ids: CountingIds) -> None:
    token = first_admin(rig, ids)
    roles = frozenset({Role.APPROVER, Role.REVIEWER})
    shown = rig.run(AddPerson(ids=ids, mail="Ben@Shop.example", name="Ben", roles=roles, token=token))
    assert rig.run(lambda tx: tx.persons.by_mail("ben@shop.example")) == shown.person
    assert rig.run(lambda tx: tx.persons.get(shown.person.id).roles) == roles
    with pytest.raises(HandrailError) as caught:
        rig.run(AddPerson(ids=ids, mail="ben@shop.example", name="Ben 2", roles=roles, token=token))
    assert caught.value.code is Code.ALREADY
    assert len(rig.run(lambda tx: tx.persons.all())) == 2


def test_a_stale_swap_of_a_person_or_token_loses(rig: Rig, ids: CountingIds) -> None:
    first_admin(rig, ids)
    person: Person = rig.run(lambda tx: tx.persons.all()[0])
    token = rig.run(lambda tx: tx.tokens.all()[-1])
    rig.run(lambda tx: tx.persons.swap(person, msgspec.structs.replace(person, name="Ada L")))
    rig.run(lambda tx: tx.tokens.swap(token, msgspec.structs.replace(token, revoked_at=5)))
    for stale in (
        lambda tx: tx.persons.swap(person, msgspec.structs.replace(person, name="Other")),
        lambda tx: tx.tokens.swap(token, msgspec.structs.replace(token, used_at=6)),
    ):
        with pytest.raises(HandrailError) as caught:
            rig.run(stale)
        assert caught.value.code is Code.LOST_RACE


def test_reads_of_what_is_not_there_say_so(rig: Rig) -> None:
    nobody = Digest("0" * 64)
    for read in (
        lambda tx: tx.persons.get(PersonId("pe_none")),
        lambda tx: tx.releases.get(nobody),
        lambda tx: tx.releases.author(nobody),
        lambda tx: tx.rulesets.author(nobody),
    ):
        with pytest.raises(HandrailError) as caught:
            rig.run(read)
        assert caught.value.code is Code.NOT_FOUND
    assert rig.run(lambda tx: tx.tokens.get(KeyId("none"))) is None
    assert rig.run(lambda tx: tx.persons.by_mail("a@b.example")) is None


@pytest.mark.parametrize("digest_now", [None, Digest("1" * 64)])
def test_live_moves_only_from_what_is_live(rig: Rig, ids: CountingIds, digest_now: Digest | None) -> None:
    publish(rig, ids)
    live = rig.run(lambda tx: tx.releases.live())[CHAT_ID]
    with pytest.raises(HandrailError) as caught:
        rig.run(lambda tx: tx.releases.set_live(CHAT_ID, live, expected=digest_now, at_ms=1))
    assert caught.value.code is Code.LOST_RACE
    with pytest.raises(HandrailError):
        rig.run(lambda tx: tx.releases.set_live(UseCaseId("none"), None, expected=digest_now, at_ms=1))


@pytest.mark.promise("PEO-1")
def test_a_change_without_its_entry_cannot_be_saved(rig: Rig, ids: CountingIds) -> None:
    """The entry is refused (its id is taken), so the key is not there either."""
    taken = Entry(id=EntryId("en_taken"), kind=EntryKind.SERVER_STARTED, at_ms=1, actor=OPERATOR)
    rig.run(lambda tx: tx.append(taken))

    def clash(tx: Any) -> None:
        create(ids)(tx)
        raise HandrailError(Code.ALREADY, "the entry's id is taken")

    with pytest.raises(HandrailError):
        rig.run(clash)
    assert rig.run(lambda tx: tx.keys.all()) == []
    assert rig.kinds() == ["server.started"]


@pytest.mark.promise("INF-1")
def test_a_publish_through_another_connection_is_in_force_within_a_second(storage: Storage) -> None:
    """One database opened twice: one side publishes, the other follows with its real interval."""

    async def scene() -> float:
        publisher, server = await storage.open(), await storage.open()
        in_force, changed = InForce(), asyncio.Event()
        following = asyncio.create_task(follow(in_force, server.in_force, CLOCK, on_change=changed.set))
        try:
            await publisher.journal.run(Publish(ids=IDS, compiled=compile_home(home())))
            await asyncio.wait_for(changed.wait(), 5)
            changed.clear()
            chf = compile_home(home({"handrail.yaml": HANDRAIL.replace("EUR", "CHF")}))
            await publisher.journal.run(Publish(ids=IDS, compiled=chf))
            start = CLOCK.monotonic()
            await asyncio.wait_for(changed.wait(), 5)
            took = CLOCK.monotonic() - start
        finally:
            following.cancel()
        assert in_force.current is not None
        assert in_force.current.ruleset.currency == "CHF"
        return took

    assert storage.run(scene()) < 1.0


@pytest.mark.promise("HOM-3")
def test_what_is_in_force_outlives_the_process(storage: Storage) -> None:
    async def first() -> Published:
        store = await storage.open()
        return await store.journal.run(Publish(ids=IDS, compiled=compile_home(home())))

    async def second() -> Snapshot | None:
        store = await storage.open()
        return await store.in_force.load()

    published, now = storage.run(first()), storage.run(second())
    assert now is not None
    assert now.ruleset_digest == published.ruleset


@pytest.mark.promise("HOM-3")
def test_publishes_from_two_sides_at_once_never_mix(storage: Storage) -> None:
    """Whoever is last: ruleset and releases in force are of one and the same publish."""

    def compiled(step: int, who: str) -> Compiled:
        case = CHAT.replace("name: Chat", f"name: {who} {step}") + f"  parameters: {{seed: {step}, stop: {who}}}\n"
        return compile_home(home({"use-cases/chat.yaml": case}))

    async def scene() -> Snapshot | None:
        one, two = await storage.open(), await storage.open()
        for step in range(5):
            await asyncio.gather(
                one.journal.run(Publish(ids=IDS, compiled=compiled(step, "one"))),
                two.journal.run(Publish(ids=IDS, compiled=compiled(step, "two"))),
            )
            now = await one.in_force.load()
            name = now.ruleset.use_cases[CHAT_ID].name
            parameters = now.live[CHAT_ID].release.parameters
            assert name == f"{parameters['stop']} {parameters['seed']}"
        return await two.in_force.load()

    now = storage.run(scene())
    assert now is not None
    assert now.epoch == 11
