"""Persons, tokens, roles and keys: who may do what, and that nothing secret is kept."""

from itertools import pairwise

import msgspec
import pytest
from fakes.register import CountingIds, MemoryRegister
from hypothesis import given
from hypothesis import strategies as st

from handrail.ledger.entry import EntryKind
from handrail.people.acting import acting
from handrail.people.authorise import MAY, NOT_OWN, Act, require
from handrail.people.desk import AddPerson, ChangePerson, InviteAgain, OpenFirst, Redeem, RenewToken, RevokeToken, Shown
from handrail.people.key import Scope, hash_key, usable
from handrail.people.keys import DEFAULT_MS, CreateKey, RevokeKey, RotateKey
from handrail.people.person import Person, mail_of
from handrail.people.role import AUDITOR_EXCLUDES, Role, require_compatible
from handrail.people.signoff import SignOff, holds
from handrail.people.token import DAY_MS, ONE_TIME_MS, PERSONAL_DAYS, Token, TokenKind, new_token, require_good
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import Digest, KeyId, PersonId, UseCaseId

CHAT = UseCaseId("chat")
ADA = "ada@shop.example"


@pytest.fixture
def memory() -> MemoryRegister:
    return MemoryRegister()


@pytest.fixture
def ids() -> CountingIds:
    return CountingIds()


def first(memory: MemoryRegister, ids: CountingIds) -> Shown:
    code = memory.do(OpenFirst(ids=ids))
    return memory.do(Redeem(ids=ids, code=code.text, mail=ADA, name="Ada"))


def added(memory: MemoryRegister, ids: CountingIds, token: str, mail: str, *roles: Role) -> Shown:
    invited = memory.do(AddPerson(ids=ids, mail=mail, name=mail[:3], roles=frozenset(roles), token=token))
    return memory.do(Redeem(ids=ids, code=invited.text))


def refused(code: Code, memory: MemoryRegister, command: object) -> str:
    with pytest.raises(HandrailError) as caught:
        memory.do(command)  # type: ignore[arg-type]  # any command
    assert caught.value.code is code
    return caught.value.message


# --- the first admin


@pytest.mark.promise("PEO-3")
def test_the_first_admin_comes_by_a_code_that_works_once(memory: MemoryRegister, ids: CountingIds) -> None:
    code = memory.do(OpenFirst(ids=ids))
    shown = memory.do(Redeem(ids=ids, code=code.text, mail=" Ada@Shop.Example ", name="Ada"))
    assert shown.person is not None
    assert (shown.person.mail, shown.person.roles) == (ADA, {Role.ADMIN})
    assert "used already" in refused(Code.TOKEN_INVALID, memory, Redeem(ids=ids, code=code.text, mail=ADA, name="Eve"))
    refused(Code.ALREADY, memory, OpenFirst(ids=ids))


@pytest.mark.promise("PEO-3")
def test_a_newer_first_code_ends_the_older_one(memory: MemoryRegister, ids: CountingIds) -> None:
    old, new = memory.do(OpenFirst(ids=ids)), memory.do(OpenFirst(ids=ids))
    assert "revoked" in refused(Code.TOKEN_INVALID, memory, Redeem(ids=ids, code=old.text, mail=ADA, name="Eve"))
    assert memory.do(Redeem(ids=ids, code=new.text, mail=ADA, name="Ada")).person is not None


@pytest.mark.promise("PEO-3")
def test_a_code_ends_after_three_days(memory: MemoryRegister, ids: CountingIds) -> None:
    code = memory.do(OpenFirst(ids=ids))
    memory.clock.ms += ONE_TIME_MS
    assert "expired" in refused(Code.TOKEN_INVALID, memory, Redeem(ids=ids, code=code.text, mail=ADA, name="Ada"))


def test_nobody_adds_persons_before_the_first_admin(memory: MemoryRegister, ids: CountingIds) -> None:
    command = AddPerson(ids=ids, mail=ADA, name="Ada", roles=frozenset({Role.ADMIN}), token=None)
    assert "one-time code" in refused(Code.NOT_ALLOWED, memory, command)


# --- persons


