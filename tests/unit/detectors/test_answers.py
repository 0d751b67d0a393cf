"""A bare value takes its kind from the question before it, in every language; the message's own words come first."""

import pytest

from handrail.detectors.base import Text
from handrail.detectors.personal.anchors import Label
from handrail.detectors.personal.asked import NOTHING, asked_for
from handrail.detectors.pii import AddressDetector, HealthDetector, PersonalDetector, ReplyDetector
from handrail.detectors.run import CHUNK, Runner
from handrail.terms.finding import PERSONAL, Kind, Role

RUNNER = Runner((PersonalDetector(), ReplyDetector(), AddressDetector(), HealthDetector()), lambda: 0.0)


def found(question, answer, role=Role.USER):
    findings = RUNNER.screen(Text(text=answer, role=role, language="en", asked=question), PERSONAL).findings
    return [(f.kind, answer[f.start : f.end]) for f in findings]


ASKED = [
    # one value, every language
    ("Could you tell me the last 4 digits of your SSN?", "7658", Kind.SSN, "7658"),
    ("May I have your account number please", "7658", Kind.ACCOUNT, "7658"),
    ("What is your account number?", "85731890 at my bank", Kind.ACCOUNT, "85731890"),
    ("And your PIN as well, please.", "I think it's 1596", Kind.PIN, "1596"),
    ("What are the last four digits of the card?", "9125", Kind.CARD, "9125"),
    ("Please enter your zip code", "chennai 60071", Kind.POSTCODE, "60071"),
    ("Your phone number please?", "its 5550123", Kind.PHONE, "5550123"),
    ("Please type the verification code we sent you.", "482913", Kind.OTP, "482913"),
    ("What is the CVV on the back?", "123", Kind.CVV, "123"),
    ("Could you provide your date of birth?", "03/04/1980", Kind.DOB, "03/04/1980"),
    ("What is your date of birth?", "the third of May nineteen eighty", Kind.DOB, "third of May nineteen eighty"),
    ("And the date of birth please?", "it's the 3rd of May nineteen eighty", Kind.DOB, "3rd of May nineteen eighty"),
    ("Your date of birth please?", "the third of May 1980, thanks", Kind.DOB, "third of May 1980"),
    (
        "Nennen Sie bitte Ihr Geburtsdatum.",
        "am dritten Mai neunzehnhundertachtzig",
        Kind.DOB,
        "dritten Mai neunzehnhundertachtzig",
    ),
    (
        "Quelle est votre date de naissance ?",
        "le trois mai mille neuf cent quatre-vingt",
        Kind.DOB,
        "trois mai mille neuf cent quatre-vingt",
    ),
    (
        "¿Cuál es su fecha de nacimiento?",
        "el tres de mayo de mil novecientos ochenta",
        Kind.DOB,
        "tres de mayo de mil novecientos ochenta",
    ),
    (
        "Qual è la Sua data di nascita?",
        "il tre maggio millenovecentottanta",
        Kind.DOB,
        "tre maggio millenovecentottanta",
    ),
    (
        "Pode informar a data de nascimento?",
        "tres de maio de mil novecentos e oitenta",
        Kind.DOB,
        "tres de maio de mil novecentos e oitenta",
    ),
    ("Wat is uw geboortedatum?", "drie mei negentienhonderdtachtig", Kind.DOB, "drie mei negentienhonderdtachtig"),
    (
        "Jaka jest data urodzenia?",
        "trzeciego maja tysiac dziewiecset osiemdziesiatego",
        Kind.DOB,
        "trzeciego maja tysiac dziewiecset osiemdziesiatego",
    ),
    ("What is your passport number?", "c01x00t47", Kind.PASSPORT, "c01x00t47"),
    ("Wie lautet Ihre Kontonummer?", "12345678", Kind.ACCOUNT, "12345678"),
    ("Nennen Sie mir bitte Ihre Telefonnummer.", "5550123", Kind.PHONE, "5550123"),
    ("Können Sie mir die PIN nennen?", "ja, 4821", Kind.PIN, "4821"),
    ("Quel est votre numéro de compte ?", "12345678", Kind.ACCOUNT, "12345678"),
    ("Pouvez-vous me donner votre code postal ?", "75011", Kind.POSTCODE, "75011"),
    ("¿Me da su número de cuenta?", "es el 1234567890", Kind.ACCOUNT, "1234567890"),
    ("¿Cuál es su fecha de nacimiento?", "3/4/1980", Kind.DOB, "3/4/1980"),
    ("Mi dice il numero di conto, per favore?", "123456789012", Kind.ACCOUNT, "123456789012"),
    ("Qual è il Suo codice PIN?", "4821", Kind.PIN, "4821"),
    ("Pode informar o número da conta?", "12345678", Kind.ACCOUNT, "12345678"),
    ("Qual é o seu CPF?", "12345678909", Kind.SSN, "12345678909"),
    ("Wat is uw rekeningnummer?", "123456789", Kind.ACCOUNT, "123456789"),
    ("Mag ik uw burgerservicenummer?", "111222333", Kind.SSN, "111222333"),
    ("Proszę podać numer konta.", "12345678", Kind.ACCOUNT, "12345678"),
    ("Jaki jest Pani numer PESEL?", "44051401359", Kind.SSN, "44051401359"),
    # one-time codes, in the words of the one who sent them
    ("Please enter the code we have just sent to your phone number.", "482913", Kind.OTP, "482913"),
    ("What is the 6-digit code in the text?", "482913", Kind.OTP, "482913"),
    ("Bitte nennen Sie den Code, den wir Ihnen geschickt haben.", "482913", Kind.OTP, "482913"),
    ("Pouvez-vous saisir le code que nous vous avons envoyé ?", "482913", Kind.OTP, "482913"),
    ("¿Me dice el código que le hemos enviado?", "482913", Kind.OTP, "482913"),
    ("Mi dice il codice che Le abbiamo inviato?", "482913", Kind.OTP, "482913"),
    ("Pode dizer o código que recebeu?", "482913", Kind.OTP, "482913"),
    ("Wat is de code die wij u hebben gestuurd?", "482913", Kind.OTP, "482913"),
    ("Proszę podać kod, który wysłaliśmy.", "482913", Kind.OTP, "482913"),
    # passwords, which have no form
    ("What is your password?", "samygo", Kind.PASSWORD, "samygo"),
    ("Please type your password", "415263", Kind.PASSWORD, "415263"),
    ("Please give me your password.", "f 475 d 2 s", Kind.PASSWORD, "f 475 d 2 s"),
    ("Your name and password please", "david f 475 d 2 s", Kind.PASSWORD, "f 475 d 2 s"),
    ("Your name and password please", "jasmine and rt 52 u", Kind.PASSWORD, "rt 52 u"),
    ("Your name and password please", "lucy 456321", Kind.PASSWORD, "456321"),
    ("Your name and password please", "anna wolf 465", Kind.PASSWORD, "wolf 465"),
    ("What is your PIN?", "1984", Kind.PIN, "1984"),
    ("Wie lautet Ihr Passwort?", "sommer77", Kind.PASSWORD, "sommer77"),
    ("Quel est votre mot de passe ?", "soleil 12", Kind.PASSWORD, "soleil 12"),
    ("¿Cuál es su contraseña?", "perro99", Kind.PASSWORD, "perro99"),
    ("Qual é a sua senha?", "gato2020", Kind.PASSWORD, "gato2020"),
    ("Qual è la Sua password?", "stella 44", Kind.PASSWORD, "stella 44"),
    ("Wat is uw wachtwoord?", "fiets 1", Kind.PASSWORD, "fiets 1"),
    ("Jakie jest Pana hasło?", "kotek77", Kind.PASSWORD, "kotek77"),
    # several at once: by length, then in the order asked
    ("I need your SSN and the last four of your account number.", "5443 and 8643", Kind.SSN, "5443"),
    ("I need your SSN and the last four of your account number.", "5443 and 8643", Kind.ACCOUNT, "8643"),
    ("Your name, SSN and card number please", "raju 2548 and 5454251496587846", Kind.CARD, "5454251496587846"),
    ("Your name, SSN and card number please", "raju 2548 and 5454251496587846", Kind.SSN, "2548"),
    ("To open your account I need the last four digits of your social.", "2548", Kind.SSN, "2548"),
    ("Account number and pin", "84318931431", Kind.ACCOUNT, "84318931431"),
    # names
    ("May I have your name, please?", "angela", Kind.PERSON, "angela"),
    ("Who am I speaking with?", "Yes, I'm Angela. And you?", Kind.PERSON, "Angela"),
    ("Wie ist Ihr Name?", "jürgen müller", Kind.PERSON, "jürgen müller"),
    ("Quel est votre nom ?", "chloé dubois", Kind.PERSON, "chloé dubois"),
    ("¿Me dice su nombre?", "josé garcía", Kind.PERSON, "josé garcía"),
    ("Come si chiama?", "luca rossi", Kind.PERSON, "luca rossi"),
    ("Qual é o seu nome?", "joão silva", Kind.PERSON, "joão silva"),
    ("Wat is uw naam?", "jan de vries", Kind.PERSON, "jan de vries"),
    ("Proszę podać imię i nazwisko.", "anna nowak", Kind.PERSON, "anna nowak"),
]


