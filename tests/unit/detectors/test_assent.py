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


NO_YES = [
    "I don't agree, that is not right.", "Certainly not.",
    "That's not ok", "Absolutely not!", "Definitely not.", "Of course not", "Nicht einverstanden.",
    "Das ist nicht in Ordnung.", "Natürlich nicht!", "Ce n'est pas exact.", "Bien sûr que non.", "Niet akkoord.",
    "No estoy de acuerdo.", "Claro que no.", "Non va bene.", "Não está bem.", "Nie zgadzam się.", "Oczywiście, że nie.",
]  # fmt: skip
QUESTIONED = [
    "Are you sure?", "Is that correct?", "Ja?", "Ist das richtig?", "Could you confirm the amount first?",
    "ok so what does it cost?", "Oui ?", "¿Está bien así?", "Is it okay if I call back later?",
]  # fmt: skip
CONDITIONAL = ["If you are sure then tell me more", "Wenn das richtig ist, sagen Sie Bescheid", "I'm not sure"]
OTHER_TONGUES = [
    "Si vous me remboursez, je serai content", "Come si fa il reso", "Si es gratis lo pienso", "Já fiz o pedido ontem",
    "Ja chcę zwrot pieniędzy",
]  # fmt: skip
LED_BY_YES = [
    "Yes, can you do it now?",
    "Yes please, could you proceed?",
    "Ja, können Sie das machen?",
    "Sí, ¿puede hacerlo?",
]


@pytest.mark.promise("ACD-7")
@pytest.mark.parametrize("text", NO_YES)
def test_a_yes_that_is_denied_is_a_no(text: str) -> None:
    assert not READER.hear(text).yes
    assert READER.hear(text).no


@pytest.mark.promise("ACD-7")
@pytest.mark.parametrize("text", [*QUESTIONED, *CONDITIONAL, *OTHER_TONGUES])
def test_a_word_of_yes_in_a_question_a_condition_or_another_tongue_agrees_to_nothing(text: str) -> None:
    assert not READER.hear(text).yes


@pytest.mark.parametrize("text", LED_BY_YES)
def test_a_yes_before_a_question_is_a_yes(text: str) -> None:
    assert READER.hear(text).yes


@pytest.mark.parametrize(
    "text", ["Yes, no problem.", "Not a problem, go ahead", "No need to ask, proceed", "sí", "Sì", "si, adelante"]
)
def test_a_yes_beside_what_denies_nothing_is_a_yes(text: str) -> None:
    assert READER.hear(text).yes