@pytest.mark.promise("PEO-4")
def test_an_admin_never_sees_the_token_of_the_person_she_adds(memory: MemoryRegister, ids: CountingIds) -> None:
    admin = first(memory, ids)
    invited = memory.do(
        AddPerson(ids=ids, mail="ben@shop.example", name="Ben", roles=frozenset({Role.STAFF}), token=admin.text)
    )
    assert invited.token.kind is TokenKind.ONE_TIME
    refused(Code.TOKEN_INVALID, memory, RenewToken(ids=ids, token=invited.text))
    own = memory.do(Redeem(ids=ids, code=invited.text))
    assert own.token.kind is TokenKind.PERSONAL
    assert own.token.expires_at == memory.clock.ms + PERSONAL_DAYS * DAY_MS


@pytest.mark.promise("PEO-5")
def test_only_an_admin_manages_persons(memory: MemoryRegister, ids: CountingIds) -> None:
    admin = first(memory, ids)
    ben = added(memory, ids, admin.text, "ben@shop.example", Role.ENGINEER)
    assert ben.person is not None
    command = AddPerson(ids=ids, mail="c@shop.example", name="C", roles=frozenset({Role.STAFF}), token=ben.text)
    assert "allowed: admin" in refused(Code.NOT_ALLOWED, memory, command)
    refused(
        Code.NOT_ALLOWED,
        memory,
        ChangePerson(ids=ids, person_id=ben.person.id, roles=frozenset({Role.ADMIN}), token=ben.text),
    )


@pytest.mark.promise("PEO-6")
def test_an_admin_does_not_give_herself_a_role(memory: MemoryRegister, ids: CountingIds) -> None:
    admin = first(memory, ids)
    assert admin.person is not None
    more = ChangePerson(
        ids=ids, person_id=admin.person.id, roles=frozenset({Role.ADMIN, Role.APPROVER}), token=admin.text
    )
    assert "nobody gives a role to themselves" in refused(Code.NOT_ALLOWED, memory, more)


@pytest.mark.promise("GOV-20")
def test_an_older_page_takes_no_role_back_that_another_admin_gave_meanwhile(
    memory: MemoryRegister, ids: CountingIds
) -> None:
    admin = first(memory, ids)
    ben = added(memory, ids, admin.text, "ben@shop.example", Role.STAFF)
    assert ben.person is not None
    who, seen = ben.person.id, frozenset({Role.STAFF})
    more = frozenset({Role.STAFF, Role.REVIEWER})
    memory.do(ChangePerson(ids=ids, person_id=who, roles=more, seen=seen, token=admin.text))
    older = ChangePerson(
        ids=ids, person_id=who, roles=frozenset({Role.STAFF, Role.APPROVER}), seen=seen, token=admin.text
    )
    assert "look at them as they are now" in refused(Code.LOST_RACE, memory, older)
    assert memory.do(lambda tx: tx.persons.get(who)).roles == more


@pytest.mark.promise("PEO-6")
def test_the_last_admin_stays(memory: MemoryRegister, ids: CountingIds) -> None:
    admin = first(memory, ids)
    assert admin.person is not None
    who = admin.person.id
    command = ChangePerson(ids=ids, person_id=who, disable=True, token=admin.text)
    assert "one active admin must remain" in refused(Code.NOT_ALLOWED, memory, command)
    refused(Code.REQUEST_INVALID, memory, ChangePerson(ids=ids, person_id=who, roles=frozenset(), token=admin.text))
    assert memory.do(lambda tx: tx.persons.get(who)).active


@pytest.mark.promise("PEO-5")
def test_a_disabled_person_can_do_nothing_from_that_moment_on(memory: MemoryRegister, ids: CountingIds) -> None:
    admin = first(memory, ids)
    ben = added(memory, ids, admin.text, "ben@shop.example", Role.ENGINEER)
    assert ben.person is not None
    memory.do(ChangePerson(ids=ids, person_id=ben.person.id, disable=True, token=admin.text))
    refused(Code.TOKEN_INVALID, memory, RenewToken(ids=ids, token=ben.text))
    refused(Code.TOKEN_INVALID, memory, lambda tx: acting(tx, ben.text, Act.PUBLISH))


