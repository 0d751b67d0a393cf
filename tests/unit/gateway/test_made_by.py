"""What an answer says of who made it is recorded in clear, so only what has the form of a name is taken."""

from typing import Any

import pytest

from handrail.gateway.fields import made_by


@pytest.mark.promise("WAT-8")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_44709d6fcb"}, "gpt-4o-2024-08-06 fp_44709d6fcb"),
        ({"model": "meta-llama/Llama-3:8b", "system_fingerprint": None}, "meta-llama/Llama-3:8b"),
        ({"model": "Dear Ann, your card 4111", "system_fingerprint": "fp_1"}, "fp_1"),
        ({"model": "x" * 101}, ""),
        ({"model": 7}, ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_only_names_are_taken(answer: Any, said: str) -> None:
    assert made_by(answer) == said
