"""Decisions on actions: another rule, finding, stop or doubt never loosens one, and each can be made again."""

from typing import Any

import msgspec
import pytest
from fakes.actions import DIGITS, SHOP, shop, use_case
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.policy.action import ActionInput, Agreed, Fact, Origin, Past, Room, Traced, Vouched
from handrail.policy.action_rules import About, ActionRules, Limit, Match, Op, Per, Rule, Within
from handrail.policy.check_matches import lists_of, regions_of, words_of
from handrail.policy.conditions import Unanswerable, View, holds
from handrail.policy.contradictions import pointless, unreachable
from handrail.policy.decide_action import Prepared, decide_action, encode, replay
from handrail.policy.evaluate import Found, Side
from handrail.policy.ruleset import Autonomy
from handrail.terms.action import ToolId
from handrail.terms.decision import SEVERITY, Verdict
from handrail.terms.finding import Kind, Role

REFUND = ToolId("shop.refund")
NUMBERS = st.sampled_from([0, 1, 9, 10, 11, 100])
WORDS = st.sampled_from(["damaged", "late", "unwanted"])

matches = st.one_of(
    st.builds(
        Match,
        about=st.just(About.ARGUMENT),
        name=st.just("amount"),
        op=st.sampled_from([Op.IS, Op.IS_NOT, Op.ABOVE, Op.BELOW, Op.AT_MOST, Op.AT_LEAST]),
        value=NUMBERS,
    ),
    st.builds(
        Match,
        about=st.just(About.ARGUMENT),
        name=st.just("reason"),
        op=st.sampled_from([Op.IS, Op.IS_NOT]),
        value=WORDS,
    ),
    st.builds(
        Match,
        about=st.just(About.ARGUMENT),
        name=st.just("reason"),
        op=st.sampled_from([Op.IN, Op.NOT_IN]),
        value=st.lists(WORDS, min_size=1, max_size=3),
    ),
    st.builds(Match, about=st.just(About.ARGUMENT), name=st.just("reason"), op=st.just(Op.EXISTS), value=st.booleans()),
    st.builds(
        Match,
        about=st.just(About.FACT),
        name=st.just("order.total"),
        op=st.sampled_from([Op.ABOVE, Op.AT_MOST, Op.IS]),
        value=NUMBERS,
        vouched=st.sampled_from(["verified", "claimed"]),
    ),
    st.builds(
        Match,
        about=st.just(About.FACT),
        name=st.just("order.items"),
        op=st.sampled_from([Op.IN, Op.NOT_IN]),
        value=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2),
    ),
    st.builds(
        Match,
        about=st.just(About.FACT),
        name=st.just("order.items"),
        op=st.sampled_from([Op.IS, Op.IS_NOT, Op.CONTAINS]),
        value=st.sampled_from(["a", "b"]),
    ),
    st.builds(
        Match, about=st.just(About.PAST), name=st.just("customer.refunds.day"), op=st.just(Op.AT_LEAST), value=NUMBERS
    ),
    st.builds(Match, about=st.just(About.AGREED), op=st.just(Op.IS), value=st.sampled_from(list(Agreed))),
)
VERDICTS = st.sampled_from([Verdict.HOLD, Verdict.DENY])


def rule(name: str, then: Any = VERDICTS) -> st.SearchStrategy[Rule]:
    return st.builds(
        Rule,
        id=st.just(name),
        then=then,
        why=st.just("because"),
        tools=st.sampled_from([(), (REFUND,), (ToolId("shop.send_note"),)]),
        when=st.lists(matches, max_size=3).map(tuple),
        unless=st.lists(matches, max_size=1).map(tuple),
    )