@pytest.mark.promise("PEO-5")
def test_a_role_taken_away_counts_in_the_next_command(memory: MemoryRegister, ids: CountingIds) -> None:
    admin = first(memory, ids)
    ben = added(memory, ids, admin.text, "ben@shop.example", Role.ENGINEER)
    assert ben.person is not None
    publishes = memory.do(lambda tx: acting(tx, ben.text, Act.PUBLISH))
    assert publishes == Actor(ActorKind.PERSON, ben.person.id)
    memory.do(ChangePerson(ids=ids, person_id=ben.person.id, roles=frozenset({Role.STAFF}), token=admin.text))
    refused(Code.NOT_ALLOWED, memory, lambda tx: acting(tx, ben.text, Act.PUBLISH))


def test_a_new_invitation_ends_the_earlier_tokens(memory: MemoryRegister, ids: CountingIds) -> None:
    admin = first(memory, ids)
    ben = added(memory, ids, admin.text, "ben@shop.example", Role.STAFF)
    assert ben.person is not None
    again = memory.do(InviteAgain(ids=ids, person_id=ben.person.id, token=admin.text))
    refused(Code.TOKEN_INVALID, memory, RenewToken(ids=ids, token=ben.text))
    assert memory.do(Redeem(ids=ids, code=again.text)).person == ben.person


def test_a_person_revokes_her_own_token_and_an_admin_anybodys(memory: MemoryRegister, ids: CountingIds) -> None:
    admin = first(memory, ids)
    ben = added(memory, ids, admin.text, "ben@shop.example", Role.STAFF)
    cleo = added(memory, ids, admin.text, "cleo@shop.example", Role.STAFF)
    refused(Code.NOT_ALLOWED, memory, RevokeToken(ids=ids, token_id=cleo.token.id, token=ben.text))
    memory.do(RevokeToken(ids=ids, token_id=ben.token.id, token=ben.text))
    memory.do(RevokeToken(ids=ids, token_id=cleo.token.id, token=admin.text))
    for shown in (ben, cleo):
        refused(Code.TOKEN_INVALID, memory, RenewToken(ids=ids, token=shown.text))
    refused(Code.NOT_FOUND, memory, RevokeToken(ids=ids, token_id=KeyId("none"), token=admin.text))


@pytest.mark.parametrize(
    "mail", ["ada", "ada@", "@shop.example", "a b@shop.example", "a@shop", "a@b.c", "a@@b.example"]
)
def test_a_bad_address_is_refused_without_being_repeated(mail: str) -> None:
    with pytest.raises(HandrailError) as caught:
        mail_of(mail)
    assert caught.value.code is Code.REQUEST_INVALID
    assert mail not in caught.value.message


# --- tokens


@pytest.mark.promise("PEO-7")
def test_no_row_and_no_entry_holds_a_token_a_key_a_name_or_an_address(memory: MemoryRegister, ids: CountingIds) -> None:
    admin = first(memory, ids)
    ben = added(memory, ids, admin.text, "ben@shop.example", Role.STAFF)
    made = memory.do(CreateKey(ids=ids, use_case=CHAT, registered=frozenset({CHAT}), token=admin.text))
    entries = b"".join(msgspec.json.encode(entry) for entry in memory.entries)
    rows = repr([memory.state.tokens.rows, memory.state.keys.rows]).encode()
    for secret in (admin.text, ben.text, made.text, ADA, "ben@shop.example", '"Ada"'):
        assert secret.encode() not in entries
    for secret in (admin.text, ben.text, made.text):
        assert secret.encode() not in rows
        assert secret.rsplit("_", 1)[-1].encode() not in rows
    for shown in (admin, ben, made):
        assert shown.text not in repr(shown)


def token(**changes: object) -> tuple[Token, str]:
    made, text = new_token(TokenKind.PERSONAL, PersonId("pe_1"), bytes(range(42)), now_ms=0, expires_at=100)
    return msgspec.structs.replace(made, **changes), text


@pytest.mark.promise("PEO-8")
def test_an_unknown_token_and_a_wrong_one_say_the_same() -> None:
    good, text = token()
    said = set()
    for stored, told in ((None, text), (good, text[:-1] + "x"), (good, ""), (good, "hp_x_y")):
        with pytest.raises(HandrailError) as caught:
            require_good(stored, told, TokenKind.PERSONAL, now_ms=1)
        said.add((caught.value.code, caught.value.message))
    assert len(said) == 1
    assert require_good(good, text, TokenKind.PERSONAL, now_ms=1) == good


