"""What makes sense in `notices:` of handrail.yaml, and in the `tell_ended` of use cases; pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from handrail.home.address import Reachable, address
from handrail.home.fit import SECRET, Fitted, Path, shown
from handrail.home.mistake import Mistake, did_you_mean, mistake
from handrail.home.written_actions import Actions
from handrail.policy.notices import Encryption, Event, ReceiverKind

HTTP = frozenset({ReceiverKind.CHAT, ReceiverKind.WEBHOOK, ReceiverKind.PAGER})
USED = {
    ReceiverKind.EMAIL: frozenset(
        {"hosts", "port", "encryption", "user", "sender", "to", "secret_env", "secret_file", "ca_file"}
    ),
    ReceiverKind.CHAT: frozenset({"url", "url_env", "url_file", "hosts", "ca_file"}),
    ReceiverKind.WEBHOOK: frozenset(
        {"url", "url_env", "url_file", "hosts", "secret_env", "secret_file", "ca_file"}
    ),
    ReceiverKind.PAGER: frozenset({"url", "url_env", "url_file", "hosts", "secret_env", "secret_file", "ca_file"}),
    ReceiverKind.APPRISE: frozenset({"url_env", "url_file", "hosts"}),
}  # fmt: skip
"""Fields of a receiver that one of its kind has beside those that all have."""
_OWN = frozenset().union(*USED.values())
SECRET_HOSTS = ("hooks.slack.com", "discord.com", "discordapp.com", "webhook.office.com", "chat.googleapis.com")
"""Services whose webhook address is a secret as a whole."""


def check_notices(
    home: Fitted, cases: Sequence[Fitted], actions: Actions, *, names: frozenset[str]
) -> Iterator[Mistake]:
    """Every mistake of meaning; those of form are `home.fit`."""
    ids = {str(case.value["id"]) for case in cases if "id" in case.value}
    routes = {route.id for route in actions.rules.routes}
    for name, given in ((home.value.get("notices") or {}).get("receivers") or {}).items():
        at: Path = ("notices", "receivers", name)
        if "kind" not in given:
            continue  # told by `home.fit`
        kind = ReceiverKind(given["kind"])
        yield from _fields(home, at, kind, given)
        if kind in HTTP:
            yield from _called(home, at, kind, given)
        elif kind is ReceiverKind.EMAIL:
            yield from _mail(home, at, given)
        elif "url_env" not in given and "url_file" not in given:
            yield _lacks(home, at, name, "url_env or url_file", "the address of Apprise is a secret as a whole")
        yield from _reference(home, at, given)
        yield from _names(home, at, given, "use_cases", ids, "use case")
        if actions.whole:
            yield from _names(home, at, given, "routes", routes, "route")
        yield from _rest(home, at, given, names)


def check_told(case: Fitted, home: Fitted) -> Iterator[Mistake]:
    """Receivers that a use case names."""
    known = (home.value.get("notices") or {}).get("receivers") or {}
    for index, name in enumerate(case.value.get("tell_ended") or ()):
        if home.value and name not in known:
            yield mistake(
                case.place("tell_ended", index), "receiver.unknown",
                f"there is no receiver {shown(name)} in notices of handrail.yaml", hint=did_you_mean(name, known),
            )  # fmt: skip


def _fields(home: Fitted, at: Path, kind: ReceiverKind, given: Mapping[str, Any]) -> Iterator[Mistake]:
    for field in given:
        if field in _OWN - USED[kind]:
            kinds = ", ".join(sorted(one.value for one, used in USED.items() if field in used))
            yield mistake(
                home.key(*at, field), "receiver.field", f"a receiver of kind {kind.value} has no {field}",
                expected=f"{field} only with kind {kinds}", hint="delete it",
            )  # fmt: skip


def _called(home: Fitted, at: Path, kind: ReceiverKind, given: Mapping[str, Any]) -> Iterator[Mistake]:
    name = str(at[-1])
    if not {"url", "url_env", "url_file"} & given.keys():
        yield _lacks(home, at, name, "url, or url_env with hosts", "it has no address")
    if kind is ReceiverKind.WEBHOOK and not {"secret_env", "secret_file"} & given.keys():
        yield _lacks(home, at, name, "secret_env or secret_file", "a webhook is signed")
    if kind is ReceiverKind.PAGER and not {"secret_env", "secret_file"} & given.keys():
        yield _lacks(home, at, name, "secret_env or secret_file", "a pager asks for the routing key of its integration")
    if "url" in given:
        yield from _address(home, (*at, "url"), given)
        if "hosts" in given:
            yield mistake(
                home.key(*at, "hosts"), "receiver.field", "hosts is for url_env and url_file", hint="delete it"
            )


def _address(home: Fitted, at: Path, given: Mapping[str, Any]) -> Iterator[Mistake]:
    place, found = home.place(*at), address(given["url"])
    if found is None or found.scheme not in ("http", "https"):
        yield mistake(place, "receiver.address", "this is not an address", expected="https://host/path")
    elif found.has_rest or any(found.host == host or found.host.endswith(f".{host}") for host in SECRET_HOSTS):
        yield mistake(
            place, "receiver.secret_address", "this address is a secret as a whole",
            expected=f"url_env: NAME_OF_THE_VARIABLE and hosts: [{found.host}]",
        )  # fmt: skip
    elif found.has_user and not SECRET.search(given["url"]):
        yield mistake(place, "receiver.address", "the address names a user", hint="delete what stands before the @")
    elif found.reachable is Reachable.NEVER:
        yield mistake(place, "receiver.never", f"{found.host} is never called (link-local or metadata address)")
    elif found.reachable is Reachable.PRIVATE and not given.get("private_network"):
        yield mistake(
            place, "receiver.private", f"{found.host} lies in a private network",
            expected="private_network: true, if that is meant",
        )  # fmt: skip
    elif found.reachable is Reachable.PUBLIC and found.scheme == "http":
        yield mistake(place, "receiver.clear", f"http sends notices to {found.host} in clear", expected="https://")


def _mail(home: Fitted, at: Path, given: Mapping[str, Any]) -> Iterator[Mistake]:
    name = str(at[-1])
    for field, expected in (
        ("hosts", "hosts: [smtp.example.com]"),
        ("sender", "sender: handrail@..."),
        ("to", "to: [...]"),
    ):
        if not given.get(field):
            yield _lacks(home, at, name, expected, f"a receiver of kind email needs {field}")
    hosts = given.get("hosts") or ()
    if len(hosts) > 1 or any(":" in host for host in hosts):
        yield mistake(
            home.place(*at, "hosts"), "receiver.hosts", "a mail server is one host",
            expected="one name without a port; the port stands in port:",
        )  # fmt: skip
    secret = bool({"secret_env", "secret_file"} & given.keys())
    if secret != ("user" in given):
        what = "the password" if secret else "the user"
        yield _lacks(home, at, name, "both user and secret_env, or neither", f"{what} stands alone")
    if given.get("encryption") == Encryption.NONE and not given.get("private_network"):
        yield mistake(
            home.place(*at, "encryption"), "receiver.clear", "this sends notices in clear",
            expected="starttls or tls; none only with private_network: true",
        )  # fmt: skip


def _reference(home: Fitted, at: Path, given: Mapping[str, Any]) -> Iterator[Mistake]:
    """A secret stands in one place, and a secret address says where it leads."""
    for first, second in (
        ("url", "url_env"),
        ("url_env", "url_file"),
        ("url", "url_file"),
        ("secret_env", "secret_file"),
    ):
        if first in given and second in given:
            yield mistake(
                home.key(*at, second), "receiver.twice", f"{first} and {second} are both given",
                expected="one of the two",
            )  # fmt: skip
    if ("url_env" in given or "url_file" in given) and not given.get("hosts"):
        yield _lacks(home, at, str(at[-1]), "hosts: [the host of that address]", "nobody can see where it leads")
    for index, host in enumerate(given.get("hosts") or ()):
        found = address(f"https://{host}")
        if found is None or found.path or found.has_rest or found.has_user:
            yield mistake(
                home.place(*at, "hosts", index), "receiver.hosts", f"{shown(host)} is no host",
                expected="a name, or a name and a port, such as hooks.example.com",
            )  # fmt: skip
        elif found.reachable is Reachable.NEVER:
            yield mistake(home.place(*at, "hosts", index), "receiver.never", f"{found.host} is never called")
        elif found.reachable is Reachable.PRIVATE and not given.get("private_network"):
            yield mistake(
                home.place(*at, "hosts", index), "receiver.private", f"{found.host} lies in a private network",
                expected="private_network: true, if that is meant",
            )  # fmt: skip


def _names(
    home: Fitted, at: Path, given: Mapping[str, Any], field: str, known: set[str], what: str
) -> Iterator[Mistake]:
    for index, name in enumerate(given.get(field) or ()):
        if name not in known:
            yield mistake(
                home.place(*at, field, index), "receiver.name", f"there is no {what} {shown(name)}",
                hint=did_you_mean(name, known),
            )  # fmt: skip


def _rest(home: Fitted, at: Path, given: Mapping[str, Any], names: frozenset[str]) -> Iterator[Mistake]:
    for index, event in enumerate(given.get("events") or ()):
        if event == Event.TEST:
            yield mistake(
                home.place(*at, "events", index), "receiver.event", "test is sent by handrail notices test only",
                hint="delete it",
            )  # fmt: skip
    ca_file = given.get("ca_file")
    if ca_file and "/" not in ca_file and ca_file not in names:
        yield mistake(
            home.place(*at, "ca_file"), "receiver.ca_file", f"there is no file {shown(ca_file)} in the home",
            hint=did_you_mean(ca_file, [file for file in names if "/" not in file]),
        )  # fmt: skip


def _lacks(home: Fitted, at: Path, name: str, expected: str, why: str) -> Mistake:
    return mistake(
        home.key(*at), "receiver.lacks", f'the receiver "{name}" is not whole: {why}', expected=expected
    )  # fmt: skip
