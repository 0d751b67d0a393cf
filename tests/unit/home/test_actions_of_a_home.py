"""Tools and rules of a good home: what is published, what is noted, and that one form is declared and read."""

from pathlib import Path

import msgspec
import pytest
from fakes.home import CHAT, ENGINES, home
from fakes.shop_home import CASES, RULES, SHOP, TOOLS, UC, shop_home

from handrail.home import fields_rules, fields_tools
from handrail.home.check import check, look
from handrail.home.check_rules import Engines
from handrail.home.compile import compile_home
from handrail.home.notes import notes
from handrail.home.problem import HomeInvalid
from handrail.policy import action_rules
from handrail.policy.action_rules import About, ActionRules, Op
from handrail.policy.cel import CelError, CelProgram
from handrail.policy.ruleset import Ruleset, canonical, digest
from handrail.terms.action import ToolId
from handrail.terms.ids import UseCaseId
from handrail.tools import registry

EXAMPLES = Path(__file__).parents[3] / "examples" / "policies"
REFUND = ToolId("shop.refund_order")


def names(declared: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(declared)}


MADE = {"place"}
"""Said by the reader, not by a person."""


@pytest.mark.parametrize(
    ("written", "read", "only_read", "only_written"),
    [
        (fields_tools.ToolFile, registry.Tool, {"id", "upstream", "name"}, set()),
        (fields_tools.UpstreamFile, registry.Upstream, set(), set()),
        (fields_tools.MoneyFile, registry.MoneyAt, set(), set()),
        (fields_tools.CheckFile, registry.Check, set(), set()),
        (fields_tools.HttpFile, registry.Http, set(), set()),
        (fields_tools.ShowsFile, registry.Shows, set(), set()),
        (fields_tools.FactFile, registry.FactAt, set(), set()),
        (fields_tools.NamesFile, registry.Names, set(), set()),
        (fields_tools.TotalFile, registry.Total, set(), set()),
        (fields_tools.CredentialFile, registry.Credential, set(), set()),
        (fields_rules.RuleFile, action_rules.Rule, {"then", "why", "change"},
         {"allow", "change", "hold", "deny", "weight", "to"}),
        (fields_rules.LimitFile, action_rules.Limit, set(), set()),
        (fields_rules.RouteFile, action_rules.Route, set(), set()),
        (fields_rules.ShiftFile, action_rules.Shift, set(), set()),
        (fields_rules.StepFile, action_rules.Step, set(), set()),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)  # fmt: skip
def test_what_is_declared_is_what_is_read(
    written: type[msgspec.Struct], read: type[msgspec.Struct], only_read: set[str], only_written: set[str]
) -> None:
    assert names(written) - only_written == names(read) - only_read - MADE


def test_a_condition_declares_every_subject_and_comparison() -> None:
    declared = names(fields_rules.ConditionFile)
    assert declared == {one.value for one in About} | {one.value for one in Op} | {"currency", "vouched"}


@pytest.mark.promise("HAC-2")
def test_tools_rules_and_the_tools_of_a_use_case_are_published() -> None:
    made = compile_home(shop_home(), ENGINES).ruleset
    refund = made.tools[REFUND]
    assert made.use_cases[UseCaseId("chat")].tools == ("shop.get_customer", "shop.get_order", "shop.refund_order")
    assert refund.outcome is not None
    assert refund.outcome.call.tool == "shop.get_refund", "written by its own name, published in full"
    assert refund.arguments["additionalProperties"] is False, "what is not declared is refused"
    assert refund.place == "tools/shop.yaml: tools.refund_order"
    assert made.actions.rules[0].place == "rules/shop.yaml: rules.order-read-first"
    assert made.upstreams[registry.UpstreamId("shop")].credential == registry.Credential(env="SHOP_API_KEY")


@pytest.mark.promise("HAC-2")
def test_comments_and_the_order_of_fields_change_no_digest_and_a_rule_does() -> None:
    before = digest(compile_home(shop_home()).ruleset)
    moved = SHOP[TOOLS].replace(
        "    type: money\n    title: Refund an order\n", "    title: Refund an order\n    type: money\n"
    )
    assert moved != SHOP[TOOLS]
    assert digest(compile_home(shop_home({TOOLS: "# mine\n" + moved})).ruleset) == before
    assert digest(compile_home(shop_home({CASES: "# none\n"})).ruleset) == before, "cases are not published"
    assert digest(compile_home(shop_home({RULES: SHOP[RULES].replace("5000,", "4000,", 1)})).ruleset) != before


@pytest.mark.promise("HAC-2")
def test_a_ruleset_stored_before_tools_existed_is_still_read() -> None:
    made = compile_home(home()).ruleset
    stored = msgspec.json.decode(canonical(made))
    for late in ("upstreams", "tools", "actions"):
        del stored[late]
    for case in stored["use_cases"].values():
        del case["tools"]
    assert msgspec.json.decode(msgspec.json.encode(stored), type=Ruleset) == made
    assert made.actions == ActionRules()


@pytest.mark.promise("HAC-2")
def test_a_ruleset_with_tools_is_the_same_after_storage() -> None:
    made = compile_home(shop_home()).ruleset
    assert msgspec.json.decode(canonical(made), type=Ruleset) == made


@pytest.mark.parametrize("name", ["retail", "airline", "telecom", "banking"])
def test_the_example_policies_are_good_in_a_home(name: str) -> None:
    folder = EXAMPLES / name
    texts = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.yaml")}
    tools = sorted(look(home(texts)).actions.tools)
    levels = "levels:\n  read: {risk: R1, autonomy: A3}\n  assert: {risk: R1, autonomy: A3}"
    case = CHAT.replace(levels, "levels: {risk: R3, autonomy: A3}") + f"tools: [{', '.join(tools)}]\n"
    made = compile_home(home({**texts, UC: case}), ENGINES).ruleset
    assert set(made.tools) == set(tools)
    assert made.actions.rules


def test_every_mistake_of_several_files_is_told_at_once() -> None:
    texts = {
        TOOLS: SHOP[TOOLS].replace("type: money", "type: mony").replace('GET, path: "/orders', 'GT, path: "/orders'),
        RULES: SHOP[RULES].replace("within: day", "within: dy").replace("roles: [approver]", "roles: []"),
        UC: SHOP[UC].replace("name: Chat", "nme: Chat"),
    }
    told = {(one.file, one.code) for one in check(shop_home(texts))}
    assert {(TOOLS, "value.choice"), (TOOLS, "value.form"), (RULES, "value.choice"), (RULES, "value.few"),
            (UC, "field.unknown")} <= told  # fmt: skip


def test_two_wrong_rules_are_both_told() -> None:
    text = (
        SHOP[RULES]
        .replace("order.status, exists", "order.statu, exists")
        .replace("order.status, is-not", "ordr.status, is-not")
    )
    lines = [one.line for one in check(shop_home({RULES: text})) if one.code == "rule.wrong"]
    assert len(lines) == 2


def test_a_tool_that_no_use_case_lists_is_told_to_whoever_rules_on_it() -> None:
    case = SHOP[UC].replace(", refund_order]", "]")
    told = [str(one) for one in check(shop_home({UC: case})) if one.code == "rule.wrong"]
    assert told
    assert "in any use case; add it to tools: of a use case" in told[0]


def test_an_undo_that_the_use_case_does_not_list_is_refused() -> None:
    undo = "    reversibility: free\n    undo: {tool: get_refund, arguments: {key: $key}}\n    business_key"
    text = {TOOLS: SHOP[TOOLS].replace("    business_key", undo, 1)}
    (told,) = [one for one in check(shop_home(text)) if one.code == "tool.undo"]
    assert (told.file, told.expected) == (UC, "shop.get_refund among tools")
    text[UC] = SHOP[UC].replace("refund_order]", "refund_order, get_refund]")
    assert check(shop_home(text)) == []


def test_the_same_upstream_in_two_files_is_refused() -> None:
    (told,) = [one for one in check(shop_home({"tools/twice.yaml": SHOP[TOOLS]})) if one.code == "upstream.repeated"]
    assert (told.file, told.hint) == ("tools/twice.yaml", "by tools/shop.yaml:6")


def test_one_name_of_two_upstreams_is_written_in_full() -> None:
    other = SHOP[TOOLS].replace("  id: shop\n", "  id: desk\n", 1)
    told = {str(one) for one in check(shop_home({"tools/desk.yaml": other}))}
    assert any('several upstreams have a tool "refund_order"; write UPSTREAM.refund_order' in one for one in told)


def test_a_fact_of_callers_is_declared_with_its_type() -> None:
    rule = "  - id: large\n"
    vip = f"  - {{id: vip, deny: because, tools: [refund_order], when: [{{fact: buyer.vip, is: true}}]}}\n{rule}"
    text = SHOP[RULES].replace(rule, vip)
    assert any(
        "no read and no caller gives the fact 'buyer.vip'" in str(one) for one in check(shop_home({RULES: text}))
    )
    assert check(shop_home({RULES: "facts: {buyer.vip: truth}\n" + text})) == []
    wrong = check(shop_home({RULES: "facts: {buyer.vip: number}\n" + text}))
    assert any("not truth" in str(one) for one in wrong)


def test_what_counts_doubts_is_said_by_the_files_that_say_it() -> None:
    more = "doubts_hold_at: 4\npartly_doubts: 1\n"
    made = compile_home(shop_home({"rules/more.yaml": more})).ruleset.actions
    assert (made.doubts_hold_at, made.partly_doubts) == (4, 1)


class Says:
    """A CEL of one word: it holds when its source stands in the arguments' reason."""

    def compile(self, source: str, variables: object) -> CelProgram:
        if source == "broken":
            raise CelError("it does not compile")
        return Program(source)


class Program:
    def __init__(self, source: str) -> None:
        self.source = source

    def holds(self, values: object) -> bool:
        assert isinstance(values, dict)
        return bool(values["arguments"].get("reason") == self.source)


CEL = "  - {id: late, hold: late ones wait, tools: [refund_order], cel: late}\n  - id: large\n"
LATE = """
  - name: a late one waits
    action: refund_order
    arguments: {order_id: A1, amount: 20, reason: late}
    facts: {customer.id: C1, order.status: delivered}
    expect: hold
    rules: [late]
"""


@pytest.mark.promise("HAC-4")
def test_a_cel_rule_is_published_only_with_a_case_that_it_matches() -> None:
    engines = Engines(cel=Says(), schema=ENGINES.schema)
    rules = SHOP[RULES].replace("  - id: large\n", CEL)
    with pytest.raises(HomeInvalid) as caught:
        compile_home(shop_home({RULES: rules}), engines)
    assert [one.code for one in caught.value.mistakes] == ["rule.untested"]
    made = compile_home(shop_home({RULES: rules, CASES: SHOP[CASES] + LATE}), engines)
    assert any(rule.cel for rule in made.ruleset.actions.rules)
    with pytest.raises(HomeInvalid, match="does not compile"):
        compile_home(shop_home({RULES: rules.replace("cel: late", "cel: broken")}), engines)


def test_notes_say_what_a_registration_leaves_open() -> None:
    text = SHOP[TOOLS].replace("    type: money\n", "    type: write-undoable\n", 1)
    low = [one for one in notes(look(shop_home({TOOLS: text}))) if one.code == "tool.low"]
    assert "its name suggests money" in low[0].message
    bare = SHOP[TOOLS].replace("    idempotency: {place: header, name: idempotency-key}\n", "")
    a, b = bare.index("    outcome:"), bare.index("    objects: {order_id")
    found = {one.code for one in notes(look(shop_home({TOOLS: bare[:a] + bare[b:]})))}
    assert {"tool.doubt", "tool.unlisted"} <= found
    assert {one.code for one in notes(look(shop_home()))} == {"disclosure.built_in", "route.unheard"}


@pytest.mark.promise("APR-21")
def test_a_note_says_that_nothing_is_held_while_a_use_case_observes_and_its_agents_may_write() -> None:
    name, text = next((name, text) for name, text in SHOP.items() if "mode: enforce" in text)
    for written in (text.replace("mode: enforce", "mode: observe"), text.replace("mode: enforce\n", "")):
        found = [one for one in notes(look(shop_home({name: written}))) if one.code == "mode.observes"]
        assert "refund_order run at once" in found[0].message
        assert str(found[0]).startswith(name)
    reads = text.replace("mode: enforce", "mode: observe").replace(", refund_order]", "]")
    assert "mode.observes" not in {one.code for one in notes(look(shop_home({name: reads})))}


def test_files_of_comments_only_are_off() -> None:
    made = compile_home(home({TOOLS: "# off\n", RULES: "\n# off\n", CASES: "# off\n"})).ruleset
    assert made.tools == {}
