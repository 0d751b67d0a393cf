"""Each kind in many languages and forms, and what looks like it but is not. All values are made up."""

import pytest

from handrail.detectors.base import Text
from handrail.detectors.pii import AddressDetector, HealthDetector, PersonalDetector, ReplyDetector, find_personal
from handrail.terms.finding import Kind, Role

FOUND = [
    # cards: brands, separators, lines, folded digits
    ("my card is 4111111111111111", Kind.CARD, "4111111111111111"),
    ("my card is 4111 1111 1111 1111 thanks", Kind.CARD, "4111 1111 1111 1111"),
    ("card 4111-1111-1111-1111.", Kind.CARD, "4111-1111-1111-1111"),
    ("4111.1111.1111.1111", Kind.CARD, "4111.1111.1111.1111"),
    ("my card\n4111\n1111\n1111\n1111\nthanks", Kind.CARD, "4111\n1111\n1111\n1111"),
    ("2221 0000 0000 0009 is my new mastercard", Kind.CARD, "2221 0000 0000 0009"),
    ("5555555555554444", Kind.CARD, "5555555555554444"),
    ("amex 3782 822463 10005", Kind.CARD, "3782 822463 10005"),
    ("diners 30569309025904", Kind.CARD, "30569309025904"),
    ("discover 6011111111111117", Kind.CARD, "6011111111111117"),
    ("jcb 3530111333300000", Kind.CARD, "3530111333300000"),
    ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", Kind.CARD, "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
    ("Ｍy card ４１１１１１１１１１１１１１１１", Kind.CARD, "４１１１１１１１１１１１１１１１"),
    ("card 4111\u200b1111\u200b1111\u200b1111 ok", Kind.CARD, "4111\u200b1111\u200b1111\u200b1111"),
    ("4111 1111 1111 1111 exp 09/27 cvv 123", Kind.CARD, "4111 1111 1111 1111"),
    ("Meine Kreditkartennummer lautet 4111 1111 1111 1112", Kind.CARD, "4111 1111 1111 1112"),
    ("my crad number is 4111 1111 1111 1112", Kind.CARD, "4111 1111 1111 1112"),
    # read out
    (
        "my card is four one one one one one one one one one one one one one one one",
        Kind.CARD,
        "four one one one one one one one one one one one one one one one",
    ),
    (
        "it's four triple one, double one double one, one one one one, one one one one",
        Kind.CARD,
        "four triple one, double one double one, one one one one, one one one one",
    ),
    (
        "meine karte: einundvierzig elf elf elf elf elf elf elf",
        Kind.CARD,
        "einundvierzig elf elf elf elf elf elf elf",
    ),
    (
        "ma carte c'est quarante et un onze onze onze onze onze onze onze merci",
        Kind.CARD,
        "quarante et un onze onze onze onze onze onze onze",
    ),
    (
        "mi tarjeta es cuatro uno uno uno uno uno uno uno uno uno uno uno uno uno uno uno",
        Kind.CARD,
        "cuatro uno uno uno uno uno uno uno uno uno uno uno uno uno uno uno",
    ),
    ("la carta è quarantuno undici undici undici undici undici undici undici", Kind.CARD, None),
    ("o cartão é quarenta e um onze onze onze onze onze onze onze", Kind.CARD, None),
    ("mijn kaart is eenenveertig elf elf elf elf elf elf elf", Kind.CARD, None),
    (
        "moja karta czterdzieści jeden jedenaście jedenaście jedenaście jedenaście jedenaście jedenaście jedenaście",
        Kind.CARD,
        None,
    ),
    # card codes
    ("cvv 123", Kind.CVV, "123"),
    ("the security code on the back is 4321", Kind.CVV, "4321"),
    ("Prüfnummer: 123", Kind.CVV, "123"),
    ("le cryptogramme est 321", Kind.CVV, "321"),
    ("el código de seguridad es 321", Kind.CVV, "321"),
    ("4111 1111 1111 1111 09/27 123", Kind.CVV, "123"),
    # accounts
    ("IBAN DE89 3704 0044 0532 0130 00", Kind.IBAN, "DE89 3704 0044 0532 0130 00"),
    ("pay to de89370400440532013000 please", Kind.IBAN, "de89370400440532013000"),
    ("voici mon IBAN : FR14 2004 1010 0505 0001 3M02 606", Kind.IBAN, "FR14 2004 1010 0505 0001 3M02 606"),
    ("mijn rekening is NL91ABNA0417164300", Kind.IBAN, "NL91ABNA0417164300"),
    ("GB29 NWBK 6016 1331 9268 19", Kind.IBAN, "GB29 NWBK 6016 1331 9268 19"),
    ("numer konta PL61 1090 1014 0000 0712 1981 2874", Kind.IBAN, "PL61 1090 1014 0000 0712 1981 2874"),
    ("sort code 12-34-56 account 12345678", Kind.ACCOUNT, "12345678"),
    ("12-34-56 12345678", Kind.ACCOUNT, "12-34-56 12345678"),
    ("routing number 021000021", Kind.ACCOUNT, "021000021"),
    ("my account number is 000123456789", Kind.ACCOUNT, "000123456789"),
    ("account number: 0049123456789", Kind.ACCOUNT, "0049123456789"),
    ("Mein Konto 00441234567 bitte", Kind.ACCOUNT, "00441234567"),
    ("00331234567 ist die Kontonummer", Kind.ACCOUNT, "00331234567"),
    ("my account is locked, call me on 0049 89 1234567", Kind.PHONE, "0049 89 1234567"),
    ("about my account 12345678, 0049 89 1234567 reaches me", Kind.PHONE, "0049 89 1234567"),
    ("my acount number is 98765432", Kind.ACCOUNT, "98765432"),
    ("Kontonummer 1234567890", Kind.ACCOUNT, "1234567890"),
    ("mon numéro de compte est 12345678901", Kind.ACCOUNT, "12345678901"),
    ("número de cuenta: 1234567890", Kind.ACCOUNT, "1234567890"),
    ("numero di conto 123456789012", Kind.ACCOUNT, "123456789012"),
    ("número da conta 12345678", Kind.ACCOUNT, "12345678"),
    ("rekeningnummer 123456789", Kind.ACCOUNT, "123456789"),
    # e-mail
    ("write to anna.smith+shop@example.co.uk please", Kind.EMAIL, "anna.smith+shop@example.co.uk"),
    ("ANNA@EXAMPLE.COM", Kind.EMAIL, "ANNA@EXAMPLE.COM"),
    ("anna @ example.com", Kind.EMAIL, "anna @ example.com"),
    ("anna dot smith at gmail dot com", Kind.EMAIL, "anna dot smith at gmail dot com"),
    ("anna[at]example[dot]com", Kind.EMAIL, "anna[at]example[dot]com"),
    ("anna punkt schmidt at posteo punkt de", Kind.EMAIL, "anna punkt schmidt at posteo punkt de"),
    ("anna arobase exemple point fr", Kind.EMAIL, "anna arobase exemple point fr"),
    ("ana arroba ejemplo punto es", Kind.EMAIL, "ana arroba ejemplo punto es"),
    ("anna%40example.com", Kind.EMAIL, "anna%40example.com"),
    ("anna&#64;example.com", Kind.EMAIL, "anna&#64;example.com"),
    ("annasmith 45 gmailcom", Kind.EMAIL, "annasmith 45 gmailcom"),
    # phones
    ("call me on (212) 555-0123", Kind.PHONE, "(212) 555-0123"),
    ("212-555-0123 is my mobile", Kind.PHONE, "212-555-0123"),
    ("+1 212 555 0123", Kind.PHONE, "+1 212 555 0123"),
    ("07700 900123", Kind.PHONE, "07700 900123"),
    ("020 7946 0018", Kind.PHONE, "020 7946 0018"),
    ("+44 7700 900123", Kind.PHONE, "+44 7700 900123"),
    ("Sie erreichen mich unter 030 1234567", Kind.PHONE, "030 1234567"),
    ("0049 89 1234567", Kind.PHONE, "0049 89 1234567"),
    ("mon numéro : 06 12 34 56 78", Kind.PHONE, "06 12 34 56 78"),
    ("mi teléfono es 612 345 678", Kind.PHONE, "612 345 678"),
    ("il mio cellulare è 347 1234567", Kind.PHONE, "347 1234567"),
    ("bel me op 06-12345678", Kind.PHONE, "06-12345678"),
    ("my mobile is 98765 43210", Kind.PHONE, "98765 43210"),
    ("meu telefone é (11) 91234-5678", Kind.PHONE, "(11) 91234-5678"),
    ("mój telefon to 601 234 567", Kind.PHONE, "601 234 567"),
    ("my phone is zero seven seven double zero nine double zero one two three", Kind.PHONE, None),
    ("mon téléphone c'est zéro six douze trente-quatre cinquante-six soixante-dix-huit", Kind.PHONE, None),
    ("mi teléfono es seiscientos doce treinta y cuatro cincuenta y seis setenta y ocho", Kind.PHONE, None),
    # identity
    ("ssn 123-45-6789", Kind.SSN, "123-45-6789"),
    ("my ssn is 123456789", Kind.SSN, "123456789"),
    ("last four of my social is 6789", Kind.SSN, "6789"),
    ("last 4 of my social security number: 6789", Kind.SSN, "6789"),
    ("the last four of my social security no. is 678", Kind.SSN, "678"),
    ("OTP security code: 4829", Kind.OTP, "4829"),
    ("the security number is 678", Kind.CVV, "678"),
    ("card security code: 678", Kind.CVV, "678"),
    ("do you need my social? it's 123-45-6789", Kind.SSN, "123-45-6789"),
    ("meu cpf é 123.456.789-09", Kind.SSN, "123.456.789-09"),
    ("mi dni es 12345678Z", Kind.SSN, "12345678Z"),
    ("NI number AB 12 34 56 C", Kind.NINO, "AB 12 34 56 C"),
    ("ab123456c", Kind.NINO, "ab123456c"),
    ("date of birth 03/04/1980", Kind.DOB, "03/04/1980"),
    ("I was born on May 3, 1980", Kind.DOB, "May 3, 1980"),
    ("geboren am 3. Mai 1980", Kind.DOB, "3. Mai 1980"),
    ("né le 3 mai 1980", Kind.DOB, "3 mai 1980"),
    ("mi fecha de nacimiento es 3 de mayo de 1980", Kind.DOB, "3 de mayo de 1980"),
    ("data di nascita: 03.04.1980", Kind.DOB, "03.04.1980"),
    ("data de nascimento 03/04/1980", Kind.DOB, "03/04/1980"),
    ("geboortedatum 3-4-1980", Kind.DOB, "3-4-1980"),
    ("data urodzenia 3 kwietnia 1980", Kind.DOB, "3 kwietnia 1980"),
    ("passport number 123456789", Kind.PASSPORT, "123456789"),
    ("mein Reisepass C01X00T47", Kind.PASSPORT, "C01X00T47"),
    ("numer paszportu AB1234567", Kind.PASSPORT, "AB1234567"),
    ("London SW1A 1AA", Kind.POSTCODE, "SW1A 1AA"),
    ("zip code 90210", Kind.POSTCODE, "90210"),
    ("PLZ 10115", Kind.POSTCODE, "10115"),
    ("kod pocztowy 00-950", Kind.POSTCODE, "00-950"),
    ("login from 203.0.113.77 wasn't me", Kind.IP, "203.0.113.77"),
    ("2001:db8:0:1:1:1:1:1", Kind.IP, "2001:db8:0:1:1:1:1:1"),
    ("fe80::1ff:fe23", Kind.IP, "fe80::1ff:fe23"),
    # persons
    ("my name is anna smith", Kind.PERSON, "anna smith"),
    ("Hi, this is Anna Smith speaking", Kind.PERSON, "Anna Smith"),
    ("mein Name ist Jürgen Müller", Kind.PERSON, "Jürgen Müller"),
    ("ich heiße Anna", Kind.PERSON, "Anna"),
    ("je m'appelle Chloé Dubois", Kind.PERSON, "Chloé Dubois"),
    ("me llamo José García", Kind.PERSON, "José García"),
    ("mi chiamo Luca Rossi", Kind.PERSON, "Luca Rossi"),
    ("meu nome é João Silva", Kind.PERSON, "João Silva"),
    ("mijn naam is Jan de Vries", Kind.PERSON, "Jan de Vries"),
    ("nazywam się Anna Nowak", Kind.PERSON, "Anna Nowak"),
    ("Dear Mr. Smith", Kind.PERSON, "Smith"),
    ("Sehr geehrte Frau Müller,", Kind.PERSON, "Müller"),
    # what opens an account
    ("my password is hunter2", Kind.PASSWORD, "hunter2"),
    ("password: Tr0ub4dor&3", Kind.PASSWORD, "Tr0ub4dor&3"),
    ("my pasword is sunshine", Kind.PASSWORD, "sunshine"),
    ("mein Passwort lautet Geheim!23", Kind.PASSWORD, "Geheim!23"),
    ("mot de passe : azerty12", Kind.PASSWORD, "azerty12"),
    ("mi contraseña es perro99", Kind.PASSWORD, "perro99"),
    ("minha senha é gato2020", Kind.PASSWORD, "gato2020"),
    ("wachtwoord is Fiets#1", Kind.PASSWORD, "Fiets#1"),
    ("moje hasło to Kotek77", Kind.PASSWORD, "Kotek77"),
    ("hasło: Kotek77!", Kind.PASSWORD, "Kotek77!"),
    ("passport no. is 533380006", Kind.PASSPORT, "533380006"),
    ("a/c 12345678", Kind.ACCOUNT, "12345678"),
    ("my post code is sw1a1aa", Kind.POSTCODE, "sw1a1aa"),
    ("my api key is 9f8e7d6c5b4a39281706", Kind.SECRET, "9f8e7d6c5b4a39281706"),
    ("paid with 4111111111111111. 5555-5555-5555-4444", Kind.CARD, "5555-5555-5555-4444"),
    ("ssn 123-45-6789\n5555-5555-5555-4444", Kind.CARD, "5555-5555-5555-4444"),
    ("212-555-0123 (206) 555-0142", Kind.PHONE, "(206) 555-0142"),
    ("pwd rex 4521", Kind.PASSWORD, "rex 4521"),
    ("my pin is 4821", Kind.PIN, "4821"),
    ("my pin is four eight two one", Kind.PIN, "four eight two one"),
    ("meine Geheimzahl ist 4821", Kind.PIN, "4821"),
    ("the verification code is 482913", Kind.OTP, "482913"),
    ("otp G-482913", Kind.OTP, "G-482913"),
    ("mein Bestätigungscode ist 482913", Kind.OTP, "482913"),
    ("le code de vérification est 482913", Kind.OTP, "482913"),
    # credentials
    ("AKIAIOSFODNN7EXAMPLE", Kind.SECRET, "AKIAIOSFODNN7EXAMPLE"),
    ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz123456", Kind.SECRET, None),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----", Kind.SECRET, None),
    ("postgres://admin:s3cret@db.example.com/x", Kind.SECRET, None),
]

