"""What a person reads: sentences in her language, dates in the organisation's time zone, numbers and money as she
writes them. English is complete; another language falls back to it sentence by sentence. Pure but for reading the
catalogues.

A catalogue is the `.po` files of one folder, one per page, so that each page's sentences stay beside the page's author.
"""

import gettext
import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, numbers
from babel.core import negotiate_locale
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE = "en"
NOTHING = "–"
MINUTE_MS, DAY_MS = 60_000, 86_400_000


def N_(text: str) -> str:
    """Marks a sentence for the catalogues where it is data; `Words.__call__` translates it later."""
    return text


class Words:
    """One visitor's language and time zone. Placeholders are named: `words("{n} of {all}", n=1, all=2)`."""

    def __init__(self, locale: Locale, catalogue: gettext.NullTranslations, zone: tzinfo, now_ms: int) -> None:
        self.locale = locale
        self.zone = zone
        self.now_ms = now_ms
        self._catalogue = catalogue

    @property
    def language(self) -> str:
        return str(self.locale.language)

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`, for `<html dir>`."""
        return str(self.locale.text_direction)

    def __call__(self, text: str, **values: object) -> str:
        """A sentence. Raises KeyError when a placeholder has no value."""
        found = self._catalogue.gettext(text) if text else ""
        return found.format(**values) if values else found

    def plural(self, one: str, many: str, n: int, **values: object) -> str:
        """`{n}` is the number, written as the visitor writes it."""
        return self._catalogue.ngettext(one, many, n).format(n=self.number(n), **values)

    def of(self, one: str, many: str, n: int) -> str:
        """The form for `n`, its placeholders untouched: for templates."""
        return self._catalogue.ngettext(one, many, n)

    def number(self, value: int | float, digits: int = 0) -> str:
        quantum = Decimal(1).scaleb(-digits)
        rounded = Decimal(str(value)).quantize(quantum)  # Babel alone would keep three digits of it
        return str(numbers.format_decimal(rounded, locale=self.locale, decimal_quantization=digits <= 3))

    def percent(self, share: float, digits: int = 1) -> str:
        """`share`: 0..1."""
        form = "#,##0." + "0" * digits + "%" if digits else "#,##0%"
        pattern = numbers.parse_pattern(form)
        return str(numbers.format_percent(share, format=pattern, locale=self.locale))

    def money(self, minor: int | None, currency: str) -> str:
        """`minor`: in the currency's minor unit; None: no amount."""
        if minor is None:
            return NOTHING
        amount = Decimal(minor).scaleb(-numbers.get_currency_precision(currency))
        return str(numbers.format_currency(amount, currency, locale=self.locale))

    def day(self, at_ms: int | None) -> str:
        return NOTHING if at_ms is None else str(format_date(self._at(at_ms), "medium", locale=self.locale))

    def time(self, at_ms: int | None) -> str:
        if at_ms is None:
            return NOTHING
        return str(format_time(self._at(at_ms), "short", tzinfo=self.zone, locale=self.locale))

    def moment(self, at_ms: int | None) -> str:
        """Day and time; today the time alone."""
        if at_ms is None:
            return NOTHING
        if self._at(at_ms).date() == self._at(self.now_ms).date():
            return self.time(at_ms)
        return str(format_datetime(self._at(at_ms), "medium", tzinfo=self.zone, locale=self.locale))

    def lasting(self, ms: int) -> str:
        """A length of time, in its largest unit: `3 minutes`."""
        seconds = max(0, ms) // 1000
        return str(format_timedelta(seconds, granularity="second", threshold=1, format="long", locale=self.locale))

    def ago(self, at_ms: int | None) -> str:
        """`8 minutes ago`, or `in 11 minutes` for what is to come."""
        if at_ms is None:
            return NOTHING
        seconds = (at_ms - self.now_ms) // 1000
        return str(format_timedelta(seconds, threshold=1, add_direction=True, format="long", locale=self.locale))

    def iso(self, at_ms: int) -> str:
        """For the `datetime` attribute of `<time>`."""
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")

    def hour(self) -> int:
        """Of the day, 0 to 23."""
        return self._at(self.now_ms).hour

    def iso_day(self) -> str:
        """This day in the organisation's time zone, ISO 8601."""
        return self._at(self.now_ms).date().isoformat()

    def day_ms(self, day: str) -> int | None:
        """When a day (2026-11-21) begins in the organisation's time zone; None for what is no day."""
        try:
            begin = datetime.strptime(day.strip(), "%Y-%m-%d").replace(tzinfo=self.zone)
        except ValueError:
            return None
        return int(begin.timestamp() * 1000)

    def day_after_ms(self, begin_ms: int) -> int:
        """When the day after one begins, in the organisation's time zone: not each has 24 hours."""
        after = self._at(begin_ms).date() + timedelta(days=1)
        return int(datetime(after.year, after.month, after.day, tzinfo=self.zone).timestamp() * 1000)

    def today_ms(self) -> int:
        """When this day began in the organisation's time zone."""
        begin = self._at(self.now_ms).replace(hour=0, minute=0, second=0, microsecond=0)
        return int(begin.timestamp() * 1000)

    def _at(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, self.zone)


class Languages:
    """All catalogues of a folder, read once. `zone_of`: an unknown zone is UTC."""

    def __init__(self, folder: Traversable | None = None) -> None:
        root = folder or files("handrail.console").joinpath("locale")
        self._known: dict[str, Mapping[str, gettext.NullTranslations]] = {
            each.name: _catalogues(each) for each in root.iterdir() if each.is_dir() and each.name != SOURCE
        }
        self._known[SOURCE] = {"": gettext.NullTranslations()}

    @property
    def names(self) -> dict[str, str]:
        """Code to its own name, for the switch."""
        return {code: Locale.parse(code).get_display_name() or code for code in sorted(self._known)}

    def words(self, *, chosen: str, accepts: str, zone: str, now_ms: int, page: str = "") -> Words:
        """`chosen`: by the visitor, empty: not. `accepts`: the header Accept-Language. `page`: whose sentences come
        first where two pages translate one differently."""
        wanted = [chosen[:35], *_accepted(accepts)]
        known = list(self._known)
        found = (negotiate_locale([one for one in wanted if one], known, sep="-") or SOURCE).lower()
        region = next((one for one in wanted if one.split("-")[0].lower() == found), found)
        catalogues = self._known[found]
        return Words(_locale(region, found), catalogues.get(page, catalogues[""]), _zone(zone), now_ms)


def _accepted(header: str) -> list[str]:
    """Languages by their weight; at most ten are looked at."""
    weighed = []
    for part in header.split(",")[:10]:
        name, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1), name.strip()))
        except ValueError:
            continue
    return [name for _, name in sorted(weighed, key=lambda each: each[0]) if name and name != "*"]


def _locale(region: str, language: str) -> Locale:
    try:
        return Locale.parse(region, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale.parse(language)


@cache
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def _catalogues(folder: Traversable) -> dict[str, gettext.NullTranslations]:
    """By page; under "" all of them. A page's own sentence comes before another page's: "Contained" is a state of an
    incident here and a figure there, and only one of them would be right for both."""
    merged, pages = Catalog(locale=folder.name), {}
    for each in sorted(folder.iterdir(), key=lambda one: one.name):
        if each.name.endswith(".po"):
            own = Catalog(locale=folder.name)
            for message in read_po(io.StringIO(each.read_text(encoding="utf-8")), locale=folder.name):
                forms = message.string if isinstance(message.string, tuple) else (message.string,)
                if message.id and all(forms) and not message.fuzzy:
                    for catalogue in (own, merged):
                        catalogue.add(message.id, message.string, flags=message.flags)
            pages[each.name.removesuffix(".po")] = _compiled(own)
    found: dict[str, gettext.NullTranslations] = {"": _compiled(merged)}
    for name, page in pages.items():
        page.add_fallback(found[""])
        found[name] = page
    return found


def _compiled(catalogue: Catalog) -> gettext.GNUTranslations:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
