"""The demo's customers judge what they read."""

import pytest

from handrail.app.demo.customers import COMPLAINT, STEPS, TRANSFER, chance, outcome, question

MANY = [f"1-{number}" for number in range(4_000)]


@pytest.mark.parametrize("answer", ["Dry it.", "x" * STEPS])
def test_who_gets_no_steps_asks_for_a_person_more_often(answer: str) -> None:
    came = [outcome(name, "cv_1", answer).events for name in MANY]
    wanted = TRANSFER[len(answer) >= STEPS]
    assert abs(sum("transfer" in one for one in came) / len(MANY) - wanted) < 0.03
    assert abs(sum("complaint" in one for one in came) / len(MANY) - COMPLAINT) < 0.01


def test_the_same_customer_asks_and_does_the_same_in_each_run() -> None:
    assert [question(name) for name in MANY[:50]] == [question(name) for name in MANY[:50]]
    assert len({question(name) for name in MANY[:50]}) == 3
    assert all(0 <= chance(name, "transfer") < 1 for name in MANY)
