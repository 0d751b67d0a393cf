"""What is different between two releases, for a person."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.policy.ruleset import PromptMode
from handrail.releases.diff import differences, words
from handrail.releases.release import Release, Target
from handrail.terms.ids import ProviderId, UseCaseId

OLD = Release(
    use_case=UseCaseId("orders"), alias="orders", route=(Target(provider=ProviderId("openai"), model="small"),),
    prompt_mode=PromptMode.MANAGED, prompt="You help customers. Answer in two or three sentences. Be kind.",
    parameters={"temperature": 0.2, "top_p": 0.9},
)  # fmt: skip


def test_the_prompt_is_compared_word_by_word_and_every_other_field_by_its_value() -> None:
    new = msgspec.structs.replace(
        OLD, prompt="You help customers. Answer in one short sentence. Be kind.", parameters={"temperature": 0.1},
        route=(Target(provider=ProviderId("openai"), model="large"),),
    )  # fmt: skip
    lines = list(differences(OLD, new))
    assert lines[0] == "prompt:"
    assert "[-two-]{+one+}" in lines[1].replace(" ", "") or "{+one" in lines[1]
    assert "model: openai/small -> openai/large" in lines
    assert "parameter temperature: 0.2 -> 0.1" in lines
    assert "parameter top_p: 0.9 -> not set" in lines


def test_equal_releases_have_no_difference() -> None:
    assert list(differences(OLD, msgspec.structs.replace(OLD))) == []


@given(st.lists(st.sampled_from(["a", "b", "c", "\n"]), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_other_words_always_show_and_the_same_never_do(old: list[str], new: list[str]) -> None:
    before, after = " ".join(old), " ".join(new)
    shown = list(words(before, after))
    assert bool(shown) == (before != after)
    if before.split() != after.split():
        assert any("[-" in each or "{+" in each for each in shown)


@pytest.mark.parametrize("field", ["alias", "prompt_mode", "force_parameters"])
def test_no_field_is_left_out(field: str) -> None:
    other = {"alias": "other", "prompt_mode": PromptMode.CLIENT, "force_parameters": True}[field]
    assert any(
        line.startswith(f"{field}: ") for line in differences(OLD, msgspec.structs.replace(OLD, **{field: other}))
    )
