"""Grounding on answers that no training saw: our own customer service cases and part B of the pack `grounded`."""

import json
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from handrail.detectors.base import Text
from handrail.detectors.grounding import THRESHOLD, Grounding, ungroundedness
from handrail.terms.finding import Finding, Kind, Role

HERE = Path(__file__).parent
POLICY = "You can return shoes within 30 days for a full refund of up to €80. Sale items cannot be returned."


class Case(NamedTuple):
    language: str
    context: str
    answer: str
    wrong: bool
    copied: bool
    reason: str


def cases() -> list[Case]:
    language, context, made = "en", "", []
    for line in (HERE / "grounding_cases.txt").read_text("utf-8").splitlines():
        head, _, rest = line.partition(" ")
        if head == "@":
            language = rest
        elif head == ">":
            context = rest
        elif head in ("=c", "=p"):
            made.append(Case(language, context, rest, False, head == "=c", ""))
        elif head in ("!c", "!p"):
            reason, _, answer = rest.partition(" ")
            made.append(Case(language, context, answer, True, head == "!c", reason))
    return made


def find(answer: str, *context: str, language: str = "en", floor: float = THRESHOLD) -> list[Finding]:
    return Grounding(floor).find(Text(answer, Role.ASSISTANT, language, context), language)


def auc(right: list[float], wrong: list[float]) -> float:
    return sum((w > r) + 0.5 * (w == r) for w in wrong for r in right) / (len(right) * len(wrong))


@pytest.mark.promise("GROUND-1")
@pytest.mark.packs("grounded")
def test_ground_1_answers_of_contexts_no_training_saw_are_ranked_with_an_auc_of_92(packs: Path) -> None:
    rows = [json.loads(line) for line in (packs / "grounded/answers.jsonl").read_text("utf-8").splitlines()]
    held = [r for r in rows if sha256(r["context"].encode()).digest()[0] < 64]
    assert len(held) > 500
    detector = Grounding(0.0)

    def score(row: dict[str, str]) -> float:
        found = detector.find(Text(row["answer"], Role.ASSISTANT, "en", (row["context"],)), "en")
        return max((f.score for f in found), default=0.0)

    assert auc([score(r) for r in held if r["grounded"]], [score(r) for r in held if not r["grounded"]]) >= 0.92
