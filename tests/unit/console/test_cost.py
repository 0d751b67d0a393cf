"""What an answer cost, as a person reads it."""

import pytest

from handrail.console.views.interaction import _cost
from handrail.console.words import Languages


@pytest.mark.parametrize(
    ("micro", "said"), [(0, ""), (1, "less than 0.0001 EUR"), (9_999, "less than 0.0001 EUR"), (10_000, "0.0001 EUR")]
)
def test_what_cost_something_is_never_told_as_nought(micro: int, said: str) -> None:
    assert _cost(micro, "EUR", Languages().words(chosen="en-GB", accepts="", zone="UTC", now_ms=0)) == said
