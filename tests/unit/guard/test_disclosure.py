"""What the customer is told: always something that was sent, and nothing else is recorded as told."""

import asyncio
from urllib.parse import unquote

import pytest
from tests.fakes.gateway import chat_answer, chat_stream, use_case, world
from tests.fakes.guard import Answering

from handrail.guard.disclosure import MOST_LANGUAGES, Telling, Told, tell
from handrail.home.defaults import DISCLOSED
from handrail.policy.ruleset import Disclosure

OWN = {**DISCLOSED, "de": "Hier antwortet ein Automat.", "pt-BR": "Uma máquina responde."}
POLISH = "Gdzie jest moja paczka? Zamówiłem ją w zeszłym tygodniu i nadal nie dotarła."
FINNISH = "Missä pakettini on? Tilasin sen viime viikolla eikä se ole vieläkään saapunut."


def told(language: str, wording: dict[str, str], languages: tuple[str, ...]) -> Told | None:
    return tell(use_case(languages=languages, disclosure=Disclosure(wording=wording, version="2")), language)


@pytest.mark.parametrize(
    ("language", "wording", "languages", "expected"),
    [
        ("de", OWN, ("de", "fr"), ("de", OWN["de"])),
        ("pl", OWN, ("de", "fr"), ("pl", DISCLOSED["pl"])),
        ("pt-BR", OWN, ("de", "fr"), ("pt-BR", OWN["pt-BR"])),
        ("pt-PT", OWN, ("de", "fr"), ("pt", DISCLOSED["pt"])),
        ("fi", OWN, ("de", "fr"), ("de", OWN["de"])),
        ("", OWN, ("de-AT",), ("de", OWN["de"])),
        ("fi", OWN, (), ("en", DISCLOSED["en"])),
        ("fi", {"*": "A machine."}, ("de",), ("fi", "A machine.")),
        ("", {"*": "A machine."}, ("de",), ("und", "A machine.")),
        ("pl", {"de": "Automat."}, ("de",), ("de", "Automat.")),
    ],
)
def test_the_wording_falls_back_until_there_is_one(
    language: str, wording: dict[str, str], languages: tuple[str, ...], expected: tuple[str, str]
) -> None:
    assert told(language, wording, languages) == ("2", *expected)


@pytest.mark.promise("GTW-12")
def test_without_any_wording_nothing_is_sent_and_nothing_recorded() -> None:
    assert told("de", {}, ("de",)) is None
    w = world(lambda request: Answering([chat_answer("Yes.")]), case=use_case(disclosure=Disclosure()))
    asked = {"model": "support", "messages": [{"role": "user", "content": "Hi"}]}
    got = asyncio.run(w.post("/v1/chat/completions", asked))
    assert got.status == 200
    assert "x-handrail-disclosure" not in got.headers
    assert "queued disclosure.recorded" not in w.steps


@pytest.mark.promise("GTW-12")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("text", "language"), [(POLISH, "pl"), (FINNISH, "de")])
def test_what_is_recorded_as_told_is_what_was_sent(text: str, language: str, stream: bool) -> None:
    wording = {**OWN, "pl": "Automat; 100% maszyna = tak."}
    case = use_case(languages=("de",), disclosure=Disclosure(wording=wording, version="1;b"))
    answers = chat_stream(["Yes."]) if stream else [chat_answer("Yes.")]
    w = world(lambda request: Answering(answers), case=case)
    asked = {"model": "support", "messages": [{"role": "user", "content": text}], "stream": stream}
    got = asyncio.run(w.post("/v1/chat/completions", asked))
    said = dict(part.split("=", 1) for part in got.headers["x-handrail-disclosure"].split("; "))
    assert {name: unquote(value) for name, value in said.items()} == {
        "version": "1;b",
        "language": language,
        "wording": wording[language],
    }
    (facts,) = [entry.facts for entry in w.journal.entries if entry.kind == "disclosure.recorded"]
    assert (facts.version, facts.language) == ("1;b", language)


def test_what_is_told_is_remembered_for_each_language_and_bounded() -> None:
    case = use_case(languages=("de",), disclosure=Disclosure(wording=OWN, version="2"))
    telling = Telling(case)
    for language in ("de", "fi", "", "pt-PT", "de"):
        assert telling.tell(language) == tell(case, language)
    nothing = Telling(use_case(languages=("de",), disclosure=Disclosure(wording={"it": "Una macchina."})))
    assert [nothing.tell("de"), nothing.tell("de")] == [None, None]
    first = telling.tell("de")
    for number in range(MOST_LANGUAGES):
        telling.tell(f"x{number}")
    assert telling.tell("de") is not first
    assert telling.tell("de") == first
