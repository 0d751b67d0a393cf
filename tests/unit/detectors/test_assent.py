"""What replies say, in eight languages."""

import pytest

from handrail.detectors.assent import assent_reader

READER = assent_reader()

YES = [
    "Yes, please go ahead.", "Yep!", "Sounds good to me", "That works.", "Ja, gerne.", "Einverstanden, machen Sie das.",
    "Oui, allez-y.", "D'accord.", "Sí, adelante.", "Vale, perfecto.", "Sì, va bene.", "Certo, proceda.",
    "Sim, pode fazer.",
    "Ja, akkoord.", "Doe maar.", "Tak, zgadzam się.", "W porządku.", "ＹＥＳ", "y​es",
]  # fmt: skip
NO = [
    "No, don't.", "Nope", "Please stop", "Nein, lieber nicht.", "Non, laissez tomber.", "No, mejor no.",
    "No, lasci perdere.",
    "Não, deixe estar.", "Nee, laat maar.", "Nie, rezygnuję.", "I changed my mind.",
]  # fmt: skip
NEITHER = [
    "The reason is no longer needed.", "No problem, thanks.", "My number is 0612345678.", "Ich brauche es nicht mehr.",
    "Thank you!", "", "Ya no lo necesito, no recuerdo el número.",
]  # fmt: skip
WAIT = [
    "Hold on a second",
    "Before we proceed, is it free?",
    "Moment, noch nicht.",
    "Attendez.",
    "Espere un momento.",
    "Wacht even.",
]
EVERYTHING = [
    "Are these all the items?",
    "That's everything.",
    "Das ist alles.",
    "C'est tout ?",
    "Eso es todo.",
    "To wszystko.",
]
CANNOT = [
    "Unfortunately that is not possible.",
    "Leider geht das nicht.",
    "Malheureusement non.",
    "Purtroppo no.",
    "Helaas niet.",
]
COMPARES = [
    "the cheaper one",
    "den günstigeren bitte",
    "le plus grand",
    "el más barato",
    "il più economico",
    "de goedkoopste",
]
NOT_COMPARED = ["It is no longer needed.", "As soon as possible: le plus tôt possible.", "the black one"]


@pytest.mark.parametrize("text", YES)
def test_a_yes_is_heard(text: str) -> None:
    assert READER.hear(text).yes
    assert not READER.hear(text).no


@pytest.mark.parametrize("text", NO)
def test_a_no_is_heard(text: str) -> None:
    assert READER.hear(text).no


@pytest.mark.parametrize("text", NEITHER)
def test_what_is_neither_is_heard_as_neither(text: str) -> None:
    assert not READER.hear(text).yes
    assert not READER.hear(text).no


@pytest.mark.parametrize("text", WAIT)
def test_a_wish_to_wait_is_heard(text: str) -> None:
    assert READER.hear(text).wait


@pytest.mark.parametrize("text", EVERYTHING)
def test_talk_of_everything_is_heard(text: str) -> None:
    assert READER.hear(text).everything


@pytest.mark.parametrize("text", CANNOT)
def test_a_refusal_is_heard(text: str) -> None:
    assert READER.hear(text).cannot


@pytest.mark.parametrize("text", COMPARES)
def test_a_choice_by_comparison_is_heard(text: str) -> None:
    assert READER.hear(text).compares


@pytest.mark.parametrize("text", NOT_COMPARED)
def test_what_compares_nothing_is_not_heard_as_comparing(text: str) -> None:
    assert not READER.hear(text).compares


def test_a_question_is_heard_in_every_script() -> None:
    assert all(READER.hear(text).asks for text in ("Why?", "本当に？", "متى؟"))


def test_spoken_digits_are_digits() -> None:
    assert "4114" in READER.plain("it is four one one four")
