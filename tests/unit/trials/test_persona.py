"""What a scripted customer says next."""

from handrail.trials.case import Persona
from handrail.trials.persona import next_words, reached

ADA = Persona(
    goal="a refund", opens="I want my money back.",
    asked=(("order number", "It is A-1."), ("order number", "I said A-1!"), ("why", "It broke.")),
    otherwise="What do you need?", until=r"refund(ed)? is on its way", turns=5,
)  # fmt: skip


def test_it_opens_answers_what_it_is_asked_and_stops_at_its_goal() -> None:
    heard: list[str] = []
    assert next_words(ADA, heard) == "I want my money back."
    heard.append("Which ORDER NUMBER is it?")
    assert next_words(ADA, heard) == "It is A-1."
    heard.append("Why?")
    assert next_words(ADA, heard) == "It broke."
    heard.append("The refund is on its way.")
    assert reached(ADA, heard)
    assert next_words(ADA, heard) is None


def test_asked_again_it_says_what_it_has_not_said_then_the_first_again() -> None:
    same = ["Your order number?"]
    assert next_words(ADA, same) == "It is A-1."
    assert next_words(ADA, same * 2) == "I said A-1!"
    assert next_words(ADA, same * 3) == "It is A-1."


def test_what_it_does_not_expect_gets_the_same_words_and_patience_ends() -> None:
    assert next_words(ADA, ["Nice weather."]) == "What do you need?"
    assert next_words(ADA, ["Nice weather."] * 4) == "What do you need?"
    assert next_words(ADA, ["Nice weather."] * 5) is None
    assert not reached(ADA, ["Nice weather."] * 5)


def test_patience_of_fifty_turns_is_decided_at_once() -> None:
    patient = Persona(goal="g", opens="o", asked=ADA.asked, otherwise="x", until="", turns=50)
    assert next_words(patient, ["Your order number?"] * 49) == "It is A-1."
    assert not reached(patient, ["anything"])
