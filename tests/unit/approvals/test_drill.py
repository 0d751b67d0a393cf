"""Drills: the interval of a catch rate, and the made-up requests."""

import math

import msgspec
import pytest
from fakes.actions import DIGITS, RULES, SHOP, TOOLS, prepared, rules
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from handrail.approvals.drill import FEW, Drill, DrillState, Made, Plan, Wrong, rate, results, share_text
from handrail.approvals.lifecycle import Otherwise, held
from handrail.approvals.made_up import Draw, Ground, Recent, candidates, example_iban
from handrail.approvals.notices import events_of
from handrail.backends.schemas import ArgumentSchemas
from handrail.ledger.entry import EntryKind
from handrail.policy.action import Agreed, Origin
from handrail.policy.consent import Consent, facts_of_consent
from handrail.policy.decide_action import decide_action
from handrail.policy.notices import Event
from handrail.policy.written import Source, tools_of
from handrail.terms.action import ActionId, ToolId
from handrail.terms.decision import Verdict
from handrail.terms.ids import Digest, UseCaseId

PLAIN = tools_of(YAML(typ="safe").load(TOOLS), Source("shop.yaml", lambda node: ""))[1]
"""As they are published, not as the reader of YAML left them."""


def ground(**changes: object) -> Ground:
    values = {
        "use_case": SHOP,
        "tools": PLAIN,
        "rules": rules(RULES),
        "currency": "EUR",
        "digits": DIGITS,
        **changes,
    }
    return Ground(**values)


def test_the_interval_is_wilsons() -> None:
    """Against figures worked out by hand with the formula of 1927: z = 1.96, 8 of 10, and 0 of 10."""
    found = rate(8, 10)
    assert (found.low, found.high) == (pytest.approx(0.49016, abs=1e-4), pytest.approx(0.94332, abs=1e-4))
    none = rate(0, 10)
    assert (none.low, none.high) == (0.0, pytest.approx(0.27753, abs=1e-4))


@given(st.integers(1, 400), st.data())
def test_the_interval_holds_the_share_and_solves_the_score_equation(cases: int, data: st.DataObject) -> None:
    caught = data.draw(st.integers(0, cases))
    found = rate(caught, cases)
    assert found.low is not None
    assert found.high is not None
    share = caught / cases
    assert 0 <= found.low <= share <= found.high <= 1
    for bound in (found.low, found.high):
        if 0 < bound < 1:  # |p - bound| = z sqrt(bound (1 - bound) / n)
            spread = 1.959963984540054 * math.sqrt(bound * (1 - bound) / cases)
            assert abs(abs(share - bound) - spread) < 1e-9


@pytest.mark.promise("DRL-6")
def test_no_cases_are_no_pass_and_few_are_marked() -> None:
    assert share_text(rate(0, 0)) == "no cases"
    assert rate(0, 0).low is None
    assert "too few" in share_text(rate(FEW - 1, FEW - 1))
    assert "too few" not in share_text(rate(FEW, FEW))
    made = Made(use_case=SHOP, route="leads", wrong=Wrong.NOT_OWN)
    waits = Drill(id="d", due_at=0, plan=Plan(run="r", seed="s"), state=DrillState.MADE, made=made, open=True)
    (row,) = results([waits])
    assert (row.person, row.undecided, share_text(row.rate)) == (None, 1, "no cases")


def test_every_kind_of_mistake_can_be_made_up_and_holds_by_the_rules_themselves() -> None:
    ready, schemas = prepared(), ArgumentSchemas()
    held = set()
    for seed in range(8):
        for made in candidates(ground(past_names=("object.refund",)), f"s{seed}"):
            if schemas.errors(made.tool, made.arguments):
                continue
            if decide_action(made.input, ready).verdict is Verdict.HOLD:
                held.add(made.wrong)
    assert held >= {Wrong.ABOVE_RECORD, Wrong.ABOVE_ASKED, Wrong.NOT_OWN, Wrong.NOT_THEIRS, Wrong.UNTRUSTED}


