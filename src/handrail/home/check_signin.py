"""What makes sense in `console` of `handrail.yaml`; pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from handrail.home.address import Reachable, address
from handrail.home.fit import Fitted, shown
from handrail.home.mistake import Mistake, mistake
from handrail.people.role import Role, require_compatible
from handrail.terms.errors import HandrailError


def check_signin(home: Fitted, value: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every mistake of meaning; those of form are `home.fit`."""
    console = value.get("console") or {}
    yield from _public_url(home, console.get("public_url"))
    sign_in = console.get("sign_in") or {}
    idle, most = sign_in.get("idle_minutes", 30), sign_in.get("most_hours", 12)
    if isinstance(idle, int) and isinstance(most, int) and idle > most * 60:
        yield mistake(
            home.place("console", "sign_in", "idle_minutes"),
            "sign_in.lengths",
            f"a sign-in would be idle for longer than it lasts ({most} h)",
            expected=f"at most {most * 60}",
        )
    oidc = sign_in.get("oidc")
    if isinstance(oidc, Mapping):
        yield from _oidc(home, oidc, console)


def _public_url(home: Fitted, url: object) -> Iterator[Mistake]:
    if not isinstance(url, str):
        return
    found = address(url)
    place = home.place("console", "public_url")
    if found is None or found.scheme not in ("http", "https") or found.path or found.has_rest or found.has_user:
        yield mistake(
            place, "console.public_url", "this is not an address of a console", expected="https://host[:port]"
        )
    elif found.scheme == "http" and found.reachable is Reachable.PUBLIC:
        yield mistake(place, "console.clear", "sign-ins would cross the network in clear", expected="https://")


def _oidc(home: Fitted, oidc: Mapping[str, Any], console: Mapping[str, Any]) -> Iterator[Mistake]:
    at = ("console", "sign_in", "oidc")
    private = bool(oidc.get("private_network"))
    yield from _address(home, (*at, "issuer"), oidc.get("issuer"), private=private)
    for number, host in enumerate(oidc.get("hosts") or ()):
        yield from _address(home, (*at, "hosts", number), host, private=private)
    if "secret_env" in oidc and "secret_file" in oidc:
        yield mistake(
            home.key(*at, "secret_file"), "oidc.secret", "secret_env and secret_file are both given",
            expected="one of the two",
        )  # fmt: skip
    if not console.get("public_url"):
        yield mistake(
            home.key(*at), "oidc.public_url", "the provider must know where to send people back",
            expected="console.public_url: https://console.example",
        )  # fmt: skip
    scopes = oidc.get("scopes")
    if scopes is not None and "openid" not in scopes:
        yield mistake(home.place(*at, "scopes"), "oidc.scopes", "openid is missing", expected="openid, email, profile")
    yield from _groups(home, at, oidc)


def _groups(home: Fitted, at: tuple[str, ...], oidc: Mapping[str, Any]) -> Iterator[Mistake]:
    groups = oidc.get("groups") or {}
    if oidc.get("create") and not groups:
        yield mistake(
            home.key(*at, "create"), "oidc.create", "nobody can be made without groups that have roles",
            expected="groups: {name-of-a-group: [approver]}",
        )  # fmt: skip
    for group, roles in groups.items():
        held = frozenset(Role(role) for role in roles or () if role in set(Role))
        if Role.ADMIN in held:
            yield mistake(
                home.place(*at, "groups", group), "oidc.admin", f"the group {shown(group)} would make admins by itself",
                expected="roles without admin", hint="an admin makes an admin: handrail person change",
            )  # fmt: skip
        try:
            require_compatible(held)
        except HandrailError as clash:
            yield mistake(home.place(*at, "groups", group), "oidc.roles", clash.message)


def _address(home: Fitted, path: tuple[str | int, ...], url: object, *, private: bool) -> Iterator[Mistake]:
    if not isinstance(url, str):
        return
    found = address(url)
    place = home.place(*path)
    if found is None or found.scheme not in ("http", "https") or found.has_rest or found.has_user:
        yield mistake(place, "oidc.address", "this is not an address", expected="https://id.example")
    elif found.reachable is Reachable.NEVER:
        yield mistake(place, "oidc.never", f"{found.host} is never called (link-local or metadata address)")
    elif found.reachable is Reachable.PRIVATE and not private:
        yield mistake(
            place, "oidc.private", f"{found.host} lies in a private network",
            expected="private_network: true, if that is meant",
        )  # fmt: skip
    elif found.reachable is Reachable.PUBLIC and found.scheme == "http":
        yield mistake(place, "oidc.clear", f"http sends who people are to {found.host} in clear", expected="https://")
