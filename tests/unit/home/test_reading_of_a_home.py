"""`reading` in `handrail.yaml`: each mistake with its place, and which use cases ask why a held action is read."""

import pytest
from fakes.home import CHAT, HANDRAIL, home

from handrail.home.check import check
from handrail.home.compile import compile_home
from handrail.policy.ruleset import asks_why
from handrail.terms.ids import UseCaseId

LISTED = "reading:\n  case_reason: listed\n"
ROWS = [
    (LISTED, "reading.empty", "case_reason", "nothing is listed"),
    (LISTED + "  use_cases: [chta]\n", "reading.use_case", "chta", "there is no use case"),
    ("reading:\n  use_cases: [chat]\n", "reading.unused", "use_cases", "counts only with"),
    ("reading:\n  case_reason: all\n  data_classes: [order]\n", "reading.unused", "data_classes", "counts only with"),
    (LISTED + "  data_classes: [oder]\n", "value.choice", "oder", "oder"),
    ("reading:\n  case_reasons: all\n", "field.unknown", "case_reasons", "case_reason"),
]


@pytest.mark.parametrize(("extra", "code", "at", "said"), ROWS)
def test_each_mistake_is_told_with_its_place(extra: str, code: str, at: str, said: str) -> None:
    texts = {"handrail.yaml": HANDRAIL + extra, "use-cases/chat.yaml": CHAT}
    (found,) = [each for each in check(home(texts)) if each.code == code]
    assert said in str(found)
    assert at in texts["handrail.yaml"].splitlines()[found.line - 1]


@pytest.mark.promise("CAP-6")
@pytest.mark.parametrize(
    ("extra", "asks"),
    [
        ("", False),
        ("reading:\n  case_reason: none\n", False),
        ("reading:\n  case_reason: all\n", True),
        (LISTED + "  use_cases: [chat]\n", True),
        (LISTED + "  data_classes: [order]\n", True),
        (LISTED + "  data_classes: [bank-account]\n", False),
    ],
)
def test_the_home_says_which_use_cases_ask(extra: str, asks: bool) -> None:
    chat = CHAT.replace("data_classes: [contact]", "data_classes: [contact, order]")
    rules = compile_home(home({"handrail.yaml": HANDRAIL + extra, "use-cases/chat.yaml": chat})).ruleset
    assert asks_why(rules, UseCaseId("chat")) is asks
    assert asks_why(rules, UseCaseId("gone")) is asks
