"""Several values behind each other, joined in any way people join them: nothing of one is left uncovered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.detectors.personal.anchors import BEFORE
from handrail.detectors.pii import find_personal
from handrail.detectors.window import Window

SEPARATORS = [
    "\n", "\n\n", "\r\n", "\r\n\r\n", " ", "  ", "\t", ", ", ",", "/", " / ", "; ", ";", " and ", " und ", " - ",
    "\n- ", "\n• ", "\n* ", "\n1. ", "\n2) ", " | ", "|", ":", ". ",
]  # fmt: skip
VALUES = {
    "cards are ": ("4111 1111 1111 1111", "5500 0000 0000 0004", "4012888888881881", "5555-5555-5555-4444",
                   "3782 822463 10005", "378282246310005"),
    "pay to ": ("DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "FR14 2004 1010 0505 0001 3M02 606"),
    "they are ": ("078-05-1120", "219-09-9998", "457-55-5462"),
    "": ("20-30-12 12345678", "20-00-00 55779911"),
    "call ": ("+44 7700 900123", "+1 415 555 0132", "020 7946 0001", "(212) 555-0123", "415-555-0142"),
    "my phone number is ": ("+44 7700 900123", "020 7946 0001", "(212) 555-0123", "415-555-0142", "4155550132"),
    "my account number is ": ("12345678", "87654321", "00012345"),
    "my ssn is ": ("078-05-1120", "219 09 9998", "457555462"),
}  # fmt: skip


@st.composite
def lists(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """A text and where its values stand."""
    opening = draw(st.sampled_from(sorted(VALUES)))
    text, places = opening, []
    for value in draw(st.lists(st.sampled_from(VALUES[opening]), min_size=2, max_size=6)):
        text += draw(st.sampled_from(SEPARATORS)) if places else ""
        if opening.endswith(" is ") and len(text) - len(opening.removesuffix(" is ")) > BEFORE:
            break  # the name reaches no farther
        places.append((len(text), len(text) + len(value)))
        text += value
    return text, places


@pytest.mark.promise("PII-1")
@settings(max_examples=400, deadline=None)
@given(lists())
def test_each_value_of_a_list_is_covered_whole(made):
    text, places = made
    findings = find_personal(text)
    for start, end in places:
        covered = {at for finding in findings for at in range(max(start, finding.start), min(end, finding.end))}
        assert len(covered) == end - start, (text[start:end], findings)


@pytest.mark.promise("PII-7")
@settings(max_examples=150, deadline=None)
@given(lists(), st.integers(1, 30))
def test_no_group_of_a_list_leaves_a_stream(made, size):
    text, places = made
    window, sent = Window(lambda finding, value: "*"), ""
    for at in range(0, len(text), size):
        sent += window.feed(text[at : at + size]).text
    sent += window.feed("", final=True).text
    for start, end in places:
        assert text[start:end] not in sent


NAMED = {"cvv": ("123", "9876"), "pin": ("4556", "918273"), "otp": ("918273", "4556"), "PIN": ("1596",)}
LINKS = [" ", " is the ", " is my ", ", my ", " ist meine ", " est mon ", " es mi ", " (", ": ", " - "]
NEXT = [", ", " ", ". ", ": ", " - ", " and ", ") ", "; ", "\n"]
NUMBERS = ["12/26 exp", "2 attempts left", "12/03/1984 my dob", "10 euros", "4111 1111 1111 1111", "415-555-0132", "3"]


@pytest.mark.promise("PII-1")
@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([(name, value) for name, values in NAMED.items() for value in values]),
    st.sampled_from(LINKS),
    st.sampled_from(NEXT),
    st.sampled_from(NUMBERS),
)
def test_a_code_named_behind_itself_is_found_whatever_number_follows(code, link, between, number):
    name, value = code
    text = f"{value}{link}{name}{between}{number}"
    assert any(finding.start == 0 and finding.end == len(value) for finding in find_personal(text)), text
