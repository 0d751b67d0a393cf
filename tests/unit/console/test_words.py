"""Sentences, numbers, money and times as a visitor reads them; and that German has every sentence."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from handrail.console.words import Languages, Words

NOON_MS = 1_790_000_000_000  # 2026-09-21 14:13:20 UTC
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def languages() -> Languages:
    return Languages()


def words(languages: Languages, chosen: str = "", accepts: str = "", zone: str = "Europe/Berlin") -> Words:
    return languages.words(chosen=chosen, accepts=accepts, zone=zone, now_ms=NOON_MS)


def renewal() -> ModuleType:
    spec = importlib.util.spec_from_file_location("console_words", ROOT / "scripts" / "console_words.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_browsers_wish_counts_by_its_weight_and_the_visitors_choice_before_it(languages: Languages) -> None:
    assert words(languages, accepts="fr;q=0.9,de-AT;q=0.8,en;q=0.1").language == "de"
    assert words(languages, chosen="en", accepts="de").language == "en"
    assert words(languages, accepts="xx, *;q=0.1, ;q=x").language == "en"


@pytest.mark.parametrize("bad", ["de;q=abc", "../../etc", "de-" * 400, "\x00", "de_DE@x", "a" * 5_000, "zz-ZZ-zz"])
def test_a_nonsense_wish_is_english_or_what_can_be_read_of_it(languages: Languages, bad: str) -> None:
    assert words(languages, chosen=bad, accepts=bad).language in ("en", "de")


def test_money_and_numbers_are_written_as_the_visitor_writes_them(languages: Languages) -> None:
    assert words(languages, chosen="en-GB").money(61_240, "EUR") == "€612.40"
    assert words(languages, chosen="de").money(61_240, "EUR") == "612,40\xa0€"
    assert words(languages, chosen="en").money(5_000, "JPY") == "¥5,000"
    assert words(languages, chosen="de").number(41_286) == "41.286"
    assert words(languages, chosen="de").percent(0.183) == "18,3%"


def test_times_are_the_organisations(languages: Languages) -> None:
    assert words(languages, chosen="de", zone="Europe/Berlin").time(NOON_MS) == "16:13"
    assert words(languages, chosen="de", zone="UTC").time(NOON_MS) == "14:13"
    assert words(languages, chosen="de", zone="Nowhere/Here").time(NOON_MS) == "14:13"
    midnight = words(languages, zone="Asia/Tokyo").today_ms()
    assert words(languages, chosen="de", zone="Asia/Tokyo").time(midnight) == "00:00"
    assert 0 <= NOON_MS - midnight < 86_400_000


def test_what_is_to_come_and_what_was_are_told_apart(languages: Languages) -> None:
    english = words(languages, chosen="en-GB")
    assert english.ago(NOON_MS - 8 * 60_000) == "8 minutes ago"
    assert english.ago(NOON_MS + 11 * 60_000) == "in 11 minutes"
    assert english.ago(None) == "–"


def test_values_are_put_in_by_name_and_never_read_as_placeholders_again(languages: Languages) -> None:
    assert words(languages)("{a} of {b}", a="{b}", b="x") == "{b} of x"


@pytest.mark.promise("WRD-1")
def test_one_word_that_two_pages_mean_differently_is_said_as_the_page_means_it(tmp_path: Path) -> None:
    """Contained is a state of an incident, and a figure of the watch."""
    (tmp_path / "de").mkdir()
    for page, said in (("incident", "Eingedämmt"), ("watch", "Selbst gelöst")):
        head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        text = f'{head}msgid "Contained"\nmsgstr "{said}"\n\nmsgid "of {page}"\nmsgstr "von {page}"\n'
        (tmp_path / "de" / f"{page}.po").write_text(text, encoding="utf-8")
    known = Languages(tmp_path)

    def words_of(page: str) -> Words:
        return known.words(chosen="de", accepts="", zone="UTC", now_ms=0, page=page)

    assert words_of("incident")("Contained") == "Eingedämmt"
    assert words_of("watch")("Contained") == "Selbst gelöst"
    assert words_of("watch")("of incident") == "von incident", "what a page shows of another one"
    assert words_of("none")("Contained") == "Eingedämmt"


TERMS = (
    "Use case", "Approvals", "Releases", "Release", "Incidents", "Alerts", "Alert", "Interactions", "Tests", "Owner",
)  # fmt: skip
"""What stands in the navigation and on many pages: the same everywhere."""


@pytest.mark.promise("WRD-1")
@pytest.mark.parametrize("term", TERMS)
def test_what_is_a_term_has_one_german_word(term: str) -> None:
    module = renewal()
    found = {}
    for name in module.all_names():
        message = module.catalogue(module.ROOT / "locale" / "de" / f"{name}.po", "de").get(term)
        if message is not None and message.string:
            found[name] = message.string
    assert len(set(found.values())) <= 1, found


@pytest.mark.promise("CON-7")
@pytest.mark.parametrize("name", renewal().all_names())
def test_german_has_every_sentence_and_its_placeholders(name: str) -> None:
    module = renewal()
    known = module.catalogue(module.ROOT / "locale" / "de" / f"{name}.po", "de")
    shared = module.sentences("frame") if name != "frame" else {}
    for key in module.sentences(name):
        if key in shared:
            continue
        message = known.get(key if isinstance(key, str) else key[0])
        assert message is not None, f"run scripts/console_words.py {name}: {key!r} is in no catalogue"
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        ids = key if isinstance(key, tuple) else (key,)
        for id_, string in zip(ids, strings, strict=True):
            assert string, f"{name}.po has no German for {id_!r}"
            assert holes(string) <= holes(ids[-1]) | holes(ids[0]), f"{id_!r} -> {string!r}"
            assert holes(id_) <= holes(string) | {"n"}, f"{id_!r} -> {string!r}"


def holes(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text)) | set(re.findall(r"%\((\w+)\)", text))