LEFT_ALONE = [
    "where is my order 4829104422",
    "order #09409446 never arrived",
    "tracking 9400 1000 0000 0000 0000 00 says delivered",
    "tracking 1Z999AA10123456784",
    "imei 490154203237518",
    "the IMEI is 35-209900-176148-1",
    "sim 8944 1000 0000 0000 0007",
    "barcode 4006381333931 on the box",
    "gift voucher code 4111 1111 1111 1112 does not work",
    "invoice 2024-000123 is wrong",
    "I was charged $1,234.56 twice",
    "es kostet 1.234,56 €",
    "version 10.4.2.1 crashes",
    "app version 12.0.1.345",
    "it was supposed to arrive on 12/03/2026",
    "I'm home 9:00-17:30 tomorrow",
    "card ending 4821 on file",
    "the card **** **** **** 4821 expired",
    "case CASE-804785224",
    "request id 1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    "part no 666-12-3456 is missing",
    "my password is not working",
    "I forgot my password",
    "password reset link please",
    "mein Passwort funktioniert nicht",
    "j'ai oublié mon mot de passe",
    "olvidé mi contraseña",
    "ho dimenticato la password",
    "zapomniałem hasła",
    "where can I change my PIN?",
    "my name is not on the list",
    "I'm not happy with this",
    "this is ridiculous",
    "one of the two boxes was empty",
    "I ordered two or three of them",
    "we met at the shop at noon",
    "cancel purchase 113542617735902",
    "order four five six seven eight is late",
    "card ending in four one one one",
    "my card number ends with 4242",
    "model is b12 3cd",
    "I can no longer afford it, 3707 is too much",
    "does the blue one come in size 42?",
    "my flight AB 1234 is late",
    "DE12 3456 is not an account",
    "BG123456A is a model",
    "I have 2 dogs and 3 cats",
    "call me tomorrow",
    "Ich habe am 12.03.2026 bestellt",
    "the meeting is at 10:30 in room 4021",
]


