"""Personal data on the packs: what is found, per label, and what is flagged that should not be."""

import gzip
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from handrail.detectors.base import Text
from handrail.detectors.pii import AddressDetector, HealthDetector, PersonalDetector, ReplyDetector, find_personal
from handrail.detectors.run import Runner
from handrail.terms.finding import PERSONAL, Kind, Role

RUNNER = Runner((PersonalDetector(), ReplyDetector(), AddressDetector(), HealthDetector()), lambda: 0.0)
CHAT = {"CARD_NUMBER": Kind.CARD, "ACCOUNT_NUMBER": Kind.ACCOUNT, "PASSWORD": Kind.PASSWORD, "PHONE": Kind.PHONE}
GENERATED = {
    Kind.CARD: "CREDIT_CARD", Kind.IBAN: "IBAN", Kind.EMAIL: "EMAIL", Kind.PHONE: "PHONE", Kind.SSN: "US_SSN",
    Kind.NINO: "UK_NINO", Kind.IP: "IP", Kind.DOB: "DOB",
}  # fmt: skip


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def found(text, asked=""):
    return RUNNER.screen(Text(text=text, role=Role.USER, language="en", asked=asked), PERSONAL).findings


def overlap(finding, span):
    return min(finding.end, span["end"]) - max(finding.start, span["start"])


@pytest.mark.packs("pii")
@pytest.mark.promise("PII-9")
def test_chat_messages_are_covered_and_little_else_is(packs):
    gold, covered, exact, flagged, right = Counter(), Counter(), Counter(), 0, 0
    for row in rows(packs / "pii" / "chat.jsonl"):
        findings = found(row["text"])
        for span in row["spans"]:
            kind = CHAT.get(span["label"])
            if kind is None:
                continue
            near = [f for f in findings if 2 * overlap(f, span) >= span["end"] - span["start"]]
            gold[kind] += 1
            covered[kind] += bool(near)
            exact[kind] += any(f.kind is kind for f in near)
        for finding in findings:
            if finding.kind in CHAT.values():
                flagged += 1
                right += any(overlap(finding, span) > 0 for span in row["spans"])
    for kind in CHAT.values():
        assert covered[kind] / gold[kind] >= 0.80, kind
    assert right / flagged >= 0.85
    assert exact[Kind.CARD] / gold[Kind.CARD] >= 0.75
    assert exact[Kind.PHONE] / gold[Kind.PHONE] >= 0.90


WORDS = {
    "PERSON": "name", "EMAIL": "email address", "PHONE": "phone number", "SSN": "last four digits of your SSN",
    "CARD_NUMBER": "credit card number", "ACCOUNT_NUMBER": "account number", "ADDRESS": "address", "ZIP": "zip code",
    "PASSWORD": "password", "USERNAME": "username", "CUSTOMER_ID": "customer id",
}  # fmt: skip


def naming(row):
    labels = dict.fromkeys(span["label"] for span in sorted(row["spans"], key=lambda span: span["start"]))
    return f"Could you please tell me your {' and your '.join(WORDS[label] for label in labels)}?" if labels else ""


@pytest.mark.packs("pii")
@pytest.mark.promise("PII-12")
def test_where_the_question_names_what_the_labels_say_each_kind_is_right(packs):
    gold, exact, flagged, right = Counter(), Counter(), Counter(), Counter()
    for row in rows(packs / "pii" / "chat.jsonl"):
        findings = found(row["text"], naming(row))
        for span in row["spans"]:
            kind = CHAT.get(span["label"])
            if kind is not None:
                gold[kind] += 1
                exact[kind] += any(
                    f.kind is kind and 2 * overlap(f, span) >= span["end"] - span["start"] for f in findings
                )
        for finding in findings:
            flagged[finding.kind] += 1
            right[finding.kind] += any(
                CHAT.get(span["label"]) is finding.kind and overlap(finding, span) > 0 for span in row["spans"]
            )
    for kind in CHAT.values():
        assert exact[kind] / gold[kind] >= 0.80, kind
        assert right[kind] / flagged[kind] >= 0.85, kind


