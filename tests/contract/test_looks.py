"""The organisation's own state, read beside the writer, on SQLite and PostgreSQL."""

from typing import Any

import msgspec
from contract.test_signin_store import admin, signed_in
from fakes.storage import IDS, Rig

from handrail.approvals.notices import Notice, NoticeState
from handrail.backends.looks import StoredLooks
from handrail.guard.ports import Spent
from handrail.ledger.commitment import read_facts
from handrail.ledger.entry import EntryKind
from handrail.ledger.read import Listing
from handrail.people.account import Account, Identity, Passkey
from handrail.people.desk import InviteAgain
from handrail.people.session import Lengths
from handrail.terms.ids import UseCaseId


def test_each_persons_ways_in_are_told_without_a_secret(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        pat = await admin(store)
        await store.journal.run(lambda tx: tx.accounts.add(Account(id=pat.id, password="$argon", totp=b"sealed")))
        key = Passkey(id="cred", person=pat.id, key=b"cose", count=0, name="Laptop", created_at=1)
        await store.journal.run(lambda tx: tx.passkeys.add(key))
        one = Identity(id="ab", person=pat.id, issuer="https://login.example", created_at=1, managed=True)
        await store.journal.run(lambda tx: tx.identities.add(one))
        came = await signed_in(store, pat)
        over = await signed_in(store, pat, Lengths(idle_ms=1, most_ms=1))
        await store.journal.run(InviteAgain(ids=IDS, person_id=pat.id, token=came.text))
        looks = StoredLooks(store.reading)
        now = await store.journal.run(lambda tx: tx.now_ms)
        found = (await looks.ways(now + 1_000))[pat.id]
        assert (found.password, found.app, found.passkeys, found.providers) == (
            True, True, ("Laptop",), ("https://login.example",),
        )  # fmt: skip
        assert found.managed
        assert [place.id for place in found.places] == [came.session.id] != [over.session.id]
        assert len(found.codes) == 1
        assert found.codes[0] > now
        said = msgspec.json.encode(found)
        for secret in (b"argon", b"sealed", b"cose", came.text.encode(), came.session.csrf.encode()):
            assert secret not in said
        assert (await looks.ways(now + 4 * 86_400_000))[pat.id].codes == ()

    durable.run(work())


def test_a_days_spending_is_of_that_day_and_each_use_case(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        for day, added in (("2026-11-21", Spent(3, 40, 5)), ("2026-11-21", Spent(1, 2, 3)), ("2026-11-20", Spent(9))):
            await store.spending.exchange(use_case=UseCaseId("orders"), period=day, added=added)
        looks = StoredLooks(store.reading)
        assert await looks.spent("2026-11-21") == {"orders": Spent(4, 42, 8)}
        assert await looks.spent("2026-11-19") == {}

    durable.run(work())


def test_the_newest_notice_of_each_receiver_in_each_state(durable: Rig) -> None:
    def put(receiver: str, state: NoticeState, code: str = "") -> Any:
        def command(tx: Any) -> str:
            one = Notice(
                id=IDS.new("nt"), receiver=receiver, event="test", about="a", at_ms=tx.now_ms, due_ms=tx.now_ms
            )
            tx.notices.add(one)
            before = tx.notices.get(one.id)
            tx.notices.swap(
                before, msgspec.structs.replace(before, state=state, version=1, due_at=None, tries=1, code=code)
            )
            return one.id

        return command

    async def work() -> None:
        store = await durable.open()
        await store.journal.run(put("mail", NoticeState.SENT))
        newest = await store.journal.run(put("mail", NoticeState.SENT))
        lost = await store.journal.run(put("mail", NoticeState.GIVEN_UP, "refused"))
        other = await store.journal.run(put("chat", NoticeState.SENT))
        found = await StoredLooks(store.reading).last_notices()
        assert {one.notice.id for one in found} == {newest, lost, other}

    durable.run(work())


def test_rare_kinds_are_listed_within_a_time_by_kind_and_by_time_together(durable: Rig) -> None:
    async def work() -> None:
        store = await durable.open()
        pat = await admin(store)
        await signed_in(store, pat)
        now = await store.journal.run(lambda tx: tx.now_ms)
        kinds = (EntryKind.PERSON_ADDED, EntryKind.SIGNED_IN)
        for since, until, found in ((now - 60_000, now + 60_000, 2), (now + 60_000, None, 0), (None, now - 60_000, 0)):
            rows = await store.reader.latest(Listing(kinds=kinds, since_ms=since, until_ms=until, limit=10))
            assert len(rows) == found
        rows = await store.reader.latest(Listing(kinds=kinds[1:], since_ms=now - 60_000, limit=10))
        assert [read_facts(facts).kind for _, facts in rows] == [EntryKind.SIGNED_IN]

    durable.run(work())