@pytest.mark.promise("PII-1")
@pytest.mark.parametrize(("text", "kind", "value"), FOUND, ids=lambda part: str(part)[:40])
def test_the_value_is_found_where_it_stands(text, kind, value):
    found = [(f.kind, text[f.start : f.end]) for f in find_personal(text)]
    if value is None:
        assert kind in [one for one, _ in found], found
    else:
        assert (kind, value) in found


@pytest.mark.promise("PII-2")
@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_only_looks_like_personal_data_is_left_alone(text):
    assert find_personal(text) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("I live at 12 Baker Street, London NW1 6XE", "12 Baker Street, London NW1 6XE"),
        ("7504 taylor drive brooklyn ny 11238", "7504 taylor drive brooklyn ny 11238"),
        ("Musterstraße 12, 10115 Berlin", "Musterstraße 12, 10115 Berlin"),
        ("12 rue de la Paix, 75002 Paris", "12 rue de la Paix, 75002 Paris"),
        ("Calle Mayor 5, 28013 Madrid", "Calle Mayor 5, 28013 Madrid"),
        ("Via Roma 10, 00184 Roma", "Via Roma 10, 00184 Roma"),
        ("Rua das Flores 25", "Rua das Flores 25"),
        ("Kerkstraat 12, 1017 GC Amsterdam", "Kerkstraat 12, 1017 GC Amsterdam"),
        ("ul. Długa 5/12, 00-950 Warszawa", "ul. Długa 5/12, 00-950 Warszawa"),
    ],
)
def test_an_address_is_found_in_the_order_of_each_language(text, value):
    found = [text[f.start : f.end] for f in AddressDetector().find(Text(text=text, role=Role.USER), "en")]
    assert value in found


