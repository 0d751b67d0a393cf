"""What the approvals page says of a case and of the queue."""

import asyncio

import pytest
from fakes.console import visitor
from hypothesis import given
from hypothesis import strategies as st
from unit.approvals.test_eligible import NOW, person, row

from handrail.approvals.facts import About, ActionFacts
from handrail.approvals.lifecycle import Otherwise, State, held
from handrail.approvals.store import Stored
from handrail.console.answers import NeedsFresh
from handrail.console.here import Here
from handrail.console.pages.approval import DecideAsked, approve
from handrail.console.ports import Ports
from handrail.console.views.approval_facts import BUILT_IN
from handrail.console.views.approvals import Asking, Read, address, queue, wanted
from handrail.console.views.arguments_form import arguments_of, fields_of
from handrail.console.words import Languages, Words
from handrail.in_force.snapshot import InForce, Snapshot
from handrail.people.person import Person
from handrail.people.role import Role
from handrail.policy.action import Why
from handrail.policy.explain_action import built_in
from handrail.policy.ruleset import Ruleset
from handrail.terms.action import ActionId, ActionType, ToolId
from handrail.terms.ids import Digest, PersonId, SubjectId, UseCaseId
from handrail.tools.registry import MoneyAt, Tool, Unit, UpstreamId

ANN = person(Role.APPROVER)
FRESH_MS = 300_000
PERSONS: dict[PersonId, Person] = {ANN.id: ANN}


@pytest.fixture(scope="module")
def words() -> Words:
    return Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW)


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return Ruleset(
        organisation="House", time_zone="UTC", currency="EUR", providers={}, use_cases={}, tools={TOOL.id: TOOL}
    )


TOOL = Tool(
    id=ToolId("till.refund"), upstream=UpstreamId("till"), name="refund", type=ActionType.MONEY, title="Pay money back",
    money=MoneyAt(amount="amount", unit=Unit.MINOR, currency="EUR"),
    arguments={
        "type": "object", "required": ["order", "amount"],
        "properties": {
            "order": {"type": "string"}, "amount": {"type": "integer", "minimum": 1, "maximum": 500_000},
            "why": {"type": "string", "enum": ["broken", "late"]}, "items": {"type": "array"},
            "hurry": {"type": "boolean"},
        },
    },
)  # fmt: skip
VALUES = st.fixed_dictionaries(
    {"order": st.text(min_size=1), "amount": st.integers(1, 500_000)},
    optional={
        "why": st.sampled_from(["broken", "late"]), "items": st.lists(st.integers() | st.text()),
        "hurry": st.booleans(),
    },
)  # fmt: skip


