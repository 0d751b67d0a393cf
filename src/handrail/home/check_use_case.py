"""What makes sense in one use case, and between use cases; pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from handrail.home.address import address
from handrail.home.check_demote import check_demote
from handrail.home.check_findings import check_findings, check_spoken, known_language
from handrail.home.check_ramp import check_ramp
from handrail.home.check_watch import check_watch
from handrail.home.codes import COMMON_REGIONS, COUNTRIES, CURRENCIES, GROUPS, LANGUAGES
from handrail.home.fields import MAIL
from handrail.home.fit import SECRET, Fitted, Path, shown
from handrail.home.levels import check_levels
from handrail.home.mistake import Mistake, Place, did_you_mean, mistake
from handrail.home.tree import FORBIDDEN
from handrail.policy.ruleset import PromptMode

INHERITED = ("owner", "deputy", "escalation", "languages", "regions")
"""Needed in every use case, unless `defaults` has them."""

OURS = frozenset(
    {"model", "messages", "input", "system", "instructions", "prompt", "stream", "user", "metadata", "tools",
     "safety_identifier", "conversation", "previous_response_id"}
)  # fmt: skip
"""Fields of a request that a release may not set as parameters: they are the client's, or handrail's own."""

RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
}
_HOST = re.compile(r"^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,63}$")
_TOOL = re.compile(r"^[A-Za-z0-9_.:-]{1,100}$")


def check_use_case(case: Fitted, *, home: Fitted, prompts: Mapping[str, str]) -> Iterator[Mistake]:
    """Every mistake of meaning in one file; those of form are `home.fit`. What leans on a `handrail.yaml` that could
    not be read is left out: its own mistake is told, and it would only be told again here."""
    value = case.value
    yield from check_regions(case, value, ())
    yield from check_levels(case)
    yield from check_findings(case, value, ())
    yield from _accepted(case, value)
    yield from _parameters(case, value)
    yield from _prompt(case, value, prompts)
    yield from _links(case, value)
    yield from check_ramp(case, home.value)
    yield from check_watch(case)
    yield from check_demote(case)
    yield from check_limits(case, value, (), home.value)
    if home.value:
        yield from _people(case, value, home)
        yield from check_spoken(case, value, home.value.get("defaults") or {})
        yield from _route(case, value, home.value)
        yield from _cost(case, value, home.value)


def check_defaults(doc: Fitted) -> Iterator[Mistake]:
    """The same for `defaults` in handrail.yaml."""
    value = doc.value.get("defaults") or {}
    at: Path = ("defaults",)
    yield from check_regions(doc, value, at)
    yield from check_findings(doc, value, at)
    yield from check_limits(doc, value, at, doc.value)
    if value.get("owner") and str(value["owner"]).lower() == str(value.get("deputy", "")).lower():
        yield _same(doc.place(*at, "deputy"))


def check_ids(cases: Iterable[Fitted]) -> Iterator[Mistake]:
    """Every id once over all files."""
    first: dict[str, Place] = {}
    for case in cases:
        name = case.value.get("id")
        if name is None:
            continue
        if name in first:
            yield mistake(
                case.place("id"),
                "use_case.repeated",
                f"the id {shown(name)} is taken",
                hint=f"by {first[name].file}:{first[name].line}",
            )
        else:
            first[name] = case.place("id")


def _people(case: Fitted, value: Mapping[str, Any], home: Fitted) -> Iterator[Mistake]:
    defaults = home.value.get("defaults") or {}
    for name in INHERITED:
        tried = (name,) in case.places or ("defaults", name) in home.places  # a mistake of form was told already
        if name not in value and name not in defaults and not tried:
            yield mistake(
                case.place(),
                "field.missing",
                f'"{name}" is missing',
                expected=f"{name}: here, or in defaults of handrail.yaml",
            )
    owner = value.get("owner") or defaults.get("owner")
    deputy = value.get("deputy") or defaults.get("deputy")
    if owner and deputy and owner.lower() == deputy.lower():
        yield _same(case.place("deputy") if "deputy" in value else case.place("owner"))
    contact = value.get("escalation")
    if contact and not _contact(contact):
        yield mistake(
            case.place("escalation"),
            "escalation.form",
            f"nobody can be reached at {shown(contact)}",
            expected="an e-mail address, tel:+44..., or https://...",
        )


def _same(place: Place) -> Mistake:
    return mistake(place, "deputy.same", "owner and deputy are the same person", expected="two people")


def _contact(text: str) -> bool:
    if re.match(MAIL, text) or re.match(r"^tel:\+?[0-9 ()-]{5,}$", text):
        return True
    found = address(text)
    return found is not None and found.scheme == "https"


def check_regions(doc: Fitted, value: Mapping[str, Any], at: Path) -> Iterator[Mistake]:
    for place, code in enumerate(value.get("languages") or []):
        if not known_language(code):
            yield mistake(
                doc.place(*at, "languages", place),
                "language.unknown",
                f"the language {shown(code)} is unknown",
                expected="an ISO 639-1 code, such as en, de or pt-BR",
                hint=did_you_mean(code, LANGUAGES),
            )
    for place, code in enumerate(value.get("regions") or []):
        if code not in COUNTRIES | GROUPS and not _subdivision(code):
            known = COMMON_REGIONS.get(code.upper()) or (code.upper() if code.upper() in COUNTRIES | GROUPS else "")
            yield mistake(
                doc.place(*at, "regions", place),
                "region.unknown",
                f"the region {shown(code)} is unknown",
                expected="an ISO 3166-1 code such as DE, US-CA, EU or EEA",
                hint=f'did you mean "{known}"?' if known else did_you_mean(code, COUNTRIES),
            )


def _subdivision(code: str) -> bool:
    return code[:2] in COUNTRIES and re.match(r"^[A-Z]{2}-[A-Z0-9]{1,3}$", code) is not None


def _accepted(case: Fitted, value: Mapping[str, Any]) -> Iterator[Mistake]:
    first: set[str] = set()
    for place, row in enumerate(value.get("accepted_failures") or []):
        metric = row.get("metric")
        if metric in first:
            yield mistake(
                case.place("accepted_failures", place, "metric"),
                "accepted.repeated",
                f"{metric} has two limits",
                hint="delete one",
            )
        first.add(metric)


def _route(case: Fitted, value: Mapping[str, Any], home: Mapping[str, Any]) -> Iterator[Mistake]:
    providers = home.get("providers") or {}
    for place, target in enumerate((value.get("model") or {}).get("route") or []):
        where = case.place("model", "route", place)
        provider, slash, model = target.partition("/")
        if not slash or not provider or not model:
            yield mistake(where, "route.form", f"{shown(target)} is no target", expected="provider/model")
            continue
        if provider not in providers:
            yield mistake(
                where,
                "route.provider",
                f"there is no provider {shown(provider)} in handrail.yaml",
                hint=did_you_mean(provider, providers),
            )
            continue
        models = providers[provider].get("models") or []
        if models and model not in models:
            yield mistake(
                where,
                "route.model",
                f"{shown(model)} is not among the models of {provider}",
                expected=f"one of {', '.join(models)}",
                hint=did_you_mean(model, models),
            )


def _parameters(case: Fitted, value: Mapping[str, Any]) -> Iterator[Mistake]:
    for name, given in ((value.get("model") or {}).get("parameters") or {}).items():
        if name in OURS:
            yield mistake(
                case.key("model", "parameters", name),
                "parameter.ours",
                f"{name} cannot be set as a parameter",
                hint="the prompt has its own field" if name in ("system", "instructions", "prompt", "messages") else "",
            )
        if name in RANGES:
            low, high = RANGES[name]
            if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
                yield mistake(
                    case.place("model", "parameters", name),
                    "parameter.range",
                    f"{name} is out of range",
                    expected=f"a number from {low:g} to {high:g}",
                )


def _prompt(case: Fitted, value: Mapping[str, Any], prompts: Mapping[str, str]) -> Iterator[Mistake]:
    prompt = value.get("prompt")
    if prompt == PromptMode.MANAGED:
        yield mistake(
            case.place("prompt"),
            "prompt.file",
            "a managed prompt needs a file",
            expected="prompt: {mode: managed, file: NAME.md}",
        )
    if not isinstance(prompt, dict):
        return
    file, mode = prompt.get("file"), prompt.get("mode")
    if mode == PromptMode.MANAGED and "file" not in prompt:
        yield mistake(case.place("prompt"), "prompt.file", "a managed prompt needs a file", expected="file: NAME.md")
    if mode == PromptMode.CLIENT and file:
        yield mistake(
            case.place("prompt", "file"),
            "prompt.client",
            "with mode: client the file is never used",
            expected="mode: managed",
        )
    if file and file not in prompts:
        name = file.removeprefix("prompts/")
        known = f'write "{name}"' if name in prompts else did_you_mean(file, prompts)
        yield mistake(
            case.place("prompt", "file"), "prompt.unknown", f"there is no file {shown(file)} in prompts/", hint=known
        )
    elif file and not prompts[file].strip():
        yield mistake(case.place("prompt", "file"), "prompt.empty", f"prompts/{file} is empty")


def _links(case: Fitted, value: Mapping[str, Any]) -> Iterator[Mistake]:
    for place, host in enumerate(value.get("links_allowed") or []):
        if not _HOST.match(host):
            found = address(host)
            yield mistake(
                case.place("links_allowed", place),
                "link.form",
                f"{shown(host)} is not a host name",
                expected="shop.example, or *.shop.example",
                hint=f'write "{found.host}"' if found and _HOST.match(found.host) else "",
            )
    for place, tool in enumerate(value.get("hosted_tools_allowed") or []):
        if not _TOOL.match(tool):
            yield mistake(
                case.place("hosted_tools_allowed", place),
                "tool.form",
                f"{shown(tool)} is not the name of a tool",
                expected="letters, digits, _ . : -",
            )


def check_limits(doc: Fitted, value: Mapping[str, Any], at: Path, home: Mapping[str, Any]) -> Iterator[Mistake]:
    keep = value.get("retention") or {}
    if keep.get("minimum_days", 0) > keep.get("payload_days", 365):
        yield mistake(
            doc.place(*at, "retention", "minimum_days"),
            "retention.order",
            "texts would have to be kept longer than they may be",
            expected=f"minimum_days of at most {keep.get('payload_days', 365)}, or a higher payload_days",
        )
    budget = value.get("budget") or {}
    if budget.get("requests_per_minute", 0) > budget.get("requests", float("inf")):
        yield mistake(
            doc.place(*at, "budget", "requests_per_minute"),
            "budget.order",
            "one minute may have more requests than the whole day",
            expected=f"at most {budget['requests']}",
        )
    cost = budget.get("cost")
    digits = CURRENCIES.get(str(home.get("currency")))
    if cost is not None and digits is not None and not _whole(cost, digits):
        yield mistake(
            doc.place(*at, "budget", "cost"),
            "budget.fine",
            f"{home['currency']} has {digits} decimal places",
            expected="an amount without smaller parts",
        )


def _whole(amount: float, digits: int) -> bool:
    return minor_units(amount, digits) == Decimal(str(amount)).scaleb(digits)


def minor_units(amount: float, digits: int) -> int:
    """Rounded up to a whole minor unit, so that a price is never counted too low."""
    return int(Decimal(str(amount)).scaleb(digits).to_integral_value(rounding=ROUND_CEILING))


def _cost(case: Fitted, value: Mapping[str, Any], home: Mapping[str, Any]) -> Iterator[Mistake]:
    own = value.get("budget")
    budget = own if own is not None else (home.get("defaults") or {}).get("budget") or {}
    if budget.get("cost") is None:
        return
    prices = home.get("prices") or {}
    for place, target in enumerate((value.get("model") or {}).get("route") or []):
        if "/" in target and target not in prices:
            yield mistake(
                case.place("model", "route", place),
                "price.missing",
                f"{shown(target)} has no price, so its cost cannot be limited",
                expected=f"prices: {{{target}: ...}} in handrail.yaml",
            )


def check_prompts(prompts: Mapping[str, str]) -> Iterator[Mistake]:
    """Secrets and characters that hide text, in `prompts/*.md`."""
    for name, text in prompts.items():
        for number, line in enumerate(text.split("\n"), 1):
            secret = SECRET.search(line)
            if secret:
                yield mistake(
                    Place(f"prompts/{name}", number, secret.start() + 1),
                    "secret.inline",
                    "this looks like a secret, and secrets never stand in the home",
                    hint="a model repeats what it reads; delete it and change the secret",
                )
            hidden = FORBIDDEN.search(line)
            if hidden:
                yield mistake(
                    Place(f"prompts/{name}", number, hidden.start() + 1),
                    "text.forbidden",
                    f"the character U+{ord(hidden.group()):04X} is not allowed",
                    hint="delete it; it is invisible",
                )
