"""Any text may stand in a home: the check never breaks, and what it lets through compiles and can be stored."""

import msgspec
import pytest
from fakes.home import CHAT, HANDRAIL, home
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail.home.check import check
from handrail.home.compile import compile_home
from handrail.home.mistake import Mistake
from handrail.home.problem import HomeInvalid
from handrail.home.text import HomeText
from handrail.home.tree import parse
from handrail.policy.ruleset import Ruleset, digest
from handrail.releases.release import Release

FULL = (
    CHAT
    + """\
mode: enforce
accepted_failures: [{metric: complaint_rate, limit: 0.02}]
sentences: {block: {en: No., '*': No.}, handover: Wait.}
findings:
  input: {CARD: mask, LEGAL: handover, SECRET: {action: block, min_score: 0.7, sentences: {de: Nein.}}}
  sources: {INJECTION: mask}
  answers: {UNGROUNDED: block}
links_allowed: [shop.example]
prompt: {mode: managed, file: chat.md, canary: true}
budget: {requests: 100, cost: 4.50}
retention: {payload_days: 30, minimum_days: 3}
disclosure: {required: true, wording: {en: An AI., '*': An AI.}, version: '1'}
"""
)
ODD = st.sampled_from(
    [
        *(
            "~",
            "no",
            "[]",
            "{}",
            "[~]",
            "{a: ~}",
            "[{a: 1}]",
            "[[1]]",
            "{'*': ~}",
            "0",
            "-1",
            "1e999",
            ".nan",
            "'",
            '"',
        ),
        *("*a", "&a x", "!t x", "? ", "- ", "#", "2026-01-01", "0x1f", "{a: {a: {a: 1}}}", "\t", "\u0000", "\u202e"),
        *("é", "😀", "%", "@", "`", "|", ">", "<<: {a: 1}", "R4", "A4", "block", "mark", "CVV", "http://10.0.0.1/v1"),
        *("sk-abcdefghijklmnop1234", "x" * 3000, "1" * 5000),
    ]
)
EDIT = st.tuples(st.integers(0, 10_000), st.sampled_from(["value", "line", "drop", "double", "indent", "cut"]), ODD)


def edited(text: str, edits: list[tuple[int, str, str]]) -> str:
    lines = text.split("\n")
    for place, what, odd in edits:
        at = place % len(lines)
        key, colon, _ = lines[at].partition(":")
        match what:
            case "value":
                lines[at] = f"{key}{colon} {odd}"
            case "line":
                lines.insert(at, odd)
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "indent":
                lines[at] = f"  {lines[at]}"
            case "cut":
                lines[at] = lines[at][: place % (len(lines[at]) + 1)]
            case _:
                pass
    return "\n".join(lines)


def sound(found: list[Mistake], text: HomeText) -> None:
    """Every mistake points into a file that is there, at a line and column that it has."""
    for each in found:
        assert each.message
        if each.line:
            lines = text.texts[each.file].split("\n")
            assert 1 <= each.line <= len(lines) + 1
            assert 1 <= each.column <= max((len(line) for line in lines), default=0) + 2


@pytest.mark.promise("HOM-9")
@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(EDIT, max_size=5), st.lists(EDIT, max_size=3))
def test_a_home_is_either_told_what_is_wrong_or_compiles_to_something_that_can_be_stored(
    case: list[tuple[int, str, str]], top: list[tuple[int, str, str]]
) -> None:
    text = home(
        {
            "use-cases/chat.yaml": edited(FULL, case),
            "handrail.yaml": edited(HANDRAIL, top),
            "prompts/chat.md": "Be kind.",
        }
    )
    found = check(text)
    sound(found, text)
    if found:
        with pytest.raises(HomeInvalid) as caught:
            compile_home(text)
        assert list(caught.value.mistakes) == found
        return
    made = compile_home(text)
    stored = msgspec.json.decode(msgspec.json.encode(made.ruleset), type=Ruleset)
    assert digest(stored) == digest(made.ruleset)
    for release in made.releases.values():
        again = msgspec.json.decode(msgspec.json.encode(release), type=Release)
        assert digest(again) == digest(release)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.lists(ODD, max_size=8).map("\n".join))
def test_any_text_is_read_or_told(text: str) -> None:
    root, mistakes = parse("x.yaml", text)
    assert (
        root is not None
        or mistakes
        or not text.strip()
        or all(line.strip().startswith(("#", "---", "%")) or not line.strip() for line in text.splitlines())
    )
    check(HomeText(texts={"handrail.yaml": text, "use-cases/a.yaml": text}, names=frozenset()))
