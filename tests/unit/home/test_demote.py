"""A use case's `demote` from its file to the ruleset, its mistakes, and what publishing says of what is lowered."""

import pytest
from fakes.home import CHAT, home
from fakes.register import MemoryRegister
from fakes.storage import IDS

from handrail.governance.autonomy_desk import DemoteByHand, Promote
from handrail.home.check import check
from handrail.home.compile import compile_home
from handrail.home.publish import Publish
from handrail.policy.autonomy import Again, Autonomy, Cause, Demote, Trigger
from handrail.terms.action import ActionType
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import UseCaseId

UC = "use-cases/chat.yaml"
NAME = UseCaseId("chat")
FULL = """
demote:
  floor: A2
  cool_down_hours: 2
  again: one_level
  on:
    - {incident: S2}
    - {drift: any, types: [read]}
    - {drift: failed}
    - {rollback: true}
    - {rate: override, above: 0.1, least: 50, days: 3, levels: 2}
    - {drills: 2}
    - {findings: LEGAL, per_day: 5}
  promote: {after_hours: 1.5, least_units: 20, below: {complaint: 0.02}}
"""


def demote_of(text: str) -> Demote:
    (case,) = compile_home(home({UC: CHAT + text})).ruleset.use_cases.values()
    assert case.demote is not None
    return case.demote


def test_everything_is_taken_as_written_and_the_rest_has_our_defaults() -> None:
    assert demote_of(FULL) == Demote(
        triggers=(
            Trigger(cause=Cause.INCIDENT, what="S2"),
            Trigger(cause=Cause.DRIFT, types=(ActionType.READ,)),
            Trigger(cause=Cause.DRIFT, what="failed"),
            Trigger(cause=Cause.ROLLBACK),
            Trigger(cause=Cause.RATE, what="override", above=0.1, least=50, days=3, levels=2),
            Trigger(cause=Cause.DRILL, least=2),
            Trigger(cause=Cause.FINDINGS, what="LEGAL", least=5),
        ),
        floor=Autonomy.A2, cool_down_minutes=120, again=Again.ONE_LEVEL, after_minutes=90, least_units=20,
        below={"complaint": 0.02},
    )  # fmt: skip
    assert demote_of("\ndemote: {on: [{rollback: true}]}\n") == Demote(triggers=(Trigger(cause=Cause.ROLLBACK),))


@pytest.mark.parametrize(
    ("trigger", "code", "says"),
    [
        ("{levels: 1}", "demote.trigger", "nothing that could happen"),
        ("{incident: S1, rollback: true}", "demote.trigger", "incident and rollback"),
        ("{incident: S9}", "demote.name", "S9"),
        ("{drift: complaints}", "demote.name", "complaints"),
        ("{rate: override, above: 0.1}", "demote.half", "rate needs least"),
        ("{rate: latency, above: 0.1, least: 5}", "demote.name", "latency"),
        ("{findings: LEGAL}", "demote.half", "per_day"),
        ("{rollback: true, above: 0.1}", "demote.field", "above says nothing about rollback"),
        ("{rollback: true, types: [assert]}", "demote.assert", "does not wait for a person"),
    ],
)
def test_a_trigger_that_could_never_act_or_that_says_two_things_is_refused(trigger: str, code: str, says: str) -> None:
    found = check(home({UC: f"{CHAT}\ndemote: {{on: [{trigger}]}}\n"}))
    assert [one.code for one in found] == [code]
    assert says in str(found[0])


def test_a_promotion_by_a_rate_that_nobody_counts_is_refused() -> None:
    found = check(home({UC: f"{CHAT}\ndemote: {{on: [{{rollback: true}}], promote: {{below: {{sadness: 0.1}}}}}}\n"}))
    assert [one.code for one in found] == ["demote.name"]


@pytest.mark.promise("AUT-2")
def test_publishing_says_what_stays_lowered_also_when_nothing_else_changed() -> None:
    register = MemoryRegister()
    compiled = compile_home(home({UC: CHAT + FULL}))
    assert register.do(Publish(ids=IDS, compiled=compiled)).lowered == ()
    by_hand = DemoteByHand(ids=IDS, use_case=NAME, types=(ActionType.READ,), levels=1, reason="odd", token=None)
    register.do(by_hand)
    again = register.do(Publish(ids=IDS, compiled=compiled))
    assert not again.changed
    assert again.lowered == ("chat: read stays at A2 (the home says A3)",)


@pytest.mark.promise("AUT-3")
def test_where_nobody_is_registered_the_operator_lowers_and_does_not_promote() -> None:
    register = MemoryRegister()
    register.do(Publish(ids=IDS, compiled=compile_home(home({UC: CHAT + FULL}))))
    register.do(DemoteByHand(ids=IDS, use_case=NAME, types=(), levels=1, reason="odd", token=None))
    promote = Promote(
        ids=IDS, use_case=NAME, types=(), reason="fine", token=None, standing=lambda tx, case: (), override=True
    )
    with pytest.raises(HandrailError) as refused:
        register.do(promote)
    assert refused.value.code is Code.NOT_ALLOWED
    assert "only a person promotes" in refused.value.message