@pytest.mark.parametrize(
    "text",
    [
        "I was diagnosed with cancer last month",
        "my son has asthma",
        "ich bin schwanger und brauche den Sitz",
        "je suis diabétique",
        "tengo diabetes",
        "ho il diabete",
        "tenho asma",
        "ik heb kanker",
        "mam cukrzycę",
    ],
)
def test_a_statement_about_ones_own_health_is_found(text):
    assert [f.kind for f in HealthDetector().find(Text(text=text, role=Role.USER), "en")] == [Kind.HEALTH]


@pytest.mark.parametrize(
    "text", ["do you sell diabetes test strips", "what does the cancer insurance cover", "the app crashed"]
)
def test_a_word_of_illness_alone_is_no_statement(text):
    assert HealthDetector().find(Text(text=text, role=Role.USER), "en") == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("7658", Kind.ACCOUNT),
        ("its 456798070", Kind.SSN),
        ("chennai 600710", Kind.POSTCODE),
        ("88234412", Kind.ACCOUNT),
        ("Banks!123", Kind.PASSWORD),
        ("anna 5964", Kind.ACCOUNT),
        ("4.25e15", Kind.CARD),
    ],
)
def test_a_bare_number_answers_a_question(text, kind):
    assert [f.kind for f in ReplyDetector().find(Text(text=text, role=Role.USER), "en")] == [kind]


