"""Grounding on answers that no training saw: our own customer service cases and part B of the pack `grounded`."""

import json
from hashlib import sha256
from itertools import count
from pathlib import Path
from time import process_time
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


def cases(file: str = "grounding_cases.txt") -> list[Case]:
    language, context, made = "en", "", []
    for line in (HERE / file).read_text("utf-8").splitlines():
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


@pytest.mark.promise("GROUND-2")
def test_ground_2_customer_service_answers_no_training_saw_are_told_apart_in_all_four_cells() -> None:
    """Copied or paraphrased, right or wrong: each cell by itself, so that one cannot hide another."""
    flagged = {(c.wrong, c.copied): [0, 0] for c in cases()}
    for case in cases():
        cell = flagged[case.wrong, case.copied]
        cell[0] += bool(find(case.answer, case.context, language=case.language))
        cell[1] += 1
    share = {cell: hits / all_ for cell, (hits, all_) in flagged.items()}
    assert share[True, True] >= 0.9  # a wrong copy is found
    assert share[True, False] >= 0.85  # a wrong paraphrase is found
    assert share[False, True] <= 0.06  # a right copy passes
    assert share[False, False] <= 0.15  # a right paraphrase passes


@pytest.mark.promise("GROUND-2")
@pytest.mark.parametrize("language", ["en", "other"])
def test_ground_2_precision_and_recall_at_the_threshold_hold_in_english_and_in_the_other_languages(
    language: str,
) -> None:
    held = [c for c in cases() if (c.language == "en") == (language == "en")]
    hit = [c for c in held if find(c.answer, c.context, language=c.language)]
    found = sum(c.wrong for c in hit)
    assert found / len(hit) >= 0.88
    assert found / sum(c.wrong for c in held) >= 0.88


@pytest.mark.promise("GROUND-2")
def test_ground_2_holds_on_answers_that_were_written_after_the_detector_and_never_tuned_on() -> None:
    held = cases("grounding_fresh.txt")
    hit = [c for c in held if find(c.answer, c.context, language=c.language)]
    found = sum(c.wrong for c in hit)
    assert found / len(hit) >= 0.88
    assert found / sum(c.wrong for c in held) >= 0.88


@pytest.mark.promise("GROUND-3")
def test_ground_3_talk_about_the_conversation_is_never_flagged() -> None:
    lines = [x for x in (HERE / "grounding_talk.txt").read_text("utf-8").splitlines() if not x.startswith("#")]
    assert len(lines) > 40
    flagged = [line for line in lines if find(line[3:], POLICY, language=line[:2])]
    assert flagged == []


@pytest.mark.promise("GROUND-3")
def test_ground_3_talk_around_a_claim_does_not_hide_it() -> None:
    answer = "Thanks for waiting! I understand, you can return shoes within 90 days. Anything else?"
    assert [(answer[f.start : f.end], f.reason) for f in find(answer, POLICY)] == [("90 days", "number")]