@pytest.mark.promise("PEO-8")
@pytest.mark.parametrize(
    ("changes", "now_ms"),
    [({}, 100), ({"revoked_at": 5}, 5), ({"used_at": 5}, 6), ({"kind": TokenKind.ONE_TIME}, 1)],
)
def test_a_token_counts_until_it_ends_is_revoked_or_used(changes: dict[str, object], now_ms: int) -> None:
    stored, text = token(**changes)
    with pytest.raises(HandrailError):
        require_good(stored, text, TokenKind.PERSONAL, now_ms=now_ms)
    plain, text = token()
    require_good(plain, text, TokenKind.PERSONAL, now_ms=99)


# --- who may do what


def person(*roles: Role, active: bool = True) -> Person:
    return Person(
        id=PersonId("pe_1"),
        mail=ADA,
        name="Ada",
        roles=frozenset(roles),
        created_at=0,
        disabled_at=None if active else 1,
    )


@pytest.mark.promise("PEO-5")
@given(st.sampled_from(Act), st.sets(st.sampled_from(Role)), st.booleans(), st.booleans())
def test_an_act_is_allowed_exactly_by_a_role_of_its_row(act: Act, roles: set[Role], exist: bool, active: bool) -> None:
    ada = person(*roles, active=active)
    if active and roles & MAY[act]:
        assert require(act, ada, people_exist=exist) == Actor(ActorKind.PERSON, "pe_1")
        return
    with pytest.raises(HandrailError) as caught:
        require(act, ada, people_exist=exist)
    assert caught.value.code is Code.NOT_ALLOWED


@pytest.mark.promise("PEO-5")
@pytest.mark.parametrize("act", list(Act))
def test_without_a_token_an_act_is_allowed_only_while_nobody_exists(act: Act) -> None:
    assert require(act, None, people_exist=False).kind is ActorKind.SYSTEM
    with pytest.raises(HandrailError) as caught:
        require(act, None, people_exist=True)
    assert caught.value.code is Code.NOT_ALLOWED


@pytest.mark.promise("PEO-6")
@pytest.mark.parametrize("act", sorted(NOT_OWN))
def test_the_author_cannot_approve_or_release_her_own(act: Act) -> None:
    ada = person(*Role)
    with pytest.raises(HandrailError, match="another person"):
        require(act, ada, people_exist=True, author=ada.id)
    assert require(act, ada, people_exist=True, author=PersonId("pe_2")).id == ada.id


@pytest.mark.promise("PEO-6")
@pytest.mark.parametrize("role", list(Role))
def test_an_auditor_makes_nothing_that_she_audits(role: Role) -> None:
    if role in AUDITOR_EXCLUDES:
        with pytest.raises(HandrailError):
            require_compatible({Role.AUDITOR, role})
    else:
        require_compatible({Role.AUDITOR, role})
    changing = {
        Act.PUBLISH,
        Act.MANAGE_KEYS,
        Act.MANAGE_PEOPLE,
        Act.APPROVE,
        Act.RESUME,
        Act.RELEASE,
        Act.ERASE,
        Act.STOP,
    }
    assert not any(Role.AUDITOR in MAY[act] for act in changing)


def test_every_act_has_a_row_and_every_role_an_act() -> None:
    assert set(MAY) == set(Act)
    assert {role for roles in MAY.values() for role in roles} == set(Role)


# --- keys


def create(ids: CountingIds, **more: object) -> CreateKey:
    given: dict[str, object] = {"ids": ids, "use_case": CHAT, "registered": frozenset({CHAT}), **more}
    return CreateKey(**given)  # type: ignore[arg-type]  # test helper


