"""What makes sense in `handrail.yaml`: time, money, addresses, keys, providers and prices; pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from handrail.home.address import Address, Reachable, address
from handrail.home.check_signin import check_signin
from handrail.home.codes import CURRENCIES
from handrail.home.fit import SECRET, Fitted, shown
from handrail.home.mistake import Mistake, Place, did_you_mean, mistake
from handrail.policy.ruleset import Dialect

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def check_home(home: Fitted, *, names: frozenset[str], time_zones: frozenset[str]) -> Iterator[Mistake]:
    """Every mistake of meaning; those of form are `home.fit`."""
    value = home.value
    yield from _organisation(home, value, time_zones)
    yield from _database(home, value.get("database"))
    yield from _listen(home, value)
    yield from _keys(home, value.get("keys") or {})
    yield from check_signin(home, value)
    for name, provider in (value.get("providers") or {}).items():
        yield from _provider(home, name, provider, names)
    yield from _prices(home, value)
    if str(value.get("data_dir", "")).strip("/.") in ("", "use-cases", "prompts") and "data_dir" in value:
        yield mistake(
            home.place("data_dir"),
            "data_dir.place",
            "the data folder cannot be the home itself or one of its folders",
            expected="a folder of its own, such as .handrail",
        )


def _organisation(home: Fitted, value: Mapping[str, Any], time_zones: frozenset[str]) -> Iterator[Mistake]:
    zone = value.get("time_zone")
    if zone and zone != "UTC" and zone not in time_zones:
        hint = did_you_mean(zone, time_zones) if time_zones else "this machine knows none: install tzdata, or write UTC"
        yield mistake(
            home.place("time_zone"),
            "time_zone.unknown",
            f"the time zone {shown(zone)} is unknown",
            expected="an IANA name, such as Europe/Berlin",
            hint=hint,
        )
    currency = value.get("currency")
    if currency and currency not in CURRENCIES:
        yield mistake(
            home.place("currency"),
            "currency.unknown",
            f"the currency {shown(currency)} is unknown",
            expected="an ISO 4217 code, such as EUR",
            hint=did_you_mean(currency, CURRENCIES),
        )


def _database(home: Fitted, database: object) -> Iterator[Mistake]:
    if not isinstance(database, str) or database == "sqlite" or SECRET.search(database):
        return
    if not database.startswith(("postgresql://", "postgres://")):
        yield mistake(
            home.place("database"),
            "database.unknown",
            f"the database {shown(database)} is not supported",
            expected="sqlite, postgresql://user@host/name, or env: NAME",
            hint=did_you_mean(database, ["sqlite", "postgresql"]),
        )


def _listen(home: Fitted, value: Mapping[str, Any]) -> Iterator[Mistake]:
    listeners = ((name, (value.get(name) or {}).get("listen")) for name in ("doors", "console"))
    for path, listen in ((("listen",), value.get("listen")), *(((name, "listen"), at) for name, at in listeners)):
        if not listen:
            continue
        host, _, port = listen.rpartition(":")
        if not 1 <= int(port) <= 65_535:
            yield mistake(home.place(*path), "listen.port", f"there is no port {port}", expected="1 to 65535")
        if host not in LOOPBACK and not value.get("tls") and not value.get("behind_proxy"):
            yield mistake(
                home.place(*path),
                "listen.public",
                f"listening on {host} sends customers' text in clear over the network",
                expected="127.0.0.1, or tls:, or behind_proxy: true",
            )
    url = value.get("public_url")
    if url:
        found = address(url)
        if found is None or found.scheme not in ("http", "https"):
            yield mistake(
                home.place("public_url"), "public_url.form", "this is not an address", expected="https://host"
            )
        elif found.scheme == "http" and found.reachable is Reachable.PUBLIC:
            yield mistake(home.place("public_url"), "public_url.clear", "a public address needs https")


def _keys(home: Fitted, keys: Mapping[str, Any]) -> Iterator[Mistake]:
    for what in ("kek", "log_key"):
        if f"{what}_file" in keys and f"{what}_env" in keys:
            yield mistake(
                home.key("keys", f"{what}_env"),
                "keys.twice",
                f"{what}_file and {what}_env are both given",
                expected="one of the two",
            )


def _provider(home: Fitted, name: str, provider: Mapping[str, Any], names: frozenset[str]) -> Iterator[Mistake]:
    at = ("providers", name)
    url = provider.get("base_url")
    found = address(url) if isinstance(url, str) else None
    if isinstance(url, str):
        yield from _address(home.place(*at, "base_url"), found, provider)
    if "key_env" in provider and "key_file" in provider:
        yield mistake(
            home.key(*at, "key_file"), "provider.keys", "key_env and key_file are both given", expected="one of the two"
        )
    given = "key_env" in provider or "key_file" in provider
    if found and found.reachable is Reachable.PUBLIC and not given and "base_url" in provider:
        yield mistake(
            home.key(*at),
            "provider.key",
            f'the provider "{name}" has no key',
            expected="key_env: NAME_OF_THE_VARIABLE or key_file: PATH",
        )
    dialect = provider.get("dialect")
    path = found.path if found else ""
    if dialect == Dialect.AZURE and "api_version" not in provider and not path.endswith("/v1"):
        yield mistake(
            home.key(*at),
            "provider.api_version",
            f'the provider "{name}" needs api_version',
            expected="such as 2024-10-21, or a base_url that ends with /openai/v1",
        )
    if dialect == Dialect.OPENAI and "api_version" in provider:
        yield mistake(
            home.key(*at, "api_version"),
            "provider.api_version",
            "api_version is for azure and anthropic only",
            hint="delete it",
        )
    ca_file = provider.get("ca_file")
    if ca_file and not ca_file.startswith("/") and "/" not in ca_file and ca_file not in names:
        yield mistake(
            home.place(*at, "ca_file"),
            "provider.ca_file",
            f"there is no file {shown(ca_file)} in the home",
            hint=did_you_mean(ca_file, [file for file in names if "/" not in file]),
        )


def _address(place: Place, found: Address | None, provider: Mapping[str, Any]) -> Iterator[Mistake]:
    if found is None or found.scheme not in ("http", "https"):
        yield mistake(
            place,
            "address.form",
            "base_url is not an address",
            expected="https://host/path, such as https://api.openai.com/v1",
        )
        return
    if found.has_user and not SECRET.search(str(provider["base_url"])):
        yield mistake(place, "address.user", "base_url names a user", hint="delete what stands before the @")
    if found.has_rest:
        yield mistake(place, "address.rest", "base_url has a query or a fragment", hint="delete what follows ? or #")
    if found.reachable is Reachable.NEVER:
        yield mistake(place, "address.never", f"{found.host} is never called (link-local or metadata address)")
    elif found.reachable is Reachable.PRIVATE and not provider.get("private_network"):
        yield mistake(
            place,
            "address.private",
            f"{found.host} lies in a private network",
            expected="private_network: true, if that is meant",
        )
    elif found.reachable is Reachable.PUBLIC and found.scheme == "http":
        yield mistake(
            place, "address.clear", f"http sends customers' text to {found.host} in clear", expected="https://"
        )
    if not found.path and provider.get("dialect") in (Dialect.OPENAI, Dialect.ANTHROPIC):
        yield mistake(
            place, "address.version", "base_url has no version path", expected=f"such as https://{found.host}/v1"
        )


def _prices(home: Fitted, value: Mapping[str, Any]) -> Iterator[Mistake]:
    providers = value.get("providers") or {}
    for name in value.get("prices") or {}:
        provider, slash, model = name.partition("/")
        if not slash or not provider or not model:
            yield mistake(
                home.key("prices", name), "price.form", f"{shown(name)} is no price", expected="provider/model"
            )
        elif provider not in providers:
            yield mistake(
                home.key("prices", name),
                "price.provider",
                f"there is no provider {shown(provider)}",
                hint=did_you_mean(provider, providers),
            )