@pytest.mark.parametrize(
    ("language", "context", "right", "wrong", "reason"),
    [
        ("en", "Delivered on 12 March 2026.", "It came on March 12th.", "It was delivered on March 21st.", "date"),
        ("de", "Geliefert am 12.03.2026.", "Geliefert am 12. März 2026.", "Geliefert am 12. Mai 2026.", "date"),
        ("de", "Der Betrag ist 1.234,56 €.", "Der Betrag ist 1234,56 Euro.", "Der Betrag ist 1.234,65 €.", "amount"),
        ("en", "The total is $1,234.56.", "The total is 1234.56 dollars.", "The total is $1,243.56.", "amount"),
        ("en", "The fee is €20.", "The fee is 20 euros.", "The fee is £20.", "amount"),
        ("en", "Returns within 14 days.", "Returns within two weeks.", "Returns within three weeks.", "number"),
        ("de", "Rückgabe in 14 Tagen.", "Rückgabe in zwei Wochen.", "Rückgabe in drei Wochen.", "number"),
        ("nl", "Retour binnen 24 uur.", "Retour binnen een dag, dus 24 uur.", "Retour binnen 48 uur.", "number"),
        ("fr", "Ouvert du lundi au vendredi.", "Ouvert mardi.", "Ouvert dimanche.", "date"),
        ("en", "Open Monday to Friday from 9:00 to 17:00.", "Open Tuesday from 9 am.", "Open from 11 am.", "date"),
        ("pl", "Dostawa kosztuje 12,99 zł.", "Dostawa kosztuje 12,99 zł.", "Dostawa kosztuje 19,99 zł.", "amount"),
        ("es", "La cita es el 5 de mayo.", "La cita es el 5 de mayo.", "La cita es el 15 de mayo.", "date"),
        ("en", "You save 15%.", "You save 15 percent.", "You save 25 percent.", "number"),
        ("en", '{"refund_days": 14}', "The refund takes 14 days.", "The refund takes 40 days.", "number"),
        ("en", "We ship with Parcelline only.", "We ship with Parcelline.", "We ship with Speedora.", "name"),
    ],
)  # fmt: skip
def test_a_value_is_one_value_in_every_format_and_a_wrong_one_is_pointed_at(
    language: str, context: str, right: str, wrong: str, reason: str
) -> None:
    reasons = {"number", "date", "amount", "name"}
    assert {f.reason for f in find(right, context, language=language, floor=0)} & reasons == set()
    found = find(wrong, context, language=language)
    assert reason in {f.reason for f in found}
    assert all(wrong[f.start : f.end].strip() == wrong[f.start : f.end] != "" for f in found)


def test_polarity_scope_and_opposites_have_their_own_reasons() -> None:
    assert {f.reason for f in find("Sale items can be returned.", POLICY)} == {"negation"}
    assert {f.reason for f in find("Delivery is paid.", "Delivery is free.")} == {"negation"}
    scope = "Orders over £50 are delivered free of charge. Standard delivery costs £3.95."
    assert {f.reason for f in find("All orders are delivered free of charge.", scope)} == {"condition"}


def test_only_an_assistants_text_with_context_is_judged() -> None:
    wrong = "You can return shoes within 90 days."
    for role in set(Role) - {Role.ASSISTANT}:
        assert Grounding().find(Text(wrong, role, "en", (POLICY,)), "en") == []
    assert Grounding().find(Text(wrong, Role.ASSISTANT, "en"), "en") == []
    assert {f.kind for f in find(wrong, POLICY)} == {Kind.UNGROUNDED}


def test_any_part_of_the_context_carries_a_claim() -> None:
    order = json.dumps({"order": {"status": "shipped", "total": 84.5, "currency": "EUR"}})
    assert find("The order has status shipped and you can return shoes within 30 days.", order, POLICY) == []
    assert find("The order total is €84.50.", POLICY, order) == []


def test_the_function_and_the_detector_give_one_score() -> None:
    answer = "You can return shoes within 90 days. Sale items cannot be returned."
    assert ungroundedness(answer, POLICY) == max(f.score for f in find(answer, POLICY, floor=0))
    assert ungroundedness("", POLICY) == 0.0
    assert ungroundedness("Hello! How can I help you?", POLICY) < THRESHOLD


def test_words_of_the_question_are_not_new() -> None:
    answer = "Trainers can be returned within 30 days."
    assert ungroundedness(answer, POLICY, "Can I return trainers?") <= ungroundedness(answer, POLICY)


@pytest.mark.promise("GROUND-4")
@pytest.mark.parametrize(
    "piece",
    [
        "two ",
        "12.03. ",
        "sorry to ",
        "1,2 ",
        "Monday to ",
        "$5 ",
        "A-1 ",
        "12/3/",
        "return shoes ",
        "e.g. ",
        "not ",
        "Ab",
    ],
)
def test_ground_4_work_grows_linearly_with_the_answer_and_with_the_context(piece: str) -> None:
    runs = count()

    def cpu(size: int, *, as_context: bool) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        fresh = f"{next(runs)} "  # a context that was not read before
        answer, context = (POLICY, fresh + text) if as_context else (text, fresh + POLICY)
        begun = process_time()
        find(answer, context, floor=0)
        return process_time() - begun

    for as_context in (False, True):
        small = min(cpu(4096, as_context=as_context) for _ in range(3))
        large = min(cpu(32768, as_context=as_context) for _ in range(2))
        assert large < 8 * small * 4 + 0.01
