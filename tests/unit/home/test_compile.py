"""A good home becomes a ruleset and releases, the same on every machine."""

import pytest
from fakes.home import CHAT, HANDRAIL, home

from handrail.home.bootstrap import bootstrap
from handrail.home.compile import Compiled, compile_home
from handrail.home.defaults import DISCLOSED
from handrail.home.problem import HomeInvalid
from handrail.home.text import HomeText
from handrail.policy.evaluate import Rules, Side
from handrail.policy.ruleset import (
    Autonomy,
    FindingAction,
    FindingRule,
    Mode,
    OnFailure,
    PromptMode,
    Risk,
    UseCase,
    digest,
)
from handrail.releases.release import Release, Target
from handrail.terms.action import ActionType
from handrail.terms.errors import Code
from handrail.terms.finding import NEVER_REST, PERSONAL, Kind, Role
from handrail.terms.ids import ProviderId, UseCaseId

UC = "use-cases/chat.yaml"
CHAT_ID = UseCaseId("chat")


def compiled(texts: dict[str, str] | None = None) -> Compiled:
    return compile_home(home(texts))


def use_case(more: str = "", top: str = "") -> UseCase:
    return compiled({UC: CHAT + more, "handrail.yaml": HANDRAIL + top}).ruleset.use_cases[CHAT_ID]


def release(more: str = "", **prompts: str) -> Release:
    texts = {f"prompts/{name}.md": text for name, text in prompts.items()}
    return compiled({UC: CHAT + more, **texts}).releases[CHAT_ID]


@pytest.mark.promise("HOM-6")
def test_every_kind_has_a_rule_on_every_side_even_when_the_home_names_none() -> None:
    rules = Rules(use_case())
    for kind in Kind:
        for side in Side:
            for role in Role:
                assert isinstance(rules.rule(kind, side, role), FindingRule)


@pytest.mark.promise("HOM-6")
@pytest.mark.parametrize(
    ("kind", "user", "document", "answer"),
    [
        (Kind.CARD, "mask", "mask", "mask"),
        (Kind.SECRET, "mask", "mask", "mask"),
        (Kind.CVV, "mask", "mask", "mask"),
        (Kind.PHONE, "mask", "mask", "mark"),
        (Kind.INJECTION, "mark", "block", "mark"),
        (Kind.VULNERABILITY, "mark", "mark", "mark"),
        (Kind.UNGROUNDED, "mark", "mark", "mark"),
        (Kind.LINK, "mark", "mark", "mask"),
        (Kind.MARKUP, "mark", "mark", "mask"),
        (Kind.PROMPT_LEAK, "mark", "mark", "block"),
    ],
)
def test_the_defaults_are_the_documented_ones(kind: Kind, user: str, document: str, answer: str) -> None:
    rules = Rules(use_case())
    assert rules.rule(kind, Side.INPUT, Role.USER).action == user
    assert rules.rule(kind, Side.INPUT, Role.DOCUMENT).action == document
    assert rules.rule(kind, Side.INPUT, Role.TOOL).action == document
    assert rules.rule(kind, Side.OUTPUT, Role.ASSISTANT).action == answer


@pytest.mark.promise("HOM-6")
def test_personal_data_is_masked_before_a_model_unless_the_home_says_otherwise() -> None:
    rules = Rules(use_case())
    for kind in PERSONAL | NEVER_REST:
        assert rules.rule(kind, Side.INPUT, Role.USER).action is FindingAction.MASK
        if kind in NEVER_REST:
            assert rules.rule(kind, Side.OUTPUT, Role.ASSISTANT).action is FindingAction.MASK


def test_a_use_case_wins_over_the_defaults_and_they_over_ours() -> None:
    top = "  findings: {input: {EMAIL: mark, PHONE: mark}}\n  on_unreadable_part: mark\n"
    case = use_case("findings: {input: {EMAIL: mask}}\n", top)
    assert case.findings[Kind.EMAIL].action is FindingAction.MASK
    assert case.findings[Kind.EMAIL].rule == "use-cases/chat.yaml: findings.input.EMAIL"
    assert case.findings[Kind.PHONE].action is FindingAction.MARK
    assert case.findings[Kind.PHONE].rule == "handrail.yaml: defaults.findings.input.PHONE"
    assert case.findings[Kind.CARD].rule == "built-in"
    assert (case.on_unreadable_part, case.on_detector_failure) == (OnFailure.MARK, OnFailure.REFUSE)