ASKING = {"bank_ask_account_number": Kind.ACCOUNT, "bank_ask_pin": Kind.PIN}
ARGUMENTS = {"AccountNumber": Kind.ACCOUNT, "PIN": Kind.PIN}


@pytest.mark.packs("dialogues")
@pytest.mark.promise("PII-12")
def test_in_conversations_of_two_people_the_question_gives_accounts_and_pins_their_kind(packs):
    """The agent's choice of act and the arguments of the later call say what is right; neither is shown to us."""
    gold, exact, named, right = Counter(), Counter(), Counter(), Counter()
    with gzip.open(packs / "dialogues" / "star.jsonl.gz", "rt", encoding="utf-8") as lines:
        talks = [json.loads(line) for line in lines]
    for talk in talks:
        values = {
            (str(value).strip('"'), ARGUMENTS[name])
            for event in talk["events"]
            if event.get("call") and event["who"] == "agent"
            for name, value in event["arguments"].items()
            if name in ARGUMENTS and str(value).isdigit()
        }
        question, asked = "", None
        for event in talk["events"]:
            if event["who"] == "agent" and event.get("text"):
                question, asked = event["text"], ASKING.get(event.get("act"))
            if event["who"] != "customer":
                continue
            words = event["text"]
            findings = found(words, question)
            for value, kind in values:
                if value in re.findall(r"\d+", words):
                    gold[kind] += 1
                    exact[kind] += any(f.kind is kind and words[f.start : f.end] == value for f in findings)
            for finding in findings:
                if finding.reason == "asked" and finding.kind in ARGUMENTS.values():
                    named[finding.kind] += 1
                    right[finding.kind] += finding.kind is asked or (
                        (words[finding.start : finding.end], finding.kind) in values
                    )
    for kind in ARGUMENTS.values():
        assert gold[kind] >= 100, kind
        assert exact[kind] / gold[kind] >= 0.80, kind
        assert right[kind] / named[kind] >= 0.95, kind


@pytest.mark.packs("pii")
def test_written_forms_of_the_generated_pack_are_found(packs):
    labels = {"CREDIT_CARD": Kind.CARD, "EMAIL_ADDRESS": Kind.EMAIL, "IBAN_CODE": Kind.IBAN, "IP_ADDRESS": Kind.IP}
    gold, right = Counter(), Counter()
    for row in rows(packs / "pii" / "generated.jsonl"):
        findings = found(row["text"])
        for span in row["spans"]:
            if span["label"] in labels:
                gold[span["label"]] += 1
                right[span["label"]] += any(
                    f.kind is labels[span["label"]] and 2 * overlap(f, span) >= span["end"] - span["start"]
                    for f in findings
                )
    for label in labels:
        assert right[label] / gold[label] >= 0.97, label


@pytest.mark.packs("intents")
@pytest.mark.promise("PII-10")
def test_utterances_without_personal_data_raise_few_alarms(packs):
    wrong, total = 0, 0
    for name in ("banking77", "clinc150", "nlupp", "hint3"):
        for row in rows(packs / "intents" / f"{name}.jsonl"):
            total += 1
            wrong += any(f.kind not in (Kind.PERSON, Kind.PIN) for f in found(row.get("text") or row["utterance"]))
    assert wrong / total <= 0.002


@pytest.mark.promise("PII-8")
@pytest.mark.packs("../bench/guards")
@pytest.mark.parametrize("seed", [20261, 7, 99])
def test_generated_messages_reach_their_f1(packs, seed):
    guards = packs.parent / "bench" / "guards"
    generator, scorer = load(guards / "piigen.py"), load(guards / "pii_score.py")
    messages = list(generator.make(seed, 1500))
    predicted = [
        [(f.start, f.end, GENERATED[f.kind]) for f in find_personal(message["text"]) if f.kind in GENERATED]
        for message in messages
    ]
    result = scorer.score(messages, predicted, list(GENERATED.values()))
    right, lost, wrong = (sum(result[part].values()) for part in ("tp", "fn", "fp"))
    assert 2 * right / (2 * right + lost + wrong) >= 0.97


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
