"""One text of a stream: where a sentence ends, what waits, and what is looked over how often."""

import pytest
from tests.fakes.gateway import DETECTORS, replaced, rules, use_case
from tests.fakes.guard import HandClock

from handrail.detectors.base import Report, Text
from handrail.detectors.run import Runner
from handrail.guard.lane import SENTENCE_LIMIT, Reader, Stop, lane_for
from handrail.guard.masking import Vault
from handrail.guard.screen import Setting
from handrail.guard.turn import Channel
from handrail.policy.evaluate import Rules, Side
from handrail.policy.ruleset import FindingAction, StreamMode
from handrail.terms.finding import Finding, Kind


class Marker:
    """Finds a word as a link; keeps every text that it was given."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.given: list[str] = []

    def screen(self, text: Text, kinds, deadline: float) -> Report:
        self.given.append(text.text)
        found = []
        at = text.text.find(self.word)
        while at >= 0 and Kind.LINK in kinds:
            found.append(Finding(Kind.LINK, at, at + len(self.word), 1.0, "marked"))
            at = text.text.find(self.word, at + 1)
        return Report("", tuple(found))


def lane(mode: StreamMode, *, screener=None, action=FindingAction.MARK):
    clock = HandClock()
    masked = dict.fromkeys((Kind.CARD, Kind.IBAN, Kind.PHONE, Kind.EMAIL, Kind.SECRET, Kind.CVV), FindingAction.MASK)
    case = replaced(use_case(), findings=rules({**masked, Kind.LINK: action}))
    setting = Setting(side=Side.OUTPUT, screener=screener or Runner(DETECTORS, clock.monotonic))
    return lane_for(Channel.ASSISTANT, Reader(setting, Rules(case), Vault(b"k" * 32, "cv_1"), {}, mode, clock, 5.0))


def said(given, text: str, size: int) -> str:
    out = [given.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join(out) + given.finish()


SPOKEN = "four one one one one one one one"
MORE = "one one one one one one one one"


@pytest.mark.parametrize("size", [1, 5, 7, 200])
@pytest.mark.parametrize(
    "text",
    [
        f"{SPOKEN}\n{MORE} thanks.",
        f"Sure: {SPOKEN}\n\n{MORE}\nthanks.",
        f"Sure. {SPOKEN},\n{MORE} is it.",
        f"Sure. {SPOKEN}.\n{MORE} is it.",
        f"Sure. {SPOKEN}. {MORE} is it.",
        "vier eins eins eins eins eins eins eins\neins eins eins eins eins eins eins eins danke.",
        "Your card:\n4111 1111\n1111 1111 is it.",
        "Your card 4111 1111\n1111 1111 is it.",
    ],
)
def test_a_number_over_several_lines_is_one_sentence(text: str, size: int) -> None:
    out = said(lane(StreamMode.SENTENCE), text, size)
    assert "[CARD_" in out, out
    assert SPOKEN not in out
    assert MORE not in out
    assert "1111" not in out.replace("[CARD_", "")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("We are open. You can come by", "We are open."),
        ("We are open\nYou can come by", "We are open\n"),
        ("Our opening hours\n- from nine on", "Our opening hours\n"),
        ("It has 12 parts. You can come by", "It has 12 parts."),
        ("It has twelve\nYou can come by", ""),
        ("Your new password is:\nhunter", ""),
        ("We are open\n12 hours a day", ""),
        ("We are open\nYou", ""),
    ],
)
def test_what_ends_a_sentence(text: str, first: str) -> None:
    given = lane(StreamMode.SENTENCE)
    assert "".join(given.feed(letter) for letter in text) == first
    assert given.finish() == text[len(first) :]


def test_a_sentence_without_an_end_goes_on_in_pieces_of_words_that_are_no_numbers() -> None:
    text = "word " * 118 + f"{SPOKEN} {MORE} " + "word " * 200
    for size in (7, 5_000):
        given = lane(StreamMode.SENTENCE)
        out = ""
        for at in range(0, len(text), size):
            out += given.feed(text[at : at + size])
            assert len(given.raw) - len(out) < SENTENCE_LIMIT + len(SPOKEN) * 2
        assert "[CARD_" in out + given.finish()


def test_the_look_behind_the_window_reads_a_text_without_an_end_a_bounded_number_of_times() -> None:
    marker = Marker("zebra")
    given = lane(StreamMode.WINDOW, screener=marker)
    for _ in range(2_000):
        given.feed("abc.de ")
        assert sum(map(len, given._behind)) <= 2 * SENTENCE_LIMIT + 7
    given.finish()
    late = [text for text in marker.given if len(text) > 200]
    assert sum(map(len, late)) <= 3 * len(given.raw)


@pytest.mark.parametrize("size", [7, 50, 5_000])
def test_what_lies_across_two_looks_is_found_once_at_its_place(size: int) -> None:
    word = "we promise you a whole refund"
    text = ("abc.de " * 83 + word + " ") * 6
    given = lane(StreamMode.WINDOW, screener=Marker(word))
    assert said(given, text, size) == text
    places = [at for at in range(len(text)) if text.startswith(word, at)]
    assert [(found.start, found.end) for found in given.findings] == [(at, at + len(word)) for at in places]


def test_a_late_finding_stops_a_text_without_an_end_before_it_is_over() -> None:
    given = lane(StreamMode.WINDOW, screener=Marker("zebra"), action=FindingAction.BLOCK)
    given.feed("a zebra ")
    for _ in range((SENTENCE_LIMIT - len("a zebra ")) // 7):
        given.feed("abc.de ")
    with pytest.raises(Stop):
        given.feed("abc.de ")


@pytest.mark.parametrize("mode", list(StreamMode))
@pytest.mark.parametrize("size", [1, 9, 400])
def test_a_text_that_is_broken_off_is_read_to_its_last_word(mode: StreamMode, size: int) -> None:
    text = "Write to jane@example.com. The card is 4111 1111 1111 1111"
    given = lane(mode)
    for at in range(0, len(text), size):
        given.feed(text[at : at + size])
    given.close()
    given.close()
    assert sorted(text[found.start : found.end] for found in given.findings) == [
        "4111 1111 1111 1111",
        "jane@example.com",
    ]
