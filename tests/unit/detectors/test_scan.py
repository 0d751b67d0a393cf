"""One row of scan."""

import pytest

from handrail.detectors.catalogue import MEANING, built_in, lines
from handrail.detectors.pii import PersonalDetector, ReplyDetector
from handrail.detectors.run import Runner
from handrail.detectors.scan import scan
from handrail.terms.errors import Code, HandrailError
from handrail.terms.finding import Kind

RUNNER = Runner([PersonalDetector()], lambda: 0.0)


def test_a_row_gives_its_findings_with_their_action():
    out = scan({"id": "a", "text": "my mail is a@b.de"}, RUNNER)
    assert (out.id, out.language) == ("a", "en")
    (finding,) = out.findings
    assert (finding.kind, finding.start, finding.end, finding.action) == (Kind.EMAIL, 11, 17, "mask")


def test_a_use_case_sets_the_action():
    out = scan({"id": 1, "text": "a@b.de", "language": "de"}, RUNNER, action=lambda finding: "block")
    assert out.language == "de"
    assert [finding.action for finding in out.findings] == ["block"]


@pytest.mark.promise("PII-12")
@pytest.mark.parametrize(
    ("context", "kind"),
    [
        ("What are the last four digits of your SSN?", Kind.SSN),
        (["What is your PIN?", "1596", "Thank you. And your account number?"], Kind.ACCOUNT),
    ],
)
def test_the_context_of_a_users_message_is_what_was_asked_just_before(context, kind):
    runner = Runner([PersonalDetector(), ReplyDetector()], lambda: 0.0)
    out = scan({"id": 1, "text": "7658", "context": context}, runner)
    assert [(finding.kind, finding.reason) for finding in out.findings] == [(kind, "asked")]


def test_the_context_of_an_answer_asks_nothing():
    runner = Runner([PersonalDetector(), ReplyDetector()], lambda: 0.0)
    out = scan({"id": 1, "text": "7658", "role": "assistant", "context": "What is your PIN?"}, runner)
    assert out.findings == ()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([], "the row must be an object"),
        ({"text": "x"}, "id must be a string or an integer, not nothing"),
        ({"id": True, "text": "x"}, "id must be"),
        ({"id": 1}, "text must be a string, not nothing"),
        ({"id": 1, "text": 5}, "text must be a string, not int"),
        ({"id": 1, "text": "x", "role": "boss"}, "role must be one of user"),
        ({"id": 1, "text": "x", "context": 3}, "context must be a string or a list"),
        ({"id": 1, "text": "x", "language": 3}, "language must be"),
        ({"id": 1, "text": "x", "rôle": "user"}, "unknown field"),
    ],
)
def test_a_bad_row_says_which_field_and_what_was_expected(row, words):
    with pytest.raises(HandrailError, match=words) as caught:
        scan(row, RUNNER)
    assert caught.value.code is Code.REQUEST_INVALID


@pytest.mark.promise("PII-6")
def test_a_row_that_was_not_fully_read_is_an_error():
    class Broken(PersonalDetector):
        def find(self, text, language):
            raise ValueError("no")

    with pytest.raises(HandrailError) as caught:
        scan({"id": 1, "text": "x"}, Runner([Broken()], lambda: 0.0))
    assert caught.value.code is Code.GUARD_UNAVAILABLE


def test_every_kind_has_a_meaning():
    assert set(MEANING) == set(Kind)
    assert [kind for kind, _ in lines()] == list(Kind)


def test_every_kind_of_a_text_is_found_by_some_built_in_detector():
    gateway = {Kind.UNREADABLE, Kind.UNSEEN_PROMPT, Kind.UNSCREENED}
    assert Runner(built_in(), lambda: 0.0).kinds == frozenset(Kind) - gateway
