"""Records of sign-in on SQLite and PostgreSQL: taken once, compared whole, swept when over; a session acts in the
command's own transaction."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from fakes.storage import IDS, Rig

from handrail.app.wire.console import ByToken
from handrail.backends.signin import TABLES
from handrail.people.account import Account, Passkey, Step
from handrail.people.acting import person_of
from handrail.people.desk import OpenFirst, Redeem, RevokeToken
from handrail.people.person import Person
from handrail.people.provider import Claims, persons_of, vouched_by
from handrail.people.provider_logout import EndByProvider, Left
from handrail.people.role import Role
from handrail.people.session import Lengths
from handrail.people.sessions import EndSession, EndSessions, Seen, SignedIn, SignOut, Turn, open_session
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId

PAT = PersonId("pe_pat")


async def admin(store: Any) -> Person:
    shown = await store.journal.run(OpenFirst(ids=IDS))
    made = await store.journal.run(Redeem(ids=IDS, code=shown.text, mail="pat@example.com", name="Pat"))
    assert made.person is not None
    return made.person


async def signed_in(
    store: Any, person: Person, lengths: Lengths | None = None, methods: tuple[str, ...] = ("password", "totp")
) -> SignedIn:
    return await store.journal.run(
        lambda tx: open_session(tx, IDS, person, methods, lengths=lengths or Lengths(), label="Firefox, Linux")
    )


def kinds(tx: Any) -> list[str]:
    return [kind for (kind,) in tx.fetch("SELECT kind FROM entry ORDER BY seq")]


def test_a_record_is_added_once_compared_whole_and_taken_once(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        step = Step(id="one", person=PAT, body=b"{}", ends_at=5_000)
        await store.journal.run(lambda tx: tx.steps.add(step))
        with pytest.raises(HandrailError) as twice:
            await store.journal.run(lambda tx: tx.steps.add(step))
        assert twice.value.code is Code.ALREADY
        other = msgspec.structs.replace(step, body=b"{1}")
        await store.journal.run(lambda tx: tx.steps.swap(step, other))
        for late in (lambda tx: tx.steps.swap(step, other), lambda tx: tx.steps.remove(step)):
            with pytest.raises(HandrailError) as lost:
                await store.journal.run(late)
            assert lost.value.code is Code.LOST_RACE
        assert await store.journal.run(lambda tx: tx.steps.of(PAT)) == [other]
        await store.journal.run(lambda tx: tx.steps.remove(other))
        assert await store.journal.run(lambda tx: tx.steps.get("one")) is None

    durable.run(work())


def test_what_has_ended_is_swept_and_what_has_no_end_stays(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        for name, ends_at in (("over", 10), ("now", 20), ("later", 21), ("never", 0)):
            step = Step(id=name, ends_at=ends_at)
            await store.journal.run(lambda tx, step=step: tx.steps.add(step))
        assert await store.journal.run(lambda tx: tx.steps.sweep(20)) == 2
        left = await store.journal.run(lambda tx: [tx.steps.get(name) is not None for name in ("later", "never")])
        assert left == [True, True]

    durable.run(work())


def test_every_kind_of_record_has_its_table(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        for table in TABLES.values():
            await store.journal.run(lambda tx, table=table: tx.fetch(f"SELECT id, person, ends_at, body FROM {table}"))
        key = Passkey(id="c", person=PAT, key=b"\x00\xff", count=3, name="Laptop", created_at=1)
        await store.journal.run(lambda tx: tx.passkeys.add(key))
        assert await store.journal.run(lambda tx: tx.passkeys.get("c")) == key

    durable.run(work())


@pytest.mark.promise("SGN-3")
def test_a_session_is_read_with_its_person_and_nothing_stored_opens_it(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        person = await admin(store)
        made = await signed_in(store, person)
        await store.journal.run(lambda tx: tx.accounts.add(Account(id=person.id, language="de")))
        held = await store.signin.session(made.session.id)
        assert held is not None
        assert held[0] == made.session
        assert held[1] == person
        assert held[2] is not None
        assert held[2].language == "de"
        stored = await store.journal.run(lambda tx: tx.fetch("SELECT body FROM signin_session"))
        assert made.text.split("_", 2)[2].encode() not in bytes(stored[0][0])
        assert await store.signin.anybody()
        assert not await store.signin.demo()

    durable.run(work())


@pytest.mark.promise("SGN-6")
def test_a_session_acts_until_it_is_ended_and_the_record_says_who_ended_it(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        person = await admin(store)
        one, two, three = [await signed_in(store, person) for _ in range(3)]
        for each in (one, two, three):
            assert (await store.journal.run(lambda tx, each=each: person_of(tx, each.text))).id == person.id
        await store.journal.run(SignOut(ids=IDS, text=one.text))
        await store.journal.run(SignOut(ids=IDS, text=one.text))
        await store.journal.run(EndSession(ids=IDS, name=two.session.id, token=three.text))
        for each in (one, two):
            with pytest.raises(HandrailError) as over:
                await store.journal.run(lambda tx, each=each: person_of(tx, each.text))
            assert over.value.code is Code.TOKEN_INVALID
        assert await store.journal.run(EndSessions(ids=IDS, person_id=person.id, token=three.text)) == 1
        said = [kind for kind in await store.journal.run(kinds) if "sign" in kind or "session" in kind]
        assert said == ["person.signed_in"] * 3 + ["person.signed_out"] + ["session.ended"] * 2

    durable.run(work())


def test_a_token_is_read_off_the_writer_and_counts_only_while_it_is_good(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        shown = await store.journal.run(OpenFirst(ids=IDS))
        made = await store.journal.run(Redeem(ids=IDS, code=shown.text, mail="pat@example.com", name="Pat"))
        assert made.person is not None
        held = await store.signin.token(made.token.id)
        assert held == (made.token, made.person)
        by_token = ByToken(SimpleNamespace(signin=store.signin))  # type: ignore[arg-type]  # no writer at all
        assert (await by_token(made.text)).person == made.person.id
        name, secret = made.text.split("_", 2)[1:]
        bad = ["", "hp_", f"hp_{name}_", f"hp_{name}_{'A' * len(secret)}", f"{made.text}A", f"hp_{'a' * 16}_{secret}"]
        for text in (*bad, shown.text, shown.text.replace("ho_", "hp_"), f"hp_{name}' OR 1=1 --_{secret}"):
            with pytest.raises(HandrailError) as refused:
                await by_token(text)
            assert refused.value.code is Code.TOKEN_INVALID
        await store.journal.run(RevokeToken(ids=IDS, token_id=made.token.id, token=made.text))
        with pytest.raises(HandrailError) as over:
            await by_token(made.text)
        assert over.value.code is Code.TOKEN_INVALID

    durable.run(work())


@pytest.mark.promise("SGN-13")
def test_the_provider_ends_what_it_opened_and_its_word_counts_once(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        person = await admin(store)
        said = Claims(issuer="https://id.example", subject="pat", session="s-1")
        own = await signed_in(store, person)

        def come_in(tx: Any) -> SignedIn:
            vouched = vouched_by(tx, said, person.id, most_ms=60_000)
            methods = ("provider",)
            return open_session(tx, IDS, person, methods, lengths=Lengths(), label="", vouched=vouched)

        theirs, again = await store.journal.run(come_in), await store.journal.run(come_in)
        left = Left(issuer=said.issuer, subject="", session="s-1", token="t-1", ends_at=4_000_000_000_000)
        assert await store.journal.run(EndByProvider(ids=IDS, left=left)) == 2
        for each, stays in ((own, True), (theirs, False), (again, False)):
            assert (await store.signin.session(each.session.id) is not None) is stays
        with pytest.raises(HandrailError) as twice:
            await store.journal.run(EndByProvider(ids=IDS, left=left))
        assert twice.value.code is Code.REQUEST_INVALID
        other = msgspec.structs.replace(person, id=PersonId("pe_kim"))
        await store.journal.run(lambda tx: vouched_by(tx, said, other.id, most_ms=60_000))
        kept = await store.journal.run(lambda tx: tx.steps.of(other.id))
        assert persons_of(kept[0]) == sorted([person.id, other.id])  # nobody is forgotten who has that session there

    durable.run(work())


@pytest.mark.promise("SGN-2")
def test_a_session_turns_once_when_roles_changed(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        person = await admin(store)
        made = await signed_in(store, person)
        assert await store.journal.run(Turn(ids=IDS, text=made.text)) is None
        roles = frozenset({Role.ADMIN, Role.ENGINEER})
        await store.journal.run(lambda tx: tx.persons.swap(person, msgspec.structs.replace(person, roles=roles)))
        turned = await store.journal.run(Turn(ids=IDS, text=made.text))
        assert turned is not None
        assert turned.session.id == made.session.id
        assert turned.text != made.text
        assert await store.journal.run(Turn(ids=IDS, text=made.text)) is None
        await store.journal.run(Seen(name=made.session.id))
        assert (await store.journal.run(lambda tx: person_of(tx, turned.text))).roles == roles

    durable.run(work())


@pytest.mark.promise("SGN-7")
def test_a_session_of_one_factor_ends_when_roles_were_gained_and_stays_when_some_were_lost(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        person = await admin(store)
        both = frozenset({Role.ADMIN, Role.ENGINEER})

        async def change(before: Person, roles: frozenset[Role]) -> Person:
            after = msgspec.structs.replace(before, roles=roles)
            await store.journal.run(lambda tx: tx.persons.swap(before, after))
            return after

        person = await change(person, both)
        one = await signed_in(store, person, methods=("password",))
        person = await change(person, frozenset({Role.ADMIN}))
        turned = await store.journal.run(Turn(ids=IDS, text=one.text))
        assert turned is not None
        await change(person, both)
        assert await store.journal.run(Turn(ids=IDS, text=turned.text)) is None
        assert await store.signin.session(one.session.id) is None
        assert "session.ended" in await store.journal.run(kinds)

    durable.run(work())
