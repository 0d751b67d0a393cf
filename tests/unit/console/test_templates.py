"""What no template may hold, and that every text of one goes through the catalogues."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment

import handrail.console

ROOT = Path(handrail.console.__file__).parent
TEMPLATES = sorted((ROOT / "templates").glob("**/*.html"))
FORBIDDEN = {
    r"\sstyle\s*=": "a style attribute: use a class, <meter> or an SVG attribute",
    r"<style": "a style element: use static/css",
    r"\son[a-z]+\s*=": "an inline handler: use data-* and app.js",
    r"\|\s*safe\b": "|safe: text is never markup",
    r"\bMarkup\b": "Markup in a template",
    r"\shx-[a-z-]+\s*=": "hx-* by hand: use hx(...), which writes the nonce",
    r"javascript:": "a script address",
    r"\bsrcdoc\b": "srcdoc",
    r"{%\s*autoescape": "autoescape switched off",
}
TEXT_ATTRIBUTES = ("aria-label", "placeholder", "title", "alt", "label")
ALLOWED = frozenset({"handrail", "Ctrl", "Esc"})
LETTERS = re.compile(r"[^\W\d_]{2,}")


def without_notes(text: str) -> str:
    return re.sub(r"{#.*?#}", "", text, flags=re.DOTALL)


def markup_alone(text: str) -> str:
    """The template without what the engine reads: expressions and statements become a sign that is no letter."""
    classes = re.sub(r"{% block size %}\w+", "", without_notes(text))
    bare = re.sub(r"{%.*?%}|{{.*?}}", "§", classes, flags=re.DOTALL)
    return re.sub(r"<(svg|symbol)\b.*?</\1>", "", bare, flags=re.DOTALL)


@pytest.mark.promise("CON-4")
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_holds_nothing_that_the_policy_forbids(path: Path) -> None:
    text = without_notes(path.read_text())
    found = [why for pattern, why in FORBIDDEN.items() if re.search(pattern, text, re.IGNORECASE)]
    if re.search(r"=\s*{{", re.sub(r"\"[^\"]*\"|'[^']*'", "§", text)):
        found.append("a value outside quotes")
    if re.search(r"<script(?! nonce=\"{{ (page\.)?nonce }}\" src=)", text):
        found.append("a script without the nonce and a file of its own")
    assert not found, f"{path.name}: {found}"


def test_scripts_stand_in_the_layout_alone() -> None:
    holders = {path.name for path in TEMPLATES if "<script" in path.read_text() and "signin" not in path.parts}
    assert holders == {"layout.html"}


@pytest.mark.promise("CON-7")
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_of_a_template_goes_through_the_catalogues(path: Path) -> None:
    bare = markup_alone(path.read_text())
    words = [
        word for text in re.findall(r">([^<>]*)<", f">{bare}<") for word in LETTERS.findall(text) if word not in ALLOWED
    ]
    for name in TEXT_ATTRIBUTES:
        for value in re.findall(rf'\s{name}="([^"]*)"', bare):
            words += [word for word in LETTERS.findall(value) if word not in ALLOWED]
    assert not words, f"{path.name}: {words}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_can_be_parsed(path: Path) -> None:
    Environment(extensions=["jinja2.ext.i18n"], autoescape=True).parse(path.read_text())


def test_the_rules_above_find_what_they_forbid() -> None:
    for slip in ('<p style="x">', '<b onclick="x">', "{{ a|safe }}", '<b hx-get="/x">'):
        assert any(re.search(pattern, slip, re.IGNORECASE) for pattern in FORBIDDEN), slip
    assert LETTERS.findall(re.findall(r">([^<>]*)<", markup_alone("<p>Plain {{ _('x') }} text</p>"))[0]) == [
        "Plain", "text",
    ]  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "static").glob("**/*.css")), ids=lambda path: path.name)
def test_the_style_sheet_speaks_of_start_and_end_and_never_of_left_and_right(path: Path) -> None:
    if "vendor" in path.parts:
        return
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    found = re.findall(r"(?:^|[;{\s])((?:margin-|padding-|border-)?(?:left|right))\s*:|:\s*(left|right)\s*[;}]", text)
    assert not found, f"{path.name}: {found}"
