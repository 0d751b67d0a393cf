"""The register: levels as declared and as they hold, order and pages, limits in one sentence."""

import msgspec
import pytest
from fakes.actions import use_case

from handrail.approvals.stop import Stop, StopScope
from handrail.console.views.use_cases import ListRead, highest, register, standing
from handrail.console.views.use_cases_words import KINDS, TYPES, applies, held_to, limit_said, stages_said
from handrail.console.words import Languages, Words
from handrail.in_force.snapshot import Snapshot
from handrail.policy.action_rules import Limit, Per, Within
from handrail.policy.autonomy import Autonomy
from handrail.policy.ramp import Ramp, Stage
from handrail.policy.ruleset import Level, Mode, Risk, Ruleset, UseCase
from handrail.terms.action import ActionType, ToolId
from handrail.terms.decision import Verdict
from handrail.terms.finding import Kind
from handrail.terms.ids import Digest, PersonId, UseCaseId

NOW_MS = 1_790_000_000_000


@pytest.fixture(scope="module")
def words() -> Words:
    return Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=NOW_MS)


def case(name: str, risk: Risk = Risk.R1, autonomy: Autonomy = Autonomy.A3, mode: Mode = Mode.ENFORCE) -> UseCase:
    levels = {ActionType.MONEY: Level(risk=risk, autonomy=autonomy)}
    return msgspec.structs.replace(
        use_case(), id=UseCaseId(name), name=name.title(), owner=f"{name}@x.example", levels=levels, mode=mode
    )


def snapshot(*cases: UseCase, **more: object) -> Snapshot:
    ruleset = Ruleset(
        organisation="O", time_zone="UTC", currency="EUR", providers={}, use_cases={one.id: one for one in cases}
    )
    return Snapshot(epoch=1, ruleset_digest=Digest("d"), ruleset=ruleset, live={}, keys={}, **more)  # type: ignore[arg-type]  # by their names


def read(found: Snapshot) -> ListRead:
    return ListRead(snapshot=found, waiting=(), incidents=(), alerts=())


def test_a_lowered_level_holds_and_the_declared_one_is_told(words: Words) -> None:
    one = case("pay", Risk.R3)
    found = snapshot(one, lowered={one.id: {ActionType.MONEY: Autonomy.A1}})
    assert highest(one, found) == ("R3", "A3", "A1")
    row = register(read(found), words).rows[0]
    assert (row.level, row.level_said, row.lowered) == (2, "Suggests", "lowered from: Acts within limits")
    assert register(read(snapshot(one)), words).rows[0].lowered == ""


def test_a_stop_is_worse_than_any_mode(words: Words) -> None:
    one = case("pay", mode=Mode.OBSERVE)
    assert standing(one, snapshot(one), words)[2] == "Observes"
    for scope, value, stopped in (
        (StopScope.ALL, "", True), (StopScope.USE_CASE, "pay", True), (StopScope.USE_CASE, "other", False),
        (StopScope.TOOL, "pay", False),
    ):  # fmt: skip
        stop = Stop(id="s", scope=scope, value=value, by=PersonId("p"), reason="r", at_ms=1)
        assert (standing(one, snapshot(one, stops=(stop,)), words)[0] == "deny") is stopped


def test_the_register_is_looked_through_sorted_and_paged(words: Words) -> None:
    cases = [case(f"c{n:03}", Risk.R3 if n == 150 else Risk.R1) for n in range(201)]
    found = read(snapshot(*cases))
    first, last = register(found, words), register(found, words, page=3)
    assert (len(first.rows), first.fewer, first.more) == (100, "", "/use_cases?sort=name&page=2")
    assert (len(last.rows), last.more, last.shown) == (1, "", "201 to 201 of 201")
    assert register(found, words, sort="risk").rows[0].id == "c150"
    assert [row.id for row in register(found, words, query="C077@X").rows] == ["c077"]
    assert register(found, words, query="<script>").rows == ()


def test_a_limit_is_one_sentence(words: Words) -> None:
    limit = Limit(id="l", at_most=15_000, per=Per.CUSTOMER, within=Within.DAY, currency="EUR", over=Verdict.DENY)
    assert limit_said(limit, words) == "At most €150.00 per customer in a day; above it, it is denied."
    calls = Limit(id="l", at_most=1, per=Per.ACTION, within=Within.DAY)
    assert limit_said(calls, words) == "At most 1 call per action; above it, a person decides."


def test_a_limit_concerns_a_use_case_by_its_name_its_tools_and_their_types() -> None:
    tools, types = frozenset({"shop.refund"}), frozenset({ActionType.MONEY})
    base = {"id": "l", "at_most": 1, "per": Per.ACTION, "within": Within.DAY}
    for more, concerned in (
        ({}, True), ({"tools": (ToolId("shop.refund"),)}, True), ({"tools": (ToolId("shop.other"),)}, False),
        ({"types": (ActionType.READ,)}, False), ({"use_cases": (UseCaseId("other"),)}, False),
    ):  # fmt: skip
        assert applies(Limit(**base, **more), "pay", tools, types) is concerned, more  # type: ignore[arg-type]


def test_every_kind_of_finding_and_type_of_action_has_words() -> None:
    assert set(KINDS) == set(Kind)
    assert set(TYPES) == set(ActionType)


@pytest.mark.parametrize(
    ("bad", "cases", "limit", "said"),
    [
        (0, 3, 0.01, "Too few cases to say"),
        (0, 2_000, 0.01, "Within the limit"),
        (19, 2_000, 0.01, "Too few cases to say"),
        (21, 2_000, 0.01, "Exceeded"),
        (0, 2_000, 0.0, "None so far"),
        (1, 2_000, 0.0, "Exceeded"),
    ],
)
@pytest.mark.promise("GOV-21")
def test_a_limit_is_said_to_hold_only_where_the_cases_show_it(bad: int, cases: int, limit: float, said: str) -> None:
    tone, state = held_to(bad, cases, limit)
    assert state == said
    assert (tone == "allow") == (said == "Within the limit")


def test_a_step_without_a_least_time_says_no_nought(words: Words) -> None:
    ramp = Ramp(stages=(
        Stage(share=0.005), Stage(share=0.05, least_units=1_000), Stage(share=0.3, least_units=1, least_minutes=60)
    ))  # fmt: skip
    assert stages_said(ramp, words) == (
        "0.5%, without a least time", "5%, at least 1,000 compared", "30%, at least 1 hour and 1 compared",
    )  # fmt: skip
