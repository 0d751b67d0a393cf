"""What an erasure reaches: links are followed, doubt is left to a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.ledger.erase import DAY_MS, Named, Plan, Who, cutoff, plan, reference
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import ConversationId, CustomerId, SubjectId


def named(conversation: str, own: str, *parties: str, person: bool = False) -> Named:
    return Named(
        conversation=ConversationId(conversation),
        own=SubjectId(own),
        own_is_person=person,
        parties=frozenset(map(SubjectId, parties)),
    )


@pytest.mark.parametrize(
    ("root", "rows", "expected"),
    [
        ("ann", [], Plan(("ann",), ())),
        ("ann", [named("c1", "s1", "ann")], Plan(("ann", "s1"), ())),
        ("s1", [named("c1", "s1", "ann")], Plan(("ann", "s1"), ())),
        ("s1", [named("c1", "s1", "ann"), named("c2", "s2", "ann")], Plan(("ann", "s1", "s2"), ())),
        ("ann", [named("c1", "s1", "ann", "bob")], Plan(("ann",), ("c1",))),
        ("s1", [named("c1", "s1", "ann", "bob")], Plan(("s1",), (), named=("ann", "bob"))),
        ("ann", [named("c1", "bob", "ann", person=True)], Plan(("ann",), ("c1",))),
        ("bob", [named("c1", "bob", "ann", person=True)], Plan(("bob",), (), stuck=("c1",))),
        (
            "s1",
            [named("c1", "s1", "bob"), named("c2", "bob", "ann", person=True)],
            Plan(("bob", "s1"), (), stuck=("c2",)),
        ),
        ("ann", [named("c1", "s1", "bob")], Plan(("ann",), ())),
    ],
)
def test_links_are_followed_and_doubt_is_listed(root: str, rows: list[Named], expected: Plan) -> None:
    assert plan(SubjectId(root), rows) == expected


PEOPLE = st.sampled_from(["ann", "bob", "cat"])


@given(PEOPLE, st.lists(st.tuples(st.frozensets(PEOPLE, min_size=1, max_size=3), st.booleans(), PEOPLE), max_size=8))
def test_nobody_else_is_ever_destroyed(root: str, rows: list[tuple[frozenset[str], bool, str]]) -> None:
    conversations = [
        named(f"c{at}", owner if person else f"s{at}", *parties, person=person)
        for at, (parties, person, owner) in enumerate(rows)
    ]
    found = plan(SubjectId(root), conversations)
    assert {each for each in found.destroy if not each.startswith("s")} == {root}
    for each in conversations:
        alone = each.parties | ({each.own} if each.own_is_person else set()) == {root}
        assert (each.own in found.destroy) == (alone or each.own == root)
        touched = root in each.parties or each.own == root
        assert (each.conversation in (*found.shared, *found.stuck)) == (touched and not alone)
        assert (each.conversation in found.stuck) == (touched and not alone and each.own == root)


def test_one_of_customer_and_conversation_is_named() -> None:
    with pytest.raises(ValueError, match="name a customer"):
        Who()
    with pytest.raises(ValueError, match="name a customer"):
        Who(customer=CustomerId("a"), conversation="c")


def test_retention_that_destroys_and_keeps_is_refused() -> None:
    assert cutoff(100 * DAY_MS, keep_days=30, minimum_days=30) == 70 * DAY_MS
    for keep, minimum in ((29, 30), (-1, -2)):
        with pytest.raises(HandrailError) as caught:
            cutoff(0, keep_days=keep, minimum_days=minimum)
        assert caught.value.code is Code.HOME_INVALID


@pytest.mark.parametrize("text", ["request 4711", "DSR-2026/11#3", "ticket: 9", "4711", "SD_12.3", "T4711 again"])
def test_a_reference_is_kept_as_it_is(text: str) -> None:
    assert reference(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", " x", "ann@example.org", "Müller", "a\nb", "1" * 65, "x" * 65),
        *("Ann Lee wants out", "Ann Lee 1", "Ann.Lee/1", "Lee", "request", "4711 Ann-Lee"),
    ],
)
def test_what_may_be_personal_is_refused_as_a_reason(text: str) -> None:
    with pytest.raises(HandrailError) as caught:
        reference(text)
    assert "Müller" not in caught.value.message
    assert "@" not in caught.value.message
