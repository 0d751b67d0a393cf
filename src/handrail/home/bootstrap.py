"""What a process must know before it can open the database: read at start, never published; pure."""

from typing import Any

import msgspec

from handrail.home.boot import Bootstrap, OidcBoot, SignInBoot
from handrail.home.check_home import check_home
from handrail.home.codes import CURRENCIES
from handrail.home.fields import HomeFile
from handrail.home.fit import Fitted, fit
from handrail.home.mistake import Mistake
from handrail.home.problem import HomeInvalid
from handrail.home.text import HOME_FILE, HomeText
from handrail.home.tree import parse

KEK_FILE = "kek"
"""In the data folder; made by `home.init`."""
FIELDS = frozenset(
    {
        "database", "data_dir", "listen", "public_url", "behind_proxy", "tls", "keys", "log", "log_requests", "doors",
        "console",
    }
)  # fmt: skip


def bootstrap(text: HomeText) -> Bootstrap:
    """From `handrail.yaml`. Mistakes elsewhere do not matter here, so that a server starts with the last good
    publication. Raises HomeInvalid when one of these fields cannot be read."""
    source = text.texts.get(HOME_FILE)
    if source is None:
        raise HomeInvalid(list(text.mistakes), f"there is no {HOME_FILE}")
    root, wrong = parse(HOME_FILE, source)
    fitted = fit(HOME_FILE, root, HomeFile)
    if root is None or not isinstance(fitted.value, dict):
        raise HomeInvalid([*wrong, *fitted.mistakes], f"{HOME_FILE} cannot be read")
    meant = check_home(fitted, names=text.names, time_zones=text.time_zones)
    ours = [item for item in [*fitted.mistakes, *meant] if _about(fitted, item)]
    if ours:
        raise HomeInvalid(ours, f"{HOME_FILE} cannot be used to start")
    return from_value(fitted.value)


def from_value(value: dict[str, Any]) -> Bootstrap:
    """From the checked fields of `handrail.yaml`."""
    database = value.get("database", "sqlite")
    env = database.get("env") if isinstance(database, dict) else None
    host, _, port = str(value.get("listen", "127.0.0.1:8080")).rpartition(":")
    keys, tls, doors = value.get("keys", {}), value.get("tls", {}), value.get("doors", {})
    console = value.get("console", {})
    console_host, _, console_port = str(console.get("listen", "127.0.0.1:8082")).rpartition(":")
    doors_host, _, doors_port = str(doors.get("listen", "127.0.0.1:8081")).rpartition(":")
    return Bootstrap(
        database="" if env else str(database),
        database_env=env,
        data_dir=value.get("data_dir", ".handrail"),
        host=host.strip("[]"),
        port=int(port),
        public_url=value.get("public_url"),
        behind_proxy=value.get("behind_proxy", False),
        tls_cert_file=tls.get("cert_file"),
        tls_key_file=tls.get("key_file"),
        kek_file=keys.get("kek_file", None if "kek_env" in keys else KEK_FILE),
        kek_env=keys.get("kek_env"),
        log_key_file=keys.get("log_key_file"),
        log_key_env=keys.get("log_key_env"),
        log_origin=value.get("log", {}).get("origin"),
        log_requests=value.get("log_requests", False),
        doors_host=doors_host.strip("[]"),
        doors_port=int(doors_port),
        doors_serve=str(doors.get("serve", "needed")),
        console_host=console_host.strip("[]"),
        console_port=int(console_port),
        console_serve=bool(console.get("serve", True)),
        console_url=console.get("public_url"),
        sign_in=_sign_in(value, console.get("sign_in") or {}),
    )


def _sign_in(value: dict[str, Any], given: dict[str, Any]) -> SignInBoot:
    above, digits = given.get("fresh_above"), CURRENCIES.get(str(value.get("currency")), 2)
    oidc = {name: each for name, each in (given.get("oidc") or {}).items() if each is not None}
    second = given.get("second_factor")
    return SignInBoot(
        organisation=str(value.get("organisation", "")),
        time_zone=str(value.get("time_zone", "UTC")),
        idle_ms=int(given.get("idle_minutes", 30)) * 60_000,
        most_ms=int(given.get("most_hours", 12)) * 3_600_000,
        fresh_ms=int(given.get("fresh_minutes", 5)) * 60_000,
        fresh_above_minor=None if above is None else round(float(above) * 10**digits),
        second_factor=("approver", "admin") if second is None else tuple(map(str, second)),
        oidc=msgspec.convert(oidc, OidcBoot) if oidc else None,
    )


def _about(fitted: Fitted, item: Mistake) -> bool:
    """Whether a mistake stands in one of the fields that are read at start."""
    for path, place in [*fitted.places.items(), *fitted.keys.items()]:
        if path and path[0] in FIELDS and (place.line, place.column) == (item.line, item.column):
            return True
    return False