@pytest.mark.promise("PEO-1")
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"use_case": UseCaseId("other")}, Code.USE_CASE_UNREGISTERED),
        ({"registered": frozenset()}, Code.USE_CASE_UNREGISTERED),
        ({"scopes": frozenset()}, Code.REQUEST_INVALID),
        ({"use_case": None}, Code.REQUEST_INVALID),
        ({"use_case": None, "scopes": frozenset({Scope.EVENTS, Scope.ACT})}, Code.REQUEST_INVALID),
        ({"expires_in_ms": 0}, Code.REQUEST_INVALID),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(
    memory: MemoryRegister, ids: CountingIds, more: dict[str, object], code: Code
) -> None:
    refused(code, memory, create(ids, **more))
    assert memory.entries == []


def test_a_key_for_events_needs_no_use_case(memory: MemoryRegister, ids: CountingIds) -> None:
    made = memory.do(create(ids, use_case=None, scopes=frozenset({Scope.EVENTS, Scope.READ})))
    assert made.key.use_case is None


@pytest.mark.promise("PEO-5")
def test_once_a_person_exists_a_key_needs_a_token_of_hers(memory: MemoryRegister, ids: CountingIds) -> None:
    made = memory.do(create(ids))
    admin = first(memory, ids)
    ben = added(memory, ids, admin.text, "ben@shop.example", Role.STAFF)
    for token_text in (None, ben.text):
        refused(Code.NOT_ALLOWED, memory, create(ids, token=token_text))
        refused(Code.NOT_ALLOWED, memory, RevokeKey(ids=ids, key_id=made.key.id, token=token_text))
        refused(Code.NOT_ALLOWED, memory, RotateKey(ids=ids, key_id=made.key.id, token=token_text))
    memory.do(RevokeKey(ids=ids, key_id=made.key.id, token=admin.text))
    last = memory.entries[-1]
    assert admin.person is not None
    assert (last.kind, last.actor) == (EntryKind.KEY_REVOKED, Actor(ActorKind.PERSON, admin.person.id))


@pytest.mark.promise("PEO-2")
def test_a_rotated_key_ends_when_the_grace_is_over_and_not_later_than_before(
    memory: MemoryRegister, ids: CountingIds
) -> None:
    made = memory.do(create(ids, expires_in_ms=10 * DAY_MS))
    memory.clock.ms += DAY_MS
    new = memory.do(RotateKey(ids=ids, key_id=made.key.id, grace_ms=DAY_MS))
    old = memory.do(lambda tx: tx.keys.get(made.key.id))
    assert new.key.expires_at == memory.clock.ms + 10 * DAY_MS
    usable(old, now_ms=memory.clock.ms + DAY_MS - 1, scope=Scope.CHAT)
    with pytest.raises(HandrailError) as caught:
        usable(old, now_ms=memory.clock.ms + DAY_MS, scope=Scope.CHAT)
    assert caught.value.code is Code.KEY_EXPIRED
    memory.clock.ms += 9 * DAY_MS - 5
    late = memory.do(RotateKey(ids=ids, key_id=new.key.id, grace_ms=30 * DAY_MS))
    assert memory.do(lambda tx: tx.keys.get(new.key.id)).expires_at == new.key.expires_at
    assert late.key.id != new.key.id


@pytest.mark.promise("PEO-2")
@pytest.mark.parametrize("days", [None, 10])
def test_a_key_in_its_grace_rotates_to_the_lifetime_it_was_made_for(
    memory: MemoryRegister, ids: CountingIds, days: int | None
) -> None:
    span = None if days is None else days * DAY_MS
    made = memory.do(create(ids, expires_in_ms=span))
    memory.clock.ms += 5_000
    memory.do(RotateKey(ids=ids, key_id=made.key.id, grace_ms=60_000))
    memory.clock.ms += 5_000
    again = memory.do(RotateKey(ids=ids, key_id=made.key.id, grace_ms=60_000))
    assert again.key.expires_at == (None if span is None else memory.clock.ms + span)
    assert memory.do(lambda tx: tx.keys.get(made.key.id)).expires_at == 65_000 + memory.clock.ms - 10_000
    shown = memory.do(RotateKey(ids=ids, key_id=again.key.id, expires_in_ms=3 * DAY_MS))
    assert shown.key.expires_at == memory.clock.ms + 3 * DAY_MS
    refused(Code.REQUEST_INVALID, memory, RotateKey(ids=ids, key_id=again.key.id, expires_in_ms=0))


