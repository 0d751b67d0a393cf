"""The runner: deadlines, failures, chunks, overlaps."""

import pytest

from handrail.detectors.base import Reach, Text
from handrail.detectors.catalogue import built_in
from handrail.detectors.pii import PersonalDetector
from handrail.detectors.run import CHUNK, Runner, settle
from handrail.terms.finding import PERSONAL, Finding, Kind, Role


class Broken:
    name = "broken"
    kinds = frozenset({Kind.INJECTION})
    reach = Reach.WHOLE

    def find(self, text, language):
        raise ValueError("no")


class Slow:
    name = "slow"
    kinds = frozenset({Kind.LEGAL})
    reach = Reach.WHOLE

    def __init__(self, clock):
        self.clock = clock

    def find(self, text, language):
        self.clock.at += 5
        return []


class HandSet:
    at = 0.0

    def __call__(self):
        return self.at


def text(words):
    return Text(text=words, role=Role.USER, language="en")


@pytest.mark.promise("PII-6")
def test_a_detector_that_raises_is_a_failure_and_the_others_still_answer():
    report = Runner([Broken(), PersonalDetector()], lambda: 0.0).screen(text("a@b.de"), frozenset(Kind))
    assert [(f.detector, f.why) for f in report.failures] == [("broken", "error")]
    assert [f.kind for f in report.findings] == [Kind.EMAIL]


@pytest.mark.promise("PII-6")
def test_what_comes_after_the_deadline_is_late():
    clock = HandSet()
    report = Runner([Slow(clock), PersonalDetector()], clock).screen(text("a@b.de"), frozenset(Kind), deadline=3.0)
    assert [(f.detector, f.why) for f in report.failures] == [("personal", "late")]


def test_the_last_detector_over_the_deadline_is_late_too():
    clock = HandSet()
    report = Runner([Slow(clock)], clock).screen(text("x"), frozenset(Kind), deadline=3.0)
    assert [f.why for f in report.failures] == ["late"]


def test_only_wanted_kinds_come_back():
    report = Runner([PersonalDetector()], lambda: 0.0).screen(
        text("a@b.de and 4111 1111 1111 1111"), frozenset({Kind.CARD})
    )
    assert [f.kind for f in report.findings] == [Kind.CARD]


def test_a_value_on_the_border_of_two_chunks_is_found_once_at_its_place():
    card = "4111 1111 1111 1111"
    for shift in (-25, -10, 0, 10, -2048, -2040):
        words = "x " * ((CHUNK + shift) // 2)
        whole = words + card + " y" * 500
        report = Runner([PersonalDetector()], lambda: 0.0).screen(text(whole), frozenset({Kind.CARD}))
        assert [whole[f.start : f.end] for f in report.findings] == [card]


CARD_SAID = "4111 1111 1111 1111 is the card, I will sue"


def test_of_overlapping_personal_findings_the_surer_stays_and_others_are_kept():
    card = Finding(kind=Kind.CARD, start=0, end=19, score=0.99, reason="luhn")
    phone = Finding(kind=Kind.PHONE, start=5, end=19, score=0.6, reason="bare")
    legal = Finding(kind=Kind.LEGAL, start=0, end=40, score=0.5, reason="x")
    assert settle([phone, legal, card], CARD_SAID) == (card, legal)


@pytest.mark.parametrize(
    ("said", "asked", "left"),
    [
        ("4111 1111 1111 1111 814", "What is your card number?", (Kind.CARD, "814")),
        ("+44 20 7946 0001 81294", "", (Kind.ACCOUNT, "81294")),
        ("live at 12 High Street 0387 89175-078-05-1120", "", (Kind.PHONE, "89175")),
    ],
)
def test_what_only_the_less_sure_of_two_findings_covers_is_no_clear_text(said, asked, left):
    report = Runner(built_in(), lambda: 0.0).screen(Text(text=said, role=Role.USER, asked=asked), PERSONAL)
    found = [(each.kind, said[each.start : each.end]) for each in report.findings]
    assert left in found
    assert len({place for each in report.findings for place in range(each.start, each.end)}) == sum(
        each.end - each.start for each in report.findings
    )


def test_the_title_beside_a_surer_name_is_left_alone():
    said = "Mr Jones"
    report = Runner(built_in(), lambda: 0.0).screen(
        Text(text=said, role=Role.USER, asked="Can I have your name please?"), PERSONAL
    )
    assert [said[each.start : each.end] for each in report.findings] == ["Jones"]
