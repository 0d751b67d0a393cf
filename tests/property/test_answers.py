"""Whatever was asked and answered: findings stand inside the text, and the question hides only a bare telephone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.detectors.base import REPLY, Text
from handrail.detectors.pii import PersonalDetector, ReplyDetector, find_personal
from handrail.detectors.run import Runner
from handrail.terms.finding import PERSONAL, Role

RUNNER = Runner((PersonalDetector(), ReplyDetector()), lambda: 0.0)
QUESTIONS = [
    "What is your password?", "Your name and account number please", "the last four of your SSN and card?", "¿Su DNI?",
    "Order number?", "Wie ist Ihr Name?", "code we sent?", "D'accord. Votre mot de passe ?", "İ ﬁ PIN?", "",
]  # fmt: skip
PIECES = [
    "7658", "4111 1111 1111 1111", "anna", "I'm", "and", ",", ". ", "\n", "f 475 d 2 s", "2019", "03/04/1980", "(", "İ",
    "ﬁ", "a@b.de", "+44 7700 900123", "my pin is", "forgot", "４２", "%40", "-", "'", "c01x00t47", "5 euros",
]  # fmt: skip
answers = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.text(max_size=REPLY + 10),
)


@pytest.mark.promise("PII-12")
@settings(max_examples=400, deadline=None)
@given(question=st.one_of(st.sampled_from(QUESTIONS), st.text(max_size=80)), answer=answers)
def test_the_question_adds_findings_inside_the_text_and_hides_none_that_has_a_name_or_proves_itself(question, answer):
    report = RUNNER.screen(Text(text=answer, role=Role.USER, language="en", asked=question), PERSONAL)
    assert report.failures == ()
    for finding in report.findings:
        assert 0 <= finding.start < finding.end <= len(answer)
    for finding in find_personal(answer):
        if finding.score > 0.8:
            assert any(other.start <= finding.start and finding.end <= other.end for other in report.findings)