rulesets = st.integers(0, 6).flatmap(
    lambda n: st.tuples(
        *(rule(f"r{i}", st.sampled_from([Verdict.HOLD, Verdict.DENY, Verdict.ALLOW])) for i in range(n))
    )
)
origins = st.sampled_from(list(Origin))
inputs = st.builds(
    ActionInput,
    use_case=st.just(SHOP),
    tool=st.just(REFUND),
    arguments=st.fixed_dictionaries({"order_id": st.just("A1"), "amount": NUMBERS}, optional={"reason": WORDS}),
    stopped=st.sampled_from([(), ("all",)]),
    schema_errors=st.sampled_from([(), ("$.amount",)]),
    linked=st.booleans(),
    session=st.booleans(),
    amount_minor=st.sampled_from([None, 0, 1_000, 1_001]),
    currency=st.sampled_from(["EUR", "USD"]),
    own=st.sampled_from([(), ("order_id",)]),
    agreed=st.sampled_from(list(Agreed)),
    facts=st.tuples(
        st.builds(Fact, name=st.just("order.total"), value=NUMBERS, vouched=st.sampled_from(list(Vouched))),
        st.builds(
            Fact,
            name=st.just("order.items"),
            value=st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
            vouched=st.just(Vouched.VERIFIED),
        ),
    ),
    past=st.lists(st.builds(Past, name=st.just("customer.refunds.day"), value=NUMBERS), max_size=1).map(tuple),
    traced=st.lists(st.builds(Traced, path=st.just("iban"), origin=origins), max_size=2).map(tuple),
    room=st.sampled_from([(), (Room("day", 1_000),)]),
    untrusted=st.booleans(),
)
limits = st.sampled_from(
    [(), (Limit(id="day", at_most=1_000, per=Per.CUSTOMER, within=Within.DAY, currency="EUR", tools=(REFUND,)),)]
)
levels = st.sampled_from(list(Autonomy))


TOOLS = shop()[1]
REFUNDS = [tool for tool in TOOLS if tool.id == REFUND]
SPOKEN = words_of(TOOLS, {}, DIGITS)


def prepare(rules: tuple[Rule, ...], limit: Any, autonomy: Autonomy) -> Prepared:
    return Prepared({SHOP: use_case(autonomy)}, {SHOP: TOOLS}, ActionRules(rules=rules, limits=limit))


@pytest.mark.promise("ACD-2")
@given(inputs, rulesets, limits, levels, rule("new"), st.integers(0, 6), st.one_of(st.just(0), st.integers(1, 3)))
@settings(max_examples=150, deadline=None)
def test_another_rule_that_holds_or_denies_or_doubts_never_loosens(
    asked: ActionInput, rules: Any, limit: Any, autonomy: Autonomy, new: Rule, at: int, doubt: int
) -> None:
    if doubt:
        new = msgspec.structs.replace(new, then=Verdict.HOLD, doubt=doubt)
    before = decide_action(asked, prepare(rules, limit, autonomy))
    after = decide_action(asked, prepare((*rules[:at], new, *rules[at:]), limit, autonomy))
    assert SEVERITY[after.verdict] >= SEVERITY[before.verdict]


@pytest.mark.promise("ACD-2")
@given(inputs, rulesets, limits, levels, rule("new", st.just(Verdict.ALLOW)))
@settings(max_examples=150, deadline=None)
def test_an_allowance_lifts_only_the_hold_of_a_call_without_a_limit(
    asked: ActionInput, rules: Any, limit: Any, autonomy: Autonomy, new: Rule
) -> None:
    before = decide_action(asked, prepare(rules, limit, autonomy))
    after = decide_action(asked, prepare((*rules, new), limit, autonomy))
    if SEVERITY[after.verdict] < SEVERITY[before.verdict]:
        assert autonomy in (Autonomy.A3, Autonomy.A4)
        assert {reason.code for reason in before.reasons} - {"rule", "consent.partly"} == {"autonomy.no_limit"}


WORSE: list[dict[str, Any]] = [
    {"stopped": ("all",)},
    {"schema_errors": ("$.x",)},
    {"linked": False},
    {"session": False},
    {"own": ()},
    {"untrusted": True},
    {"failures": ("injection:late",)},
    {"manifest_changed": True},
    {"registered": False},
    {"agreed": Agreed.REFUSED},
    {"found": (Found(Kind.INJECTION, Side.INPUT, Role.TOOL, 0.9),)},
]


@pytest.mark.promise("ACD-2")
@given(inputs, limits, levels, st.sampled_from(WORSE))
@settings(max_examples=150, deadline=None)
def test_worse_news_never_loosens(asked: ActionInput, limit: Any, autonomy: Autonomy, news: dict[str, Any]) -> None:
    rules = prepare((Rule(id="may", then=Verdict.ALLOW, why="it may"),), limit, autonomy)
    worse = msgspec.structs.replace(asked, **news)
    assert SEVERITY[decide_action(worse, rules).verdict] >= SEVERITY[decide_action(asked, rules).verdict]


_WEAKER = [Origin.VERIFIED, Origin.RECORD, Origin.CUSTOMER, Origin.UNTRUSTED, Origin.UNKNOWN, Origin.CONTRADICTED]


