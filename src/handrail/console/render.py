"""The one place where a view model becomes HTML: the templates, and what they may call.

Autoescape is on and an unknown name is an error. A part of a page that renews itself is a block whose name begins with
`part_`: the same address with `?part=NAME` renders that block alone, from the same view and under the same rights.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from handrail.console.keys import Key, shown
from handrail.console.routes import Route
from handrail.console.static_files import StaticFiles
from handrail.console.visitor import Visitor
from handrail.console.words import Words
from handrail.terms.errors import Code, HandrailError

PART = "part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What every template may use as `page`, beside its own `view`. `path`: as asked, with its query. `said`: shown
    once. `theme`: `light`, `dark` or empty. `keys_off`: single keys are switched off. `row`: of the ledger, up
    to which the page knows everything."""

    route: Route
    visitor: Visitor | None
    words: Words
    nonce: str
    path: str
    frame: object
    theme: str = ""
    said: str = ""
    keys_off: bool = False
    row: int = 0


_PAGE: ContextVar[Page] = ContextVar("page")
"""Set while one template renders, synchronously: macros and `_` find the visitor's words and the nonce there."""


class Renderer:
    """`routes`: all. `keys`: all."""

    def __init__(self, routes: Mapping[str, Route], keys: Mapping[str, Key], static: StaticFiles) -> None:
        self._routes = routes
        self._keys = keys
        self._env = Environment(
            loader=PackageLoader("handrail.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, extensions=["jinja2.ext.i18n"],
        )  # fmt: skip
        self._env.install_gettext_callables(  # type: ignore[attr-defined]  # added by the extension
            lambda text: _PAGE.get().words(text), lambda one, many, n: _PAGE.get().words.of(one, many, n), newstyle=True
        )
        self._env.globals.update(
            asset=static.__getitem__, url=self._url, hx=_hx, live=_live, act=self._act, badge_of=self._badge,
            csrf=_csrf, at=_at, has=lambda name: name in routes, t=lambda text: _PAGE.get().words(text),
        )  # fmt: skip
        for name in ("parts/ui.html", "parts/charts.html"):
            self._env.globals[name.split("/")[1].split(".")[0]] = self._env.get_template(name).module

    def page(self, page: Page, template: str, view: object) -> str:
        """The whole page."""
        return self._in(page, lambda: self._env.get_template(template).render(page=page, view=view))

    def part(self, page: Page, template: str, view: object, name: str) -> str:
        """One block. Raises HandrailError NOT_FOUND for a name that the template does not have."""
        found = self._env.get_template(template)
        block = found.blocks.get(f"part_{name}")
        if block is None:
            raise HandrailError(Code.NOT_FOUND, "this page has no such part")
        return self._in(page, lambda: "".join(block(found.new_context({"page": page, "view": view}))))

    def _in(self, page: Page, work: Any) -> str:
        token = _PAGE.set(page)
        try:
            return str(work())
        finally:
            _PAGE.reset(token)

    def _url(self, name: str, **values: object) -> str:
        """The address of a route: `url("approvals.show", action=id)`; what is no part of the path goes into the query.
        Raises KeyError for an unknown name."""
        path = self._routes[name].path
        rest = {}
        for key, value in values.items():
            if "{" + key + "}" in path:
                path = path.replace("{" + key + "}", quote(str(value), safe=""))
            elif value not in (None, "", ()):
                rest[key] = value
        if "{" in path:
            raise KeyError(f"{name} needs {path}")
        return f"{path}?{urlencode(rest, doseq=True)}" if rest else path

    def _act(self, name: str) -> Markup:
        """The attributes of the element that a key acts on. Raises KeyError for a key that is in no table."""
        key = self._keys[name]
        return Markup('data-act="{}" aria-keyshortcuts="{}"').format(name, " ".join(key.keys))

    def _badge(self, name: str) -> Markup:
        """The key as it is shown. Hidden from screen readers, who hear `aria-keyshortcuts`."""
        return Markup('<kbd data-key="{}" aria-hidden="true">{}</kbd>').format(name, shown(self._keys[name].keys[0]))


def _attributes(pairs: Mapping[str, object]) -> Markup:
    return Markup(" ").join(Markup('{}="{}"').format(name, value) for name, value in pairs.items())


def _hx(**values: object) -> Markup:
    """Attributes of an active element with this answer's nonce: `hx(get=url(...), trigger="click")`. Every hx-*
    attribute is written by this; `hx-csp` strips them from any element without the nonce."""
    named = {f"hx-{name.replace('_', '-')}": value for name, value in values.items()}
    return _attributes({"hx-nonce": _PAGE.get().nonce, **named})


def _live(topics: str, part: str, every_s: int = 0) -> Markup:
    """An element that asks for its own block anew when one of the topics (`console.live`) has news. `every_s`: also
    after so many seconds, for what is counted without an entry in the ledger; 0: not."""
    page = _PAGE.get()
    path, _, query = page.path.partition("?")
    kept = "&".join(each for each in query.split("&") if each and not each.startswith(f"{PART}="))
    address = f"{path}?{kept}&{PART}={part}" if kept else f"{path}?{PART}={part}"
    heard = ", ".join(f"live-{topic} from:body delay:50ms" for topic in topics.split())
    if every_s:
        heard += f", every {every_s}s"
    return _hx(get=address, trigger=heard, swap="innerMorph") + Markup(' data-live="{}"').format(topics)


def _csrf() -> Markup:
    """Goes into every form that changes something."""
    visitor = _PAGE.get().visitor
    return Markup('<input type="hidden" name="csrf" value="{}">').format(visitor.csrf if visitor else "")


@pass_context
def _at(_: Context, at_ms: int | None, how: str = "moment") -> Markup:
    """A `<time>`. `how`: `moment`, `ago`, `day` or `time` of `Words`."""
    words = _PAGE.get().words
    if at_ms is None:
        return Markup("–")
    text = {"moment": words.moment, "ago": words.ago, "day": words.day, "time": words.time}[how](at_ms)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(words.iso(at_ms), words.moment(at_ms), text)