@pytest.mark.promise("PII-12")
@pytest.mark.parametrize(("question", "answer", "kind", "value"), ASKED, ids=lambda part: str(part)[:40])
def test_the_question_says_what_the_bare_value_is(question, answer, kind, value):
    assert (kind, value) in found(question, answer)


@pytest.mark.promise("PII-12")
@pytest.mark.parametrize(
    ("question", "answer", "kind", "value"),
    [
        ("What is your account number?", "my ssn is 7658", Kind.SSN, "7658"),
        ("What is your account number?", "84318931431, my pin is 1596", Kind.PIN, "1596"),
        ("What is your account number?", "4111 1111 1111 1111", Kind.CARD, "4111 1111 1111 1111"),
        ("What is your PIN?", "+44 7700 900123", Kind.PHONE, "+44 7700 900123"),
        ("What is your password?", "anna@example.com", Kind.EMAIL, "anna@example.com"),
    ],
)
def test_what_the_answer_itself_says_or_proves_comes_first(question, answer, kind, value):
    assert (kind, value) in found(question, answer)


@pytest.mark.promise("PII-12")
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is your password?", "I forgot it"),
        ("What is your password?", "why?"),
        ("Wie lautet Ihr Passwort?", "vergessen"),
        ("What is your account number?", "I paid 5000 dollars for it"),
        ("What is your PIN?", "I waited 2019 days"),
        ("What is your account number?", "since 2019"),
        ("May I have your name?", "why do you need it"),
        ("May I have your name?", "I forgot"),
        ("May I have your name?", "Crap! I have to go"),
        ("What is the name of the hotel?", "Old Town Inn"),
        ("What is your order number?", "4829104422"),
        ("Wie lautet Ihre Bestellnummer?", "4829104"),
        ("¿Me da el número de pedido?", "4829104"),
        ("Could you provide your booking ID?", "65741"),
    ],
)
def test_what_is_no_answer_or_names_a_thing_is_left_alone(question, answer):
    assert found(question, answer) == []


