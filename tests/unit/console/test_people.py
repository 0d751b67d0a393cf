"""Users and keys: what the view says of a person and a key, and that nothing in it is a secret."""

import msgspec
import pytest

from handrail.console.signin.session import Visitor
from handrail.console.views.people import People, PeopleRead, key_once, people, person_show
from handrail.console.words import Languages, Words
from handrail.people.key import ApiKey, Scope
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.people.ways import SignInPlace, Ways
from handrail.terms.ids import KeyId, PersonId, UseCaseId

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def words() -> Words:
    return Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW_MS)


def visitor(*roles: Role) -> Visitor:
    return Visitor(
        person=PersonId("pe_1"), name="Ines", roles=frozenset(roles), authenticated_at=NOW_MS, session="s1", csrf="c"
    )


def person(name: str, **more: object) -> Person:
    fields = {"id": PersonId(f"pe_{name}"), "mail": f"{name}@x.example", "name": name, "roles": frozenset({Role.OWNER})}
    return Person(**{**fields, "created_at": 1, **more})  # type: ignore[arg-type]  # by their names


def key(name: str, **more: object) -> ApiKey:
    fields = {"id": KeyId(name), "hash": b"the-hash-of-it", "use_case": UseCaseId("orders"), "agent": name}
    return ApiKey(**{**fields, "scopes": frozenset({Scope.CHAT}), "created_at": 1, **more})  # type: ignore[arg-type]


def read(**more: object) -> PeopleRead:
    empty = {"persons": [], "ways": {}, "signed_in": {}, "keys": [], "used": {}, "ruleset": None}
    return PeopleRead(**{**empty, **more})  # type: ignore[arg-type]  # by their names


def keys_of(words: Words, *all_: ApiKey) -> People:
    return people(read(keys=all_), words, visitor(Role.ADMIN), show="keys")


def test_a_key_is_good_soon_over_expired_or_revoked_to_the_millisecond(words: Words) -> None:
    cases = {
        "endless": (key("endless"), "Good, without an end", True),
        "last": (key("last", expires_at=NOW_MS + 1), "Good until", True),
        "over": (key("over", expires_at=NOW_MS), "Expired", False),
        "gone": (key("gone", revoked_at=NOW_MS - 1, expires_at=NOW_MS + DAY_MS), "Revoked", False),
    }
    rows = {row.id: row for row in keys_of(words, *(one for one, _, _ in cases.values())).keys}
    for name, (_, state, good) in cases.items():
        assert rows[name].state.startswith(state), name
        assert rows[name].good is good, name
    assert [row.good for row in keys_of(words, *(one for one, _, _ in cases.values())).keys] == [
        True, True, False, False,
    ]  # fmt: skip


def test_no_hash_of_a_key_and_no_secret_reaches_the_view(words: Words) -> None:
    said = msgspec.json.encode(keys_of(words, key("a")))
    assert b"the-hash" not in said
    assert "the-secret" not in repr(key_once(words, KeyId("a"), "agent", "the-secret"))


def test_a_person_is_invited_active_or_disabled_and_one_factor_is_said(words: Words) -> None:
    ways = {
        PersonId("pe_in"): Ways(password=True),
        PersonId("pe_two"): Ways(password=True, app=True, places=(
            SignInPlace(id="s", label="Firefox", created_at=NOW_MS - 5, seen_at=NOW_MS),)),
        PersonId("pe_asked"): Ways(codes=(NOW_MS + DAY_MS,)),
    }  # fmt: skip
    persons = [person("in"), person("two"), person("asked"), person("none"), person("gone", disabled_at=5)]
    view = people(read(persons=persons, ways=ways, signed_in={"pe_in": 77}), words, visitor(Role.ADMIN))
    rows = {row.name: row for row in view.persons}
    states = {name: row.state for name, row in rows.items()}
    assert states == {
        "in": "Active", "two": "Active", "asked": "Invited", "none": "No sign-in yet", "gone": "Disabled",
    }  # fmt: skip
    assert (rows["in"].weak, rows["two"].weak) == (True, False)
    assert (rows["in"].at_ms, rows["two"].at_ms, rows["none"].at_ms) == (77, NOW_MS - 5, None)
    assert view.persons[-1].name == "gone"


def test_a_thousand_persons_are_paged_and_the_address_keeps_what_was_looked_for(words: Words) -> None:
    persons = [person(f"p{n:04}") for n in range(1_000)]
    view = people(read(persons=persons), words, visitor(Role.ADMIN), query="p0&x", page=2)
    assert view.persons == ()
    view = people(read(persons=persons), words, visitor(Role.ADMIN), query="p0", page=99)
    assert (len(view.persons), view.more, view.fewer) == (100, "", "/people?show=persons&query=p0&page=9")
    assert view.shown == "901 to 1,000 of 1,000"


def test_only_an_admin_sees_that_she_may_change_persons_and_an_engineer_keys(words: Words) -> None:
    for role, may in ((Role.ADMIN, (True, True)), (Role.ENGINEER, (False, True)), (Role.AUDITOR, (False, False))):
        view = people(read(), words, visitor(role))
        assert (view.may_people, view.may_keys) == may
        assert (person_show(read(), person("x"), words, visitor(role)).why_not == "") is may[0]
