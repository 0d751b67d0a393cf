"""Injections and triggers on the data packs. The linear models have seen part of the packs: where a figure could rest
on that, the test uses the rules alone, or the rows that `scripts/train/detectors.py` keeps out."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from handrail.detectors.base import Text
from handrail.detectors.injection import Injection, injection_detector
from handrail.detectors.linear import Linear
from handrail.detectors.triggers import triggers_detector
from handrail.terms.finding import Kind, Role

DETECTOR = injection_detector()
TRIGGERS = triggers_detector()


def rows(packs: Path, name: str) -> Iterator[dict[str, object]]:
    with (packs / name).open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def silent(model: Linear) -> Linear:
    """The same model with a threshold that no text reaches."""
    return Linear(msgspec.structs.replace(model.header, threshold=1.1), model.weights)


RULES = replace(DETECTOR, steer=silent(DETECTOR.steer), jailbreak=silent(DETECTOR.jailbreak))


def unseen(text: str) -> bool:
    return crc32(text.encode()) % 5 == 0


def share(detector: Injection, texts: list[str], role: Role) -> float:
    return sum(bool(detector.find(Text(text=text, role=role), "en")) for text in texts) / len(texts)


@pytest.mark.packs("injections")
@pytest.mark.promise("INJ-5")
@pytest.mark.parametrize("detector", [RULES, DETECTOR], ids=["rules", "rules and model"])
def test_injections_in_tool_results_are_found_and_honest_results_pass(packs: Path, detector: Injection) -> None:
    attacks, honest = [], []
    for row in rows(packs, "injections/tool_results.jsonl"):
        (attacks if row["label"] else honest).append(str(row["text"]))
    assert share(detector, attacks, Role.TOOL) >= 0.90
    assert share(detector, honest, Role.TOOL) <= 0.01


@pytest.mark.packs("injections")
@pytest.mark.promise("INJ-6")
def test_harmless_prompts_with_alarming_words_pass(packs: Path) -> None:
    texts = [str(r["text"]) for r in rows(packs, "injections/messages.jsonl") if r["source"] == "notinject"]
    assert share(DETECTOR, texts, Role.USER) <= 0.03
    assert share(DETECTOR, [text for text in texts if unseen(text)], Role.USER) <= 0.03


@pytest.mark.packs("injections")
def test_unseen_jailbreaks_of_the_wild_are_mostly_found(packs: Path) -> None:
    texts = [str(r["text"]) for r in rows(packs, "injections/messages.jsonl") if r["source"] == "garak"]
    assert share(DETECTOR, [text for text in texts if unseen(text)], Role.USER) >= 0.85


@pytest.mark.packs("injections")
def test_foreign_tasks_in_mails_are_found_and_mails_pass(packs: Path) -> None:
    attacks, honest = [], []
    for row in rows(packs, "injections/documents.jsonl"):
        (attacks if row["label"] else honest).append(str(row["text"]))
    assert share(RULES, attacks, Role.DOCUMENT) >= 0.70
    assert share(RULES, honest, Role.DOCUMENT) <= 0.03


@pytest.mark.packs("intents", "multilingual")
@pytest.mark.promise("INJ-7")
def test_customers_raise_no_false_injection_alarm(packs: Path) -> None:
    names = ("clinc150", "banking77", "hint3", "nlupp", "multidogo", "bitext")
    texts = [str(row["text"]) for name in names for row in rows(packs, f"intents/{name}.jsonl")]
    assert share(DETECTOR, texts, Role.USER) <= 0.0005
    foreign = list(rows(packs, "multilingual/xsid.jsonl"))
    alarms = [
        row["text"]
        for row in foreign
        if DETECTOR.find(Text(text=str(row["text"]), role=Role.USER), str(row["language"])[:2])
    ]
    assert len(alarms) <= 0.0005 * len(foreign)


def complaint(text: str) -> bool:
    return any(f.kind is Kind.COMPLAINT for f in TRIGGERS.find(Text(text=text, role=Role.USER), "en"))


@pytest.mark.packs("complaints", "intents")
@pytest.mark.promise("TRG-6")
def test_narratives_that_no_training_saw_are_found_as_complaints_and_everyday_questions_are_not(packs: Path) -> None:
    narratives = [str(row["text"]) for row in rows(packs, "complaints/cfpb.jsonl")]
    kept_out = [text for text in narratives if unseen(text)]
    assert sum(map(complaint, kept_out)) / len(kept_out) >= 0.95
    assert sum(map(complaint, narratives)) / len(narratives) >= 0.95
    clinc = list(rows(packs, "intents/clinc150.jsonl"))
    validation = [str(row["text"]) for row in clinc if row["split"] in ("val", "oos_val")]
    assert sum(map(complaint, validation)) / len(validation) <= 0.01
    assert sum(complaint(str(row["text"])) for row in clinc) / len(clinc) <= 0.01


@pytest.mark.packs("intents")
@pytest.mark.parametrize(("intent", "kind"), [("complaint", Kind.COMPLAINT), ("contact_human_agent", Kind.HUMAN)])
def test_short_wishes_of_a_pack_that_trains_nothing_are_found(packs: Path, intent: str, kind: Kind) -> None:
    found = other = wanted = rest = 0
    for row in rows(packs, "intents/bitext.jsonl"):
        hit = any(f.kind is kind for f in TRIGGERS.find(Text(text=str(row["text"]), role=Role.USER), "en"))
        if row["intent"] == intent:
            wanted, found = wanted + 1, found + hit
        elif row["intent"] not in ("complaint", "contact_customer_service", "review", "get_refund"):
            rest, other = rest + 1, other + hit
    assert found / wanted >= 0.85
    assert other / rest <= 0.01
