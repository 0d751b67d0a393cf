"""The gates hide nothing: what a finder can find, its bit announces."""

import json
import re
import time

import pytest

from handrail.detectors import pii
from handrail.detectors.base import Text
from handrail.detectors.data.places import STREETS
from handrail.detectors.data.secrets import SECRETS
from handrail.detectors.normalise import View, without_accents
from handrail.detectors.personal import anchors, gates, persons
from handrail.detectors.personal.gates import Gate, gates_of, pattern_set, rough
from handrail.detectors.personal.page import Page
from handrail.detectors.personal.places import find_addresses
from handrail.detectors.personal.secrets import _sketch
from handrail.detectors.pii import AddressDetector, PersonalDetector, ReplyDetector, find_personal
from handrail.detectors.run import CHUNK
from handrail.terms.finding import Kind, Role

STREET_TEXTS = (
    ("street_en", "I moved to 12 Old Mill Lane last week"),
    ("po_box", "write to P.O. Box 4411"),
    ("street_de", "Ich wohne in der Lindenstrasse 14b"),
    ("street_fr", "j'habite 8 bis, rue de la paix."),
    ("street_es", "vivo en la calle mayor 23, 2º b"),
    ("street_it", "abito in via garibaldi 7"),
    ("street_pt", "moro na rua das flores 112"),
    ("street_nl", "ik woon op de prinsengracht 263"),
    ("street_pl", "mieszkam przy ul. dlugiej 5/12"),
)


@pytest.mark.parametrize(("name", "text"), STREET_TEXTS)
def test_each_street_pattern_has_its_own_bit(name, text):
    place = [street for street, _ in STREETS].index(name)
    low = without_accents(text).lower()
    assert re.search(STREETS[place][1], low) is not None
    assert Gate.STREET + place in gates_of(low)


def test_a_lone_order_number_asks_for_numbers_and_nothing_else():
    assert gates_of("Your order 48213 left our warehouse this week.") == {Gate.DIGIT, Gate.NUMBER}


def test_prose_has_no_bits():
    assert gates_of("Could you tell me please how long the delivery of a sofa takes these days") == frozenset()


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?<!\w)(?:ab|cd)(?=[^\W\d_])x?", "1 abx"),
        (r"[^\W\d_]{2,}é(?!\w)", "caré"),
        (r"(?<![\w$])\d{1,3} \w+(?!\w)", "12 straße"),
    ],
)
def test_a_rough_pattern_matches_wherever_the_exact_one_does(pattern, text):
    assert re.search(pattern, text) is not None
    assert pattern_set([rough(pattern)]).Match(text)


def test_the_sketch_of_every_secret_compiles_and_is_wider():
    sketches = pattern_set([_sketch(pattern) for _, pattern in SECRETS])
    text = "key AKIAABCDEFGHIJKLMNOP and ghp_" + "a1B2" * 10
    exact = {place for place, (_, pattern) in enumerate(SECRETS) if re.search(pattern, text)}
    assert exact
    assert exact <= set(sketches.Match(text))


@pytest.mark.parametrize("reason", persons.REASONS)
def test_a_name_is_found_by_the_reason_its_gate_announces(reason):
    text = {
        "introduced": "my name is anna smith",
        "title": "I spoke with Mrs. Weber about it",
        "greeting": "Hello Anna, thanks for the answer",
        "introduced_loosely": "This is Anna Smith calling",
    }[reason]
    assert {finding.reason for finding in find_personal(text)} == {reason}


def test_a_pronoun_behind_a_greeting_opens_no_search_for_names():
    assert Gate.GREETED not in gates_of("Hi, I have a question. Thank you, I will wait.")


def test_words_far_from_a_number_in_a_long_text_are_not_read():
    text = "my card. " + "we will look into it and then write to you again soon " * 6 + "and the bill was 48213 in all"
    page = Page(View(text))
    page.wide = False
    assert page.anchors == [anchor for anchor in anchors.find_anchors(text) if anchor.start > len(text) - 150]


def test_a_short_number_is_bare_until_something_personal_names_it():
    assert Page(View("your order 48213 is on its way")).bare
    assert not Page(View("your account 48213 is closed")).bare
    assert not Page(View("call 020 7946 0001 today")).bare


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Fax: 345-899-3560x4587", "345-899-3560x4587"),
        ("455 6186 office\n930.167.3943 fax", "455 6186"),
        ("they're not answering at 785 8949", "785 8949"),
        ("you can call 33 93 31", "33 93 31"),
    ],
)
def test_a_telephone_with_its_extension_or_its_place_is_found(text, value):
    assert value in [text[f.start : f.end] for f in find_personal(text) if f.kind is Kind.PHONE]


@pytest.mark.parametrize(
    "text", ["the flat measures 33 93 31", "we sold 455 6186 office chairs", "call a taxi to 03 2657 Elm"]
)
def test_numbers_of_that_form_without_a_name_are_left_alone(text):
    assert [f for f in find_personal(text) if f.kind is Kind.PHONE] == []


@pytest.mark.parametrize(
    "text", ["Banks_1", "refunding$299", "order#12345", "a+b=c12", "anna1@example.com", "iPhone15", "AB12345"]
)
def test_a_single_token_that_is_no_password_is_not_taken_for_one(text):
    found = ReplyDetector().find(Text(text=text, role=Role.USER), "en")
    assert [finding for finding in found if finding.kind is Kind.PASSWORD] == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("my password is 1 g 2 g", "1 g 2 g"),
        ("user anna password kitten", "kitten"),
        ("name akash password arani", "arani"),
    ],
)
def test_a_spelled_password_and_the_second_of_a_pair_are_found(text, value):
    assert [text[f.start : f.end] for f in find_personal(text) if f.kind is Kind.PASSWORD] == [value]


def test_called_is_no_calle():
    found = AddressDetector().find(Text(text="the event is called 2018 American Classic", role=Role.USER), "en")
    assert found == []


def test_the_gates_hold_for_text_with_accents():
    text = "Je m'appelle Zoé Lefèvre, née le 4 février 1990, 12 rue de l'Église, Paris"
    kinds = {f.kind for f in PersonalDetector().find(Text(text=text, role=Role.USER), "fr")}
    assert {Kind.PERSON, Kind.DOB} <= kinds
    assert gates.STREET_GATES & gates_of(without_accents(text))


@pytest.mark.promise("PII-11")
@pytest.mark.packs("pii")
def test_with_every_gate_open_nothing_more_is_found(packs):
    for name in ("chat.jsonl", "generated.jsonl"):
        for line in (packs / "pii" / name).read_text(encoding="utf-8").splitlines()[::3]:
            text = json.loads(line)["text"]
            page, bits = pii._read(text)
            wide = Page(page.view)
            assert pii._in_order(page, bits) == pii._in_order(wide, gates.EVERY_GATE)
            assert not find_addresses(wide, "en", gates.EVERY_GATE - bits & gates.STREET_GATES)


@pytest.mark.parametrize(
    "piece",
    ["Hi A. ", "my name is ", "card 1234 ", "+49 170 1234567 ", "password: a ", "one two ", "user password x ", "a@"],
)
def test_the_largest_text_of_repeated_candidates_takes_less_than_a_second_of_cpu(piece):
    text = piece * (CHUNK // len(piece))
    started = time.process_time()
    find_personal(text)
    assert time.process_time() - started < 1.0  # linear: 0.1 s; comparing each with each: 2 to 8 s