@pytest.mark.parametrize(
    ("question", "labels"),
    [
        ("Could I grab the long number on the front of your card?", (Label.CARD,)),
        ("I'll just need your DOB and the last four of your social.", (Label.DOB, Label.SSN)),
        ("What's the best number to reach you on?", (Label.NUMBER,)),
        ("Can you tell me the amount on your card statement?", ()),
        ("Would you like to pay by card?", ()),
        ("Unter welcher Nummer können wir Sie erreichen?", (Label.PHONE,)),
        ("Merci d'indiquer votre code secret.", (Label.PIN,)),
        ("¿Cuáles son los últimos cuatro dígitos de su tarjeta?", (Label.CARD,)),
        ("Mi fornisce il codice fiscale?", (Label.SSN,)),
        ("Pode me informar os quatro últimos dígitos do cartão?", (Label.CARD,)),
        ("Kunt u uw pincode doorgeven?", (Label.PIN,)),
        ("Proszę o cztery ostatnie cyfry karty", (Label.CARD,)),
    ],
)
def test_what_a_question_asks_for_is_read_in_the_words_of_its_language(question, labels):
    assert asked_for(question).labels == labels


@pytest.mark.parametrize(
    "question",
    [
        "What is the name on the account?", "Who am I speaking with?", "Mit wem spreche ich?", "C'est à quel nom ?",
        "¿Con quién tengo el gusto?", "Posso avere il suo nome e cognome?", "Com quem eu falo?", "Met wie spreek ik?",
        "Z kim mam przyjemność?",
    ],
)  # fmt: skip
def test_a_question_for_the_name_is_read_in_the_words_of_its_language(question):
    assert asked_for(question).name


@pytest.mark.parametrize("question", ["", "Your account is open now.", "I changed the password for you.", "  "])
def test_a_message_that_asks_nothing_asks_for_nothing(question):
    assert asked_for(question) == NOTHING


def test_only_the_sentences_that_ask_are_read():
    assert asked_for("Your card is on its way. What is your date of birth?").labels == (Label.DOB,)


def test_only_a_user_answers_and_only_in_a_short_message():
    assert found("What is your PIN?", "1596", role=Role.ASSISTANT) == []
    assert found("What is your PIN?", "1596", role=Role.TOOL) == []
    assert Kind.PIN not in [kind for kind, _ in found("What is your PIN?", "1596 " + "and so on it goes " * 20)]


def test_the_question_reaches_a_text_that_is_read_in_chunks():
    long = "word " * (CHUNK // 4)
    assert found("What is your PIN?", long) == []


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("im sorry 4556 is the account number", Kind.ACCOUNT, "4556"),
        ("4783 this is my ssn number", Kind.SSN, "4783"),
        ("84318931431, my pin is 1596", Kind.PIN, "1596"),
        ("i am anna and my last four digits are 2568", Kind.ACCOUNT, "2568"),
        ("new york 10005", Kind.POSTCODE, "10005"),
    ],
)
def test_without_a_question_the_words_behind_a_number_name_it_too(text, kind, value):
    assert (kind, value) in found("", text)


def test_a_name_before_the_next_number_is_not_the_name_of_the_last_one():
    assert (Kind.PIN, "84318931431") not in found("", "84318931431, pin 1596")


def test_a_month_that_is_another_word_is_no_date_of_birth():
    for answer in ("no one may know that", "you may, one day", "in March I was away"):
        assert Kind.DOB not in [kind for kind, _ in found("What is your date of birth?", answer)]