@pytest.mark.parametrize("text", ["2019", "5000 euros", "order 12345", "at 1830", "I paid 5000 for it yesterday"])
def test_a_year_an_amount_or_a_sentence_is_no_reply(text):
    assert ReplyDetector().find(Text(text=text, role=Role.USER), "en") == []


def test_only_a_user_replies_with_a_bare_number():
    assert ReplyDetector().find(Text(text="7658", role=Role.ASSISTANT), "en") == []


@pytest.mark.parametrize("text", ['"variants": {"4947717507": {"item_id": "4947717507"}}', "4947717507"])
def test_an_id_that_nothing_names_is_no_telephone_in_the_result_of_a_tool(text):
    assert PersonalDetector().find(Text(text=text, role=Role.TOOL), "en") == []


def test_a_telephone_that_is_named_or_written_as_one_is_found_in_the_result_of_a_tool():
    for text in ('{"phone": "4947717507"}', '{"customer": "+44 7700 900123"}', '{"mobile": "07700900123"}'):
        assert [f.kind for f in PersonalDetector().find(Text(text=text, role=Role.TOOL), "en")] == [Kind.PHONE]


@pytest.mark.parametrize(
    "text", ["my password is [PASSWORD], ok", "password: [EMAIL_SYPA42KR]", "pin [PIN] password [PASSWORD]"]
)
def test_what_the_mask_put_in_place_of_a_value_is_no_value(text):
    assert find_personal(text) == []


def test_a_password_in_brackets_is_still_one():
    assert [f.kind for f in find_personal("my password is [Tulip-Rain-77]")] == [Kind.PASSWORD]
