"""An answer that declines to help is found, by its sentence; one that could not find something is not."""

import gzip
import hashlib
import json
import time
from pathlib import Path

import pytest

from handrail.detectors.base import Text
from handrail.detectors.declined import Declined
from handrail.terms.finding import PERSONAL, Kind, Role

DECLINES = (
    "I'm sorry, but I can't help with that.",
    "I’m sorry, but I can’t assist with this request.",
    "I won't be able to refund this order.",
    "We are unable to process refunds for gift cards.",
    "I must respectfully decline.",
    "That is outside of my scope.",
    "I'm afraid I cannot.",
    "It's against our company policy to share that.",
    "Dabei kann ich Ihnen leider nicht helfen.",
    "Ich kann Ihnen dazu keine Auskunft geben.",
    "Es tut mir leid, ich darf Ihnen diese Daten nicht nennen.",
    "Das muss ich leider ablehnen.",
)
HELPS = (
    "I can help with that!",
    "I can't wait to help you.",
    "I couldn't find any order with this number.",
    "I cannot look this up without your order number.",
    "I'm unable to retrieve your orders right now, please try again.",
    "You won't be charged.",
    "Die Lieferung kommt heute nicht mehr.",
    "Ich kann Ihre Bestellung ohne Bestellnummer nicht bearbeiten.",
    "Das mache ich gerne, keine Sorge.",
)


def found(text: str, role: Role = Role.ASSISTANT) -> list[str]:
    return [text[one.start : one.end] for one in Declined().find(Text(text, role), "en")]


@pytest.mark.promise("WAT-20")
@pytest.mark.parametrize("text", DECLINES)
def test_what_declines_is_found(text: str) -> None:
    assert found(text) == [text]
    assert found(text, Role.USER) == []


@pytest.mark.promise("WAT-20")
@pytest.mark.parametrize("text", HELPS)
def test_what_helps_or_asks_is_not(text: str) -> None:
    assert found(text) == []


@pytest.mark.promise("WAT-20")
def test_the_finding_is_the_sentence_and_no_personal_data() -> None:
    text = "Thank you for asking. I'm sorry, but I can't help with that. Is there anything else?"
    assert found(text) == ["I'm sorry, but I can't help with that."]
    assert Kind.DECLINED not in PERSONAL


def answers(packs: Path) -> dict[str, str]:
    """Of the packs, by the digest that the labels have."""
    texts: set[str] = set()
    for name in ("cx-actions/trajectories.jsonl.gz", "agent-runs/transcripts.jsonl.gz"):
        with gzip.open(packs / name, "rt") as lines:
            for line in lines:
                said = (one["content"] for one in json.loads(line)["messages"] if one["role"] == "assistant")
                texts |= {one for one in said if isinstance(one, str)}
    return {hashlib.sha256(text.encode()).hexdigest()[:12]: text for text in texts}


@pytest.mark.packs("cx-actions", "agent-runs")
@pytest.mark.promise("WAT-20")
def test_of_answers_labelled_by_hand_most_are_found_and_few_found_wrongly(packs: Path) -> None:
    known = answers(packs)
    rows = (Path(__file__).parent / "declined_labels.txt").read_text().splitlines()
    labelled = [line.split() for line in rows if not line.startswith("#")]
    for part, precision, recall in ((labelled[:100], 0.95, 0.95), (labelled[100:], 0.93, 0.80)):
        hits = {name: bool(found(known[name])) for name, _ in part}
        right = sum(hits[name] and label == "1" for name, label in part)
        assert right / sum(hits.values()) >= precision
        assert right / sum(label == "1" for _, label in part) >= recall


@pytest.mark.packs("cx-actions", "agent-runs")
def test_it_costs_little_beside_what_an_answer_costs_anyway(packs: Path) -> None:
    texts = [Text(text, Role.ASSISTANT) for text in list(answers(packs).values())[:1_000]]
    detector = Declined()
    begun = time.process_time()
    for text in texts:
        detector.find(text, "en")
    assert (time.process_time() - begun) / len(texts) < 100e-6