def test_the_first_day_is_observed() -> None:
    assert use_case().mode is Mode.OBSERVE
    assert use_case("mode: enforce\n").mode is Mode.ENFORCE


def test_sentences_come_from_the_rule_then_the_use_case_then_the_defaults_and_any_language_has_one() -> None:
    case = use_case(
        "sentences: {block: {de: Fall.}}\nfindings: {input: {SECRET: {action: block, sentences: {en: Rule.}}}}\n",
        "  sentences: {block: {en: Home., de: Heim., fr: Maison.}}\n",
    )
    assert case.findings[Kind.SECRET].sentences == {"en": "Rule.", "de": "Fall.", "fr": "Maison.", "*": "Rule."}


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ("{risk: R3, autonomy: A2}", dict.fromkeys(ActionType, (Risk.R3, Autonomy.A2))),
        ("{risk: R0, autonomy: A0}", {ActionType.READ: (Risk.R0, Autonomy.A0)}),
        (
            "{risk: R3, autonomy: A1, read: {risk: R1, autonomy: A3}}",
            {**dict.fromkeys(ActionType, (Risk.R3, Autonomy.A1)), ActionType.READ: (Risk.R1, Autonomy.A3)},
        ),
        ("{read: {risk: R1, autonomy: A3}}", {ActionType.READ: (Risk.R1, Autonomy.A3)}),
    ],
)
def test_one_pair_is_shorthand_for_every_type_that_is_not_listed(
    levels: str, expected: dict[ActionType, tuple[Risk, Autonomy]]
) -> None:
    start, rest = CHAT.split("levels:\n", 1)
    text = f"{start}levels: {levels}\nmodel:{rest.split('model:', 1)[1]}".replace(
        "audience: customer", "audience: staff"
    )
    text = text.replace("data_classes: [contact]", "data_classes: []")
    case = compiled({UC: text}).ruleset.use_cases[CHAT_ID]
    assert {kind: (level.risk, level.autonomy) for kind, level in case.levels.items()} == expected


def test_the_route_splits_at_the_first_slash_and_the_alias_is_the_id() -> None:
    made = compiled(
        {
            "handrail.yaml": HANDRAIL.replace("    models: [gpt-4.1, gpt-4.1-mini]\n", ""),
            UC: CHAT.replace("[openai/gpt-4.1]", "[openai/meta/llama-3, openai/gpt-4.1]"),
        }
    ).releases[CHAT_ID]
    openai = ProviderId("openai")
    assert made.route == (Target(provider=openai, model="meta/llama-3"), Target(provider=openai, model="gpt-4.1"))
    assert made.alias == "chat"


@pytest.mark.promise("HOM-7")
def test_a_managed_prompt_carries_a_canary_that_the_release_knows() -> None:
    made = release("prompt: {mode: managed, file: kind.md}\n", kind="Be kind.\r\n")
    assert made.prompt_mode is PromptMode.MANAGED
    assert len(made.canaries) == 1
    assert made.canaries[0] in made.prompt
    assert made.prompt.startswith("Be kind.\n")
    assert release("prompt: {mode: managed, file: kind.md, canary: false}\n", kind="Be kind.").canaries == ()
    assert release().prompt_mode is PromptMode.CLIENT


def test_money_becomes_whole_minor_units_of_the_currency_rounded_up() -> None:
    top = HANDRAIL.replace("input: 2.00, output: 8.00", "input: 0.075, output: 8")
    made = compiled({"handrail.yaml": top, UC: CHAT + "budget: {cost: 12.5}\n"}).ruleset
    assert (made.prices["openai/gpt-4.1"].input_minor, made.prices["openai/gpt-4.1"].output_minor) == (8, 800)
    assert made.use_cases[CHAT_ID].budget.cost_minor == 1250
    yen = compiled({"handrail.yaml": top.replace("EUR", "JPY"), UC: CHAT + "budget: {cost: 12}\n"}).ruleset
    assert yen.use_cases[CHAT_ID].budget.cost_minor == 12