@pytest.mark.promise("ACD-2")
@given(inputs, limits, levels, st.sampled_from(_WEAKER[:3]), st.sampled_from(_WEAKER[3:]))
@settings(max_examples=100, deadline=None)
def test_a_weaker_origin_never_loosens(
    asked: ActionInput, limit: Any, autonomy: Autonomy, strong: Origin, weak: Origin
) -> None:
    rules = prepare((), limit, autonomy)
    one = msgspec.structs.replace(asked, traced=(Traced("iban", strong),))
    other = msgspec.structs.replace(asked, traced=(Traced("iban", weak),))
    assert SEVERITY[decide_action(other, rules).verdict] >= SEVERITY[decide_action(one, rules).verdict]


@pytest.mark.promise("ACD-1")
@given(inputs, rulesets, limits, levels)
@settings(max_examples=150, deadline=None)
def test_every_decision_can_be_made_again_from_its_bytes(
    asked: ActionInput, rules: Any, limit: Any, autonomy: Autonomy
) -> None:
    made = decide_action(asked, prepare(rules, limit, autonomy))
    assert replay(encode(asked), prepare(rules, limit, autonomy)) == made
    assert msgspec.json.decode(msgspec.json.encode(made), type=type(made)) == made


@given(inputs, rulesets)
@settings(max_examples=200, deadline=None)
def test_the_index_leaves_out_no_rule_that_matches(asked: ActionInput, rules: Any) -> None:
    decision = decide_action(asked, prepare(rules, (), Autonomy.A3))
    concerned = [one for one in rules if one.tools in ((), (REFUND,))]
    assert list(decision.rules) == [one.id for one in concerned if _asked_alone(one, View(asked))]


def _asked_alone(one: Rule, view: View) -> bool:
    """The rule without any index; one that cannot be answered is listed too."""
    try:
        return all(holds(match, view) for match in one.when) and not any(holds(match, view) for match in one.unless)
    except Unanswerable:
        return True


@pytest.mark.promise("ACD-6")
@given(inputs, rule("r"))
@settings(max_examples=300, deadline=None)
def test_what_is_proved_unreachable_never_matches(asked: ActionInput, one: Rule) -> None:
    if unreachable(one, regions_of(REFUNDS, one), lists_of(REFUNDS, one, SPOKEN)) is not None:
        assert not _asked_alone(one, View(asked))


@pytest.mark.promise("ACD-6")
@given(inputs, rule("a"), rule("b"))
@settings(max_examples=300, deadline=None)
def test_a_rule_that_is_called_pointless_changes_no_verdict(asked: ActionInput, one: Rule, other: Rule) -> None:
    everywhere = {"a": frozenset({REFUND}), "b": frozenset({REFUND})}
    one = msgspec.structs.replace(one, tools=(REFUND,))
    other = msgspec.structs.replace(other, tools=(REFUND,))
    if pointless(one, [one, other], everywhere) is not None:
        both = decide_action(asked, prepare((one, other), (), Autonomy.A4))
        without = decide_action(asked, prepare((other,), (), Autonomy.A4))
        assert both.verdict is without.verdict


RUNS = (Verdict.ALLOW, Verdict.CHANGE)


@pytest.mark.promise("AUT-8")
@given(inputs, rulesets, limits, levels, levels)
@settings(max_examples=300, deadline=None)
def test_a_lowered_level_lets_nothing_run_that_the_level_would_not_and_decides_as_that_level_in_the_home(
    asked: ActionInput, rules: Any, limit: Any, autonomy: Autonomy, at_most: Autonomy
) -> None:
    prepared = prepare(rules, limit, autonomy)
    lowered = msgspec.structs.replace(asked, at_most=at_most)
    before, after = decide_action(asked, prepared), decide_action(lowered, prepared)
    if after.verdict in RUNS:
        assert before.verdict in RUNS
    plain = decide_action(asked, prepare(rules, limit, min(autonomy, at_most)))
    assert (after.verdict, after.draft, after.reserve) == (plain.verdict, plain.draft, plain.reserve)
    assert {one.code for one in after.reasons} - {one.code for one in plain.reasons} <= {"autonomy.demoted"}
    assert ("autonomy.demoted" in {one.code for one in after.reasons}) <= (at_most < autonomy)
    assert replay(encode(lowered), prepared) == after
