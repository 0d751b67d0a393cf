"""Which declared intent an opening is near to: the same everywhere, `other` for what none is near to, cheap."""

import json
import random
import time
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.detectors.intents import OTHER, computed, learn, right, words_of

SHOP = {
    "delivery": (
        "Where is my order?",
        "when does my parcel arrive",
        "has my package been shipped",
        "track my delivery",
    ),
    "refund": ("I want my money back", "please refund my order", "how do I get a refund", "refund the payment"),
    "rueckgabe": ("Ich möchte zurückgeben", "wie schicke ich das zurück", "Rücksendung anmelden", "Retoure bitte"),
}


@pytest.mark.promise("WAT-23")
def test_an_opening_is_named_by_the_examples_it_is_near_to() -> None:
    made = learn(SHOP)
    assert made.of("hello, my parcel did not arrive yet, where is it?") == "delivery"
    assert made.of("REFUND me, please") == "refund"
    assert made.of("ich will die schuhe zurueckgeben oder zuruck schicken, retoure") == "rueckgabe"
    assert made.of("what is the capital of France") == OTHER
    assert made.of("12345 !!!") == ""


@pytest.mark.promise("WAT-23")
def test_what_is_masked_and_the_order_of_the_declaration_change_nothing() -> None:
    one, other = learn(SHOP), learn(dict(reversed(SHOP.items())))
    assert one == other
    assert words_of("mail [EMAIL_ABCDEFGH] or [CVV] here") == ["mail", "or", "here"]


@given(st.text(max_size=400))
def test_any_text_has_a_declared_name_or_none(text: str) -> None:
    assert learn(SHOP, 0.5).of(text) in {*SHOP, OTHER, ""}


def test_how_sure_it_must_be_is_computed_from_the_examples_and_can_be_declared() -> None:
    assert learn(SHOP).sure == computed(SHOP)
    assert learn(SHOP, 9.0).of("refund the payment") == OTHER
    assert {name: hits for name, (hits, _) in right(SHOP).items()}.keys() == SHOP.keys()


def utterances(
    packs: Path, name: str, intents: int, known: int, seed: int
) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """Examples by intent, and other utterances with theirs."""
    rows: dict[str, list[str]] = defaultdict(list)
    for line in (packs / "intents" / f"{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        if not row.get("out_of_scope"):
            rows[row["intent"]].append(row["text"])
    draw = random.Random(seed)
    chosen = draw.sample(sorted(rows), min(intents, len(rows)))
    for one in chosen:
        draw.shuffle(rows[one])
    return (
        {one: rows[one][:known] for one in chosen},
        [(text, one) for one in chosen for text in rows[one][known : known + 20]],
    )


@pytest.mark.packs("intents")
@pytest.mark.promise("WAT-23")
@pytest.mark.parametrize(("name", "intents", "least"), [("clinc150", 50, 0.81), ("bitext", 27, 0.77)])
def test_of_what_customers_said_most_is_named_rightly_from_ten_examples_each(
    packs: Path, name: str, intents: int, least: float
) -> None:
    examples, said = utterances(packs, name, intents, 10, 0)
    made = learn(examples)
    named = [(made.of(text), intent) for text, intent in said]
    assert sum(got == intent for got, intent in named) / len(named) >= least
    assert sum(got == OTHER for got, _ in named) / len(named) <= 0.15


@pytest.mark.packs("intents")
def test_most_of_what_no_intent_covers_is_other(packs: Path) -> None:
    examples, _ = utterances(packs, "clinc150", 50, 10, 0)
    made = learn(examples)
    rows = map(json.loads, (packs / "intents" / "clinc150.jsonl").read_text().splitlines())
    outside = [row["text"] for row in rows if row["out_of_scope"]]
    assert sum(made.of(text) == OTHER for text in outside) / len(outside) >= 0.65


@pytest.mark.packs("intents")
@pytest.mark.promise("WAT-23")
def test_fifty_intents_cost_less_than_twenty_microseconds(packs: Path) -> None:
    """The best of ten rounds: others use the machine too."""
    examples, said = utterances(packs, "clinc150", 50, 20, 0)
    made = learn(examples, 0.5)
    texts = [text for text, _ in said]
    best = 1.0
    for _ in range(10):
        begun = time.process_time()
        for text in texts:
            made.of(text)
        best = min(best, (time.process_time() - begun) / len(texts))
    assert best < 20e-6