@pytest.mark.promise("HOM-8")
def test_comments_order_and_white_space_change_no_digest() -> None:
    lines = CHAT.split("\n")
    other = "\n".join(["# a comment", "", lines[1], lines[0], *lines[2:], "   # the end", ""])
    one, two = compiled(), compiled({UC: other})
    assert digest(one.ruleset) == digest(two.ruleset)
    assert digest(one.releases[CHAT_ID]) == digest(two.releases[CHAT_ID])


@pytest.mark.promise("HOM-8")
def test_a_rule_changes_the_ruleset_only_and_a_prompt_the_release_only() -> None:
    one = compiled()
    rule = compiled({UC: CHAT + "findings: {input: {EMAIL: mark}}\n"})
    assert digest(rule.ruleset) != digest(one.ruleset)
    assert rule.releases == one.releases
    prompt = compiled({UC: CHAT + "prompt: {mode: managed, file: a.md}\n", "prompts/a.md": "Be kind."})
    assert prompt.ruleset == one.ruleset
    assert digest(prompt.releases[CHAT_ID]) != digest(one.releases[CHAT_ID])


@pytest.mark.promise("HOM-9")
def test_a_home_with_a_mistake_is_not_compiled_and_says_all_of_them() -> None:
    with pytest.raises(HomeInvalid) as caught:
        compiled({"handrail.yaml": HANDRAIL.replace("EUR", "EURO"), UC: CHAT + "mode: on\n"})
    assert caught.value.code is Code.HOME_INVALID
    assert [found.code for found in caught.value.mistakes] == ["currency.unknown", "value.choice"]
    assert "handrail.yaml:3:11" in caught.value.message


def test_a_server_starts_from_a_home_whose_use_cases_are_broken() -> None:
    text = home({UC: "id: [", "handrail.yaml": HANDRAIL.replace("EUR", "EURO") + "\n"})
    start = bootstrap(text)
    assert (start.database, start.host, start.port, start.data_dir) == ("sqlite", "127.0.0.1", 8080, ".handrail")
    assert (start.kek_file, start.kek_env) == ("kek", None)


@pytest.mark.parametrize(
    "wrong", ["listen: nowhere\n", "listen: 0.0.0.0:80\n", "database: mysql\n", "keys: {kek: x}\n", "data_dir: .\n"]
)
def test_a_server_does_not_start_from_a_mistake_in_what_it_starts_with(wrong: str) -> None:
    with pytest.raises(HomeInvalid):
        bootstrap(home({"handrail.yaml": wrong + HANDRAIL}))


def test_a_server_does_not_start_without_a_home() -> None:
    with pytest.raises(HomeInvalid):
        bootstrap(HomeText(texts={}, names=frozenset()))


def test_what_is_read_at_start_is_taken_as_it_stands() -> None:
    top = (
        "database: {env: DATABASE}\nlisten: '[::1]:9000'\nkeys: {kek_env: KEK, log_key_file: log.key}\n"
        "log: {origin: shop.example/handrail}\nbehind_proxy: true\n"
    )
    start = bootstrap(home({"handrail.yaml": top + HANDRAIL}))
    assert (start.database, start.database_env) == ("", "DATABASE")
    assert (start.host, start.port, start.behind_proxy) == ("::1", 9000, True)
    assert (start.kek_file, start.kek_env, start.log_key_file) == (None, "KEK", "log.key")
    assert start.log_origin == "shop.example/handrail"


def test_a_block_of_the_defaults_says_the_homes_own_sentence() -> None:
    said = "defaults:\n  sentences: {block: {en: Please write to our team.}}\n"
    case = compiled({"handrail.yaml": HANDRAIL.replace("defaults:\n", said)}).ruleset.use_cases[CHAT_ID]
    rule = case.source_findings[Kind.INJECTION]
    assert (rule.action, rule.rule) == (FindingAction.BLOCK, "built-in")
    assert rule.sentences == {"*": "Please write to our team.", "en": "Please write to our team."}


def test_a_disclosure_has_a_wording_for_languages_that_nobody_declared_and_one_text_is_for_all() -> None:
    assert use_case("languages: [de]\n").disclosure.wording == DISCLOSED
    more = "languages: [de]\ndisclosure: {wording: {de: Ein Automat.}}\n"
    assert use_case(more).disclosure.wording == {**DISCLOSED, "de": "Ein Automat."}
    assert use_case("languages: [de]\ndisclosure: {wording: A machine.}\n").disclosure.wording == {"*": "A machine."}