def test_each_request_is_wrong_in_exactly_the_way_that_it_says() -> None:
    for made in candidates(ground(past_names=("object.refund",)), "one"):
        facts = {fact.name: fact.value for fact in made.input.facts}
        origins = {traced.path: traced.origin.value for traced in made.input.traced}
        if made.wrong is Wrong.ABOVE_RECORD:
            assert made.input.amount_minor is not None
            assert made.input.amount_minor > facts["order.total"]
        elif "order.total" in facts and made.wrong is not Wrong.ABOVE_ASKED and made.input.amount_minor is not None:
            assert made.input.amount_minor == facts["order.total"]
        assert (made.wrong is Wrong.NOT_OWN) is (set(made.tool.objects) != set(made.input.own))
        assert (made.wrong is Wrong.UNTRUSTED) is ("untrusted" in origins.values())
        unknown = made.wrong in (Wrong.NOT_THEIRS, Wrong.ABOVE_ASKED)
        assert unknown is ("unknown" in origins.values())
        said = " ".join(line.text for line in made.said if line.role == "user")
        assert "about ." not in said
        for path, origin in origins.items():
            value = made.arguments[path]
            if isinstance(value, str):
                assert (origin == "customer") is (value in said), (made.wrong, path, said)
        assert (made.wrong is Wrong.SECOND_TIME) is any(one.value for one in made.input.past)
        assert (made.wrong is Wrong.SECOND_TIME) is (made.path == "")


def test_the_same_seed_makes_the_same_requests_and_another_one_others() -> None:
    def made(seed: str) -> list[object]:
        return [(one.tool.id, one.arguments, one.customer, one.said) for one in candidates(ground(), seed)][:20]

    assert made("a") == made("a")
    assert made("a") != made("b")


@pytest.mark.promise("DRL-3")
def test_a_drill_has_the_facts_that_every_conversation_teaches() -> None:
    always = {fact.name for fact in facts_of_consent(Consent(Agreed.NOTHING))}
    assert len(always) == 4
    for made in candidates(ground(), "s"):
        facts = {fact.name: fact.value for fact in made.input.facts}
        assert always <= facts.keys()
        for traced in made.input.traced:
            assert facts[f"said.{traced.path.partition('.')[0]}"] == (
                "customer" if traced.origin is Origin.CUSTOMER else "nobody"
            )


@pytest.mark.promise("DRL-4")
def test_nothing_of_a_real_customer_stands_in_a_drill_only_forms_are_taken() -> None:
    """Letters stay where they stand in calls of several customers; a text is taken only when three share it."""
    recent = tuple(
        Recent(
            subject=f"su_{at}", tool=ToolId("shop.refund"), customer=f"cust-{at}{at}{at}71",
            arguments={"order_id": f"#W99{at}8{at}77", "amount": 40, "iban": "DE00123"}, amount_minor=4_000,
            facts={"order.status": "delivered" if at < 3 else f"secret of {at}"},
        )
        for at in range(6)
    )  # fmt: skip
    secret = {text for one in recent for text in (one.customer, one.arguments["order_id"], one.arguments["iban"])}
    seen = set()
    for seed in range(20):
        for made in candidates(ground(recent=recent), f"s{seed}"):
            said = repr((made.arguments, made.customer, made.said, made.input))
            assert not [text for text in secret if text and text in said]
            assert "secret of" not in said
            seen |= {fact.value for fact in made.input.facts if fact.name == "order.status"}
            if "order_id" in made.arguments:
                assert made.arguments["order_id"].startswith("#W")
                assert len(made.arguments["order_id"]) == len("#W9908077")
    assert seen == {"delivered"}


def test_addresses_are_of_ranges_that_nobody_has() -> None:
    draw = Draw("x")
    for _ in range(50):
        iban = example_iban(draw)
        assert iban[4:12] == "00000000"
        digits = "".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])
        assert int(digits) % 97 == 1


def test_a_use_case_without_anything_that_can_be_wrong_has_no_requests() -> None:
    reads = tuple(tool for tool in PLAIN if tool.type.value == "read" and not tool.outbound)
    assert list(candidates(ground(use_case=UseCaseId("reads"), tools=reads), "s")) == []


def test_a_drill_that_nobody_decided_is_handed_to_nobody() -> None:
    waits = held(
        ActionId("ac_1"), Digest("0" * 64), now=0, needs=1, route="leads", decide_by=9, otherwise=Otherwise.HANDOVER,
        excluded=frozenset(), drill=True,
    )  # fmt: skip
    assert events_of(EntryKind.ACTION_EXPIRED, waits, "leads") == (Event.EXPIRED,)
    real = msgspec.structs.replace(waits, drill=False)
    assert events_of(EntryKind.ACTION_EXPIRED, real, "leads") == (Event.HANDOVER,)