@pytest.mark.promise("PEO-2")
@pytest.mark.parametrize("days", [None, 10])
def test_an_expired_key_rotates_to_a_fresh_one_that_ends(
    memory: MemoryRegister, ids: CountingIds, days: int | None
) -> None:
    made = memory.do(create(ids, expires_in_ms=None if days is None else days * DAY_MS))
    memory.clock.ms += 5_000
    memory.do(RotateKey(ids=ids, key_id=made.key.id, grace_ms=60_000))
    memory.clock.ms += 20 * DAY_MS
    fresh = memory.do(RotateKey(ids=ids, key_id=made.key.id))
    assert fresh.key.expires_at == memory.clock.ms + (days * DAY_MS if days else DEFAULT_MS)
    assert memory.do(lambda tx: tx.keys.get(made.key.id)).expires_at < memory.clock.ms
    named = memory.do(RotateKey(ids=ids, key_id=made.key.id, expires_in_ms=DAY_MS))
    assert named.key.expires_at == memory.clock.ms + DAY_MS


def test_the_first_code_of_all_is_mended_by_making_another(memory: MemoryRegister, ids: CountingIds) -> None:
    old = memory.do(OpenFirst(ids=ids))
    memory.do(OpenFirst(ids=ids))
    with pytest.raises(HandrailError) as caught:
        memory.do(Redeem(ids=ids, code=old.text, mail=ADA, name="Ada"))
    assert "handrail person first" in caught.value.message
    assert "ask an admin" not in caught.value.message


def test_a_revoked_key_is_not_rotated_and_grace_has_bounds(memory: MemoryRegister, ids: CountingIds) -> None:
    made = memory.do(create(ids))
    refused(Code.REQUEST_INVALID, memory, RotateKey(ids=ids, key_id=made.key.id, grace_ms=-1))
    refused(Code.REQUEST_INVALID, memory, RotateKey(ids=ids, key_id=made.key.id, grace_ms=31 * DAY_MS))
    memory.do(RevokeKey(ids=ids, key_id=made.key.id))
    refused(Code.KEY_REVOKED, memory, RotateKey(ids=ids, key_id=made.key.id))


def test_only_the_hash_of_a_key_is_kept(memory: MemoryRegister, ids: CountingIds) -> None:
    made = memory.do(create(ids))
    assert memory.do(lambda tx: tx.keys.get(made.key.id)).hash == hash_key(made.text)


@pytest.mark.promise("PEO-1")
def test_every_change_has_one_entry_and_a_higher_epoch(memory: MemoryRegister, ids: CountingIds) -> None:
    admin = first(memory, ids)
    ben = added(memory, ids, admin.text, "ben@shop.example", Role.STAFF)
    assert ben.person is not None
    made = memory.do(create(ids, token=admin.text))
    changes = [
        ChangePerson(ids=ids, person_id=ben.person.id, roles=frozenset({Role.REVIEWER}), token=admin.text),
        RenewToken(ids=ids, token=ben.text),
        RotateKey(ids=ids, key_id=made.key.id, token=admin.text),
        RevokeKey(ids=ids, key_id=made.key.id, token=admin.text),
        RevokeToken(ids=ids, token_id=ben.token.id, token=ben.text),
    ]
    marks = [(memory.state.epoch, len(memory.entries))]
    for command in changes:
        memory.do(command)  # type: ignore[arg-type]  # each is a command
        marks.append((memory.state.epoch, len(memory.entries)))
    for before, after in pairwise(marks):
        assert (after[0], after[1]) == (before[0] + 1, before[1] + 1)


# --- sign-offs


def test_a_sign_off_holds_for_exactly_its_thing_until_its_day() -> None:
    signed = SignOff(
        by=PersonId("pe_1"), role=Role.OWNER, about=Digest("a" * 64), statement="control.waived", at_ms=10, until_ms=20
    )
    assert holds(signed, about=Digest("a" * 64), now_ms=10)
    assert holds(signed, about=Digest("a" * 64), now_ms=19)
    assert not holds(signed, about=Digest("a" * 64), now_ms=20)
    assert not holds(signed, about=Digest("a" * 64), now_ms=9)
    assert not holds(signed, about=Digest("b" * 64), now_ms=15)
