"""Grounding on any text at all: it never raises and its findings stay inside the text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.detectors.base import Text
from handrail.detectors.grounding import FLOOR, Grounding
from handrail.detectors.grounding_words import LANGUAGES, fold
from handrail.terms.finding import Role

PIECES = st.sampled_from(
    [
        "12.03.", "31/12/2026", "1.234,56 €", "$", "%", "two", "zwei Wochen", "Monday", "to", "Friday", "9:00", "25:61",
        "99.99.9999", "2026-02-30", "not", "only", "all", "İ", "ß", "ﬁ", "...", "?", "!", "\n", "{", "[", '"', "é", "५",
        "hello", "thanks for", "refund", "order", "1e999", "0" * 30, "١٢", "½", "²",
    ]
)  # fmt: skip
ANY = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map(" ".join), st.lists(PIECES).map("".join))
DETECTOR = Grounding(0.0)


@given(answer=ANY, context=st.lists(ANY, max_size=3), language=st.sampled_from([*LANGUAGES, "xx", ""]))
@settings(max_examples=300, deadline=None)
def test_ground_4_any_answer_on_any_context_gives_findings_inside_the_text(
    answer: str, context: list[str], language: str
) -> None:
    for found in DETECTOR.find(Text(answer, Role.ASSISTANT, language, tuple(context)), language):
        assert 0 <= found.start < found.end <= len(answer)
        assert FLOOR <= found.score <= 1


@given(st.text())
def test_folding_keeps_every_offset(text: str) -> None:
    assert len(fold(text)) == len(text)
