"""Cases from another tool's file: what is taken means the same, and the rest is listed."""

from typing import Any

import pytest

from handrail.trials.expect import Answer, judge
from handrail.trials.imported import Heard, from_promptfoo, from_talk, written
from handrail.trials.reading import read_trials


def made(assertion: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    document = {"prompts": ["{{q}}"], "tests": [{"vars": {"q": "hello", "n": "A+1"}, "assert": [assertion]}]}
    found = from_promptfoo(document, name="x", judge="judge")
    return found.cases[0]["turns"][0].get("expect", []), found.left_out


TAKEN = [
    ({"type": "equals", "value": "Hi"}, "Hi", "hi"),
    ({"type": "contains", "value": "a(b"}, "xa(b", "xA(b"),
    ({"type": "contains", "value": "{{n}}"}, "is A+1.", "is AA1."),
    ({"type": "icontains", "value": "Ab"}, "xaBx", "x"),
    ({"type": "icontains-all", "value": ["a", "b"]}, "B a", "a"),
    ({"type": "contains-any", "value": ["a.", "b"]}, "a.", "ax"),
    ({"type": "icontains-any", "value": ["ab", "cd"]}, "CD", "c d"),
    ({"type": "starts-with", "value": "a"}, "ab", "ba"),
    ({"type": "regex", "value": "^a+$"}, "aa", "ab"),
    ({"type": "not-contains", "value": "a"}, "b", "a"),
    ({"type": "is-json"}, "{}", "{"),
    ({"type": "is-json", "value": {"required": ["a"]}}, '{"a": 1}', "{}"),
]


@pytest.mark.parametrize(("assertion", "good", "bad"), TAKEN, ids=[str(row[0]["type"]) for row in TAKEN])
@pytest.mark.promise("TRI-7")
def test_what_is_taken_holds_and_fails_for_the_same_answers(assertion: dict[str, Any], good: str, bad: str) -> None:
    document = {"prompts": ["{{q}}"], "tests": [{"vars": {"q": "hello", "n": "A+1"}, "assert": [assertion]}]}
    found = from_promptfoo(document, name="x")
    assert found.left_out == []
    text = written(found, use_case="orders", source="From a test.")
    read = read_trials({"tests/x.yaml": text})
    assert read.mistakes == ()
    (expect,) = read.trials[0].turns[0].expect
    assert judge(expect, [Answer(text=good)], 1, {}) is None
    assert judge(expect, [Answer(text=bad)], 1, {}) is not None


@pytest.mark.parametrize(
    ("assertion", "why"),
    [
        ({"type": "javascript", "value": "output"}, "javascript: no equivalent"),
        ({"type": "python", "value": "1"}, "python: no equivalent"),
        ({"type": "similar", "value": "a", "threshold": 0.8}, "similar: no equivalent"),
        ({"type": "regex", "value": "a(?=b)"}, "RE2 has no look-around"),
        ({"type": "cost", "threshold": 0.1}, "US dollars"),
        ({"type": "equals", "value": {"a": 1}}, "equals: no equivalent"),
        ({"type": "contains", "value": "file://x.txt"}, "stands in another file"),
        ({"type": "contains", "value": "a", "transform": "output.a"}, "transforms the answer first"),
        ({"type": "contains", "value": "{{nobody}}"}, "the variable nobody is not given"),
        ({"value": "a"}, "an assertion needs a type"),
        ({"type": "brand-new-kind", "value": "a"}, "brand-new-kind: no equivalent"),
    ],
)
@pytest.mark.promise("TRI-7")
def test_what_has_no_equivalent_is_listed_with_its_place(assertion: dict[str, Any], why: str) -> None:
    expects, left_out = made(assertion)
    assert expects == []
    (line,) = left_out
    assert line.startswith("tests[0].assert[0]: ")
    assert why in line


@pytest.mark.promise("TRI-7")
def test_prompts_become_what_is_said_and_what_cannot_be_said_is_listed() -> None:
    document = {
        "providers": ["openai:x"],
        "prompts": ['[{"role":"system","content":"Be kind"},{"role":"user","content":"{{q}}"}]', "file://p.txt"],
        "defaultTest": {"assert": [{"type": "latency", "threshold": 900}]},
        "tests": [
            {"description": "Where?", "vars": {"q": "Where is it?"}, "options": {"transform": "x"}},
            {"vars": {"q": ["a", "b"]}},
            "file://more.yaml",
        ],
    }
    found = from_promptfoo(document, name="shop", judge="")
    (case,) = found.cases
    assert case == {
        "id": "shop-where", "why": "Where?", "system": "Be kind",
        "turns": [{"say": "Where is it?", "expect": [{"within_ms": 900}]}],
    }  # fmt: skip
    listed = "\n".join(found.left_out)
    for place in (
        "providers:", "tests[0] with prompts[0].options:",
        "tests[0] with prompts[1]: its prompt stands in another file",
        "tests[1] with prompts[0].vars: lists", "tests[2] with prompts[0]: only tests",
    ):  # fmt: skip
        assert place in listed
    assert all(f"# not imported: {line}" in written(found, use_case="o", source="s") for line in found.left_out)


def test_a_rubric_is_taken_where_there_is_a_judge() -> None:
    assert made({"type": "llm-rubric", "value": "is polite"})[0] == [
        {"judge": {"asks": "is polite", "use_case": "judge"}}
    ]
    with pytest.raises(ValueError, match="prompts: and tests:"):
        from_promptfoo({"prompts": []}, name="x")


def test_a_recorded_conversation_keeps_the_customers_words_and_plain_masks() -> None:
    said = [Heard("user", "My card is [CARD_ABCDEFGH]."), Heard("assistant", "Thanks."), Heard("tool", "{}")]
    found = from_talk(said, name="incident", why="INC-1")
    assert found.cases[0]["turns"] == [{"say": "My card is [CARD].", "expect": [{"outcome": "answered"}]}]
    assert "role tool" in found.left_out[0]
    with pytest.raises(ValueError, match="the customer's words are not there"):
        from_talk([Heard("assistant", "a")], name="x", why="")