def sent(text: str) -> str:
    """As a browser sends what stands in a field."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


@given(VALUES)
def test_a_form_that_nobody_touched_gives_back_exactly_the_arguments(values: dict[str, object]) -> None:
    fields = fields_of(TOOL, values, "EUR")
    given_back, shown = arguments_of(fields, {one.name: sent(one.value) for one in fields}, values)
    assert given_back == values
    assert not any(one.wrong for one in shown)


@pytest.mark.promise("CRV-4")
@pytest.mark.parametrize(
    "values",
    [{"order": "A", "amount": 1, "share": 1e-07}, {"order": "two\r\nlines\rand\nthree", "amount": 1},
     {"order": "", "amount": 1}, {"order": "A", "amount": 1, "why": "lost"},
     {"order": "A", "amount": 1, "hurry": "yes"},
     {"order": None, "amount": 10**30}],
)  # fmt: skip
def test_what_nobody_touched_stays_what_it_is_also_where_a_browser_writes_it_otherwise(
    values: dict[str, object],
) -> None:
    fields = fields_of(TOOL, values, "EUR")
    for one in fields:
        assert not one.options or one.value in ("", *one.options)  # else the browser would choose another
    given_back, shown = arguments_of(fields, {one.name: sent(one.value) for one in fields}, values)
    assert given_back == values
    assert not any(one.wrong for one in shown)


@pytest.mark.parametrize(
    ("text", "minor"), [("12.30", 1_230), ("12,3", 1_230), ("12", 1_200), ("0.01", 1), ("1.234", None), ("x", None),
                        ("1e3", None), ("NaN", None), ("", None), ("1.2.3", None)],
)  # fmt: skip
def test_an_amount_is_written_as_money_and_never_guessed(text: str, minor: int | None) -> None:
    fields = fields_of(TOOL, {"order": "A", "amount": 5}, "EUR")
    found, shown = arguments_of(fields, {"order": "A", "amount": text}, {"order": "A"})
    assert found.get("amount") == minor
    assert next(one for one in shown if one.name == "amount").wrong is (minor is None)
    assert next(one for one in shown if one.name == "amount").value == text  # nothing typed is lost


def test_every_built_in_reason_is_marked_for_the_catalogues() -> None:
    assert {built_in(code) for code in Why} - {""} == set(BUILT_IN)


def test_an_address_says_the_view_and_the_open_case() -> None:
    asking = Asking(view="payments", text="a&b")
    assert address("ac_1", asking, last="ac_0") == "/approvals/ac_1?view=payments&text=a%26b&last=ac_0"
    assert address("ac_1", Asking()) == "/approvals/ac_1"


def test_the_queue_says_what_until_when_and_never_which_is_a_drill(words: Words, ruleset: Ruleset) -> None:
    held = row(decide_by=NOW + 600_000, needs=2, given=1, approved=("pe_9",))
    late = row(action="ac_2", state=State.DENIED, settled_by=ANN.id, settled_at=NOW - 60_000)
    read = Read(
        rows=[held, late], behind=late.action, counts={State.HELD: 10_000, State.UNKNOWN: 1}, ruleset=ruleset,
        persons=PERSONS,
    )  # fmt: skip
    made = queue(read, Asking(), words, person=ANN, current="ac_1")
    first, second = made.rows
    assert (first.title, first.status, first.due) == (
        "Pay money back, €50.00", "1 of 2 approved", "came 1 second ago, expires in 10 minutes"
    )  # fmt: skip
    assert (first.urgent, first.current, second.current) == (True, True, False)
    assert second.due.startswith("A, ")
    assert "10,000 actions wait" in made.said
    assert "1 action nobody can tell" in made.said
    assert made.later == "/approvals?after=ac_2"
    assert made.announce == "10,000 approvals wait"
    assert "drill" not in repr(made)


def test_an_empty_view_says_what_will_appear_and_the_next_step(words: Words, ruleset: Ruleset) -> None:
    nothing = Read(rows=[], behind="", counts={State.HELD: 3}, ruleset=ruleset, persons={})
    made = queue(nothing, Asking(), words, person=ANN)
    assert made.empty[0] == "Nothing waits for you."
    assert made.empty_next == ("/approvals?view=all", "Show all that waits")
    assert queue(nothing, Asking(text="x"), words, person=ANN).empty[0] == "Nothing fits this filter."


def test_each_view_takes_its_own_rows(words: Words, ruleset: Ruleset) -> None:
    def fits(one: object, view: str, text: str = "") -> bool:
        return wanted(one, Asking(view=view, text=text), ANN, ruleset, words)  # type: ignore[arg-type]  # a row

    assert fits(row(), "mine")
    assert not fits(row(excluded=frozenset({ANN.id})), "mine")
    assert fits(row(decide_by=NOW + 3_600_000), "expiring")
    assert not fits(row(decide_by=NOW + 3_600_001), "expiring")
    assert not fits(row(decide_by=NOW), "expiring")
    assert not fits(row(amount_minor=None), "payments")
    assert fits(row(amount_minor=None, unread=True), "payments")  # nobody knows how much: it is one
    assert fits(row(), "all", "MONEY BACK")
    assert not fits(row(), "all", "parcel")


class OneAct:
    """`approvals.store.ActionReader`: one action."""

    def __init__(self, amount: int | None, currency: str = "EUR") -> None:
        facts = ActionFacts(action="ac_1", tool=TOOL.id, amount_minor=amount, currency=currency)
        progress = held(
            ActionId("ac_1"), Digest("d"), now=NOW, needs=1, route="leads", decide_by=NOW + 1, otherwise=Otherwise.DENY,
            excluded=frozenset(),
        )  # fmt: skip
        self.stored = Stored(
            progress=progress, about=About(use_case=UseCaseId("orders"), facts=facts), subject=SubjectId("su_1"),
            request=None, business=b"",
        )  # fmt: skip

    async def get(self, action: ActionId) -> Stored:
        return self.stored


class Reached(Exception):
    """The command was run."""


class Reaching:
    async def run(self, command: object) -> None:
        raise Reached


@pytest.mark.promise("CAP-7")
@pytest.mark.parametrize(
    ("amount", "currency", "ago", "asks"),
    [(10_000, "EUR", FRESH_MS, True), (9_999, "EUR", FRESH_MS, False), (10_000, "EUR", FRESH_MS - 1, False),
     (None, "", FRESH_MS, False), (1, "USD", FRESH_MS, True)],
)  # fmt: skip
def test_above_the_declared_amount_a_decision_asks_for_a_fresh_proof_before_anything_moves(
    words: Words, ruleset: Ruleset, amount: int | None, currency: str, ago: int, asks: bool
) -> None:
    nothing = dict.fromkeys(Ports.__dataclass_fields__)
    snapshot = Snapshot(epoch=1, ruleset=ruleset, ruleset_digest=Digest("r"), live={}, keys={})
    given = {**nothing, "acts": OneAct(amount, currency), "journal": Reaching(), "in_force": InForce(snapshot)}
    here = Here(
        ports=Ports(**given), words=words, now_ms=NOW, path="/", fresh_ms=FRESH_MS, fresh_above_minor=10_000  # type: ignore[arg-type]  # what is not asked for is absent
    )  # fmt: skip
    who = visitor(Role.APPROVER, ago_ms=ago)
    with pytest.raises(NeedsFresh if asks else Reached):
        asyncio.run(approve(who, DecideAsked(id="ac_1", digest="d"), here))
